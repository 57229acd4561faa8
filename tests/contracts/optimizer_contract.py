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


def inverse_time_decay(alpha):
    """Course 5.12, here with epochs of 5 steps."""
    return keras.optimizers.schedules.InverseTimeDecay(alpha, 5, 0.5, staircase=True)


# What Keras's base class offers; the learning rate as a function of α.
OPTIONS = {
    "none": {},
    "schedule": {"learning_rate": inverse_time_decay},
    "callable": {"learning_rate": lambda alpha: lambda: alpha},
    "weight_decay": {"weight_decay": 0.25},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.25},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "ema": {"use_ema": True, "ema_momentum": 0.75},
    "ema_overwrite": {"use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "loss_scale": {"loss_scale_factor": 8.0},
    "several": {
        "learning_rate": inverse_time_decay,
        "weight_decay": 0.25,
        "global_clipnorm": 0.5,
        "use_ema": True,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 2,
        "loss_scale_factor": 8.0,
    },
}
NOT_A_NUMBER = [float("nan"), float("inf"), "0.5", True, None]
NOT_A_RATE = [-1, -0.001, np.float32(-1), tf.constant(-1.0), *NOT_A_NUMBER]
NOT_A_DECAY = [-0.1, 1, 1.0, 1.5, *NOT_A_NUMBER]
NOT_AN_EPSILON = [0, 0.0, -1e-8, *NOT_A_NUMBER]


class OptimizerContract:
    """Fill in the attributes.

    Attributes:
        optimizer_class: The class under test.
        update: The course's equation, a function of `tests.reference.updates`.
        hyperparameters: Every one but the learning rate, with a value that is not the default.
        changed: Another value for each, the learning rate included.
        inadmissible: Pairs of one constructor argument and the words of its error.
        twin: Keras's class that takes the same steps, and its arguments.
        matched: Our hyperparameters with which it does.
        twin_alpha: Its learning rate over ours.
        twin_follows_schedules: Whether it does while its learning rate changes.
        twin_tolerance: How far apart the two may be in float64.
    """

    optimizer_class: type
    update: staticmethod
    hyperparameters: dict
    changed: dict
    inadmissible: list
    twin: tuple
    matched: dict
    twin_alpha = 1.0
    twin_follows_schedules = True
    twin_tolerance = 1e-10

    def make(self, **kwargs):
        return self.optimizer_class(**{"learning_rate": ALPHA, **self.hyperparameters, **kwargs})

    def pair(self, learning_rate=lambda alpha: alpha, weight_decay=None, **options):
        """Ours and Keras's, with matched settings and the same options."""
        theirs, arguments = self.twin
        factor = self.twin_alpha
        if not self.twin_follows_schedules and learning_rate is inverse_time_decay:
            learning_rate = float
        ours = {"learning_rate": learning_rate(ALPHA), "weight_decay": weight_decay, **options}
        options["learning_rate"] = learning_rate(ALPHA * factor)
        # Keras's decay of the weights is by its learning rate times it.
        options["weight_decay"] = weight_decay and weight_decay / factor
        return self.make(**self.matched, **ours), theirs(**arguments, **options)

    def weight_and_step(self, optimizer, wrap=lambda step: step, dtype="float64", start=BOWL.start):
        """A weight at the start, and what takes a step with a gradient of it."""
        w = keras.Variable(start, dtype=dtype)
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

    def expected(
        self, steps, update=None, gradient=BOWL.gradient, start=BOWL.start, **hyperparameters
    ):
        now = {"learning_rate": ALPHA, **self.hyperparameters, **hyperparameters}
        return reference.descend(update or self.update, gradient, start, steps * [now])

    def assert_equal(self, path, expected, tolerance=1e-10):
        np.testing.assert_allclose(path, expected, rtol=tolerance, atol=tolerance)

    # The update.

    def test_hundred_steps_equal_the_equations(self, compiled):
        path = self.walk(*self.weight_and_step(self.make(), compiled), 100)
        self.assert_equal(path, self.expected(100))

    def test_hundred_steps_in_float32(self):
        path = self.walk(*self.weight_and_step(self.make(), tf.function, "float32"), 100)
        self.assert_equal(path, self.expected(100), tolerance=5e-5)

    def test_weights_of_two_dtypes_and_one_without_a_gradient(self, compiled):
        weights = [keras.Variable(BOWL.start, dtype=d) for d in ("float32", "float64", "float64")]
        optimizer = self.make()
        optimizer.build(weights)

        def step():
            gradients = [tf.constant(BOWL.b, dtype) for dtype in ("float32", "float64")]
            # The last first, and the middle one not at all.
            optimizer.apply([gradients[1], gradients[0]], [weights[2], weights[0]])

        step = compiled(step)
        for _ in range(20):
            step()
        expected = self.expected(20, gradient=lambda w: BOWL.b)[-1]
        self.assert_equal(weights[2].numpy(), expected)
        self.assert_equal(weights[0].numpy(), expected, tolerance=1e-5)
        np.testing.assert_array_equal(weights[1].numpy(), BOWL.start)

    def test_a_gradient_that_was_always_zero_takes_no_step(self, compiled):
        """Erratum E6: 0/0 without ε, which has to be there in every dtype."""
        dtypes = ["bfloat16", "float16", "float32", "float64"]
        weights = [keras.Variable(tf.ones(3), dtype=dtype) for dtype in dtypes]
        optimizer = self.optimizer_class()
        optimizer.build(weights)
        step = compiled(lambda: optimizer.apply([tf.zeros(3, d) for d in dtypes], weights))
        step()
        for w in weights:
            np.testing.assert_array_equal(w.numpy(), [1, 1, 1], err_msg=w.dtype)

    @pytest.mark.parametrize(
        ("compiled", "option"),
        [
            *(("eager", name) for name in ("none", "clipnorm", "global_clipnorm", "several")),
            *(("function", "global_clipnorm"), ("jit", "none")),
        ],
        indirect=["compiled"],
    )
    def test_a_sparse_gradient_equals_its_dense_one(self, compiled, option, rng):
        table = rng.normal(size=(10, 4))
        results = []
        for as_given in (lambda gradient: gradient, tf.convert_to_tensor):
            optimizer, _ = self.pair(**OPTIONS[option])
            layer = keras.layers.Embedding(10, 4)
            layer.build()
            layer.set_weights([table])
            optimizer.build(layer.trainable_weights)

            def step(indices, layer=layer, optimizer=optimizer, as_given=as_given):
                with tf.GradientTape() as tape:
                    cost = tf.reduce_sum(layer(indices) ** 2)
                (gradient,) = tape.gradient(cost, layer.trainable_weights)
                assert isinstance(gradient, tf.IndexedSlices)
                optimizer.apply([as_given(gradient)], layer.trainable_weights)

            step = compiled(step)
            for indices in ([1, 3, 3, 7], [1, 2, 2, 2], [0, 9, 3, 1], [4, 4, 4, 4]):
                step(tf.constant(indices))
            results.append(layer.get_weights()[0])
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

    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_a_compiled_model_takes_assignments_at_its_next_step(
        self, rng, jit_compile, monkeypatch
    ):
        x, y = rng.normal(size=(2, 16, 3)).astype("float32")
        results, traced = [], []
        for options in ({"run_eagerly": True}, {"jit_compile": jit_compile}):
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
            model.compile(self.make(), "mse", **options)
            costs = []
            for name, value in [("learning_rate", ALPHA), *self.changed.items()]:
                setattr(model.optimizer, name, value)
                costs += [model.train_on_batch(x, y) for _ in range(2)]
                if "jit_compile" in options and not traced:
                    # From here on the compiled program runs, and no Python of the update.
                    monkeypatch.setattr(model.optimizer, "update_step", traced.append)
                    traced.append("once")
            results.append(costs)
        np.testing.assert_allclose(*results, rtol=1e-5)
        assert traced == ["once"]

    @pytest.mark.parametrize("value", [0.001, 0.1, 0.3, 0.456789, 0.5, 0.9, 0.99, 0.999, 0.999999])
    def test_hyperparameters_are_read_back_exactly(self, value):
        optimizer = self.make()
        for name in self.hyperparameters:
            setattr(optimizer, name, value)
            assert getattr(optimizer, name) == value
            assert optimizer.get_config()[name] == value

    def test_errors_name_the_value_and_what_is_allowed(self):
        for arguments, text in [
            ({"learning_rate": -1}, r"learning_rate must be a number >= 0\. Received: -1\."),
            ({"learning_rate": float("nan")}, r"learning_rate must .* Received: nan\."),
            *self.inadmissible,
        ]:
            text = f"{self.optimizer_class.__name__}: {text}"
            with pytest.raises(ValueError, match=text):
                self.optimizer_class(**arguments)

    def test_every_assignment_is_checked(self):
        ranges = {"learning_rate": NOT_A_RATE, "epsilon": NOT_AN_EPSILON}
        for name in self.changed:
            for value in ranges.get(name, NOT_A_DECAY):
                with pytest.raises(ValueError, match=f"{name} must be a number"):
                    self.make(**{name: value})
                optimizer = self.make()
                before = optimizer.get_config()
                with pytest.raises(ValueError, match=f"{name} must be a number"):
                    setattr(optimizer, name, value)
                assert optimizer.get_config() == before

    def test_the_ends_of_the_ranges_that_are_allowed(self):
        ends = {"learning_rate": 0, "epsilon": 1e-30}
        for name in self.changed:
            value = ends.get(name, 0)
            assert float(getattr(self.make(**{name: value}), name)) == value
            optimizer = self.make()
            setattr(optimizer, name, value)
            assert float(getattr(optimizer, name)) == value

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

    @pytest.mark.parametrize("option", OPTIONS)
    def test_each_option_does_what_it_does_in_keras(self, rng, option):
        starts = [rng.normal(size=shape) for shape in ((3, 4), (4,), (2,))]
        steps = 12
        gradients = [[tf.constant(rng.normal(size=s.shape)) for s in starts] for _ in range(steps)]
        results = []
        for optimizer in self.pair(**OPTIONS[option]):
            weights = [keras.Variable(start, dtype="float64") for start in starts]
            optimizer.exclude_from_weight_decay(var_list=weights[2:])
            for step in gradients:
                optimizer.apply(step, weights)
            results.append([w.numpy() for w in weights])
            optimizer.finalize_variable_values(weights)
            results[-1] += [w.numpy() for w in weights]
        tolerance = self.twin_tolerance
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        for ours, start in zip(results[0], starts, strict=False):
            assert np.abs(ours - start).max() > 1e-5

    def test_xla_in_a_keras_model(self, rng):
        x, y = rng.normal(size=(2, 8, 4, 3)).astype("float32")
        results = []
        for how in ({"run_eagerly": True}, {"jit_compile": True}):
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
            optimizer, _ = self.pair(**OPTIONS["several"])
            model.compile(optimizer, "mse", **how)
            for _ in range(2):
                for batch in zip(x, y, strict=True):
                    model.train_on_batch(*batch)
            results.append(np.concatenate([w.ravel() for w in model.get_weights()]))
        np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)

    def test_mixed_precision(self, rng):
        keras.config.set_dtype_policy("mixed_float16")
        x, y = rng.normal(size=(2, 32, 3)).astype("float32")
        results = []
        for optimizer in self.pair():
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
            model.compile(optimizer, "mse")
            assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
            assert model.optimizer.inner_optimizer is optimizer
            model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
            results.append(np.concatenate([w.ravel() for w in model.get_weights()]))
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)

    def test_a_strategys_replica_takes_the_same_path(self):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with strategy.scope():
            w = keras.Variable(BOWL.start, dtype="float64")
            optimizer = self.make()
            optimizer.build([w])

        @tf.function
        def step(dw):
            # The strategy asks on which device a gradient is; a constant is on none.
            strategy.run(lambda dw: optimizer.apply([tf.identity(dw)], [w]), (dw,))

        self.assert_equal(self.walk(w, step, 5), self.expected(5))

    def test_a_schedule(self):
        """Course 5.12: ``α = α0 / (1 + decay_rate · epoch)``."""
        path = self.descend(self.make(learning_rate=inverse_time_decay(ALPHA)), 20)
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
