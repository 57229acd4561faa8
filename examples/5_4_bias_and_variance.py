# %% [markdown]
# # High bias, high variance, and what helps
#
# Section 5.4 of the course: two questions, in this order.
#
# 1. Is the error on the *train* set high? That is bias: take a bigger network, or train longer.
# 2. Is the error on the *dev* set much higher than on the train set? That is variance: get more
#    data, or regularize.
#
# Sections 5.5 and 5.6 are two ways to regularize, L2 and dropout. We take handwritten digits, and
# make each illness on purpose: a network of 3 hidden units for the first; for the second 200
# examples, a fifth of them with a wrong label, which a network of 64 units learns by heart. (With
# right labels there is little to gain: at 100 of them the dev error was 11 % with dropout and
# without.)

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)

# %%
from functools import cache

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse
from tfcourse.layers import Dropout
from tfcourse.training import Population

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
order = np.random.default_rng(0).permutation(len(y))
x, y = x[order], y[order]
dev_x, dev_y, x, y = x[:500], y[:500], x[500:], y[500:]

random = np.random.default_rng(1)
wrong = random.random(len(y)) < 0.2
noisy = np.where(wrong, (y + random.integers(1, 10, len(y))) % 10, y)

# %% [markdown]
# `fit_population` trains the ten seeds of a setting in one program.


# %%
@cache
def population_of(units, l2, dropout):
    regularizer = keras.regularizers.L2(l2) if l2 else None
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(units, "relu", kernel_regularizer=regularizer),
            *([Dropout(dropout)] if dropout else []),
            tfcourse.SoftmaxHead(10, kernel_regularizer=regularizer),
        ]
    )
    model.compile(tfcourse.Adam(0.01), "sparse_categorical_crossentropy")
    return Population(model)


def errors(units, examples, epochs, labels=y, l2=0.0, dropout=0.0):
    """Return the errors on the train set and on the dev set at the end, one for each seed."""
    population = population_of(units, l2, dropout)
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed) for seed in SEEDS],
        x[:examples],
        labels[:examples],
        batch_size=50,
        epochs=epochs,
        keep="last",
        verbose=0,
    )
    model, found = population.model, []
    for member in history.results:
        model.set_weights(member.weights)
        sets = ((x[:examples], labels[:examples]), (dev_x, dev_y))
        found.append([np.mean(model(each).numpy().argmax(1) != true) for each, true in sets])
    return np.array(found).T


BIAS = {"units": 3, "examples": 1200, "epochs": 5}
VARIANCE = {"units": 64, "examples": 200, "epochs": 50 if QUICK else 100, "labels": noisy}
MORE = {"examples": 1200, "epochs": VARIANCE["epochs"] // 6}
SETTINGS = {
    "high bias: 3 units, 5 epochs": BIAS,
    "bigger: 64 units": BIAS | {"units": 64},
    "longer: 40 epochs": BIAS | {"epochs": 40},
    "high variance: 200 examples": VARIANCE,
    "more data: 1200": VARIANCE | MORE,
    "L2 of 0.01": VARIANCE | {"l2": 0.01},
    "dropout of 0.5": VARIANCE | {"dropout": 0.5},
}
found = {name: errors(**setting) for name, setting in SETTINGS.items()}

print(f"{f'error, {len(SEEDS)} seeds':30}{'train':>24}{'dev':>24}")
for name, (train, dev) in found.items():
    print(f"{name:30}{spread(train, '.1%'):>24}{spread(dev, '.1%'):>24}")

# %% [markdown]
# More data is the one cure that the course calls free of side effects; it has as many steps here,
# in a sixth of the epochs. L2 and dropout raise the error on the train set, whose wrong labels the
# network does not learn any more.

# %%
bias, variance = found["high bias: 3 units, 5 epochs"], found["high variance: 200 examples"]
better = {
    name: found[name][side] < ill[side]
    for name, ill, side in (
        ("bigger: 64 units", bias, 0),
        ("longer: 40 epochs", bias, 0),
        ("more data: 1200", variance, 1),
        ("L2 of 0.01", variance, 1),
        ("dropout of 0.5", variance, 1),
    )
}
counts = ", ".join(f"{name.split(':')[0]} in {won.sum()}" for name, won in better.items())
verdict(
    "5.4",
    all(won.sum() >= 0.9 * len(SEEDS) for won in better.values()),
    f"better seeds of {len(SEEDS)}: {counts}; train error {spread(bias[0], '.1%')} → "
    f"{spread(found['bigger: 64 units'][0], '.1%')} by a bigger network, dev error "
    f"{spread(variance[1], '.1%')} → {spread(found['L2 of 0.01'][1], '.1%')} by L2",
)

# %%
fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
for row, (train, dev) in enumerate(found.values()):
    for errors_of, color, label, shift in (
        (train, "#56B4E9", "train", 0.15),
        (dev, "#D55E00", "dev", -0.15),
    ):
        ax.plot(errors_of, np.full(len(errors_of), -row + shift), "o", color=color, alpha=0.5)
        ax.plot(
            np.median(errors_of), -row + shift, "|", color=color, markersize=18, markeredgewidth=2
        )
        if row == 0:
            ax.plot([], [], "o", color=color, label=label)
ax.axhline(-2.5, color="0.8", linewidth=1)
ax.set_yticks(-np.arange(len(found)), list(found))
ax.set(xlabel="share of wrong predictions", xlim=(-0.01, 0.55))
ax.set_title("The cures of bias lower the train error, those of variance the dev error", loc="left")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_4_bias_and_variance")
