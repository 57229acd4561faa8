# %% [markdown]
# # The loss, and where backward propagation starts
#
# The loss of a prediction ŷ for the true classes y (section 3.5 of the course) is minus the
# logarithm of the probability that the true class got:
#
# $$L = -\sum_j y_j \log \hat y_j = -\log \hat y_\text{true}$$
#
# Its derivative with respect to z, the input of the softmax, is as short as it could be (3.6):
# $dz = \hat y - y$.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(4 if QUICK else 10)
EXAMPLES = 50 if QUICK else 500

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse
from tfcourse.formulas.softmax import cross_entropy, softmax, sparse_cross_entropy

y, prediction = np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.3, 0.2, 0.1, 0.4])
loss = float(cross_entropy(y, prediction))
print(f"y = {y}, ŷ = {prediction}: L = {loss:.3f}   course: 1.609")

# %% [markdown]
# ## Maximum likelihood
#
# The likelihood of m examples is the product of the probabilities that their true classes got. Its
# logarithm is -m times the cost, the mean of the losses: the lowest cost is the largest likelihood.

# %%
keras_apart, likelihood_apart, gradient_apart, ratios = [], [], [], []
for seed in SEEDS:
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 20))
    z, labels = random.normal(0, 2, size=(EXAMPLES, classes)), random.integers(0, classes, EXAMPLES)
    one_hot = np.eye(classes)[labels]
    probabilities = softmax(z).numpy()
    losses = cross_entropy(one_hot, probabilities).numpy()

    by_keras = keras.losses.categorical_crossentropy(one_hot, probabilities).numpy()
    keras_apart.append(np.abs(losses - by_keras).max())
    log_likelihood = np.sum(np.log(probabilities[np.arange(EXAMPLES), labels]))
    likelihood_apart.append(abs(log_likelihood + EXAMPLES * losses.mean()) / abs(log_likelihood))

    logits = tf.Variable(z)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    by_tape = tape.gradient(total, logits).numpy()
    dz = sparse_cross_entropy(labels, z)[1].numpy()
    gradient_apart.append(
        max(np.abs(each - (probabilities - one_hot)).max() for each in (by_tape, dz))
    )
    check = tfcourse.gradient_check(
        lambda z, labels=labels[:20]: tf.reduce_mean(sparse_cross_entropy(labels, z)[0]), z[:20]
    )
    ratios.append(float(check.ratio))

verdict(
    "3.5",
    f"{loss:.3f}" == "1.609" and max(*keras_apart, *likelihood_apart) < 1e-6,
    f"L = {loss:.3f}; {len(SEEDS)} seeds: losses at most {max(keras_apart):.0e} from Keras's, the "
    f"log-likelihood and -m times the cost {max(likelihood_apart):.0e} of their size apart",
)
verdict(
    "3.6",
    max(gradient_apart) < 1e-12 and max(ratios) < 1e-7,
    f"{len(SEEDS)} seeds: ŷ - y at most {max(gradient_apart):.0e} from GradientTape's dz and from "
    f"tfcourse's; the numerical gradient check gives {max(ratios):.0e}, below 1e-7",
)

# %% [markdown]
# ## The price of a wrong prediction
#
# A prediction that is certain and right costs nothing, an even guess among C classes log C, and one
# that is certain and wrong more than any bound: on the way to probability 0 each factor of 10 adds
# 2.3.

# %%
p = np.linspace(0.001, 1, 500)
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
axes[0].plot(p, -np.log(p), color="#0072B2", linewidth=2)
for probability, text in (
    (0.842, "right: 0.842"),
    (0.25, "a guess of 4: 0.25"),
    (0.002, "wrong: 0.002"),
):
    axes[0].plot(probability, -np.log(probability), "o", color="#D55E00")
    axes[0].annotate(
        f"{text}, L = {-np.log(probability):.2f}", (probability + 0.02, -np.log(probability) + 0.12)
    )
axes[0].set(xlabel="probability of the true class", ylabel="loss L", ylim=(0, 7))
axes[0].set_title("The loss of one example", loc="left")
z = np.array([5.0, 2.0, -1.0, 3.0])
for true, shift, color in ((0, -0.2, "#0072B2"), (1, 0.2, "#D55E00")):
    dz = softmax(z).numpy() - np.eye(4)[true]
    axes[1].bar(
        np.arange(4) + shift,
        dz,
        0.4,
        color=color,
        label=f"true class {true}, {'right' if true == 0 else 'wrong'}",
    )
axes[1].axhline(0, color="0.3", linewidth=0.8)
axes[1].set_xticks(range(4), [f"z = {value:g}" for value in z])
axes[1].set_title("dz = ŷ - y for z = [5, 2, -1, 3]", loc="left")
axes[1].legend(frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
save(fig, "3_5_cross_entropy")
