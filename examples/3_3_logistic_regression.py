# %% [markdown]
# # Two classes: softmax is logistic regression
#
# With C = 2, section 3.3 of the course, only the difference of the two numbers counts:
#
# $$\text{softmax}(z)_1 = \frac{e^{z_1}}{e^{z_0} + e^{z_1}} = \frac{1}{1 + e^{-(z_1 - z_0)}} =
# \text{sigmoid}(z_1 - z_0)$$
#
# So a softmax of two classes, trained, must end where logistic regression does.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(4 if QUICK else 10)
STEPS = 500 if QUICK else 3000

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import tfcourse
from tfcourse.formulas.softmax import softmax

# %% [markdown]
# ## The identity

# %%
identity = []
for seed in SEEDS:
    z = np.random.default_rng(seed).normal(0, 5, size=(1000, 2))
    sigmoid = 1 / (1 + np.exp(-(z[:, 1] - z[:, 0])))
    identity.append(np.abs(softmax(z).numpy()[:, 1] - sigmoid).max())
print(f"softmax(z)[1] and sigmoid(z1 - z0): at most {max(identity):.0e} apart")

# %% [markdown]
# ## The same optimum
#
# Two clouds that overlap. A `SoftmaxHead(2)`, trained by gradient descent on the whole set in
# float64, beside scikit-learn's `LogisticRegression` without a penalty, which solves for the
# optimum: the softmax's $w_1 - w_0$ must be its w, and the probabilities the same.
#
# Each of the two weight vectors takes half of the step, in opposite directions, so that a softmax
# with learning rate α moves as logistic regression does with 2α.


# %%
def clouds(seed):
    random = np.random.default_rng(seed)
    y = np.repeat([0, 1], 100)
    x = random.normal(size=(200, 2)) + np.where(y[:, None] == 1, 1.0, -1.0) * random.uniform(
        0.3, 0.8, 2
    )
    return x, y


model = keras.Sequential(
    [keras.Input((2,), dtype="float64"), tfcourse.SoftmaxHead(2, dtype="float64")]
)
apart, weights_apart = [], []
for seed in SEEDS:
    x, y = clouds(seed)
    model.set_weights([np.zeros((2, 2)), np.zeros(2)])
    model.compile(tfcourse.GradientDescent(1.0), "sparse_categorical_crossentropy")
    tfcourse.fit(model, x, y, batch_size=len(x), epochs=STEPS, shuffle=False, verbose=0)
    kernel, bias = model.get_weights()

    optimum = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    apart.append(np.abs(model(x).numpy() - optimum.predict_proba(x)).max())
    weights_apart.append(np.abs(kernel[:, 1] - kernel[:, 0] - optimum.coef_[0]).max())

verdict(
    "3.3",
    max(identity) < 1e-12 and max(apart) < 1e-5,
    f"{len(SEEDS)} seeds: the identity to {max(identity):.0e}; trained, the probabilities are at "
    f"most {max(apart):.0e} from logistic regression's optimum, and w₁ - w₀ "
    f"{max(weights_apart):.0e} from its w",
)

# %%
x, y = clouds(SEEDS[-1])
axis = np.linspace(-4, 4, 200)
grid = np.stack(np.meshgrid(axis, axis), axis=-1)
probability = model(grid.reshape(-1, 2)).numpy()[:, 1].reshape(200, 200)
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
axes[0].contourf(axis, axis, probability, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6)
axes[0].scatter(*x.T, c=np.where(y, "#B2182B", "#2166AC"), s=12)
line = -(optimum.intercept_[0] + optimum.coef_[0, 0] * axis) / optimum.coef_[0, 1]
axes[0].plot(axis, line, "k--", label="logistic regression: p = 1/2")
axes[0].set(xlim=(-4, 4), ylim=(-4, 4), xlabel="x₁", ylabel="x₂")
axes[0].legend(loc="lower left", fontsize=9)
axes[0].set_title("Softmax's probability of class 1", loc="left")
gap = np.linspace(-6, 6, 200)
axes[1].plot(
    gap,
    softmax(np.column_stack([np.zeros(200), gap])).numpy()[:, 1],
    linewidth=5,
    color="#56B4E9",
    label="softmax(z)[1]",
)
axes[1].plot(gap, 1 / (1 + np.exp(-gap)), "k--", label="sigmoid(z₁ - z₀)")
axes[1].set(xlabel="z₁ - z₀")
axes[1].legend(frameon=False)
axes[1].spines[["top", "right"]].set_visible(False)
axes[1].set_title("One curve", loc="left")
save(fig, "3_3_logistic_regression")
