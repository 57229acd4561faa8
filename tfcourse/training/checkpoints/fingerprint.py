"""The fingerprint of a model and its data, which must be that of a checkpoint."""

import json
import re
from collections.abc import Mapping

import keras

from tfcourse.internals.layers import flatten_layers
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.programs.state import state_variables
from tfcourse.types import KerasModel, Layer, LossLike

__all__ = ["difference", "fingerprint"]

# Keras numbers its layers through a process: "dense_3" is the "dense" of another one.
NUMBER = re.compile(r"_\d+(?=[/_]|$)")


def fingerprint(model: KerasModel, feed: Feed) -> dict[str, str]:
    """Return the architecture, all variables and the data's shapes, as texts by their subjects."""
    texts = {
        "the model's class": type(model).__name__,
        "the optimizer": type(model.optimizer).__name__,
        # TensorFlow wraps a dict of losses, in a class that json does not know.
        "the loss": json.dumps(keras.tree.map_structure(_name, model.loss), default=dict),
    }
    for number, layer in enumerate(flatten_layers(model, include_self=False), 1):
        texts[f"layer {number}"] = type(layer).__name__
        for name, value in _config(layer).items():
            texts[f"{name} of layer {number} ({NUMBER.sub('', layer.name)})"] = value
    for number, variable in enumerate(state_variables(model), 1):
        path = NUMBER.sub("", variable.path)
        shape = tuple(variable.shape)
        texts[f"variable {number}"] = f"{path} of shape {shape} and dtype {variable.dtype}"
    parts = keras.utils.unpack_x_y_sample_weight(feed.sample)
    for name, part in zip(("x", "y", "sample_weight"), parts, strict=True):
        for path, leaf in keras.tree.flatten_with_path(part):
            if leaf is not None:
                dtype = keras.backend.standardize_dtype(leaf.dtype)
                inner = "".join(f"[{key!r}]" for key in path)
                texts[f"an example's {name}{inner}"] = f"{dtype} of shape {tuple(leaf.shape[1:])}"
    if isinstance(feed, ArrayFeed):
        texts |= {
            "the number of examples": str(feed.arrays.count),
            "shuffle": str(feed.shuffle),
            "initial_epoch": str(feed.first_epoch),
        }
    return texts | {"batch_size": str(feed.batch_size), "the steps of an epoch": str(feed.steps)}


def difference(then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the first difference of two fingerprints as part of a sentence, if there is one."""
    for key in [*then, *now]:
        if key not in now:
            return f"{key} was {then[key]}, and now there is none"
        if key not in then:
            return f"{key} is {now[key]}, and there was none"
        if then[key] != now[key]:
            return f"{key} was {then[key]}, and now is {now[key]}"
    return None


def _name(loss: LossLike | None) -> str | None:
    if loss is None or isinstance(loss, str):
        return loss
    return getattr(loss, "__name__", type(loss).__name__)


def _config(layer: Layer) -> dict[str, str]:
    """Return the layer's settings, such as units and activation, if they are plain values."""
    if flatten_layers(layer, False, False) or isinstance(layer, keras.layers.Lambda):
        return {}
    try:
        config = layer.get_config()
    except Exception:  # a layer of the user's need not have one
        return {}
    texts = {}
    for name, value in config.items():
        # The initial values do not matter any more.
        if value is None or name in ("name", "seed") or name.endswith("initializer"):
            continue
        try:
            text = json.dumps(value, sort_keys=True)
        except (TypeError, ValueError):
            continue
        if " at 0x" not in text:
            texts[name] = text
    return texts
