# %% [markdown]
# # One example at test time
#
# In training the mean and the variance come from the mini-batch. At test time there may be one
# example, and one example has no spread: z - μ is exactly 0. Section 2.8 of the course uses
# exponentially weighted averages of μ and σ² that were collected in training,
#
# $$v \leftarrow \beta v + (1-\beta)\,\mu_\text{batch},$$
#
# about the mean of the last 1/(1-β) mini-batches. Any reasonable estimate works, among them a pass
# of the whole train set through the final network: `tfcourse.recalibrate(model, x)`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS, DIGITS = (5, 20) if QUICK else (20, 100)
BATCH_SIZE = 77 if QUICK else 64  # 77 divides the train set: a smaller last step is a program more

# %%
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split
from tfcourse.formulas.averages import weighted_average
from tfcourse.models.build import mlp

digits, classes = load("digits").part, 10
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
train, test = split.train, split.test

# %% [markdown]
# ## Alone or in a batch
#
# Ten networks with batch norm, trained on the digits. Each predicts 100 test digits in one batch,
# and one by one; then one by one with the *example's own* statistics, which is what `training=True`
# does; and then with the exact statistics of the train set.


# %%
def build():
    model = mlp((64,), classes, layers=2, units=64)
    model.compile(tfcourse.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


population = tfcourse.fit_population(
    build,
    [tfcourse.Member(seed) for seed in SEEDS],
    train.x,
    train.y,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    keep="last",
    verbose=0,
)
model, x, y = build(), test.x[:DIGITS], test.y[:DIGITS]
norms = [layer for layer in model.layers if isinstance(layer, tfcourse.BatchNorm)]
apart, alone, own, answers, moved, changed = [], [], [], [], [], []
for result in population.results:
    model.set_weights(result.weights)
    averaged = model(test.x, training=False).numpy()
    together = model(x, training=False).numpy()
    single = np.concatenate([model(one[None], training=False).numpy() for one in x])
    apart.append(np.abs(together - single).max())
    alone.append(np.mean(single.argmax(1) == y))

    averages = [layer.moving_mean.numpy() for layer in norms]
    deviations = [np.sqrt(layer.moving_variance.numpy()) for layer in norms]
    tfcourse.recalibrate(model, train.x, verbose=0)
    distance = [
        np.abs(layer.moving_mean.numpy() - average) / deviation
        for layer, average, deviation in zip(norms, averages, deviations, strict=True)
    ]
    moved.append(np.mean(distance))
    exact = model(test.x, training=False).numpy()
    changed.append(np.mean(exact.argmax(1) != averaged.argmax(1)))

    wrong = np.concatenate([model(one[None], training=True).numpy() for one in x]).argmax(1)
    own.append(np.mean(wrong == y))
    answers.append(len(np.unique(wrong)))

print(f"a digit alone and in a batch: probabilities at most {max(apart):.0e} apart")
print(f"accuracy, alone:                         {spread(alone, '.0%')}")
print(f"accuracy, alone with its own statistics: {spread(own, '.0%')}")
print(f"different answers among these digits:    {spread(answers, '.0f')}")
print(f"moving averages from the whole set's means, in σ: {spread(moved, '.3f')}")
print(f"predictions that the exact statistics change:     {spread(changed, '.1%')}")

verdict(
    "2.8",
    max(apart) < 1e-5 and max(moved) < 0.1 and max(changed) <= 0.02,
    f"{len(SEEDS)} seeds: alone or in a batch at most {max(apart):.0e} apart; the moving averages "
    f"are {spread(moved, '.3f')} σ from the whole set's, and change {spread(changed, '.1%')} of "
    f"the predictions; with its own statistics a digit is right in {spread(own, '.0%')}",
)

# %% [markdown]
# ## The cold start
#
# An average that starts at 0 is too small at first; divided by 1 - βᵗ, the weight of all values so
# far, it is right from the first. The larger β, the smoother and the slower: it spans about 1/(1-β)
# values. `BatchNorm(bias_correction=True)` does the same for its averages.

# %%
days = np.arange(1, 201)
series = 10 + 3 * np.sin(days / 30) + np.random.default_rng(0).normal(0, 2, len(days))
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
axes[0].plot(days, series, ".", color="0.75", markersize=4)
for beta, color in ((0.5, "#E69F00"), (0.9, "#D55E00"), (0.98, "#0072B2")):
    label = f"β = {beta}, about {1 / (1 - beta):.0f} values"
    axes[0].plot(
        days, weighted_average(series, beta, bias_correction=True), color=color, label=label
    )
axes[0].plot(
    days, weighted_average(series, 0.98), "--", color="#0072B2", label="β = 0.98, uncorrected"
)
axes[0].set(xlabel="t")
axes[0].set_title("Exponentially weighted averages", loc="left")
axes[0].legend(frameon=False, fontsize=9)
kinds = {"alone": alone, "alone, with its\nown statistics": own}
for row, each in enumerate(kinds.values()):
    axes[1].plot(each, np.full(len(each), -row), "o", color="#0072B2", alpha=0.5, markersize=9)
axes[1].set_yticks([0, -1], [*kinds])
axes[1].set(xlabel=f"accuracy on test digits, {len(SEEDS)} seeds", xlim=(0, 1.03), ylim=(-1.5, 0.5))
axes[1].set_title("One example at a time", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_8_test_time")
