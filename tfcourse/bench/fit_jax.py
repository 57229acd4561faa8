"""The trainings of `tfcourse.bench.fit` as JAX programs: an epoch is one ``lax.scan``."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from tfcourse.bench.fit_work import Work, is_mlp
from tfcourse.data.streams.stream import shuffled_rows
from tfcourse.types import Array, Layer

if TYPE_CHECKING:
    from jax import Array as JaxArray

__all__ = ["JaxTraining", "jax_training"]

# Arrays by their names, for each layer.
Arrays: TypeAlias = list[dict[str, "JaxArray"]]
# The weights, the moving averages, Adam's two averages of the gradients, the steps so far.
State: TypeAlias = tuple[Arrays, Arrays, Arrays, Arrays, "JaxArray"]
# The sums over the steps so far of losses and of right predictions.
Sums: TypeAlias = tuple["JaxArray", "JaxArray"]
# Returns the logits of weights, averages and a batch, and the new averages.
LogitsOf: TypeAlias = "Callable[[Arrays, Arrays, JaxArray], tuple[JaxArray, Arrays]]"

WEIGHTS = ("kernel", "bias", "gamma", "beta")
AVERAGES = ("moving_mean", "moving_variance")


def jax_training(work: Work) -> "JaxTraining | None":
    """Return the training of a work; None without JAX, and for other layers than an MLP's."""
    if work.as_dataset or importlib.util.find_spec("jax") is None:
        return None
    layers = work.model().layers
    return JaxTraining(layers, work) if is_mlp(layers) else None


class JaxTraining:
    """A training by Adam, an epoch a call of a compiled program that owns its state.

    It takes the steps that `tfcourse.fit` takes from the same weights with ``seed=0``, in the same
    order of the rows, and computes the same loss and accuracy.

    Args:
        layers: The layers of a built model, with the weights to start from.
        work: The data, the batch size and the number of epochs of a call.

    Attributes:
        state: The weights and all that changes with them.
        epoch: The number of the epochs so far.
        loss: The mean loss of the last epoch.
        accuracy: Its accuracy.
    """

    def __init__(self, layers: Sequence[Layer], work: Work) -> None:
        import jax
        import jax.numpy as jnp

        self.work, self.epoch = work, 0
        self.loss = self.accuracy = float("nan")
        weights, averages = (_arrays(layers, names) for names in (WEIGHTS, AVERAGES))
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state: State = weights, averages, zeros(weights), zeros(weights), jnp.int32(0)
        self.x, self.y = jnp.asarray(work.x), jnp.asarray(work.y)
        program = partial(_epoch, partial(_logits, layers), work.batch_size)
        self._program = jax.jit(program, donate_argnums=0)

    def __call__(self) -> float:
        """Train for the work's epochs; return the mean loss of the last."""
        for _ in range(self.work.epochs):
            order = shuffled_rows(len(self.work.x), 0, self.epoch).astype(np.int32)
            self.state, sums = self._program(self.state, self.x, self.y, order)
            self.loss, self.accuracy = (float(s) / len(order) for s in sums)
            self.epoch += 1
        return self.loss

    def weights(self) -> list[Array]:
        """Return the trained weights, in Keras's order."""
        # JAX sorts a dict's keys.
        return [
            np.asarray(arrays[name])
            for arrays in self.state[0]
            for name in WEIGHTS
            if name in arrays
        ]


def _arrays(layers: Sequence[Layer], names: Sequence[str]) -> Arrays:
    """Return those of the layers' variables that have one of the names."""
    import jax.numpy as jnp

    return [
        {v.name: jnp.array(v.numpy()) for v in layer.variables if v.name in names}
        for layer in layers
    ]


def _logits(
    layers: Sequence[Layer], weights: Arrays, averages: Arrays, x: "JaxArray"
) -> "tuple[JaxArray, Arrays]":
    """Return the logits of a batch, and the moving averages after it."""
    import jax
    import jax.numpy as jnp

    new: Arrays = []
    for layer, own, average in zip(layers, weights, averages, strict=True):
        new.append({})
        if "kernel" in own:
            x = x @ own["kernel"]
            x = x + own["bias"] if "bias" in own else x
        elif "gamma" in own:
            mean, variance = x.mean(0), x.var(0)
            x = (x - mean) * (jax.lax.rsqrt(variance + layer.epsilon) * own["gamma"]) + own["beta"]
            moments = {"moving_mean": mean, "moving_variance": variance}
            new[-1] = {
                name: average[name] * layer.momentum + value * (1 - layer.momentum)
                for name, value in moments.items()
            }
        relu = isinstance(layer, keras.layers.ReLU)
        if relu or getattr(layer, "activation", None) is keras.activations.relu:
            x = jnp.maximum(x, 0)
    return x, new


def _epoch(
    logits_of: LogitsOf,
    batch_size: int,
    state: State,
    x: "JaxArray",
    y: "JaxArray",
    order: "JaxArray",
) -> tuple[State, Sums]:
    """Take a step for every batch; return the state, and the sums of losses and of hits."""
    import jax
    import jax.numpy as jnp

    def cost(
        weights: Arrays, averages: Arrays, x: "JaxArray", y: "JaxArray"
    ) -> tuple["JaxArray", Any]:
        logits, averages = logits_of(weights, averages, x)
        losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return losses.mean(), (averages, losses.sum(), (logits.argmax(1) == y).sum())

    def step(carry: tuple[State, Sums], rows: "JaxArray") -> tuple[tuple[State, Sums], None]:
        (weights, averages, *adam, count), (loss, hits) = carry
        gradient = jax.grad(cost, has_aux=True)
        gradients, (averages, losses, right) = gradient(weights, averages, x[rows], y[rows])
        count += 1
        leaves, tree = jax.tree.flatten(weights)
        columns = (jax.tree.leaves(arrays) for arrays in (gradients, *adam))
        new = [_adam(*arrays, count) for arrays in zip(leaves, *columns, strict=True)]
        weights, *adam = (tree.unflatten(column) for column in zip(*new, strict=True))
        return ((weights, averages, *adam, count), (loss + losses, hits + right)), None

    full = len(order) // batch_size * batch_size
    carry = state, (jnp.float32(0), jnp.int32(0))
    carry, _ = jax.lax.scan(step, carry, order[:full].reshape(-1, batch_size))
    if full < len(order):
        carry, _ = step(carry, order[full:])
    return carry


def _adam(*arrays: "JaxArray") -> tuple["JaxArray", "JaxArray", "JaxArray"]:
    """Return a weight and its two averages after a step of Adam with its usual settings.

    Args:
        *arrays: The weight, its gradient, its averages of gradients and squares, the step from 1.
    """
    import jax.numpy as jnp

    weight, gradient, average, square, count = arrays
    average = average + 0.1 * (gradient - average)
    square = square + 0.001 * (gradient**2 - square)
    t = count.astype(jnp.float32)
    corrections = (-jnp.expm1(t * np.log(beta).astype(np.float32)) for beta in (0.9, 0.999))
    first, second = corrections
    step = 1e-3 * (average / first) / (jnp.sqrt(square / second) + 1e-8)
    return weight - step, average, square
