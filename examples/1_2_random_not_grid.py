# %% [markdown]
# # Random or grid, and then from coarse to fine
#
# Section 1.2 of the course: try random points, not a grid, because nobody knows beforehand which
# hyperparameter matters. Section 1.3: then sample more densely in a smaller box around the points
# that did well. Both are claims about searches of the *same number of trials*, so both can be
# counted, over many seeds. Nothing is trained here: the losses are formulas, whose lowest value is
# known.

# %%
from tfcourse.course import QUICK, over_seeds, save, verdict

SEEDS = range(4 if QUICK else 30)

# %%
import os
from pathlib import Path

# The matrices are small: more threads cost more than they save. Before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import matplotlib.pyplot as plt
import numpy as np

from tfcourse.search.config.load import parse_config
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo

# %% [markdown]
# ## A search of two hyperparameters
#
# The learning rate α and Adam's ε, as in the course, both on a log scale. A loss is a function of
# their positions on those scales, from 0 to 1. Every search below is the one that
# `tfcourse search` runs, with the same values; only the training is replaced by the formula.

# %%
AXES = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "epsilon": {"low": 1e-10, "high": 1e-2, "scale": "log"},
}


def search(strategy, seed, loss, trials):
    """The positions that a search tries, and the loss at each."""
    space = {name: dict(axis) for name, axis in AXES.items()}
    if strategy == "grid":
        for axis in space.values():
            axis["points"] = round(trials**0.5)
    table = {"name": "example", "strategy": strategy, "trials": trials, "seed": seed}
    table["objective"] = "val_loss"
    config = parse_config({"search": table, "space": space}, "example", Path())
    records, positions, memo = {}, [], Memo()  # which keeps each round's box
    for trial in range(trials):
        values = propose(config.study, trial, records, memo)
        position = [config.space[name].unit_of(value) for name, value in values.items()]
        positions.append(position)
        records[trial] = TrialRecord(trial, "completed", values, float(loss(*position, seed)))
    return np.array(positions), np.array([record.score for record in records.values()])


# %% [markdown]
# ## 25 random points or a 5 × 5 grid
#
# α matters, ε hardly does, and nobody knows where α's best value is: another place for each seed.
# The grid spends its 25 trials on five values of α. Random search tries 25.


# %%
def one_matters(a, e, seed):
    best = np.random.default_rng(seed).random()
    return (a - best) ** 2 + 1e-4 * (e - 0.5) ** 2


grid, points = search("grid", 0, one_matters, 25)[0], search("random", 0, one_matters, 25)[0]
print("different values of α in 25 trials")
print(f"  5 × 5 grid  {len(np.unique(grid[:, 0].round(9))):3}   course: 5")
print(f"  random      {len(np.unique(points[:, 0])):3}   course: 25")

lowest = {
    strategy: np.array([search(strategy, s, one_matters, 25)[1].min() for s in SEEDS])
    for strategy in ("grid", "random")
}
print(f"\nbest loss, median over {len(SEEDS)} seeds")
for strategy, best in lowest.items():
    print(f"  {strategy:10}{np.median(best):10.2g}")

better = lowest["random"] < lowest["grid"]
ratios = lowest["grid"] / lowest["random"]  # how many times as high the grid's best loss is
verdict(
    "1.2",
    better.mean() > 0.5,
    f"the grid's best loss over random search's, above 1 in {over_seeds(ratios, better)}",
)

# %% [markdown]
# ## From coarse to fine
#
# Three valleys of different kinds: a bowl, three equal valleys (Branin's function), and a long
# bent one (Rosenbrock's). `strategy = "coarse_to_fine"` draws eight trials from the whole space,
# then four at a time from the box in which the best point lies, as far as the trials before can
# tell, measured on the scale; one trial in four still looks in the whole space.


# %%
def bowl(a, e, seed):
    return (a - 0.7) ** 2 + (e - 0.2) ** 2


def branin(a, e, seed):
    x, y = 15 * a - 5, 15 * e
    parabola = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return parabola**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10 - 0.397887


def rosenbrock(a, e, seed):
    x, y = 4 * a - 2, 4 * e - 1
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


shares = {}
print(f"\nbest loss of 24 trials, median over {len(SEEDS)} seeds")
print(f"{'':12}{'random':>10}{'coarse to fine':>17}{'better in':>12}")
for loss in (bowl, branin, rosenbrock):
    random, fine = (
        np.array([search(strategy, s, loss, 24)[1].min() for s in SEEDS])
        for strategy in ("random", "coarse_to_fine")
    )
    shares[loss.__name__] = np.mean(fine < random)
    share = f"{np.sum(fine < random)} of {len(SEEDS)}"
    print(f"{loss.__name__:12}{np.median(random):10.2g}{np.median(fine):17.2g}{share:>12}")

figures = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
verdict(
    "1.3",
    min(shares.values()) > 0.5,
    f"seeds of {len(SEEDS)} in which coarse to fine is better: {figures}",
)

# %% [markdown]
# ## The picture
#
# Left and middle: the course's picture. Each trial casts a shadow on the α axis, which is all that
# the loss sees. Right: 24 trials in Branin's valleys, eight of a color, from light to dark.

# %%
BLUE, ORANGE = "#0072B2", "#D55E00"
THIRDS = ["#9CC9E6", "#3D93C9", "#08306B"]

fig, axes = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained", sharey=True)
for ax, (name, positions), color in zip(
    axes, {"5 × 5 grid": grid, "25 random points": points}.items(), (ORANGE, BLUE), strict=False
):
    ax.plot(*positions.T, "o", color=color, markersize=7)
    ax.plot(positions[:, 0], np.full(25, -0.09), "|", color=color, markersize=14, clip_on=False)
    tried = len(np.unique(positions[:, 0].round(9)))
    ax.set_title(f"{name}: {tried} values of α", loc="left")

ax = axes[2]
a, e = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 200))
ax.contour(a, e, np.log10(branin(a, e, 0) + 1), 9, colors="0.8", linewidths=1)
positions, _ = search("coarse_to_fine", 0, branin, 24)
for first, color in zip((0, 8, 16), THIRDS, strict=True):
    part = positions[first : first + 8]
    ax.plot(*part.T, "o", color=color, markersize=7, label=f"trials {first} to {first + 7}")
ax.legend(loc="upper right", framealpha=0.9)
ax.set_title("Coarse to fine: later trials in smaller boxes", loc="left")

for ax in axes:
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.14, 1.05), xlabel="learning rate α (log scale)")
    ax.set_xticks(np.linspace(0, 1, 5), ["1e-4", "1e-3", "0.01", "0.1", "1"])
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_yticks(np.linspace(0, 1, 5), ["1e-10", "1e-8", "1e-6", "1e-4", "0.01"])
axes[0].set_ylabel("Adam's ε (log scale)")
save(fig, "1_2_random_not_grid")
