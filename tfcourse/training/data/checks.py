"""Checks of a model's data before the first step: its shapes, types and values.

Data that Keras would train on is accepted: where a shape looks wrong, the model is called on
symbols. Only values that make a training worthless are refused, unless ``check_data=False``.
"""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError, nearest
from tfcourse.internals.layers import flatten_layers
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.data.ids import check_ids, embeddings_of, ids_in_range
from tfcourse.training.data.target_checks import check_targets, from_keras
from tfcourse.training.programs.step import outputs_on, overrides
from tfcourse.training.programs.xla import bare_scope
from tfcourse.types import KerasModel, KerasTensor, Nested, Shape, Tensor, TrainingData

__all__ = ["check_embedded_ids", "check_feed", "check_training", "proven_embeddings"]

Named = list[tuple[str, Tensor]]


def check_training(model: KerasModel, train: Feed, validation: Feed | None) -> None:
    """Check the data of a training; see `check_feed`."""
    check_feed(model, train, "train_step")
    if validation is not None:
        check_feed(model, validation, "test_step", of=" of validation_data")


def check_feed(
    model: KerasModel, feed: Feed, step: str, thorough: bool = True, of: str = ""
) -> None:
    """Check a feed's data: of a stream the shapes and types, of arrays the values too.

    Args:
        model: The model that it is for, built or not.
        feed: The data.
        step: The model's method that takes it, such as ``"train_step"``. If the model overrides
            it, only NaN and infinity are checked for.
        thorough: Whether to check for NaN and infinity, and to trace a model of unknown outputs.
        of: The name of the data in messages, such as ``" of validation_data"``.

    Raises:
        InputError: It doesn't suit the model.
    """
    data = feed.arrays.data if isinstance(feed, ArrayFeed) else feed.sample
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    sample = keras.utils.unpack_x_y_sample_weight(feed.sample)[0]
    own = overrides(model, step)
    if not own:
        _check_inputs(model, x, sample, of)
    if thorough and not feed.stream:
        # A loss of the user's own may ignore targets that are NaN.
        targets = y if not own and from_keras(model) else None
        named = {"x": x, "y": targets, "sample_weight": sample_weight}
        for name, part in named.items():
            for path, leaf in _leaves(f"{name}{of}", part):
                if leaf is not None:  # an optional input
                    check_finite(path, leaf)
    if not own and not feed.stream:
        check_embedded_ids(model, x, of)
    if step != "predict_step" and not own:
        check_targets(model, sample, y, of, not feed.stream, thorough)


def check_embedded_ids(model: KerasModel, x: TrainingData, of: str = "") -> None:
    """Check the ids in x, all of it, that the model's ``Embedding`` layers look up; `check_ids`."""
    leaves = _input_leaves(model, x, of)
    if leaves is not None:
        check_ids(model, leaves)


def proven_embeddings(model: KerasModel, feed: Feed, step: str) -> list[str]:
    """Return the names of the model's ``Embedding`` layers if no id in the feed is out of range."""
    layers = embeddings_of(model)
    if not layers or not isinstance(feed, ArrayFeed) or overrides(model, step):
        return []
    x, *_ = keras.utils.unpack_x_y_sample_weight(feed.arrays.data)
    leaves = _input_leaves(model, x, "")
    # Under XLA a layer's operations can be told from others by their name alone.
    own, names = {id(layer) for layer in layers}, {bare_scope(layer.name) for layer in layers}
    others = [each for each in flatten_layers(model) if id(each) not in own]
    unique = names.isdisjoint(bare_scope(each.name) for each in others)
    in_range = unique and leaves is not None and ids_in_range(model, leaves)
    return [layer.name for layer in layers] if in_range else []


def check_finite(name: str, tensor: Tensor) -> None:
    """Check that a tensor holds no NaN and no infinity.

    Raises:
        InputError: It does; the message has the number of rows and the first of them.
    """
    # A sum of finite numbers may overflow, but one with NaN or infinity is never finite.
    if not tensor.dtype.is_floating or np.isfinite(float(tf.reduce_sum(tensor))):
        return
    inner = list(range(1, tensor.shape.rank))
    rows = np.flatnonzero(~tf.reduce_all(tf.math.is_finite(tensor), inner).numpy())
    if not len(rows):
        return
    kinds = [("NaN", tf.math.is_nan), ("infinity", tf.math.is_inf)]
    contents = " and ".join(kind for kind, test in kinds if bool(tf.reduce_any(test(tensor))))
    raise InputError(
        f"{name} holds {contents} in {len(rows)} of {tensor.shape[0]} rows, first at index "
        f"{rows[0]}. Impute the values or drop the rows; check_data=False trains on them."
    )


def _check_inputs(model: KerasModel, x: TrainingData, sample: Nested, of: str) -> None:
    """Check that a model with known inputs takes x, of which ``sample`` is a batch."""
    inputs = _inputs(model)
    if inputs is None or x is None:
        return
    leaves = _matched(model, x, inputs, f"x{of}")
    for (name, leaf), symbol in zip(leaves, inputs.values(), strict=False):
        if leaf is not None:
            _check_dtype(name, leaf, symbol)
    wrong = [
        (name, tuple(leaf.shape), tuple(symbol.shape))
        for (name, leaf), symbol in zip(leaves, inputs.values(), strict=False)
        if leaf is not None and not _fits(leaf.shape, symbol.shape)
    ]
    if wrong and not _accepted(model, sample):
        name, shape, wanted = wrong[0]
        raise InputError(
            f"{name} has shape {shape}, the model takes {wanted}.{_way(shape, wanted)}"
        )


def _input_leaves(model: KerasModel, x: TrainingData, of: str) -> Named | None:
    """Return the arrays of x in the order of the model's inputs, with names; None if unknown."""
    if x is None or not type(model).call.__module__.startswith("keras."):
        return None
    inputs = _inputs(model)
    if inputs is not None:
        return _matched(model, x, inputs, f"x{of}")
    single = isinstance(model, keras.Sequential) and not keras.tree.is_nested(x)
    return [(f"x{of}", x)] if single else None


def _inputs(model: KerasModel) -> dict[str, KerasTensor] | None:
    """Return the symbols of the model's inputs by name, as Keras sorts them; None if unknown."""
    symbols = getattr(model, "inputs", None)
    if not symbols or not type(model).call.__module__.startswith("keras."):
        return None
    if isinstance(model, keras.Sequential):
        return {symbol.name: symbol for symbol in symbols}
    nested = model.input
    if isinstance(nested, dict):
        flat = all(isinstance(symbol, keras.KerasTensor) for symbol in nested.values())
        return {name: nested[name] for name in sorted(nested)} if flat else None
    return {symbol.name: symbol for symbol in symbols}


def _matched(
    model: KerasModel, x: TrainingData, inputs: dict[str, KerasTensor], name: str
) -> Named:
    """Return the arrays of x with their names, in the order of the inputs."""
    if not isinstance(x, dict):
        leaves = _leaves(name, x)
        # Keras leaves out what a Sequential model has no use for.
        if len(leaves) < len(inputs) or (
            len(leaves) > len(inputs) and not isinstance(model, keras.Sequential)
        ):
            raise InputError(
                f"{name} holds {_count(len(leaves), 'array')}, the model takes "
                f"{_count(len(inputs), 'input')}: {_listed(inputs)}."
            )
        return leaves
    missing = [key for key in inputs if key not in x]
    if missing:
        raise InputError(
            f'{name} lacks "{missing[0]}", an input of the model. Received the keys: {_listed(x)}.'
            f"{nearest(missing[0], [key for key in x if key not in inputs])}"
        )
    extra = sorted(key for key in x if key not in inputs)
    # Keras sorts the keys and takes as many as it needs, unless the model's inputs are a list.
    used = sorted(x)[: len(inputs)]
    if extra and isinstance(getattr(model, "input", None), dict) and used != list(inputs):
        raise InputError(
            f'{name} has "{extra[0]}", which is no input of the model, and Keras would take it '
            f"for one. Leave it out: the inputs are {_listed(inputs)}."
        )
    return [(f'{name}["{key}"]', x[key]) for key in inputs]


def _check_dtype(name: str, leaf: Tensor, symbol: KerasTensor) -> None:
    dtype = keras.backend.standardize_dtype(leaf.dtype)
    wanted = symbol.dtype
    if dtype == "string" and wanted != "string":
        raise InputError(
            f"{name} holds strings, the model takes {wanted}. Numbers written as text: "
            f'.astype("{wanted}"); words: a keras.layers.StringLookup.'
        )
    if dtype.startswith("complex") and not wanted.startswith("complex"):
        raise InputError(
            f"{name} is {dtype}, the model takes {wanted} and would lose the imaginary part. Pass "
            "the real and imaginary parts as two features, or np.abs of it."
        )


def _fits(shape: Shape, wanted: Shape) -> bool:
    """Return True if a shape is that of an input, or has one last axis of length 1 more or less."""
    shape, wanted = tuple(shape), tuple(wanted)
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        wanted = wanted[:-1]
    if len(shape) != len(wanted):
        return False
    pairs = zip(shape[1:], wanted[1:], strict=True)
    return all(a == b or a is None or b is None for a, b in pairs)


def _accepted(model: KerasModel, x: TrainingData) -> bool:
    """Return True if Keras can call the model on x: an Embedding, say, takes other lengths."""
    try:
        outputs_on(model, model, x, training=False)
    except Exception:
        return False
    return True


def _way(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    """Return a sentence on how to get from one shape to the other, where that is evident."""
    row, wanted_row = shape[1:], wanted[1:]
    if None in (*row, *wanted_row):
        return ""
    if shape == wanted_row:
        return " A single example needs an axis for the batch: x[None]."
    if len(row) == len(wanted_row) and sorted(row) == sorted(wanted_row):
        return " Bring its axes into that order with np.transpose."
    if math.prod(row) == math.prod(wanted_row):
        return f" Reshape it: .reshape({', '.join(map(str, (-1, *wanted_row)))})."
    return ""


def _leaves(name: str, part: Nested) -> Named:
    """Return the leaves of nested data with their paths, such as ``x["a"]``."""
    if part is None:
        return []
    return [
        (name + "".join(f'["{key}"]' if isinstance(key, str) else f"[{key}]" for key in path), leaf)
        for path, leaf in keras.tree.flatten_with_path(part)
        if leaf is not None or name[0] == "x"
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
