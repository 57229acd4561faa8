# %% [markdown]
# # Learning-rate decay: large steps first, small steps last
#
# With mini-batches the gradient is noisy, and with a constant learning rate w never settles: it
# moves around the minimum, at a distance that grows with α. Section 5.12 of the course lets α fall:
#
# $$\alpha = \frac{\alpha_0}{1 + \text{decay\_rate} \cdot \text{epoch}}$$
#
# with epochs from 0. Erratum E5: the notes that circulate leave α₀ out, $1/(1 + \text{decay\_rate}
# \cdot \text{epoch})$, so that every training begins with a learning rate of 1.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EXAMPLES = 200
EPOCHS = 20 if QUICK else 60
BATCH_SIZE = 10
DECAY_RATE = 1.0

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_regression

import tfcourse
from tfcourse.optimizers.schedule import TrainingSchedule

# %% [markdown]
# Linear regression with noise in y, by mini-batch gradient descent. The minimum is known: least
# squares has it. We measure the cost of the whole train set above that minimum, after each epoch.


# %%
class Cost(keras.callbacks.Callback):
    """The cost of the whole train set above its minimum after each epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        inputs = np.hstack([x, np.ones((len(x), 1))])
        solution = np.linalg.lstsq(inputs, y, rcond=None)[0]
        self.minimum = np.mean((inputs @ solution - y) ** 2)
        self.excess = []

    def on_epoch_end(self, epoch, logs=None):
        prediction = self.x @ self.model.weights[0].numpy()[:, 0] + self.model.weights[1].numpy()
        self.excess.append(np.mean((prediction - self.y) ** 2) - self.minimum)


STEPS_PER_EPOCH = EXAMPLES // BATCH_SIZE


def decayed(alpha_0):
    steps = {"steps": EPOCHS * STEPS_PER_EPOCH, "steps_per_epoch": STEPS_PER_EPOCH}
    return TrainingSchedule(alpha_0, "inverse_time", **steps, decay_rate=DECAY_RATE)


SCHEDULES = {
    "constant, α = 0.1": 0.1,
    "constant, α = 0.005": 0.005,
    "decayed from α₀ = 0.1": decayed(0.1),
    "decayed without α₀ (E5)": decayed(1.0),
}
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
excess = {name: [] for name in SCHEDULES}
for name, rate in SCHEDULES.items():
    model.compile(tfcourse.GradientDescent(rate), "mse")
    for seed in SEEDS:
        x, y = make_regression(EXAMPLES, 5, noise=60.0, random_state=seed)
        y = y / y.std()
        cost = Cost(x, y)
        model.set_weights([np.zeros((5, 1)), np.zeros(1)])
        model.optimizer.iterations.assign(0)
        try:
            tfcourse.fit(
                model,
                x.astype("float32"),
                y.astype("float32"),
                batch_size=BATCH_SIZE,
                epochs=EPOCHS,
                callbacks=[cost],
                seed=seed,
                verbose=0,
            )
        except tfcourse.NonFiniteLossError:
            cost.excess += [np.inf] * (EPOCHS - len(cost.excess))
        excess[name].append(cost.excess)
excess = {name: np.array(each) for name, each in excess.items()}

print(f"{'cost above its minimum':28}{'after 2 epochs':>32}{f'after {EPOCHS} epochs':>32}")
for name, each in excess.items():
    print(f"{name:28}{spread(each[:, 1], '.1e'):>32}{spread(each[:, -1], '.1e'):>32}")

# %% [markdown]
# A large constant rate is fast and stays noisy; a small one is slow; the decayed one is both fast
# and quiet. Without α₀ the first rate is 1, and the first epochs throw w far away.

# %%
last = {name: each[:, -1] for name, each in excess.items()}
early = {name: each[:, 1] for name, each in excess.items()}
large, small, decay, e5 = SCHEDULES
better = (last[decay] < last[large]) & (early[decay] < early[small])
verdict(
    "5.12",
    better.sum() >= 0.9 * len(SEEDS),
    f"in {better.sum()} of {len(SEEDS)} seeds below the large constant rate at the end "
    f"({spread(last[decay], '.0e')} and {spread(last[large], '.0e')}) and below the small one "
    f"after two epochs ({spread(early[decay], '.0e')} and {spread(early[small], '.0e')})",
)

# %% [markdown]
# In a search this is `schedule = "inverse_time"`. In Keras, `LearningRateScheduler` takes the
# course's formula. `InverseTimeDecay` counts steps instead of epochs; with `staircase=True` and
# `decay_steps` = steps per epoch it has the same values here. (Compiled, at 41 steps an epoch for
# instance, its float32 quotient makes it late by a step in a few epochs.)

# %%
formula = 0.1 / (1 + DECAY_RATE * np.arange(EPOCHS))
keras_schedule = keras.optimizers.schedules.InverseTimeDecay(
    0.1, STEPS_PER_EPOCH, DECAY_RATE, staircase=True
)
for name, schedule in (("tfcourse's", decayed(0.1)), ("Keras's InverseTimeDecay", keras_schedule)):
    rates = [float(schedule(epoch * STEPS_PER_EPOCH)) for epoch in range(EPOCHS)]
    print(f"{name} beside the formula: at most {np.abs(rates - formula).max():.0e} apart")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
colors = ["#D55E00", "#E69F00", "#0072B2", "0.6"]
epochs = np.arange(1, EPOCHS + 1)
for (name, each), color in zip(excess.items(), colors, strict=True):
    axes[0].semilogy(epochs, np.median(each, axis=0), color=color, label=name, linewidth=2)
    axes[0].fill_between(epochs, each.min(0), each.max(0), color=color, alpha=0.12, linewidth=0)
    rate = SCHEDULES[name]
    first_steps = range(0, EPOCHS * STEPS_PER_EPOCH, STEPS_PER_EPOCH)
    rates = [float(rate(step)) if callable(rate) else rate for step in first_steps]
    axes[1].semilogy(epochs, rates, color=color, linewidth=2)
axes[0].set(xlabel="epoch", ylabel="cost above its minimum")
axes[0].set_title(f"{len(SEEDS)} seeds: median, least and most", loc="left")
axes[0].legend(frameon=False)
axes[1].set(xlabel="epoch", ylabel="learning rate α")
axes[1].set_title("The learning rate", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_12_learning_rate_decay")
