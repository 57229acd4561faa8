# %% [markdown]
# # Data mismatch: split again, move some dev data, synthesise with variety
#
# Section 6.5 of the course. There is much data of one distribution, and little of the one that
# counts. A network that is trained on the first has a gap from train-dev to dev: data mismatch.
# What helps:
#
# - **Split again**: dev and test have only data that counts; a part of it goes into training.
#   `tfcourse.strategy.split_with_train_dev(source, target, dev=0.25, test=0.5)`.
# - **Synthesise**: make the plentiful data look like the data that counts. Beware of too little
#   variety: of 10 000 hours of speech over the *same* hour of car noise, a network learns that hour
#   by heart, though each recording sounds right. `tfcourse.strategy.check_variety` measures it.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 12 if QUICK else 25
FEW, MANY = 3, 810

# %%
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

import tfcourse
from tfcourse.data.sources import load
from tfcourse.training import Population

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]

# %% [markdown]
# 900 clean digits, and 897 that were written on patterned paper: a smooth random pattern, another
# one for every digit, is added to the ink. These count.


# %%
def patterns(count, seed):
    """Return patterns of 8 × 8 pixels, flat, with mean 0 and a standard deviation of 0.45."""
    noise = np.random.default_rng(seed).normal(size=(count, 8, 8))
    smooth = gaussian_filter(noise, sigma=(0, 1.2, 1.2), mode="wrap").reshape(count, 64)
    return (0.45 * smooth / smooth.std(axis=1, keepdims=True)).astype("float32")


source = x[:900], y[:900]
target = x[900:] + patterns(897, seed=1), y[900:]
sets = tfcourse.strategy.split_with_train_dev(source, target, train_dev=0.1, dev=0.25, test=0.5)
clean = tfcourse.strategy.split_with_train_dev(source, target, train_dev=0.1, dev=0.5, test=0.5)
clean_x, clean_y = clean.train
print(f"moved into training: {len(sets.train[1]) - len(clean_y)} digits on patterned paper")

# %% [markdown]
# To synthesise, we photograph paper without digits, and add it to the clean digits: three sheets,
# or a sheet for every digit. (The sheets are not those of the dev or the test set.)

# %%
sheets = patterns(MANY, seed=2)


def synthesised(count, seed=3):
    """Return the clean digits, each with one of the first sheets."""
    chosen = np.random.default_rng(seed).permutation(len(clean_x)) % count
    return clean_x + sheets[chosen], chosen


few, few_chosen = synthesised(FEW)
many, many_chosen = synthesised(MANY)
with warnings.catch_warnings(action="ignore"):
    varieties = {
        FEW: tfcourse.strategy.check_variety(synthetic=sheets[few_chosen], real=patterns(800, 4)),
        MANY: tfcourse.strategy.check_variety(synthetic=sheets[many_chosen], real=patterns(800, 4)),
    }
for count, variety in varieties.items():
    print(f"\n{count} sheets:\n{variety}")

# %% [markdown]
# ## Training
#
# Every setting has as many steps.


# %%
def build():
    hidden = keras.layers.Dense(64, "relu")
    model = keras.Sequential([keras.Input((64,)), hidden, tfcourse.SoftmaxHead(classes)])
    model.compile(tfcourse.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


population, model = Population(build), build()


def train(x, y):
    """Return each seed's weights, after as many steps as EPOCHS of the clean digits."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed) for seed in SEEDS],
        x,
        y,
        batch_size=50,
        epochs=round(EPOCHS * len(clean_y) / len(y)),
        keep="last",
        verbose=0,
    )
    return [result.weights for result in history.results]


def errors(networks, data):
    (x, y), found = data, []
    for weights in networks:
        model.set_weights(weights)
        found.append(np.mean(model(x).numpy().argmax(1) != y))
    return np.array(found)


both_y = np.concatenate([clean_y, clean_y])
networks = {
    "clean digits": train(clean_x, clean_y),
    "+ some moved from dev": train(*sets.train),
    f"+ {FEW} sheets synthesised": train(np.concatenate([clean_x, few]), both_y),
    f"+ {MANY} sheets synthesised": train(np.concatenate([clean_x, many]), both_y),
}
model.set_weights(networks["clean digits"][0])
diagnosis = tfcourse.strategy.diagnose_model(model, human=0.02, **clean._asdict())
print(f"\nclean digits, the first seed:\n{diagnosis}\n")

error = {name: errors(each, sets.test) for name, each in networks.items()}
on_train_dev = {name: errors(each, clean.train_dev) for name, each in networks.items()}
print(f"{f'error, {len(SEEDS)} seeds':26}{'train-dev (clean)':>24}{'test':>24}")
for name in networks:
    print(f"{name:26}{spread(on_train_dev[name], '.1%'):>24}{spread(error[name], '.1%'):>24}")

# %% [markdown]
# The three sheets lower the error of a network that had never seen paper, and the 810 lower it by
# more, from the same clean digits: what is missing is not more examples but more variety.

# %%
plain, moved, few_sheets, many_sheets = error.values()
variety = many_sheets < few_sheets
helps = (moved < plain) & (many_sheets < plain)
verdict(
    "6.5",
    helps.sum() >= 0.9 * len(SEEDS)
    and variety.sum() >= 0.9 * len(SEEDS)
    and bool(varieties[FEW].warnings) > bool(varieties[MANY].warnings),
    f"test error {spread(plain, '.1%')} from clean digits, {spread(moved, '.1%')} with some moved "
    f"from dev, {spread(few_sheets, '.1%')} with {FEW} synthesised backgrounds and "
    f"{spread(many_sheets, '.1%')} with {MANY}: more variety is better in {variety.sum()} of "
    f"{len(SEEDS)} seeds; check_variety warns of the {FEW} alone",
)

# %%
fig, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), layout="constrained", width_ratios=[1, 1.6]
)
shown = np.concatenate([clean_x[:4], target[0][:4], few[:4], many[:4]]).reshape(4, 4, 8, 8)
shown = np.pad(shown, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan)
left.imshow(shown.transpose(0, 2, 1, 3).reshape(40, 40), cmap="gray_r", vmin=-0.6, vmax=1.4)
left.set_yticks([4.5, 14.5, 24.5, 34.5], ["clean", "counts", f"{FEW} sheets", f"{MANY} sheets"])
left.set_xticks([])
left.spines[:].set_visible(False)
for row, each in enumerate(error.values()):
    color = "#0072B2" if row in (1, 3) else "#D55E00"
    right.plot(100 * each, np.full(len(each), -row), "o", color=color, alpha=0.5)
    right.plot(100 * np.median(each), -row, "|", color=color, markersize=20, markeredgewidth=2)
right.set_yticks(-np.arange(len(error)), list(error))
right.set(xlabel=f"test error on the data that counts, %, {len(SEEDS)} seeds", xlim=(0, None))
right.set_title("The variety of what is synthesised decides", loc="left")
right.spines[["top", "right"]].set_visible(False)
save(fig, "6_5_data_mismatch")
