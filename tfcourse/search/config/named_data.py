"""The check of a config against the names of the inputs and outputs of its data."""

from collections.abc import Mapping

from tfcourse.data.nested import Arrays, map_arrays
from tfcourse.data.output_names import check_output_names
from tfcourse.data.sparse import sparse_names
from tfcourse.errors import InputError, one_of, shown
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.limits import error_lines
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["check_named_data"]


def check_named_data(config: SearchConfig, x: Arrays, y: Arrays) -> None:
    """Check a config against its data, as far as only the names of inputs and outputs matter.

    Raises:
        InputError: They don't suit the builder, or ``[data] normalize``, a line each.
    """
    problems = [*_builder_problems(config, x, y), *_normalize_problems(config.data.normalize, x)]
    problems += [] if problems else [*_output_problems(config, y), *_sparse_problems(config, x)]
    if problems:
        raise InputError(error_lines(config.origin, problems))


def _builder_problems(config: SearchConfig, x: Arrays, y: Arrays) -> list[str]:
    """Return a line for x and for y if they are dicts, which tfcourse's own builders don't take."""
    if not is_builtin(config.builder):
        return []
    return [
        f'[model] builder "{config.builder.name}" makes models of one {what}. Received: {side} as '
        f"a dict of {', '.join(map(str, arrays))}; give a builder of your own, "
        "build(input_shape, classes, ...), where a dict gives a dict by the same names."
        for side, what, arrays in (("x", "input", x), ("y", "output", y))
        if isinstance(arrays, Mapping)
    ]


def _output_problems(config: SearchConfig, y: Arrays) -> list[str]:
    try:
        check_output_names(y, map_arrays(lambda targets: targets == "numbers", config.targets))
    except InputError as error:
        return [f"[data] {error}"]
    return []


def _sparse_problems(config: SearchConfig, x: Arrays) -> list[str]:
    """Return a line for each setting that needs x as a dense array."""
    sparse = sparse_names(x)
    if not sparse:
        return []
    problems, normalize = [], config.data.normalize
    methods = normalize if isinstance(normalize, Mapping) else dict.fromkeys(sparse, normalize)
    if any(methods.get(name, "none") != "none" for name in sparse):
        problems.append(
            f"[data] normalize = {shown(normalize)} would make a sparse x dense. Leave it out, and "
            "scale without shifting, as scikit-learn's MaxAbsScaler does."
        )
    if config.search.caviar == "population":
        problems.append(
            '[search] caviar = "population" needs dense arrays in memory. Received: a sparse x; '
            'leave it out, or use caviar = "auto".'
        )
    return problems


def _normalize_problems(normalize: str | Mapping[str, str], x: Arrays) -> list[str]:
    if isinstance(normalize, str):
        return []
    if not isinstance(x, Mapping):
        return [
            "[data] normalize as a table is for x as a dict of inputs. Received: x as an array; "
            'give it a text, such as "standardize".'
        ]
    return [one_of("[data] normalize: the input", name, x) for name in normalize if name not in x]
