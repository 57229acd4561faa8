# %% [markdown]
# # Intuitions go stale: test again
#
# Section 1.6 of the course: hyperparameters that were good on the data and the machines of then
# need not be good now; test them again every few months. `tfcourse retest RUN_DIR` trains the best
# trials of an earlier search once more from its own record, on today's data and code, and reports
# whether their order and their scores hold.
#
# Here the change is one that happens: the images come from another pipeline, which no longer
# divides the pixels by 16. To compare with: more images, from the pipeline of then.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
TRIALS = 6 if QUICK else 10
EPOCHS = 3 if QUICK else 8
BATCH_SIZE = 60 if QUICK else 64  # 60 divides the train set: a smaller last step is a program more

# %%
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse
from tfcourse.training import Population

pixels, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
pixels, y = pixels[order].astype("float32"), y[order]
DATA = {"then": pixels / 16, "now": pixels}

# %% [markdown]
# ## A search, and its retest
#
# The learning rate alone, by gradient descent, on two thirds of the images. Both retests have the
# same trials and seeds: one on all of the images as they were then, one on the same two thirds as
# they are now.


# %%
def network(input_shape, classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(32, "relu"),
            tfcourse.SoftmaxHead(classes),
        ]
    )


def search_on(x, examples, folder):
    return tfcourse.Search(
        space={"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}},
        build=network,
        data=(x[:examples], y[:examples]),
        optimizer="gradient_descent",
        objective="val_loss",
        name="then",
        strategy="quasi_random",
        trials=TRIALS,
        epochs=EPOCHS,
        out=folder,
    )


with tempfile.TemporaryDirectory() as folder:
    search_on(DATA["then"], 1200, folder).run(verbose=False)
    more, retested = (
        tfcourse.retest(search_on(DATA[name], examples, folder), top=TRIALS, verbose=False)
        for name, examples in (("then", len(y)), ("now", 1200))
    )


def shown(score):
    return "failed" if score is None else f"{score:.3f}"


print(f"{'trial':>5}{'loss then':>12}{'more images':>14}{'loss now':>12}")
for same, changed in zip(more.trials, retested.trials, strict=True):
    old = f"{same.trial:>5}{same.old_score:>12.3f}"
    print(f"{old}{shown(same.new_score):>14}{shown(changed.new_score):>12}")
for name, each in (("more images", more), ("the images of now", retested)):
    print(f"on {name}, {each.swapped} of {each.pairs} pairs have changed places")

# %% [markdown]
# ## Ten seeds
#
# The same question over ten seeds: the best learning rate of then, used now, beside the best of
# now.

# %%
RATES = np.geomspace(1e-3, 1, 7 if QUICK else 13)


model = network((64,), 10)
model.compile(tfcourse.GradientDescent(0.1), "sparse_categorical_crossentropy")
population = Population(model)


def losses(x):
    """Return the dev losses, shape (rates, seeds); inf where a training diverged."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed, {"learning_rate": rate}) for rate in RATES for seed in SEEDS],
        x[:1200],
        y[:1200],
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(x[1200:], y[1200:]),
        validation_batch_size=len(y) - 1200,
        verbose=0,
    )
    last = [
        np.inf if result.stopped == "not finite" else result.history["val_loss"][-1]
        for result in history.results
    ]
    return np.reshape(last, (len(RATES), len(SEEDS)))


loss = {name: losses(x) for name, x in DATA.items()}
best = {name: each.argmin(axis=0) for name, each in loss.items()}
seeds = np.arange(len(SEEDS))
stale, fresh = loss["now"][best["then"], seeds], loss["now"][best["now"], seeds]
print(f"best learning rate then: {spread(RATES[best['then']], '.2g')}")
print(f"best learning rate now:  {spread(RATES[best['now']], '.2g')}")
print(f"dev loss now, with that of then: {spread(stale, '.2f')}")
print(f"dev loss now, with that of now:  {spread(fresh, '.2f')}")

# %%
worse = stale > 1.1 * fresh
verdict(
    "1.6",
    retested.swapped > more.swapped and worse.sum() >= 0.9 * len(SEEDS),
    f"the retest swaps {retested.swapped} of {retested.pairs} pairs, on more images as they were "
    f"{more.swapped}; the best learning rate goes from {spread(RATES[best['then']], '.2g')} to "
    f"{spread(RATES[best['now']], '.2g')}, and the old one is more than 10 % worse in "
    f"{worse.sum()} of {len(SEEDS)} seeds",
)

# %%
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (name, each), color in zip(loss.items(), ("#0072B2", "#D55E00"), strict=True):
    finite = np.where(np.isfinite(each), each, np.nan)
    ax.loglog(RATES, finite, "o", color=color, alpha=0.3, markersize=4)
    middle = np.median(each, axis=1)
    ax.loglog(RATES, np.where(np.isfinite(middle), middle, np.nan), color=color, label=name)
ax.set(xlabel="learning rate α", ylabel=f"dev loss, {len(SEEDS)} seeds")
ax.set_title("The best learning rate of then is not that of now", loc="left")
ax.legend(frameon=False, title="data")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "1_6_stale_intuitions")
