"""The first values of a model's variables from its seed, without building the model again."""

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, seed_generators
from tfcourse.training.reuse.random_values import RandomValues, RandomWeight
from tfcourse.training.reuse.variables import own_variables, rate_variables
from tfcourse.types import KerasModel, Optimizer, Tensor, TensorLike, Variable

__all__ = ["PureBuild", "Recipe", "all_equal", "find_recipe", "recipe_of"]


@dataclass(frozen=True)
class PureBuild:
    """A function that builds a model from nothing but its arguments and a seed.

    Attributes:
        origin: The function, its arguments and whatever else the model depends on.
        seed: What the function seeds Python's global generator with, from which Keras's layers
            draw their seeds where they have none of their own.
        make: Builds and compiles the model.
        optimizer_values: The values of the variables of the optimizer's `TrainingSchedule`, if it
            has one, and of the optimizer, from an optimizer of the same origin and the first
            values of both.
        rate: The rate of all `Dropout` layers, which is no part of the origin; None without them.
    """

    origin: Hashable
    seed: int
    make: Callable[[], KerasModel]
    optimizer_values: Callable[[Optimizer, Sequence[Tensor]], Sequence[TensorLike]]
    rate: float | None = None

    def __call__(self) -> KerasModel:
        """Return the model."""
        return self.make()


@dataclass(frozen=True)
class Recipe:
    """The way in which a model's variables come from the seed that is set before its build.

    Attributes:
        constants: The first values of the variables; those of random ones don't count.
        weights: The random ones among the weights, by the number of the variable.
        generators: The indices of the seeds of seed generators among those that are drawn,
            likewise.
        rates: The numbers of the variables of `Dropout` layers' rates.
        optimizer: The first values of the optimizer's variables, those of its schedule before
            them; none where they are not needed.
        origin: That of a pure build; None of any other.
        is_verified: True if it gave the values of a model that was built from another seed.
    """

    constants: Sequence[Tensor]
    weights: RandomValues
    generators: Mapping[int, int]
    rates: Sequence[int] = ()
    optimizer: Sequence[Tensor] = ()
    origin: Hashable = None
    is_verified: bool = False

    def values(self, seed: int) -> list[Tensor]:
        """Return the first values of all variables, in their order."""
        count = max(self.weights.seeds, 1 + max(self.generators.values(), default=-1))
        seeds = _default_seeds(seed, count)
        values = list(self.constants)
        for number, value in self.weights(seeds).items():
            values[number] = value
        for number, index in self.generators.items():
            values[number] = tf.constant([seeds[index], 0], self.constants[number].dtype)
        return values

    def matches(self, model: KerasModel, seed: int) -> bool:
        """Return whether a newly built model has these values, bit for bit."""
        return all_equal(own_variables(model), self.values(seed))

    def values_of(self, build: PureBuild, optimizer: Optimizer) -> list[TensorLike]:
        """Return the first values of a build's model and of its optimizer.

        Args:
            build: A build of the same origin.
            optimizer: The optimizer of another model of that origin, which may have trained.
        """
        values = self.values(build.seed)
        if build.rate is not None:
            for number in self.rates:
                values[number] = tf.constant(build.rate, self.constants[number].dtype)
        return [*values, *build.optimizer_values(optimizer, self.optimizer)]

    def verified_by(self, model: KerasModel, seed: int) -> "Recipe | None":
        """Return the recipe as verified; None if it is wrong about a model of another seed."""
        return replace(self, is_verified=True) if self.matches(model, seed) else None


def all_equal(variables: Sequence[Variable], values: Sequence[TensorLike]) -> bool:
    """Return whether variables have just these values, bit for bit."""
    pairs = zip(variables, values, strict=True)
    return all(
        np.array_equal(variable.numpy(), np.asarray(value, variable.numpy().dtype))
        for variable, value in pairs
    )


def recipe_of(model: KerasModel, build: PureBuild, optimizer: Sequence[Variable]) -> Recipe | None:
    """Return the recipe of a pure build's model, just built; None if there is none.

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


def find_recipe(model: KerasModel, seed: int) -> Recipe | None:
    """Return what gives the variables of a model that was just built; None if nothing does.

    That it fits this model may be chance: compare it with another one.

    Args:
        model: The model.
        seed: The seed that was set before it was built.
    """
    numbers = {id(variable): number for number, variable in enumerate(model.variables)}
    layers = flatten_layers(model)
    # A layer of Keras's has no more than a handful of initializers.
    indices = {s: i for i, s in enumerate(_default_seeds(seed, 8 * len(layers)))}
    weights, generators = dict[int, RandomWeight](), {}
    for layer in layers:
        for name, part in vars(layer).items():
            index = indices.get(getattr(part, "seed", -1))
            if isinstance(part, keras.initializers.Initializer) and index is not None:
                variable = getattr(layer, name.removesuffix("_initializer"), None)
                if variable is not None and id(variable) in numbers:
                    kind = tuple(variable.shape), variable.dtype
                    weights[numbers[id(variable)]] = part, *kind, index
        for generator in seed_generators(layer):
            index = indices.get(int(generator.state.numpy()[0]))
            if index is not None:
                generators[numbers[id(generator.state)]] = index
    constants = [tf.constant(variable.numpy()) for variable in own_variables(model)]
    first = len(model.variables)
    rates = range(first, first + len(rate_variables(model)))
    recipe = Recipe(constants, RandomValues(weights), generators, rates)
    return recipe if recipe.matches(model, seed) else None


def _default_seeds(seed: int, count: int) -> list[int]:
    """Return the first seeds that Keras draws after ``keras.utils.set_random_seed(seed)``."""
    generator = random.Random(int(seed))
    return [generator.randint(1, int(1e9)) for _ in range(count)]
