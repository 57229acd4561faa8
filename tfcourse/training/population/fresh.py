"""The initial values of a model's variables, for any seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from tfcourse.errors import InputError
from tfcourse.training.reuse.recipe import Recipe, find_recipe
from tfcourse.types import Array, KerasModel

__all__ = ["FreshValues", "preserved_generators"]

# The seeds of the two models by which it is found out how variables come from a seed. For fewer
# members it does not pay.
PROBES = (0, 1)


class FreshValues:
    """The values of variables after ``keras.utils.set_random_seed(seed)`` and a build of a model.

    To build a Keras model takes tens of milliseconds, longer than many an epoch of a member. So
    two models are built, from which it is found out how each variable comes from the seed: by
    which initializer, and from which of the seeds that are drawn during a build. If that does not
    reproduce all variables of both models to the last bit, every member's model is built.

    Args:
        build: Builds a model with all its variables; it is called with the seed set.
        shapes: The shapes that the variables must have.
    """

    def __init__(self, build: Callable[[], KerasModel], shapes: Sequence[tuple[int, ...]]) -> None:
        self.build, self.shapes = build, list(shapes)
        self._recipe: Recipe | None = None
        self._probed = False

    def of(self, seeds: Sequence[int]) -> list[list[Array]]:
        """Return the values of all variables, in ``model.variables``'s order, for each seed."""
        with preserved_generators():
            if not self._probed and len(seeds) > len(PROBES):
                self._probed, self._recipe = True, self._find_recipe()
            if self._recipe is None:
                return [[v.numpy() for v in self._built(seed).variables] for seed in seeds]
            count = len(self.shapes)
            values = (self._recipe.values(seed)[:count] for seed in seeds)
            return [[np.asarray(value) for value in each] for each in values]

    def _built(self, seed: int) -> KerasModel:
        keras.utils.set_random_seed(seed)
        model = self.build()
        shapes = [tuple(variable.shape) for variable in model.variables]
        if shapes != self.shapes:
            raise InputError(
                "build must return the same architecture every time. Received: variables of the "
                f"shapes {shapes} with seed {seed}, and {self.shapes} before."
            )
        return model

    def _find_recipe(self) -> Recipe | None:
        """Return the recipe of every variable from the seed; None if there is none."""
        one, other = PROBES
        recipe = find_recipe(self._built(one), one)
        return None if recipe is None else recipe.verified_by(self._built(other), other)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Restore Python's and NumPy's global generators afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
