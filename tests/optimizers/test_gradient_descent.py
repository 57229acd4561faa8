import keras
import numpy as np
import pytest

from tests.contracts.optimizer_contract import OptimizerContract
from tests.reference import updates as reference
from tfcourse import GradientDescent


class TestGradientDescent(OptimizerContract):
    optimizer_class = GradientDescent
    update = staticmethod(reference.gradient_descent)
    hyperparameters = {}
    changed = {"learning_rate": 2**-4}
    inadmissible = []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"clipnorm": 0.5},
        {"clipvalue": 0.1},
        {"global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 3},
        {"loss_scale_factor": 8.0, "weight_decay": 0.1, "clipnorm": 0.5},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_it_is_exactly_keras_sgd(rng, options):
    starts = [rng.normal(size=shape).astype("float32") for shape in ((3, 4), (4,))]
    gradients = [[rng.normal(size=s.shape).astype("float32") for s in starts] for _ in range(7)]
    results = []
    for optimizer_class in (GradientDescent, keras.optimizers.SGD):
        optimizer = optimizer_class(learning_rate=0.1, **options)
        weights = [keras.Variable(start) for start in starts]
        for step in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], weights)
        results.append([w.numpy() for w in weights])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_default_learning_rate_is_the_courses():
    assert float(GradientDescent().learning_rate) == pytest.approx(0.01)
