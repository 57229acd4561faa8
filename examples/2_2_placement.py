# %% [markdown]
# # Normalize before the activation, or after?
#
# Batch norm does for hidden layers what normalizing does for the inputs. Section 2.2 of the course
# puts it on z, before the activation; both placements are debated.
# `mlp(batch_norm="before_activation")` and `"after_activation"` build them:
#
# $$a = g(\text{BN}(z)) \qquad \text{or} \qquad a = \text{BN}(g(z))$$

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 2 if QUICK else 15
BATCH_SIZE = 77 if QUICK else 64  # 77 divides the train set: a smaller last step is a program more

# %%
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split
from tfcourse.models.build import mlp

RATES = np.geomspace(1e-3, 10, 3 if QUICK else 9)
PLACEMENTS = {"before_activation": "before", "after_activation": "after", "none": "none"}

digits, classes = load("digits").part, 10
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
train, dev = split.train, split.dev

# %% [markdown]
# Three hidden layers of 64 ReLUs on digits, by plain gradient descent, nine learning rates and ten
# seeds for each placement. We compare the accuracy on the dev set after one epoch and after all.

# %%
curves = {}
for placement in PLACEMENTS:

    def build(placement=placement):
        model = mlp((64,), classes, layers=3, units=64, batch_norm=placement)
        model.compile(
            tfcourse.GradientDescent(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
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
    accuracy = np.zeros((len(population.results), EPOCHS))  # 0 once a loss is not finite
    for row, result in zip(accuracy, population.results, strict=True):
        row[: len(result.history["val_accuracy"])] = result.history["val_accuracy"]
        row[len(result.history["val_accuracy"]) :] = 0
    curves[placement] = accuracy.reshape(len(RATES), len(SEEDS), EPOCHS)

best = {}
print(f"{'batch norm':20}{'best α':>8}{'1 epoch':>24}{f'{EPOCHS} epochs':>24}{'above 90 %':>12}")
for placement, each in curves.items():
    rate = np.median(each[..., -1], axis=1).argmax()
    best[placement] = each[rate]
    works = (np.median(each[..., -1], axis=1) > 0.9).sum()
    print(
        f"{placement:20}{RATES[rate]:>8.2g}{spread(each[rate, :, 0], '.1%'):>24}"
        f"{spread(each[rate, :, -1], '.1%'):>24}{works:>7} of {len(RATES)}"
    )

# %%
before, after, none = (best[placement] for placement in PLACEMENTS)
both = (before[:, -1] > none[:, -1]) & (after[:, -1] > none[:, -1])
sooner, at_the_end = before[:, 0] > after[:, 0], before[:, -1] > after[:, -1]
verdict(
    "2.2",
    both.sum() >= 0.8 * len(SEEDS)
    and min(np.median(before[:, 0]), np.median(after[:, 0])) > np.median(none[:, 0]),
    f"both placements above none in {both.sum()} of {len(SEEDS)} seeds, after 1 epoch "
    f"{spread(before[:, 0], '.0%')} before, {spread(after[:, 0], '.0%')} after, "
    f"{spread(none[:, 0], '.0%')} without; before is ahead of after in {sooner.sum()} seeds after "
    f"1 epoch and in {at_the_end.sum()} at the end",
)

# %% [markdown]
# On this data the debate has no winner: what matters is that there is batch norm.

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
colors = ["#0072B2", "#009E73", "#D55E00"]
for (placement, label), color in zip(PLACEMENTS.items(), colors, strict=True):
    epochs = np.arange(1, EPOCHS + 1)
    axes[0].plot(epochs, np.median(best[placement], axis=0), ".-", color=color, label=label)
    low, high = best[placement].min(0), best[placement].max(0)
    axes[0].fill_between(epochs, low, high, color=color, alpha=0.12, linewidth=0)
    axes[1].semilogx(RATES, np.median(curves[placement][..., -1], axis=1), "o-", color=color)
axes[0].set(xlabel="epoch", ylabel=f"dev accuracy, {len(SEEDS)} seeds")
axes[0].set_title("At the best learning rate", loc="left")
axes[0].legend(frameon=False, title="batch norm")
axes[1].set(xlabel="learning rate α", ylabel=f"median after {EPOCHS} epochs")
axes[1].set_title("At each learning rate", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "2_2_placement")
