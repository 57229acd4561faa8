# %% [markdown]
# # Normalized inputs make the cost round
#
# Section 2.1 of the course: when one input runs from 0 to 1000 and another from 0 to 1, the cost's
# contours are long ellipses. Gradient descent needs a learning rate small enough for the steep
# direction and then takes many steps along the flat one. Subtract each input's mean and divide by
# its standard deviation, both from the *train set*, and the contours become round:
#
# $$x \leftarrow \frac{x - \mu}{\sigma}$$
#
# How long the ellipses are is the condition number of the cost's second derivatives, the largest
# curvature divided by the least.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
LIMIT = 2_000 if QUICK else 20_000  # steps
EPOCHS = 10 if QUICK else 100

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import tfcourse
from tfcourse.training import Population

# %% [markdown]
# ## Two inputs
#
# Linear regression, whose second derivatives are XᵀX/m (twice that for the squared error). We take
# the best learning rate that there is for a quadratic, 2/(λ_max + λ_min), and count the steps until
# the cost has come within 1 % of its distance from the minimum.


# %%
def inputs(seed):
    """Return two inputs on scales that are 100 to 1000 times apart, and y."""
    random = np.random.default_rng(seed)
    scale = random.uniform(100, 1000)
    x = np.column_stack([random.uniform(0, scale, 200), random.uniform(0, 1, 200)])
    return x, x @ [3 / scale, 2.0] + random.normal(0, 0.1, 200)


def normalize(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def descend(x, y):
    """Return the condition number, the steps to the target and the first 60 points of the path."""
    x = np.column_stack([x, np.ones(len(x))])  # the last weight is b
    hessian, gradient_at_0 = x.T @ x / len(x), -x.T @ y / len(x)
    best = np.linalg.solve(hessian, -gradient_at_0)
    curvatures = np.linalg.eigvalsh(hessian)
    rate = 2 / (curvatures[0] + curvatures[-1])

    w, path, steps = np.zeros(3), [], np.inf
    distance = best @ hessian @ best
    for step in range(LIMIT):
        path.append(w)
        if (w - best) @ hessian @ (w - best) < 0.01 * distance:
            steps = step
            break
        w = w - rate * (hessian @ w + gradient_at_0)
    return curvatures[-1] / curvatures[0], steps, np.array(path[:60])


data = [inputs(seed) for seed in SEEDS]
runs = {
    "as they are": [descend(x, y) for x, y in data],
    "normalized": [descend(normalize(x), y) for x, y in data],
}
conditions = {name: np.array([run[0] for run in each]) for name, each in runs.items()}
steps = {name: np.array([run[1] for run in each]) for name, each in runs.items()}


def in_words(steps):
    return spread(steps, ".0f") if np.isfinite(steps).all() else f"more than {LIMIT}"


print(f"{'':14}{'condition number':>36}{'steps':>20}")
for name in runs:
    print(f"{name:14}{spread(conditions[name]):>36}{in_words(steps[name]):>20}")

# %% [markdown]
# ## Thirty inputs
#
# Breast cancer: areas of up to 2500 beside smoothnesses of 0.1. Softmax regression by mini-batch
# gradient descent at 13 learning rates from 1e-6 to 1; the best accuracy on the dev set of each
# seed's half. In a search, `[data] normalize = "standardize"` fits μ and σ on the train set, and
# puts them into the best model.

# %%
x, y = load_breast_cancer(return_X_y=True)
RATES = np.geomspace(1e-6, 1, 7 if QUICK else 13)


def build():
    model = keras.Sequential([keras.Input((30,)), tfcourse.SoftmaxHead(2)])
    model.compile(
        tfcourse.GradientDescent(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


order = np.random.default_rng(0).permutation(len(y))
train, dev = order[:285], order[285:]
mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
population, accuracies = Population(build), {}
for name, values in (("as they are", x), ("normalized", (x - mean) / deviation)):
    values = values.astype("float32")
    history = tfcourse.fit_population(
        population,
        [tfcourse.Member(seed, {"learning_rate": rate}) for rate in RATES for seed in SEEDS],
        values[train],
        y[train],
        batch_size=32,
        epochs=EPOCHS,
        validation_data=(values[dev], y[dev]),
        validation_batch_size=len(dev),
        verbose=0,
    )
    last = [(result.history["val_accuracy"] or [0])[-1] for result in history.results]
    accuracies[name] = np.reshape(last, (len(RATES), len(SEEDS)))
    best = np.median(accuracies[name], axis=1).argmax()
    works = (np.median(accuracies[name], axis=1) > 0.95).sum()
    print(
        f"{name:14}best learning rate {RATES[best]:.0e}: {spread(accuracies[name][best], '.1%')}; "
        f"above 95 % at {works} of {len(RATES)} rates"
    )

# %%
fewer = steps["normalized"] < steps["as they are"]
rounder = conditions["normalized"] < conditions["as they are"]
better = accuracies["normalized"].max(axis=0) > accuracies["as they are"].max(axis=0)
verdict(
    "2.1",
    fewer.all() and rounder.all() and better.sum() >= 0.9 * len(SEEDS),
    f"condition number {spread(conditions['as they are'], '.1e')} → "
    f"{spread(conditions['normalized'], '.2g')}, steps "
    f"{in_words(steps['as they are'])} → {in_words(steps['normalized'])}; breast cancer, the best "
    f"rate: better in {better.sum()} of {len(SEEDS)} seeds",
)

# %% [markdown]
# ## The picture
#
# The cost over the two weights, with b at its best for each, and the path of gradient descent. So
# that the ellipses can be seen at all, the first input runs from 0 to 8 only.


# %%
def contours(ax, x, y, path):
    x, y = x - x.mean(axis=0), y - y.mean()
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    reach = np.maximum(np.abs(path[:, :2] - best).max(axis=0), np.abs(best)) * 1.3
    axes = [
        np.linspace(middle - width, middle + width, 120)
        for middle, width in zip(best, reach, strict=True)
    ]
    mesh = np.stack(np.meshgrid(*axes), axis=-1) - best
    height = np.einsum("abi,ij,abj->ab", mesh, x.T @ x / len(x), mesh)
    ax.contour(*axes, height, levels=height.max() * np.geomspace(1e-3, 1, 10), cmap="Blues_r")
    ax.plot(*path[:, :2].T, ".-", color="#D55E00", linewidth=1)
    ax.plot(*best, "k+", markersize=12)
    ax.set(xlabel="w₁", ylabel="w₂", aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)


fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
x, y = data[0]
x = x / x.max(axis=0) * [8, 1]
for ax, values, name in ((axes[0], x, "Inputs as they are"), (axes[1], normalize(x), "Normalized")):
    _, needed, path = descend(values, y)
    contours(ax, values, y, path)
    ax.set_title(f"{name}: {needed:.0f} step{'s' if needed > 1 else ''}", loc="left")
save(fig, "2_1_input_normalization")
