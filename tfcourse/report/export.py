"""The trials of a search in the formats of other tools."""

import importlib.util
from pathlib import Path

from tfcourse.errors import InputError, message_line, shown
from tfcourse.files import translate_disk_errors, write_atomically
from tfcourse.report.study import as_study
from tfcourse.search.records.trial_record import as_csv
from tfcourse.search.results.rows import results
from tfcourse.search.results.search_record import read_record

__all__ = ["export_csv", "export_optuna"]


@translate_disk_errors()
def export_csv(directory: Path, target: Path) -> None:
    """Write `tfcourse.results` as a CSV file.

    Args:
        directory: The run directory.
        target: The file.
    """
    rows = results(directory)
    if not target.parent.is_dir():
        raise InputError(f"--csv: the folder {target.parent} does not exist. Make it first.")
    header = list(rows[0]) if rows else ["trial"]
    write_atomically(target, as_csv(header, [list(row.values()) for row in rows]))


def export_optuna(directory: Path, storage: str) -> str:
    """Write the trials as a study of Optuna's, and return its name: the search's.

    Args:
        directory: The run directory.
        storage: The address of the database, such as ``sqlite:///study.db``.

    Raises:
        InputError: It is not a run directory, Optuna is missing, the database can't be used, or it
            has a study of this name.
    """
    if importlib.util.find_spec("optuna") is None:
        raise InputError("--optuna needs optuna. Install: pip install optuna.")
    from optuna.exceptions import DuplicatedStudyError
    from sqlalchemy.exc import SQLAlchemyError

    record = read_record(directory)
    name = str(record.tables.get("search", {}).get("name", directory.resolve().name))
    try:
        as_study(
            record.space,
            record.trials.values(),
            record.direction,
            name,
            storage,
            record.objective,
        )
    except DuplicatedStudyError:
        raise InputError(
            f'--optuna: {storage} has a study "{name}". Delete it there (optuna delete-study), or '
            "choose another database."
        ) from None
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise InputError(
            f"--optuna: {shown(storage)} can't be used ({message_line(error)}). It must be the "
            "address of a database, such as sqlite:///study.db."
        ) from None
    return name
