"""What every optimizer of tfcourse keeps to as a Keras optimizer; a test class inherits it."""

import copy
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import updates as reference

BOWL = reference.Bowl()
ALPHA = 2**-6  # exact in float32, in which Keras keeps a learning rate


class OptimizerContract:
    """Fill in the attributes.

    Attributes:
        optimizer_class: The class under test.
        update: The course's equation, a function of `tests.reference.updates`.
        hyperparameters: Every one but the learning rate, with a value that is not the default.
        changed: Another value for each, the learning rate included.
        inadmissible: Pairs of one constructor argument and the words of its error.
    """

    optimizer_class: type
    update: staticmethod
    hyperparameters: dict
    changed: dict
    inadmissible: list

    def make(self, **kwargs):
        return self.optimizer_class(**{"learning_rate": ALPHA, **self.hyperparameters, **kwargs})

    def weight_and_step(self, optimizer, wrap=lambda step: step, dtype="float64"):
        """A weight at the start, and what takes a step with a gradient of it."""
        w = keras.Variable(BOWL.start, dtype=dtype)
        optimizer.build([w])
        return w, wrap(lambda dw: optimizer.apply([dw], [w]))

    def walk(self, w, step, steps, gradient=BOWL.gradient):
        """Every value of ``w`` on the way, the one now included."""
        path = [w.numpy()]
        for _ in range(steps):
            step(tf.constant(gradient(path[-1]), w.dtype))
            path.append(w.numpy())
        return path

    def descend(self, optimizer, steps, gradient=BOWL.gradient):
        """The path of a float64 weight down the bowl."""
        return self.walk(*self.weight_and_step(optimizer), steps, gradient)

    def expected(self, steps, update=None, gradient=BOWL.gradient, **hyperparameters):
        now = {"learning_rate": ALPHA, **self.hyperparameters, **hyperparameters}
        return reference.descend(update or self.update, gradient, BOWL.start, steps * [now])

    def assert_equal(self, path, expected, tolerance=1e-10):
        np.testing.assert_allclose(path, expected, rtol=tolerance, atol=tolerance)

    # The update.

    def test_hundred_steps_equal_the_equations(self, compiled):
        path = self.walk(*self.weight_and_step(self.make(), compiled), 100)
        self.assert_equal(path, self.expected(100))

    def test_hundred_steps_in_float32(self):
        path = self.walk(*self.weight_and_step(self.make(), tf.function, "float32"), 100)
        self.assert_equal(path, self.expected(100), tolerance=5e-5)

    def test_a_sparse_gradient_equals_its_dense_one(self, rng):
        table = rng.normal(size=(10, 4)).astype("float32")
        results = []
        for as_given in (lambda gradient: gradient, tf.convert_to_tensor):
            w, optimizer = keras.Variable(table), self.make()
            for indices in ([1, 3, 3, 7], [1, 2, 2, 2], [0, 9, 3, 1]):
                with tf.GradientTape() as tape:
                    rows = tf.gather(w.value, indices)
                    cost = tf.reduce_sum(rows**2)
                gradient = tape.gradient(cost, w.value)
                assert isinstance(gradient, tf.IndexedSlices)
                optimizer.apply([as_given(gradient)], [w])
            results.append(w.numpy())
        np.testing.assert_array_equal(*results)
        assert np.abs(results[0] - table).max() > 1e-3

    # The hyperparameters.

    def test_assigning_in_mid_run_changes_the_next_step_and_compiles_nothing_anew(self):
        for name, value in self.changed.items():
            optimizer = self.make()
            w, step = self.weight_and_step(optimizer, tf.function)
            path = self.walk(w, step, 5)
            setattr(optimizer, name, value)
            path += self.walk(w, step, 5)[1:]
            before = {"learning_rate": ALPHA, **self.hyperparameters}
            schedule = 5 * [before] + 5 * [{**before, name: value}]
            self.assert_equal(
                path, reference.descend(self.update, BOWL.gradient, BOWL.start, schedule)
            )
            assert np.abs(path[-1] - self.expected(10)[-1]).max() > 1e-6
            assert step.experimental_get_tracing_count() == 1

    @pytest.mark.parametrize("value", [0.001, 0.1, 0.3, 0.456789, 0.5, 0.9, 0.99, 0.999, 0.999999])
    def test_hyperparameters_are_read_back_exactly(self, value):
        optimizer = self.make()
        for name in self.hyperparameters:
            setattr(optimizer, name, value)
            assert getattr(optimizer, name) == value
            assert optimizer.get_config()[name] == value

    def test_inadmissible_values(self):
        for arguments, text in [
            ({"learning_rate": -1}, r"learning_rate must be a number >= 0\. Received: -1\."),
            ({"learning_rate": float("nan")}, r"learning_rate must .* Received: nan\."),
            *self.inadmissible,
        ]:
            text = f"{self.optimizer_class.__name__}: {text}"
            with pytest.raises(ValueError, match=text):
                self.optimizer_class(**arguments)
            ((name, value),) = arguments.items()
            optimizer = self.make()
            before = optimizer.get_config()
            with pytest.raises(ValueError, match=text):
                setattr(optimizer, name, value)
            assert optimizer.get_config() == before

    # Config and saving.

    def test_config_round_trip(self):
        optimizer = self.make(weight_decay=0.01, clipnorm=1.0, use_ema=True, name="some_name")
        config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
        again = keras.optimizers.deserialize(config)
        assert type(again) is self.optimizer_class
        assert again.get_config() == optimizer.get_config()
        for name, value in self.hyperparameters.items():
            assert getattr(again, name) == value

    def test_the_configs_of_a_schedule_and_of_keras(self):
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        config = self.make(learning_rate=schedule).get_config()
        again = self.optimizer_class.from_config(copy.deepcopy(config))  # Keras alters its copy
        assert again.get_config() == config
        missing = set(keras.optimizers.SGD().get_config()) - set(config)
        assert missing <= {"momentum", "nesterov"}

    def test_a_saved_model_continues_identically(self, rng, tmp_path):
        x, y = rng.normal(size=(2, 16, 3)).astype("float32")
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
        model.compile(self.make(), "mse")
        for _ in range(3):
            model.train_on_batch(x, y)
        for name, value in self.changed.items():  # a change in mid-run is saved, too
            setattr(model.optimizer, name, value)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert loaded.optimizer.get_config() == model.optimizer.get_config()
        for either in (model, loaded):
            for _ in range(3):
                either.train_on_batch(x, y)
        assert int(loaded.optimizer.iterations) == 6
        for ours, wanted in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(ours.numpy(), wanted.numpy())
        for ours, wanted in zip(loaded.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, wanted)

    # What Keras's base class gives.

    def test_a_schedule(self):
        """Course 5.12: ``α = α0 / (1 + decay_rate · epoch)``, here with epochs of 5 steps."""
        schedule = keras.optimizers.schedules.InverseTimeDecay(ALPHA, 5, 0.5, staircase=True)
        path = self.descend(self.make(learning_rate=schedule), 20)
        alphas = [{"learning_rate": ALPHA / (1 + 0.5 * (t // 5))} for t in range(20)]
        expected = reference.descend(
            self.update, BOWL.gradient, BOWL.start, [{**self.hyperparameters, **a} for a in alphas]
        )
        self.assert_equal(path, expected, tolerance=1e-6)

    def test_a_callable_learning_rate(self):
        path = self.descend(self.make(learning_rate=lambda *_: ALPHA), 5)
        self.assert_equal(path, self.expected(5))

    def test_weight_decay(self):
        def update(w, *arguments, **hyperparameters):
            return self.update(w - ALPHA * 0.25 * w, *arguments, **hyperparameters)

        path = self.descend(self.make(weight_decay=0.25), 20)
        self.assert_equal(path, self.expected(20, update))

    @pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
    def test_clipping(self, option):
        def clipped(w):
            dw = BOWL.gradient(w)
            if option == "clipvalue":
                return np.clip(dw, -0.5, 0.5)
            return dw * min(1, 0.5 / np.linalg.norm(dw))

        path = self.descend(self.make(**{option: 0.5}), 20)
        # Keras clips by a norm in float32 where TensorFlow does.
        self.assert_equal(path, self.expected(20, gradient=clipped), tolerance=1e-6)

    def test_gradient_accumulation(self):
        """The mean of two gradients, every second call; the calls between change nothing."""
        noise = [1.0, -0.5]
        calls = iter(range(20))
        path = self.descend(
            self.make(gradient_accumulation_steps=2),
            20,
            gradient=lambda w: BOWL.gradient(w) + noise[next(calls) % 2],
        )
        np.testing.assert_array_equal(path[1::2], path[0:-1:2])
        expected = self.expected(10, gradient=lambda w: BOWL.gradient(w) + np.mean(noise))
        self.assert_equal(path[::2], expected)

    def test_loss_scale_factor(self):
        path = self.descend(
            self.make(loss_scale_factor=128.0), 20, gradient=lambda w: 128 * BOWL.gradient(w)
        )
        self.assert_equal(path, self.expected(20))

    def test_keras_loss_scale_optimizer_around_it(self):
        outer = keras.optimizers.LossScaleOptimizer(self.make(), initial_scale=64.0)
        path = self.descend(outer, 20, gradient=lambda w: 64 * BOWL.gradient(w))
        self.assert_equal(path, self.expected(20))

    def test_a_moving_average_of_the_weights(self):
        optimizer = self.make(use_ema=True, ema_momentum=0.75)
        w, step = self.weight_and_step(optimizer)
        path = self.expected(10)
        self.assert_equal(self.walk(w, step, 10), path)
        average = path[1]
        for after in path[2:]:
            average = 0.75 * average + 0.25 * after
        optimizer.finalize_variable_values([w])
        self.assert_equal(w.numpy(), average)
