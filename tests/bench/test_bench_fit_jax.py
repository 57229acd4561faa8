"""The JAX contender of the bench takes the same steps."""

import numpy as np
import pytest

import tfcourse
from tfcourse.bench.fit_jax import AVERAGES, jax_training
from tfcourse.bench.fit_work import works


@pytest.mark.parametrize("name", ["digits", "mlp"])
def test_it_takes_the_steps_of_fit(name):
    """Two epochs with a smaller last batch, from the same weights and in the same order."""
    work = works(0.1)[name]
    model, training = work.model(), jax_training(work)
    history = tfcourse.fit(
        model, **work.arguments(), epochs=2, verbose=0, seed=0, jit_compile=False
    ).history
    assert work.epochs == 2 and len(work.x) % work.batch_size
    assert training() == pytest.approx(history["loss"][-1], rel=1e-5)
    assert training.accuracy == pytest.approx(history["accuracy"][-1], abs=1e-6)
    for variable, array in zip(model.trainable_variables, training.weights(), strict=True):
        np.testing.assert_allclose(array, variable.numpy(), atol=2e-5, err_msg=variable.path)
    averages = [arrays[n] for arrays in training.state[1] for n in AVERAGES if n in arrays]
    expected = [v for layer in model.layers for v in layer.variables if v.name in AVERAGES]
    for variable, array in zip(expected, averages, strict=True):
        np.testing.assert_allclose(array, variable.numpy(), rtol=2e-4, err_msg=variable.path)


def test_it_takes_part_where_it_can():
    small = works(0.05)
    assert [name for name, work in small.items() if jax_training(work)] == ["digits", "mlp"]
