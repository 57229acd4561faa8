# %% [markdown]
# # Choosing a framework
#
# Section 4.6 of the course names three things to look at: how easy it is to write programs and to
# deploy them, how fast they run, and whether it is truly open, which means its governance too. The
# first two can be measured on a small case, the third can be looked up. Here the case is logistic
# regression by mini-batch gradient descent on breast cancer: by hand in NumPy, with TensorFlow 1's
# session, with a `GradientTape`, and with Keras and `tfcourse.fit`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 10 if QUICK else 50
BATCH_SIZE = 64
ALPHA = 0.1

# %%
import inspect
import tempfile
import time
from importlib import metadata

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer

import tfcourse

tf1 = tf.compat.v1
x, y = load_breast_cancer(return_X_y=True)
x = ((x - x.mean(0)) / x.std(0)).astype("float32")
y = y[:, None].astype("float32")
batches = [slice(start, start + BATCH_SIZE) for start in range(0, len(x), BATCH_SIZE)] * EPOCHS


# %% [markdown]
# ## Four programs


# %%
def by_hand(x, y, w):
    for rows in batches:
        prediction = 1 / (1 + np.exp(-(x[rows] @ w)))
        dz = (prediction - y[rows]) / len(y[rows])
        w = w - ALPHA * x[rows].T @ dz
    return w


def session(x, y, w):
    with tf.Graph().as_default(), tf1.Session() as session:
        inputs, labels = tf1.placeholder(tf.float32, (None, 30)), tf1.placeholder(tf.float32)
        weight = tf1.Variable(w)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, inputs @ weight)
        cost = tf.reduce_mean(losses)
        train = tf1.train.GradientDescentOptimizer(ALPHA).minimize(cost)
        session.run(tf1.global_variables_initializer())
        for rows in batches:
            session.run(train, {inputs: x[rows], labels: y[rows]})
        return session.run(weight)


def tape(x, y, w):
    weight = tf.Variable(w)
    for rows in batches:
        with tf.GradientTape() as tape:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(y[rows], x[rows] @ weight)
            cost = tf.reduce_mean(losses)
        weight.assign_sub(ALPHA * tape.gradient(cost, weight))
    return weight.numpy()


def compiled(x, y, w):
    model.set_weights([w])
    tfcourse.fit(model, x, y, batch_size=BATCH_SIZE, epochs=EPOCHS, shuffle=False, verbose=0)
    return model.get_weights()[0]


model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(1, "sigmoid", use_bias=False)])
model.compile(tfcourse.GradientDescent(ALPHA), "binary_crossentropy")

PROGRAMS = {
    "by hand": by_hand,
    "session": session,
    "GradientTape": tape,
    "Keras and fit": compiled,
}
starts = [np.random.default_rng(seed).normal(0, 0.1, (30, 1)).astype("float32") for seed in SEEDS]
weights, seconds = {}, {}
for name, program in PROGRAMS.items():
    program(x, y, starts[0])  # compiles what is to be compiled
    weights[name], seconds[name] = [], []
    for start in starts:
        begin = time.perf_counter()
        weights[name].append(program(x, y, start))
        seconds[name].append(time.perf_counter() - begin)
weights = {name: np.array(each) for name, each in weights.items()}
apart = max(np.abs(each - weights["by hand"]).max() for each in weights.values())
lines = {name: len(inspect.getsource(program).splitlines()) for name, program in PROGRAMS.items()}
print(f"{'':16}{'lines':>8}{f'ms for {len(batches)} steps':>28}")
for name in PROGRAMS:
    print(f"{name:16}{lines[name]:>8}{spread(1000 * np.array(seconds[name]), '.0f'):>28}")
print(f"weights at most {apart:.0e} apart")

# %% [markdown]
# By hand it is short, and the fastest, for *one* small layer whose derivative is known.
# What the framework saves is the derivative, which a second layer would change (5.3).
#
# ## Deployment
#
# A model is deployed as a file that other programs load. Keras writes a SavedModel that TensorFlow
# Serving runs without Python.

# %%
with tempfile.TemporaryDirectory() as folder:
    model.export(folder, verbose=False)
    artifact = tf.saved_model.load(folder)
    served = artifact.serve(x).numpy()
deployed = np.abs(served - model(x).numpy()).max()
print(f"the exported model's predictions: at most {deployed:.0e} from the model's")

# %% [markdown]
# ## Openness
#
# The licences, from the installed packages. The governance is to be read about: TensorFlow and
# Keras are led by Google, PyTorch since 2022 by a foundation of several companies.

# %%
licences = {}
for package in ("tensorflow", "keras", "keras-tuner", "numpy"):
    information = metadata.metadata(package)
    licences[package] = information["License-Expression"] or information["License"] or "not stated"
    print(f"{package:12} {licences[package].splitlines()[0][:40]}")

ratio = np.array(seconds["session"]) / np.array(seconds["Keras and fit"])
verdict(
    "4.6",
    apart < 1e-4 and deployed < 1e-6 and np.median(ratio) > 1,
    f"four programs, {len(SEEDS)} seeds, weights {apart:.0e} apart: {min(lines.values())} to "
    f"{max(lines.values())} lines, the session {spread(ratio, '.1f')} times as long as the "
    f"compiled loop; the exported model is {deployed:.0e} from it; governance is not measured",
)

# %%
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for row, name in enumerate(PROGRAMS):
    milliseconds = 1000 * np.array(seconds[name])
    ax.plot(milliseconds, np.full(len(SEEDS), -row), "o", color="#56B4E9", alpha=0.6)
    ax.plot(np.median(milliseconds), -row, "|", color="#0072B2", markersize=22, markeredgewidth=3)
ax.set_yticks([-row for row in range(4)], [f"{name}, {lines[name]} lines" for name in PROGRAMS])
ax.set(xscale="log", xlabel=f"milliseconds for {len(batches)} steps, {len(SEEDS)} seeds")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "4_6_choosing_a_framework")
