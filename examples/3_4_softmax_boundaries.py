# %% [markdown]
# # Softmax: straight boundaries, until there are hidden layers
#
# Softmax is what logistic regression becomes with more than two classes (section 3 of the course):
# C linear functions of the input, z = W a + b, turned into C probabilities. This example first
# does the arithmetic of sections 3.1 and 3.2, and then looks at section 3.4: what kind of region
# can a softmax layer cut out of the plane?

# %%
from tfcourse.course import QUICK, save

EPOCHS = 5 if QUICK else 60

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import tfcourse
from tfcourse.formulas.softmax import hardmax, softmax
from tfcourse.models.build import mlp

# %% [markdown]
# ## Four numbers become four probabilities
#
# t = e^z makes every number positive, a = t / Σ t makes them sum to 1. The order stays. Hardmax
# keeps nothing but the winner; softmax is its soft form.

# %%
z = np.array([5.0, 2.0, -1.0, 3.0])
t = np.exp(z)
print(f"z       {z}")
print(f"t = e^z {np.round(t, 1)}, sum {t.sum():.1f}")
print(f"softmax {np.round(softmax(z).numpy(), 3)}   course: [0.842, 0.042, 0.002, 0.114]")
print(f"hardmax {hardmax(z).numpy()}               course: [1, 0, 0, 0]")

# %% [markdown]
# ## Points in the plane
#
# C arms that turn around the origin, one for each class. The more arms there are, the less a
# straight line can do to separate two neighbours.


# %%
def arms(classes, per_class=150):
    """Return points (x₁, x₂) of every class, each along its own curved arm."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(classes), per_class)
    radius = rng.uniform(0.1, 1.0, label.size)
    noise = rng.normal(0, 0.7 / classes, label.size)
    angle = 2 * np.pi * label / classes + 1.8 * radius + noise
    points = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points.astype(np.float32), label


# %% [markdown]
# ## Two models
#
# Softmax regression is a `SoftmaxHead` and nothing else. The other model puts two hidden layers
# before the same head.


# %%
def softmax_regression(classes):
    return keras.Sequential([keras.Input((2,)), tfcourse.SoftmaxHead(classes)])


def with_hidden_layers(classes):
    return mlp((2,), classes, layers=2, units=32, batch_norm="none")


def train(model, points, label, learning_rate):
    model.compile(
        tfcourse.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    tfcourse.fit(model, points, label, batch_size=64, epochs=EPOCHS, seed=0, verbose=0)
    return model


MODELS = {
    "no hidden layer": (softmax_regression, 0.05),
    "two hidden layers": (with_hidden_layers, 0.01),
}
CLASSES = (3, 6) if QUICK else (3, 4, 5, 6)

data = {classes: arms(classes) for classes in CLASSES}
models = {}
for classes in CLASSES:
    keras.utils.set_random_seed(0)
    for name, (build, learning_rate) in MODELS.items():
        models[name, classes] = train(build(classes), *data[classes], learning_rate)

# %% [markdown]
# ## How straight is a boundary?
#
# Two classes i and j meet where their probabilities are equal, which is where z_i = z_j. Without
# hidden layers that reads (w_i - w_j)·x + (b_i - b_j) = 0, the equation of a straight line. We
# need not take its word for it. Walk over a fine grid; wherever the most probable class changes
# from i to j between two neighbouring points, interpolate to where z_i - z_j is 0. Then fit a line
# through all the points where i meets j, and see how far the farthest of them lies from it. (A
# distance of 1e-07 is float32's rounding.)

# %%
axis = np.linspace(-1.1, 1.1, 301)
grid = np.stack(np.meshgrid(axis, axis), axis=-1)


def compute_logits(model, x):
    """z, the input of the softmax."""
    *hidden, head = model.layers
    for layer in hidden:
        x = layer(x)
    return head.compute_logits(x).numpy()


def crossings(z, grid):
    """Return where the most probable class changes along a grid's rows: from, to, and points."""
    winner = z.argmax(-1)
    row, column = np.nonzero(winner[:, :-1] != winner[:, 1:])
    here, there = (row, column), (row, column + 1)
    i, j = winner[here], winner[there]
    gap_here, gap_there = z[*here, i] - z[*here, j], z[*there, i] - z[*there, j]
    share = gap_here / (gap_here - gap_there)
    points = grid[here] + share[:, None] * (grid[there] - grid[here])
    return np.minimum(i, j), np.maximum(i, j), points


def largest_bend(z):
    """Return the largest distance of a boundary's points from their best straight line."""
    along_rows = crossings(z, grid)
    along_columns = crossings(z.swapaxes(0, 1), grid.swapaxes(0, 1))
    i, j, points = map(np.concatenate, zip(along_rows, along_columns, strict=True))
    largest = 0.0
    for pair in {*zip(i, j, strict=True)}:
        boundary = points[(i == pair[0]) & (j == pair[1])]
        boundary = boundary - boundary.mean(0)
        normal = np.linalg.svd(boundary)[2][1]
        largest = max(largest, np.abs(boundary @ normal).max())
    return largest


flat_grid = grid.reshape(-1, 2).astype(np.float32)
winner, accuracy = {}, {}
print("\nFarthest point of a boundary from a straight line (the arms have length 1)")
print(f"{'':18}" + "".join(f"{f'C = {classes}':>10}" for classes in CLASSES))
for name in MODELS:
    bends = []
    for classes in CLASSES:
        z = compute_logits(models[name, classes], flat_grid).reshape(*grid.shape[:2], classes)
        bends.append(largest_bend(z))
        winner[name, classes] = z.argmax(-1)
        points, label = data[classes]
        predicted = compute_logits(models[name, classes], points).argmax(-1)
        accuracy[name, classes] = np.mean(predicted == label)
    print(f"{name:18}" + "".join(f"{bend:10.1g}" for bend in bends))

# %% [markdown]
# ## The picture
#
# The same points in both rows; the colour of the ground is the most probable class.

# %%
COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]

fig, axes = plt.subplots(2, len(CLASSES), figsize=(3 * len(CLASSES), 6.4), layout="constrained")
for row, name in zip(axes, MODELS, strict=True):
    for ax, classes in zip(row, CLASSES, strict=True):
        points, label = data[classes]
        colors = ListedColormap(COLORS[:classes])
        regions, extent = winner[name, classes], (-1.1, 1.1, -1.1, 1.1)
        ax.imshow(regions, cmap=colors, alpha=0.3, origin="lower", extent=extent)
        ax.scatter(*points.T, c=label, cmap=colors, s=5, linewidths=0)
        ax.set_title(f"C = {classes}: {accuracy[name, classes]:.0%} right", fontsize=11)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, fontsize=12)
title = "Softmax cuts straight, hidden layers bend the cuts"
fig.suptitle(title, x=0.01, ha="left", fontsize=14)
save(fig, "3_4_softmax_boundaries")
