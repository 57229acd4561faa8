# %% [markdown]
# # Momentum, RMSprop and Adam, in one valley
#
# A cost that is steep in one direction and flat in another is a valley. Gradient descent must take
# a learning rate that is small enough for the steep direction, and then creeps along the flat one.
# Sections 5.9 to 5.11 of the course smooth the steps, scale them, or both:
#
# - momentum: $v \leftarrow \beta v + (1-\beta)\,dw$, $\; w \leftarrow w - \alpha v$
# - RMSprop: $s \leftarrow \beta s + (1-\beta)\,dw^2$, $\; w \leftarrow w -
#   \alpha\,dw/(\sqrt{s}+\varepsilon)$
# - Adam: both, with $\hat v = v/(1-\beta_1^t)$ and $\hat s = s/(1-\beta_2^t)$ in the place of v and
#   s

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = 10
STEPS = 150 if QUICK else 400
TARGET = 1e-3

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse

keras.config.set_floatx("float64")
RATES = np.geomspace(1e-3, 10, 9 if QUICK else 33)

# %% [markdown]
# ## The valleys
#
# $J(w) = \frac12 w^\top A w$ with curvatures 1 and 50. In the first valley they lie along the axes
# of w; in the second each seed turns them by an angle of its own, as a network's weights have no
# reason to lie along its valleys. Each seed has its own start, at a distance of 3 from the minimum.


# %%
def valley(seed, turned):
    """Return the matrix A and the start of a seed."""
    random = np.random.default_rng(seed)
    start, angle = random.uniform(0.2, np.pi / 2 - 0.2), random.uniform(0.3, np.pi / 2 - 0.3)
    angle = angle if turned else 0.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1.0, 50.0]) @ turn.T, turn @ [3 * np.cos(start), 3 * np.sin(start)]


def paths(optimizer, turned, rates=RATES):
    """Return w before each step, shape (steps + 1, rates, seeds, 2).

    All rates and seeds are rows of one variable: each of these updates is a learning rate times a
    direction that does not depend on it.
    """
    matrices, starts = zip(*(valley(seed, turned) for seed in range(SEEDS)), strict=True)
    a, rate = tf.constant(np.stack(matrices)), tf.constant(np.reshape(rates, (-1, 1, 1)))
    w = tf.Variable(np.tile(np.stack(starts), (len(rates), 1, 1)))
    optimizer.build([w])

    @tf.function
    def step():
        before = tf.identity(w)
        optimizer.apply_gradients([(tf.einsum("sij,rsj->rsi", a, w), w)])
        w.assign(before + rate * (w - before))

    visited = [w.numpy()]
    for _ in range(STEPS):
        step()
        visited.append(w.numpy())
    return np.stack(visited)


def costs(path, turned):
    matrices = np.stack([valley(seed, turned)[0] for seed in range(SEEDS)])
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("trsi,sij,trsj->trs", path, matrices, path) / 2


def steps_to_target(cost):
    """Return the first step from which the cost stays below the target; inf if there is none."""
    above = ~(cost < TARGET)
    last = cost.shape[0] - 1 - np.argmax(above[::-1], axis=0)
    return np.where(above[-1], np.inf, last + 1.0)


OPTIMIZERS = {
    "gradient descent": lambda: tfcourse.GradientDescent(1.0),
    "momentum, β = 0.9": lambda: tfcourse.Momentum(1.0, momentum=0.9),
    "momentum, β = 0.6": lambda: tfcourse.Momentum(1.0, momentum=0.6),
    "RMSprop": lambda: tfcourse.RMSprop(1.0, rho=0.9),
    "Adam": lambda: tfcourse.Adam(1.0),
}
needed, visited = {}, {}
for turned in (False, True):
    for name, make in OPTIMIZERS.items():
        path = visited[name, turned] = paths(make(), turned)
        steps = steps_to_target(costs(path, turned))
        best = np.argmin(np.median(steps, axis=1))
        needed[name, turned] = best, steps[best]

print(f"Steps until the cost stays below {TARGET}, at the best of {len(RATES)} learning rates")
print(f"{'':20}{'along the axes':>28}{'turned':>28}")
for name in OPTIMIZERS:
    cells = [f"{spread(needed[name, turned][1], '.0f'):>28}" for turned in (False, True)]
    print(f"{name:20}{''.join(cells)}")

# %% [markdown]
# Momentum with a β that fits the valley needs a fraction of the steps: the best β for curvatures 1
# and 50 is $((\sqrt{50}-1)/(\sqrt{50}+1))^2 = 0.57$ (Polyak 1964). With the usual β = 0.9 it gains
# little on a valley as short as this one. RMSprop divides by the size of the gradient, which
# vanishes at the minimum: with a constant learning rate it never settles there, and turning the
# valley makes it worse.

# %% [markdown]
# Keras's `SGD(momentum=β)` leaves out the (1-β): its learning rate α(1-β) gives the same path.

# %%
rates = RATES[RATES < 0.1]
keras_path = paths(keras.optimizers.SGD(1.0, momentum=0.9), True, rates * (1 - 0.9))
difference = np.abs(keras_path - visited["momentum, β = 0.9", True][:, : len(rates)]).max()
fewer = needed["momentum, β = 0.6", True][1] < needed["gradient descent", True][1]
verdict(
    "5.9",
    fewer.all() and difference < 1e-6,
    f"fewer steps than gradient descent in {fewer.sum()} of {SEEDS} seeds: "
    f"{spread(needed['momentum, β = 0.6', True][1], '.0f')} instead of "
    f"{spread(needed['gradient descent', True][1], '.0f')}; Keras's SGD with α(1-β) at most "
    f"{difference:.0e} away",
)

# %% [markdown]
# ## RMSprop and Adam don't see the gradient's scale
#
# Multiply the cost by a million: gradient descent would need a learning rate a million times
# smaller. RMSprop and Adam take the same path. One thing they do need is ε: the notes that
# circulate leave it out (erratum E6), and where a gradient has always been 0, as for the weights of
# an input that is always 0, the step is 0/0.


# %%
def first_steps(optimizer, scale, steps=20):
    """Return the path of a weight from 0 under the gradients of a seed, times ``scale``."""
    gradients = np.random.default_rng(0).normal(size=(steps, SEEDS)) * scale
    w = tf.Variable(np.zeros(SEEDS))
    path = []
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient), w)])
        path.append(w.numpy())
    return np.array(path)


def written_out(name, scale, steps=20, alpha=0.01, beta_1=0.9, beta=0.9, epsilon=1e-8):
    """Return the same path by the course's formulas, in NumPy."""
    gradients = np.random.default_rng(0).normal(size=(steps, SEEDS)) * scale
    v, s, w, path = np.zeros(SEEDS), np.zeros(SEEDS), np.zeros(SEEDS), []
    for t, gradient in enumerate(gradients, 1):
        v, s = beta_1 * v + (1 - beta_1) * gradient, beta * s + (1 - beta) * gradient**2
        if name == "RMSprop":
            w = w - alpha * gradient / (np.sqrt(s) + epsilon)
        else:
            corrected = v / (1 - beta_1**t), s / (1 - beta**t)
            w = w - alpha * corrected[0] / (np.sqrt(corrected[1]) + epsilon)
        path.append(w)
    return np.array(path)


def apart(name, make):
    """Return the distances from the formula, and from the path with 10⁶ times the gradient."""
    one, million = first_steps(make(), 1.0), first_steps(make(), 1e6)
    # A gradient that has always been 0 moves nothing; without ε it would be 0/0.
    assert not first_steps(make(), 0.0).any()
    return np.abs(one - written_out(name, 1.0)).max(), np.abs(million - one).max()


with np.errstate(invalid="ignore"):
    without_epsilon = np.float64(0) / np.sqrt(np.float64(0))
formula, scale = apart("RMSprop", lambda: tfcourse.RMSprop(0.01, rho=0.9))
verdict(
    "5.10",
    formula < 1e-12 and scale < 1e-6,
    f"{SEEDS} weights, 20 steps: {formula:.0e} from the formula, path with 10⁶ times the gradient "
    f"{scale:.0e} away; at gradient 0 the step is 0, and {without_epsilon} without ε",
)
formula, scale = apart("Adam", lambda: tfcourse.Adam(0.01, beta_2=0.9))
verdict(
    "5.11",
    formula < 1e-12 and scale < 1e-6,
    f"{SEEDS} weights, 20 steps: {formula:.0e} from the formula, path with 10⁶ times the gradient "
    f"{scale:.0e} away",
)

# %% [markdown]
# ## Bias correction
#
# v and s start at 0, so that the first averages are too small: v by 1-β₁ = 0.1, s by 1-β₂ = 0.001.
# Corrected, Adam's first step is α whatever the gradient; uncorrected it is
# $\alpha \cdot 0.1/\sqrt{0.001} = 3.2\,\alpha$.

# %%
alpha, beta_1, beta_2 = 0.01, 0.9, 0.999
gradients = np.random.default_rng(1).normal(1.0, 0.3, size=(60, SEEDS))
t = np.arange(1, 61)[:, None]
v, s = np.zeros((60, SEEDS)), np.zeros((60, SEEDS))
for i, gradient in enumerate(gradients):
    v[i] = (beta_1 * v[i - 1] if i else 0) + (1 - beta_1) * gradient
    s[i] = (beta_2 * s[i - 1] if i else 0) + (1 - beta_2) * gradient**2
uncorrected = alpha * v / np.sqrt(s)
corrected = alpha * v / (1 - beta_1**t) / np.sqrt(s / (1 - beta_2**t))
print(f"Adam's first step, in units of α: {spread(corrected[0] / alpha, '.2f')}")
print(f"without bias correction:          {spread(uncorrected[0] / alpha, '.2f')}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
grid = np.linspace(-3.4, 3.4, 200)
matrix = valley(0, turned=True)[0]
mesh = np.stack(np.meshgrid(grid, grid), axis=-1)
height = np.einsum("xyi,ij,xyj->xy", mesh, matrix, mesh) / 2
axes[0].contour(grid, grid, height, levels=np.geomspace(0.1, 250, 9), colors="0.85", linewidths=1)
colors = ["#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7"]
for (name, color), ax in zip(zip(OPTIMIZERS, colors, strict=True), [axes[0]] * 5, strict=True):
    best = needed[name, True][0]
    if name == "RMSprop":
        best = needed[name, False][0]
    path = visited[name, True][:60, best, 0]
    ax.plot(path[:, 0], path[:, 1], ".-", color=color, linewidth=1.2, markersize=4, label=name)
    cost = np.median(costs(visited[name, True][:, best : best + 1], True)[:, 0], axis=1)
    axes[1].semilogy(cost[:150], color=color, label=name)
axes[0].set(xlabel="w₁", ylabel="w₂", aspect="equal")
axes[0].set_title("One turned valley, 60 steps", loc="left")
axes[1].axhline(TARGET, color="0.7", linewidth=1)
axes[1].set(xlabel="step", ylim=(1e-6, 1e3))
axes[1].set_title(f"Median cost of {SEEDS} seeds", loc="left")
fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
axes[2].plot(t[:, 0], np.median(uncorrected, axis=1) / alpha, color=colors[2], label="as it is")
axes[2].plot(t[:, 0], np.median(corrected, axis=1) / alpha, color=colors[0], label="corrected")
axes[2].set(xlabel="step", ylim=(0, 8))
axes[2].set_title("Size of Adam's step, in units of α", loc="left")
axes[2].legend(frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_9_optimizers")
