# %% [markdown]
# # Which hyperparameter matters most
#
# Section 1.1 of the course gives an order. First the learning rate α; then momentum's β, the hidden
# units and the mini-batch size; then the number of layers and learning-rate decay; Adam's β₂ and ε
# hardly ever. Here each is varied alone over its usual range, on its own scale (sections 1.4 and
# 1.5), with the others at good defaults. What it matters is how far the dev loss moves:
#
# $$\text{effect} = \max_v L(v) \, / \, \min_v L(v)$$
#
# In a search the order tells which `[space.NAME]` to begin with; `tfcourse check` says so where
# there are too few trials for the hyperparameters.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
POINTS = 3 if QUICK else 5
EPOCHS = 2 if QUICK else 10

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse
from tfcourse.models.build import mlp
from tfcourse.optimizers.schedule import TrainingSchedule

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
x, y = (x[order] / 16).astype("float32"), y[order]
dev, x, y = (x[:597], y[:597]), x[597:], y[597:]

# %% [markdown]
# Adam's β₁ is the β of its momentum. The decay is $\alpha / (1 + \text{rate} \cdot
# \text{epoch})$ (section 5.12). The defaults are α = 0.003, β₁ = 0.9, β₂ = 0.999, ε = 1e-8, two
# layers of 64 units, batches of 60, no decay. Values that are the optimizer's are trained in one
# program; each architecture and batch size has one of its own.

# %%
VARIABLES = {
    "learning rate α": ("learning_rate", np.logspace(-4, 0, POINTS)),
    "momentum's β₁": ("beta_1", 1 - np.logspace(-1, -3, POINTS)),
    "decay rate": ("decay_rate", np.linspace(0, 3, POINTS)),
    "Adam's β₂": ("beta_2", 1 - np.logspace(-1, -4, POINTS)),
    "Adam's ε": ("epsilon", np.logspace(-10, -6, POINTS)),
}
OTHERS = {
    "hidden units": ("units", (16, 64) if QUICK else (16, 32, 64, 128, 256)),
    "mini-batch size": ("batch_size", (60, 240) if QUICK else (20, 40, 60, 120, 240)),
    "layers": ("layers", (1, 2) if QUICK else (1, 2, 3, 4, 5)),
}
ORDER = [
    ("learning rate α",),
    ("momentum's β₁", "hidden units", "mini-batch size"),
    ("layers", "decay rate"),
    ("Adam's β₂", "Adam's ε"),
]


def train(settings, units=64, layers=2, batch_size=60):
    """Return the dev losses at the end: a row for a setting, a column for a seed."""
    steps = len(x) // batch_size

    def build():
        model = mlp((64,), 10, units=units, layers=layers)
        rate = TrainingSchedule(0.003, "inverse_time", EPOCHS * steps, steps, decay_rate=0.0)
        model.compile(tfcourse.Adam(rate), "sparse_categorical_crossentropy")
        return model

    members = [tfcourse.Member(seed, setting) for setting in settings for seed in SEEDS]
    population = tfcourse.fit_population(
        build,
        members,
        x,
        y,
        batch_size=batch_size,
        epochs=EPOCHS,
        validation_data=dev,
        validation_batch_size=597,
        keep="last",
        verbose=0,
    )
    last = [result.history["val_loss"][-1] for result in population.results]
    return np.reshape(last, (len(settings), len(SEEDS)))


settings = [{name: value} for name, values in VARIABLES.values() for value in values]
rows = train([{}, *settings])
default, parts = rows[:1], np.split(rows[1:], len(VARIABLES))
loss = dict(zip(VARIABLES, parts, strict=True))
defaults = {"units": 64, "layers": 2, "batch_size": 60}
for title, (name, values) in OTHERS.items():
    loss[title] = np.vstack(
        [default if v == defaults[name] else train([{}], **{name: v}) for v in values]
    )
effect = {title: table.max(0) / table.min(0) for title, table in loss.items()}

ranking = sorted(effect, key=lambda title: -np.median(effect[title]))
place = {title: number for number, titles in enumerate(ORDER, 1) for title in titles}
print(f"{'largest / smallest dev loss':30}{f'{len(SEEDS)} seeds':>22}   the course's group")
for title in ranking:
    print(f"{title:30}{spread(effect[title], '.2f'):>22}   {place[title]}")

# %% [markdown]
# In a full run the ends of the order show in every seed: α first by far, β₂ and ε last. The middle
# does not: the decay, which the course puts third, moves the loss more than momentum's β, which it
# puts second. That depends on the ranges: a decay rate of 3 leaves a small α for most of these few
# epochs, and an α that is tuned with it would make up for it. Van Rijn and Hutter (2018), and
# Probst, Boulesteix and Bischl (2019), measured for other methods, over many data sets, that a few
# hyperparameters have most of the effect, and which ones.

# %%
groups = [np.array([effect[title] for title in titles]) for titles in ORDER]
first = groups[0].min(0) > np.max([effect[t] for t in effect if t not in ORDER[0]], axis=0)
last = groups[3].max(0) < np.min([effect[t] for t in effect if t not in ORDER[3]], axis=0)
middle = groups[1].min(0) > groups[2].max(0)
medians = ", ".join(f"{title} {np.median(effect[title]):.2g}" for title in ranking)
verdict(
    "1.1",
    min(first.sum(), middle.sum(), last.sum()) >= 0.9 * len(SEEDS),
    f"of {len(SEEDS)} seeds α is first in {first.sum()}, β₂ and ε are last in {last.sum()}, all of "
    f"the second group before the third in {middle.sum()}; largest over smallest loss, median: "
    f"{medians}",
)

# %%
fig, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
COLORS = {1: "#D55E00", 2: "#E69F00", 3: "#56B4E9", 4: "0.55"}
NAMES = ("first", "second", "third", "rarely touched")
for row, title in enumerate(ranking):
    color = COLORS[place[title]]
    ax.semilogx(effect[title], np.full(len(SEEDS), -row), "o", color=color, alpha=0.6)
    ax.plot(np.median(effect[title]), -row, "|", color=color, markersize=20, markeredgewidth=2.5)
for group, name in enumerate(NAMES, 1):
    ax.plot([], [], "o", color=COLORS[group], label=f"in the course: {name}")
ax.set_yticks(-np.arange(len(ranking)), ranking)
ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
ax.minorticks_off()
ax.set(xlabel="largest dev loss over smallest (log scale)")
ax.set_title("α is first by far, and the middle is not in the course's order", loc="left")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "1_1_priorities")
