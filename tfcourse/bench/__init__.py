"""Side-by-side timings, ratios in one run; and the soak. The README quotes their figures."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tfcourse.errors import InputError, one_of

if TYPE_CHECKING:
    from tfcourse.bench.frame import Comparison
    from tfcourse.bench.table import Result

__all__ = ["BENCHES", "DESCRIPTIONS", "check_name", "load_bench", "options_of"]

# The location of each bench, "module:function". Only `load_bench` imports the modules, so that
# listing the benches does not import TensorFlow.
BENCHES: dict[str, str] = {
    "fit": "tfcourse.bench.fit:bench",
    "fold": "tfcourse.bench.fold:bench",
    "layers": "tfcourse.bench.layers:bench",
    "many-classes": "tfcourse.bench.many_classes:bench",
    "optimizers": "tfcourse.bench.optimizers:bench",
    "oracle": "tfcourse.bench.oracle:bench",
    "population": "tfcourse.bench.population:bench",
    "score-per-second": "tfcourse.bench.score_per_second:bench",
    "search": "tfcourse.bench.search:bench",
    "soak": "tfcourse.bench.soak.soak:bench",
    "startup": "tfcourse.bench.startup:bench",
    "strategies": "tfcourse.bench.strategies.compare:bench",
    "toy": "tfcourse.bench.toy:bench",
}

DESCRIPTIONS: dict[str, str] = {
    "fit": "fit beside model.fit, PyTorch and JAX: six models, warm and new (ten minutes)",
    "fold": "inference with batch norm folded away, beside the model as trained",
    "layers": "BatchNorm beside Keras's, over 12 shapes, with and without XLA",
    "many-classes": "the cross-entropy of 50 000 classes in blocks, time and memory",
    "optimizers": "a step over 1, 10 and 100 weights beside Keras's, eager, compiled and with XLA",
    "oracle": "an oracle's time for a trial after 10 to 10 000 of them, beside keras-tuner's",
    "population": "an epoch of one of 1, 8, 32 and 128 members beside that of a model alone",
    "score-per-second": "validation loss by seconds, beside Optuna with model.fit (ten minutes)",
    "search": "whole searches beside keras-tuner's random search (about twelve minutes)",
    "soak": "no leak in 1000 trials, no difference after 250 kill -9 (15 minutes)",
    "startup": "the start of the commands, beside that of Python and of TensorFlow",
    "strategies": "regret of the strategies beside Optuna's samplers (an hour for 40 seeds)",
    "toy": "1000 steps of gradient descent on w² - 10w + 25, beside six other ways to write it",
}

# The options of `tfcourse bench` that a bench takes, where they are others than the rounds.
_OPTIONS: dict[str, tuple[str, ...]] = {"soak": ("trials", "kills", "seed", "part")}


def options_of(name: str) -> tuple[str, ...]:
    """Return the options of `tfcourse bench` that the bench of that name takes."""
    return _OPTIONS.get(name, ("repeats",))


def check_name(name: str) -> None:
    """Raise InputError if no bench has that name."""
    if name not in BENCHES:
        raise InputError(one_of("bench", name, BENCHES))


def load_bench(name: str) -> Callable[..., "Sequence[Comparison] | Iterator[Result]"]:
    """Return the bench of that name: a function of its options that returns what to print.

    Raises:
        InputError: No bench has that name.
    """
    check_name(name)
    module, function = BENCHES[name].split(":")
    bench: Callable[..., Sequence[Comparison] | Iterator[Result]] = getattr(
        importlib.import_module(module), function
    )
    return bench
