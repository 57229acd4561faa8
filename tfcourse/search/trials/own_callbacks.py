"""The callbacks of one's own in a trial's training, new ones for each."""

import copy
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfcourse.errors import InputError, error_text, one_of, shown
from tfcourse.optimizers.schedule import schedule_of
from tfcourse.search.config.callbacks import callback_entries
from tfcourse.search.config.parts import is_own, load_part
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.trainings import Training
from tfcourse.training.reuse.shareable import full_name, is_from_library
from tfcourse.types import Callback, Hyperparameters, KerasModel

__all__ = ["TrialPlace", "check_callbacks", "make_callbacks", "reason_for_new_model", "trial_place"]

# The attributes of Keras's callbacks that are paths of files or folders that they write.
PATHS = {"CSVLogger": "filename", "ModelCheckpoint": "filepath", "TensorBoard": "log_dir"}


@dataclass(frozen=True)
class TrialPlace:
    """A training for which callbacks are made.

    Attributes:
        trial: The trial's number.
        values: Its hyperparameters by name.
        folder: The training's own folder for files of callbacks.
    """

    trial: int
    values: Hyperparameters
    folder: Path


def trial_place(
    config: SearchConfig, files: Path, number: int, values: Hyperparameters, training: Training
) -> TrialPlace:
    """Return the place of a training, whose folder is within ``files``."""
    folder = files / f"{number:04d}"
    if config.training.folds * config.training.repeats > 1:
        folder /= f"{training.fold}-{training.seed}"
    return TrialPlace(number, values, folder.absolute())


def make_callbacks(config: SearchConfig, place: TrialPlace) -> list[Callback]:
    """Return new callbacks for a training.

    A function or class is called with the arguments of its table, and with ``trial``, ``values``
    and ``folder`` of the `TrialPlace` where it has parameters of these names. An object is copied.

    Raises:
        InputError: One can't be made, is no callback, or writes a file that trials would share.
    """
    return [_make(config, place, *entry) for entry in callback_entries(config.training)]


def reason_for_new_model(config: SearchConfig, callbacks: Iterable[Callback]) -> str | None:
    """Return why a training with these callbacks needs a model of its own; None if it does not.

    Keras's callbacks change no more than a model's variables. What one's own do is not known: they
    may freeze a layer, or give the model another one. Nor is it of a builder's own fit, of which
    the preflight says so: the reason is then empty.
    """
    if config.builder.fit is not None:
        return ""
    for callback in callbacks:
        kind = type(callback)
        if isinstance(callback, keras.callbacks.LambdaCallback):
            return "a LambdaCallback runs code of your own"
        if not is_from_library(kind):
            return f"the callback {full_name(kind)} is your own"
    return None


def check_callbacks(config: SearchConfig, model: KerasModel, place: TrialPlace) -> None:
    """Make the callbacks of a training, and refuse those that set the rate of a schedule.

    Raises:
        InputError: As from `make_callbacks`, or the optimizer's learning rate is a schedule.
    """
    setters = keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler
    for callback in make_callbacks(config, place):
        if isinstance(callback, setters) and schedule_of(model.optimizer) is not None:
            raise InputError(
                f"callbacks: {type(callback).__name__} sets the learning rate, which "
                "has a schedule: leave out schedule, warmup and decay_rate, or the callback."
            )


def _make(
    config: SearchConfig, place: TrialPlace, entry: str, arguments: Mapping[str, Any]
) -> Callback:
    if is_own(entry):
        source = load_part(entry, "callbacks", config.objects)
    else:
        source = getattr(keras.callbacks, entry)
    where = f'callbacks: "{entry}"'
    of_call = {**_of_place(source, place), **arguments}
    _check_arguments(source, entry, of_call)
    try:
        if isinstance(source, keras.callbacks.Callback):
            callback = copy.deepcopy(source)
        else:
            callback = source(**of_call)
    except Exception as error:
        raise InputError(f"{where} can't be made ({error_text(error)}).") from error
    if not isinstance(callback, keras.callbacks.Callback):
        raise InputError(
            f"{where} must make a keras.callbacks.Callback. Received: {shown(callback)}."
        )
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise InputError(f"{where}: a search resumes its trials itself. Leave it out.")
    _set_path(callback, where, place)
    return callback


def _check_arguments(source: Any, entry: str, arguments: Iterable[str]) -> None:
    """Raise InputError for an argument that a callback lacks, or one that it needs.

    ``**kwargs`` take any name; Keras's callbacks ignore theirs.
    """
    if isinstance(source, keras.callbacks.Callback):
        if arguments := [*arguments]:
            raise InputError(
                f'callbacks: "{entry}" is an object, which takes no arguments. Received: '
                f"{shown(arguments)}."
            )
        return
    parameters = _parameters(source)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters) and not is_from_library(source)
    names = [each.name for each in named]
    for name in arguments if parameters and not takes_any else ():
        if name not in names:
            raise InputError(one_of(f'callbacks: the argument of "{entry}"', name, names))
    for each in named:
        if each.default is each.empty and each.name not in arguments:
            raise InputError(
                f'callbacks: "{entry}" needs the argument "{each.name}". Give it in a table: '
                f'callbacks = {{ "{entry}" = {{ {each.name} = … }} }}.'
            )


def _parameters(source: Any) -> list[inspect.Parameter]:
    """Return the parameters of a function or class; none of one in C that has no signature."""
    try:
        return [*inspect.signature(source).parameters.values()]
    except (TypeError, ValueError):
        return []


def _of_place(source: Any, place: TrialPlace) -> dict[str, Any]:
    """Return the parts of a place that a function or class has parameters for."""
    names = [each.name for each in _parameters(source)]
    if "folder" in names:
        place.folder.mkdir(parents=True, exist_ok=True)
    return {name: value for name, value in vars(place).items() if name in names}


def _set_path(callback: Callback, where: str, place: TrialPlace) -> None:
    """Put a relative path of Keras's callback into the training's folder."""
    names = [PATHS[kind.__name__] for kind in type(callback).__mro__ if kind.__name__ in PATHS]
    if not names:
        return
    received = str(getattr(callback, names[0]))
    text = received.replace("{trial}", f"{place.trial:04d}")
    path = place.folder / text  # an absolute one stays
    if text == received and not path.is_relative_to(place.folder):
        raise InputError(
            f"{where} writes {text}, which all trials would share. Give a relative path, "
            'which is in the trial\'s own folder, or one with "{trial}".'
        )
    place.folder.mkdir(parents=True, exist_ok=True)
    setattr(callback, names[0], str(path))
