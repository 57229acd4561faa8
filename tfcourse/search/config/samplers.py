"""The checks of a search with a sampler of Optuna's, which import Optuna if there are arguments."""

import importlib.util
from collections.abc import Mapping

from tfcourse.errors import message_line, nearest, shown
from tfcourse.search.config.strategy_tables import OptunaTable, SamplerTable
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.optuna_samplers import INITIAL

__all__ = ["sampler_problems"]

# The further packages that a sampler imports when it samples.
PACKAGES = {"CmaEsSampler": ("cmaes",), "GPSampler": ("scipy", "torch"), "QMCSampler": ("scipy",)}
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "a text"),
}


def sampler_problems(
    strategy: str, settings: SamplerTable, space: Mapping[str, Parameter], objectives: int = 1
) -> list[str]:
    """Return a line if packages are missing, or a line for each wrong argument of the sampler.

    Args:
        strategy: ``[search] strategy``.
        settings: The strategy's table.
        space: The parameters by name.
        objectives: The number of objectives.
    """
    sampler = settings.sampler_settings.name
    packages = ("optuna", *PACKAGES.get(sampler, ()))
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        of = f" with the sampler {sampler}" if isinstance(settings, OptunaTable) else ""
        return [
            f'[search] strategy "{strategy}"{of} needs {" and ".join(missing)}. '
            f"Install: pip install {' '.join(missing)}."
        ]
    if not isinstance(settings, OptunaTable) or not settings.arguments:
        return []
    from tfcourse.search.engine.optuna_study import argument_types

    types = argument_types(sampler)
    lines = [_line(name, value, sampler, types) for name, value in settings.arguments.items()]
    return [line for line in lines if line] or _refusal(settings, space, objectives)


def _line(name: str, value: object, sampler: str, types: Mapping[str, str]) -> str | None:
    """Return an error for an argument that the sampler does not have, or of another type."""
    where = "[search.optuna] arguments:"
    if name == "seed":
        return f"{where} the sampler's seed is [search] seed. Remove seed here."
    if name not in types:
        return (
            f'{where} "{name}" is not an argument of {sampler} that a config can set.'
            f"{nearest(name, types)} Known: {', '.join(types) or 'none'}."
        )
    classes, demand = TYPES[types[name]]
    if isinstance(value, bool) != (classes == (bool,)) or not isinstance(value, classes):
        return f"{where} {name} must be {demand}. Received: {shown(value)}."
    return None


def _refusal(settings: OptunaTable, space: Mapping[str, Parameter], objectives: int) -> list[str]:
    """Return an error if the sampler refuses its arguments, when it is built or when it samples."""
    from tfcourse.search.engine.optuna_study import OptunaStudy

    startup, _ = INITIAL.get(settings.sampler, ("", 1))
    arguments = dict(settings.arguments)
    # Its own proposals come after the random ones; a process of GPSampler's takes long to fit.
    if startup == "n_startup_trials" and settings.sampler != "GPSampler":
        arguments[startup] = 1
    try:
        study = OptunaStudy(space, ["min"] * objectives, settings.sampler, arguments, 0)
        for trial in range(3):
            study.tell(study.ask().number, [float(trial)] * objectives)
    except Exception as error:  # asserts, empty arrays: Optuna does not check every argument
        listed = ", ".join(f"{name} = {shown(v)}" for name, v in settings.arguments.items())
        return [
            f"[search.optuna] arguments: {settings.sampler} does not work with {listed}: "
            f"{message_line(error)}"
        ]
    return []
