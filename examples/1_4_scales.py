# %% [markdown]
# # Choose the scale, then choose at random
#
# "Pick the learning rate at random between 0.0001 and 1." At random *how*? If every number of the
# interval is equally likely, then nine trials in ten try a rate above 0.1, and almost none a rate
# below 0.001. Sections 1.4 and 1.5 of the course say what to do instead: choose the scale on which
# the hyperparameter acts, and draw uniformly on *that*.

# %%
from tfcourse.course import QUICK, save, spread, verdict

SEEDS = range(10)
DRAWS = 10_000 if QUICK else 100_000
FEW = 200

# %%
import matplotlib.pyplot as plt
import numpy as np
from keras_tuner.engine import hyperparameters

from tfcourse.formulas.averages import effective_window
from tfcourse.formulas.scales import to_value
from tfcourse.search.space.parameters import Range

# %% [markdown]
# Every scale is a map from the unit interval to values: 0 goes to the lowest value, 1 to the
# highest. Draw once from the unit interval, send the same draws through each scale, and count.

# %%
draws = np.random.default_rng(0).random(DRAWS)


def shares(values, edges):
    """The part of the values between each two neighbouring edges, as text."""
    counts, _ = np.histogram(values, edges)
    return "".join(f"{count / len(values):12.1%}" for count in counts)


# %% [markdown]
# ## The learning rate: sample its exponent
#
# α = 10^r with r uniform on [-4, 0]. Each decade then gets the same share of the trials.

# %%
decades = [1e-4, 1e-3, 1e-2, 1e-1, 1]
rates = {scale: to_value(draws, 1e-4, 1, scale) for scale in ("linear", "log")}

print("Share of the learning rates in")
print(f"{'':14}{'1e-4…1e-3':>12}{'1e-3…1e-2':>12}{'1e-2…0.1':>12}{'0.1…1':>12}")
print(f"{'linear':14}{shares(rates['linear'], decades)}   course: 90 % in the last")
print(f"{'log':14}{shares(rates['log'], decades)}   course: 25 % in each")

# %% [markdown]
# In a search, a hyperparameter carries its scale with it. This is what `scale = "log"` in a TOML
# file becomes:

# %%
learning_rate = Range("float", low=1e-4, high=1.0, scale="log")
print("\nFive positions on the log scale, and their learning rates:")
for position in (0, 0.25, 0.5, 0.75, 1):
    print(f"  {position:4} → {learning_rate.value_at(position):g}")

# %% [markdown]
# **Erratum E1.** The notes that circulate write the exponent as r = -(a + (b - a)·rand). With
# a = -4 and b = 0 that runs from 0 to *plus* 4, so that no learning rate of the intended range is
# ever drawn:

# %%
a, b = -4, 0
wrong = 10 ** -(a + (b - a) * draws)
right = 10 ** (a + (b - a) * draws)
print(f"\nE1, as circulated: α from {wrong.min():.4f} to {wrong.max():.4f}")
print(f"    corrected:     α from {right.min():.4f} to {right.max():.4f}")

# %% [markdown]
# ## The β of an average: sample 1 - β
#
# An exponentially weighted average with decay β spans about 1/(1 - β) values. That window is what β
# *does*, and it is very unevenly spread over the β axis:

# %%
print("\nThe effective window 1/(1-β), and the course's figure")
for beta, course in ((0.9, "10"), (0.9005, "10.05"), (0.999, "1000"), (0.9995, "2000")):
    print(f"  β = {beta:<7} {effective_window(beta):8.2f}   course: {course}")

# %% [markdown]
# The same small step of β changes nothing at 0.9 and doubles the window at 0.999. So sample the
# exponent of 1 - β: β = 1 - 10^r with r uniform on [-3, -1].
#
# One trap. keras-tuner has a sampling called `reverse_log`, which sounds like exactly this. It
# mirrors the log scale of β itself inside the interval, and between 0.9 and 0.999 the logarithm of
# β is almost a straight line. What comes out is close to uniform.

# %%
reverse_log = hyperparameters.Float("beta", 0.9, 0.999, sampling="reverse_log")
betas = {
    "linear": to_value(draws, 0.9, 0.999, "linear"),
    "reverse_log": np.array([reverse_log.prob_to_value(draw) for draw in draws]),
    "one_minus_log": to_value(draws, 0.9, 0.999, "one_minus_log"),
}
course = {"linear": "", "reverse_log": "course: not this one", "one_minus_log": "course: 50 %"}

print("\nShare of the β in")
print(f"{'':14}{'0.9…0.99':>12}{'0.99…0.999':>12}")
for name, values in betas.items():
    print(f"{name:14}{shares(values, [0.9, 0.99, 0.999])}   {course[name]}".rstrip())

# %% [markdown]
# ## Ten seeds
#
# The draws of ten seeds, as many as a small search has.

# %%
alpha = {"linear": [], "log": []}
above = []
for seed in SEEDS:
    few = np.random.default_rng(seed).random(FEW)
    for scale, share in alpha.items():
        counts, _ = np.histogram(to_value(few, 1e-4, 1, scale), decades)
        share.append(counts / FEW)
    above.append(np.mean(to_value(few, 0.9, 0.999, "one_minus_log") > 0.99))
linear, log = np.array(alpha["linear"])[:, -1], np.array(alpha["log"])
verdict(
    "1.4",
    bool(np.all(linear > 0.8) and np.all(np.abs(log - 0.25) < 0.1)),
    f"{len(SEEDS)} seeds of {FEW} draws: uniform, {spread(linear, '.0%')} of the rates are above "
    f"0.1; on the log scale each decade has {spread(log.ravel(), '.0%')}",
)
windows = [effective_window(beta) for beta in (0.9, 0.9005, 0.999, 0.9995)]
verdict(
    "1.5",
    bool(np.all(np.abs(np.subtract(above, 0.5)) < 0.15)) and round(windows[3] / windows[2], 2) == 2,
    f"{spread(above, '.0%')} of the β lie above 0.99; the windows are "
    f"{windows[0]:.0f} → {windows[1]:.2f} and {windows[2]:.0f} → {windows[3]:.0f}",
)

# %% [markdown]
# ## The picture
#
# Forty of the draws on each scale, and above them how all of them are spread. The axes show what
# matters for training: the learning rate by decades, and for β its effective window. A flat
# histogram leaves no decade out.

# %%
COLORS = {"linear": "#D55E00", "reverse_log": "#CC79A7", "log": "#0072B2"}
COLORS["one_minus_log"] = COLORS["log"]
POINTS = 40


def show(histogram, strips, samples, low, high):
    """Draw a histogram of each sample, and below it a strip of its first few points."""
    bins = np.geomspace(low, high, 25)
    for row, (name, values) in enumerate(samples.items()):
        style = {"color": COLORS[name], "linewidth": 2}
        percent = np.full(len(values), 100 / len(values))
        histogram.hist(values, bins, weights=percent, histtype="step", **style)
        strips.plot(values[:POINTS], np.full(POINTS, -row), "|", color=COLORS[name], markersize=13)
    strips.set_yticks(-np.arange(len(samples)), samples)
    for label, name in zip(strips.get_yticklabels(), samples, strict=True):
        label.set_color(COLORS[name])
    strips.set(xscale="log", xlim=(low * 0.9, high / 0.9), ylim=(0.5 - len(samples), 0.5))
    strips.tick_params(axis="y", length=0)


fig, axes = plt.subplots(
    2, 2, figsize=(11, 5), height_ratios=(2.2, 1), sharex="col", layout="constrained"
)
for ax in axes.flat:
    ax.spines[["top", "right"]].set_visible(False)
by_window = {name: effective_window(values) for name, values in betas.items()}
show(*axes[:, 0], rates, 1e-4, 1)
show(*axes[:, 1], by_window, 10, 1000)

axes[0, 0].set_title("Learning rate: the log scale reaches every decade", loc="left")
axes[0, 1].set_title("β: the log scale of 1 - β reaches every window", loc="left")
axes[0, 0].set_ylabel("draws per bin (%)")
axes[1, 0].set_xlabel("learning rate α")
axes[1, 1].set_xlabel("effective window 1/(1 - β)")
axes[1, 1].set_xticks([10, 100, 1000], ["10\nβ = 0.9", "100\nβ = 0.99", "1000\nβ = 0.999"])
save(fig, "1_4_scales")
