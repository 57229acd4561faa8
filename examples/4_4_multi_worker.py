# %% [markdown]
# # One training on several machines
#
# A mini-batch of m examples can be shared: each of N machines computes the gradient of its part,
# the gradients are added up, and all take the same step. The cost is a mean over the mini-batch
# (section 4.5 of the course), so the sum of the parts is the gradient of the whole, and the
# training is the one that a single machine would have made. There is one catch, batch
# normalization (section 2): μ and σ² are those of the mini-batch, so the machines must share them
# too, with `synchronized=True`.
#
# This script shows it on one machine: it starts two worker processes that talk to each other over
# loopback, trains the same model in a single process, and compares.
#
# **On two machines** copy the script to both and start it on each with a `TF_CONFIG` that lists all
# workers and says which one this is; the ports must be open between them.
#
#     TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]},
#                 "task": {"type": "worker", "index": 0}}' python 4_4_multi_worker.py
#
# On the second machine the index is 1. All workers make the same calls with the same, whole data:
# `fit` takes each one's part itself.

# %%
from tfcourse.course import QUICK, project_file, save

EPOCHS = 2 if QUICK else 20
BATCH_SIZE = 64
WORKERS = 2

# %%
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split

# %% [markdown]
# ## The training
#
# What creates variables belongs into the strategy's scope: the model, its optimizer, its metrics.
# The strategy comes first, before TensorFlow does anything else. `fit` needs no other arguments
# than ever; without a strategy it is the training on one machine.


# %%
def train(strategy):
    digits, classes = load("digits").part, 10
    split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        layers = [
            keras.Input((64,)),
            keras.layers.Dense(32, use_bias=False),
            tfcourse.BatchNorm(synchronized=True),
            keras.layers.ReLU(),
            tfcourse.SoftmaxHead(classes),
        ]
        model = keras.Sequential(layers)
        model.compile(tfcourse.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dev = split.dev.x, split.dev.y
    history = tfcourse.fit(model, split.train.x, split.train.y, batch_size=BATCH_SIZE,
                           epochs=EPOCHS, verbose=0, validation_data=dev, seed=0)  # fmt: skip
    return model, history.history


ONE = tf.distribute.get_strategy()  # what is there when no other was asked for

# %% [markdown]
# ## A worker
#
# With a `TF_CONFIG` in its environment the script is one of the workers. That is all there is to
# it; the rest of the script starts workers and compares.

# %%
if "TF_CONFIG" in os.environ:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    model, history = train(strategy)
    me = strategy.cluster_resolver.task_id
    accuracy = history["val_accuracy"][-1]
    # In one piece with its end of line, because the workers share the terminal.
    print(
        f"worker {me} of {strategy.num_replicas_in_sync}: dev accuracy {accuracy:.3f}\n",
        end="",
        flush=True,
    )
    if len(sys.argv) > 1:  # where the script itself wants the result
        np.savez(sys.argv[1], *model.get_weights(), loss=history["loss"])
    sys.exit()

# %% [markdown]
# ## Two workers on this machine
#
# Each gets the same list of addresses, and its own index. Any free ports will do.


# %%
def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


addresses = [f"127.0.0.1:{port}" for port in free_ports(WORKERS)]
with tempfile.TemporaryDirectory() as folder:
    results = [Path(folder) / f"{index}.npz" for index in range(WORKERS)]
    workers = []
    for index, result in enumerate(results):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        command = [sys.executable, project_file("examples/4_4_multi_worker.py"), result]
        workers.append(subprocess.Popen(command, env={**os.environ, "TF_CONFIG": config}))
    if sum(worker.wait() for worker in workers):
        sys.exit("a worker failed: its message is above")
    by_worker = []
    for result in results:
        with np.load(result) as file:
            by_worker.append({name: file[name] for name in file.files})

# %% [markdown]
# ## The same in one process

# %%
model, history = train(ONE)
print(f"one process:   dev accuracy {history['val_accuracy'][-1]:.3f}")


def largest_difference(weights, saved):
    return max(abs(w - saved[f"arr_{i}"]).max() for i, w in enumerate(weights))


apart = max(largest_difference(model.get_weights(), saved) for saved in by_worker)
weights = [by_worker[0][f"arr_{i}"] for i in range(len(model.get_weights()))]
between = max(largest_difference(weights, saved) for saved in by_worker)
print(f"\nlargest difference of a weight after {EPOCHS} epochs")
print(f"  between the two workers:         {between:.1e}")
print(f"  between them and one process:    {apart:.1e}")
assert between == 0
assert apart < 1e-4, "two workers must give what one process gives, but for rounding"

# %% [markdown]
# ## The picture
#
# The course's digits are too small to gain from it: the workers spend their time on messages. It
# pays where a mini-batch keeps each machine busy for longer than a message takes.

# %%
import matplotlib.pyplot as plt

epochs = range(1, EPOCHS + 1)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(epochs, history["loss"], color="#0072B2", linewidth=2, label="one process")
ax.plot(epochs, by_worker[0]["loss"], "o", color="#D55E00", fillstyle="none", label="two workers")
ax.set(xlabel="epoch", ylabel="cost, mean over the epoch", ylim=(0, None))
ax.xaxis.get_major_locator().set_params(integer=True)
ax.set_title("Two workers with half of each mini-batch: the same training", loc="left")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "4_4_multi_worker")
