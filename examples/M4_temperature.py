# %% [markdown]
# # Temperature calibration
#
# A modern week 3. Softmax gives probabilities; are 90 % of the predictions with a probability of
# 0.9 right? Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks"
# (arXiv:1706.04599): modern networks are too sure, and one number, fitted on the dev set, corrects
# most of it,
#
# $$\hat y = \operatorname{softmax}(z / T)$$
#
# They measure the expected calibration error: sort the predictions into bins by their confidence,
#
# $$\mathrm{ECE} = \sum_i \frac{n_i}{m} \left| \text{accuracy}_i - \text{confidence}_i \right|$$
#
# On CIFAR-100 with a ResNet of 110 layers it fell from 16.5 % to 1.3 %. The order of the classes
# does not change, and the accuracy does not either. The call is `tfcourse.calibrate`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 60 if QUICK else 150

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.formulas.calibration import expected_calibration_error, reliability_bins

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x = digits.x[order] + np.random.default_rng(1).normal(0, 0.35, digits.x.shape)
x, y = x.astype("float32"), digits.y[order]
dev, test = slice(300, 700), slice(700, None)

# %% [markdown]
# Noisy digits, of which a network of two hidden layers learns 300 by heart. On those its
# probabilities become 1, and it is as sure on new ones.


# %%
def build():
    hidden = [keras.layers.Dense(64, "relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *hidden, tfcourse.SoftmaxHead(classes)])
    model.compile(tfcourse.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


members = [tfcourse.Member(seed) for seed in SEEDS]
population = tfcourse.fit_population(
    build, members, x[:300], y[:300], batch_size=50, epochs=EPOCHS, keep="last", verbose=0
)

# %% [markdown]
# For each seed: T from the dev set, and the measures on the test set, which it has not seen.

# %%
model = build()
rows, probabilities = [], {"T = 1": [], "calibrated": []}
for result in population.results:
    model.set_weights(result.weights)
    calibration = tfcourse.calibrate(model, x[dev], y[dev])
    after = calibration.measure(x[test], y[test])
    plain = model(x[test]).numpy()
    calibrated = calibration.apply(x[test])
    probabilities["T = 1"].append(plain)
    probabilities["calibrated"].append(calibrated)
    same = (plain.argmax(1) == calibrated.argmax(1)).all()
    rows.append((calibration.temperature, after.error, after.loss, after.accuracy, same))
temperature, after, loss_after, accuracy, same = map(np.array, zip(*rows, strict=True))


def bins_of(probability):
    correct = probability.argmax(-1) == np.broadcast_to(y[test], probability.shape[:-1])
    return reliability_bins(probability.max(-1).ravel(), correct.ravel(), 15)


before = np.array([expected_calibration_error(bins_of(p)) for p in probabilities["T = 1"]])
true = np.arange(len(y[test])), y[test]
loss_before = np.array([-np.log(each[true]).mean() for each in probabilities["T = 1"]])
print(f"temperature T {spread(temperature, '.2f')}; accuracy {spread(accuracy, '.1%')}")
print(f"calibration error {spread(before, '.1%')} → {spread(after, '.1%')}")
print(f"loss on the test set {spread(loss_before, '.2f')} → {spread(loss_after, '.2f')}")

# %%
lower = after < before
verdict(
    "M4",
    lower.sum() >= 0.9 * len(SEEDS) and (temperature > 1).sum() >= 0.9 * len(SEEDS) and same.all(),
    f"calibration error on the test set {spread(before, '.1%')} → {spread(after, '.1%')}, lower in "
    f"{lower.sum()} of {len(SEEDS)} seeds; T {spread(temperature, '.2f')}, found on the dev set; "
    f"the same {spread(accuracy, '.1%')} right",
)

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained", width_ratios=[1, 1, 0.8])
for ax, (name, each), color in zip(
    axes, probabilities.items(), ("#D55E00", "#0072B2"), strict=False
):
    bins = bins_of(np.array(each))
    centers = (np.arange(15) + 0.5) / 15
    filled = bins.sizes >= 20  # the share of fewer is noise
    ax.bar(centers[filled], bins.accuracy[filled], 1 / 15, color=color, edgecolor="white")
    ax.plot([0, 1], [0, 1], "k--", linewidth=1)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share that is right")
    ax.set_title(f"{name}, {len(SEEDS)} seeds together", loc="left")
axes[2].plot([0, 1], [before, after], "o-", color="0.5", linewidth=1)
axes[2].set_xticks([0, 1], ["T = 1", "calibrated"])
axes[2].set(xlim=(-0.3, 1.3), ylim=(0, None), ylabel="expected calibration error")
axes[2].yaxis.set_major_locator(plt.MultipleLocator(0.05))
axes[2].yaxis.set_major_formatter("{x:.0%}")
axes[2].set_title("On the test set, by seed", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "M4_temperature")
