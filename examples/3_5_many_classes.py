# %% [markdown]
# # Softmax over thousands of classes, without the big matrix
#
# A softmax over C classes compares every example with every class: for a mini-batch of m examples
# that is a matrix of m × C logits, another of probabilities, and a third for the gradient ŷ - y
# (sections 3.1 to 3.6 of the course). With ten classes nobody notices. With fifty thousand words or
# products, these matrices are most of the memory.
#
# None of them is needed whole. The loss of an example needs only its own row, and so does its
# gradient: tfcourse goes through the mini-batch in blocks, and makes a block's gradients while it
# has the block's logits.

# %%
from tfcourse.course import QUICK, save

CLASSES = 1000 if QUICK else 5000
EPOCHS = 5 if QUICK else 15
EXAMPLES = 2 * CLASSES

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse

# %% [markdown]
# ## The same cost and the same gradients
#
# First on a single mini-batch: the head's own `cross_entropy` beside its output in Keras's loss.

# %%
rng = np.random.default_rng(0)
features = rng.normal(size=(256, 32)).astype("float32")
labels = rng.integers(CLASSES, size=256)
head = tfcourse.SoftmaxHead(CLASSES)
stock = keras.losses.SparseCategoricalCrossentropy()
print(f"cost with the m × C matrix:  {float(stock(labels, head(features))):.5f}")
print(f"cost in blocks:              {float(head.cross_entropy(features, labels)):.5f}")

# %% [markdown]
# ## In a model
#
# `ManyClassModel` puts a body and a head together and trains them on that cost. Compile it without
# a loss; everything else is as with any Keras model. The data: each class is a point in space,
# and its examples lie around it.

# %%
points = rng.normal(size=(CLASSES, 16))
y = np.arange(EXAMPLES) % CLASSES
x = (points[y] + 0.2 * rng.normal(size=(EXAMPLES, 16))).astype("float32")

keras.utils.set_random_seed(0)
body = keras.Sequential([keras.Input((16,)), keras.layers.Dense(64, activation="relu")])
model = tfcourse.ManyClassModel(body, tfcourse.SoftmaxHead(CLASSES))
model.compile(tfcourse.Adam(0.02))
history = tfcourse.fit(model, x, y, batch_size=512, epochs=EPOCHS, verbose=0, seed=0)

losses = history.history["loss"]
right = np.mean(model.predict(x[:1000], verbose=0).argmax(1) == y[:1000])
print(
    f"\nguessing among {CLASSES} classes: loss log C = {np.log(CLASSES):.3f}, 1 in {CLASSES} right"
)
print(f"after {EPOCHS} epochs:              loss {losses[-1]:.3f}, {right:.0%} right")

# %% [markdown]
# ## The picture
#
# A network that knows nothing gives every class 1/C, and its loss is log C. That is where every
# training of a softmax begins, and a first epoch far above it points to a mistake.

# %%
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.axhline(np.log(CLASSES), color="0.6", linestyle="--")
ax.annotate(f"guessing: log {CLASSES} = {np.log(CLASSES):.1f}", (EPOCHS, np.log(CLASSES)), (0, 5),
            textcoords="offset points", ha="right", color="0.4")  # fmt: skip
ax.plot(range(1, EPOCHS + 1), losses, "o-", color="#0072B2", clip_on=False)
ax.set(xlabel="epoch", ylabel="cost, mean over the epoch", ylim=(0, np.log(CLASSES) * 1.15))
ax.xaxis.get_major_locator().set_params(integer=True)
ax.set_title(
    f"{CLASSES} classes, trained in blocks: from guessing to {right:.0%} right", loc="left"
)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "3_5_many_classes")
