# %% [markdown]
# # Error analysis: the count is the ceiling
#
# Section 6.4 of the course: before months of work on one kind of mistake, look at the mistakes on
# the dev set and count them by category. If n of the m examples are mistakes of a category, solving
# it completely lowers the error by
#
# $$\frac{n}{m}$$
#
# at most. What counts is the *number* of mistakes, and not how often a category goes wrong: a rare
# one may be wrong nearly always and yet have little to give.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 8 if QUICK else 15

# %%
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.models.build import mlp
from tfcourse.training import Population

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order].reshape(-1, 8, 8), digits.y[order]

# %% [markdown]
# Digits from three sources. Most are plain; 30 % come from a scanner that shifts them by a pixel to
# the left or right; 5 % are white on black. The network is trained on 900 plain digits alone.


# %%
def shifted(images, random):
    by = random.choice([-1, 1], len(images))
    return np.array([np.roll(image, step, axis=1) for image, step in zip(images, by, strict=True)])


def inverted(images, random):
    return 1 - images


WAYS = {"shifted": shifted, "inverted": inverted}
NAMES = ["plain", *WAYS]


def mixed(images, seed):
    """Return the images with each one's source, 65 %, 30 % and 5 % of them."""
    random = np.random.default_rng(seed)
    source = random.choice(3, len(images), p=[0.65, 0.30, 0.05])
    images = images.copy()
    for number, change in enumerate(WAYS.values(), start=1):
        images[source == number] = change(images[source == number], random)
    return images.reshape(-1, 64), source


dev_x, dev_source = mixed(x[900:], 1)
dev_y = y[900:]
tags = {name: dev_source == number for number, name in enumerate(NAMES)}


def build():
    model = mlp((64,), classes, layers=1, units=64)
    model.compile(tfcourse.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


population = Population(build)


def train(images, labels):
    """Return each seed's error analysis on the dev set."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed) for seed in SEEDS],
        images.reshape(-1, 64),
        labels,
        batch_size=50,
        epochs=EPOCHS,
        keep="last",
        verbose=0,
    )
    model, found = build(), []
    for result in history.results:
        model.set_weights(result.weights)
        found.append(tfcourse.strategy.error_analysis(model, dev_x, dev_y, tags=tags))
    return found


analyses = train(x[:900], y[:900])
print(analyses[0])

# %% [markdown]
# ## The ceiling, by an oracle
#
# Correct every prediction of a category, and count again: the error falls by the ceiling, exactly.

# %%
ceiling = {
    name: np.array([c.ceiling for a in analyses for c in a.categories if c.name == name])
    for name in NAMES
}
before = np.array([analysis.error for analysis in analyses])
oracle = {
    name: before
    - [np.mean((a.predictions != dev_y) & ~tags[name]) for a in analyses]  # right in the category
    for name in NAMES
}

# %% [markdown]
# ## The gain, by work
#
# Work on a category: 300 of the 900 digits for training now come from its source. The plain digits
# are fewer for it, and every other category may get better or worse: the ceiling is that of the
# category, and side effects come on top.

# %%
after = {}
for name, change in WAYS.items():
    images = x[:900].copy()
    images[:300] = change(images[:300], np.random.default_rng(2))
    after[name] = train(images, y[:900])


def mistakes(analysis, name):
    return np.mean((analysis.predictions != dev_y) & tags[name])


gain = {name: before - [a.error for a in after[name]] for name in WAYS}
within = {name: ceiling[name] - [mistakes(a, name) for a in after[name]] for name in WAYS}
print(f"{'points of error':12}{'ceiling':>23}{'oracle':>23}{'gain in it':>23}{'gain in all':>23}")
for name in WAYS:
    parts = (ceiling[name], oracle[name], within[name], gain[name])
    print(f"{name:12}" + "".join(f"{spread(100 * part, '.1f'):>23}" for part in parts))
rates = {
    name: [c.error for a in analyses for c in a.categories if c.name == name] for name in NAMES
}

# %%
first = gain["shifted"] > gain["inverted"]
exact = all(np.allclose(oracle[name], ceiling[name]) for name in NAMES)
bounded = all((within[name] <= ceiling[name]).all() for name in WAYS)
beyond = sum((gain[name] > ceiling[name]).sum() for name in WAYS)
verdict(
    "6.4",
    exact and bounded and first.sum() >= 0.9 * len(SEEDS),
    f"{len(SEEDS)} seeds: inverted digits are wrong in {spread(rates['inverted'], '.0%')}, shifted "
    f"ones in {spread(rates['shifted'], '.0%')}, and yet work on the shifted ones gains more in "
    f"{first.sum()}: {spread(100 * gain['shifted'], '.1f')} points of a ceiling of "
    f"{spread(100 * ceiling['shifted'], '.1f')}, against {spread(100 * gain['inverted'], '.1f')} "
    f"of {spread(100 * ceiling['inverted'], '.1f')}; side effects on other categories carried it "
    f"above the ceiling in {beyond} of {2 * len(SEEDS)}",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for row, name in enumerate(NAMES):
    rows = np.full(len(SEEDS), -row)
    axes[0].plot(rates[name], rows, "o", color="#009E73", alpha=0.5, clip_on=False)
    axes[1].plot(100 * ceiling[name], rows + 0.2, "|", color="k", markersize=14)
    if name in gain:
        axes[1].plot(100 * within[name], rows, "o", color="#0072B2", alpha=0.5)
        axes[1].plot(100 * gain[name], rows - 0.2, "o", color="#E69F00", alpha=0.5)
for marker, color, label in (
    ("|", "k", "ceiling: its mistakes / all examples"),
    ("o", "#0072B2", "gain in it, by work on it"),
    ("o", "#E69F00", "the same with its side effects"),
):
    axes[1].plot([], [], marker, color=color, label=label)
shares = [f"{name}\n{tags[name].mean():.0%} of dev" for name in NAMES]
axes[0].set(xlabel="error rate within the category", xlim=(0, 1))
axes[0].xaxis.set_major_formatter("{x:.0%}")
axes[0].set_title("How often it goes wrong …", loc="left")
axes[1].set(xlabel="points of the error on the dev set", xlim=(0, 21))
axes[1].set_title("… is not what it can give", loc="left")
axes[1].legend(frameon=False, loc="upper right")
for ax in axes:
    ax.set_yticks([0, -1, -2], shares)
    ax.set_ylim(-2.5, 0.5)
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "6_4_error_analysis")
