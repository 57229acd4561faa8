# %% [markdown]
# # One optimizing metric, the others satisficing
#
# Section 6.1 of the course: a model should be accurate, fast and small. Three numbers do not order
# models. Take one as the *optimizing* metric, and give each of the others a threshold; a metric
# that only has to be good enough is *satisficing*:
#
# $$\max \text{accuracy} \quad \text{subject to} \quad \text{parameters} \le 3000, \quad
# \text{milliseconds} \le 50$$
#
# The other way, a weighted sum such as $\text{accuracy} - c \cdot \text{parameters}$, needs a price
# c for a parameter, which nobody knows, and promises nothing about the size.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
TRIALS, EPOCHS = (3, 3) if QUICK else (12, 10)
UNITS = [8, 32, 128] if QUICK else [4, 8, 16, 32, 64, 128]
LIMIT = 3000  # parameters

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.models.build import mlp

# %% [markdown]
# ## In a search
#
# A few trials with other sizes and learning rates, in a temporary folder, and the selection among
# them. The number of weights and the milliseconds of a prediction are measured on the models.
# (Milliseconds depend on the machine: the verdict below is by the limit of parameters alone.)

# %%
space = {
    "units": {"values": UNITS},
    "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
}
folder = tempfile.TemporaryDirectory()
search = tfcourse.Search(
    out=folder.name,
    space=space,
    build="mlp",
    arguments={"layers": 1},
    source="digits",
    trials=TRIALS,
    epochs=3,
    seed=1,
)
search.run(verbose=False)
limits = {"parameters": LIMIT, "milliseconds": 50}
print(tfcourse.strategy.select(search, "val_accuracy", limits))
selection = tfcourse.strategy.select(search, "val_accuracy", {"parameters": LIMIT})

# %% [markdown]
# ## Over ten seeds
#
# For each seed a network of each size. We select by the dev set: without a limit, with the limit
# of parameters, and by weighted sums with prices c over four decades.

# %%
digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
train, dev = slice(0, 600), slice(600, 1200)


def train_size(units):
    """Return the number of parameters, and the dev accuracy of each seed."""

    def build():
        model = mlp((64,), classes, layers=1, units=units)
        model.compile(tfcourse.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    population = tfcourse.fit_population(
        build,
        [tfcourse.Member(seed) for seed in SEEDS],
        x[train],
        y[train],
        batch_size=50,
        epochs=EPOCHS,
        validation_data=(x[dev], y[dev]),
        validation_batch_size=600,
        keep="last",
        verbose=0,
        jit_compile=False,
    )
    accuracy = [result.history["val_accuracy"][-1] for result in population.results]
    return build().count_params(), accuracy


parameters, accuracy = zip(*(train_size(units) for units in UNITS), strict=True)
parameters, accuracy = np.array(parameters), np.array(accuracy)  # by size, by size and seed
for units, size, each in zip(UNITS, parameters, accuracy, strict=True):
    print(f"{units:4} units {size:6} parameters  dev accuracy {spread(each, '.1%')}")

seeds = np.arange(len(SEEDS))
largest = accuracy.argmax(axis=0)  # without a limit
allowed = parameters <= LIMIT
selected = np.where(allowed[:, None], accuracy, -1).argmax(axis=0)
prices = np.logspace(-7, -3, 41)
weighted = (accuracy - prices[:, None, None] * parameters[:, None]).argmax(axis=1)

print(f"\nwithout a limit: {spread(parameters[largest], '.0f')} parameters")
print(f"limit of {LIMIT}:   {spread(parameters[selected], '.0f')} parameters")
cost = 100 * (accuracy[largest, seeds] - accuracy[selected, seeds])
print(f"the limit costs {spread(cost, '.1f')} points of accuracy")

# %% [markdown]
# The weighted sum is none the wiser: with a low price it exceeds the limit, with a high one it
# takes a smaller network than it might. Only some prices happen to make the same choice, and which
# ones is known afterwards.

# %%
inside = parameters[selected] <= LIMIT
best = np.array([accuracy[allowed, s].max() == accuracy[selected[s], s] for s in seeds])
over = (parameters[weighted] > LIMIT).mean(axis=0)
poorer = (accuracy[weighted, seeds] < accuracy[selected, seeds]).mean(axis=0)
breaks = parameters[largest] > LIMIT
size_of = dict(zip(UNITS, parameters, strict=True))
within = [
    each.values["val_accuracy"]
    for each in selection.candidates
    if size_of[each.record.values["units"]] <= LIMIT
]
selects = selection.best.values["val_accuracy"] == max(within)
verdict(
    "6.1",
    selects
    and (inside & best).all()
    and breaks.sum() >= 0.9 * len(SEEDS)
    and ((over > 0) & (poorer > 0)).all(),
    f"{len(SEEDS)} seeds: the best accuracy alone takes {spread(parameters[largest], '.0f')} "
    f"parameters, above {LIMIT} in {breaks.sum()}; with the limit {spread(cost, '.1f')} points of "
    f"accuracy less, within it in {inside.sum()}; of 41 weighted sums {spread(over, '.0%')} exceed "
    f"it and {spread(poorer, '.0%')} are less accurate",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for s in seeds:
    axes[0].plot(parameters, 100 * accuracy[:, s], "o", color="0.6", alpha=0.5)
    axes[0].plot(parameters[largest[s]], 100 * accuracy[largest[s], s], "o", color="#D55E00")
    axes[0].plot(parameters[selected[s]], 100 * accuracy[selected[s], s], "o", color="#0072B2")
    axes[1].plot(prices, parameters[weighted[:, s]] * 1.02**s, color="#E69F00", alpha=0.6)
axes[0].axvline(LIMIT, color="k", linestyle="--", linewidth=1, label="limit")
axes[0].plot([], [], "o", color="#D55E00", label="best accuracy")
axes[0].plot([], [], "o", color="#0072B2", label="best within the limit")
axes[0].set(xscale="log", xlabel="parameters", ylabel=f"dev accuracy, %, {len(SEEDS)} seeds")
axes[0].set_title("One metric is optimized, one has a limit", loc="left")
axes[0].legend(frameon=False, loc="lower right", handlelength=1)
axes[1].axhline(LIMIT, color="k", linestyle="--", linewidth=1)
axes[1].set(xscale="log", yscale="log", xlabel="price c of a parameter", ylabel="parameters")
axes[1].set_title("Choices by accuracy - c · parameters, by seed", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "6_1_optimizing_and_satisficing")
