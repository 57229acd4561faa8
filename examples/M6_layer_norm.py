# %% [markdown]
# # LayerNorm beside BatchNorm, at small batches
#
# A modern week 3. Batch norm takes μ and σ² over the m examples of a mini-batch; with few of them
# they are noise, and at m = 2 nearly nothing is left of an example but which of the two is larger.
# Layer normalization takes them over the n units of one example,
#
# $$\mu = \frac{1}{n} \sum_j z_j, \qquad \sigma^2 = \frac{1}{n} \sum_j (z_j - \mu)^2$$
#
# so that no example depends on another, m does not matter, and training and test are the same.
#
# Sources: Ba, Kiros and Hinton 2016, "Layer Normalization" (arXiv:1607.06450), which shows it
# at batch sizes down to 4; Wu and He 2018, "Group Normalization" (arXiv:1803.08494): on ImageNet
# batch norm's error rises from 23.6 % at 32 examples a GPU to 34.7 % at 2, that of normalization
# within the example does not.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
SIZES = [2, 64] if QUICK else [2, 4, 8, 64]
RATES = [0.001, 0.01] if QUICK else [0.001, 0.003, 0.01]
EPOCHS = 2 if QUICK else 10

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
train = slice(0, 384 if QUICK else 400)  # 6 batches of 64: a smaller last one is a program more
dev, test = slice(400, 800), slice(800, None)

# %% [markdown]
# Two hidden layers of 64 units, the normalization before each ReLU. Each setting may choose its
# learning rate: the best by the median dev error of ten seeds; we then report the test error.


# %%
def population_of(norm):
    def build():
        layers = []
        for _ in range(2):
            layers += [keras.layers.Dense(64, use_bias=False), norm(), keras.layers.ReLU()]
        model = keras.Sequential([keras.Input((64,)), *layers, tfcourse.SoftmaxHead(classes)])
        model.compile(tfcourse.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


BUILDS = {
    "BatchNorm": population_of(tfcourse.BatchNorm),
    "LayerNorm": population_of(keras.layers.LayerNormalization),
}


def test_errors(name, size):
    """Return the test error of each seed at the learning rate that is best on dev, and the rate."""
    build = BUILDS[name]
    members = [tfcourse.Member(s, {"learning_rate": rate}) for rate in RATES for s in SEEDS]
    population = tfcourse.fit_population(
        build, members, x[train], y[train], batch_size=size, epochs=EPOCHS, keep="last", verbose=0
    )
    model, found = build(), []
    for result in population.results:
        model.set_weights(result.weights)
        wrong = model(x[400:], training=False).numpy().argmax(1) != y[400:]
        found.append((wrong[:400].mean(), wrong[400:].mean()))
    found = np.array(found).reshape(len(RATES), len(SEEDS), 2)
    best = np.median(found[..., 0], axis=1).argmin()
    return found[best, :, 1], RATES[best]


found = {(name, size): test_errors(name, size) for name in BUILDS for size in SIZES}
print(f"{f'test error, {len(SEEDS)} seeds':24}" + "".join(f"{f'm = {size}':>26}" for size in SIZES))
for name in BUILDS:
    cells = (spread(found[name, size][0], ".1%") for size in SIZES)
    print(f"{name:24}" + "".join(f"{cell:>26}" for cell in cells))
    print(f"{'  learning rate':24}" + "".join(f"{found[name, m][1]:>26}" for m in SIZES))

# %%
error = {key: values for key, (values, _) in found.items()}
least = SIZES[0]
worse = error["BatchNorm", least] > error["LayerNorm", least]
rise = {name: np.median(error[name, least]) - np.median(error[name, 64]) for name in BUILDS}
verdict(
    "M6",
    worse.sum() >= 0.9 * len(SEEDS) and rise["BatchNorm"] > 2 * abs(rise["LayerNorm"]),
    f"test error at m = {least}: BatchNorm {spread(error['BatchNorm', least], '.1%')}, LayerNorm "
    f"{spread(error['LayerNorm', least], '.1%')}, lower in {worse.sum()} of {len(SEEDS)} seeds; at "
    f"m = 64 {spread(error['BatchNorm', 64], '.1%')} and {spread(error['LayerNorm', 64], '.1%')}",
)

# %%
fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
for (name, color), shift in zip(
    {"BatchNorm": "#D55E00", "LayerNorm": "#0072B2"}.items(), (0.96, 1.04), strict=True
):
    for size in SIZES:
        values = error[name, size]
        ax.plot(np.full(len(values), size * shift), values, "o", color=color, alpha=0.45)
    medians = [np.median(error[name, size]) for size in SIZES]
    ax.plot(np.array(SIZES) * shift, medians, color=color, linewidth=2, label=name)
ax.set(
    xscale="log",
    xlabel="mini-batch size m",
    ylabel=f"test error, {len(SEEDS)} seeds",
    ylim=(0, None),
)
ax.set_xticks(SIZES, SIZES)
ax.minorticks_off()
ax.yaxis.set_major_locator(plt.MultipleLocator(0.05))
ax.yaxis.set_major_formatter("{x:.0%}")
ax.set_title("Batch norm needs a batch, layer norm does not", loc="left")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "M6_layer_norm")
