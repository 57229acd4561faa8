# %% [markdown]
# # Schedules with warm-up: small steps first, then large ones, then small again
#
# A decay (section 5.12) begins with its largest learning rate, when the weights are random and the
# gradients large and changing; with Adam the averages of their squares are also those of a few
# steps. Goyal et al. (2017) let the rate of large-batch training rise over the first epochs, and
# Google's *Deep Learning Tuning Playbook* (2023) prescribes a warm-up where a larger rate would be
# good but training is unstable at its beginning. Loshchilov and Hutter (2017) let it fall as half a
# cosine. Together, with a share w of all T steps for the warm-up:
#
# $$\alpha_t = \alpha_0 \, \frac{t}{wT} \ \text{ for } t < wT, \qquad
# \alpha_t = \frac{\alpha_0}{2} \left(1 + \cos \pi \frac{t - wT}{T - wT}\right) \ \text{ after}$$
#
# In a search these are `schedule = "cosine"` and `warmup = 0.2` in `[training]`, or hyperparameters
# in `[space]`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
RATES = (0.03,) if QUICK else (0.003, 0.01, 0.03, 0.1)
EPOCHS, WARMUP = 4 if QUICK else 15, 0.2

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
STEPS_PER_EPOCH = 20  # of 60 examples
STEPS = EPOCHS * STEPS_PER_EPOCH

# %% [markdown]
# Networks of eight hidden layers without batch norm, by Adam. The parameters of a
# `TrainingSchedule` are variables, so that one program trains all rates, schedules and seeds.

# %%
SCHEDULES = {
    "constant": {"schedule": "constant"},
    "warm-up, constant": {"schedule": "constant", "warmup": WARMUP},
    "cosine": {"schedule": "cosine"},
    "warm-up, cosine": {"schedule": "cosine", "warmup": WARMUP},
}


def build():
    model = mlp((64,), 10, layers=8, units=64, batch_norm="none")
    rate = TrainingSchedule(0.01, "constant", STEPS, STEPS_PER_EPOCH)
    model.compile(tfcourse.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


members = [
    tfcourse.Member(seed, {"learning_rate": rate, **settings})
    for settings in SCHEDULES.values()
    for rate in RATES
    for seed in SEEDS
]
population = tfcourse.fit_population(
    build,
    members,
    x,
    y,
    batch_size=60,
    epochs=EPOCHS,
    validation_data=dev,
    validation_batch_size=597,
    keep="last",
    verbose=0,
)
# A training whose loss became NaN has learned nothing.
last = [
    0.0 if result.stopped == "not finite" else result.history["val_accuracy"][-1]
    for result in population.results
]
tables = np.reshape(last, (len(SCHEDULES), len(RATES), len(SEEDS)))
accuracy = dict(zip(SCHEDULES, tables, strict=True))

TRAINED = 0.9
print(f"dev accuracy, and the seeds of {len(SEEDS)} that reach {TRAINED:.0%}")
for name, table in accuracy.items():
    cells = [f"{spread(row, '.0%')} {np.sum(row >= TRAINED):2}" for row in table]
    print(f"{name:20}" + "".join(f"{cell:>19}" for cell in cells))
print(f"{'learning rate α₀':20}" + "".join(f"{rate:>19}" for rate in RATES))

# %% [markdown]
# At the rate of 0.03 the deep network is lost in its first steps, and the cosine alone does not
# bring it back; with the warm-up it trains. The warm-up has its limit: at 0.1 it does not help, and
# batch norm does (section 2.6), with which all seeds reached 90 % at each of these rates with the
# cosine, with a warm-up or without. It is also no substitute for the decay: at a constant rate the
# network is lost after the warm-up. And where each schedule has its own best rate, the warm-up
# gains little here: it widens the range of rates that train.

# %%
large = RATES.index(0.03)
lost, saved = accuracy["cosine"][large], accuracy["warm-up, cosine"][large]
constant = accuracy["warm-up, constant"][large]
best = {name: table[np.median(table, axis=1).argmax()] for name, table in accuracy.items()}
trained = [int(np.sum(each >= TRAINED)) for each in (lost, saved, constant)]
verdict(
    "M3",
    trained[1] >= 0.9 * len(SEEDS)
    and trained[0] <= 0.5 * len(SEEDS)
    and bool(np.sum(saved > constant) >= 0.9 * len(SEEDS)),
    f"at α = 0.03 cosine trains {trained[0]} of {len(SEEDS)} seeds "
    f"({spread(lost, '.0%')}), with warm-up {trained[1]} ({spread(saved, '.0%')}), warm-up and a "
    f"constant rate {trained[2]} ({spread(constant, '.0%')}); each at its own best rate: "
    + ", ".join(f"{name} {spread(each, '.1%')}" for name, each in best.items()),
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained")
COLORS = ["0.55", "#E69F00", "#56B4E9", "#0072B2"]
steps = np.arange(STEPS)
for number, (name, settings) in enumerate(SCHEDULES.items()):
    color = COLORS[number]
    rate = TrainingSchedule(0.03, steps=STEPS, steps_per_epoch=STEPS_PER_EPOCH, **settings)
    rates = [float(rate(step)) for step in steps]
    axes[0].plot(steps / STEPS_PER_EPOCH, rates, color=color, linewidth=2, label=name)
    for place, row in enumerate(accuracy[name]):
        at = place + 0.19 * (number - 1.5)
        axes[1].plot(np.full(len(row), at), row, "o", color=color, alpha=0.6, markersize=5)
        axes[1].plot(at, np.median(row), "_", color=color, markersize=14, markeredgewidth=2.5)
axes[0].set(xlabel="epoch", ylabel="learning rate α", ylim=(0, 0.04))
axes[0].set_title("The schedules with α₀ = 0.03", loc="left")
axes[0].legend(frameon=False, loc="upper center", ncols=2)
axes[1].axhline(TRAINED, color="0.8", linewidth=1, zorder=0)
axes[1].set(xlabel="learning rate α₀", ylabel="dev accuracy", ylim=(0, 1.02))
axes[1].set_xticks(range(len(RATES)), [str(rate) for rate in RATES])
axes[1].set_title(f"Eight layers without batch norm, {len(SEEDS)} seeds each", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "M3_schedules_with_warmup")
