"""The trials of a run directory that need not be run again."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, error_line, shown
from tfcourse.files import is_temporary
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.settings import trials_of
from tfcourse.search.records.pareto import leaders
from tfcourse.search.records.satisficing import judge_all
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.discrete import Configuration, configuration_of, is_discrete
from tfcourse.search.space.parameters import Parameter, fits
from tfcourse.search.store.directory import OFF_RECORD, RunDirectory
from tfcourse.search.store.earlier_runs import ranking_on_record
from tfcourse.search.store.identity import EARLIER, differences, identity
from tfcourse.search.store.reading import read_toml
from tfcourse.search.store.recognition import foreign_names, not_a_run_directory

__all__ = [
    "as_recorded",
    "check_path",
    "finished_trials",
    "repetitions",
]


def check_path(directory: RunDirectory) -> None:
    """Raise InputError if the path has something else than a run directory."""
    advice = "Choose another --out or another name."
    try:
        for path in (directory.path, *directory.path.parents):
            if path.is_symlink() and not path.exists():
                raise InputError(
                    f"{path} is a symbolic link to {shown(str(path.readlink()))}, which is not "
                    f"there. Make that folder, remove the link, or choose another --out."
                )
            if path.exists() and not path.is_dir():
                raise InputError(f"{path} is a file. {advice}")
        with suppress(FileNotFoundError):
            directory.path.lstat()
        if directory.exists() or not directory.path.exists():
            return
        names = foreign_names(directory.path, directory.names)
        if names or any(not is_temporary(path) for path in directory.path.iterdir()):
            raise InputError(f"{not_a_run_directory(directory.path, names)} {advice}")
    except InputError:
        raise
    except (OSError, ValueError) as error:  # too long, a loop of links, a NUL, not to be read
        raise InputError(
            f"{shown(str(directory.path))} can't be used ({error_line(error)}). {advice}"
        ) from None


def as_recorded(config: SearchConfig, path: Path | None) -> SearchConfig:
    """Return the config with the strategy's settings that the search on record has.

    A search on record without a key is older than the key, and has the behavior of its time
    (`EARLIER`). A config that names the key keeps its value.

    Args:
        config: The search.
        path: Its run directory; None for a search that starts over.
    """
    strategy, settings = config.search.strategy, config.settings
    earlier = EARLIER.get(strategy, {})
    earlier = {key: old for key, old in earlier.items() if key not in settings.model_fields_set}
    if not earlier:
        return config
    today = {key: type(settings).model_fields[key].default for key in earlier}
    newest = _with_settings(config, today)
    if path is None:
        return newest
    directory = RunDirectory(path)
    stored = read_toml(directory.config)
    if stored is not None:
        search = stored.get("search", {})
        if search.get("strategy") != strategy:
            return newest
        named = search.get(strategy, {})
        return _with_settings(
            config, {key: today[key] if key in named else old for key, old in earlier.items()}
        )
    identities = {directory.identity(), *directory.identities_of_trials()}
    versions = [newest]
    for key, old in earlier.items():
        today[key] = old
        versions.append(_with_settings(config, today))
    same = (each for each in versions if identity(tomllib.loads(each.as_toml())) in identities)
    return next(same, newest)


def _with_settings(config: SearchConfig, values: Mapping[str, str]) -> SearchConfig:
    """Return the config with settings of the strategy that still count as not named."""
    settings = config.settings.model_copy(update=values)
    settings.model_fields_set.difference_update(values)
    return replace(config, settings=settings)


def finished_trials(
    config: SearchConfig, directory: RunDirectory, forget: bool = False
) -> dict[int, TrialRecord]:
    """Return the trials on record that need not be run again.

    Args:
        config: The search.
        directory: Its run directory.
        forget: True to take trials off the record that must be run again.

    Raises:
        InputError: The run directory is another search's, or not a run directory; or a model that
            it keeps is lost, and its trial is not among the config's.
    """
    check_path(directory)
    if not directory.exists():
        return {}
    _check_same(tomllib.loads(config.as_toml()), directory)
    on_record = judge_all(directory.read_trials(), config.bounds)
    space, names = config.space, config.columns
    records = _valid(on_record, space, names)
    if forget:  # trials with other values are run again
        for number in on_record.keys() - records.keys():
            directory.forget_trial(number)
    off_record = judge_all(directory.read_trials(OFF_RECORD), config.bounds)
    every = _valid(off_record, space, names) | records
    ranking = ranking_on_record(config, directory, every)
    lost = lost_models(config, directory, ranking)
    if lost and lost[0] == ranking[0].trial:
        stored = directory.best_trial()
        if stored is not None and stored not in every and stored < config.trials:
            lost = lost[1:]  # the record of a better trial is lost, not its model: it is run again
    for number in lost:
        if number >= config.trials:
            raise InputError(_without_model(config, directory, number, ranking[0].trial))
        # A trial whose model is lost is run again and gives the same one.
        if records.pop(number, None) is not None and forget:
            directory.forget_trial(number)
    return records


def lost_models(
    config: SearchConfig, directory: RunDirectory, ranking: Sequence[TrialRecord]
) -> list[int]:
    """Return the trials whose models a search keeps and which are lost or damaged.

    Args:
        config: The search.
        directory: Its run directory.
        ranking: The completed trials that count.
    """
    kept_models = leaders(ranking, config.objectives)
    return [r.trial for r in kept_models if not directory.has_model(r.trial)]


def _without_model(config: SearchConfig, directory: RunDirectory, trial: int, best: int) -> str:
    # The trials of a discrete space are limited; a record with repetitions may have more.
    longer = config.search.model_copy(update={"trials": trial + 1})
    advice = "Start over with --fresh."
    if trials_of(longer, config.space) > trial:
        advice = (
            f"Give --trials {trial + 1} (in Python trials={trial + 1}), or start over with --fresh."
        )
    which = "the best trial" if trial == best else "a trial of the Pareto set"
    return (
        f"{directory.path}: the model of {which}, {trial}, is lost or damaged, and of "
        f"{config.trials} trials it can't be run again. {advice}"
    )


def repetitions(
    strategy: str, space: Mapping[str, Parameter], records: Mapping[int, TrialRecord]
) -> list[str]:
    """Return a line if trials on record repeat others, as earlier versions drew discrete spaces."""
    if strategy in ("grid", "hyperband") or not is_discrete(space):
        return []
    first: dict[Configuration, int] = {}
    repeated = {
        number: earlier
        for number, record in sorted(records.items())
        if (earlier := first.setdefault(configuration_of(space, record.values), number)) != number
    }
    if not repeated:
        return []
    number, earlier = next(iter(repeated.items()))
    return [
        f"{len(repeated)} trials on record repeat the values of others (trial {number} those of "
        f"trial {earlier}), as an earlier version of tfcourse drew them. They stay, and further "
        "trials have new values; --fresh starts over without repetition."
    ]


def _valid(
    records: Mapping[int, TrialRecord], space: Mapping[str, Parameter], names: Collection[str]
) -> dict[int, TrialRecord]:
    """Return the records with values that a trial of the search can have."""
    return {i: record for i, record in records.items() if fits(record.values, space, names)}


def _check_same(current: Mapping[str, Any], directory: RunDirectory) -> None:
    """Raise InputError if the run directory is another search's.

    Args:
        current: The tables of the config.
        directory: The run directory.
    """
    if not directory.has_whole_config() and directory.identity() == identity(current):
        return  # it will be written again
    advice = "Start over with --fresh, or choose another --out or another name."
    stored = read_toml(directory.config)
    if stored is None:
        # The trials' files have the identity too, except those of earlier versions.
        identities = directory.identities_of_trials()
        if identities <= {identity(current)}:
            return
        state = "is not a TOML file" if directory.config.exists() else "is lost"
        raise InputError(
            f"{directory.config} {state}, and the trials are of a search with another config, or "
            f"of an unknown one. {advice}"
        )
    if changes := differences(stored, current):
        raise InputError(
            f"{directory.path} holds a search with another config: {'; '.join(changes)}. {advice}"
        )
