"""The check of a table against its model, with a line for each error."""

import ast
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tfcourse.errors import either, nearest, one_of, shown
from tfcourse.search.config.table import Table

__all__ = ["parse", "unknown_tables"]


# The words for types that TOML has.
KINDS = {
    "dict_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "a text",
}

# What Keras, keras-tuner, Optuna, scikit-learn and pandas call a key.
OTHER_NAMES = {
    "objective": ("metric", "monitor"),
    "strategy": ("tuner", "sampler"),
    "seed": ("random_state",),
    "workers": ("n_jobs",),
    "max_seconds": ("timeout",),
    "path": ("file", "filename"),
    "label": ("target", "y"),
    "features": ("x", "usecols"),
    "separator": ("sep", "delimiter"),
    "split": ("test_size", "validation_split"),
    "normalize": ("scaler",),
    "learning_rate": ("lr",),
    "low": ("min", "min_value"),
    "high": ("max", "max_value"),
    "scale": ("log", "sampling", "distribution"),
    "values": ("choices",),
}


def parse(
    model: type[Table], raw: object, name: str, also_known: Iterable[str] = ()
) -> tuple[Any, list[str]]:
    """Return the table ``[name]`` as its model, or None and a line for each key with an error."""
    if not isinstance(raw, Mapping):
        return None, [f"[{name}] must be a table. Received: {shown(raw)}."]
    try:
        return model.model_validate(dict(raw)), []
    except ValidationError as error:
        known_keys = [*model.model_fields, *also_known]
        places: dict[tuple[str, str], tuple[list[str], tuple[str, ...]]] = {}
        errors: dict[tuple[str, str], list[ErrorDetails]] = {}
        for details in error.errors():
            key, *rest = details["loc"] or ("",)
            inner = _inner_table(model, str(key))
            choices: tuple[str, ...] = ()
            if details["type"] == "missing" and key in model.model_fields:
                choices = _choices(model.model_fields[str(key)].annotation)
            if inner is not None and rest:
                place, names = (f"{name}.{key}", str(rest[0])), [*inner.model_fields]
            else:
                place, names = (name, str(key)), known_keys
            places[place] = names, choices
            errors.setdefault(place, []).append(details)
        return None, [_line(_of_union(errors[at]), *at, *places[at]) for at in places]


def _of_union(errors: Sequence[ErrorDetails]) -> Mapping[str, Any]:
    """Return one error for those of a value, which are several if its type is a union.

    An error within a list or table comes before one of another type than that. Otherwise it is the
    last one, of the widest type (int | float), or says all types if TOML has words for them.
    """
    depth = max(len(error["loc"]) for error in errors)
    errors = [error for error in errors if len(error["loc"]) == depth]
    last = errors[-1]
    names = [
        error["msg"].removeprefix("Input should be ")
        if error["type"] == "literal_error"
        else KINDS.get(error["type"])
        for error in errors
    ]
    words = list(dict.fromkeys(name for name in names if name is not None))
    is_choice = last["type"] == "literal_error" and isinstance(last["input"], str)
    if is_choice or len(words) < 2 or None in names:
        return last
    return {**last, "type": "union", "msg": f"Input should be {' or '.join(words)}"}


def _meant(key: str, known_keys: Collection[str]) -> str:
    """Return the hint at the key that is called by a typo, or by another library's name."""
    for known, others in OTHER_NAMES.items():
        if key in others and known in known_keys:
            return f' Did you mean "{known}"?'
    return nearest(key, known_keys)


def _inner_table(model: type[Table], key: str) -> type[Table] | None:
    """Return the model of a table within another, as of ``[search.limits]``; None for a value."""
    field = model.model_fields.get(key)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Table)), None)


def _choices(annotation: object) -> tuple[str, ...]:
    """Return the values that a type lists; none for other types."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _line(
    details: Mapping[str, Any],
    table: str,
    key: str,
    known_keys: list[str],
    choices: Iterable[str],
) -> str:
    where = f"[{table}] {key}"
    received = details["input"]
    if details["type"] == "missing":
        remedy = f" Take {either(choices, '')}." if choices else ""
        return f"{where} is required and missing.{remedy}"
    if details["type"] == "extra_forbidden":
        names = ", ".join(known_keys)
        return f"{where} is not a known key.{_meant(key, known_keys)} Known: {names}."
    if details["type"] == "model_type":
        return f"[{table}.{key}] must be a table. Received: {shown(received)}."
    demand = details["msg"].replace("Input should be", "must be")
    demand = demand.replace("String should have", "must have")
    if details["type"] in KINDS:
        demand = f"must be {KINDS[details['type']]}"
    if details["type"] == "string_pattern_mismatch":
        demand = "must be letters, digits, '.', '_' or '-', and start with a letter or digit"
    if details["type"] == "literal_error":
        choices = re.split(", | or ", details["ctx"]["expected"])
        return one_of(where, received, map(ast.literal_eval, choices))
    return f"{where}: {demand}. Received: {shown(received)}."


def unknown_tables(raw: Iterable[str], known_names: Collection[str]) -> list[str]:
    """Return a line for each name of a table that is not a known one."""
    return [
        f"[{name}] is not a known table.{nearest(name, known_names)} "
        f"Known: {', '.join(known_names)}."
        for name in raw
        if name not in known_names
    ]
