# %% [markdown]
# # Panda: one model, watched and nudged
#
# Section 1.7 of the course: where there is compute for one model only, one watches it. Day by day
# one looks at the loss, raises or lowers the learning rate α, and when that goes wrong returns to
# the model of the day before. `tfcourse babysit` does so from the command line, `Babysitter` from
# Python: it keeps a checkpoint for each epoch, a rollback restores weights, optimizer, shuffling
# and hyperparameters, and a journal says what was done and why. A nudge after epoch n changes only
# what follows:
#
# $$\theta_{n+1} = \text{train}(\theta_n, \alpha'), \qquad
# \text{rollback: } \theta := \theta_n$$
#
# The script `1_7_panda_or_caviar` compares the panda with many models at once.

# %%
from tfcourse.course import QUICK, over_seeds, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 7 if QUICK else 16

# %%
import shutil
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tfcourse
from tfcourse.models.build import mlp

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
x, y = (x[order] / 16).astype("float32"), y[order]
dev, x, y = (x[:597], y[:597]), x[597:], y[597:]

folder = tempfile.TemporaryDirectory()


def network(rate=0.0003):
    model = mlp((64,), 10, units=64, batch_norm="none")
    model.compile(tfcourse.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def babysitter(seed, name):
    """Return the babysitter of a model; of a name that exists it continues the training."""
    keras.utils.set_random_seed(seed)
    return tfcourse.Babysitter(
        network(),
        x,
        y,
        Path(folder.name) / name,
        validation_data=dev,
        batch_size=60,
        seed=seed,
        on_explosion="ignore",  # here the person who watches decides
        verbose=False,
    )


# %% [markdown]
# ## A day with the panda
#
# It begins at α = 0.0003. After three epochs the loss falls too slowly: α = 0.3. Two epochs later
# it has risen: back to epoch 3, and on with 0.005. The same decisions for all ten seeds.

# %%
START, BOLD, RIGHT = 0.0003, 0.3, 0.005


def watch(seed, name):
    panda = babysitter(seed, name)
    panda.train(3)
    panda.nudge(learning_rate=BOLD, because="the loss falls slowly")
    bold = panda.train(5)["val_loss"]
    panda.rollback(to=3, learning_rate=RIGHT, because=f"the loss rose at {BOLD}")
    panda.train(6)
    return panda, bold


watched, branches = [], []
for seed in SEEDS:
    panda, bold = watch(seed, f"panda_{seed}")
    if seed == SEEDS[-1]:  # the record of a panda that is switched off here, for later
        shutil.copytree(panda.directory, Path(folder.name) / "interrupted")
    watched.append(panda.train(EPOCHS)["val_loss"])
    branches.append(bold)
watched, branches = np.array(watched), np.array(branches)

print("The journal's commands:")
for entry in panda.journal:
    if entry.because:
        before, after = entry.changes["learning_rate"]
        print(f"  {entry.kind:9}from epoch {entry.epoch}: α {before} → {after}, {entry.because}")

# %% [markdown]
# The same seeds left alone, at each of the three rates, trained in one program.

# %%
rates = (START, BOLD, RIGHT)
population = tfcourse.fit_population(
    network,
    [tfcourse.Member(seed, {"learning_rate": rate}) for rate in rates for seed in SEEDS],
    x,
    y,
    batch_size=60,
    epochs=EPOCHS,
    validation_data=dev,
    validation_batch_size=60,
    keep="last",
    verbose=0,
)
alone = [result.history["val_loss"] for result in population.results]
alone = dict(zip(rates, np.reshape(alone, (len(rates), len(SEEDS), EPOCHS)), strict=True))

print(f"\ndev loss after {EPOCHS} epochs, {len(SEEDS)} seeds")
print(f"{'watched':26}{spread(watched[:, -1]):>22}")
for rate, each in alone.items():
    print(f"{f'left alone at {rate}':26}{spread(each[:, -1]):>22}")

# %% [markdown]
# ## Switched off, and once more
#
# A training that is watched for days is interrupted. One panda is switched off after epoch 6: a new
# `Babysitter` on its folder, with a new model, continues. Another repeats the journal. Both must
# end with the weights of the first.


# %%
def difference(model, other):
    """Return the largest difference of two models' weights."""
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


continued = babysitter(SEEDS[-1], "interrupted")
continued.train(EPOCHS)
repeated = babysitter(SEEDS[-1], "repeated")
repeated.train(EPOCHS, replay=panda.directory / "journal.jsonl")
apart = [difference(panda.model, other.model) for other in (continued, repeated)]
print(f"\nlargest difference of a weight, continued: {apart[0]:.0e}, repeated: {apart[1]:.0e}")

# %% [markdown]
# The nudges were not clever: a search would have found 0.005 as well, and a model that has it from
# the beginning is as good. They are what one model can afford. The rollback is the point: without
# it the two bold epochs would have stayed.

# %%
rose = branches[:, 4] > branches[:, 2]  # after epoch 5, by the loss before the nudge
better = (watched[:, -1] < alone[START][:, -1]) & (watched[:, -1] < alone[BOLD][:, -1])
verdict(
    "1.7",
    min(rose.sum(), better.sum()) >= 0.9 * len(SEEDS) and max(apart) == 0,
    f"the nudge to {BOLD} raises the dev loss in {rose.sum()} of {len(SEEDS)} seeds; rolled back, "
    f"the watched model's is below that of the models left alone at {START} and {BOLD} in "
    f"{over_seeds(watched[:, -1], better)}, alone {spread(alone[START][:, -1])} and "
    f"{spread(alone[BOLD][:, -1])}; continued and repeated weights differ by at most "
    f"{max(apart):.0e}",
)

# %%
fig, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
epochs = np.arange(1, EPOCHS + 1)
for rate, color in ((START, "0.6"), (BOLD, "#E69F00")):
    middle = np.median(alone[rate], axis=0)
    ax.semilogy(epochs, middle, color=color, linewidth=2, label=f"left alone at {rate}")
    ax.fill_between(
        epochs, alone[rate].min(0), alone[rate].max(0), color=color, alpha=0.15, linewidth=0
    )
ax.semilogy(epochs, np.median(watched, axis=0), color="#0072B2", linewidth=2.5, label="watched")
ax.fill_between(epochs, watched.min(0), watched.max(0), color="#0072B2", alpha=0.15, linewidth=0)
ax.plot((3, 4, 5), np.median(branches, axis=0)[2:5], "--", color="#D55E00", linewidth=2)
ax.annotate(f"nudged to {BOLD},\nrolled back to epoch 3", (5, np.median(branches[:, 4])), (-30, 8),
            textcoords="offset points", color="#D55E00")  # fmt: skip
ax.set(xlabel="epoch", ylabel="dev loss", ylim=(None, 6))
ax.set_title(f"One model, watched: median and range of {len(SEEDS)} seeds", loc="left")
ax.legend(frameon=False, loc="lower left")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "1_7_babysitting")

# %%
folder.cleanup()
