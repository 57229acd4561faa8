# %% [markdown]
# # Backpropagation, written out
#
# A framework differentiates for you: you write the forward pass and the cost, and a `GradientTape`
# gives the gradients (section 4.5 of the course). What does it compute? Section 5.3 says it, in
# three equations a layer. Here they stand in NumPy, for a network of any number of layers, and what
# they give has to agree with the tape down to rounding.
#
# The course keeps examples in columns, we keep them in rows as Keras does. So every matrix here is
# the transpose of the course's, and every product has its factors in the other order: the course's
# Z = W A + b is Z = A W + b.

# %%
from tfcourse.course import QUICK, over_seeds, save, verdict

EPOCHS = 3 if QUICK else 20
SEEDS = range(4 if QUICK else 10)
PROBED = 50 if QUICK else 200  # weights a layer that are checked by a two-sided difference
BATCH_SIZE = 64
ALPHA = 0.1
LIMIT = 1e-10
LAMBDA = 0.7

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse
from tfcourse.data.sources import load
from tfcourse.data.splits import stratified_split
from tfcourse.formulas.gradients import relative_difference, two_sided_difference

digits, classes = load("digits").part, 10
split = stratified_split(digits, (0.6, 0.2, 0.2), classes, seed=0)
X, X_test = split.train.x.astype("float64"), split.test.x.astype("float64")
Y = np.eye(classes)[split.train.y]  # one row an example, 1 at its class
LAMBDA_OVER_M = LAMBDA / len(X)  # section 5.5, m the examples of the training set

# %% [markdown]
# ## Forward
#
# A[0] is the input. A hidden layer computes Z[l] = A[l-1] W[l] + b[l] and A[l] = g(Z[l]); the last
# layer's g is the softmax, and its A[L] is ŷ. (The lists begin with a None, so that `W[1]` is the
# course's W[1].)


# %%
def softmax(Z):
    t = np.exp(Z - Z.max(axis=1, keepdims=True))
    return t / t.sum(axis=1, keepdims=True)


# g, its derivative, TensorFlow's g for the tape, and the variance of W times n[l-1] (section 5.7).
HIDDEN = {
    "ReLU": (lambda Z: np.maximum(0, Z), lambda Z: Z > 0, tf.nn.relu, 2.0),
    "tanh": (np.tanh, lambda Z: 1 - np.tanh(Z) ** 2, tf.math.tanh, 1.0),
}


def initialize(sizes, variance, seed=0):
    """W ~ N(0, variance/n[l-1]), not from [0, 1) as in erratum E7, and b = 0."""
    rng = np.random.default_rng(seed)
    W = [rng.normal(0, np.sqrt(variance / n), (n, units)) for n, units in pairwise(sizes)]
    return [None, *W], [None, *(np.zeros(units) for units in sizes[1:])]


def forward(X, W, b, g):
    """Z[1] … Z[L] and A[0] … A[L]."""
    Z, A = [None], [X]
    for layer in range(1, len(W)):
        Z.append(A[layer - 1] @ W[layer] + b[layer])
        A.append(g(Z[layer]) if layer < len(W) - 1 else softmax(Z[layer]))
    return Z, A


def cost(Y, Y_hat, W):
    """1/m Σ L with L = -Σ y log ŷ, and λ/(2m) Σ‖W‖²."""
    penalty = LAMBDA_OVER_M / 2 * sum(np.sum(w**2) for w in W[1:])
    return -np.mean(np.sum(Y * np.log(Y_hat), axis=1)) + penalty


# %% [markdown]
# ## Backward
#
# Softmax and cross-entropy together start it with dZ[L] = ŷ - y (section 3.6). Then, from the last
# layer to the first:
#
# - dW[l] = 1/m A[l-1]ᵀ dZ[l] + λ/m W[l]
# - db[l] = 1/m Σ dZ[l]
# - dZ[l-1] = dZ[l] W[l]ᵀ * g'(Z[l-1]), where * is element by element


# %%
def backward(Y, Z, A, W, g_prime):
    """dW[1] … dW[L] and db[1] … db[L]."""
    m, last = len(Y), len(W) - 1
    dW, db = [None] * (last + 1), [None] * (last + 1)
    dZ = A[last] - Y
    for layer in range(last, 0, -1):
        dW[layer] = A[layer - 1].T @ dZ / m + LAMBDA_OVER_M * W[layer]
        db[layer] = dZ.sum(axis=0) / m
        if layer > 1:
            dZ = dZ @ W[layer].T * g_prime(Z[layer - 1])
    return dW, db


# %% [markdown]
# ## The same by GradientTape
#
# Only the forward pass, and the cost from logits. The L2 term is Keras's `factor * Σ w²`, with the
# factor λ/(2m) that `tfcourse.l2_factor` gives.


# %%
def tape_gradients(X, Y, W, b, g):
    """dW and db of the same network, by automatic differentiation."""
    W, b = ([tf.convert_to_tensor(value) for value in values[1:]] for values in (W, b))
    factor = tfcourse.l2_factor(LAMBDA, examples=len(split.train.x))
    with tf.GradientTape() as tape:
        tape.watch([W, b])
        a = tf.convert_to_tensor(X)
        for layer, (w, bias) in enumerate(zip(W, b, strict=True), start=1):
            z = a @ w + bias
            a = g(z) if layer < len(W) else z
        losses = tf.nn.softmax_cross_entropy_with_logits(Y, a)
        total = tf.reduce_mean(losses) + factor * sum(tf.reduce_sum(w**2) for w in W)
    dW, db = tape.gradient(total, [W, b])
    return [None, *(d.numpy() for d in dW)], [None, *(d.numpy() for d in db)]


def largest_difference(first, second):
    pairs = zip([*first[0][1:], *first[1][1:]], [*second[0][1:], *second[1][1:]], strict=True)
    return max(np.abs(one - other).max() for one, other in pairs)


some = slice(0, BATCH_SIZE)
DEPTHS = (1, 2, 4, 8)
differences = []
print("Largest difference of a gradient from GradientTape's, float64")
print(f"{'':8}" + "".join(f"{f'L = {depth}':>10}" for depth in DEPTHS))
for name, (g, g_prime, tensor_g, variance) in HIDDEN.items():
    for depth in DEPTHS:
        W, b = initialize([64] * depth + [classes], variance)
        Z, A = forward(X[some], W, b, g)
        written_out = backward(Y[some], Z, A, W, g_prime)
        by_tape = tape_gradients(X[some], Y[some], W, b, tensor_g)
        differences.append(largest_difference(written_out, by_tape))
    print(f"{name:8}" + "".join(f"{value:10.1e}" for value in differences[-len(DEPTHS) :]))
print(f"largest of all: {max(differences):.1e}, and allowed: {LIMIT:g}")
assert max(differences) <= LIMIT, "The written-out gradients are not GradientTape's."

# %% [markdown]
# ## Train with it
#
# Mini-batch gradient descent on handwritten digits, W[l] -= α dW[l]. A second copy of the network
# takes the same mini-batches, and its gradients from the tape. Rounding errors could build up
# from step to step; the two stay together.


# %%
def step(W, b, gradients):
    """One step of gradient descent, in place."""
    for values, slopes in zip((W, b), gradients, strict=True):
        for value, slope in zip(values[1:], slopes[1:], strict=True):
            value -= ALPHA * slope


g, g_prime, tensor_g, variance = HIDDEN["ReLU"]
SIZES = [64, 64, 64, classes]
W, b = initialize(SIZES, variance)
W_tape, b_tape = initialize(SIZES, variance)
rng = np.random.default_rng(1)
steps = 0
print(f"\n{'epoch':>5}{'cost':>8}{'test accuracy':>15}")
for epoch in range(EPOCHS + 1):
    if epoch:
        order = rng.permutation(len(X))
        for rows in np.split(order, range(BATCH_SIZE, len(X), BATCH_SIZE)):
            Z, A = forward(X[rows], W, b, g)
            step(W, b, backward(Y[rows], Z, A, W, g_prime))
            step(W_tape, b_tape, tape_gradients(X[rows], Y[rows], W_tape, b_tape, tensor_g))
            steps += 1
    if epoch in (0, 1, 3, 10, EPOCHS):
        right = np.mean(forward(X_test, W, b, g)[1][-1].argmax(axis=1) == split.test.y)
        print(f"{epoch:5}{cost(Y, forward(X, W, b, g)[1][-1], W):8.3f}{right:15.1%}")
apart = largest_difference((W, b), (W_tape, b_tape))
print(f"largest difference of a weight after {steps} steps: {apart:.1e}")
assert apart <= LIMIT, "The two trainings went apart."

# %% [markdown]
# ## An error that runs
#
# **Erratum E9.** Notes that circulate write dW of a hidden layer with X in the place of the layer
# before, A[l-1]. With as many units as there are inputs, here 64, no shape gives it away: it runs.
# The gradient check of section 5.8 finds it. It compares each layer with a two-sided difference of
# the cost, by ‖difference‖ / (‖one‖ + ‖other‖), and below 1e-7 is a pass.


# %%
def distance(one, other):
    return float(relative_difference(one, other))


def probe(W, b, layer, entries, h=1e-5):
    """The slope of the cost along some weights of a layer, by two-sided differences."""
    slopes = []
    for entry in entries:
        before = W[layer][entry]
        costs = []
        for moved in (before + h, before - h):
            W[layer][entry] = moved
            costs.append(cost(Y[some], forward(X[some], W, b, np.tanh)[1][-1], W))
        W[layer][entry] = before
        slopes.append(two_sided_difference(*costs, h))
    return np.array(slopes)


g, g_prime, tensor_g, variance = HIDDEN["tanh"]
L = 5
W, b = initialize([64] * L + [classes], variance)
Z, A = forward(X[some], W, b, g)
gradients = {
    "written out": backward(Y[some], Z, A, W, g_prime)[0],
    "erratum E9": backward(Y[some], Z, [X[some]] * (L - 1) + A[L - 1 :], W, g_prime)[0],
}
by_tape = tape_gradients(X[some], Y[some], W, b, tensor_g)[0]

rng = np.random.default_rng(2)
distances = {name: [] for name in gradients}
to_tape = []
for layer in range(1, L + 1):
    entries = [tuple(rng.integers(W[layer].shape)) for _ in range(PROBED)]
    numerical = probe(W, b, layer, entries)
    for name, gradient in gradients.items():
        checked = np.array([gradient[layer][entry] for entry in entries])
        distances[name].append(distance(checked, numerical))
    to_tape.append(distance(gradients["written out"][layer], by_tape[layer]))

print("\nDistance of dW[l] from the two-sided difference (a pass: below 1e-7)")
print(f"{'':14}" + "".join(f"{f'l = {layer}':>10}" for layer in range(1, L + 1)))
for name, values in distances.items():
    print(f"{name:14}" + "".join(f"{value:10.1e}" for value in values))

# %% [markdown]
# ## Ten seeds
#
# Another depth, other weights and another mini-batch for each.

# %%
apart, checked, wrong = [], [], []
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    depth, rows = int(rng.integers(2, 7)), rng.choice(len(X), BATCH_SIZE, replace=False)
    W, b = initialize([64] * depth + [classes], 1.0, seed)
    Z, A = forward(X[rows], W, b, np.tanh)
    written_out = backward(Y[rows], Z, A, W, g_prime)
    apart.append(largest_difference(written_out, tape_gradients(X[rows], Y[rows], W, b, tensor_g)))
    by_e9 = backward(Y[rows], Z, [X[rows]] * (depth - 1) + A[depth - 1 :], W, g_prime)[0]
    some = rows
    entries = [tuple(rng.integers(W[depth - 1].shape)) for _ in range(PROBED // 5)]
    numerical = probe(W, b, depth - 1, entries)
    one, other = (
        np.array([each[depth - 1][entry] for entry in entries]) for each in (written_out[0], by_e9)
    )
    checked.append(distance(one, numerical))
    # With two layers the hidden one is the first, whose A[l-1] is X: E9 is no error there.
    wrong.append(distance(other, numerical) if depth > 2 else np.nan)

verdict(
    "5.3",
    max(apart) < LIMIT,
    f"written out beside GradientTape: {over_seeds(apart, np.less(apart, LIMIT))}",
)
verdict(
    "5.8",
    max(checked) < 1e-7 and np.nanmin(wrong) > 1e-3,
    f"the right gradient gives {over_seeds(checked, np.less(checked, 1e-7))}, below 1e-7; "
    f"erratum E9 {over_seeds(wrong)}",
)

# %% [markdown]
# ## The picture
#
# The distances layer by layer. The first layer's A[0] is X, and the last layer is not a hidden one.
# In between, X makes dW[l] point anywhere: two unrelated directions of the same length have the
# distance 1/√2, about 0.7.

# %%
layers = np.arange(1, L + 1)
fig, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
ax.axhline(1e-7, color="0.6", linestyle="--")
ax.text(L + 0.25, 1.8e-7, "a pass: below 1e-7", color="0.4", ha="right")
ax.plot(layers, distances["written out"], "o", color="#0072B2", markersize=8)
ax.plot(layers, distances["erratum E9"], "x", color="#D55E00", markersize=9, markeredgewidth=2)
ax.plot(layers, to_tape, "s", color="#009E73", markersize=7)
ax.text(3, 0.02, "erratum E9, to the two-sided difference", color="#D55E00", ha="center")
ax.text(3, 6e-11, "written out, to the two-sided difference", color="#0072B2", ha="center")
ax.text(3, 2e-15, "written out, to GradientTape", color="#009E73", ha="center")
ax.set(yscale="log", xlim=(0.7, L + 0.3), ylim=(1e-17, 10), xticks=layers)
ax.set(xlabel="layer l", ylabel="distance of dW[l]")
ax.set_title("Written-out gradients are the tape's; erratum E9 runs, and is wrong", loc="left")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_3_backpropagation")
