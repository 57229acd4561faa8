"""The course's four optimizers (5.9 to 5.11): ``w`` after one step, the state kept in a dict.

And Adam as PyTorch publishes it.
"""

import numpy as np


def gradient_descent(w, dw, state, t, *, learning_rate):
    return w - learning_rate * dw


def momentum(w, dw, state, t, *, learning_rate, momentum):
    v = momentum * state.get("v", 0) + (1 - momentum) * dw
    state.update(v=v)
    return w - learning_rate * v


def rmsprop(w, dw, state, t, *, learning_rate, rho, epsilon):
    s = rho * state.get("s", 0) + (1 - rho) * dw**2
    state.update(s=s)
    return w - learning_rate * dw / (np.sqrt(s) + epsilon)


def adam(w, dw, state, t, *, learning_rate, beta_1, beta_2, epsilon):
    v = beta_1 * state.get("v", 0) + (1 - beta_1) * dw
    s = beta_2 * state.get("s", 0) + (1 - beta_2) * dw**2
    state.update(v=v, s=s)
    v_corrected, s_corrected = v / (1 - beta_1**t), s / (1 - beta_2**t)
    return w - learning_rate * v_corrected / (np.sqrt(s_corrected) + epsilon)


def torch_adam(theta, g, state, t, *, lr, betas, eps):
    """The algorithm box of the documentation of ``torch.optim.Adam``, with its names.

    Without its options weight_decay, amsgrad and maximize, which are off by default.
    """
    beta_1, beta_2 = betas
    m = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    v = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g**2
    state.update(m=m, v=v)
    m_hat = m / (1 - beta_1**t)
    v_hat = v / (1 - beta_2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps)


# Where torch.optim.Adam of PyTorch 2.13.0 (CPU) itself stands after 100 steps down Bowl() in
# float64, with lr=2**-6, betas=(0.875, 0.99), eps=1e-3.
TORCH_ADAM_AFTER_100_STEPS = [
    -1.8585980275276444,
    0.21598042398046746,
    -1.0326594239154891,
    0.5365653074647494,
    -0.3470981990296549,
]


def descend(update, gradient, w, hyperparameters):
    """Every w of a descent, the start included; ``hyperparameters`` has one dict a step."""
    path, state = [np.asarray(w, np.float64)], {}
    for t, now in enumerate(hyperparameters, start=1):
        path.append(update(path[-1], gradient(path[-1]), state, t, **now))
    return np.array(path)


class Bowl:
    """A random quadratic cost ``½ (w-b)ᵀ A (w-b)`` in five dimensions, and a place to start."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(5, 5))
        self.a = root @ root.T / 5 + 0.1 * np.eye(5)
        self.b = rng.normal(size=5)
        self.start = 3 * rng.normal(size=5)

    def gradient(self, w):
        return self.a @ (w - self.b)
