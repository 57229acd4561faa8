# %% [markdown]
# # A hyperparameter search, from Python
#
# A search is a TOML file: what to train, on what data, and which hyperparameters to draw on which
# scale. `tuner_configs/digits.toml` draws four of them at random (section 1.2 of the course:
# random points, not a grid), each on its own scale (1.4 and 1.5). The command for it is
# `tfcourse search tuner_configs/digits.toml`; this is the same from Python.

# %%
from tfcourse.course import QUICK, project_file, save

TRIALS, EPOCHS = (3, 2) if QUICK else (14, 5)

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import tfcourse
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
# four.

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

# %%
folder.cleanup()
