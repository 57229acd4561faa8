"""What every layer of tfcourse keeps to as a Keras layer; a test class inherits it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

BATCH = 6


class LayerContract:
    """Fill in the attributes and override where the layer differs.

    Attributes:
        layer_class: The class under test.
        arguments: Constructor arguments, so many of them not the defaults as possible.
        features: The size of the last input axis.
        trainable_names: Names of the trainable weights, in order.
        other_names: Names of the other weights, in order.
        output_dtypes: The output's dtype for each dtype policy.
    """

    layer_class: type
    arguments: dict
    features = 5
    trainable_names: list
    other_names: list
    output_dtypes: dict

    def make(self, **kwargs):
        return self.layer_class(**{**self.arguments, **kwargs})

    def inputs(self, *shape, dtype="float32"):
        shape = shape or (BATCH,)
        return np.random.default_rng(1).normal(1, 2, (*shape, self.features)).astype(dtype)

    def built(self, **kwargs):
        """A layer whose weights are random and positive, the variances among them."""
        layer = self.make(**kwargs)
        layer.build((None, self.features))
        rng = np.random.default_rng(2)
        layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
        return layer

    def functional(self, layer):
        inputs = keras.Input((self.features,))
        return keras.Model(inputs, layer(inputs))

    def test_config_round_trip(self):
        layer = self.make(name="some_name", dtype="mixed_bfloat16", trainable=False)
        config = layer.get_config()
        again = self.layer_class.from_config(json.loads(json.dumps(config)))
        assert again.get_config() == config
        assert (again.name, again.trainable) == ("some_name", False)
        for name, value in self.arguments.items():
            if isinstance(value, int | float):
                assert getattr(again, name) == value

    def test_names_and_order_of_the_weights(self):
        layer = self.built()
        assert [w.name for w in layer.trainable_weights] == self.trainable_names
        assert [w.name for w in layer.weights] == self.trainable_names + self.other_names

    def test_a_saved_model_is_the_same_model(self, tmp_path):
        model = self.functional(self.built())
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded(self.inputs()), model(self.inputs()))
        for training in (True, True, False):  # and it goes on training as the same model
            np.testing.assert_array_equal(
                loaded(self.inputs(), training=training), model(self.inputs(), training=training)
            )

    def test_any_kind_of_model(self):
        layer = self.built()

        class Subclassed(keras.Model):
            def __init__(self):
                super().__init__()
                self.layer = layer

            def call(self, inputs, training=None):
                return self.layer(inputs)

        expected = layer(self.inputs())
        for model in (self.functional(layer), keras.Sequential([layer]), Subclassed()):
            np.testing.assert_array_equal(model(self.inputs()), expected)
            assert [w.name for w in model.weights] == [w.name for w in layer.weights]

    def test_clone_model(self):
        model = self.functional(self.built())
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(clone(self.inputs()), model(self.inputs()))
        assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}

    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_compiled_equals_eager(self, training, jit_compile):
        eager, compiled = self.built(), self.built()
        call = tf.function(
            lambda x: compiled(x, **self.call_arguments(training)), jit_compile=jit_compile
        )
        expected = eager(self.inputs(), **self.call_arguments(training))
        np.testing.assert_allclose(call(self.inputs()), expected, rtol=1e-5, atol=1e-6)
        for ours, wanted in zip(compiled.get_weights(), eager.get_weights(), strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-5)

    def call_arguments(self, training):
        return {}

    @pytest.mark.parametrize("policy", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_dtype_policies(self, policy, jit_compile):
        layer = self.built(dtype=policy)
        outputs = tf.function(layer, jit_compile=jit_compile)(self.inputs(dtype="float64"))
        assert outputs.dtype == self.output_dtypes[policy]
        weights_dtype = "float64" if policy == "float64" else "float32"
        assert {w.dtype for w in layer.weights} == {weights_dtype}
        exact = self.built(dtype="float64")(self.inputs(dtype="float64"))
        tolerance = {"float64": 1e-12, "float32": 1e-5}.get(policy, 0.1)
        np.testing.assert_allclose(
            tf.cast(outputs, tf.float64), exact, rtol=tolerance, atol=tolerance
        )

    @pytest.mark.parametrize("policy", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
    def test_a_symbolic_output_has_the_actual_dtype(self, policy):
        output = self.built(dtype=policy)(keras.Input((self.features,)))
        assert output.dtype == self.output_dtypes[policy]

    @pytest.mark.parametrize("leading", [(6,), (4, 3), (2, 3, 4)])
    def test_the_output_shape_is_as_computed(self, leading):
        layer, inputs = self.make(), self.inputs(*leading)
        assert tuple(layer(inputs).shape) == tuple(layer.compute_output_shape(inputs.shape))
        unknown = (None, *inputs.shape[1:])
        assert layer.compute_output_shape(unknown)[0] is None

    def test_an_unknown_batch_size(self):
        layer = self.built()
        assert self.functional(layer).output_shape[0] is None
        call = tf.function(layer, input_signature=[tf.TensorSpec([None, self.features])])
        for m in (1, 2, 7):
            np.testing.assert_allclose(call(self.inputs(m)), layer(self.inputs(m)), rtol=1e-5)
        assert call.experimental_get_tracing_count() == 1

    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_every_trainable_weight_has_a_finite_gradient(self, policy):
        layer = self.built(dtype=policy)
        with tf.GradientTape() as tape:
            outputs = tf.cast(layer(self.inputs(), **self.call_arguments(True)), tf.float32)
            cost = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(cost, [w.value for w in layer.trainable_weights])
        assert len(gradients) == len(self.trainable_names)
        for gradient in gradients:
            assert np.isfinite(gradient).all()
            assert np.abs(gradient).max() > 1e-4
