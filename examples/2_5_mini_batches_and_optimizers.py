# %% [markdown]
# # Batch norm with mini-batches and each optimizer
#
# Section 2.5 of the course: for each mini-batch, forward with that batch's statistics,
# back-propagate dW, dγ and dβ, and update all three. It works with gradient descent, momentum,
# RMSprop and Adam. The gradients of γ and β are short:
#
# $$d\gamma = \sum_i d\tilde z^{(i)} z_\text{norm}^{(i)}, \qquad d\beta = \sum_i d\tilde z^{(i)}$$

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 2 if QUICK else 10
BATCH_SIZE = 77 if QUICK else 64  # 77 divides the train set: a smaller last step is a program more

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split
from tfcourse.models.build import mlp

# %% [markdown]
# ## dγ and dβ, and what goes on to z
#
# The gradient of z is the longest formula of the week, since μ and σ² depend on every example:
#
# $$dz = \frac{\gamma}{m \sqrt{\sigma^2+\varepsilon}}
# \left(m\,d\tilde z - d\beta - z_\text{norm}\,d\gamma\right)$$

# %%
apart = []
for seed in SEEDS:
    random = np.random.default_rng(seed)
    z, upstream = random.normal(2, 3, size=(32, 4)), random.normal(size=(32, 4))
    layer = tfcourse.BatchNorm(dtype="float64")
    layer.build(z.shape)
    gamma = random.normal(size=4)
    layer.gamma.assign(gamma)
    inputs = tf.Variable(z)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(layer(inputs, training=True) * upstream)
    by_tape = tape.gradient(cost, [inputs, layer.gamma.value, layer.beta.value])

    deviation = np.sqrt(z.var(axis=0) + layer.epsilon)
    z_norm = (z - z.mean(axis=0)) / deviation
    d_gamma, d_beta = (upstream * z_norm).sum(axis=0), upstream.sum(axis=0)
    dz = gamma / (32 * deviation) * (32 * upstream - d_beta - z_norm * d_gamma)
    by_hand = dz, d_gamma, d_beta
    apart.append(max(np.abs(a.numpy() - b).max() for a, b in zip(by_tape, by_hand, strict=True)))
print(f"dz, dγ and dβ by hand and by GradientTape: at most {max(apart):.0e} apart")

# %% [markdown]
# ## Four optimizers

# %%
digits, classes = load("digits").part, 10
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
OPTIMIZERS = {
    "gradient descent": lambda: tfcourse.GradientDescent(0.3),
    "momentum": lambda: tfcourse.Momentum(0.3),
    "RMSprop": lambda: tfcourse.RMSprop(0.003),
    "Adam": lambda: tfcourse.Adam(0.01),
}
curves, moved = {}, {}
for name, make in OPTIMIZERS.items():

    def build(make=make):
        model = mlp((64,), classes, layers=2, units=64)
        model.compile(make(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    population = tfcourse.fit_population(
        build,
        [tfcourse.Member(seed) for seed in SEEDS],
        split.train.x,
        split.train.y,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(split.dev.x, split.dev.y),
        validation_batch_size=len(split.dev.y),
        keep="last",
        verbose=0,
    )
    curves[name] = np.array([result.history["val_accuracy"] for result in population.results])
    names = [variable.path.split("/")[-1] for variable in build().variables]
    gamma, beta = names.index("gamma"), names.index("beta")
    moved[name] = [
        min(np.abs(result.weights[gamma] - 1).max(), np.abs(result.weights[beta]).max())
        for result in population.results
    ]
    print(
        f"{name:18}dev accuracy {spread(curves[name][:, -1], '.1%')}, largest change of γ and of β "
        f"at least {min(moved[name]):.2f}"
    )

worst = min(each[:, -1].min() for each in curves.values())
still = min(min(each) for each in moved.values())
verdict(
    "2.5",
    max(apart) < 1e-10 and worst > 0.9 and still > 1e-3,
    f"gradients {max(apart):.0e} from the formulas; with each of four optimizers "
    f"all {len(SEEDS)} seeds reach {worst:.1%}, and γ and β are learned, by {still:.2f} or more",
)

# %%
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]
for (name, each), color in zip(curves.items(), colors, strict=True):
    epochs = np.arange(1, EPOCHS + 1)
    ax.plot(epochs, np.median(each, axis=0), ".-", color=color, label=name)
    ax.fill_between(epochs, each.min(0), each.max(0), color=color, alpha=0.15, linewidth=0)
ax.set(xlabel="epoch", ylabel=f"dev accuracy, {len(SEEDS)} seeds")
ax.set_title("Batch norm trains with each of the four", loc="left")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_5_mini_batches_and_optimizers")
