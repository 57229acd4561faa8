"""Compiled models kept by their structure, and lent to trainings with fresh state."""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfcourse.training.reuse.programs import impurity, traced_functions
from tfcourse.training.reuse.recipe import PureBuild, Recipe, recipe_of
from tfcourse.training.reuse.seeding import drawn_from, set_seed
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.values import NotComparableError
from tfcourse.training.state import build_state, state_variables

__all__ = ["ModelPool", "PoolCounts"]

LOG = logging.getLogger("tfcourse")
# Beyond that, the variables of kept models make room for those of the next.
MOST_BYTES = 2**30

Result = TypeVar("Result")


@dataclass
class PoolCounts:
    """What a pool has done.

    Attributes:
        reused: Trainings with a kept model.
        new: Trainings with a model of their own, which was then kept.
        refused: Trainings with a model of their own that can't be used again.
        traces: How often a program was traced; with XLA, each is compiled too.
    """

    reused: int = 0
    new: int = 0
    refused: int = 0
    traces: int = 0


@dataclass
class _Kept:
    """A model with its state as variables.

    Attributes:
        model: The model.
        given: The variables that a model has before its first training; a fresh one's values
            go there.
        rest: Those that training adds (the optimizer's slots, metrics), with their first
            values; None for zeros.
        traces: How many traces its programs had when they were last looked at.
        recipe: How its first values come from the seed, if that is known.
    """

    model: Any
    given: list[Any]
    rest: list[tuple[Any, Any]]
    traces: int = 0
    recipe: Recipe | None = None

    @property
    def bytes(self) -> int:
        """The size of the variables."""
        variables = [*self.given, *(variable for variable, _ in self.rest)]
        return sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables)


class ModelPool:
    """Keeps models with their compiled programs, and trains a model of the same structure in them.

    A training's result is bit for bit that of the model that was built for it, without XLA: the
    kept model has the same `structure` and gets all of the new one's state, and its programs
    depend on nothing else. Where that can't be shown, the new model is trained itself, and the
    logger "tfcourse" says why, once a reason.

    Args:
        size: How many models are kept at most, of all structures together; the least recently
            used goes. 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.counts = PoolCounts()
        self._kept: OrderedDict[Any, _Kept] = OrderedDict()
        self._refused: set[int] = set()
        self._reasons: set[str] = set()

    def train(
        self, build: Callable[[], Any], train: Callable[[Any], Result], sample: Any
    ) -> tuple[Any, Result]:
        """Trains a model that ``build`` gives, or a kept one in its state.

        The model that is given back is the pool's: use it before the next training.

        Args:
            build: Gives a new compiled model, the same one at every call.
            train: Trains a model with `tfcourse.fit`, on data of the same shapes every time.
            sample: A batch of the data, as the model's step takes it.

        Returns:
            The trained model, and what ``train`` gave.
        """
        key = self._restated(build)
        if key is None:
            fresh = build()
            key = self._key(fresh, sample)
            if key is None or key not in self._kept:
                return fresh, self._train_new(key, fresh, train, sample, build)
            _take_state(self._kept[key], fresh, build)
            del fresh
        kept = self._kept[key]
        self._kept.move_to_end(key)
        result = self._train_kept(key, kept, train)
        if key in self._kept:
            self.counts.reused += 1
            return kept.model, result
        # A new trace of it, as for a batch size that divides the examples, must not be trusted.
        fresh = build()
        return fresh, self._train_new(None, fresh, train, sample, build)

    def clear(self) -> None:
        """Lets go of all models."""
        self._kept.clear()

    def _restated(self, build: Callable[[], Any]) -> Any:
        """The key of a model that could be given its fresh state without a build; else None."""
        if not isinstance(build, PureBuild):
            return None
        for key, kept in self._kept.items():
            if kept.recipe and kept.recipe.proven and kept.recipe.origin == build.origin:
                set_seed(build.seed)
                optimizer = build.optimizer().variables
                _give_state(kept, [*kept.recipe.values(build.seed), *optimizer])
                return key
        return None

    def _key(self, fresh: Any, sample: Any) -> Any:
        """What models must have in common to stand for each other; None if nothing can."""
        if not self.size:
            return None
        shapes = [(tuple(t.shape), t.dtype.name) for t in tf.nest.flatten(sample)]
        if all(layer.built for layer in fresh._flatten_layers()):
            shapes = [(shape[1:], dtype) for shape, dtype in shapes]
        else:
            try:
                build_state(fresh, sample)
            except Exception:  # what is wrong with the model, the training will say better
                return None
        try:
            key = (structure(fresh), *shapes)
        except NotComparableError as error:
            self._say(str(error))
            return None
        return None if hash(key) in self._refused else key

    def _train_new(
        self,
        key: Any,
        fresh: Any,
        train: Callable[[Any], Result],
        sample: Any,
        build: Callable[[], Any],
    ) -> Result:
        new = None if key is None else _with_state(fresh, sample)
        if new is None:
            self.counts.refused += 1
            result = train(fresh)
            self.counts.traces += _traces(fresh)
            return result
        if isinstance(build, PureBuild):
            new.recipe = recipe_of(fresh, build)
        self._make_room(new.bytes)
        self._kept[key] = new
        result = self._train_kept(key, new, train)
        if key in self._kept:
            self.counts.new += 1
        else:
            self.counts.refused += 1
        return result

    def _train_kept(self, key: Any, kept: _Kept, train: Callable[[Any], Result]) -> Result:
        """Trains a kept model; it stays one only if it could be trained again."""
        before = drawn_from()
        try:
            result = train(kept.model)
            unchanged = before == drawn_from()
            reason = None if unchanged else "it draws from Python's or NumPy's global generator"
            traces = _traces(kept.model)
            if traces != kept.traces or kept.model.run_eagerly:
                reason = reason or _unlike(kept.model, key[0])
        except BaseException:
            del self._kept[key]
            raise
        self.counts.traces += traces - kept.traces
        kept.traces = traces
        if reason is not None:
            del self._kept[key]
            self._refused.add(hash(key))
            self._say(reason)
        return result

    def _make_room(self, wanted: int) -> None:
        kept = self._kept
        while kept and (
            len(kept) >= self.size or wanted + sum(k.bytes for k in kept.values()) > MOST_BYTES
        ):
            kept.popitem(last=False)

    def _say(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons.add(reason)
            LOG.warning("The model is built and compiled anew for every training: %s.", reason)


def _with_state(fresh: Any, sample: Any) -> _Kept | None:
    """A new model with all its variables, before its training; None if it can't be built."""
    given = _given(fresh)
    try:
        build_state(fresh, sample)
    except Exception:  # what is wrong with the model, the training will say better
        return None
    known = {id(variable) for variable in given}
    rest = [variable for variable in state_variables(fresh) if id(variable) not in known]
    return _Kept(fresh, given, [(variable, _first_value(variable)) for variable in rest])


def _given(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _first_value(variable: Any) -> Any:
    value = variable.numpy()
    return value if np.any(value) else None


def _take_state(kept: _Kept, fresh: Any, build: Callable[[], Any]) -> None:
    """Gives a kept model a fresh one's state, by which its recipe is proven or falls."""
    if kept.recipe is not None and isinstance(build, PureBuild):
        kept.recipe = kept.recipe.proven_by(fresh, build.seed)
    _give_state(kept, _given(fresh))


def _give_state(kept: _Kept, values: Sequence[Any]) -> None:
    """Leaves a kept model as if it had just been built with these values."""
    for variable, value in zip(kept.given, values, strict=True):
        first = value.value if isinstance(value, keras.Variable) else value
        variable.value.assign(first, read_value=False)
    for variable, value in kept.rest:
        first = tf.zeros(variable.shape, variable.dtype) if value is None else value
        variable.value.assign(first, read_value=False)


def _traces(model: Any) -> int:
    return sum(1 for _ in traced_functions(_programs(model)))


def _programs(model: Any) -> Any:
    held = getattr(model, "_tfcourse_programs", None)
    return {} if held is None else held.programs


def _unlike(model: Any, expected: Any) -> str | None:
    """Why a trained model can't be used again; None if it can."""
    resources = {id(variable.value.handle) for variable in state_variables(model)}
    for function in traced_functions(_programs(model)):
        reason = impurity(function, resources)
        if reason is not None:
            return reason
    try:
        same = structure(model) == expected
    except NotComparableError as error:
        return str(error)
    return None if same else "its layers change their own attributes when they are called"
