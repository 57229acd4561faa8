# %% [markdown]
# # Multi-task learning: one network, an output per task
#
# Section 6.7 of the course: several yes-or-no questions about the same input. One network with an
# output for each shares its hidden layers among the tasks; its loss is the sum over the tasks,
#
# $$L = -\sum_{j} \left( y_j \log \hat y_j + (1 - y_j) \log (1 - \hat y_j) \right)$$
#
# and only over those that an example has a label for. The course: it helps when the tasks share
# low-level features, each has about as much data, the others together much more than the one,
# and the network is large enough. It hurts, against a network of its own for each task, only
# where the network is too small (Caruana 1997, "Multitask Learning"). It is rarer in practice than
# transfer learning.
#
# In Keras an output per task is a line: `Dense(4, "sigmoid")`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 20 if QUICK else 40
UNITS = [3, 64]

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.training import Population

digits = load("digits").part
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
TASKS = {
    "even": y % 2 == 0,
    "above 4": y > 4,
    "has a loop": np.isin(y, [0, 6, 8, 9]),
    "1, 4 or 7": np.isin(y, [1, 4, 7]),
}
labels = np.column_stack(list(TASKS.values())).astype("float32")
test = slice(900, None)

# %% [markdown]
# Four questions about a digit. Two situations:
#
# - **all labels**: 120 digits, each with a label for every task;
# - **own examples**: 480 digits, 120 for each task, each with the label of that one alone. The
#   multi-task network sees 480 digits, a network of its own 120.
#
# A label that is not there is -1, and the loss leaves it out.


# %%
def masked_crossentropy(y_true, y_pred):
    """Return the sum over the tasks of the cross-entropy, without those that have no label."""
    known = keras.ops.cast(y_true >= 0, y_pred.dtype)
    p = keras.ops.clip(y_pred, 1e-7, 1 - 1e-7)
    y = keras.ops.maximum(y_true, 0)
    each = -(y * keras.ops.log(p) + (1 - y) * keras.ops.log(1 - p))
    return keras.ops.sum(known * each, axis=-1)


def population_of(units, tasks):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dense(tasks, "sigmoid"),
        ]
    )
    model.compile(tfcourse.Adam(0.01), masked_crossentropy)
    return Population(model)


def test_errors(population, rows, y_train, y_test, epochs):
    """Return the test error of each seed and task."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed) for seed in SEEDS],
        x[rows],
        y_train,
        batch_size=40,
        epochs=epochs,
        keep="last",
        verbose=0,
    )
    found = []
    for result in history.results:
        population.model.set_weights(result.weights)
        found.append(np.mean((population.model(x[test]).numpy() > 0.5) != y_test, axis=0))
    return np.array(found)


# %% [markdown]
# Every label is seen as often: the 480 digits of the second situation are 12 mini-batches of 40 in
# an epoch, those of a single task 3.

# %%
own = np.arange(480) % 4  # the task of each digit in the second situation
masked = np.where(own[:, None] == np.arange(4), labels[:480], -1)
found = {}
for units in UNITS:
    several, single = population_of(units, 4), population_of(units, 1)
    alone = []
    for task in range(4):
        column = labels[:, [task]]
        alone.append(
            [
                test_errors(single, rows, column[rows], column[test], EPOCHS)[:, 0]
                for rows in (np.arange(120), np.flatnonzero(own == task))
            ]
        )
    alone = np.array(alone).transpose(1, 2, 0)  # situation, seed, task
    found["all labels", units] = {
        "alone": alone[0],
        "together": test_errors(several, np.arange(120), labels[:120], labels[test], EPOCHS),
    }
    found["own examples", units] = {
        "alone": alone[1],
        "together": test_errors(several, np.arange(480), masked, labels[test], EPOCHS),
    }

print(f"{'mean test error':32}{'a network for each':>26}{'one for all':>26}{'lower':>8}")
better = {}
for (situation, units), pair in found.items():
    alone, together = (each.mean(axis=1) for each in pair.values())
    better[situation, units] = together < alone
    cells = f"{spread(alone, '.1%'):>26}{spread(together, '.1%'):>26}"
    print(f"{f'{situation}, {units} units':32}{cells}{better[situation, units].sum():>8}")

# %% [markdown]
# With labels for every task on the same digits the other tasks add nothing that these digits do not
# tell. With digits of their own they do: the shared layers learn from 480. And 3 units are too few
# for four tasks, where each network of its own has 3 for one.

# %%
decisive = "own examples", UNITS[-1]
alone, together = (each.mean(axis=1) for each in found[decisive].values())
same_alone, same_together = (each.mean(axis=1) for each in found["all labels", 64].values())
small = better["own examples", UNITS[0]]
verdict(
    "6.7",
    better[decisive].sum() >= 0.9 * len(SEEDS),
    f"120 labels for each of 4 tasks, on digits of its own: test error {spread(alone, '.1%')} with "
    f"a network for each, {spread(together, '.1%')} with one for all, lower in "
    f"{better[decisive].sum()} of {len(SEEDS)} seeds; on the same digits "
    f"{spread(same_alone, '.1%')} and {spread(same_together, '.1%')}, lower in "
    f"{better['all labels', 64].sum()}; with {UNITS[0]} units on own digits in {small.sum()}",
)

# %%
fig, axes = plt.subplots(1, len(found), figsize=(12, 4), layout="constrained", sharey=True)
for ax, ((situation, units), pair) in zip(axes, found.items(), strict=True):
    alone, together = (100 * each.mean(axis=1) for each in pair.values())
    ax.plot([0, 1], [alone, together], "-", color="0.75", linewidth=1)
    ax.plot(np.zeros(len(SEEDS)), alone, "o", color="#D55E00", alpha=0.6)
    ax.plot(np.ones(len(SEEDS)), together, "o", color="#0072B2", alpha=0.6)
    ax.set_xticks([0, 1], ["a network\nfor each", "one\nfor all"])
    ax.set(xlim=(-0.4, 1.4))
    ax.set_title(f"{situation}, {units} units", loc="left")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set(ylabel="mean test error of four tasks, %", yscale="log")
axes[0].set_yticks([5, 10, 20, 40], [5, 10, 20, 40])
axes[0].minorticks_off()
save(fig, "6_7_multi_task")
