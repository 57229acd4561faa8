# %% [markdown]
# # Inverted dropout: the expectation stays
#
# Section 5.6 of the course: in training each activation is kept with probability keep_prob, and
# what is kept is divided by keep_prob, so that the next layer sees the same expectation. At test
# time nothing is dropped and nothing is divided. In Keras it is `Dropout(rate)` with rate = 1 -
# keep_prob.
#
# $$a \leftarrow \frac{a \cdot d}{p}, \quad d \sim \text{Bernoulli}(p), \; p = \text{keep\_prob}$$
#
# Erratum E8: the notes that circulate have `a3 \= keep_prob`, which isn't Python; it is `a3 /=
# keep_prob`.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(4 if QUICK else 10)
DRAWS = 2_000 if QUICK else 20_000
KEEP = [0.9, 0.8, 0.5, 0.2]
EPOCHS = 50 if QUICK else 150

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfcourse
from tfcourse.layers import Dropout

# %% [markdown]
# ## The expectation
#
# One example of 50 activations, dropped many times. The mean over the draws comes back to the
# activations with the division, and to keep_prob times them without it.

# %%
print(f"{'keep_prob':>10}{'mean of a·d/keep_prob over a':>36}{'without the division':>30}")
apart, means = [], {}
for keep_prob in KEEP:
    ratios = []
    for seed in SEEDS:
        a = np.abs(np.random.default_rng(seed).normal(size=50)).astype("float32")
        layer = Dropout(1 - keep_prob, seed=seed)
        dropped = layer(np.tile(a, (DRAWS, 1)), training=True).numpy()
        values = np.unique(np.round(dropped[:, 0] / a[0], 5))
        np.testing.assert_allclose(values, [0, 1 / keep_prob], rtol=1e-4)
        ratios.append(dropped.mean(0).sum() / a.sum())
        test = layer(a[None], training=False).numpy()
        apart.append(np.abs(test - a).max())
    ratios = means[keep_prob] = np.array(ratios)
    print(f"{keep_prob:>10}{spread(ratios, '.4f'):>36}{spread(ratios * keep_prob, '.4f'):>30}")
print(f"at test time: {max(apart):g} from the activations")

# %% [markdown]
# ## Against learning by heart
#
# 200 digits, a fifth with a wrong label, as in 5.4; the dropout rate is an ordinary hyperparameter,
# so that `fit_population` trains all seeds and rates together.

# %%
from sklearn.datasets import load_digits

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
order = np.random.default_rng(0).permutation(len(y))
dev, train = order[:500], order[500:700]
random = np.random.default_rng(1)
wrong = random.random(len(train)) < 0.2
labels = np.where(wrong, (y[train] + random.integers(1, 10, len(train))) % 10, y[train])


def curves(rates):
    """Return the dev error after each epoch, shape (rates, seeds, epochs)."""

    def build():
        dropout = [Dropout(0.5)] if rates != [0] else []
        layers = [keras.Input((64,)), keras.layers.Dense(64, "relu"), *dropout]
        model = keras.Sequential([*layers, tfcourse.SoftmaxHead(10)])
        model.compile(tfcourse.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    each = [{"dropout": rate} if rate else {} for rate in rates]
    population = tfcourse.fit_population(
        build,
        [tfcourse.Member(seed, hyperparameters) for hyperparameters in each for seed in SEEDS],
        x[train],
        labels,
        batch_size=50,
        epochs=EPOCHS,
        validation_data=(x[dev], y[dev]),
        validation_batch_size=500,
        verbose=0,
    )
    accuracies = [result.history["val_accuracy"] for result in population.results]
    return 1 - np.reshape(accuracies, (len(rates), len(SEEDS), EPOCHS))


errors = np.concatenate([curves([0]), curves([1 - keep_prob for keep_prob in KEEP])])
for keep_prob, curve in zip([1, *KEEP], errors, strict=True):
    print(f"keep_prob {keep_prob:.1f}: dev error at the end {spread(curve[:, -1], '.1%')}")

# %%
none, half = errors[0, :, -1], errors[1 + KEEP.index(0.5), :, -1]
better = half < none
ratios = np.concatenate(list(means.values()))
verdict(
    "5.6",
    max(apart) == 0 and np.abs(ratios - 1).max() < 0.05 and better.sum() >= 0.9 * len(SEEDS),
    f"mean over draws / a {spread(ratios, '.3f')}; {max(apart):g} apart at test time; dev error "
    f"with keep_prob 0.5 better in {better.sum()} of {len(SEEDS)} seeds, {spread(half, '.1%')} "
    f"instead of {spread(none, '.1%')}",
)

# %%
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
colors = ["0.4", "#56B4E9", "#0072B2", "#009E73", "#D55E00"]
for keep_prob, curve, color in zip([1, *KEEP], errors, colors, strict=True):
    epochs = np.arange(1, EPOCHS + 1)
    ax.plot(epochs, np.median(curve, axis=0), color=color, label=f"keep_prob = {keep_prob:.1f}")
    ax.fill_between(epochs, curve.min(0), curve.max(0), color=color, alpha=0.12, linewidth=0)
ax.set(xlabel="epoch", ylabel="dev error", ylim=(0, 0.5))
ax.set_title("Dropout keeps a network from learning wrong labels by heart", loc="left")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
save(fig, "5_6_dropout")
