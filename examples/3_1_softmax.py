# %% [markdown]
# # Softmax and hardmax
#
# The last layer of a network with C classes computes C numbers, $z = W a + b$, and softmax makes
# probabilities of them (section 3.1 of the course):
#
# $$t = e^z, \qquad a = \frac{t}{\sum_j t_j}$$
#
# Every number becomes positive, they sum to 1, and their order stays. Hardmax (3.2) puts 1 at the
# largest and 0 elsewhere; softmax is its soft form. The library's calls are
# `formulas.softmax.softmax` and `hardmax`, and the layer `SoftmaxHead(C)`.

# %%
from tfcourse.course import QUICK, save, verdict

SEEDS = range(10)
EXAMPLES = 100 if QUICK else 10_000

# %%
import matplotlib.pyplot as plt
import numpy as np

from tfcourse.formulas.softmax import hardmax, softmax

z = np.array([5.0, 2.0, -1.0, 3.0])
t = np.exp(z)
print(f"z       {z}")
print(f"t = e^z {np.round(t, 1)}, sum {t.sum():.1f}")
print(f"softmax {np.round(softmax(z).numpy(), 3)}   course: [0.842, 0.042, 0.002, 0.114]")
print(f"hardmax {hardmax(z).numpy()}               course: [1, 0, 0, 0]")

# %% [markdown]
# ## Many random vectors
#
# Each seed has its own number of classes and its own scale. Beside the formula in NumPy we check
# that the sum is 1, that the order stays, and that hardmax is where softmax is largest.

# %%
apart, sums, same_order, same_place = [], [], [], []
for seed in SEEDS:
    random = np.random.default_rng(seed)
    classes, scale = int(random.integers(2, 100)), 10 ** random.uniform(-1, 1)
    z = random.normal(0, scale, size=(EXAMPLES, classes))
    a = softmax(z).numpy()
    t = np.exp(z)
    apart.append(np.abs(a - t / t.sum(axis=1, keepdims=True)).max())
    sums.append(np.abs(a.sum(axis=1) - 1).max())
    same_order.append((a.argsort(axis=1) == z.argsort(axis=1)).all())
    hard = hardmax(z).numpy()
    same_place.append((hard.sum(1) == 1).all() and (hard.argmax(1) == a.argmax(1)).all())

course = np.round(softmax([5.0, 2.0, -1.0, 3.0]).numpy(), 3)
verdict(
    "3.1",
    max(apart) < 1e-12
    and max(sums) < 1e-12
    and [*map(str, course)] == ["0.842", "0.042", "0.002", "0.114"],
    f"[5, 2, -1, 3] gives {course}; {len(SEEDS)} seeds of {EXAMPLES} vectors: {max(apart):.0e} "
    f"from the formula, sums {max(sums):.0e} from 1",
)
verdict(
    "3.2",
    all(same_order) and all(same_place),
    f"the order stays, and hardmax is 1 where softmax is largest, in {sum(same_order)} and "
    f"{sum(same_place)} of {len(SEEDS)} seeds",
)

# %% [markdown]
# ## Large numbers
#
# e^1000 is no float. The formula as it stands then divides infinity by infinity; subtracting the
# largest z first changes nothing in exact arithmetic, and everything in this one.

# %%
large = np.array([1000.0, 999.0, 0.0])
with np.errstate(over="ignore", invalid="ignore"):
    print(f"as it stands: {np.exp(large) / np.exp(large).sum()}")
print(f"tfcourse:     {np.round(softmax(large).numpy(), 4)}")

# %% [markdown]
# ## From soft to hard
#
# Multiply z by a factor, and softmax goes from even probabilities to hardmax.

# %%
z = np.array([5.0, 2.0, -1.0, 3.0])
fig, axes = plt.subplots(1, 5, figsize=(12, 3), sharey=True, layout="constrained")
for ax, factor in zip(axes, (0.0, 0.3, 1.0, 3.0, None), strict=True):
    values = hardmax(z).numpy() if factor is None else softmax(factor * z).numpy()
    bars = ax.bar([f"{value:g}" for value in z], values, color="#0072B2")
    ax.bar_label(bars, [f"{value:.3f}" for value in values], fontsize=9)
    ax.set_title(
        "hardmax" if factor is None else f"softmax of {factor:g} · z", loc="left", fontsize=11
    )
    ax.set(xlabel="z", ylim=(0, 1.12))
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("a")
save(fig, "3_1_softmax")
