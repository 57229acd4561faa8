"""A training by a builder's own ``fit``, called as keras-tuner calls it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.callbacks import BestWeights
from tfcourse.search.trials.history_names import check_names
from tfcourse.search.trials.plain_datasets import plain_datasets
from tfcourse.types import Callback, KerasModel

__all__ = ["fit_by_builder"]


def fit_by_builder(
    config: SearchConfig,
    model: KerasModel,
    arguments: dict[str, Any],
    callbacks: Sequence[Callback],
) -> dict[str, list[float]]:
    """Return the history of ``fit(hp, model, x, y, ...)``; the model has its best weights.

    A ``fit`` with a loop of its own need not call the end of the callbacks.

    Args:
        config: The search, whose builder has a fit.
        model: The model that the builder has just built.
        arguments: Those of `tfcourse.fit` that are about the data, and ``epochs``.
        callbacks: The callbacks, which ``fit`` is passed.

    Raises:
        InputError: ``fit`` returns something else, or nothing of an objective or a limit.
    """
    from tfcourse.search.engine.hypermodel_fit import history_of_result

    fit = config.builder.fit
    assert fit is not None
    seed = arguments.pop("seed")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    arguments, order = plain_datasets(arguments, seed)
    callbacks = [*order, *callbacks]
    sides = [
        keras.tree.map_structure(_array, arguments.pop(n)) for n in ("x", "y") if n in arguments
    ]
    weight = arguments.pop("sample_weight", None)
    keywords = keras.tree.map_structure(_array, arguments)
    if weight is not None:
        keywords["sample_weight"] = _array(weight)
    result = fit(model, *sides, **keywords, verbose=0, callbacks=list(callbacks))
    for callback in callbacks:
        if isinstance(callback, BestWeights):
            callback.restore(model)
    history = history_of_result(
        result, config.search.objective, config.direction, config.builder.name
    )
    check_names(config, history, f'the fit of "{config.builder.name}"')
    return history


def _array(value: object) -> object:
    """Return a tensor as an array, as which keras-tuner would pass the data on."""
    return np.asarray(value) if keras.ops.is_tensor(value) else value
