"""One of two workers of ``MultiWorkerMirroredStrategy``; prints what came of each case as JSON.

Run as ``worker.py INDEX CASE PORT PORT``.
"""

import json
import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf
import two_devices
from two_devices import fails, mlp, trained, x, y

from tfcourse import Adam, Momentum, fit

index, case, ports = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
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
    names = ("everything_at_once", "clipped", "dataset", "own_train_step", "stops_early")
    for name in names:
        tell(name, **two_devices.CASES[name]())

    keras.utils.set_random_seed(7)
    with strategy.scope():
        model = mlp(lambda: Adam(0.01))
    np.random.seed(index)  # so that the workers draw other seeds
    fit(model, x, y, batch_size=16, epochs=2, verbose=0)
    tell("seed", weights=[w.tolist() for w in model.get_weights()])


def errors():
    def tried(name, data=(x, y), rate=0.1, **kwargs):
        options = {"batch_size": 16, "seed": 3, **kwargs}
        make = lambda: mlp(lambda: Momentum(rate))  # noqa: E731
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
    tried("not finite", rate=1e38)
    tried("afterwards")


def killed(victim):
    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                tell("epoch 3")
                if index == victim:
                    os.kill(os.getpid(), signal.SIGKILL)

    options = {"batch_size": 16, "epochs": 100_000, "callbacks": [Kill()]}
    tell("survived", **fails(lambda: trained(mlp, (x, y), strategy, **options)))


if case == "results":
    results()
elif case == "errors":
    errors()
else:
    killed(int(case))
