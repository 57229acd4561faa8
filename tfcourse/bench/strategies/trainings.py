"""Real trainings that the surrogates are fitted to, and the script that made them.

``python -m tfcourse.bench.strategies.trainings`` trains them again, some minutes on two cores.
"""

import csv
import gzip
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, Range
from tfcourse.search.space.sampling import sample

__all__ = ["SPACES", "read_trainings"]

# Five hyperparameters of Adam's training of one architecture.
DIGITS: dict[str, Parameter] = {
    "learning_rate": Range("float", 1e-4, 1.0, scale="log"),
    "beta_1": Range("float", 0.5, 0.999, scale="one_minus_log"),
    "beta_2": Range("float", 0.9, 0.9999, scale="one_minus_log"),
    "epsilon": Range("float", 1e-10, 1.0, scale="log"),
    "dropout": Range("float", 0.0, 0.8),
}
# Several architectures and optimizers, with a hyperparameter that only one of them has.
MIXED: dict[str, Parameter] = {
    "optimizer": Choice(("adam", "momentum", "rmsprop")),
    "activation": Choice(("relu", "tanh")),
    "learning_rate": Range("float", 1e-4, 1.0, scale="log"),
    "momentum": Range("float", 0.5, 0.999, None, "one_minus_log", (("optimizer", "momentum"),)),
    "beta_1": Range("float", 0.5, 0.999, None, "one_minus_log", (("optimizer", "adam"),)),
    "units": Range("int", 16, 128, 16),
    "dropout": Range("float", 0.0, 0.8),
}
SPACES: dict[str, Mapping[str, Parameter]] = {"digits": DIGITS, "mixed": MIXED}
COUNTS = {"digits": 1500, "mixed": 1536}
EPOCHS = {"digits": 15, "mixed": 10}


def read_trainings(name: str) -> list[tuple[dict[str, Any], float]]:
    """Return each training's values and the smallest validation loss of its epochs.

    The loss is infinite where no epoch had a finite one.
    """
    space = SPACES[name]
    packed = files("tfcourse.bench.strategies").joinpath(f"{name}.csv.gz").read_bytes()
    rows = csv.DictReader(io.StringIO(gzip.decompress(packed).decode("utf-8")))
    return [
        (
            {n: _value(space[n], row[n]) for n in space if row[n] != ""},
            float(row["val_loss"]),
        )
        for row in rows
    ]


def _value(parameter: Parameter, text: str) -> Any:
    if isinstance(parameter, Choice):
        return next(value for value in parameter.values if str(value) == text)
    return int(text) if parameter.kind == "int" else float(text)


def main() -> None:
    """Train all of them, and write the files that `read_trainings` reads."""
    for name, space in SPACES.items():
        trials = [sample(space, 2026, number) for number in range(COUNTS[name])]
        losses = _losses(trials, EPOCHS[name], seed=0)
        # The same values with other weights and orders: how far seeds alone lie apart.
        again = _losses(trials[:200], EPOCHS[name], seed=10_000)
        apart = [
            abs(math.log(a) - math.log(b))
            for a, b in zip(losses, again, strict=False)
            if math.isfinite(a) and math.isfinite(b)
        ]
        print(f"{name}: median |log difference| of two seeds {sorted(apart)[len(apart) // 2]:.3f}")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*space, "val_loss"])
        for values, loss in zip(trials, losses, strict=True):
            writer.writerow([*(_text(values.get(n, "")) for n in space), _text(loss)])
        packed = gzip.compress(text.getvalue().encode("utf-8"), mtime=0)
        Path(__file__).with_name(f"{name}.csv.gz").write_bytes(packed)


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _losses(trials: Sequence[Mapping[str, Any]], epochs: int, seed: int) -> list[float]:
    """Return the smallest validation loss of each; one architecture is trained side by side."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, values in enumerate(trials):
        key = tuple(values.get(name) for name in ("optimizer", "units", "activation"))
        groups.setdefault(key, []).append(number)
    losses = dict[int, float]()
    for (optimizer, units, activation), numbers in groups.items():
        members = [trials[number] for number in numbers]
        build = partial(_build, optimizer or "adam", units or 64, activation or "relu")
        scores = _train(build, members, [seed + number for number in numbers], epochs)
        losses |= dict(zip(numbers, scores, strict=True))
    return [losses[number] for number in range(len(trials))]


def _build(optimizer: str, units: int, activation: Any) -> Any:
    from tfcourse.models.build import mlp
    from tfcourse.optimizers import Adam, Momentum, RMSprop

    model = mlp((64,), 10, units=units, activation=activation, dropout=0.1)
    optimizers = {"adam": Adam, "momentum": Momentum, "rmsprop": RMSprop}
    model.compile(optimizers[optimizer](0.01), loss="sparse_categorical_crossentropy")
    return model


def _train(
    build: Any, trials: Sequence[Mapping[str, Any]], seeds: Sequence[int], epochs: int
) -> Iterator[float]:
    from sklearn.datasets import load_digits

    from tfcourse.training.population.fit import fit_population
    from tfcourse.training.population.member import Member

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    members = [
        Member(seed, {name: v for name, v in values.items() if isinstance(v, float)})
        for seed, values in zip(seeds, trials, strict=True)
    ]
    history = fit_population(
        build,
        members,
        x[:1000],
        y[:1000],
        batch_size=64,
        epochs=epochs,
        validation_data=(x[1000:], y[1000:]),
        verbose=0,
        slots=min(64, len(members)),
    )
    for result in history.results:
        finite = [loss for loss in result.history["val_loss"] if math.isfinite(loss)]
        yield min(finite, default=math.inf)


if __name__ == "__main__":
    main()
