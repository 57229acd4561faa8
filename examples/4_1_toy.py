# %% [markdown]
# # A first program: minimise w² - 10w + 25
#
# The smallest problem that still has everything in it: one weight w, a cost, a gradient, a
# learning rate. Since w² - 10w + 25 = (w - 5)², we know the answer before we start: w = 5.
#
# The course writes it twice: for TensorFlow 1 (sections 4.1 and 4.2) and for TensorFlow 2
# (section 4.3). Here both programs run beside `tfcourse.minimize_quadratic`. They have to agree
# with each other, and with the course, down to the last float32 digit.

# %%
from tfcourse.course import save, verdict

STEPS = 1000  # few enough to keep in the quick mode (TFCOURSE_QUICK=1) too

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfcourse

# %% [markdown]
# ## The old program
#
# TensorFlow 1 worked in two acts. First you *described* a computation, as a graph in which
# nothing has a value yet. Then you opened a session and *ran* pieces of it. A placeholder is a
# hole in the graph, filled on every run. Here it holds the three coefficients of the quadratic,
# as a mini-batch of training data would be fed (sections 4.2 and 4.4).
#
# Everything of this lives on in `tf.compat.v1`, inside a `tf.Graph`.


# %%
def tensorflow_1(coefficients, steps, learning_rate=0.01):
    """w before the first step and after each one."""
    v1 = tf.compat.v1
    data = np.reshape(coefficients, (3, 1))
    with tf.Graph().as_default(), tf.device("CPU"):  # a GPU rounds once where this rounds twice
        w = v1.Variable(0.0)
        x = v1.placeholder(tf.float32, [3, 1])
        cost = x[0, 0] * w**2 + x[1, 0] * w + x[2, 0]
        train = v1.train.GradientDescentOptimizer(learning_rate).minimize(cost)

        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            history = [session.run(w)]
            for _ in range(steps):
                session.run(train, feed_dict={x: data})
                history.append(session.run(w))
    return history


old = tensorflow_1([1, -10, 25], STEPS)
old_20 = tensorflow_1([1, -20, 100], STEPS)  # (w - 10)²: other data, the same program

# %% [markdown]
# ## The new program
#
# One call. Inside, the whole descent is a single compiled TensorFlow program with w as its loop
# variable. Nothing goes back and forth between Python and TensorFlow at every step.

# %%
new = tfcourse.minimize_quadratic([1, -10, 25], learning_rate=0.01, steps=STEPS)
new_20 = tfcourse.minimize_quadratic([1, -20, 100], learning_rate=0.01, steps=STEPS)

table = [
    ("w before the first step", "0.0", old[0], new.w_history[0]),
    ("w after 1 step", "0.099999994", old[1], new.w_history[1]),
    ("w after 1000 steps", "4.9999886", old[-1], new.w),
    ("w² - 20w + 100, 1000 steps", "9.999977", old_20[-1], new_20.w),
]
print(f"{'Gradient descent, α = 0.01':28}{'course':>13}{'TensorFlow 1':>15}{'tfcourse':>13}")
for name, course, one, two in table:
    print(f"{name:28}{course:>13}{one!s:>15}{two!s:>13}")

verdict(
    "4.1",
    [str(new.w_history[1]), str(new.w), str(old[-1])] == ["0.099999994", *2 * ["4.9999886"]],
    f"w = {new.w_history[1]!s} after 1 step, {new.w!s} after {STEPS}, to the course's last digit",
)
verdict(
    "4.2",
    str(old_20[-1]) == str(new_20.w) == "9.999977",
    f"w = {new_20.w!s} with the coefficients 1, -20, 100, to the course's last digit",
)

# %% [markdown]
# Why not exactly 5? Each step shrinks the distance to 5 by the factor 1 - 2α = 0.98, and 0.98¹⁰⁰⁰
# would leave less than 10⁻⁸ of it. But near 5 a float32 has gaps of 4.8·10⁻⁷: once a step is
# smaller than half a gap, adding it changes nothing and w stands still. Ten times the steps, the
# same answer:

# %%
longer = tfcourse.minimize_quadratic(steps=10 * STEPS)
print(f"\nw after {10 * STEPS} steps: {longer.w!s} (in exact arithmetic: 5.0)")

# %% [markdown]
# ## The TensorFlow 2 form
#
# No graph to describe, no session, no placeholder. You write the forward pass, a `GradientTape`
# watches it and differentiates, and an optimizer applies the gradient (section 4.5: you write only
# the forward pass). Here that optimizer is Adam with α = 0.1.

# %%
w = tf.Variable(0.0)
optimizer = keras.optimizers.Adam(learning_rate=0.1)
optimizer.build([w])


@tf.function
def train_step():
    with tf.GradientTape() as tape:
        cost = w**2 - 10 * w + 25
    optimizer.apply_gradients([(tape.gradient(cost, w), w)])


tape_history = [w.numpy()]
for _ in range(STEPS):
    train_step()
    tape_history.append(w.numpy())

adam = tfcourse.minimize_quadratic(optimizer="adam", learning_rate=0.1, steps=STEPS)

print(f"\n{'Adam, α = 0.1':28}{'course':>13}{'GradientTape':>15}{'tfcourse':>13}")
print(f"{'w after 1 step':28}{'0.0999993':>13}{tape_history[1]!s:>15}{adam.w_history[1]!s:>13}")
print(f"{'w after 1000 steps':28}{'5.000001':>13}{tape_history[-1]!s:>15}{adam.w!s:>13}")
verdict(
    "4.3",
    abs(tape_history[1] - 0.0999993) < 1e-7 and abs(adam.w - 5.000001) < 1e-6,
    f"w = {tape_history[1]!s} after 1 step, {adam.w!s} after {STEPS}",
)

# %% [markdown]
# Adam's first step has the length α, whatever the gradient: the averages of dw and of dw² are
# corrected to dw and dw², and dw / √dw² is ±1. In exact arithmetic it is 0.1, and the 0.0999993 is
# float32 again.
#
# The picture shows the difference in character. Gradient descent slows down as the slope does;
# Adam keeps its pace for longer, overshoots a little, and comes back.

# %%
STEPS_IN_PICTURE = 250
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.axhline(5, color="0.75", linewidth=1)
ax.plot(new.w_history[: STEPS_IN_PICTURE + 1], color="#0072B2", linewidth=2)
ax.plot(adam.w_history[: STEPS_IN_PICTURE + 1], color="#D55E00", linewidth=2)
ax.text(100, 5.2, "Adam, α = 0.1", color="#D55E00", ha="center")
ax.text(84, 3.8, "gradient descent, α = 0.01", color="#0072B2")
ax.set(xlabel="step", ylabel="w", xlim=(0, STEPS_IN_PICTURE), ylim=(0, 6))
ax.set_title("Adam strides, overshoots and returns; gradient descent slows down", loc="left")
ax.spines[["top", "right"]].set_visible(False)
save(fig, "4_1_toy")
