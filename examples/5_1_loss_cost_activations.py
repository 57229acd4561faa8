# %% [markdown]
# # Loss, cost and activations
#
# Section 5.1 of the course: the *loss* is of one example, the *cost* is the mean of the losses of m
# examples. The gradient of the cost is therefore the mean of the gradients of the losses, which is
# why a mini-batch's gradient estimates that of the whole set.
#
# $$J = \frac{1}{m} \sum_{i=1}^{m} L(\hat y^{(i)}, y^{(i)})$$

# %%
from tfcourse.course import save, verdict

SEEDS = range(10)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

# %% [markdown]
# Each seed is another logistic regression, on 20 examples with random weights. The loss is written
# out, the cost is Keras's.

# %%
apart = {"cost": [], "gradient": []}
for seed in SEEDS:
    random = np.random.default_rng(seed)
    x, y, w = random.normal(size=(20, 4)), random.integers(0, 2, 20), random.normal(size=(4, 1))
    prediction = 1 / (1 + np.exp(-(x @ w)[:, 0]))
    losses = -(y * np.log(prediction) + (1 - y) * np.log(1 - prediction))
    gradients = (prediction - y)[:, None] * x  # of each example's loss

    weight = tf.Variable(w)
    with tf.GradientTape() as tape:
        cost = keras.losses.BinaryCrossentropy(from_logits=True, dtype="float64")(
            y[:, None], tf.constant(x) @ weight
        )
    gradient = tape.gradient(cost, weight).numpy()[:, 0]
    apart["cost"].append(abs(float(cost) - losses.mean()))
    apart["gradient"].append(np.abs(gradient - gradients.mean(axis=0)).max())

verdict(
    "5.1",
    max(*apart["cost"], *apart["gradient"]) < 1e-12,
    f"10 seeds: Keras's cost and the mean of the losses at most {max(apart['cost']):.0e} apart, "
    f"its gradient and the mean of the losses' {max(apart['gradient']):.0e}",
)

# %% [markdown]
# ## Activations
#
# Section 5.2: the functions between the layers, written out, beside Keras's. Three of Keras's
# defaults are not the course's: `LeakyReLU()` has slope 0.3 and `activation="leaky_relu"` 0.2,
# where the course has 0.01; `PReLU` learns its slope and starts with 0, a ReLU.

# %%
FORMULAS = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), keras.activations.sigmoid),
    "tanh": (lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)), keras.activations.tanh),
    "ReLU": (lambda z: np.maximum(0, z), keras.activations.relu),
    "leaky ReLU": (
        lambda z: np.maximum(0.01 * z, z),
        lambda z: keras.activations.leaky_relu(z, negative_slope=0.01),
    ),
    "PReLU, slope 0.25": (
        lambda z: np.where(z > 0, z, 0.25 * z),
        keras.layers.PReLU(keras.initializers.Constant(0.25), dtype="float64"),
    ),
    "softmax": (
        lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
        keras.activations.softmax,
    ),
}
differences = {}
for name, (formula, keras_function) in FORMULAS.items():
    z = np.stack([np.random.default_rng(seed).normal(0, 3, size=(50, 7)) for seed in SEEDS])
    z = z.reshape(-1, 7)
    value = tf.convert_to_tensor(keras_function(tf.constant(z))).numpy()
    differences[name] = np.abs(value - formula(z)).max()
    print(f"{name:20} at most {differences[name]:.0e} from Keras's")
verdict(
    "5.2",
    max(differences.values()) < 1e-7,
    f"six activations of 3500 random numbers at most {max(differences.values()):.0e} from Keras's",
)

# %% [markdown]
# ## The picture
#
# What training needs is the slope. The sigmoid's is at most 1/4 and nearly 0 away from the middle;
# tanh's is 1 in the middle; ReLU's is 1 on half of the line and 0 on the other, where leaky ReLU
# keeps a little.

# %%
z = np.linspace(-5, 5, 401)
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
colors = ["#0072B2", "#009E73", "#D55E00", "#E69F00", "#CC79A7"]
for (name, (formula, _)), color in zip(list(FORMULAS.items())[:5], colors, strict=True):
    axes[0].plot(z, formula(z), color=color, linewidth=2, label=name)
    with tf.GradientTape() as tape:
        points = tf.Variable(z[:, None])
        value = FORMULAS[name][1](points) if "PReLU" not in name else None
    if value is not None:
        axes[1].plot(z, tape.gradient(value, points).numpy()[:, 0], color=color, linewidth=2)
axes[0].set(xlabel="z", ylim=(-1.6, 3))
axes[0].set_title("Activations", loc="left")
axes[0].legend(frameon=False)
axes[1].set(xlabel="z")
axes[1].set_title("Slopes", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_1_loss_cost_activations")
