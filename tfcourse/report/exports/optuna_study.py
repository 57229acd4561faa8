"""The trials of a search as a study in a database of Optuna's."""

import importlib.util
from dataclasses import dataclass

from tfcourse.errors import InputError, message_line, shown
from tfcourse.report.exports.export import Export
from tfcourse.report.study import as_study
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["OptunaExporter"]


@dataclass(frozen=True)
class OptunaExporter:
    """The trials as a study with the name of the search.

    Attributes:
        record: The search.
        storage: The address of the database, such as ``sqlite:///study.db``.
    """

    record: SearchRecord
    storage: str

    def check(self) -> None:
        """Raise InputError if Optuna is missing."""
        if importlib.util.find_spec("optuna") is None:
            raise InputError("--optuna needs optuna. Install: pip install optuna.")

    def write(self) -> Export:
        """Write the study.

        Raises:
            InputError: The database can't be used, or it has a study of this name.
        """
        from optuna.exceptions import DuplicatedStudyError
        from sqlalchemy.exc import SQLAlchemyError

        record, storage = self.record, self.storage
        name, trials = record.name, record.trials
        try:
            as_study(
                record.space,
                trials.values(),
                record.direction,
                name,
                storage,
                record.objective,
                record.objectives[1:],
            )
        except DuplicatedStudyError:
            raise InputError(
                f'--optuna: {storage} has a study "{name}". Delete it there (optuna delete-study), '
                "or choose another database."
            ) from None
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise InputError(
                f"--optuna: {shown(storage)} can't be used ({message_line(error)}). It must be the "
                "address of a database, such as sqlite:///study.db."
            ) from None
        return Export("optuna", storage, len(trials), name=name)
