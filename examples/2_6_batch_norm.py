# %% [markdown]
# # Batch normalization: faster, and easier to tune
#
# Section 2.6 of the course explains why batch normalization works. A layer learns from inputs that
# keep moving, because the layers before it learn as well. Fix the mean and the variance of what
# each layer sees, and the layers disturb each other less. Two things should follow, and both can
# be measured:
#
# 1. training needs fewer steps, and
# 2. more learning rates work.
#
# We train the same network on handwritten digits with and without batch normalization, by plain
# gradient descent and by Adam, over four decades of learning rates.

# %%
from tfcourse.course import QUICK, save

EPOCHS = 3 if QUICK else 10
BATCH_SIZE = 64
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

digits, classes = load("digits")
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
train, dev, test = split.train, split.dev, split.test
steps_per_epoch = -(-len(train.y) // BATCH_SIZE)
print(f"{len(train.y)} digits to train on, {steps_per_epoch} steps an epoch")

# %% [markdown]
# Three hidden layers of 64 units. `batch_norm="before_activation"` puts the normalization on
# z = W a, where the course has it, and leaves the bias out: the mean would cancel it (section 2.4).
#
# Each network is compiled once. Its weights and its optimizer are put back to their start before
# every training, and the learning rate of a tfcourse optimizer is a variable, so that a new value
# needs no new compilation. A training ends where it reaches the target. It may also end where the
# loss or a weight is no longer finite: the learning rate was too large, and the weights grew from
# step to step. `tfcourse.fit` then raises an error that names the batch. Here it is a result.


# %%
def build(batch_norm):
    keras.utils.set_random_seed(0)
    return mlp((64,), classes, layers=3, units=64, batch_norm=batch_norm)


class StopAtTarget(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["val_accuracy"] >= TARGET


def epochs_to_target(batch_norm, optimizer, label):
    """Return the epochs to the target of each learning rate, and whether the training diverged.

    The epochs are inf where the target was not reached.
    """
    model = build(batch_norm)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    start = [variable.numpy() for variable in variables]

    needed, diverged = [], []
    for rate in RATES:
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        optimizer.learning_rate = rate
        try:
            history = tfcourse.fit(
                model,
                train.x,
                train.y,
                batch_size=BATCH_SIZE,
                epochs=EPOCHS,
                validation_data=(dev.x, dev.y),
                validation_batch_size=len(dev.y),
                callbacks=[StopAtTarget()],
                seed=0,
                verbose=0,
            )
        except tfcourse.NonFiniteLossError as error:
            where = f"epoch {error.epoch + 1}, batch {error.batch + 1}"
            print(f"{label}, α = {rate:.2g}: diverges in {where}")
            accuracies, finite = [0.0], False
        else:
            accuracies, finite = history.history["val_accuracy"], True
        needed.append(len(accuracies) if accuracies[-1] >= TARGET else np.inf)
        diverged.append(not finite)
    return np.array(needed), np.array(diverged)


PLACEMENTS = {"with batch norm": "before_activation", "without": "none"}
OPTIMIZERS = {"gradient descent": tfcourse.GradientDescent, "Adam": tfcourse.Adam}
results = {
    (optimizer, name): epochs_to_target(batch_norm, make(), f"{optimizer} {name}")
    for optimizer, make in OPTIMIZERS.items()
    for name, batch_norm in PLACEMENTS.items()
}

# %% [markdown]
# The course gives no figures here; these are ours, for one seed.

# %%
print(f"\nTo {TARGET:.0%} accuracy on the dev set, in at most {EPOCHS} epochs")
print(f"{'':35}{'fewest':>8}{'fewest':>8}   learning rates")
print(f"{'':35}{'epochs':>8}{'steps':>8}   that get there          diverged")
for (optimizer, name), (needed, diverged) in results.items():
    works = RATES[np.isfinite(needed)]
    rates = f"{works[0]:.2g} … {works[-1]:.2g}" if works.size else "none"
    rates += f" ({works.size} of {RATES.size})"
    fewest = (
        f"{needed.min():8g}{needed.min() * steps_per_epoch:8g}" if works.size else f"{'–':>8}" * 2
    )
    print(f"{optimizer:18}{name:17}{fewest}   {rates:24}{diverged.sum()}")

# %% [markdown]
# ## The picture
#
# Lower is faster. Wider is easier to tune. A cross marks a learning rate that did not get there, a
# filled one a training that diverged. (At a still larger rate the first steps of the network
# without batch norm switch all ReLUs of its last hidden layer off: the loss stays finite, and
# nothing is learned any more.)

# %%
COLORS = {"with batch norm": "#0072B2", "without": "#D55E00"}
NEVER = {"with batch norm": EPOCHS + 2.2, "without": EPOCHS + 1.4}

fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
for ax, optimizer in zip(axes, OPTIMIZERS, strict=True):
    for name, color in COLORS.items():
        needed, diverged = results[optimizer, name]
        works = np.isfinite(needed)
        never = np.full(len(RATES), NEVER[name])
        ax.plot(RATES[works], needed[works], "o-", color=color, linewidth=2, label=name)
        ax.plot(RATES[~works & ~diverged], never[~works & ~diverged], "x", color=color)
        ax.plot(RATES[diverged], never[diverged], "X", color=color, markersize=11)
    ax.axhline(EPOCHS + 0.7, color="0.85", linewidth=1)
    ax.set(xscale="log", xlabel="learning rate α", ylim=(0, EPOCHS + 3))
    ax.set_xlim(RATES[0] / 1.5, RATES[-1] * 1.5)
    ax.set_title(optimizer[0].upper() + optimizer[1:], loc="left")
    ax.spines[["top", "right"]].set_visible(False)
ticks = range(0, EPOCHS + 1, 2)
axes[0].set_yticks([*ticks, EPOCHS + 1.8], [*map(str, ticks), "never"])
axes[0].set_ylabel(f"epochs to {TARGET:.0%} dev accuracy")
axes[0].plot([], [], "X", color="0.4", markersize=11, linestyle="none", label="diverged")
axes[0].legend(frameon=False, loc="lower left")
title = "With batch norm, training is faster and more learning rates work"
fig.suptitle(title, x=0.01, ha="left", fontsize=14)
save(fig, "2_6_batch_norm")

# %% [markdown]
# ## One example at test time
#
# During training the mean and the variance come from the mini-batch. At test time there may be one
# example, and one example has no spread: z - μ is exactly 0. So the layer keeps exponentially
# weighted averages of both while it trains, and uses those (section 2.8). A prediction then does
# not depend on the company it comes in.

# %%
model = build("before_activation")
model.compile(tfcourse.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
tfcourse.fit(model, train.x, train.y, batch_size=BATCH_SIZE, epochs=5, seed=0, verbose=0)

x, y = test.x[:100], test.y[:100]
together = model(x, training=False).numpy()
alone = np.concatenate([model(one[None], training=False).numpy() for one in x])
print("\n100 test digits, each predicted alone and in one batch with the others")
print(f"  largest difference of a probability:     {np.abs(together - alone).max():.1e}")
print(f"  accuracy, in one batch:                  {np.mean(together.argmax(1) == y):.0%}")
print(f"  accuracy, alone:                         {np.mean(alone.argmax(1) == y):.0%}")

# %% [markdown]
# And if one example were normalized with its *own* mean and variance? `training=True` does that
# (and moves the averages, which is why it comes last here). Then z - μ = 0 in the first layer
# already, the digit is gone, and every image gets the same answer.

# %%
own = np.concatenate([model(one[None], training=True).numpy() for one in x])
print(f"  accuracy, alone with its own statistics: {np.mean(own.argmax(1) == y):.0%}")
print(f"  different answers among the 100 digits:  {len(np.unique(own.argmax(1)))}")
