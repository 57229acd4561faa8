"""Compiled models kept by their structure, and lent to trainings with fresh state."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.training.programs.state import build_state
from tfcourse.training.reuse.kept import (
    Kept,
    give_state,
    traces_of,
    unlike,
    with_state,
)
from tfcourse.training.reuse.recipe import PureBuild, held_by_all, recipe_of
from tfcourse.training.reuse.seeding import drawn_from, let_go_of_programs, set_seed
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.values import NotComparableError
from tfcourse.training.reuse.variables import given_variables, own_variables

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
        self._kept: OrderedDict[Any, Kept] = OrderedDict()
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

    def _restated(self, build: Callable[[], Any]) -> Any:
        """The key of a model that could be given its fresh state without a build; else None."""
        if not isinstance(build, PureBuild):
            return None
        for key, kept in self._kept.items():
            if kept.recipe and kept.recipe.proven and kept.recipe.origin == build.origin:
                set_seed(build.seed)
                give_state(kept, kept.recipe.values_of(build, kept.model.optimizer))
                return key
        return None

    def _key(self, fresh: Any, sample: Any) -> Any:
        """What models must have in common to stand for each other; None if nothing can."""
        if not self.size:
            return None
        shapes = [(tuple(t.shape), t.dtype.name) for t in tf.nest.flatten(sample)]
        if all(layer.built for layer in flatten_layers(fresh)):
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
        new = None if key is None else with_state(fresh, sample)
        if new is None:
            self.counts.refused += 1
            let_go_of_programs()
            result = train(fresh)
            self.counts.traces += len(traces_of(fresh))
            return result
        if isinstance(build, PureBuild):
            own = len(own_variables(fresh))
            new.recipe = recipe_of(fresh, build, new.given[own:])
        self._make_room(new.bytes)
        self._kept[key] = new
        result = self._train_kept(key, new, train)
        if key in self._kept:
            self.counts.new += 1
        else:
            self.counts.refused += 1
        return result

    def _train_kept(self, key: Any, kept: Kept, train: Callable[[Any], Result]) -> Result:
        """Trains a kept model; it stays one only if it could be trained again."""
        before = drawn_from()
        try:
            result = train(kept.model)
            unchanged = before == drawn_from()
            reason = None if unchanged else "it draws from Python's or NumPy's global generator"
            traces = len(traces_of(kept.model))
            if traces != kept.traces or kept.model.run_eagerly:
                reason = reason or unlike(kept, key[0])
        except BaseException:
            self._let_go(key)
            raise
        self.counts.traces += traces - kept.traces
        kept.traces = traces
        if reason is not None:
            self._let_go(key)
            self._refused.add(hash(key))
            self._say(reason)
        return result

    def _make_room(self, wanted: int) -> None:
        kept = self._kept
        while kept and (
            len(kept) >= self.size or wanted + sum(k.bytes for k in kept.values()) > MOST_BYTES
        ):
            self._let_go(next(iter(kept)))

    def _let_go(self, key: Any) -> None:
        del self._kept[key]
        let_go_of_programs()

    def _say(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons.add(reason)
            LOG.warning("The model is built and compiled anew for every training: %s.", reason)


def _take_state(kept: Kept, fresh: Any, build: Callable[[], Any]) -> None:
    """Gives a kept model a fresh one's state, by which its recipe is proven or falls."""
    recipe, given = kept.recipe, given_variables(fresh)
    if isinstance(build, PureBuild) and recipe and recipe.origin == build.origin:
        right = held_by_all(given, recipe.values_of(build, kept.model.optimizer))
        kept.recipe = replace(recipe, proven=True) if right else None
    give_state(kept, given)
