"""The first trial's model, built before any training: what can't work fails at once."""

import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import Any

import keras

from tfcourse.data.sparse import has_sparse
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError, error_line, error_text, shown
from tfcourse.models.build import BUILDERS
from tfcourse.models.lint import lint
from tfcourse.models.saving import load_model, save_model, why_not_loadable
from tfcourse.search.config.callbacks import adds_to_logs
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.runtime.own_parts import check_own_training
from tfcourse.search.store.code_record import CodeRecord, code_record
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.trials.building import build_for, build_trial
from tfcourse.search.trials.compilation import create_loss
from tfcourse.search.trials.history_names import check_names
from tfcourse.search.trials.normalized import normalize, scaling_of, with_scaling
from tfcourse.search.trials.vectorized.preflight import preflight_population
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.data.checks import check_embedded_ids
from tfcourse.training.data.ids import embeddings_of
from tfcourse.training.evaluate import evaluate
from tfcourse.types import Hyperparameters, KerasModel

__all__ = ["preflight"]

LOG = logging.getLogger("tfcourse")

# The examples of a stream whose ids are checked.
FIRST = 1024
# The number of trials whose values are tried while the builder fails.
MOST_TRIED = 16


def preflight(config: SearchConfig, split: Split) -> CodeRecord:
    """Build the first model that can be built and, with a builder of the user's, check it.

    Returns:
        The record of the code that it comes from, for `tfcourse.search.store.code_record`.

    Raises:
        InputError: None can be built, or it does not fit the data, the loss or the objective,
            can't be normalized, or saved and loaded again, or is no model for the population
            that the config demands.
    """
    values, model = _first_model(config, split)
    code = code_record(config, values, model)
    own_parts = any(output.has_own for output in config.outputs)
    check_own_training(config, model, split, values)
    if config.builder.fit is not None:
        LOG.warning(
            '%s: the builder "%s" has a fit of its own: it trains the models, outside of '
            "tfcourse.fit's compiled loop.",
            config.origin,
            config.builder.name,
        )
    try:
        if config.builder.name not in BUILDERS or own_parts:
            _check_output(config.builder.name, model, own_parts)
        if config.builder.compiles:
            _check_compilation(config, model, split)
        whole = _normalized(config, model, split)
        _check_ids(config, model, split)
        if config.builder.name not in BUILDERS or own_parts:
            # Also the model inside has an optimizer, which is saved; Keras builds it on loading.
            _build(model, split.shape)
            _check_saving(config, whole, split.shape)
    except InputError as error:
        raise InputError(f"{config.origin}: [model] {error}") from error
    except Exception as error:
        raise InputError(_failed(config, values, split.shape, error)) from error
    if config.search.caviar == "population":
        preflight_population(config, split, values, model)
    return code


def _first_model(config: SearchConfig, split: Split) -> tuple[Hyperparameters, KerasModel]:
    """Build the model of the first trial that has one, and return its values with it.

    A trial that can't be built is recorded as failed, and the search continues: only a builder
    that fails for the values of all trials that are tried is refused.
    """
    failures: list[tuple[Hyperparameters, Exception]] = []
    for trial in range(min(config.trials, MOST_TRIED)):
        values = propose(config.study, trial, {})
        if values is None:  # it depends on trials before it
            break
        try:
            return values, build_trial(config, split, values, 0)
        except Exception as error:
            failures.append((values, error))
    tried, reason = failures[0]
    if isinstance(reason, InputError):
        raise InputError(f"{config.origin}: [model] {reason}") from reason
    more = len(failures) - 1
    others = f" (and for those of the next {more} trials)" if more else ""
    raise InputError(_failed(config, tried, split.shape, reason) + others) from reason


def _failed(config: SearchConfig, values: Hyperparameters, shape: Any, error: Exception) -> str:
    return (
        f'{config.origin}: [model] builder "{config.builder.name}" failed for {dict(values)} on '
        f"examples of shape {shape}: {error_text(error)}"
    )


def _check_output(name: str, model: KerasModel, own_parts: bool) -> None:
    """Refuse a model whose output the loss misreads."""
    wrong = ("output_and_loss", "loss_and_labels", "sigmoid_classes")
    findings = [str(finding) for finding in lint(model) if finding.rule in wrong]
    if findings:
        demand = "and the loss must fit" if own_parts else "must end in probabilities, one a class"
        raise InputError(f'builder "{name}" {demand}: {findings[0]}')


def _check_compilation(config: SearchConfig, model: KerasModel, split: Split) -> None:
    """Refuse a model that came compiled with another loss, or without a metric that is needed."""
    name = config.builder.name
    if config.training.targets is None:
        _check_losses(config, model)
    if not split.is_encoded:
        split, _ = normalize(split, config.data.normalize)
    first = split.train.rows(slice(2))
    measured = evaluate(model, first.x, first.y, verbose=0, return_dict=True)
    if config.builder.fit is None and not adds_to_logs(config.training):
        names = [*(f"val_{metric}" for metric in measured), *measured]
        check_names(config, names, f'the builder "{name}"')


def _check_losses(config: SearchConfig, model: KerasModel) -> None:
    """Refuse a model that came compiled with other losses than the config names."""
    own_losses, losses = (
        loss if isinstance(loss, Mapping) else {"": loss}
        for loss in (model.loss, create_loss(config))
    )
    for output, loss in {**dict.fromkeys(own_losses), **losses}.items():
        own, named = (keras.losses.get(each) for each in (own_losses.get(output), loss))
        own, named = (getattr(each, "fn", each) for each in (own, named))
        if own is not named and (isfunction(own) or type(own) is not type(named)):
            of_output = f' of the output "{output}"' if output else ""
            raise InputError(
                f'builder "{config.builder.name}" compiles its models with the loss '
                f'"{getattr(own, "__name__", own)}"{of_output}. Received: [training] loss = '
                f"{_quoted(config.training.loss)}, which says what the targets are; give both the "
                "same, or say targets."
            )


def _quoted(loss: object) -> str:
    return f'"{loss}"' if isinstance(loss, str) else shown(loss)


def _check_ids(config: SearchConfig, model: KerasModel, split: Split) -> None:
    """Refuse ids beyond the model's ``Embedding`` layers, in the test set too."""
    if not embeddings_of(model):
        return
    split, _ = normalize(split, config.data.normalize)
    for name, part in split.parts.items():
        in_memory = not isinstance(part, Stream) and not has_sparse(part.x)
        examples = part if in_memory else part.rows(slice(FIRST))
        x = Arrays.of(examples.x).data
        check_embedded_ids(model, x, f" of the {name} set")


def _normalized(config: SearchConfig, model: KerasModel, split: Split) -> KerasModel:
    """Return the model as a trial saves it: with the scaling in front, if there is one."""
    how, x = config.data.normalize, split.train.rows(slice(2)).x
    if how == "none" and split.is_encoded:
        return model
    scaling = scaling_of(x, how) if split.is_encoded else normalize(split, how)[1]
    try:
        return with_scaling(model, scaling, split.shape)
    except Exception as error:
        reason = error_line(error)
        raise InputError(
            f'builder "{config.builder.name}": its model can\'t have the normalization in front of '
            f"it ({reason}). Normalize the data yourself, and give "
            '[data] normalize = "none".'
        ) from error


def _check_saving(config: SearchConfig, model: KerasModel, shape: Any) -> None:
    """Refuse a model that can't be loaded again at the end.

    What Keras can't load of the config's loss and metrics is compiled again, see
    `compile_loaded`; what the builder compiles itself is not.
    """
    name, save = config.builder.name, model.save
    if not config.builder.compiles:
        save = partial(save_model, model)
    _build(model, shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            save(path)
            loaded = load_model(path)
        except Exception as error:
            raise InputError(f'builder "{name}": its {why_not_loadable(error)}') from error
    if not loaded.compiled:
        LOG.info(
            "%s: best.keras has no loss and metrics, which Keras can't load; tfcourse adds "
            "them again.",
            config.origin,
        )


def _build(model: KerasModel, shape: Any) -> None:
    build_for(model, shape)
    model.optimizer.build(model.trainable_variables)
