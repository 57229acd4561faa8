"""The trainings of `tfcourse.bench.fit` as plain PyTorch loops."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfcourse.bench.fit_work import Work
from tfcourse.types import Layer

__all__ = ["torch_training"]


def torch_training(work: Work) -> Callable[[], float] | None:
    """Return a function that trains for the work's epochs and returns the mean loss of the last.

    Each call continues the training of the one before. Return None without PyTorch, and for a
    dataset.
    """
    if work.as_dataset or importlib.util.find_spec("torch") is None:
        return None
    import torch  # not a dependency: with it installed there is one more contender

    torch.manual_seed(0)
    hidden = work.hidden()
    # Keras knows the sizes of its layers once they are built.
    keras.Sequential([keras.Input(work.x.shape[1:]), *hidden, keras.layers.Dense(10)])
    model = torch.nn.Sequential(*_modules(hidden))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    cross_entropy = torch.nn.CrossEntropyLoss()
    x = torch.from_numpy(np.moveaxis(work.x, -1, 1).copy() if work.x.ndim == 4 else work.x)
    y = torch.from_numpy(work.y).long()

    def train() -> float:
        total = torch.zeros(())
        for _ in range(work.epochs):
            total = torch.zeros(())
            for rows in torch.randperm(len(x)).split(work.batch_size):
                optimizer.zero_grad(set_to_none=True)
                loss = cross_entropy(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(rows)
        return float(total) / len(x)

    return train


def _modules(layers: Sequence[Layer]) -> list[Any]:
    """Return PyTorch's counterparts of Keras's layers, and a linear layer of ten outputs."""
    import torch

    def last_step(kind: Any) -> Any:
        """Return a kind of recurrent layer that returns only its output of the last time step."""

        class LastStep(kind):
            def forward(self, x: Any) -> Any:
                return super().forward(x)[0][:, -1]

        return LastStep

    modules: list[Any] = []
    for layer in layers:
        inputs, outputs = layer.input.shape, layer.output.shape
        match type(layer).__name__:
            case "Dense":
                modules.append(torch.nn.Linear(inputs[-1], outputs[-1], bias=layer.use_bias))
                if layer.activation is keras.activations.relu:
                    modules.append(torch.nn.ReLU())
            case "BatchNorm":
                kind = torch.nn.BatchNorm2d if len(inputs) == 4 else torch.nn.BatchNorm1d
                modules.append(kind(inputs[-1], eps=layer.epsilon, momentum=1 - layer.momentum))
            case "ReLU":
                modules.append(torch.nn.ReLU())
            case "Conv2D":
                convolution = torch.nn.Conv2d(
                    inputs[-1], outputs[-1], layer.kernel_size, padding="same", bias=False
                )
                modules.append(convolution)
            case "MaxPooling2D":
                modules.append(torch.nn.MaxPool2d(2))
            case "Flatten":
                modules.append(torch.nn.Flatten())
            case "LSTM" | "GRU" as name:
                kind = last_step(getattr(torch.nn, name))
                modules.append(kind(inputs[-1], outputs[-1], batch_first=True))
            case other:
                raise RuntimeError(f"There is no PyTorch counterpart of {other} here.")
    return [*modules, torch.nn.Linear(layers[-1].output.shape[-1], 10)]
