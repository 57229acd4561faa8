"""Side-by-side timings: ratios in one run, the figures that the README quotes."""

import importlib
from collections.abc import Callable
from typing import Any

from tfcourse.errors import InputError, one_of

__all__ = ["BENCHES", "DESCRIPTIONS", "load_bench"]

# Where each bench lies, "module:function". The modules are imported by `load_bench` alone, so
# that listing the benches costs no TensorFlow.
BENCHES: dict[str, str] = {
    "fit": "tfcourse.bench.fit:bench",
    "fold": "tfcourse.bench.fold:bench",
    "layers": "tfcourse.bench.layers:bench",
    "many-classes": "tfcourse.bench.many_classes:bench",
    "optimizers": "tfcourse.bench.optimizers:bench",
    "oracle": "tfcourse.bench.oracle:bench",
    "population": "tfcourse.bench.population:bench",
    "search": "tfcourse.bench.search:bench",
    "startup": "tfcourse.bench.startup:bench",
    "toy": "tfcourse.bench.toy:bench",
}

DESCRIPTIONS: dict[str, str] = {
    "fit": "fit beside model.fit and PyTorch: five models, warm and new (some ten minutes)",
    "fold": "inference with batch norm folded away, beside the model as trained",
    "layers": "BatchNorm beside Keras's, over 12 shapes, with and without XLA",
    "many-classes": "the cross-entropy of 50 000 classes in blocks, time and memory",
    "optimizers": "a step over 1, 10 and 100 weights beside Keras's, eager, compiled and with XLA",
    "oracle": "what an oracle costs a trial after 10 to 10 000 of them, beside keras-tuner's",
    "population": "an epoch of one of 1, 8, 32 and 128 members beside that of a model alone",
    "search": "whole searches beside keras-tuner's random search (some ten minutes)",
    "startup": "how long the commands take to start, beside Python's and TensorFlow's own start",
    "toy": "1000 steps of gradient descent on w² - 10w + 25, beside six other ways to write it",
}


def load_bench(name: str) -> Callable[..., Any]:
    """The bench of that name: a function of ``repeats`` that gives the `Comparison`s.

    Raises:
        InputError: There is no such bench.
    """
    if name not in BENCHES:
        raise InputError(one_of("bench", name, BENCHES))
    module, function = BENCHES[name].split(":")
    return getattr(importlib.import_module(module), function)
