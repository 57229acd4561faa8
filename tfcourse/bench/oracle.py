"""The time that an oracle spends on a trial, beside keras-tuner's, as the search grows."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.search_tuner import to_hyperparameters
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.space.sampling import sample
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.strategies.proposals import Proposer
from tfcourse.types import Hyperparameters

__all__ = ["OURS", "STOCK", "bench"]

OURS = {"random": "tfcourse, random", "coarse_to_fine": "tfcourse, coarse_to_fine"}
STOCK = "keras-tuner, RandomSearchOracle"
SIZES = (10, 100, 1000, 10_000)
# Beyond it filling keras-tuner's directory alone takes minutes.
LARGEST_OF_STOCK = 1000
EPOCHS = 10
SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "beta_1": {"low": 0.9, "high": 0.999, "scale": "one_minus_log"},
    "units": {"values": [32, 64, 96, 128]},
}


def bench(repeats: int = 7, sizes: tuple[int, ...] = SIZES) -> Iterator[Comparison]:
    """Time one trial's way through an oracle: proposed, put on record, ended; nothing is trained.

    Args:
        repeats: The number of rounds; each measures as many trials as take 20 ms.
        sizes: The numbers of trials on record before.
    """
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            contenders = [
                Contender(name, _ours(strategy, size, Path(folder) / strategy))
                for strategy, name in OURS.items()
            ]
            if size <= LARGEST_OF_STOCK:
                contenders.append(Contender(STOCK, _stock(size, Path(folder) / "stock")))
            yield compare(f"a trial after {size}", contenders, repeats=repeats)


def _config(strategy: str) -> SearchConfig:
    search = {"name": strategy, "strategy": strategy, "trials": 1_000_000}
    return parse_config({"search": search, "space": SPACE}, "bench", Path())


def _record(trial: int, values: Hyperparameters) -> TrialRecord:
    score = 1 / (1 + abs(float(values["learning_rate"]) - 0.01))
    history = {name: [score] * EPOCHS for name in ("loss", "val_loss", "val_accuracy")}
    return TrialRecord(trial, "completed", values, score, EPOCHS, 0.1, history=history)


class _Model:
    """Stands for the best model: saving a real one is no cost of the oracle."""

    def save(self, path: Path) -> None:
        import zipfile

        with zipfile.ZipFile(path, "w") as file:
            file.writestr("weights", "")


def _ours(strategy: str, size: int, folder: Path) -> Callable[[], None]:
    config = _config(strategy)
    finished = {trial: _record(trial, sample(config.space, 0, trial)) for trial in range(size)}
    directory = RunDirectory(folder)
    directory.create(config.as_toml(), {})
    journal = SearchJournal(config, directory, finished, lambda record, best: None)
    writer = TrialWriter(config, directory)
    writer.good = [] if journal.best is None else [journal.best]
    limited = replace(config, search=config.search.model_copy(update={"trials": 2 * size + 10_000}))
    study = limited.study
    scheduler = Scheduler(study, finished, journal)
    propose = Proposer(study, finished, journal.recorded)
    oracle = SearchOracle(limited.search.objective, study.direction, study.trials, scheduler)

    def one_trial() -> None:
        trial = oracle.create_trial("main")
        number = int(trial.trial_id)
        writer.add(_record(number, propose(number)), _Model())
        oracle.end_trial(trial)

    return one_trial


def _stock(size: int, folder: Path) -> Callable[[], None]:
    folder.mkdir()
    space = _config("random").space
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=1_000_000,
        hyperparameters=to_hyperparameters(space),
        seed=1,
    )
    oracle.verbose = 0
    # Its constructor names the oracle's directory.
    keras_tuner.engine.base_tuner.BaseTuner(oracle, directory=str(folder), project_name="search")
    for number in range(size):
        values = sample(space, 0, number)
        hyperparameters = oracle.get_space()
        hyperparameters.values = values
        trial = Trial(hyperparameters, f"{number:07d}", TrialStatus.COMPLETED)
        trial.score = _record(number, values).score
        oracle.trials[trial.trial_id] = trial
        oracle.start_order.append(trial.trial_id)
        oracle.end_order.append(trial.trial_id)
    names = itertools.count()

    def one_trial() -> None:
        trial = oracle.create_trial(f"tuner{next(names)}")
        record = _record(0, trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"val_accuracy": record.score}, step=EPOCHS)
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)

    return one_trial
