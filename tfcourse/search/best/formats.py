"""A Keras model in other formats: how each is written, and how its file predicts."""

import importlib
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.models.fold import fold_batch_norm
from tfcourse.models.saving import save_model
from tfcourse.quiet import silent_stderr
from tfcourse.types import Array, KerasModel

__all__ = ["CODECS", "Codec"]


@dataclass(frozen=True)
class Codec:
    """A format.

    Attributes:
        write: Writes a model as a file or folder.
        predict: Returns the predictions of such a file or folder for a batch.
    """

    write: Callable[[KerasModel, Path], None]
    predict: Callable[[Path, Array], Array]


def _write_saved_model(model: KerasModel, path: Path) -> None:
    model.export(path, verbose=False)


def _predict_saved_model(path: Path, x: Array) -> Array:
    loaded = tf.saved_model.load(str(path))  # it owns the variables that serve reads
    return np.asarray(loaded.serve(tf.convert_to_tensor(x)))


def _write_tflite(model: KerasModel, path: Path) -> None:
    # Not from_keras_model, which prints the SavedModel that it writes.
    with tempfile.TemporaryDirectory() as folder, silent_stderr():
        model.export(folder, verbose=False)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def _predict_tflite(path: Path, x: Array) -> Array:
    with warnings.catch_warnings(), silent_stderr():
        # It asks to use the package ai_edge_litert, whose interpreter is the same.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(path))
        (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.resize_tensor_input(entry["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], x)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(output["index"]))


def _write_onnx(model: KerasModel, path: Path) -> None:
    with warnings.catch_warnings(), silent_stderr():
        # Keras asks NumPy for np.object, which tf2onnx uses.
        warnings.filterwarnings("ignore", ".*np.object", FutureWarning)
        model.export(path, format="onnx", verbose=False)


def _predict_onnx(path: Path, x: Array) -> Array:
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return np.asarray(session.run(None, {entry.name: x})[0])


def _write_folded(model: KerasModel, path: Path) -> None:
    save_model(fold_batch_norm(model), path)


def _predict_folded(path: Path, x: Array) -> Array:
    folded = keras.models.load_model(path, compile=False)
    return np.asarray(folded(x, training=False))


CODECS = {
    "saved-model": Codec(_write_saved_model, _predict_saved_model),
    "tflite": Codec(_write_tflite, _predict_tflite),
    "onnx": Codec(_write_onnx, _predict_onnx),
    "fold": Codec(_write_folded, _predict_folded),
}
