"""The values that a model's variables begin with, for any seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError
from tfcourse.training.reuse.recipe import Recipe, find_recipe

__all__ = ["FreshValues", "generators_kept"]

Array = npt.NDArray[Any]
# The seeds on which it is found out how variables come from a seed; it takes as long as the
# models of so many members.
PROBES = (0, 1)


class FreshValues:
    """What a model's variables hold right after ``keras.utils.set_random_seed(seed)`` and a build.

    To build a Keras model takes tens of milliseconds, longer than many an epoch of a member. So
    it is found out, on two models built with known seeds, how each variable comes from the seed:
    by which initializer, from which of the seeds that are drawn during a build. Where that does
    not give all variables of both models to the last bit, every member's model is built.

    Args:
        build: Makes a model, with all its variables; it is called with the seed set.
        shapes: The shapes of the variables that it must make.
    """

    def __init__(self, build: Callable[[], Any], shapes: Sequence[tuple[int, ...]]) -> None:
        self.build, self.shapes = build, list(shapes)
        self._recipe: Recipe | None = None
        self._looked = False

    def of(self, seeds: Sequence[int]) -> list[list[Array]]:
        """The values of all variables, in the order of ``model.variables``, for each seed."""
        with generators_kept():
            if not self._looked and len(seeds) > len(PROBES):
                self._looked, self._recipe = True, self._find_recipe()
            if self._recipe is None:
                return [[v.numpy() for v in self._built(seed).variables] for seed in seeds]
            count = len(self.shapes)
            made = (self._recipe.values(seed)[:count] for seed in seeds)
            return [[np.asarray(value) for value in values] for values in made]

    def _built(self, seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        model = self.build()
        shapes = [tuple(variable.shape) for variable in model.variables]
        if shapes != self.shapes:
            raise InputError(
                "build must give the same architecture every time. Received: variables of the "
                f"shapes {shapes} with seed {seed}, and {self.shapes} before."
            )
        return model

    def _find_recipe(self) -> Recipe | None:
        """How every variable comes from the seed; None if that can't be told."""
        one, other = PROBES
        recipe = find_recipe(self._built(one), one)
        return None if recipe is None else recipe.verified_by(self._built(other), other)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leaves Python's and NumPy's global generators as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
