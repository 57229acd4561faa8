"""The check that a model has the outputs for which the data has targets."""

from collections.abc import Mapping

from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.types import KerasModel

__all__ = ["check_outputs"]


def check_outputs(
    config: SearchConfig, model: KerasModel, classes: int | Mapping[str, int]
) -> None:
    """Check the shapes, and with several outputs the names, of the outputs of a built model.

    Args:
        config: The search.
        model: The model, of which nothing is known if it is not built.
        classes: The number of classes or numbers; a dict by output.

    Raises:
        InputError: It has not one output for each class or number, or lacks a name.
    """
    name, targets = config.builder.name, config.targets
    if not isinstance(classes, Mapping):
        each = "number" if targets == "numbers" else "class"
        if model.built and tuple(model.output_shape) != (None, classes):
            raise InputError(
                f'builder "{name}" must give one output a {each}, shape {(None, classes)}. '
                f"Received: {model.output_shape}."
            )
        return
    if not getattr(model, "outputs", None):  # a subclass of keras.Model
        return
    outputs = model.output
    if not isinstance(outputs, Mapping) or {*outputs} != {*classes}:
        example = ", ".join(f'"{output}": …' for output in classes)
        received = "a dict of " + ", ".join(outputs) if isinstance(outputs, Mapping) else "no dict"
        raise InputError(
            f'builder "{name}" must give its outputs in a dict by the names in y: '
            f"keras.Model(inputs, {{{example}}}). Received: {received}."
        )
    for output, count in classes.items():
        shape = tuple(outputs[output].shape)
        if shape != (None, count):
            each = "number" if targets[output] == "numbers" else "class"
            raise InputError(
                f'builder "{name}": the output "{output}" must have one number a {each}, shape '
                f"{(None, count)}. Received: {shape}."
            )
