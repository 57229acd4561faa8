"""keras-tuner's ``HyperModel.fit`` where the user overrides it, and what it may return."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import keras
import keras_tuner
import numpy as np

from tfcourse.errors import InputError, one_of, shown
from tfcourse.types import KerasModel

__all__ = ["FIT_ARGUMENTS", "explore_fit", "fit_of", "history_of_result"]

# The keywords with which a search calls ``fit(hp, model, x, y, ...)``.
FIT_ARGUMENTS = (
    *("sample_weight", "batch_size", "epochs", "verbose"),
    *("callbacks", "validation_data", "validation_batch_size"),
)
HISTORY = Mapping[str, Sequence[float]]


def fit_of(model: object) -> Callable[..., object] | None:
    """Return the ``fit`` of a ``HyperModel`` that overrides it; None of others."""
    own = getattr(type(model), "fit", None)
    if own in (None, keras_tuner.HyperModel.fit):
        return None
    fit: Callable[..., object] = getattr(model, "fit")  # noqa: B009  # unknown to mypy
    return fit


def explore_fit(fit: Callable[..., object], hp: object, model: KerasModel) -> set[str]:
    """Call a ``fit`` to have it register its hyperparameters, up to where it uses the model.

    Args:
        fit: The method.
        hp: keras-tuner's ``hp`` after the call of ``build``.
        model: The model of that call.

    Returns:
        Those of `FIT_ARGUMENTS` that it does not take, or passes on with a value of its own, as
        ``model.fit(*args, batch_size=hp.Choice("batch_size", [32, 64]), **kwargs)`` does.
    """
    parameters = inspect.signature(fit).parameters
    refused = set[str]()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        refused = {name for name in FIT_ARGUMENTS if name not in parameters}
    shape = model.input_shape if model.built and isinstance(model.input_shape, tuple) else (None,)
    x = np.zeros([size or 1 for size in shape])
    examples = x, np.zeros(len(x))
    for _ in FIT_ARGUMENTS:
        arguments: dict[str, Any] = {"epochs": 1, "verbose": 0, "batch_size": 1, "callbacks": []}
        arguments |= {"validation_data": examples, "validation_batch_size": 1}
        arguments |= {"sample_weight": None}
        given_arguments = {n: value for n, value in arguments.items() if n not in refused}
        try:
            fit(hp, _Untrained(model), *examples, **given_arguments)
        except _ModelUsedError:
            return refused
        except TypeError as error:
            # "... got multiple values for keyword argument 'batch_size'"
            several = re.search(r"multiple values for .*argument '(\w+)'", str(error))
            if several is None or several[1] in refused:
                return refused
            refused.add(several[1])
        except Exception:  # the examples are none that it can use; a trial says what is wrong
            return refused
    return refused


class _ModelUsedError(BaseException):
    """The code of the user's used the model; ``except Exception`` in it must not catch it."""


class _Untrained:
    """An object in the place of a model, which can be looked at and compiled, but not trained.

    Args:
        model: The model.
    """

    def __init__(self, model: KerasModel) -> None:
        self._model = model

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise _ModelUsedError

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self._model, name)
        harmless = name in ("compile", "get_layer", "count_params", "get_config", "summary")
        return value if harmless or not callable(value) else self


def history_of_result(
    result: object, objective: str, direction: str, name: str
) -> dict[str, list[float]]:
    """Return a history from what keras-tuner accepts as the result of a ``fit``.

    That is a ``keras.callbacks.History``, the objective as a number, a dict of metrics, or a list
    of these, of which the means of their best epochs are one epoch.

    Args:
        result: The result.
        objective: The metric that is the score.
        direction: Its better direction.
        name: The builder's name, for the message.

    Raises:
        InputError: It is none of these, or lacks the objective.
    """
    if isinstance(result, list | tuple) and result:
        histories = [history_of_result(each, objective, direction, name) for each in result]
        best = [_best_epoch(history, objective, direction) for history in histories]
        shared = [n for n in best[0] if all(n in metrics for metrics in best)]
        return {n: [float(np.mean([metrics[n] for metrics in best]))] for n in shared}
    if isinstance(result, keras.callbacks.History):
        history = {n: [float(value) for value in values] for n, values in result.history.items()}
    elif isinstance(result, Mapping):
        history = {str(n): [float(value)] for n, value in result.items()}
    else:
        try:
            history = {objective: [float(np.asarray(result).item())]}
        except (TypeError, ValueError) as error:
            raise InputError(
                f'the fit of the builder "{name}" must return what model.fit returns, the '
                f"objective as a number, or a dict with it. Received: {shown(result)}."
            ) from error
    if objective not in history:
        raise InputError(one_of(f'[search] objective with the fit of "{name}"', objective, history))
    # With validation_freq some have fewer values.
    length = len(history[objective])
    return {n: values for n, values in history.items() if len(values) == length}


def _best_epoch(history: HISTORY, objective: str, direction: str) -> dict[str, float]:
    values = history[objective]
    best = int(np.argmax(values) if direction == "max" else np.argmin(values))
    return {name: series[best] for name, series in history.items()}
