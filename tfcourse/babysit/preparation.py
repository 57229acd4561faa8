"""The data and the model of a training under supervision, from its config."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcourse.babysit.config import BabysitConfig
from tfcourse.babysit.runner import Training
from tfcourse.data.splits import Split
from tfcourse.files import replace_atomically
from tfcourse.models.saving import save_model
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.weights import with_class_weights
from tfcourse.search.store.data_record import data_record
from tfcourse.search.trials.building import build_trial
from tfcourse.search.trials.feeding import (
    LARGEST_BATCH,
    evaluation_arguments,
    fit_arguments,
    of_part,
)
from tfcourse.search.trials.normalized import AnyScaling, normalize, with_scaling
from tfcourse.search.trials.schedules import schedule_callbacks
from tfcourse.search.trials.threads import use_threads
from tfcourse.training.evaluate import evaluate

__all__ = ["Work", "prepare", "save_and_test"]


@dataclass(frozen=True)
class Work:
    """A training, and the data to test its model with.

    Attributes:
        training: The training.
        split: The data, scaled.
        scaling: The scaling; None if there is none.
        data_record: The record of the data as it was loaded.
    """

    training: Training
    split: Split
    scaling: AnyScaling | None
    data_record: Mapping[str, Any]


def prepare(config: BabysitConfig) -> Work:
    """Load the data and build the model.

    Raises:
        InputError: The data or the builder does not fit.
    """
    use_threads(config.babysit.threads)
    split = load_split(config.training)
    record = data_record(split)
    split, scaling = normalize(split, config.training.data.normalize)
    train = of_part(with_class_weights(config.training, split))
    size, seed = config.training.training.batch_size, config.babysit.seed
    training = Training(
        build_trial(config.training, split, {}, seed),
        **fit_arguments(train, of_part(split.dev), size, seed, size),
        jit_compile=config.training.training.jit_compile,
        callbacks=schedule_callbacks(config.training, {}, train),
        keep=config.babysit.keep,
    )
    return Work(training, split, scaling, record)


def save_and_test(work: Work, path: Path) -> dict[str, float]:
    """Save the trained model, with its scaling in front, and return its metrics on the test set.

    Without a test set there are none.
    """
    model, test = work.training.model, work.split.test
    whole = with_scaling(model, work.scaling, work.split.shape)
    replace_atomically(path, lambda temporary: save_model(whole, temporary))
    if test is None:
        return {}
    size = work.training.batch_size or LARGEST_BATCH
    logs = evaluate(model, **evaluation_arguments(test, size), verbose=0, return_dict=True)
    return {name: float(value) for name, value in logs.items()}
