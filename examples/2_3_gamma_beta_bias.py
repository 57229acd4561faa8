# %% [markdown]
# # γ, β, and the bias that cancels
#
# Batch norm computes, for each unit over a mini-batch,
#
# $$z_\text{norm} = \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}},
# \qquad \tilde z = \gamma z_\text{norm} + \beta$$
#
# Section 2.3 of the course: γ and β are learned like W, so that the network can choose another mean
# and variance; γ = √(σ²+ε) and β = μ give z back exactly. Section 2.4: a bias before it only moves
# μ, and is subtracted again. It can be left out; β takes over. There is one γ and one β for each
# unit.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(4 if QUICK else 10)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse
from tfcourse.models.build import mlp


def batch(seed):
    """Return the pre-activations of a mini-batch of 64 examples and 5 units, and their moments."""
    random = np.random.default_rng(seed)
    z = random.normal(random.normal(0, 10, 5), random.uniform(0.1, 10, 5), size=(64, 5))
    return z, z.mean(axis=0), z.var(axis=0)


# %% [markdown]
# ## z comes back

# %%
identity, learned = [], []
for seed in SEEDS:
    z, mean, variance = batch(seed)
    layer = tfcourse.BatchNorm(dtype="float64")
    layer.build(z.shape)
    layer.gamma.assign(np.sqrt(variance + layer.epsilon))
    layer.beta.assign(mean)
    identity.append(np.abs(layer(z, training=True).numpy() - z).max())
    assert layer.gamma.shape == layer.beta.shape == (5,)

    # A cost that wants another mean and variance: gradient descent moves γ and β there.
    target = np.random.default_rng(seed + 100).normal([[3.0, -2.0, 0.0, 1.0, 5.0]], 1.5, z.shape)
    z_norm = (z - mean) / np.sqrt(variance + layer.epsilon)
    for _ in range(60):
        with tf.GradientTape() as tape:
            cost = tf.reduce_mean((layer(z, training=True) - target) ** 2)
        for weight, gradient in zip(
            (layer.gamma, layer.beta),
            tape.gradient(cost, [layer.gamma.value, layer.beta.value]),
            strict=True,
        ):
            weight.assign_sub(1.0 * gradient)
    best_gamma, best_beta = (z_norm * target).mean(0) / (z_norm**2).mean(0), target.mean(0)
    apart = (
        np.abs(layer.gamma.numpy() - best_gamma).max(),
        np.abs(layer.beta.numpy() - best_beta).max(),
    )
    learned.append(max(apart))

verdict(
    "2.3",
    max(identity) < 1e-12 and max(learned) < 1e-6,
    f"{len(SEEDS)} seeds: with γ = √(σ²+ε) and β = μ at most {max(identity):.0e} from z; learned, "
    f"γ and β are {max(learned):.0e} from the least squares of a target",
)

# %% [markdown]
# ## The bias cancels
#
# Adding any constant to z leaves z̃ unchanged, and the gradient of b is 0.

# %%
unchanged, gradients, others = [], [], []
for seed in SEEDS:
    z, _, _ = batch(seed)
    layer = tfcourse.BatchNorm(dtype="float64")
    constant = np.random.default_rng(seed).normal(0, 100, 5)
    unchanged.append(
        np.abs((layer(z + constant, training=True) - layer(z, training=True)).numpy()).max()
    )

    x = np.random.default_rng(seed).normal(size=(64, 4))
    dense = keras.layers.Dense(5, dtype="float64")
    with tf.GradientTape() as tape:
        # Any cost does; this one would notice a shift.
        cost = tf.reduce_sum(tf.nn.relu(layer(dense(x), training=True)) ** 3)
    d_kernel, d_bias = tape.gradient(cost, [dense.kernel.value, dense.bias.value])
    gradients.append(np.abs(d_bias.numpy()).max() / np.abs(d_kernel.numpy()).max())

hidden = [keras.layers.Dense(8, name="hidden"), tfcourse.BatchNorm(), keras.layers.ReLU()]
model = keras.Sequential([keras.Input((4,)), *hidden, tfcourse.SoftmaxHead(3)])
findings = [str(finding) for finding in tfcourse.lint(model)]
print("tfcourse.lint says:")
print(*findings, sep="\n")
block = mlp((4,), 3, layers=1, units=8)
assert not any(getattr(layer, "use_bias", False) for layer in block.layers[:2])

verdict(
    "2.4",
    max(unchanged) < 1e-9
    and max(gradients) < 1e-12
    and any("bias" in finding for finding in findings),
    f"{len(SEEDS)} seeds: a constant of about 100 moves z̃ by {max(unchanged):.0e} at most; "
    f"|db|/|dW| is {max(gradients):.0e} at most; lint finds the useless bias, and mlp builds none",
)

# %%
z, mean, variance = batch(3)
normalized = tfcourse.BatchNorm(dtype="float64")
fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
shifted = tfcourse.BatchNorm(dtype="float64")
shifted.build(z.shape)
shifted.gamma.assign([0.3, 0.6, 1.0, 1.5, 2.0])
shifted.beta.assign([-4, -2, 0, 2, 4])
for ax, values, title in (
    (axes[0], z, "z: each unit has its own mean and variance"),
    (axes[1], normalized(z, training=True).numpy(), "z_norm: mean 0 and variance 1"),
    (axes[2], shifted(z, training=True).numpy(), "z̃: the ones that γ and β choose"),
):
    ax.violinplot(values, showextrema=False, showmedians=True)
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ax.set_title(title, loc="left", fontsize=11)
    ax.set(xlabel="unit")
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_3_gamma_beta_bias")
