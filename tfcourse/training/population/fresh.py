"""The values that a model's variables begin with, for any seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError

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
        self._origins: list[_Origin] | None = None
        self._looked = False

    def of(self, seeds: Sequence[int]) -> list[list[Array]]:
        """The values of all variables, in the order of ``model.variables``, for each seed."""
        with generators_kept():
            if not self._looked and len(seeds) > len(PROBES):
                self._looked, self._origins = True, self._find_origins()
            if self._origins is None:
                return [_values(self._built(seed)) for seed in seeds]
            return [_from_seed(self._origins, seed) for seed in seeds]

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

    def _find_origins(self) -> "list[_Origin] | None":
        """How every variable comes from the seed; None if that can't be told."""
        models = [self._built(seed) for seed in PROBES]
        values = [_values(model) for model in models]
        origins = _origins_of(models[0], PROBES[0], *values)
        if origins is None:
            return None
        explained = all(
            _same(made, expected)
            for seed, built in zip(PROBES, values, strict=True)
            for made, expected in zip(_from_seed(origins, seed), built, strict=True)
        )
        return origins if explained else None


@dataclass(frozen=True)
class _Origin:
    """How one variable comes from the seed of a build.

    Attributes:
        example: Its value in one build.
        draw: The number of the drawn seed that it comes from, from 0; None if it is constant.
        initializer: What makes its value from that seed; None for a seed generator's state.
    """

    example: Array
    draw: int | None = None
    initializer: Any = None

    def value(self, draws: Sequence[int]) -> Array:
        """The value, given the seeds that are drawn in a build."""
        if self.draw is None:
            return self.example
        if self.initializer is None:
            return np.asarray([draws[self.draw], 0], self.example.dtype)
        config = self.initializer.get_config() | {"seed": draws[self.draw]}
        initializer = type(self.initializer).from_config(config)
        made = initializer(self.example.shape, dtype=self.example.dtype.name)
        return np.asarray(keras.ops.convert_to_numpy(made))


def _origins_of(
    model: Any, seed: int, values: Sequence[Array], others: Sequence[Array]
) -> list[_Origin] | None:
    """The origins of a model's variables, if it was built with ``seed``.

    Args:
        model: The model.
        seed: Its seed.
        values: Its variables' values.
        others: Those of a model with another seed.
    """
    layers = model._flatten_layers()
    initializers = {
        id(variable): getattr(layer, f"{variable.name}_initializer", None)
        for layer in layers
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables)
    }
    # Each layer draws fewer than that.
    number_of = {drawn: number for number, drawn in enumerate(_draws(seed, 20 * len(layers)))}
    origins = []
    for variable, value, other in zip(model.variables, values, others, strict=True):
        if _same(value, other):
            origins.append(_Origin(value))
            continue
        initializer = initializers.get(id(variable))
        drawn = getattr(initializer, "seed", None)
        if initializer is None and value.ndim:  # a seed generator's state begins with its seed
            drawn = int(value[0])
        number = number_of.get(drawn) if isinstance(drawn, int) else None
        if number is None:
            return None
        origins.append(_Origin(value, number, initializer))
    return origins


def _from_seed(origins: Sequence[_Origin], seed: int) -> list[Array]:
    last = max((origin.draw for origin in origins if origin.draw is not None), default=-1)
    draws = _draws(seed, last + 1)
    return [origin.value(draws) for origin in origins]


def _draws(seed: int, count: int) -> list[int]:
    """The first seeds that Keras draws for initializers and seed generators after a seed is set."""
    generator = random.Random(int(seed))
    return [generator.randint(1, int(1e9)) for _ in range(count)]


def _values(model: Any) -> list[Array]:
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leaves Python's and NumPy's global generators as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
