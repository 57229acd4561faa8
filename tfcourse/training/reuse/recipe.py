"""The first values of a model's variables from its seed, without building the model again."""

import copy
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, seed_generators
from tfcourse.training.reuse.variables import own_variables

__all__ = ["PureBuild", "Recipe", "find_recipe", "held_by_all", "recipe_of"]


@dataclass(frozen=True)
class PureBuild:
    """Builds a model by a function that is known to depend on nothing but its arguments and seed.

    Attributes:
        origin: The function, its arguments and whatever else the model depends on.
        seed: What the function seeds Python's global generator with, from which Keras's layers
            take the seeds that they are not given.
        make: Builds and compiles the model.
        optimizer_values: What the variables of the model's optimizer hold, given one of the same
            origin and what its variables held at first.
    """

    origin: Hashable
    seed: int
    make: Callable[[], Any]
    optimizer_values: Callable[[Any, Sequence[Any]], Sequence[Any]]

    def __call__(self) -> Any:
        """The model."""
        return self.make()


@dataclass(frozen=True)
class Recipe:
    """How the variables of a model come from the seed that is set before its build.

    Attributes:
        constants: The first values of the variables; those of random ones don't count.
        initializers: The initializers of random weights, and which of the drawn seeds is
            theirs, by the number of the variable.
        generators: Likewise the states of seed generators.
        optimizer: The first values of the optimizer's variables; none where that is not looked at.
        origin: A pure build's; None of any other.
        proven: Whether it gave what a model held that was built from another seed.
    """

    constants: Sequence[Any]
    initializers: Mapping[int, tuple[Any, int]]
    generators: Mapping[int, int]
    optimizer: Sequence[Any] = ()
    origin: Hashable = None
    proven: bool = False

    def values(self, seed: int) -> list[Any]:
        """The first values of all variables, in their order."""
        uses = [index for _, index in self.initializers.values()]
        seeds = _default_seeds(seed, 1 + max([-1, *uses, *self.generators.values()]))
        found = list(self.constants)
        for number, (initializer, index) in self.initializers.items():
            seeded, constant = copy.copy(initializer), self.constants[number]
            seeded.seed = seeds[index]
            found[number] = seeded(constant.shape, dtype=constant.dtype.name)
        for number, index in self.generators.items():
            found[number] = np.array([seeds[index], 0], self.constants[number].dtype)
        return found

    def gives(self, model: Any, seed: int) -> bool:
        """Whether these are the values of a model that was just built, bit for bit."""
        return held_by_all(own_variables(model), self.values(seed))

    def values_of(self, build: PureBuild, optimizer: Any) -> list[Any]:
        """The first values of a build's model and of its optimizer, which may be another's now."""
        return [*self.values(build.seed), *build.optimizer_values(optimizer, self.optimizer)]

    def proven_by(self, model: Any, seed: int) -> "Recipe | None":
        """The recipe as a proven one, or None if it is wrong about a model of another seed."""
        return replace(self, proven=True) if self.gives(model, seed) else None


def held_by_all(variables: Sequence[Any], values: Sequence[Any]) -> bool:
    """Whether variables hold just these values, bit for bit."""
    pairs = zip(variables, values, strict=True)
    return all(
        np.array_equal(variable.numpy(), np.asarray(value, variable.numpy().dtype))
        for variable, value in pairs
    )


def recipe_of(model: Any, build: PureBuild, optimizer: Sequence[Any]) -> Recipe | None:
    """The recipe that a pure build's model, just built, was made by; None if it shows none.

    Args:
        model: The model.
        build: What has built it.
        optimizer: The variables of its optimizer that were there when it had been built.
    """
    recipe = find_recipe(model, build.seed)
    if recipe is None:
        return None
    values = [tf.constant(variable.numpy()) for variable in optimizer]
    return replace(recipe, optimizer=values, origin=build.origin)


def find_recipe(model: Any, seed: int) -> Recipe | None:
    """What gives the variables of a model that was just built from a seed; None if it shows none.

    What it holds may yet be chance: another model proves it.
    """
    numbers = {id(variable): number for number, variable in enumerate(model.variables)}
    layers = flatten_layers(model)
    # A layer of Keras's has no more than a handful of initializers.
    drawn = {s: i for i, s in enumerate(_default_seeds(seed, 8 * len(layers)))}
    initializers, generators = {}, {}
    for layer in layers:
        for name, part in vars(layer).items():
            index = drawn.get(getattr(part, "seed", -1))
            if isinstance(part, keras.initializers.Initializer) and index is not None:
                variable = getattr(layer, name.removesuffix("_initializer"), None)
                if id(variable) in numbers:
                    initializers[numbers[id(variable)]] = part, index
        for generator in seed_generators(layer):
            index = drawn.get(int(generator.state.numpy()[0]))
            if index is not None:
                generators[numbers[id(generator.state)]] = index
    constants = [variable.numpy() for variable in own_variables(model)]
    recipe = Recipe(constants, initializers, generators)
    return recipe if recipe.gives(model, seed) else None


def _default_seeds(seed: int, count: int) -> list[int]:
    """The first seeds that Keras draws by itself after ``keras.utils.set_random_seed(seed)``."""
    generator = random.Random(int(seed))
    return [generator.randint(1, int(1e9)) for _ in range(count)]
