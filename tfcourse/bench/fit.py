"""`fit` beside ``model.fit`` in its three settings, a PyTorch loop and a JAX program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfcourse.bench.fit_jax import jax_training
from tfcourse.bench.fit_torch import torch_training
from tfcourse.bench.fit_work import WORKS, Work, products, works
from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.matrix_product import SIZE, product_rate
from tfcourse.training.fit import fit
from tfcourse.training.reuse.shared_traces import forget_traces
from tfcourse.types import KerasModel

__all__ = ["AGAIN", "AUTO", "DEFAULT", "JAX", "JIT", "NO_JIT", "TORCH", "bench"]

JIT, NO_JIT, AUTO = "fit, jit_compile=True", "fit, jit_compile=False", 'fit, "auto"'
AGAIN = 'fit, "auto", structure known'
DEFAULT = "model.fit"
KERAS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "model.fit, steps_per_execution=32": {"steps_per_execution": 32},
    "model.fit, jit_compile=True": {"jit_compile": True},
}
TORCH, JAX = "PyTorch loop", "JAX, lax.scan"
# The epochs of one trial of a search, for the comparison with build, trace and compile.
TRIAL_EPOCHS = 10


def bench(
    repeats: int = 3, names: Sequence[str] = WORKS, scale: float = 1.0
) -> Iterator[Comparison]:
    """Time trainings of models that are warm (traced and compiled), and of new ones.

    The baseline of a warm comparison is the faster of `fit` with and without XLA; of a new model
    it is ``"auto"``, as which of the two pays then depends on the work. There all but `AGAIN`
    forget the traces of earlier models.

    Args:
        repeats: The number of rounds.
        names: The works.
        scale: The fraction of the examples and epochs; less than 1 for a quick look.

    Raises:
        RuntimeError: The contenders don't agree on the loss.
    """
    by_name = works(scale)
    for name in names:
        yield _warm(by_name[name], repeats)
    for name in names:
        yield _new(by_name[name], repeats, scale)


def _ways(work: Work) -> dict[str, bool | str]:
    ways: dict[str, bool | str] = {JIT: True} if work.with_jit else {}
    return {**ways, NO_JIT: False}


def _warm(work: Work, repeats: int) -> Comparison:
    """Time all contenders, each with a model that has been trained before."""
    ways = {**_ways(work), AUTO: "auto"}
    runs = {name: _ours(work, work.model(), jit) for name, jit in ways.items()}
    for name, compile_arguments in KERAS.items():
        if work.with_jit or "jit_compile" not in compile_arguments:
            runs[name] = _keras(work, work.model(**compile_arguments))
    torch = torch_training(work)
    if torch is not None:
        runs[TORCH] = torch
    jax = jax_training(work)
    if jax is not None:
        runs[JAX] = jax
    losses = {name: run() for name, run in runs.items()}
    _check_agreement(work, {n: loss for n, loss in losses.items() if n != TORCH})
    contenders = [Contender(name, run, number=1) for name, run in runs.items()]
    title = f"{work.name}, {work.epochs} epochs, warm"
    return _with_rates(compare(title, contenders, repeats=repeats, warmup=0), work)


def _with_rates(comparison: Comparison, work: Work) -> Comparison:
    """Return the comparison with a note: the share of the machine's matrix products reached."""
    operations = products(work)
    if operations is None:
        return comparison
    rate = product_rate()
    shares = [
        f"{timing.name} {operations / timing.seconds.low / rate:.0%}"
        for timing in comparison.timings
    ]
    note = (
        f"Share of the machine's rate of matrix products ({rate / 1e9:.0f} GFLOP/s, measured with "
        f"{SIZE}×{SIZE} matrices) in the best round: {', '.join(shares)}."
    )
    return replace(comparison, note=note)


def _new(work: Work, repeats: int, scale: float) -> Comparison:
    """Time a new model per sample: built, traced, compiled and trained, as in a search's trial."""
    epochs = min(TRIAL_EPOCHS, work.epochs) if scale == 1 else 1

    def trial(
        train: Callable[[KerasModel, dict[str, Any]], float],
        compile_arguments: Mapping[str, object],
        **kwargs: object,
    ) -> Callable[[], float]:
        def run() -> float:
            model = work.model(**compile_arguments)
            arguments = {**work.arguments(), "epochs": epochs, "verbose": 0, **kwargs}
            return train(model, arguments)

        return run

    # In this order: AGAIN uses the traces of AUTO's model, as the next model of a notebook does.
    runs = {AUTO: trial(_fit_first, {}, jit_compile="auto")}
    runs[AGAIN] = trial(_fit, {}, jit_compile="auto")
    runs |= {name: trial(_fit_first, {}, jit_compile=jit) for name, jit in _ways(work).items()}
    for name, compile_arguments in KERAS.items():
        if work.with_jit or "jit_compile" not in compile_arguments:
            runs[name] = trial(_model_fit, compile_arguments)
    contenders = [Contender(name, run, number=1) for name, run in runs.items()]
    title = f"{work.name}, {epochs} epochs of a new model"
    return compare(title, contenders, repeats=repeats, warmup=0)


def _fit(model: KerasModel, arguments: dict[str, Any]) -> float:
    return float(fit(model, **arguments).history["loss"][-1])


def _fit_first(model: KerasModel, arguments: dict[str, Any]) -> float:
    forget_traces()
    return _fit(model, arguments)


def _model_fit(model: KerasModel, arguments: dict[str, Any]) -> float:
    return float(model.fit(**arguments).history["loss"][-1])


def _ours(work: Work, model: KerasModel, jit_compile: bool | str) -> Callable[[], float]:
    arguments = {**work.arguments(), "epochs": work.epochs, "verbose": 0}
    return lambda: _fit(model, {**arguments, "jit_compile": jit_compile})


def _keras(work: Work, model: KerasModel) -> Callable[[], float]:
    arguments = {**work.arguments(), "epochs": work.epochs, "verbose": 0}
    return lambda: _model_fit(model, arguments)


def _check_agreement(work: Work, losses: dict[str, float]) -> None:
    """Compare the losses, which differ a little, as the orders of the examples differ.

    Raises:
        RuntimeError: They differ by more than half, or one is not finite.
    """
    values = np.array(list(losses.values()))
    if not np.isfinite(values).all() or values.max() > 1.5 * values.min() + 0.05:
        raise RuntimeError(f"The trainings of {work.name} don't agree: {losses}.")
