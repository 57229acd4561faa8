# %% [markdown]
# # L2 shrinks weights, L1 makes them sparse
#
# Section 5.5 of the course adds a price for large weights to the cost of m examples:
#
# - L2: $J + \frac{\lambda}{2m} \sum w^2$, whose gradient is $dw + \frac{\lambda}{m} w$,
# - L1: $J + \frac{\lambda}{m} \sum |w|$, which gives sparse weights.
#
# Keras's `L2(l)` adds $l \sum w^2$ and `L1(l)` adds $l \sum |w|$: `tfcourse.l2_factor(λ, m)` is
# λ/(2m), and `tfcourse.l1_factor(λ, m)` is λ/m.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
EPOCHS = 150 if QUICK else 600

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import tfcourse

# %% [markdown]
# ## The factors
#
# What a regularizer adds to the gradient, by the tape, has to be λ/m · W for L2 and λ/m · sign(W)
# for L1.

# %%
apart = {"L2": [], "L1": []}
for seed in SEEDS:
    random = np.random.default_rng(seed)
    m, penalty = int(random.integers(10, 1000)), random.uniform(0.1, 10)
    w = tf.Variable(random.normal(size=(8, 3)))
    for name, regularizer, added in (
        ("L2", keras.regularizers.L2(tfcourse.l2_factor(penalty, m)), penalty / m * w.numpy()),
        ("L1", keras.regularizers.L1(tfcourse.l1_factor(penalty, m)), penalty / m * np.sign(w)),
    ):
        with tf.GradientTape() as tape:
            cost = regularizer(w)
        apart[name].append(np.abs(tape.gradient(cost, w) - added).max())
print(f"gradient of L2(l2_factor(λ, m)) beside λ/m · W: at most {max(apart['L2']):.0e} apart")
print(f"gradient of L1(l1_factor(λ, m)) beside λ/m · sign(W): {max(apart['L1']):.0e}")

# %% [markdown]
# ## Sparse weights
#
# Logistic regression on breast cancer, 30 features, each seed with another half of the patients as
# the train set. λ is chosen such that both kinds cost about the same accuracy.
#
# There is a catch that the course doesn't mention. The gradient of |w| is ±1, so that a weight that
# should be 0 is pushed over it again and again: *gradient descent with L1 gives small weights, but
# no zeros*. The step that does give zeros is the proximal one: a step down the gradient of the cost
# alone, and then each weight is moved by αλ/m towards 0 and stops there (soft thresholding).

# %%
x, y = load_breast_cancer(return_X_y=True)


def train(x, y, l2=0.0, l1=0.0, proximal=False, alpha=0.1):
    """Return the weights of a logistic regression after gradient descent on the whole set."""
    x, y = tf.constant(x), tf.constant(y[:, None], tf.float64)
    m = len(x)
    w, b = tf.Variable(tf.zeros((x.shape[1], 1), tf.float64)), tf.Variable(tf.zeros((), tf.float64))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = x @ w + b
            cost = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, logits))
            cost += l2 / (2 * m) * tf.reduce_sum(w**2)
            cost += 0.0 if proximal else l1 / m * tf.reduce_sum(tf.abs(w))
        dw, db = tape.gradient(cost, (w, b))
        w.assign_sub(alpha * dw)
        b.assign_sub(alpha * db)
        if proximal:
            w.assign(tf.sign(w) * tf.maximum(tf.abs(w) - alpha * l1 / m, 0))

    for _ in range(EPOCHS):
        step()
    return w.numpy()[:, 0], b.numpy()


KINDS = {
    "none": {},
    "L2, λ = 10": {"l2": 10.0},
    "L1, λ = 5": {"l1": 5.0},
    "L1, λ = 5, proximal": {"l1": 5.0, "proximal": True},
}
weights, accuracy = {name: [] for name in KINDS}, {name: [] for name in KINDS}
for seed in SEEDS:
    half = np.random.default_rng(seed).permutation(len(y))
    train_set, dev = half[: len(y) // 2], half[len(y) // 2 :]
    scale = StandardScaler().fit(x[train_set])
    for name, kind in KINDS.items():
        w, b = train(scale.transform(x[train_set]), y[train_set], **kind)
        weights[name].append(w)
        accuracy[name].append(np.mean((scale.transform(x[dev]) @ w + b > 0) == y[dev]))

seeds = f"{len(SEEDS)} seeds"
print(f"{seeds:22}{'dev accuracy':>24}{'norm of w':>20}{'|w| < 0.001':>16}{'w = 0':>16}")
for name in KINDS:
    w = np.array(weights[name])
    norms, small, zero = np.linalg.norm(w, axis=1), (abs(w) < 1e-3).mean(1), (w == 0).mean(1)
    print(
        f"{name:22}{spread(accuracy[name], '.1%'):>24}{spread(norms, '.2f'):>20}"
        f"{spread(small, '.0%'):>16}{spread(zero, '.0%'):>16}"
    )

# %%
proximal, l2 = (np.array(weights[name]) for name in ("L1, λ = 5, proximal", "L2, λ = 10"))
plain = np.array(weights["none"])
sparser = (proximal == 0).sum(1) > (l2 == 0).sum(1)
smaller = np.linalg.norm(l2, axis=1) < np.linalg.norm(plain, axis=1)
zeros = (np.array(weights["L1, λ = 5"]) == 0).sum()
verdict(
    "5.5",
    max(*apart["L2"], *apart["L1"]) < 1e-6 and sparser.all() and smaller.all(),
    f"L2 shrinks the norm in {smaller.sum()} of {len(SEEDS)} seeds; L1 sets "
    f"{spread((proximal == 0).mean(1), '.0%')} of the weights to 0 with the proximal step, and "
    f"{zeros} by gradient descent alone",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
colors = ["0.6", "#0072B2", "#E69F00", "#D55E00"]
for (name, each), color in zip(weights.items(), colors, strict=True):
    magnitude = np.sort(np.abs(np.array(each)), axis=1)[:, ::-1]
    axes[0].plot(np.arange(1, 31), np.median(magnitude, axis=0), ".-", color=color, label=name)
axes[0].set(xlabel="rank of the weight", ylabel=f"|w|, median of {len(SEEDS)} seeds")
axes[0].set_title("L1 takes whole weights away, L2 a part of each", loc="left")
axes[0].legend(frameon=False)
height = [weights[name][0] for name in ("L2, λ = 10", "L1, λ = 5, proximal")]
for values, color, shift in zip(height, (colors[1], colors[3]), (-0.2, 0.2), strict=True):
    axes[1].bar(np.arange(30) + shift, values, 0.4, color=color)
axes[1].axhline(0, color="0.3", linewidth=0.8)
axes[1].set(xlabel="feature", ylabel="w")
axes[1].set_title("The weights of one seed", loc="left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_5_regularization")
