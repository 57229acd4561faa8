# %% [markdown]
# # Softmax: straight boundaries, until there are hidden layers
#
# A softmax layer compares C linear functions of its input, z = W a + b (section 3 of the course).
# Section 3.4: what kind of region can it cut out of the plane? Without hidden layers every boundary
# between two classes is a straight line; with them it is not.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 15 if QUICK else 60
BATCH_SIZE = 75 if QUICK else 64  # 75 divides the sets: a smaller last step is a program more
CLASSES = (3, 6) if QUICK else (3, 4, 5, 6)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import tfcourse
from tfcourse.models.build import mlp

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


def train(build, points, label, learning_rate):
    """Return the trained weights of each seed's model, and a model to put them into."""

    def compiled():
        model = build(label.max() + 1)
        loss = "sparse_categorical_crossentropy"
        model.compile(tfcourse.Adam(learning_rate), loss, metrics=["accuracy"])
        return model

    members = [tfcourse.Member(seed) for seed in SEEDS]
    population = tfcourse.fit_population(
        compiled,
        members,
        points,
        label,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        keep="last",
        verbose=0,
    )
    return [result.weights for result in population.results], compiled()


MODELS = {
    "no hidden layer": (softmax_regression, 0.05),
    "two hidden layers": (with_hidden_layers, 0.01),
}
data = {classes: arms(classes) for classes in CLASSES}
trained = {
    (name, classes): train(build, *data[classes], learning_rate)
    for classes in CLASSES
    for name, (build, learning_rate) in MODELS.items()
}

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
winner, accuracy, bends = {}, {}, {}
print(f"{'':18}{'':8}{'farthest point from a line':>28}{'right':>26}")
for (name, classes), (weights, model) in trained.items():
    points, label = data[classes]
    found = []
    for values in weights:
        model.set_weights(values)
        z = compute_logits(model, flat_grid).reshape(*grid.shape[:2], classes)
        predicted = compute_logits(model, points).argmax(-1)
        found.append((largest_bend(z), np.mean(predicted == label), z.argmax(-1)))
    bends[name, classes], accuracy[name, classes], winners = zip(*found, strict=True)
    winner[name, classes] = winners[0]
    cells = spread(bends[name, classes], ".1g"), spread(accuracy[name, classes], ".0%")
    print(f"{name:18}C = {classes:<4}{cells[0]:>28}{cells[1]:>26}")

# %% [markdown]
# The arms have length 1, and 1e-07 is float32's rounding.

# %%
straight, bent = (
    np.array([bends[name, classes] for classes in CLASSES]).max(axis=0) for name in MODELS
)
better = [
    np.greater(accuracy["two hidden layers", classes], accuracy["no hidden layer", classes]).all()
    for classes in CLASSES
]
verdict(
    "3.4",
    (straight < 1e-5).all() and (bent > 0.05).all() and all(better),
    f"C = {min(CLASSES)} to {max(CLASSES)}, {len(SEEDS)} seeds: boundaries at most "
    f"{straight.max():.0e} from a straight line without hidden layers, "
    f"{spread(bent, '.2f')} with two",
)

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
        ax.set_title(f"C = {classes}: {accuracy[name, classes][0]:.0%} right", fontsize=11)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, fontsize=12)
title = "Softmax cuts straight, hidden layers bend the cuts"
fig.suptitle(title, x=0.01, ha="left", fontsize=14)
save(fig, "3_4_softmax_boundaries")
