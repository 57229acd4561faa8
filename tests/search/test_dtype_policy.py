"""Mixed precision in a search, beside ``model.fit`` under Keras's global policy."""

import keras
import numpy as np
import pytest

from tests.search.beside_keras import trained_by_keras
from tfcourse.search.data.loading import load_split


@pytest.mark.parametrize(
    ("optimizer", "arguments"), [("momentum", {}), ("keras:sgd", {"batch_norm": "none"})]
)
def test_float16_gives_the_numbers_of_model_fit(regression, optimizer, arguments):
    """With targets so large that the scaled loss overflows at first, and steps are left out."""
    search = regression(
        dtype_policy="mixed_float16",
        optimizer=optimizer,
        arguments=arguments,
        epochs=6,
        scale=3.0,
    )
    result = search.run(verbose=False)
    assert result.efforts["main"].reused == 1
    assert keras.config.dtype_policy().name == "float32"
    split = load_split(search.config)
    for _, _, model, history in trained_by_keras(search, result, rtol=2e-3):
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert {layer.compute_dtype for layer in model.layers} == {"float16", "float32"}
        first, second, *_, last = history["loss"]
        assert first == second  # the first step was left out, and a later one was not
        assert last < 0.99 * first
        assert float(model.optimizer.dynamic_scale) < 2.0**15
    best = result.best_model()
    plain = keras.models.load_model(result.directory / "best.keras")
    for loaded in (best, plain):
        assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
        assert loaded.layers[-1].compute_dtype == "float32"
        assert loaded.layers[0].dtype_policy.name == "mixed_float16"
    np.testing.assert_array_equal(plain.predict(split.dev.x), best.predict(split.dev.x))


def test_a_population_is_refused(regression):
    with pytest.raises(ValueError, match=r"is not possible with dtype_policy = \"mixed_bfloat16\""):
        regression(dtype_policy="mixed_bfloat16", caviar="population")
