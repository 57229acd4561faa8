"""A trial as a Python program that trains it again, with the same seed."""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfcourse.data.sources import is_function
from tfcourse.data.tables.table_options import TABLES
from tfcourse.hyperparameters import COURSE_OPTIMIZERS, OPTIMIZERS
from tfcourse.search.best.script_comments import script_comments
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.hyperparameters import (
    LEVELS,
    builder_arguments,
    hyperparameters_of,
    optimizer_arguments,
)
from tfcourse.search.config.metrics import METRICS
from tfcourse.search.config.outputs import Output
from tfcourse.search.config.parts import is_own
from tfcourse.search.config.schedules import is_scheduled, is_smoothed
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.score_at import BEST, averaged_epochs
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.data_record import is_stream_record, read_data_record
from tfcourse.search.trials.trainings import trainings, with_origin
from tfcourse.types import Hyperparameters

__all__ = ["loading_script", "training_script"]

_IMPORTS = {
    "Auto": "tfcourse.training.programs.jit",
    "SmoothedCrossentropy": "tfcourse.losses",
    "Training": "tfcourse.search.trials.trainings",
    "TrialRunner": "tfcourse.search.trials.trial",
    "class_weights": "tfcourse.search.data.weights",
    "create_optimizer": "tfcourse.search.trials.schedules",
    "fold_split": "tfcourse.search.data.folds",
    "create_loss": "tfcourse.search.trials.compilation",
    "keras_metrics": "tfcourse.search.trials.compilation",
    "load_config": "tfcourse.search.config.load",
    "load_split": "tfcourse.search.data.loading",
    "convnet": "tfcourse.models",
    "linear": "tfcourse.models",
    "mlp": "tfcourse.models",
    "normalize": "tfcourse.search.trials.normalized",
    "schedule_callbacks": "tfcourse.search.trials.schedules",
    "Arrays": "tfcourse.training.data.arrays",
    "trial_callbacks": "tfcourse.search.trials.callbacks",
    "trials_per_program": "tfcourse.search.trials.sharing",
    "use_threads": "tfcourse.search.trials.threads",
}


def loading_script(path: Path) -> str:
    """Return a program that loads a model, and first imports the modules of its own classes."""
    own = "".join(f"import {module}  # its classes\n" for module in _modules_of(path))
    between = "\n" if own else ""
    return f"import keras\n{between}{own}\nmodel = keras.models.load_model({str(path)!r})\n"


def _modules_of(path: Path) -> list[str]:
    """Return the modules of the layers in a saved model that are not Keras's."""
    with zipfile.ZipFile(path) as file:
        config = json.loads(file.read("config.json"))
    names = {name for name in _module_names(config) if re.fullmatch(r"[A-Za-z_][\w.]*", name)}
    libraries = {"builtins", "keras", "numpy", "tensorflow"}
    return sorted(name for name in names if name.split(".")[0] not in libraries)


def _module_names(config: object) -> Iterator[str]:
    """Yield the modules that a model's config names, without those of its compilation."""
    if isinstance(config, list):
        for entry in config:
            yield from _module_names(entry)
    elif isinstance(config, dict):
        if isinstance(module := config.get("module"), str):
            yield module
        for key, value in config.items():
            if key != "compile_config":
                yield from _module_names(value)


def training_script(config: SearchConfig, directory: Path, record: TrialRecord) -> str:
    """Return a program that trains a trial again and prints its score beside the one on record.

    It reads the data as the config on record says. The model of tfcourse's own builders, its
    optimizer and the training are written out; of others `TrialRunner` builds and trains them, as
    which arguments are the builder's is known only to its code.

    Args:
        config: The search.
        directory: Its run directory.
        record: The trial.
    """
    values, origin = with_origin(config.search.strategy, record.trial, record.values)
    plan, pruned = config.training, record.status == "pruned"
    every = trainings(origin, config.search.seed, plan.folds, plan.repeats)
    pairs = [(training.fold, training.seed) for training in every]
    pairs = pairs[: max(len(record.scores), 1)] if pruned else pairs
    streamed = is_stream_record(read_data_record(directory))
    by_runner = streamed or plan.callbacks or plan.dtype_policy
    written_out = is_builtin(config.builder) and not by_runner
    begin = _begin_written_out() if written_out else ["runner = TrialRunner(config, sets)"]
    train = f'model, history = runner.train({record.trial}, values, Training(fold, seed, ""))'
    step = _written_out(config, values) if written_out else [train]
    # Its last epoch, if that was not the end of a training.
    epochs = f"[:{len(record.history['loss'])}]" if pruned and not record.scores else ""
    objective = config.search.objective
    body = [
        f"config = load_config(Path({str((directory / 'config.toml').absolute())!r}))",
        "use_threads(config.search.threads)",
        *([f"values = {values!r}"] if any("values" in line for line in step) else []),
        "sets = load_split(config)",
        *begin,
        "scores = []",
        f"for fold, seed in {pairs!r}:",
        *(f"    {line}" for line in step),
        f"    scores.append({_score_of(f'history[{objective!r}]{epochs}', config)})",
        f'print({objective!r}, sum(scores) / len(scores), "on record:", {record.score!r})',
    ]
    text = "\n".join(body)
    return "\n".join([*script_comments(config, values, record), *_import_lines(text), "", text, ""])


def _score_of(curve: str, config: SearchConfig) -> str:
    """Return the expression of the score of a curve, see `tfcourse.search.records.score_at`."""
    score_at = config.search.score_at
    if score_at == BEST:
        return f"{config.direction}({curve})"
    count = averaged_epochs(score_at, sys.maxsize)
    return f"{curve}[-1]" if count == 1 else f"statistics.fmean({curve}[-{count}:])"


def _import_lines(text: str) -> list[str]:
    names = [name for name in _IMPORTS if f"{name}(" in text or f"{name}." in text]
    by_module: dict[str, list[str]] = {}
    for name in sorted(names):
        by_module.setdefault(_IMPORTS[name], []).append(name)
    lines = [f"from {module} import {', '.join(by_module[module])}" for module in sorted(by_module)]
    packages = [f"import {name}" for name in ("keras", "tfcourse") if f"{name}." in text]
    standard = ["import statistics"] if "statistics." in text else []
    return [*standard, "from pathlib import Path", "", *packages, *lines]


def _begin_written_out() -> list[str]:
    return ["trials = trials_per_program(config)  # as XLA pays for many trials of one program"]


def _written_out(config: SearchConfig, values: Hyperparameters) -> list[str]:
    """Return the lines that build, compile and train a model of tfcourse's own builders."""
    training = config.training
    every = hyperparameters_of(config.model, training, values)
    arguments = _keywords(builder_arguments(config.builder, every)) + _levels(config)
    (output,) = config.outputs  # such a builder makes models of one output
    loss = "create_loss(config)" if is_own(output.loss or "") else f"{output.loss!r}"
    split = "fold_split(sets, config, fold)" if training.folds > 1 else "sets"
    set_lines = [f"split = {split}"]
    if config.data.is_prepared:
        set_lines = [f"split, scaling = normalize({split}, {config.data.normalize!r})"]
    callbacks = "trial_callbacks(config)"
    jit_compile = "Auto(trials)" if training.jit_compile == "auto" else repr(training.jit_compile)
    by_class = training.class_weight is not None
    # A function may return weights.
    weighted = not by_class and (
        config.data.sample_weight is not None or is_function(config.data.source)
    )
    if is_scheduled(config) or is_smoothed(config):
        set_lines.append("train = Arrays.of(split.train.x, split.train.y)")
        callbacks = f"[*{callbacks}, *schedule_callbacks(config, values, train)]"
    return [
        *set_lines,
        "keras.utils.set_random_seed(seed)",
        f"model = {config.builder.function.__name__}(split.shape, split.classes{arguments})",
        "model.compile(",
        f"    {_optimizer(config, every)},",
        f"    loss={f'SmoothedCrossentropy({loss})' if is_smoothed(config) else loss},",
        *_metric_lines(output),
        ")",
        "history = tfcourse.fit(",
        "    model,",
        "    split.train.x,",
        "    split.train.y,",
        f"    batch_size={int(values.get('batch_size', training.batch_size))},",
        f"    epochs={int(values.get('epochs', training.epochs))},",
        "    verbose=0,",
        f"    callbacks={callbacks},",
        f"    validation_data=(split.dev.x, split.dev.y{', split.dev.weight' * weighted}),",
        "    validation_batch_size=min(len(split.dev.y), 1024),",
        *["    sample_weight=split.train.weight,"] * weighted,
        *["    class_weight=class_weights(config, split),"] * by_class,
        "    seed=seed,",
        f"    jit_compile={jit_compile},",
        '    on_nan="ignore",',
        ").history",
    ]


def _metric_lines(output: Output) -> list[str]:
    """Return the lines with the metrics of a call of ``compile``."""
    lines = []
    by_key = {"metrics": output.metrics, "weighted_metrics": output.weighted_metrics}
    for key, entries in by_key.items():
        own = any(name not in METRICS or name == "f1_score" for name in entries)
        weighted = ", weighted=True" if key == "weighted_metrics" else ""
        value = f"keras_metrics(config.training{weighted})" if own else repr(list(entries))
        if entries or key == "metrics":
            lines.append(f"    {key}={value},")
    return lines


def _optimizer(config: SearchConfig, hyperparameters: dict[str, Any]) -> str:
    name, arguments = optimizer_arguments(hyperparameters)
    if is_scheduled(config):
        return f"create_optimizer({name!r}, True, {arguments!r})"
    package = "tfcourse" if name in COURSE_OPTIMIZERS else "keras.optimizers"
    keywords = _keywords(arguments).removeprefix(", ")
    return f"{package}.{OPTIMIZERS[name].class_name}({keywords})"


def _levels(config: SearchConfig) -> str:
    """Return the argument for the indices of a table; nothing if the builder has none."""
    has_indices = config.data.source in TABLES and LEVELS in config.builder.arguments
    return f", {LEVELS}=split.columns.index_sizes" * has_indices


def _keywords(arguments: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in arguments.items())
