# %% [markdown]
# # Ghost batch norm: large batches that generalise as small ones
#
# A modern week 3. Large mini-batches keep many machines busy, and as a rule generalise worse after
# the same number of epochs. Hoffer, Hubara and Soudry 2017, "Train longer, generalize better:
# closing the generalization gap in large batch training of neural networks" (arXiv:1705.08741),
# give three remedies: a learning rate that grows as the root of the batch size,
#
# $$\alpha_m = \alpha_{m_0} \sqrt{m / m_0}$$
#
# then *ghost batch norm*: the large batch is cut into virtual batches, each normalized by its own
# statistics, whose noise is that of small batches; and as many steps as the small batches have.
# They found, on CIFAR-10 and other sets, that ghost batch norm closes a part of the gap without
# more steps, and that nothing is left of it with as many steps as the small batches have.
#
# The call is `tfcourse.BatchNorm(virtual_batch_size=20)`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 6 if QUICK else 60
LONGER = EPOCHS * (2 if QUICK else 20)  # 20 times the epochs are as many steps
SMALL, LARGE = 20, 400
RATE = 0.07

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.data.sources import load
from tfcourse.training import Population

digits, classes = load("digits").part, 10
order = np.random.default_rng(0).permutation(len(digits.y))
x, y = digits.x[order], digits.y[order]
train, test = slice(0, 400), slice(400, None)

# %% [markdown]
# 400 digits, so that the large batch is all of them, and two hidden layers. Every setting adds one
# remedy to the one before; the last one leaves the ghosts out again.


# %%
def population_of(virtual_batch_size):
    layers = []
    for _ in range(2):
        norm = tfcourse.BatchNorm(virtual_batch_size=virtual_batch_size)
        layers += [keras.layers.Dense(64, use_bias=False), norm, keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((64,)), *layers, tfcourse.SoftmaxHead(classes)])
    model.compile(tfcourse.Momentum(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Population(model)


whole, ghosts = population_of(None), population_of(SMALL)


def test_errors(population, batch_size, rate, epochs=EPOCHS):
    """Return the test error of each seed at the end."""
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed, {"learning_rate": rate}) for seed in SEEDS],
        x[train],
        y[train],
        batch_size=batch_size,
        epochs=epochs,
        keep="last",
        verbose=0,
        jit_compile=False,
    )
    model, found = population.model, []
    for result in history.results:
        model.set_weights(result.weights)
        found.append(np.mean(model(x[test], training=False).numpy().argmax(1) != y[test]))
    return np.array(found)


root = RATE * np.sqrt(LARGE / SMALL)
found = {
    f"batches of {SMALL}": test_errors(whole, SMALL, RATE),
    f"batches of {LARGE}": test_errors(whole, LARGE, RATE),
    "+ learning rate × √20": test_errors(whole, LARGE, root),
    f"+ ghost batches of {SMALL}": test_errors(ghosts, LARGE, root),
    f"+ {LONGER // EPOCHS} × the epochs": test_errors(ghosts, LARGE, root, LONGER),
    "the same without ghosts": test_errors(whole, LARGE, root, LONGER),
}
for name, each in found.items():
    print(f"{name:26} test error {spread(each, '.1%')}")

# %%
small, large, rate, ghost, longer, without = found.values()
lower = ghost < rate
verdict(
    "M5",
    lower.sum() >= 0.8 * len(SEEDS) and np.median(rate) > np.median(small),
    f"test error of batches of {SMALL} {spread(small, '.1%')}; of {LARGE} {spread(rate, '.1%')}, "
    f"with ghost batches {spread(ghost, '.1%')}, lower in {lower.sum()} of {len(SEEDS)} seeds; "
    f"with {LONGER // EPOCHS} × the epochs {spread(longer, '.1%')}, and without ghosts "
    f"{spread(without, '.1%')}",
)

# %%
fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
colors = ["#009E73", "#D55E00", "#D55E00", "#0072B2", "#0072B2", "#D55E00"]
for row, (each, color) in enumerate(zip(found.values(), colors, strict=True)):
    ax.plot(100 * each, np.full(len(each), -row), "o", color=color, alpha=0.5)
    ax.plot(100 * np.median(each), -row, "|", color=color, markersize=20, markeredgewidth=2)
ax.axvline(100 * np.median(small), color="#009E73", linewidth=1, linestyle="--")
ax.set_yticks(-np.arange(len(found)), list(found))
ax.set(xlabel=f"test error, %, {len(SEEDS)} seeds")
ax.set_title("Each row adds one remedy to the one above", loc="left")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "M5_ghost_batch_norm")
