# %% [markdown]
# # A hyperparameter search, from Python
#
# A search is a TOML file: what to train, on what data, and which hyperparameters to draw on which
# scale. `tuner_configs/digits.toml` draws four of them at random (section 1.2 of the course:
# random points, not a grid), each on its own scale (1.4 and 1.5). The command for it is
# `tfcourse search tuner_configs/digits.toml`; this is the same from Python.

# %%
from tfcourse.course import QUICK, project_file, save, spread, verdict

SEEDS = range(10)
TRIALS, EPOCHS = (3, 2) if QUICK else (14, 5)
MODELS = 8 if QUICK else 32
BATCH_SIZE = 77 if QUICK else 64  # 77 divides the train set: a smaller last step is a program more
COMPARED = 2 if QUICK else 6  # trials that two workers train too

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.formulas.scales import to_value
from tfcourse.models.build import mlp
from tfcourse.search.data.loading import load_split

# %% [markdown]
# ## Run it
#
# Every trial is recorded in a run directory, here in a temporary folder. In a permanent one, an
# interrupted search resumes when it is run again: trial 7 has the same values whatever happened
# before it.

# %%
CONFIG = project_file("tuner_configs/digits.toml")

folder = tempfile.TemporaryDirectory()
search = tfcourse.Search.from_toml(
    CONFIG,
    trials=TRIALS,
    epochs=EPOCHS,
    out=folder.name,
)
result = search.run(verbose=False)

print(f"{len(result.trials)} trials, {len(result.ranking)} completed, best first:\n")
print(f"{'trial':>5}{'score':>8}{'α':>12}{'β₁':>9}{'units':>7}{'layers':>8}")
for record in result.ranking:
    values = record.values
    print(
        f"{record.trial:5}{record.score:8.3f}{values['learning_rate']:12.5f}"
        f"{values['beta_1']:9.4f}{values['units']:7}{values['layers']:8}"
    )

# %% [markdown]
# ## Use what it found
#
# The trials were compared on the dev set, so the best score there is a little too good: it was
# chosen for being the highest. The test set took no part in the choice. It is used once, for the
# winner (section 6.2). A search that is given more trials measures a new winner too;
# `summary.json` then holds both measurements, and the search warns of it.

# %%
model = result.best_model()
test = load_split(search.config).test
right = np.mean(model.predict(test.x, verbose=0).argmax(1) == test.y)

print(f"\nBest trial {result.best.trial}")
print(f"  dev accuracy, which chose it:       {result.best.score:.3f}")
print(f"  test accuracy, measured once:       {result.summary.test['accuracy']:.3f}")
print(f"  test accuracy of the loaded model:  {right:.3f}")

# %% [markdown]
# ## The picture
#
# Which hyperparameter mattered? The course puts the learning rate first in its order of
# priorities (section 1.1). Against the learning rate, on the log axis on which it was drawn, the
# scores form a plateau with an edge on each side. The scatter that is left is the work of the other
# three.

# %%
rates = np.array([record.values["learning_rate"] for record in result.ranking])
scores = np.array([record.score for record in result.ranking])
lowest = scores[(rates >= 1e-3) & (rates <= 1e-1)].min()
best = result.best

fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ax.plot(rates, scores, "o", color="#0072B2", markersize=7)
ax.plot(rates[0], scores[0], "o", color="#D55E00", markersize=11)
ax.annotate(f"trial {best.trial}: {best.score:.1%} at α = {rates[0]:.2g}", (rates[0], scores[0]),
            (0, 12), textcoords="offset points", ha="center", color="#D55E00")  # fmt: skip
ax.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.1), yticks=np.arange(0, 1.01, 0.2))
ax.set(xlabel="learning rate α", ylabel="dev accuracy")
ax.yaxis.set_major_formatter("{x:.0%}")
title = f"All trials with α from 0.001 to 0.1 scored at least {np.floor(100 * lowest):.0f} %"
ax.set_title(title, loc="left")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "1_8_search")

# %% [markdown]
# ## Caviar: many workers, the same trials
#
# Section 1.8 of the course: with enough to compute with, train many models in parallel, leave them
# alone, and keep the best. The search above does so with `--workers 2` on this machine, with
# `tfcourse chief` and `worker` on several, and always has the same trials. Here its first trials
# once more, by two processes.

# %%
in_parallel = tfcourse.Search.from_toml(
    CONFIG, name="two_workers", trials=COMPARED, epochs=EPOCHS, out=folder.name
).run(verbose=False, workers=2)


def outcomes(found):
    """Return the values and the score of each of the first trials."""
    return {
        record.trial: (record.values, record.score)
        for record in found.ranking
        if record.trial < COMPARED
    }


same = sum(outcomes(result).get(trial) == each for trial, each in outcomes(in_parallel).items())
print(f"trials of two workers with the values and the score of one: {same} of {COMPARED}")

# %% [markdown]
# ## Caviar: many models in one program
#
# Small models go into one program, `caviar = "population"` or `tfcourse.fit_population`. Ten times
# we train that many models side by side, α and β₁ drawn at random, and compare the best by its dev
# accuracy with the first, the one model that somebody would have who can't train more. It costs as
# many times the computation.

# %%
split = load_split(search.config)
train, dev, test = split.train, split.dev, split.test


def build():
    model = mlp((64,), 10, layers=2, units=32)
    model.compile(tfcourse.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


random = np.random.default_rng(0)
alphas = to_value(random.random((len(SEEDS), MODELS)), 1e-4, 0.1, "log")
betas = to_value(random.random((len(SEEDS), MODELS)), 0.8, 0.99, "one_minus_log")
population = tfcourse.fit_population(
    build,
    [
        tfcourse.Member(1000 * seed + i, {"learning_rate": alpha, "beta_1": beta})
        for seed in SEEDS
        for i, (alpha, beta) in enumerate(zip(alphas[seed], betas[seed], strict=True))
    ],
    train.x,
    train.y,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(dev.x, dev.y),
    validation_batch_size=len(dev.y),
    keep="last",
    verbose=0,
)
on_dev = np.reshape([each.history["val_accuracy"][-1] for each in population.results], alphas.shape)
model = build()


def test_accuracy(seed, member):
    model.set_weights(population.results[seed * MODELS + member].weights)
    return np.mean(model(test.x).numpy().argmax(1) == test.y)


one = np.array([test_accuracy(seed, 0) for seed in SEEDS])
best_of_many = np.array([test_accuracy(seed, on_dev[seed].argmax()) for seed in SEEDS])
print(f"one model, test accuracy:        {spread(one, '.1%')}")
print(f"the best of {MODELS:2}, test accuracy:   {spread(best_of_many, '.1%')}")
won = best_of_many > one
verdict(
    "1.8",
    same == COMPARED and won.sum() >= 0.8 * len(SEEDS),
    f"the best of {MODELS} at once is better on the test set than one of them at random "
    f"in {won.sum()} of {len(SEEDS)} seeds: {spread(best_of_many, '.1%')} instead of "
    f"{spread(one, '.1%')} after {EPOCHS} epochs; two workers repeat {same} of {COMPARED} trials "
    "of one exactly",
)

# %%
folder.cleanup()
