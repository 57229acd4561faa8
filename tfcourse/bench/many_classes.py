"""The cross-entropy of 50 000 classes in blocks, beside Dense and the stock loss."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.types import Layer, Nested, Tensor, TensorFunction

__all__ = ["bench", "extra_peak_memory"]

EXAMPLES, FEATURES, CLASSES = 1024, 256, 50_000
OURS, STOCK = "SoftmaxHead.cross_entropy", "Dense(softmax) and the stock loss"
TOLERANCE = 1e-5


def bench(repeats: int = 7, classes: int = CLASSES) -> list[Comparison]:
    """Measure cost and gradients for 1024 examples of 256 features: time, and extra peak memory.

    Args:
        repeats: The number of rounds.
        classes: The number of classes.

    Raises:
        RuntimeError: The two costs don't agree.
    """
    runs = {name: program(name, classes) for name in (OURS, STOCK)}
    ours, stock = (run() for run in runs.values())
    if abs(ours - stock) > TOLERANCE * abs(stock):
        raise RuntimeError(f"The costs don't agree: {ours} and {stock}.")
    title = f"cost and gradients, m={EXAMPLES}, {FEATURES} features, {classes} classes"
    contenders = [Contender(name, run) for name, run in runs.items()]
    comparison = compare(title, contenders, repeats=repeats)
    if sys.platform != "linux":
        return [replace(comparison, note="extra peak memory is measured on Linux alone")]
    memory = {name: extra_peak_memory(name, classes) for name in runs}
    note = ", ".join(f"{name} {used:.0f} MB" for name, used in memory.items())
    note = f"extra peak memory: {note}, ratio {memory[OURS] / memory[STOCK]:.2f}"
    return [replace(comparison, note=note)]


def program(name: str, classes: int) -> Callable[[], float]:
    """Return a contender's step: cost and gradients of features, weights and bias, cost read."""
    features = tf.random.stateless_normal([EXAMPLES, FEATURES], [0, 1])
    labels = tf.random.stateless_uniform([EXAMPLES], [0, 2], 0, classes, tf.int32)
    initializer = keras.initializers.GlorotUniform(seed=3)
    loss = keras.losses.SparseCategoricalCrossentropy()
    layer: Layer
    if name == OURS:
        layer = SoftmaxHead(classes, kernel_initializer=initializer)
    else:
        layer = keras.layers.Dense(classes, "softmax", kernel_initializer=initializer)
    layer.build((None, FEATURES))

    def step(inputs: Tensor) -> Nested:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            if name == OURS:
                cost = layer.cross_entropy(inputs, labels)
            else:
                cost = loss(labels, layer(inputs))
        return cost, tape.gradient(cost, [inputs, *layer.trainable_weights])

    compiled_step: TensorFunction = tf.function(step)
    return lambda: float(compiled_step(features)[0])


def extra_peak_memory(name: str, classes: int) -> float:
    """Return the MB by which two steps raise the peak memory of a process of their own."""
    code = f"from tfcourse.bench.many_classes import measure; measure({name!r}, {classes})"
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"The memory of {name} could not be measured: {process.stderr}")
    return float(process.stdout)


def measure(name: str, classes: int) -> None:
    """Print the number that `extra_peak_memory` reads."""
    run = program(name, classes)
    before = _memory("VmRSS")
    run()
    run()
    print(_memory("VmHWM") - before)


def _memory(field: str) -> float:
    """Return the process's memory now (VmRSS) or at its peak (VmHWM) in MB, on Linux."""
    # Not getrusage: a new process starts with the peak of the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024
