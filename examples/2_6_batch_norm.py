# %% [markdown]
# # Batch normalization: faster, and easier to tune
#
# Section 2.6 of the course explains why batch normalization works. A layer learns from inputs that
# keep moving, because the layers before it learn as well. Fix the mean and the variance of what
# each layer sees, and the layers disturb each other less. It compares this with *covariate shift*:
# a classifier that learned on black cats is tested on coloured ones. Four things should follow, and
# can be measured:
#
# 1. training needs fewer steps,
# 2. more learning rates work,
# 3. the distribution that a hidden layer sees drifts less while the network trains,
# 4. under a shifted input, new statistics alone bring back a part of the accuracy.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
LAYERS = 2 if QUICK else 3  # hidden
EPOCHS = 3 if QUICK else 10
BATCH_SIZE = 77 if QUICK else 64  # 77 divides the train set: a smaller last step is a program more
TARGET = 0.9

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split
from tfcourse.models.build import mlp

RATES = np.geomspace(1e-3, 1e1, 13)[2::3] if QUICK else np.geomspace(1e-3, 1e1, 13)

digits, classes = load("digits").part, 10
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
train, dev, test = split.train, split.dev, split.test
steps_per_epoch = -(-len(train.y) // BATCH_SIZE)

# %% [markdown]
# ## Steps, and learning rates
#
# Three hidden layers of 64 ReLUs on handwritten digits, by plain gradient descent and by Adam, over
# four decades of learning rates. `fit_population` trains all rates and seeds in one program. A
# member whose loss is no longer finite ends: the learning rate was too large.

# %%
PLACEMENTS = {"with batch norm": "before_activation", "without": "none"}
OPTIMIZERS = {"gradient descent": tfcourse.GradientDescent}
if not QUICK:
    OPTIMIZERS["Adam"] = tfcourse.Adam


def first_epochs(placement, optimizer):
    """Return the first epoch at the target, inf without one, and what diverged: (rates, seeds)."""

    def build():
        model = mlp((64,), classes, layers=LAYERS, units=64, batch_norm=placement)
        model.compile(optimizer(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    population = tfcourse.fit_population(
        build,
        [tfcourse.Member(seed, {"learning_rate": rate}) for rate in RATES for seed in SEEDS],
        train.x,
        train.y,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(dev.x, dev.y),
        validation_batch_size=len(dev.y),
        verbose=0,
    )
    first = []
    for result in population.results:
        reached = np.array([*result.history["val_accuracy"], 0]) >= TARGET
        first.append(reached.argmax() + 1 if reached.any() else np.inf)
    diverged = [result.stopped == "not finite" for result in population.results]
    shape = len(RATES), len(SEEDS)
    return np.reshape(first, shape), np.reshape(diverged, shape)


results = {
    (optimizer, name): first_epochs(placement, make)
    for optimizer, make in OPTIMIZERS.items()
    for name, placement in PLACEMENTS.items()
}
print(f"To {TARGET:.0%} accuracy on the dev set, in at most {EPOCHS} epochs, {len(SEEDS)} seeds")
print(f"{'':35}{'fewest steps':>22}{'rates that work':>26}{'diverged':>10}")
for (optimizer, name), (first, diverged) in results.items():
    fewest, works = first.min(axis=0) * steps_per_epoch, np.isfinite(first).sum(axis=0)
    print(
        f"{optimizer:18}{name:17}{spread(fewest, '.0f'):>22}"
        f"{spread(works, '.0f') + f' of {len(RATES)}':>26}{diverged.sum():>10}"
    )

# %% [markdown]
# ## The drift of a hidden layer
#
# The inputs of the last hidden layer, over the dev set, after each epoch of gradient descent with α
# = 0.1: how far has each unit's mean moved since the epoch before, in units of its standard
# deviation?


# %%
class Inputs(keras.callbacks.Callback):
    """The mean and the standard deviation of each input of a layer, after each epoch."""

    def __init__(self, model, layer):
        super().__init__()
        self.inputs_of = keras.Model(model.inputs[0], layer.input)
        self.means, self.deviations, self.samples = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        values = self.inputs_of(dev.x).numpy()
        self.means.append(values.mean(axis=0))
        self.deviations.append(values.std(axis=0))
        self.samples.append(values[:, 0])

    def drift(self):
        moved = np.abs(np.diff(self.means, axis=0))
        alive = np.array(self.deviations[1:]) > 1e-6  # a ReLU that is always off has no scale
        return np.mean(moved[alive] / np.array(self.deviations[1:])[alive])


drifts, models, watched = {}, {}, {}
for name, placement in PLACEMENTS.items():
    drifts[name], models[name] = [], []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        fresh = mlp((64,), classes, layers=LAYERS, units=64, batch_norm=placement)
        if seed == 0:
            model = fresh
            model.compile(tfcourse.GradientDescent(0.1), "sparse_categorical_crossentropy")
        model.set_weights(fresh.get_weights())
        dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
        inputs = Inputs(model, dense[LAYERS - 1])  # the last hidden one
        tfcourse.fit(
            model,
            train.x,
            train.y,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            callbacks=[inputs],
            seed=seed,
            verbose=0,
        )
        drifts[name].append(inputs.drift())
        models[name].append(model.get_weights())
        watched.setdefault(name, inputs)
    models[name] = model, models[name]
    print(f"{name:17}drift an epoch {spread(drifts[name], '.2f')}")

# %% [markdown]
# ## Coloured cats
#
# The test digits with another contrast and brightness: x → 0.3 + 0.4x, as a scanner might make
# them. `tfcourse.recalibrate` replaces the moving averages by the statistics of given inputs; it
# needs no labels.

# %%
shifted = (0.3 + 0.4 * test.x).astype("float32")
accuracy = {}
for name, (model, weights) in models.items():
    for values in weights:
        model.set_weights(values)
        kinds = {"test set": test.x, "shifted": shifted}
        if name == "with batch norm":
            kinds["shifted, new statistics"] = shifted
        for kind, x in kinds.items():
            if kind.endswith("statistics"):
                tfcourse.recalibrate(model, x, verbose=0)
            right = np.mean(model(x).numpy().argmax(1) == test.y)
            accuracy.setdefault((name, kind), []).append(right)
for (name, kind), each in accuracy.items():
    print(f"{name:17}{kind:25}{spread(each, '.0%'):>20}")

# %% [markdown]
# ## What holds
#
# Fewer steps, more learning rates: clearly. The third is the course's reason for it, and the
# literature disputes it: Santurkar et al. (2018) found networks whose hidden distributions were
# made to drift on purpose, *with* batch norm, to train as well, and see the reason in a smoother
# cost; Bjorck et al. (2018) see it in the larger learning rates that batch norm allows.

# %%
sgd = [results["gradient descent", name][0] for name in PLACEMENTS]
fewer = sgd[0].min(axis=0) < sgd[1].min(axis=0)
wider = np.isfinite(sgd[0]).sum(axis=0) > np.isfinite(sgd[1]).sum(axis=0)
less = np.less(*(drifts[name] for name in PLACEMENTS))
before, after = (
    np.array(accuracy["with batch norm", kind]) for kind in ("shifted", "shifted, new statistics")
)
back = after > before
verdict(
    "2.6",
    min(fewer.sum(), wider.sum(), less.sum(), back.sum()) >= 0.9 * len(SEEDS),
    f"seeds of {len(SEEDS)}: fewer steps in {fewer.sum()}, more learning rates in {wider.sum()} "
    f"({spread(np.isfinite(sgd[0]).sum(0), '.0f')} instead of "
    f"{spread(np.isfinite(sgd[1]).sum(0), '.0f')} of {len(RATES)}), less drift in {less.sum()}, "
    f"under a shift {spread(before, '.0%')} right and {spread(after, '.0%')} with new statistics",
)

# %% [markdown]
# ## The picture
#
# Left: lower is faster, and wider is easier to tune. Middle: one input of the last hidden layer
# over the dev set, epoch by epoch, for one seed.

# %%
COLORS = {"with batch norm": "#0072B2", "without": "#D55E00"}
fig, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
for name, color in COLORS.items():
    first, _ = results["gradient descent", name]
    middle = np.median(np.where(np.isfinite(first), first, EPOCHS + 1.5), axis=1)
    axes[0].semilogx(RATES, middle, "o-", color=color, linewidth=2, label=name)
    for epoch, sample in enumerate(watched[name].samples, start=1):
        parts = axes[1].violinplot(
            sample, [epoch + (0.2 if name == "without" else -0.2)], widths=0.7, showextrema=False
        )
        parts["bodies"][0].set(facecolor=color, alpha=0.6)
axes[0].axhline(EPOCHS + 0.7, color="0.85", linewidth=1)
axes[0].set_yticks([2, 4, EPOCHS, EPOCHS + 1.5], ["2", "4", str(EPOCHS), "never"])
axes[0].set(xlabel="learning rate α", ylabel=f"epochs to {TARGET:.0%}, the median seed")
axes[0].set_title("Faster, and more learning rates", loc="left")
axes[0].legend(frameon=False)
axes[1].set(xlabel="epoch", ylabel="an input of the last hidden layer")
axes[1].set_title("The distribution that a layer sees", loc="left")
kinds = [*accuracy]
for row, (name, kind) in enumerate(kinds):
    each = accuracy[name, kind]
    axes[2].plot(each, np.full(len(each), -row), "o", color=COLORS[name], alpha=0.5)
    axes[2].plot(np.median(each), -row, "|", color=COLORS[name], markersize=20, markeredgewidth=2)
axes[2].set_yticks([-row for row in range(len(kinds))], [kind for _, kind in kinds])
axes[2].set(xlabel=f"accuracy, {len(SEEDS)} seeds", xlim=(0, 1.02))
axes[2].set_title("Another contrast and brightness", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_6_batch_norm")
