"""Compiled models by their structure, each trained again and again from new initial state."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TypeVar

import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.training.programs.building import build_state
from tfcourse.training.reuse.pooled_model import PooledModel, pooled_model, reset_state, traces_of
from tfcourse.training.reuse.recipe import PureBuild, all_equal, recipe_of
from tfcourse.training.reuse.seeding import count_dropped_model, generator_states, set_seed
from tfcourse.training.reuse.shareable import NotShareableError
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.variables import initial_variables, own_variables
from tfcourse.types import KerasModel, Nested

__all__ = ["ModelPool", "PoolCounts"]

LOG = logging.getLogger("tfcourse")
# With more, the least recently used models are dropped before another one is added.
MAX_BYTES = 2**30

Result = TypeVar("Result")
Build = Callable[[], KerasModel]


@dataclass
class PoolCounts:
    """The number of trainings in a pool, by the model that was trained.

    Attributes:
        reused: Trainings of a model that was in the pool.
        new: Trainings of a newly built model that was then added to the pool.
        refused: Trainings of a newly built model that can't be used again.
        traces: How often a program was traced; with XLA, each is compiled too.
    """

    reused: int = 0
    new: int = 0
    refused: int = 0
    traces: int = 0


class ModelPool:
    """Models with their compiled programs, which train all models of the same structure.

    A training's result is bit for bit that of the model that was built for it, without XLA: the
    pool's model has the same `structure` and gets all of the new one's state, and its programs
    depend on nothing else. Where that can't be shown, as for a model with a layer or a function
    of the user's own, the new model itself is trained, and the logger "tfcourse" gives the
    reason, each reason once.

    Args:
        size: The most models in the pool, of all structures together; the least recently used
            one is dropped. 0 for none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.counts = PoolCounts()
        self._models: OrderedDict[Hashable, PooledModel] = OrderedDict()
        self._impure: set[int] = set()
        self._reasons: set[str] = set()

    def train(
        self,
        build: Build,
        train: Callable[[KerasModel], Result],
        sample: Nested,
        alone: str | None = None,
    ) -> tuple[KerasModel, Result]:
        """Train the model that ``build`` returns, or one of the pool in its state.

        The pool may train the returned model again: use it before the next training.

        Args:
            build: Returns a new compiled model, the same one at every call.
            train: Trains a model with `tfcourse.fit`, on data of the same shapes every time.
            sample: A batch of the data, as the model's step takes it.
            alone: The reason why the new model itself must be trained, empty if it is not to be
                said; None if there is none.

        Returns:
            The trained model, and what ``train`` returned.
        """
        if alone is not None:
            if alone:
                self._warn_once(alone)
            model = build()
            return model, self._train_new(None, model, train, sample, build)
        key = self._reset_without_build(build)
        if key is None:
            model = build()
            key = self._key(model, sample)
            if key is None or key not in self._models:
                return model, self._train_new(key, model, train, sample, build)
            _copy_state(self._models[key], model, build)
            del model
        pooled = self._models[key]
        self._models.move_to_end(key)
        result = self._train_pooled(key, pooled, train)
        if key in self._models:
            self.counts.reused += 1
            return pooled.model, result
        # The training needed a new trace, as for a batch size that divides the examples, and that
        # trace can't be trusted.
        model = build()
        return model, self._train_new(None, model, train, sample, build)

    def can_share(self, model: KerasModel) -> bool:
        """Return True if a compiled model has a `structure`, and so can share its programs."""
        if any(pooled.model is model for pooled in self._models.values()):
            return True
        try:
            structure(model)
        except NotShareableError:
            return False
        return True

    def _reset_without_build(self, build: Build) -> Hashable:
        """Reset a model of the pool to the state that ``build`` would give, if that is known.

        Returns:
            The model's key; None if the state is known of no model.
        """
        if not isinstance(build, PureBuild):
            return None
        for key, pooled in self._models.items():
            recipe = pooled.recipe
            if recipe and recipe.is_verified and recipe.origin == build.origin:
                set_seed(build.seed)
                reset_state(pooled, recipe.values_of(build, pooled.model.optimizer))
                return key
        return None

    def _key(self, model: KerasModel, sample: Nested) -> Hashable:
        """Return the key that models with the same program share; None if this one can't share."""
        if not self.size:
            return None
        shapes = [(tuple(t.shape), t.dtype.name) for t in tf.nest.flatten(sample)]
        if all(layer.built for layer in flatten_layers(model)):
            shapes = [(shape[1:], dtype) for shape, dtype in shapes]
        else:
            try:
                build_state(model, sample)
            except Exception:  # the training raises a better error
                return None
        try:
            key = (structure(model), *shapes)
        except NotShareableError as error:
            self._warn_once(str(error))
            return None
        return None if hash(key) in self._impure else key

    def _train_new(
        self,
        key: Hashable,
        model: KerasModel,
        train: Callable[[KerasModel], Result],
        sample: Nested,
        build: Build,
    ) -> Result:
        new = None if key is None else pooled_model(model, sample)
        if new is None:
            self.counts.refused += 1
            count_dropped_model()
            result = train(model)
            self.counts.traces += len(traces_of(model))
            return result
        if isinstance(build, PureBuild):
            of_model = len(own_variables(model))
            new.recipe = recipe_of(model, build, new.initial_state[of_model:])
        self._make_room(new.bytes)
        self._models[key] = new
        result = self._train_pooled(key, new, train)
        if key in self._models:
            self.counts.new += 1
        else:
            self.counts.refused += 1
        return result

    def _train_pooled(
        self, key: Hashable, pooled: PooledModel, train: Callable[[KerasModel], Result]
    ) -> Result:
        """Train a model of the pool; drop it if it can't be trained again."""
        before = generator_states()
        try:
            result = train(pooled.model)
            unchanged = before == generator_states()
            reason = None if unchanged else "it draws from Python's or NumPy's global generator"
            traces = len(traces_of(pooled.model))
            if traces != pooled.traces or pooled.model.run_eagerly:
                reason = reason or pooled.impurity
        except BaseException:
            self._drop(key)
            raise
        self.counts.traces += traces - pooled.traces
        pooled.traces = traces
        if reason is not None:
            self._drop(key)
            self._impure.add(hash(key))
            self._warn_once(reason)
        return result

    def _make_room(self, size: int) -> None:
        """Drop models until there is room for another one of ``size`` bytes."""
        models = self._models
        while models and (
            len(models) >= self.size or size + sum(m.bytes for m in models.values()) > MAX_BYTES
        ):
            self._drop(next(iter(models)))

    def _drop(self, key: Hashable) -> None:
        del self._models[key]
        count_dropped_model()

    def _warn_once(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons.add(reason)
            LOG.warning("The model is built and compiled again for every training: %s.", reason)


def _copy_state(pooled: PooledModel, model: KerasModel, build: Build) -> None:
    """Set a pooled model to a new one's state, with which its recipe is verified or dropped."""
    recipe, initial = pooled.recipe, initial_variables(model)
    if isinstance(build, PureBuild) and recipe and recipe.origin == build.origin:
        is_right = all_equal(initial, recipe.values_of(build, pooled.model.optimizer))
        pooled.recipe = replace(recipe, is_verified=True) if is_right else None
    reset_state(pooled, initial)
