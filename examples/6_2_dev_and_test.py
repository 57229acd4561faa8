# %% [markdown]
# # Choose on the dev set, estimate once on the test set
#
# Section 6.2 of the course: train many models on the train set, choose among them on the dev set,
# and measure the one that was chosen, once, on the test set. The score by which a model was chosen
# is too good: of k scores with noise, the largest is as a rule one whose noise is positive,
#
# $$\mathrm{E}\left[\max_{i \le k} (a_i + \varepsilon_i)\right] \ge \max_{i \le k} a_i$$
#
# with the true accuracy aᵢ and the noise εᵢ of a finite dev set. The test set took no part in the
# choice, so that its noise has mean 0 for the chosen model.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
MODELS = 20 if QUICK else 60  # of each seed
SIZES = [1, 5, 20] if QUICK else [1, 2, 5, 10, 20, 60]
EPOCHS = 10
SPLITS = 200
HELD_OUT = 100  # examples in the dev set, and in the test set

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]

# %% [markdown]
# Every seed has its own models: different initial weights, and learning rates on the log scale.
# One program trains them all, on 300 digits. The other 1497 are for dev and test.

# %%
random = np.random.default_rng(1)


def build():
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(16, "relu"),
            tfcourse.SoftmaxHead(classes),
        ]
    )
    model.compile(tfcourse.Adam(), "sparse_categorical_crossentropy")
    return model


members = [
    tfcourse.Member(seed, {"learning_rate": 10 ** random.uniform(-2.5, -1.0)})
    for seed in range(len(SEEDS) * MODELS)
]
population = tfcourse.fit_population(
    build, members, x[:300], y[:300], batch_size=50, epochs=EPOCHS, keep="last", verbose=0
)
model, right = build(), []
for result in population.results:
    model.set_weights(result.weights)
    right.append(model(x[300:]).numpy().argmax(1) == y[300:])
right = np.array(right).reshape(len(SEEDS), MODELS, -1)  # by seed, model and example

# %% [markdown]
# Nothing more has to be trained: a split draws 100 examples for dev and 100 for test; the accuracy
# on all but the dev set, 1397 examples, stands for the truth. We choose the best of k models on
# dev, 200 times for each seed and k, each time with another split and other models.


# %%
def scores_of_best(right, k, random):
    """Return the dev score, the test score and the truth of the chosen model, split by split."""
    found = []
    for _ in range(SPLITS):
        rows = random.permutation(right.shape[1])
        dev, test, new = rows[:HELD_OUT], rows[HELD_OUT : 2 * HELD_OUT], rows[HELD_OUT:]
        candidates = random.choice(len(right), k, replace=False)
        scores = right[np.ix_(candidates, dev)].mean(axis=1)
        chosen = candidates[scores.argmax()]
        found.append((scores.max(), right[chosen, test].mean(), right[chosen, new].mean()))
    return np.array(found)


# In percent, by k, seed, split, and which of the three.
scores = 100 * np.array(
    [
        [scores_of_best(right[seed], k, np.random.default_rng([k, seed])) for seed in SEEDS]
        for k in SIZES
    ]
)
dev_points = (scores[..., 0] - scores[..., 2]).mean(axis=-1)
test_points = (scores[..., 1] - scores[..., 2]).mean(axis=-1)

print(f"{'points above the truth':24}{'dev score':>28}{'test score':>28}")
for k, dev, test in zip(SIZES, dev_points, test_points, strict=True):
    print(f"best of {k:<16}{spread(dev, '+.2f'):>28}{spread(test, '+.2f'):>28}")

# %% [markdown]
# The dev score of one model alone is as honest as its test score. It is the choice that spoils it,
# and the more models there are to choose from, the more. The same happens to the test set if it is
# asked again and again: then it is a second dev set, and a new test set is needed. And where the
# dev set or the metric prefers a model that users find worse, change them first, then go on.

# %%
grows = (np.diff(dev_points, axis=0) > 0).all(axis=0)
error = test_points[-1].std(ddof=1) / np.sqrt(len(SEEDS))
verdict(
    "6.2",
    grows.sum() >= 0.9 * len(SEEDS)
    and (dev_points[-1] > 0).sum() >= 0.9 * len(SEEDS)
    and abs(test_points[-1].mean()) < 2 * error,
    f"{len(SEEDS)} seeds: the dev score of the best of {SIZES[-1]} is "
    f"{spread(dev_points[-1], '+.1f')} points off, of one model {spread(dev_points[0], '+.1f')}, "
    f"growing with k in {grows.sum()} of {len(SEEDS)}; the test score "
    f"{spread(test_points[-1], '+.1f')}, mean {test_points[-1].mean():+.2f} ± {error:.2f}",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for values, color, label in ((dev_points, "#D55E00", "dev"), (test_points, "#0072B2", "test")):
    for seed in SEEDS:
        axes[0].plot(SIZES, values[:, seed], "o", color=color, alpha=0.35)
    axes[0].plot(SIZES, np.median(values, axis=1), color=color, linewidth=2, label=label)
axes[0].axhline(0, color="0.6", linewidth=1)
axes[0].set(xscale="log", xlabel="k, the models to choose from", ylabel="points above the truth")
axes[0].set_xticks(SIZES, SIZES)
axes[0].minorticks_off()
axes[0].set_title("The dev score of the chosen model is too good", loc="left")
axes[0].legend(frameon=False, title="score on")

for which, color in ((0, "#D55E00"), (1, "#0072B2")):
    points = (scores[-1, ..., which] - scores[-1, ..., 2]).ravel()
    axes[1].hist(points, bins=np.arange(-9.5, 10), color=color, alpha=0.55)
    axes[1].axvline(points.mean(), color=color, linewidth=2)
axes[1].set(xlabel="points above the truth", ylabel="choices", xlim=(-9.5, 9.5))
axes[1].set_title(f"Every choice of the best of {SIZES[-1]}, and the means", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "6_2_dev_and_test")
