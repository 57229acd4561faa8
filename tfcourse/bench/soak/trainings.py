"""A training by `fit` that is killed, of which `main` is the program.

It saves checkpoints all the time, also inside epochs. At the end its state is in ``end.npz``, and
its history in ``end.json``.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import keras
import numpy as np

from tfcourse.bench.soak.inputs import CHECKPOINTS, END, points
from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.optimizers.adam import Adam
from tfcourse.training.fit import fit
from tfcourse.training.programs.state import state_variables

__all__ = ["main", "train"]


def train(folder: Path, epochs: int, seed: int) -> None:
    """Train a model in a folder, or continue there, and write the end of it.

    Args:
        folder: The folder.
        epochs: The number of epochs.
        seed: The seed of what begins there.
    """
    checkpoints = folder / CHECKPOINTS
    # Another process begins with other weights and seeds, unless nothing was saved.
    keras.utils.set_random_seed(os.getpid() if [*checkpoints.glob("checkpoint-*")] else seed)
    x, y = points()
    body = [keras.layers.Dense(16, use_bias=False), BatchNorm(), keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *body, keras.layers.Dropout(0.3), SoftmaxHead(3)])
    model.compile(Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.8, patience=5)
    history = fit(
        model,
        x,
        y,
        batch_size=8,
        epochs=epochs,
        validation_split=0.2,
        verbose=0,
        callbacks=[best, plateau],
        checkpoint_dir=checkpoints,
        save_every=timedelta(microseconds=1),
        jit_compile=False,  # every one of the processes would compile
    )
    values = {str(n): variable.value.numpy() for n, variable in enumerate(state_variables(model))}
    np.savez(folder / f"{END}.npz", **values)
    text = json.dumps([history.history, history.epoch, best.best_epoch])
    (folder / f"{END}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Train as the arguments say."""
    folder, epochs, seed = sys.argv[1:]
    train(Path(folder), int(epochs), int(seed))


if __name__ == "__main__":
    main()
