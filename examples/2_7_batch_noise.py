# %% [markdown]
# # The noise of a mini-batch's statistics
#
# Section 2.7 of the course: μ and σ² of a mini-batch are estimates, and their noise goes through
# the network as a slight regularization. The larger the mini-batch, the less of it. (Erratum E3:
# the notes that circulate say that going from 64 to 512 weakens *dropout's* regularization; it
# weakens batch norm's.)
#
# The standard deviation of the mean of m examples is
#
# $$\operatorname{std}(\mu_m) = \frac{\sigma}{\sqrt m}$$

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
SIZES = [8, 64, 512] if QUICK else [8, 16, 32, 64, 128, 256, 512]
BATCHES = 50 if QUICK else 1000
STEPS = 20 if QUICK else 150

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.formulas.normalization import batch_moments

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]

# %% [markdown]
# ## The noise falls as 1/√m
#
# The pre-activations of a random first layer on the digits; many mini-batches of each size, drawn
# with repetition.

# %%
noise = {size: [] for size in SIZES}
for seed in SEEDS:
    random = np.random.default_rng(seed)
    z = x @ random.normal(0, np.sqrt(2 / 64), (64, 16))
    for size in SIZES:
        rows = random.integers(0, len(z), (BATCHES, size))
        means = np.array([batch_moments(z[batch])[0] for batch in rows])
        noise[size].append(np.mean(means.std(axis=0) / z.std(axis=0)))
slopes = [
    np.polyfit(np.log(SIZES), np.log([noise[size][seed] for size in SIZES]), 1)[0] for seed in SEEDS
]
for size in SIZES:
    print(f"m = {size:4}: std(μ)/σ = {spread(noise[size], '.4f')}, 1/√m = {size**-0.5:.4f}")
print(f"slope on logarithmic axes {spread(slopes)}; -1/2 is 1/√m")

# %% [markdown]
# ## Does it regularize?
#
# A larger mini-batch has less noise in its gradient, too. To change batch norm's noise alone, every
# step takes the same 400 digits, and `BatchNorm(virtual_batch_size=m)` takes its statistics from m
# of them at a time (ghost batch norm, Hoffer et al. 2017).

# %%
train, dev = slice(0, 400), slice(600, 1600)


def errors(size):
    """Return the dev error of each seed at the end."""

    def build():
        layers = []
        for _ in range(2):
            norm = tfcourse.BatchNorm(virtual_batch_size=size)
            layers += [keras.layers.Dense(128, use_bias=False), norm, keras.layers.ReLU()]
        model = keras.Sequential([keras.Input((64,)), *layers, tfcourse.SoftmaxHead(classes)])
        model.compile(
            tfcourse.Momentum(0.3), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    population = tfcourse.fit_population(
        build,
        [tfcourse.Member(seed) for seed in SEEDS],
        x[train],
        y[train],
        batch_size=400,
        epochs=STEPS,
        validation_data=(x[dev], y[dev]),
        validation_batch_size=1000,
        verbose=0,
    )
    return np.array([1 - result.history["val_accuracy"][-1] for result in population.results])


VIRTUAL = [20, 400] if QUICK else [8, 20, 50, 100, 400]
found = {size: errors(size) for size in VIRTUAL}
print()
for size, each in found.items():
    print(f"statistics of {size:3} at a time: dev error {spread(each, '.1%')}")

# %% [markdown]
# It does, slightly: less than a percentage point. It is no cure for wrong labels: with a fifth of
# the 400 labels wrong and 300 steps, the dev error *rose* with the noise, from 14.4 % with the
# statistics of 400 to 17.8 % with those of 8.

# %%
lower = found[20] < found[400]
verdict(
    "2.7",
    max(np.abs(np.add(slopes, 0.5))) < 0.05 and lower.sum() >= 0.8 * len(SEEDS),
    f"{len(SEEDS)} seeds: std(μ) falls as m to the power {spread(slopes, '.2f')}; dev error "
    f"{spread(found[20], '.1%')} with the statistics of 20 at a time, {spread(found[400], '.1%')} "
    f"with those of 400, lower in {lower.sum()} of {len(SEEDS)}",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for seed in SEEDS:
    axes[0].loglog(SIZES, [noise[size][seed] for size in SIZES], "o", color="#56B4E9", alpha=0.5)
axes[0].loglog(SIZES, [size**-0.5 for size in SIZES], "k--", label="1/√m")
axes[0].set_xticks(SIZES, SIZES)
axes[0].minorticks_off()
axes[0].set(xlabel="mini-batch size m", ylabel="std(μ) / σ")
axes[0].set_title("The noise of a mini-batch's mean", loc="left")
axes[0].legend(frameon=False)
for size, each in found.items():
    axes[1].plot(np.full(len(each), size), each, "o", color="#0072B2", alpha=0.5)
axes[1].plot(VIRTUAL, [np.median(each) for each in found.values()], color="#0072B2")
axes[1].set(xscale="log", xlabel="examples of a statistic", ylabel=f"dev error, {len(SEEDS)} seeds")
axes[1].set_xticks(VIRTUAL, VIRTUAL)
axes[1].minorticks_off()
axes[1].set_title("More noise, slightly less error", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_7_batch_noise")
