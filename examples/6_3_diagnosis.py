# %% [markdown]
# # Which gap is the largest?
#
# Section 6.3 of the course: five errors, and four gaps between neighbours.
#
# | from | to | the gap |
# |---|---|---|
# | human level | train | avoidable bias |
# | train | train-dev: new data of the same distribution | variance |
# | train-dev | dev: data of the distribution that counts | data mismatch |
# | dev | test | overfitting of the dev set |
#
# The largest gap says what to work on. The call is `tfcourse.strategy.diagnose(human=...,
# train=..., train_dev=..., dev=..., test=...)`. We make each illness on purpose, in real networks,
# and see whether the table names it.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
DECISIONS = 1500 if QUICK else 4000
HUMAN = 0.02  # assumed: nobody has measured how well people read digits of 8 × 8 pixels

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.training import Population

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
train_dev, dev, test = slice(900, 1200), slice(1200, 1500), slice(1500, None)


def population_of(units):
    hidden = keras.layers.Dense(units, "relu")
    model = keras.Sequential([keras.Input((64,)), hidden, tfcourse.SoftmaxHead(classes)])
    model.compile(tfcourse.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Population(model)


def trained(population, x, y, examples, epochs):
    """Return each seed's weights after training on the first examples."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed) for seed in SEEDS],
        x[:examples],
        y[:examples],
        batch_size=50,
        epochs=epochs,
        keep="last",
        verbose=0,
    )
    return [result.weights for result in history.results]


def forward(weights, x):
    """Return the hidden activations and the logits."""
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1 + b1, 0)
    return hidden, hidden @ w2 + b2


def error(weights, x, y):
    return float(np.mean(forward(weights, x)[1].argmax(1) != y))


# %% [markdown]
# ## Four illnesses
#
# - **Bias**: 2 hidden units, for ten digits.
# - **Variance**: 60 digits to train 64 units.
# - **Mismatch**: trained on 900 plain digits; dev and test come from a scanner that shifts them by
#   a pixel.
# - **An overfitted dev set**: a fifth of all labels is wrong, so that a reader who is right in
#   every digit disagrees with a fifth; the dev set has 40 examples. Somebody tries thousands of
#   small changes of the output layer and keeps each one that does not raise the dev error. Every
#   decision learns a little of these 40.

# %%
WRONG = 0.2
random = np.random.default_rng(1)
noisy_y = np.where(random.random(len(y)) < WRONG, (y + random.integers(1, 10, len(y))) % 10, y)
scanned_x = np.roll(x.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)


def decided_by_dev(weights, x, y, seed):
    """Return the weights after many changes of the output layer, each judged on x and y."""
    random = np.random.default_rng(seed)
    hidden, z = forward(weights, x)
    w1, b1, w2, b2 = weights
    least = np.mean(z.argmax(1) != y)
    for _ in range(DECISIONS):
        changed = w2 + random.normal(0, 0.01, w2.shape)
        now = np.mean((hidden @ changed + b2).argmax(1) != y)
        if now <= least:
            w2, least = changed, now
    return [w1, b1, w2, b2]


few = slice(1200, 1240)
small, large = population_of(2), population_of(64)
plain, noisy, scanned = (x, y), (x, noisy_y), (scanned_x, y)
networks = {
    "avoidable bias": trained(small, *plain, 900, epochs=10),
    "variance": trained(large, *plain, 60, epochs=60),
    "data mismatch": trained(large, *plain, 900, epochs=8),
    "overfitting of the dev set": [
        decided_by_dev(weights, x[few], noisy_y[few], seed)
        for seed, weights in enumerate(trained(large, *noisy, 900, epochs=4))
    ],
}
# The human level, the examples for training, and the data of each of the sets.
SETTINGS = {
    "avoidable bias": (HUMAN, 900, plain, plain, dev),
    "variance": (HUMAN, 60, plain, plain, dev),
    "data mismatch": (HUMAN, 900, plain, scanned, dev),
    "overfitting of the dev set": (WRONG, 900, noisy, noisy, few),
}

# %% [markdown]
# The first seed of each illness:


# %%
def diagnosis_of(name, weights):
    human, examples, source, target, dev_rows = SETTINGS[name]
    sets = {
        "train": (source, slice(examples)),
        "train_dev": (source, train_dev),
        "dev": (target, dev_rows),
        "test": (target, test),
    }
    data = {level: (x[rows], y[rows]) for level, ((x, y), rows) in sets.items()}
    return tfcourse.strategy.diagnose(
        human=human,
        **{level: error(weights, *pair) for level, pair in data.items()},
        sizes={level: len(pair[1]) for level, pair in data.items()},
    )


diagnoses = {
    name: [diagnosis_of(name, weights) for weights in each] for name, each in networks.items()
}
for name, each in diagnoses.items():
    print(f"{name}:\n{each[0]}\n")

# %% [markdown]
# Where many decisions have overfitted the dev set, its error is *below* that of train-dev: a data
# mismatch below 0 is another sign of it.

# %%
named = {
    name: sum(each.largest is not None and each.largest.name == name for each in found)
    for name, found in diagnoses.items()
}
sizes = {name: [100 * each.largest.size for each in found] for name, found in diagnoses.items()}
verdict(
    "6.3",
    all(count >= 0.9 * len(SEEDS) for count in named.values()),
    f"the largest gap is the one that was made, of {len(SEEDS)} seeds: "
    + "; ".join(f"{name} in {named[name]} ({spread(sizes[name], '.0f')} points)" for name in named),
)

# %%
LEVELS = ["human", "train", "train_dev", "dev", "test"]
fig, axes = plt.subplots(1, 4, figsize=(13, 4), layout="constrained", sharey=True)
for ax, (name, found) in zip(axes, diagnoses.items(), strict=True):
    errors = np.array([[each.errors[level] for level in LEVELS] for each in found])
    ax.plot(range(5), errors.T, "o-", color="#56B4E9", alpha=0.4, linewidth=1)
    middle = np.median(errors, axis=0)
    ax.plot(range(5), middle, color="0.3", linewidth=2)
    gap = list(SETTINGS).index(name)
    ax.plot([gap, gap + 1], middle[gap : gap + 2], color="#D55E00", linewidth=4)
    ax.set_xticks(range(5), [level.replace("_", "-") for level in LEVELS], rotation=40)
    ax.set_title(name, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set(ylabel=f"error, {len(SEEDS)} seeds", ylim=(0, None))
axes[0].yaxis.set_major_formatter("{x:.0%}")
save(fig, "6_3_diagnosis")
