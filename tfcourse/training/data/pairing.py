"""Test on a few examples whether a user's metric or loss compares y with the outputs row by row.

With y of shape (n,) and outputs of shape (n, 1), ``y - outputs`` has shape (n, n): every target is
compared with every output. The shape alone proves nothing, since a pairwise ranking loss has it on
purpose, and ``y - outputs[:, 0]`` is right. So y's rows are permuted while the outputs stay. The
rows of y are broadcast against the outputs if

- the value for y of shape (n,) is the same for every order of the rows, although
- the value for y of shape (n, 1) depends on their order, and
- the two values differ.

The test doesn't decide where y has fewer than four finite rows or only one distinct value, or where
a value is not finite, is random, or can't be computed on a few examples outside of a graph.

Not found are

- values for which the pairs don't matter: ``sum(y - outputs)`` is n times too large for y of shape
  (n,), but is the same for every order of the rows in both shapes;
- values of which only a part is broadcast, such as a sum with a loss of Keras's;
- y of shape (n, 1) against ``outputs[:, 0]``, also in a loss function, for which Keras makes y of
  shape (n,) one of shape (n, 1): ``y - transpose(outputs)``, with which a distance of two
  distributions compares all pairs on purpose, gives the same values in every case.

For the same reason a metric that compares all pairs on purpose as ``y[None, :] - outputs`` is taken
for one that broadcasts.
"""

import copy
import inspect
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import NamedTuple, TypeAlias, TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from tfcourse.internals.layers import automatic_names, set_automatic_names
from tfcourse.internals.tensorflow import seed_generator_state, set_seed_generator_state
from tfcourse.types import Array, Loss, Metric, Nested, Tensor

__all__ = ["Broadcast", "Call", "call_on_copy", "find_broadcast"]

T = TypeVar("T")

# A metric or loss: (y, outputs) -> a tensor, or several in a dictionary.
Call: TypeAlias = Callable[[Tensor, Tensor], Nested]

# The number of examples, and that of the rows from which they are chosen.
TRIAL_ROWS, CANDIDATE_ROWS = 8, 1000
MIN_ROWS = 4
# The number of other orders of the rows.
PERMUTATIONS = 4
# Relative differences of values: at most that of rounding, and at least that of other pairs.
EQUAL, DIFFERENT = 1e-5, 1e-3
# The types of values that a deep copy shares no state of.
PLAIN = (
    *(str, int, float, complex, type(None), np.generic, np.ndarray),
    *(tf.Tensor, tf.DType, keras.DTypePolicy, FunctionType),
)


class Broadcast(NamedTuple):
    """The values of a metric or loss that broadcasts y of shape (n,) against the outputs."""

    rows: int
    # For y of shape (n,) and of shape (n, 1).
    flat: float
    column: float


def find_broadcast(call: Call, target: Tensor) -> Broadcast | None:
    """Return the values of a metric or loss that broadcasts; None if it doesn't, or undecidable.

    Args:
        call: The metric or loss.
        target: All targets.
    """
    if len(target.shape) != 1 or (rows := _trial_rows(target)) is None:
        return None
    generator = np.random.default_rng(0)
    low, high = float(rows.min()), float(rows.max())
    outputs = low + (high - low) * generator.permutation(np.linspace(0.1, 0.9, len(rows)))
    column = outputs.astype(keras.config.floatx())[:, None]
    orders = [np.arange(len(rows))]
    orders += [generator.permutation(len(rows)) for _ in range(PERMUTATIONS)]
    try:
        with _isolation():
            return _compare(call, rows, column, orders)
    except Exception:  # it may need a whole batch, or a graph
        return None


def call_on_copy(part: Metric | Loss) -> Call:
    """Return a function that computes a metric or loss on a few examples.

    It computes every value on a new copy, because a call changes a metric and may change a loss. It
    raises TypeError if one with the same arguments and no common state can't be made, and where
    variables belong to a strategy.
    """

    def call(y: Tensor, outputs: Tensor) -> Nested:
        if tf.distribute.has_strategy():
            raise TypeError("The variables of a copy would belong to the strategy.")
        if isinstance(part, keras.losses.Loss):
            return _copy(part)(y, outputs)
        metric = _copy_metric(part)
        metric.update_state(y, outputs)
        return metric.result()

    return call


def _trial_rows(target: Tensor) -> Array | None:
    """Return a few of y's first rows, first the distinct ones; None if they are too few."""
    rows = np.asarray(target[:CANDIDATE_ROWS])
    if rows.dtype.kind not in "biuf":
        return None
    rows = rows[np.isfinite(rows)]
    firsts = np.sort(np.unique(rows, return_index=True)[1])
    if len(rows) < MIN_ROWS or len(firsts) < 2:
        return None
    others = np.setdiff1d(np.arange(len(rows)), firsts)
    trial_rows: Array = rows[np.concatenate([firsts, others])[:TRIAL_ROWS]]
    return trial_rows


def _compare(call: Call, rows: Array, outputs: Array, orders: Sequence[Array]) -> Broadcast | None:
    """Return the values if the test of this module shows that y is broadcast."""

    def values(y: Array, orders: Sequence[Array]) -> Array:
        tensors = [map(keras.ops.convert_to_tensor, (y[order], outputs)) for order in orders]
        return np.stack([_numbers(call(*pair)) for pair in tensors])

    shapes = rows, rows[:, None]
    flat, column = (values(y, orders[:2]) for y in shapes)
    alike = np.allclose(flat, column, rtol=DIFFERENT, atol=0, equal_nan=True)
    if alike or not _is_constant(flat, column).any():
        return None
    # The first order once more shows whether the values are random.
    others = [*orders[2:], orders[0]]
    flat, column = (
        np.concatenate([first, values(y, others)])
        for first, y in zip((flat, column), shapes, strict=True)
    )
    scale = np.abs([*flat, *column]).max(0)  # NaN compares as False
    differs = np.abs(flat - column) > DIFFERENT * scale
    broadcasts = (
        _is_constant(flat, column)
        & (np.abs(column[-1] - column[0]) <= EQUAL * scale)
        & (np.ptp(column, 0) > DIFFERENT * scale)
        & differs.any(0)
        & np.isfinite(scale)
    )
    if not broadcasts.any():
        return None
    number = int(broadcasts.argmax())
    order = int(differs[:, number].argmax())
    return Broadcast(len(rows), float(flat[order, number]), float(column[order, number]))


def _is_constant(flat: Array, column: Array) -> Array:
    """Return True for each value for y of shape (n,) that doesn't depend on the rows' order."""
    constant: Array = np.ptp(flat, 0) <= EQUAL * np.abs([*flat, *column]).max(0)
    return constant


def _numbers(result: Nested) -> Array:
    """Return the mean of every tensor of a result."""
    leaves = map(keras.ops.convert_to_numpy, keras.tree.flatten(result))
    return np.array([np.mean(leaf, dtype="float64") for leaf in leaves])


def _copy_metric(metric: Metric) -> Metric:
    """Return a metric made from a config, which must have every argument of ``__init__``."""
    config = metric.get_config()
    parameters = inspect.signature(type(metric)).parameters.values()
    names = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    if not names <= config.keys():
        raise TypeError("get_config lacks an argument.")
    if len(names) == len(parameters) and type(metric).from_config.__module__.startswith("keras."):
        # The config of the base class has arguments that the subclass sets itself.
        config = {name: config[name] for name in names}
    copied = type(metric).from_config(_copy(config))
    if copied is metric or type(copied) is not type(metric):
        raise TypeError("from_config returns no copy.")
    return copied


def _copy(value: T) -> T:
    """Return a copy of a loss, or of nested values, that shares no state with it.

    Python's own copies of Keras's objects are made by saving and loading them, which needs
    registered classes.

    Raises:
        TypeError: It has a value of another type than `PLAIN`, such as a model or a variable.
    """

    def copy_leaf(leaf: object) -> object:
        if isinstance(leaf, keras.losses.Loss):
            copied = object.__new__(type(leaf))
            vars(copied).update(_copy(vars(leaf)))
            return copied
        if not isinstance(leaf, PLAIN):
            raise TypeError(f"{type(leaf).__name__} may have state.")
        return copy.deepcopy(leaf)

    return cast(T, keras.tree.map_structure(copy_leaf, value))


@contextmanager
def _isolation() -> Iterator[None]:
    """Ignore warnings, and restore Keras's automatic names and the global random generators."""
    names, keras_state = automatic_names(), seed_generator_state()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        set_automatic_names(names)
        set_seed_generator_state(keras_state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
