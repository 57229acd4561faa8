"""One of two workers of ``MultiWorkerMirroredStrategy``; prints what came of each case as JSON.

Run as ``worker.py INDEX CASES FOLDER PORT PORT``, the cases with commas between them.
"""

import json
import os
import signal
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import two_devices
from two_devices import fails, linear, trained, unmeasured, x, y

from tfcourse import Adam, BatchNorm, Momentum, SoftmaxHead, fit
from tfcourse.training.programs.model_programs import state_copier

layers = keras.layers

index, cases, folder, *ports = int(sys.argv[1]), *sys.argv[2:]
os.environ["TF_CONFIG"] = json.dumps(
    {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    }
)
strategy = tf.distribute.MultiWorkerMirroredStrategy()
two_devices.mirrored = lambda devices: strategy


def tell(case, **found):
    print(json.dumps({"case": case, **found}), flush=True)


def results():
    tell("replicas", number=strategy.num_replicas_in_sync)
    names = ("everything_at_once", "clipped", "dataset", "own_train_step")
    names += ("stops_early_inside_the_scope",)
    for name in names:
        tell(name, **two_devices.CASES[name]())


def errors():
    def tried(name, data=(x, y), make=linear, **kwargs):
        options = {"batch_size": 16, "seed": 3, **kwargs}
        tell(name, **fails(lambda: trained(make, data, strategy, **options)))

    tried("epochs", epochs=1 + index)
    tried("batch_size", batch_size=25 + index)  # 3 steps either way
    tried("seed", seed=index)
    tried("validation", validation_data=(x[: 33 + 20 * index], y[: 33 + 20 * index]))
    tried("on_nan", on_nan=("stop", "ignore")[index])
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    tried("callbacks", callbacks=[stop] * index)
    tried("own part", data=(x[index::2][:37], y[index::2][:37]))
    tried("jit_compile", jit_compile=True)
    tried("not finite", make=lambda: unmeasured(lambda: Momentum(1e38)))

    keras.utils.set_random_seed(7)
    with strategy.scope():
        model = linear(lambda: Adam(0.01))
    np.random.seed(index)  # so that the workers draw other seeds
    fit(model, x, y, batch_size=16, epochs=2, verbose=0)
    tell("afterwards", weights=[w.tolist() for w in model.get_weights()])


class Follow(keras.callbacks.Callback):
    """Sees every batch; at one of them it kills a worker, if it is to."""

    def __init__(self, victim=None):
        super().__init__()
        self.victim, self.sum = victim, 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.sum += logs["loss"]

    def on_epoch_end(self, epoch, logs=None):
        logs["sum"] = self.sum

    def on_train_batch_begin(self, batch, logs=None):
        if self.victim is not None and len(self.model.history.epoch) == 3 and batch == 3:
            tell("epoch 4")
            if index == self.victim:
                os.kill(os.getpid(), signal.SIGKILL)


def new_model():
    with strategy.scope():
        stack = [layers.Dropout(0.4, seed=5), BatchNorm(synchronized=True), SoftmaxHead(3)]
        model = keras.Sequential([keras.Input((6,)), *stack])
        model = two_devices.compiled(model, weighted_metrics=None)
        model.optimizer.build(model.trainable_variables)
    return model


KEPT = []


def kept_model():
    """The process's first model in the state of a new one: its programs are traced once."""
    new = new_model()
    if not KEPT:
        KEPT.append(new)
        return new
    (model,) = KEPT
    for part, fresh in ((model, new), (model.optimizer, new.optimizer)):
        for variable, value in zip(part.variables, fresh.variables, strict=True):
            variable.assign(value.numpy())
    return model


def long_training(victim=None, **kwargs):
    model = kept_model()
    options = {"batch_size": 16, "epochs": 5, "verbose": 0, "callbacks": [Follow(victim)]}
    history = fit(model, x, y, validation_data=(x, y), **options, **kwargs)
    state = [v.numpy().tolist() for v in state_copier(model).copy()]
    return {"history": history.history, "epochs": history.epoch, "state": state}


def checkpoints(victim):
    """A save is due before each step: the last one is in the middle of the epoch."""
    return {"checkpoint_dir": f"{folder}/{victim}", "save_every": timedelta(microseconds=1)}


def alone():
    keras.utils.set_random_seed(1)
    tell("alone", **long_training(seed=3))


def other_folders():
    own = f"{folder}/own {index}"
    if not index:
        Path(own).mkdir()
        Path(own, "checkpoint-000006.npz").write_bytes(b"")
    tell("other folders", **fails(lambda: long_training(checkpoint_dir=own, seed=3)))
    tell("no folder", **fails(lambda: long_training(checkpoint_dir=(own, None)[index], seed=3)))


def killed(victim):
    keras.utils.set_random_seed(1)
    tell("survived", **fails(lambda: long_training(victim, seed=3, **checkpoints(victim))))


def resumed(victim):
    keras.utils.set_random_seed(2 + index)
    tell(f"resumed {victim}", **long_training(**checkpoints(victim)))


RUN = {"results": results, "errors": errors, "alone": alone, "other folders": other_folders}
RUN |= {f"kill {worker}": partial(killed, worker) for worker in range(2)}
RUN |= {f"resumed {worker}": partial(resumed, worker) for worker in range(2)}
for each in cases.split(","):
    RUN[each]()
