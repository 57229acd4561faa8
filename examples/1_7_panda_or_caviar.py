# %% [markdown]
# # Panda or caviar
#
# Sections 1.7 and 1.8 of the course: two ways to spend a budget on hyperparameters. The *panda*:
# one model, watched from day to day, its learning rate nudged by what its curve does. The *caviar*:
# many models with different hyperparameters, left alone; the best one wins. The course says that
# which of them is right depends on what one can afford. Here both get the same seconds of this
# machine's processor, from the first line of the model to the last epoch, compilation included.
# (Processor time, because it does not run on while the machine is busy with something else.)

# %%
from tfcourse.course import QUICK, save

# A quick run has no time for XLA, which compiles for seconds.
SECONDS, MEMBERS, XLA = (3, 8, False) if QUICK else (22, 32, "auto")

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse
from tfcourse.models.build import mlp

# %% [markdown]
# ## The work
#
# Handwritten digits, 600 to learn from and 1197 to compare on, so that one more right answer is
# 0.08 %. A small network with batch norm, and Adam.

# %%
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
x, y = (x[order] / 16).astype("float32"), y[order]
train, dev = (x[:600], y[:600]), (x[600:], y[600:])


def network(units=64):
    model = mlp((64,), 10, units=units)
    model.compile(tfcourse.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Clock:
    """The best dev accuracy so far, by the seconds of the processor since the start."""

    def __init__(self):
        self.start = time.process_time()
        self.times, self.best, self.epochs = [0.0], [0.0], 0

    def add(self, accuracy):
        """Another epoch of some model; True when the time is up."""
        self.epochs += 1
        self.times.append(time.process_time() - self.start)
        self.best.append(max(self.best[-1], accuracy))
        return self.times[-1] >= SECONDS

    def at(self, seconds):
        return self.best[np.searchsorted(self.times, seconds, side="right") - 1]


# Once a process, TensorFlow and XLA have to wake up; neither of the two is to pay for that.
tfcourse.fit(network(8), *train, epochs=1, verbose=0, jit_compile=bool(XLA))

# %% [markdown]
# ## The panda
#
# It starts at Adam's usual learning rate of 0.001. Its babysitter looks at the dev loss after
# every epoch. Ten epochs in a row without a new best: back to the best weights, and the rate is
# halved, down to a thousandth of what it was. Ten new bests since the last nudge: a third more. The
# rate is a variable of the optimizer: nothing is compiled again. (`tfcourse.Babysitter` is for a
# person who watches, and keeps a checkpoint of every epoch; here there are thousands.)


# %%
class Babysitter(keras.callbacks.Callback):
    def __init__(self, clock):
        super().__init__()
        self.clock, self.lowest, self.weights = clock, np.inf, None
        self.worse, self.better, self.journal = 0, 0, []

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest, self.weights = logs["val_loss"], self.model.get_weights()
            self.worse, self.better = 0, self.better + 1
        else:
            self.worse += 1
        if self.worse == 10 and float(self.model.optimizer.learning_rate) > 1e-6:
            self.model.set_weights(self.weights)
            self.nudge(epoch, 0.5)
        elif self.better == 10:
            self.nudge(epoch, 4 / 3)
        self.model.stop_training = self.clock.add(logs["val_accuracy"])

    def nudge(self, epoch, factor):
        rate = float(self.model.optimizer.learning_rate) * factor
        self.model.optimizer.learning_rate = rate
        self.worse = self.better = 0
        self.journal.append((self.clock.times[-1], epoch + 1, rate))


panda = Clock()
keras.utils.set_random_seed(0)
sitter = Babysitter(panda)
tfcourse.fit(
    network(),
    *train,
    batch_size=64,
    epochs=100_000,  # the clock ends it
    verbose=0,
    jit_compile=XLA,
    validation_data=dev,
    callbacks=[sitter],
)
print(f"panda:  1 model, {panda.epochs} epochs, {len(sitter.journal)} nudges")

# %% [markdown]
# ## The caviar
#
# Learning rate and β₁ drawn at random, each on its own scale (sections 1.2, 1.4 and 1.5), and
# nobody looks. All members are trained at the same time, in one compiled program.

# %%
rng = np.random.default_rng(1)
members = [
    tfcourse.Member(
        seed=number,
        hyperparameters={
            "learning_rate": 10 ** rng.uniform(-4, -1),
            "beta_1": 1 - 10 ** rng.uniform(-3, -1),
        },
    )
    for number in range(MEMBERS)
]
caviar = Clock()
history = tfcourse.fit_population(
    network,
    members,
    *train,
    batch_size=64,
    epochs=100_000,
    verbose=0,
    jit_compile=XLA,
    validation_data=dev,
    objective="val_accuracy",
    on_epoch_end=lambda index, logs: caviar.add(logs["val_accuracy"]),
)
winner = members[history.best].hyperparameters
print(f"caviar: {MEMBERS} models, {caviar.epochs // MEMBERS} epochs of each")
print("        the best: " + ", ".join(f"{name} {value:.3g}" for name, value in winner.items()))

# %% [markdown]
# ## Who is ahead, and when
#
# The best dev accuracy that each had seen by then. The caviar's is the best of many, chosen on the
# dev set: a little of its lead is luck, which a test set would take away (section 6.2).

# %%
print(f"\n{'seconds':>8}{'panda':>9}{'caviar':>9}   ahead")
for seconds in SECONDS * np.array([0.125, 0.25, 0.5, 0.75, 1.0]):
    one, many = panda.at(seconds), caviar.at(seconds)
    ahead = "panda" if one > many else "caviar" if many > one else "neither"
    print(f"{seconds:8.1f}{one:9.4f}{many:9.4f}   {ahead}")

# %% [markdown]
# ## The picture
#
# Left: the best dev accuracy so far. Right: how far each member came, by its
# learning rate; the line is the panda. A triangle is a member that stayed below 90 %.

# %%
BLUE, ORANGE = "#0072B2", "#D55E00"
fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)

ax = axes[0]
for name, clock, color in (("panda", panda, ORANGE), ("caviar", caviar, BLUE)):
    ax.step(clock.times[1:], clock.best[1:], where="post", color=color, linewidth=2, label=name)
for seconds, _, _ in sitter.journal:
    ax.plot(seconds, panda.at(seconds), "|", color=ORANGE, markersize=11)
ax.set(xlabel="seconds of the processor, compilation included", ylabel="best dev accuracy so far")
ax.set(xlim=(0, SECONDS), ylim=(0.9, 1.0))
ax.set_title("The panda's marks are its nudges", loc="left")
ax.legend(loc="lower right", frameon=False)

ax = axes[1]
reached = np.array([max(result.history["val_accuracy"]) for result in history.results])
rates = np.array([member.hyperparameters["learning_rate"] for member in members])
low = reached < 0.9
ax.semilogx(rates[~low], reached[~low], "o", color=BLUE, alpha=0.8)
ax.semilogx(rates[low], np.full(low.sum(), 0.902), "v", color=BLUE, alpha=0.8)
ax.axhline(panda.best[-1], color=ORANGE, linewidth=2)
ax.set(xlabel="learning rate α")
ax.set_title(f"Each of the {MEMBERS} models, and the panda", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
save(fig, "1_7_panda_or_caviar")
