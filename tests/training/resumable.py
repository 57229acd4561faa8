"""A training that ``test_resume.py`` kills and starts again, each time in another process.

``python -m tests.training.resumable`` starts one for every line that it reads, the name of a
folder, and says which one it is, and how it ended. It trains with checkpoints in
``FOLDER/checkpoints``, and at the end writes its whole state to ``FOLDER/end.npz`` and its history
to ``end.json``. The processes are forked after the slow imports, before TensorFlow has started a
thread or run anything.
"""

import json
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import keras
import numpy as np

from tfcourse import Adam, BatchNorm, SoftmaxHead, fit
from tfcourse.training.programs.state import state_variables

layers, callbacks = keras.layers, keras.callbacks
EPOCHS, PATIENCE = 1000, 80


class Follow(callbacks.Callback):
    """Sees every batch, and keeps the whole way."""

    def __init__(self):
        super().__init__()
        self.batches, self.sum, self.way = 0, 0.0, []

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.sum = 0.9 * self.sum + logs["loss"]

    def on_epoch_end(self, epoch, logs=None):
        self.way.append([epoch, self.batches, self.sum])


def train(folder):
    folder.mkdir(exist_ok=True)
    checkpoints = folder / "checkpoints"
    # Another process begins with other weights and seeds, unless nothing was saved.
    keras.utils.set_random_seed(os.getpid() if list(checkpoints.glob("checkpoint-*")) else 1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1203, 10)).astype("float32")
    y = rng.integers(0, 3, size=1203)  # nothing can be learnt: the validation's loss soon rises
    body = [layers.Dense(32), BatchNorm(), layers.ReLU(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((10,)), *body, SoftmaxHead(3)])
    model.compile(
        Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=4
    )
    follow = Follow()
    stop = callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    plateau = callbacks.ReduceLROnPlateau("val_loss", factor=0.8, patience=15, cooldown=2)
    log = callbacks.CSVLogger(folder / "log.csv")
    history = fit(
        model, x, y, batch_size=32, epochs=EPOCHS, validation_split=0.2, verbose=0,
        callbacks=[follow, stop, plateau, log], checkpoint_dir=checkpoints,
        save_every=timedelta(microseconds=1),
        jit_compile=False,  # every one of the processes would compile
    )  # fmt: skip
    values = {f"{number}": v.value.numpy() for number, v in enumerate(state_variables(model))}
    np.savez(folder / "end.npz", **values)
    end = {"history": history.history, "epochs": history.epoch, "way": follow.way}
    end |= {"best": stop.best, "best_epoch": stop.best_epoch, "stopped": stop.stopped_epoch}
    (folder / "end.json").write_text(json.dumps(end))


def main():
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads don't survive a fork"
    for line in sys.stdin:
        process = os.fork()
        if not process:
            try:
                train(Path(line.strip()))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
