# %% [markdown]
# # Mini-batches of 64 to 512
#
# Section 5.13 of the course: between one example at a time, whose gradient is noisy and whose
# matrix products are too small for the machine, and the whole set, which takes one step in an
# epoch, lie the usual sizes 64, 128, 256 and 512.
#
# We train on digits to a dev accuracy of 95 % with sizes from 1 to the whole set, each with the
# best of several learning rates, and count three things: the epochs, the steps, and the seconds of
# warm epochs.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
RATES = [0.1, 1.0] if QUICK else [0.01, 0.03, 0.1, 0.3, 1.0]
TARGET = 0.95
EPOCHS = 30 if QUICK else 40
SIZES = [64, 512, 1280] if QUICK else [2, 8, 32, 64, 128, 256, 512, 1280]

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
order = np.random.default_rng(0).permutation(len(y))
x, y = x[order], y[order]
dev, train = (x[:500], y[:500]), (x[500:1780], y[500:1780])


def build():
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(64, "relu"), tfcourse.SoftmaxHead(10)]
    )
    model.compile(
        tfcourse.GradientDescent(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def first_epochs(size):
    """Return the first epoch at the target, shape (rates, seeds); inf if there is none."""
    members = [tfcourse.Member(seed, {"learning_rate": rate}) for rate in RATES for seed in SEEDS]
    population = tfcourse.fit_population(
        build,
        members,
        *train,
        batch_size=size,
        # A small batch takes many steps in an epoch, and needs few epochs.
        epochs=EPOCHS if size >= 32 else max(EPOCHS // 8, 3),
        validation_data=dev,
        validation_batch_size=500,
        verbose=0,
    )
    found = []
    for result in population.results:
        reached = np.array(result.history["val_accuracy"]) >= TARGET
        found.append(np.argmax(reached) + 1 if reached.any() else np.inf)
    return np.reshape(found, (len(RATES), len(SEEDS)))


def seconds_an_epoch(size):
    """Return the seconds of a warm epoch of one model: the fastest of three."""
    model = build()
    tfcourse.fit(model, *train, batch_size=size, verbose=0)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        tfcourse.fit(model, *train, batch_size=size, verbose=0)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


epochs, seconds = {}, {}
print(f"{'size':>6}{'best α':>8}{'epochs to 95 %':>20}{'steps':>22}{'ms an epoch':>14}")
for size in SIZES:
    found = first_epochs(size)
    best = np.argmin(np.median(found, axis=1))
    epochs[size], seconds[size] = found[best], seconds_an_epoch(size)
    steps = found[best] * np.ceil(len(train[1]) / size)
    print(
        f"{size:>6}{RATES[best]:>8}{spread(epochs[size], '.0f'):>20}{spread(steps, '.0f'):>22}"
        f"{1000 * seconds[size]:>14.1f}"
    )

# %% [markdown]
# Larger batches allow larger learning rates and need fewer steps, down to a floor; beyond it they
# only need more epochs. Smaller ones need fewer epochs, and each takes longer on the machine.

# %%
usual, whole = [size for size in SIZES if 64 <= size <= 512], SIZES[-1]
reached = np.all([np.isfinite(epochs[size]) for size in usual], axis=0)
spent = {size: 1000 * np.median(epochs[size]) * seconds[size] for size in SIZES}
print("ms to 95 %: " + ", ".join(f"{spent[size]:.0f} (size {size})" for size in SIZES))
few = np.isfinite(epochs[whole]).sum()
verdict(
    "5.13",
    reached.sum() >= 0.9 * len(SEEDS) and np.all(epochs[64] < epochs[512]) and few < reached.sum(),
    f"sizes of 64 to 512 reach 95 % in {reached.sum()} of {len(SEEDS)} seeds, in "
    f"{spread(epochs[64], '.0f')} epochs at 64 and {spread(epochs[512], '.0f')} at 512; the whole "
    f"set of {whole} in {few}",
)

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
steps = {size: epochs[size] * np.ceil(len(train[1]) / size) for size in SIZES}
for ax, values, label in (
    (axes[0], epochs, "epochs to 95 % dev accuracy"),
    (axes[1], steps, "steps to 95 % dev accuracy"),
):
    for size in SIZES:
        ax.plot(np.full(len(SEEDS), size), values[size], "o", color="#56B4E9", alpha=0.6)
    ax.plot(SIZES, [np.median(values[size]) for size in SIZES], "-", color="#0072B2", linewidth=2)
    ax.set_title(label, loc="left")
axes[2].plot(SIZES, [spent[size] for size in SIZES], "o-", color="#0072B2", linewidth=2)
axes[2].set_title("milliseconds to 95 %, compiled", loc="left")
for ax in axes:
    ax.set(xscale="log", yscale="log", xlabel="mini-batch size")
    ax.set_xticks(SIZES, SIZES, fontsize=8)
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_13_mini_batch_size")
