"""`BatchNorm` beside Keras's BatchNormalization, over vectors, sequences, images and volumes."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.types import Layer, Nested, Tensor, TensorFunction

__all__ = ["SHAPES", "bench"]

SHAPES: tuple[tuple[int, ...], ...] = (
    (64, 64),
    (256, 128),
    (256, 512),
    (1024, 1024),
    (4096, 512),
    (32, 50, 64),
    (64, 100, 256),
    (64, 28, 28, 32),
    (32, 32, 32, 64),
    (16, 56, 56, 64),
    (64, 8, 8, 128),
    (8, 16, 16, 16, 16),
)
OURS, KERAS = "tfcourse.BatchNorm", "keras BatchNormalization"


def bench(repeats: int = 7, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[Comparison]:
    """Time a training step (forward, backward, moving averages) and inference, each also with XLA.

    Args:
        repeats: The number of rounds.
        shapes: The shapes of the inputs; the features come last.

    Raises:
        RuntimeError: The two layers don't agree.
    """
    return [
        _compare(shape, training, jit_compile, repeats)
        for jit_compile in (False, True)
        for training in (True, False)
        for shape in shapes
    ]


def _compare(shape: tuple[int, ...], training: bool, jit_compile: bool, repeats: int) -> Comparison:
    inputs, upstream = (tf.random.stateless_normal(shape, [0, seed]) for seed in (1, 2))
    layers = {OURS: BatchNorm(momentum=0.9), KERAS: keras.layers.BatchNormalization(momentum=0.9)}
    runs: dict[str, Callable[[], float]] = {}
    for name, layer in layers.items():
        layer.build(shape)
        step = _training_step if training else _inference
        runs[name] = _reader(tf.function(step(layer), jit_compile=jit_compile), inputs, upstream)
    ours, theirs = (run() for run in runs.values())
    if abs(ours - theirs) > 1e-3 * max(1.0, abs(theirs)):
        raise RuntimeError(f"The layers don't agree on {shape}: {ours} and {theirs}.")
    title = f"{'training step' if training else 'inference'}{', XLA' if jit_compile else ''}, "
    contenders = [Contender(name, run) for name, run in runs.items()]
    return compare(title + "×".join(map(str, shape)), contenders, repeats=repeats)


def _training_step(layer: Layer) -> Callable[[Tensor, Tensor], Nested]:
    def step(inputs: Tensor, upstream: Tensor) -> Nested:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        sources = [inputs, *layer.trainable_weights]
        return tape.gradient(outputs, sources, output_gradients=upstream)

    return step


def _inference(layer: Layer) -> Callable[[Tensor, Tensor], Nested]:
    return lambda inputs, upstream: [layer(inputs, training=False)]


def _reader(program: TensorFunction, inputs: Tensor, upstream: Tensor) -> Callable[[], float]:
    """Return a function that runs the program and reads one number, so that it is computed."""

    def run() -> float:
        first, *_ = program(inputs, upstream)
        return float(tf.reshape(first, [-1])[0])

    return run
