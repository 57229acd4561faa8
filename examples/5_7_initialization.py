# %% [markdown]
# # Initialization through depth
#
# Each layer multiplies the size of what passes through it. If it does so by 0.7, thirty layers
# leave $0.7^{30} = 0.00002$ of it; if by 2, a billion times as much. Section 5.7 of the course
# chooses the variance of the initial weights such that the factor is about 1:
#
# - for ReLU (He): $W \sim N(0, 2/n)$, where n is the number of inputs of the layer,
# - for tanh (Xavier): $W \sim N(0, 1/n)$.
#
# Erratum E7: the notes that circulate draw the weights by `np.random.rand`, uniform on [0, 1) and
# never negative. Every unit then adds up everything.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
DEPTH = 30
UNITS = 128
EXAMPLES = 64 if QUICK else 256

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

# %% [markdown]
# We send random inputs of mean 0 and variance 1 through thirty layers and look at two things in
# each: the size of the activations, and the size of the gradient of a random linear cost with
# respect to them.


# %%
class Uniform(keras.initializers.Initializer):
    """Weights as by ``np.random.rand``, the circulating form of erratum E7."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        return tf.constant(np.random.default_rng(self.seed).random(shape), dtype)


def normal(scale):
    return lambda seed: keras.initializers.VarianceScaling(
        scale, "fan_in", "untruncated_normal", seed=seed
    )


def sizes(activation, initializer, seed):
    """Return the root mean square of each layer's activations, and of their gradients."""
    random = np.random.default_rng(seed)
    a = tf.constant(random.normal(size=(EXAMPLES, UNITS)), tf.float32)
    direction = tf.constant(random.normal(size=(EXAMPLES, UNITS)), tf.float32)
    outputs = []
    with tf.GradientTape() as tape:
        tape.watch(a)
        for layer in range(DEPTH):
            kernel = initializer(100 * seed + layer)((UNITS, UNITS), "float32")
            a = activation(a @ kernel)
            outputs.append(a)
        cost = tf.reduce_sum(direction * a)
    gradients = tape.gradient(cost, outputs)
    rms = [
        [tf.sqrt(tf.reduce_mean(tf.cast(each, tf.float64) ** 2)).numpy() for each in s]
        for s in (outputs, gradients)
    ]
    return np.array(rms)


NETWORKS = {
    "ReLU, N(0, 2/n) (He)": (tf.nn.relu, normal(2.0)),
    "ReLU, N(0, 1/n)": (tf.nn.relu, normal(1.0)),
    "tanh, N(0, 1/n) (Xavier)": (tf.tanh, normal(1.0)),
    "tanh, N(0, 0.01²)": (
        tf.tanh,
        lambda seed: keras.initializers.RandomNormal(0, 0.01, seed=seed),
    ),
    "tanh, N(0, 1)": (tf.tanh, lambda seed: keras.initializers.RandomNormal(0, 1, seed=seed)),
    "ReLU, uniform on [0, 1) (E7)": (tf.nn.relu, Uniform),
}
results = {
    name: np.stack([sizes(*network, seed) for seed in SEEDS]) for name, network in NETWORKS.items()
}

print(f"Layer {DEPTH} beside layer 1: median of {len(SEEDS)} seeds [least–most]")
print(f"{'':30}{'activations':>32}{'gradients, layer 1 beside ' + str(DEPTH):>34}")
ratios = {}
for name, each in results.items():
    with np.errstate(invalid="ignore"):
        forward, backward = each[:, 0, -1] / each[:, 0, 0], each[:, 1, 0] / each[:, 1, -1]
    ratios[name] = forward, backward
    print(f"{name:30}{spread(forward, '.2g'):>32}{spread(backward, '.2g'):>34}")

# %% [markdown]
# With He's variance the size of both stays within a factor of a few over thirty layers. Half of it,
# and every ReLU layer loses a factor $\sqrt{2}$: $2^{-29/2} = 4 \cdot 10^{-5}$. Under tanh the
# activations shrink slowly even with Xavier's variance, as tanh is below the line; with a variance
# 128 times too large they are all ±1, and the gradients explode.

# %%
he, xavier = ratios["ReLU, N(0, 2/n) (He)"], ratios["tanh, N(0, 1/n) (Xavier)"]
others = [ratios[name] for name in NETWORKS if "He" not in name and "Xavier" not in name]
within = [((f > 0.1) & (f < 10) & (b > 0.1) & (b < 10)) for f, b in (he, xavier)]
lost = [~((f > 0.1) & (f < 10) & (b > 0.1) & (b < 10)) for f, b in others]
count = int(np.sum(np.all([*within, *lost], axis=0)))
verdict(
    "5.7",
    count >= 0.9 * len(SEEDS),
    f"{count} of {len(SEEDS)} seeds: after {DEPTH} layers He keeps {spread(he[0], '.2g')} of the "
    f"activations' size and Xavier {spread(xavier[0], '.2g')}; ReLU with N(0, 1/n) "
    f"{spread(ratios['ReLU, N(0, 1/n)'][0], '.0e')}",
)
uniform = results["ReLU, uniform on [0, 1) (E7)"][:, 0]
print(f"E7: each layer multiplies by {spread(uniform[:, 5] / uniform[:, 4], '.0f')}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
colors = ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#D55E00"]
for (name, each), color in zip(results.items(), colors, strict=True):
    for side, ax in enumerate(axes):
        middle = np.median(each[:, side], axis=0)
        middle = np.where(np.isfinite(middle) & (middle > 0), middle, np.nan)
        ax.semilogy(np.arange(1, DEPTH + 1), middle, color=color, label=name, linewidth=2)
axes[0].set(xlabel="layer", ylabel="root mean square", ylim=(1e-14, 1e14))
axes[0].set_title("Activations", loc="left")
axes[1].set(xlabel="layer")
axes[1].set_title("Gradients with respect to them", loc="left")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_7_initialization")
