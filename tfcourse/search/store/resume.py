"""The trials of a run directory that need not be run again."""

import tomllib
from collections.abc import Mapping
from contextlib import suppress

from tfcourse.errors import InputError, error_line, shown
from tfcourse.files import is_temporary
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.settings import trials_of
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.space.discrete import Configuration, configuration_of, is_discrete
from tfcourse.search.space.parameters import fits
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.identity import differences, identity
from tfcourse.search.store.reading import read_toml
from tfcourse.search.store.recognition import not_a_run_directory, strangers

__all__ = [
    "check_place",
    "finished_trials",
    "repetitions",
]


def check_place(directory: RunDirectory) -> None:
    """Refuses a place that holds something else than a run directory.

    Raises:
        InputError: It does.
    """
    other = "Choose another --out or another name."
    try:
        for path in (directory.path, *directory.path.parents):
            if path.is_symlink() and not path.exists():
                raise InputError(
                    f"{path} is a symbolic link to {shown(str(path.readlink()))}, which is not "
                    f"there. Make that folder, remove the link, or choose another --out."
                )
            if path.exists() and not path.is_dir():
                raise InputError(f"{path} is a file. {other}")
        with suppress(FileNotFoundError):
            directory.path.lstat()
        if directory.exists() or not directory.path.exists():
            return
        held = strangers(directory.path, directory.names)
        if held or any(not is_temporary(path) for path in directory.path.iterdir()):
            raise InputError(f"{not_a_run_directory(directory.path, held)} {other}")
    except InputError:
        raise
    except (OSError, ValueError) as error:  # too long, a loop of links, a NUL, not to be read
        raise InputError(
            f"{shown(str(directory.path))} can't be used ({error_line(error)}). {other}"
        ) from None


def finished_trials(
    config: SearchConfig, directory: RunDirectory, forget: bool = False
) -> dict[int, TrialRecord]:
    """The trials on record that need not be run again.

    Args:
        config: The search.
        directory: Its run directory.
        forget: Whether to take a trial that must be run again off the record.

    Raises:
        InputError: The run directory is another search's, or not a run directory; or its best
            model is lost, of a trial that is not among the config's.
    """
    check_place(directory)
    if not directory.exists():
        return {}
    _check_same(config, directory)
    there = directory.read_trials()
    records = _fitting(config, there)
    if forget:  # what stands in a trial's place is run again
        for number in there.keys() - records.keys():
            directory.forget_trial(number)
    known = _fitting(config, directory.read_trials(forgotten=True)) | records
    ranking = rank(known.values(), config.direction)
    if not ranking or directory.has_model(best := ranking[0].trial):
        return records
    kept = directory.best_trial()
    if kept is not None and kept not in known and kept < config.trials:
        return records  # a better one's record is lost, and not its model: it is run again
    if best >= config.trials:
        # A discrete space has only so many trials; a record with repetitions may have more.
        longer = config.search.model_copy(update={"trials": best + 1})
        way = "Start over with --fresh."
        if trials_of(longer, config.space) > best:
            way = (
                f"Give --trials {best + 1} (in Python trials={best + 1}), or start over with "
                "--fresh."
            )
        raise InputError(
            f"{directory.path}: the model of the best trial, {best}, is lost or damaged, and of "
            f"{config.trials} trials it can't be run again. {way}"
        )
    # The best model is lost: its trial, run again, gives the same one.
    if records.pop(best, None) is not None and forget:
        directory.forget_trial(best)
    return records


def repetitions(config: SearchConfig, records: Mapping[int, TrialRecord]) -> list[str]:
    """Return a line if trials on record repeat others, as earlier versions drew discrete spaces."""
    if config.search.strategy in ("grid", "hyperband") or not is_discrete(config.space):
        return []
    first: dict[Configuration, int] = {}
    again = {
        number: earlier
        for number, record in sorted(records.items())
        if (earlier := first.setdefault(configuration_of(config.space, record.values), number))
        != number
    }
    if not again:
        return []
    number, earlier = next(iter(again.items()))
    return [
        f"{len(again)} trials on record repeat the values of others (trial {number} those of "
        f"trial {earlier}), as an earlier version of tfcourse drew them. They stay, and further "
        "trials have new values; --fresh starts over without repetition."
    ]


def _fitting(config: SearchConfig, records: Mapping[int, TrialRecord]) -> dict[int, TrialRecord]:
    """Return the records whose values the search can have given."""
    space, names = config.space, config.columns
    return {i: record for i, record in records.items() if fits(record.values, space, names)}


def _check_same(config: SearchConfig, directory: RunDirectory) -> None:
    """Refuses a run directory of another search."""
    asked = tomllib.loads(config.as_toml())
    if not directory.has_whole_config() and directory.identity() == identity(asked):
        return  # it is written again
    again = "Start over with --fresh, or choose another --out or another name."
    stored = read_toml(directory.config)
    if stored is None:
        # Then the trials themselves say whose they are; those of an earlier version don't.
        named = directory.identities_of_trials()
        if named <= {identity(asked)}:
            return
        lost = "is not a TOML file" if directory.config.exists() else "is lost"
        raise InputError(
            f"{directory.config} {lost}, and what is left is of a search with another config, or "
            f"does not say of which. {again}"
        )
    if changes := differences(stored, asked):
        raise InputError(
            f"{directory.path} holds a search with another config: {'; '.join(changes)}. {again}"
        )
