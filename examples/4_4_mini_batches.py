# %% [markdown]
# # Another mini-batch for each step
#
# Section 4.4 of the course: in TensorFlow 1 a mini-batch goes into a placeholder by `feed_dict` at
# each step. In TensorFlow 2 it is an argument of the step, and a `tf.data.Dataset` brings it: the
# loop stays the same.
#
# Three programs take the same steps of linear regression, from the same start on the same
# mini-batches: the TensorFlow 1 session, a `GradientTape` step fed from a `Dataset`, and
# `tfcourse.fit` with the `Dataset`. They must end with the same weights.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 6 if QUICK else 20
BATCH_SIZE = 32
ALPHA = 0.05

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse

tf1 = tf.compat.v1


def regression(seed):
    """Return x, y and the true weights."""
    random = np.random.default_rng(seed)
    x, w = random.normal(size=(320, 3)), random.normal(size=(3, 1))
    return x.astype("float32"), (x @ w + random.normal(0, 0.1, (320, 1))).astype("float32"), w


def dataset(x, y, seed):
    """The mini-batches of all epochs, each epoch in another order."""
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=seed)
    return data.batch(BATCH_SIZE)


# %% [markdown]
# ## The session


# %%
def session(batches):
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, (None, 3))
        y = tf1.placeholder(tf.float32, (None, 1))
        w = tf1.Variable(tf.zeros((3, 1)))
        cost = tf.reduce_mean((x @ w - y) ** 2)
        train = tf1.train.GradientDescentOptimizer(ALPHA).minimize(cost)
        session.run(tf1.global_variables_initializer())
        costs = [session.run([cost, train], {x: a, y: b})[0] for a, b in batches]
        return session.run(w), costs


# %% [markdown]
# ## The step of TensorFlow 2


# %%
def tape(batches):
    w = tf.Variable(tf.zeros((3, 1)))

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            cost = tf.reduce_mean((x @ w - y) ** 2)
        w.assign_sub(ALPHA * tape.gradient(cost, w))
        return cost

    costs = [step(tf.constant(x), tf.constant(y)).numpy() for x, y in batches]
    return w.numpy(), costs


# %% [markdown]
# ## The compiled loop

# %%
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
model.compile(tfcourse.GradientDescent(ALPHA), "mse")


def compiled(batches):
    model.set_weights([np.zeros((3, 1), "float32")])
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
    )
    tfcourse.fit(model, data, verbose=0)
    return model.get_weights()[0]


apart, errors, curves = [], [], []
for seed in SEEDS:
    x, y, w = regression(seed)
    source = dataset(x, y, seed)
    batches = [(a.numpy(), b.numpy()) for _ in range(EPOCHS) for a, b in source]
    (by_session, costs), (by_tape, _), by_fit = session(batches), tape(batches), compiled(batches)
    apart.append(max(np.abs(by_session - by_tape).max(), np.abs(by_session - by_fit).max()))
    errors.append(np.abs(by_fit - w).max())
    curves.append(costs)

verdict(
    "4.4",
    max(apart) < 1e-6 and max(errors) < 0.1,
    f"{len(SEEDS)} seeds of {len(costs)} mini-batches: the three programs' weights at most "
    f"{max(apart):.0e} apart, and {max(errors):.2f} from the true ones",
)

# %% [markdown]
# ## The picture
#
# The cost of each mini-batch, which falls with noise: each is an estimate of the whole set's cost.

# %%
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for costs in curves:
    ax.semilogy(costs, color="#0072B2", alpha=0.3, linewidth=1)
ax.semilogy(
    np.median(curves, axis=0), color="#D55E00", linewidth=2, label=f"median of {len(SEEDS)} seeds"
)
ax.set(xlabel="step", ylabel="cost of the mini-batch")
ax.set_title("Another mini-batch for each step", loc="left")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "4_4_mini_batches")
