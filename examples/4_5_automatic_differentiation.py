# %% [markdown]
# # You write the forward pass, the framework differentiates
#
# Section 4.5 of the course: write the cost as a function of the parameters, and the framework gives
# the derivatives. One thing to know when writing it: `*` multiplies element by element, and the
# product of matrices is `@`, `tf.matmul`. With square matrices both run, and only one is meant.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(4 if QUICK else 10)
PARAMETERS = 20 if QUICK else 200

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse

# %% [markdown]
# ## A cost that nobody wants to differentiate by hand


# %%
def cost(w):
    """A cost with a recursion, a softmax and a logarithm."""
    state = tf.zeros_like(w[0])
    for _ in range(5):
        state = tf.tanh(w @ state[:, None] + w[:, :1])[:, 0]
    return -tf.math.log_softmax(tf.sin(3 * state))[0] + 0.1 * tf.reduce_sum(w**2)


ratios = []
for seed in SEEDS:
    w = np.random.default_rng(seed).normal(size=(8, 8))
    check = tfcourse.gradient_check(cost, w, max_parameters=PARAMETERS, seed=seed)
    ratios.append(float(check.ratio))
print(f"gradient check of {len(SEEDS)} seeds: at most {max(ratios):.0e}; a pass is below 1e-7")

# %% [markdown]
# ## `*` and `@`

# %%
elementwise, product, differ = [], [], []
for seed in SEEDS:
    a, b = np.random.default_rng(seed).normal(size=(2, 4, 4))
    one, other = tf.constant(a) * tf.constant(b), tf.constant(a) @ tf.constant(b)
    entries = np.zeros((2, 4, 4))
    for row, column in np.ndindex(4, 4):
        entries[0, row, column] = a[row, column] * b[row, column]
        entries[1, row, column] = sum(a[row, k] * b[k, column] for k in range(4))
    elementwise.append(np.abs(one.numpy() - entries[0]).max())
    product.append(np.abs(other.numpy() - entries[1]).max())
    differ.append(np.abs(one.numpy() - other.numpy()).max())
verdict(
    "4.5",
    max(ratios) < 1e-7 and max(product) < 1e-12 and max(elementwise) == 0 and min(differ) > 0.1,
    f"{len(SEEDS)} seeds: gradients pass, {max(ratios):.0e} or less; * is element by element, @ "
    f"the matrix product, {min(differ):.1f} or more apart",
)

# %% [markdown]
# ## The picture
#
# The slope of the cost along one parameter, by the tape, beside the cost itself.

# %%
w = np.random.default_rng(SEEDS[0]).normal(size=(8, 8))
values = np.linspace(-3, 3, 81)
costs, slopes = [], []
for value in values:
    moved = tf.Variable(w)
    moved[0, 1].assign(value)
    with tf.GradientTape() as tape:
        height = cost(moved)
    costs.append(float(height))
    slopes.append(float(tape.gradient(height, moved)[0, 1]))
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.plot(values, costs, color="#0072B2", linewidth=2, label="cost")
ax.plot(values, slopes, color="#D55E00", label="its slope, by GradientTape")
ax.plot(values, np.gradient(costs, values), "k:", label="differences of the cost")
ax.set(xlabel="one of the 64 parameters")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "4_5_automatic_differentiation")
