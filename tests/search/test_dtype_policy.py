"""Mixed precision in a search, beside ``model.fit`` under Keras's global policy."""

import keras
import numpy as np
import pytest

from tests.search.test_own_callbacks import regression  # noqa: F401  # a fixture
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial


@pytest.mark.parametrize("optimizer", ["momentum", "keras:sgd"])
def test_float16_gives_the_numbers_of_model_fit(regression, optimizer):  # noqa: F811
    """With targets so large that the scaled loss overflows at first, and steps are left out."""
    search = regression(
        dtype_policy="mixed_float16", optimizer=optimizer, trials=2, epochs=6, scale=300.0
    )
    result = search.run(verbose=False)
    assert result.efforts["main"].reused == 1
    assert keras.config.dtype_policy().name == "float32"
    split = load_split(search.config)
    for number, record in result.trials.items():
        model = build_trial(search.config, split, record.values, trial_seed(0, number))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert {layer.compute_dtype for layer in model.layers} == {"float16", "float32"}
        expected = model.fit(
            split.train.x,
            split.train.y,
            batch_size=64,
            epochs=6,
            shuffle=False,
            verbose=0,
            validation_data=(split.dev.x, split.dev.y),
        )
        for name, values in expected.history.items():
            np.testing.assert_allclose(record.history[name], values, rtol=2e-3, err_msg=name)
        first, second, *_ = expected.history["loss"]
        assert first == second  # the first step was left out
        assert float(model.optimizer.dynamic_scale) < 2.0**15
    best = result.best_model()
    plain = keras.models.load_model(result.directory / "best.keras")
    for loaded in (best, plain):
        assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
        assert loaded.layers[-1].compute_dtype == "float32"
        assert loaded.layers[0].dtype_policy.name == "mixed_float16"
    np.testing.assert_array_equal(plain.predict(split.dev.x), best.predict(split.dev.x))


def test_a_population_is_refused(regression):  # noqa: F811
    with pytest.raises(ValueError, match=r"is not possible with dtype_policy = \"mixed_bfloat16\""):
        regression(dtype_policy="mixed_bfloat16", caviar="population")
