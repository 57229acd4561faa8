# %% [markdown]
# # Transfer learning: a new last layer, then fine-tuning
#
# Section 6.6 of the course: a network that has learned one task from much data has features that a
# second task with little data can use. Replace the last layer, train it while all the others stay
# as they are, then train all of them with a small learning rate. It pays when the source has more
# data than the target and the two share low-level features.
#
# In Keras that is three lines:
#
# ```python
# features.trainable = False  # train the new last layer alone
# model = keras.Sequential([features, SoftmaxHead(classes)])
# features.trainable = True  # then fine-tune everything
# ```
#
# Batch norm must stay in inference mode while its layer is frozen, with the moving averages of the
# source: the batches of a few new examples would spoil them. Keras's layers and `BatchNorm` do so
# by themselves where `trainable` is False. For the fine-tuning we freeze batch norm alone.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EXAMPLES = [80] if QUICK else [20, 80, 400]
STEPS = 120
DECISIVE = 80  # examples

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.training import Population

digits = load("digits").part
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
source, target = x[:900], x[900:]
loop = np.isin(y[900:], [0, 6, 8, 9]).astype(int)
TASKS = {  # the source's x and y, the target's x and y
    "the ten digits → is there a loop?": (source, y[:900], target, loop),
    "digits 0–4 → digits 5–9": (x[y < 5][:900], y[y < 5][:900], x[y > 4], y[y > 4]),
}

# %% [markdown]
# Two targets. Whether a digit has a loop (0, 6, 8, 9) needs features that a network for all ten
# digits has. Digits 5 to 9 are new to a network for 0 to 4: it shares strokes with them, at most.
# Of the target there are 20 to 400 examples to learn from, and nearly 500 for the test. Each seed
# has its own source network and its own examples. (Every last layer has ten outputs, so that one
# compiled program serves all.)


# %%
def hidden_layers():
    layers = []
    for _ in range(2):
        layers += [
            keras.layers.Dense(64, use_bias=False),
            tfcourse.BatchNorm(),
            keras.layers.ReLU(),
        ]
    return keras.Sequential([keras.Input((64,)), *layers])


def compiled(features, rate):
    model = keras.Sequential([keras.Input((64,)), features, tfcourse.SoftmaxHead(10)])
    model.compile(tfcourse.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


population = Population(compiled(hidden_layers(), 0.01))
members = [tfcourse.Member(seed) for seed in SEEDS]
sources = {
    name: tfcourse.fit_population(
        population, members, x, y, batch_size=50, epochs=5, keep="last", verbose=0
    ).results
    for name, (x, y, *_) in TASKS.items()
}

# %% [markdown]
# For each number of examples a training from scratch, and the last layer alone followed by all of
# them, with as many steps together. Every training begins with the optimizer's first state.


# %%
def start_of(model):
    """Return the values of the optimizer's variables before the first step."""
    model.optimizer.build(model.trainable_variables)
    return [variable.numpy() for variable in model.optimizer.variables]


scratch = compiled(hidden_layers(), 0.01)

features = hidden_layers()
features.trainable = False
last_layer = compiled(features, 0.01)

features = hidden_layers()
for layer in features.layers:
    layer.trainable = not isinstance(layer, tfcourse.BatchNorm)
everything = compiled(features, 0.001)

first_weights = []
for seed in SEEDS:
    keras.utils.set_random_seed(seed)
    first_weights.append(compiled(hidden_layers(), 0.01).get_weights())

starts = {id(model): start_of(model) for model in (scratch, last_layer, everything)}


def error_after(model, weights, x, y, rows, steps, seed):
    """Return the test error after a training from these weights."""
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, starts[id(model)], strict=True):
        variable.assign(value)
    rows = np.resize(rows, 400)  # repeated, so that an epoch is always 10 steps
    tfcourse.fit(model, x[rows], y[rows], batch_size=40, epochs=steps // 10, seed=seed, verbose=0)
    return np.mean(model(x[400:], training=False).numpy().argmax(1) != y[400:])


def balanced(y, count, seed):
    """Return rows of as many examples of each class, from the first 400."""
    rows, classes = np.random.default_rng(seed).permutation(400), np.unique(y)
    return np.concatenate([rows[y[rows] == c][: count // len(classes)] for c in classes])


def three_errors(source_weights, x, y, count, seed):
    """Return the error from scratch, with a new last layer, and fine-tuned after that."""
    new = first_weights[seed]
    transferred = [*source_weights[:-2], *new[-2:]]  # W and b of the last layer are new
    few = x, y, balanced(y, count, seed)
    first = error_after(scratch, new, *few, STEPS, seed)
    second = error_after(last_layer, transferred, *few, STEPS // 2, seed)
    third = error_after(everything, last_layer.get_weights(), *few, STEPS // 2, seed)
    return first, second, third


# By task: for each number of examples and seed, the three errors.
found = {
    name: np.array(
        [
            [three_errors(r.weights, x, y, n, seed) for seed, r in enumerate(sources[name])]
            for n in EXAMPLES
        ]
    )
    for name, (_, _, x, y) in TASKS.items()
}
NAMES = ["from scratch", "new last layer", "then fine-tuned"]
for task, errors in found.items():
    print(f"{task:36}" + "".join(f"{f'{n} examples':>24}" for n in EXAMPLES))
    for name, each in zip(NAMES, np.moveaxis(errors, -1, 0), strict=True):
        print(f"    {name:32}" + "".join(f"{spread(values, '.1%'):>24}" for values in each))

# %% [markdown]
# Where the source has the features, 80 examples with transfer come nearer to 400 from scratch than
# to 80, and fine-tuning gains on top; 20 are too few for both. Where it does not have them,
# transfer *hurts*: a network for 0 to 4 has learned to see what tells these five apart, and no
# more. (The same with two convolutions in place of the dense layers, three seeds: 22.7 % from
# scratch and 29.7 % by transfer with 5 examples, 9.4 % and 9.4 % with 20, 5.0 % and 6.5 % with 80.)
# Large networks for many classes are another matter: Yosinski et al. 2014, "How transferable are
# features in deep neural networks?", find that features of ImageNet help even distant tasks, the
# first layers most.

# %%
i = EXAMPLES.index(DECISIVE)
near, far = (errors[i, :, 0] - errors[i, :, 2] for errors in found.values())
loops, others = found.values()
verdict(
    "6.6",
    (near > 0).sum() >= 0.9 * len(SEEDS),
    f"{DECISIVE} examples, is there a loop: test error {spread(loops[i, :, 0], '.1%')} from "
    f"scratch, {spread(loops[i, :, 2], '.1%')} by transfer, lower in {(near > 0).sum()} of "
    f"{len(SEEDS)} seeds; where the features are not shared, digits 5–9 from 0–4, "
    f"{spread(others[i, :, 0], '.1%')} and {spread(others[i, :, 2], '.1%')}, lower in "
    f"{(far > 0).sum()}",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for ax, (task, errors) in zip(axes, found.items(), strict=True):
    for name, each, color, shift in zip(
        NAMES,
        100 * np.moveaxis(errors, -1, 0),
        ("#D55E00", "#56B4E9", "#0072B2"),
        (0.94, 1, 1.06),
        strict=True,
    ):
        at = shift * np.array(EXAMPLES)
        ax.plot(at, each, "o", color=color, alpha=0.35)
        ax.plot(at, np.median(each, axis=1), color=color, linewidth=2, label=name)
    ax.set(xscale="log", xlabel="examples of the target", ylim=(0, None))
    ax.set_xticks(EXAMPLES, EXAMPLES)
    ax.minorticks_off()
    ax.set_title(task, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set(ylabel=f"test error, %, {len(SEEDS)} seeds")
axes[1].legend(frameon=False)
save(fig, "6_6_transfer_learning")
