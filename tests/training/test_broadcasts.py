"""Own metrics and losses that broadcast y of shape (n,) against outputs of shape (n, 1)."""

import random
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tfcourse import fit
from tfcourse.training.data.target_checks import check_targets

X = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
Y = X.sum(1)
HINT = r"^y has shape \(30,\), the model's output \(None, 1\), and the {} \"{}\" broadcasts"


def dense(loss="mse", metrics=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=metrics)
    return model


def trained(metric=None, y=Y, loss="mse", train=fit, epochs=1):
    """What a training reports; a warning is an error."""
    metrics = None if metric is None else [metric]
    options = {"shuffle": False, "verbose": 0, "epochs": epochs}
    return train(dense(loss, metrics), X[: len(y)], y, **options).history


def accepted(*arguments, **options):
    """Check without a warning; no epoch is compiled."""
    trained(*arguments, **options, epochs=0)


def warned(kind, name, epochs=0, **options):
    """The warning before the first epoch, which few tests have to compile."""
    with pytest.warns(UserWarning, match=HINT.format(kind, name)) as caught:
        trained(epochs=epochs, **options)
    assert len(caught) == 1
    return str(caught[0].message)


def rmse(y, outputs):
    return ops.sqrt(ops.mean((y - outputs) ** 2))


class RMSE(keras.Metric):
    """The root of the mean square, as in Keras's documentation of an own metric."""

    def __init__(self, name="own_rmse", **options):
        super().__init__(name=name, **options)
        self.total = self.add_weight(initializer="zeros")
        self.count = self.add_weight(initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        squares = (y_true - y_pred) ** 2
        self.total.assign_add(ops.sum(squares))
        self.count.assign_add(ops.cast(ops.size(squares), "float32"))

    def result(self):
        return ops.sqrt(self.total / self.count)


class SquaredLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 2


class TestFunctions:
    def test_the_message(self):
        """Its numbers are NumPy's, for the examples on which the metric was tested."""
        calls = []

        def recorded(y, outputs):
            if tf.executing_eagerly():
                calls.append((y.numpy(), outputs.numpy()))
            return rmse(y, outputs)

        said = warned("metric", "recorded", epochs=1, metric=recorded)
        y, outputs = next((y, outputs) for y, outputs in calls if y.ndim == 1)
        assert set(y) <= set(Y)
        assert outputs.shape == (8, 1)
        assert len(set(outputs[:, 0])) == 8
        squares = [np.square(np.float64(each) - outputs) for each in (y, y[:, None])]
        assert [square.shape for square in squares] == [(8, 8), (8, 1)]
        flat, column = (np.sqrt(square.mean()) for square in squares)
        assert said == (
            'y has shape (30,), the model\'s output (None, 1), and the metric "recorded" '
            f"broadcasts them against each other: on 8 examples it gives {flat:.4g} instead of "
            f"{column:.4g}. Pass y[:, None]."
        )

    def test_for_validation_data(self):
        with pytest.warns(UserWarning, match=r"^y of validation_data has shape \(30,\)"):
            fit(dense(metrics=[rmse]), X, Y[:, None], validation_data=(X, Y), verbose=0)

    def test_a_column_is_right(self):
        history = trained(rmse, Y[:, None])
        assert history["rmse"] == pytest.approx(
            trained(rmse, Y[:, None], train=keras.Model.fit)["rmse"]
        )

    @pytest.mark.parametrize(
        "metric",
        [
            lambda y, p: ops.mean(ops.square(y - p)),
            lambda y, p: ops.square(y - p),
            lambda y, p: 1 - ops.sum((y - p) ** 2) / ops.sum((y - ops.mean(y)) ** 2),
            lambda y, p: ops.mean((y - ops.mean(y)) * (p - ops.mean(p))),
            lambda y, p: {"mean": ops.mean(p), "error": ops.mean(ops.abs(y - p))}["error"],
            lambda y, p: ops.mean(ops.cast((y > 0) == (p > 0), "float32")),
            lambda y, p: tf.reduce_mean(tf.maximum(0.3 * (y - p), 0.7 * (p - y))),
        ],
        ids=["mse", "values", "r2", "covariance", "absolute", "signs", "quantile"],
    )
    def test_that_broadcast(self, metric):
        warned("metric", "<lambda>", metric=metric)

    @pytest.mark.parametrize(
        "metric",
        [
            lambda y, p: ops.sqrt(ops.mean((y - p[:, 0]) ** 2)),
            lambda y, p: ops.mean((y - ops.squeeze(p, 1)) ** 2),
            lambda y, p: ops.mean((ops.reshape(y, (-1, 1)) - p) ** 2),
            lambda y, p: ops.mean(ops.relu(-(y[:, None] - y[None, :]) * (p - ops.transpose(p)))),
            lambda y, p: ops.mean(ops.cast((y > 0) == (p[:, 0] > 0), "float32")),
            lambda y, p: ops.max(p) + 0 * ops.mean(y),
            lambda y, p: ops.abs(ops.mean(y) - ops.mean(p)),
            lambda y, p: ops.mean(ops.abs(ops.sort(y) - ops.sort(p[:, 0]))),
            lambda y, p: ops.mean(y - p) * float("nan"),
            lambda y, p: keras.random.normal(()) + 0 * ops.mean(p),
            lambda y, p: ops.mean((y - p) ** 2) * keras.random.uniform(()),
        ],
        ids=[
            *("index", "squeeze", "reshape", "ranking", "signs", "largest", "means", "sorted"),
            *("nan", "noise", "noisy"),
        ],
    )  # fmt: skip
    def test_that_do_not(self, metric):
        accepted(metric)

    def test_one_that_needs_whole_batches(self):
        def needs_batches(y, outputs):
            assert outputs.shape[0] in (None, 30)
            return ops.mean((y - outputs) ** 2)

        accepted(needs_batches)


class TestTargets:
    """The rows on which a metric is tested are the user's first ones."""

    @pytest.mark.parametrize(
        "y",
        [
            np.zeros(30, "float32"),
            np.full(30, 2),
            np.array([0, 1, 2], "float32"),
        ],
        ids=["constant", "one class", "three rows"],
    )
    def test_that_decide_nothing(self, y):
        accepted(lambda y, p: ops.mean((ops.cast(y, "float32") - p) ** 2), y)

    def test_all_of_them_nan(self):
        def known(y, outputs):
            return ops.mean(ops.where(ops.isnan(y), 0.0, (y - outputs) ** 2))

        loss = lambda y, p: 0 * p  # noqa: E731
        accepted(known, np.full(30, np.nan, "float32"), loss)
        warned("metric", "known", metric=known, y=np.where(np.arange(30) < 9, np.nan, Y), loss=loss)

    @pytest.mark.parametrize("rare", [1, 15])
    def test_labels(self, rare):
        """Also where one of two classes is rare, and sorted to the end."""

        def accuracy(y, outputs):
            return ops.mean(ops.cast(y, "float32") == ops.cast(outputs > 0.5, "float32"))

        labels = (np.arange(30) >= 30 - rare).astype(int)
        warned("metric", "accuracy", metric=accuracy, y=labels)
        accepted(
            lambda y, p: ops.mean(ops.cast(y, "float32") == ops.cast(p[:, 0] > 0.5, "float32")),
            labels,
        )

    def test_large_ones(self):
        """Relative to 1e4 the errors are small."""
        warned("metric", "rmse", metric=rmse, y=Y + 1e4)
        accepted(lambda y, p: ops.mean((y - p[:, 0]) ** 2), Y + 1e4)


class Index(RMSE):
    """Right for y of shape (n,)."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred[:, 0], sample_weight)


class Unnamed(RMSE):
    """Without the arguments of its base class, and with a metric that Keras names."""

    def __init__(self):
        super().__init__(name="unnamed")
        self.auc = keras.metrics.AUC()


class Scaled(RMSE):
    def __init__(self, scale, name="scaled", **options):
        super().__init__(name=name, **options)
        self.scale = scale

    def result(self):
        return {"scaled": self.scale * super().result(), "count": self.count + 0.0}


class MaybeIndexed(RMSE):
    """The config lacks an argument, without which a copy would compare other things."""

    def __init__(self, indexed=False, name="maybe_indexed", **options):
        super().__init__(name=name, **options)
        self.indexed = indexed

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred[:, 0] if self.indexed else y_pred)


class WithConfig(Scaled):
    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


class WithList(WithConfig):
    """A copy with the same list would change this metric's state."""

    def __init__(self, calls, scale=1.0, name="with_list", **options):
        super().__init__(scale, name, **options)
        self.calls = calls

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.calls.append("eager" if tf.executing_eagerly() else "graph")
        super().update_state(y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "calls": self.calls}


class WithMetric(WithConfig):
    def __init__(self, inner, name="with_metric", **options):
        super().__init__(1.0, name, **options)
        self.inner = inner

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.inner.update_state(y_true)
        super().update_state(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, "inner": self.inner}


class Itself(RMSE):
    made = []

    def __init__(self, name="itself", **options):
        super().__init__(name=name, **options)
        self.made.append(self)

    @classmethod
    def from_config(cls, config):
        return cls.made[-1]


class Warns(RMSE):
    def update_state(self, y_true, y_pred, sample_weight=None):
        if tf.executing_eagerly():
            warnings.warn("eager", stacklevel=1)
        super().update_state(y_true, y_pred)


class Raising(RMSE):
    def get_config(self):
        raise NotImplementedError


class Noisy(RMSE):
    """Draws from every global generator."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        random.random(), np.random.normal(), keras.random.normal(())
        super().update_state(y_true, y_pred)


def states(metric):
    return [variable.numpy().tolist() for variable in metric.variables]


class TestMetricSubclasses:
    @pytest.mark.parametrize(
        "metric",
        [RMSE(), Unnamed(), WithConfig(2.0), WithList([]), Warns(), Noisy()],
        ids=lambda metric: type(metric).__name__,
    )
    def test_that_broadcast(self, metric):
        warned("metric", metric.name, metric=metric)

    def test_the_result_with_the_argument_of_the_config(self):
        once, twice = (
            warned("metric", "scaled", metric=WithConfig(scale)).split(" examples it gives ")[1]
            for scale in (1, 10)
        )
        once, twice = (re.findall(r"\d+\.\d+", said) for said in (once, twice))
        assert [float(n) for n in twice] == pytest.approx([10 * float(n) for n in once], rel=1e-3)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Index(),
            lambda: Scaled(2.0),
            lambda: MaybeIndexed(indexed=True),
            lambda: WithMetric(keras.metrics.Mean()),
            lambda: Itself(),
            lambda: Raising(),
            lambda: keras.metrics.MeanSquaredError(),
        ],
        ids=["right", "no config", "half a config", "object", "itself", "raises", "Keras"],
    )
    def test_that_are_right_or_are_not_tested(self, make):
        metric = make()
        before = states(metric)
        accepted(metric)
        assert states(metric) == before

    def test_a_column_is_right(self):
        accepted(RMSE(), Y[:, None])

    def test_the_users_own_metric_does_not_change(self):
        """In training it is traced once, and computed in graphs."""
        metric = WithList([])
        warned("metric", "with_list", epochs=1, metric=metric)
        assert metric.calls
        assert set(metric.calls) == {"graph"}
        reference = WithList([])
        trained(reference, train=keras.Model.fit)
        np.testing.assert_allclose(states(metric), states(reference), rtol=1e-6)

    def test_automatic_names_stay(self):
        def names(train):
            keras.backend.clear_session()
            history = trained(Unnamed(), train=train)
            return [*history, keras.metrics.AUC().name, layers.Dense(1).name]

        expected = names(keras.Model.fit)
        with pytest.warns(UserWarning, match=HINT.format("metric", "unnamed")):
            assert names(fit) == expected

    def test_random_generators_stay(self):
        def draws():
            return random.random(), np.random.normal(), float(keras.random.normal(()))

        model = dense(metrics=[Noisy()])
        keras.utils.set_random_seed(0)
        expected = draws()
        keras.utils.set_random_seed(0)
        with pytest.warns(UserWarning, match=HINT.format("metric", "own_rmse")):
            check_targets(model, tf.constant(X), tf.constant(Y), "", values=True, trace=True)
        assert draws() == expected

    def test_within_a_strategy_it_is_not_tested(self):
        with tf.distribute.OneDeviceStrategy("CPU:0").scope():
            accepted(RMSE())


class Weighted(keras.losses.Loss):
    """Without a config, and with attributes of all kinds that a copy takes."""

    def __init__(self, weight):
        super().__init__(name="weighted", reduction="sum")
        self.weight, self.powers = tf.constant(weight), {"power": [2, (np.ones(1),)]}
        self.inner = keras.losses.MeanSquaredError()
        self.calls = []

    def call(self, y_true, y_pred):
        self.calls.append("eager" if tf.executing_eagerly() else "graph")
        power = self.powers["power"][0]
        return self.weight * (y_true - y_pred) ** power + 0 * self.inner(y_true, y_pred)


class IndexedLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred[:, 0]) ** 2


class RankingLoss(keras.losses.Loss):
    """Of every pair of examples, of shape (n, n)."""

    def call(self, y_true, y_pred):
        y = ops.reshape(y_true, (-1,))
        return ops.relu(1 - ops.sign(y[:, None] - y[None, :]) * (y_pred - ops.transpose(y_pred)))


class OwnMeanLoss(keras.losses.MeanSquaredError):
    pass


class VariableLoss(SquaredLoss):
    def __init__(self):
        super().__init__()
        self.total = keras.Variable(0.0)


class TestLosses:
    def test_the_message(self):
        """Its numbers are NumPy's: a mean of 8 times 8 or of 8 squares."""
        said = warned("loss", "squared_loss", loss=SquaredLoss())
        assert said.endswith("Pass y[:, None].")
        calls = []

        class RecordedLoss(SquaredLoss):
            def call(self, y_true, y_pred):
                if tf.executing_eagerly():
                    calls.append((y_true.numpy(), y_pred.numpy()))
                return super().call(y_true, y_pred)

        assert warned("loss", "squared_loss", loss=RecordedLoss(name="squared_loss")) == said
        y, outputs = next((y, outputs) for y, outputs in calls if y.ndim == 1)
        flat, column = (np.mean((np.float64(each) - outputs) ** 2) for each in (y, y[:, None]))
        assert f"on 8 examples it gives {flat:.4g} instead of {column:.4g}." in said

    def test_the_users_own_loss_does_not_change(self):
        loss = Weighted(2.0)
        warned("loss", "weighted", epochs=1, loss=loss)
        assert loss.calls
        assert set(loss.calls) == {"graph"}

    @pytest.mark.parametrize(
        "loss",
        [
            *(IndexedLoss(), RankingLoss(), OwnMeanLoss(), VariableLoss()),
            *(keras.losses.Huber(), lambda y, p: (y - p) ** 2),
        ],
        ids=["right", "ranking", "Keras's call", "not copied", "Keras's", "function"],
    )
    def test_that_are_right_or_are_not_tested(self, loss):
        accepted(loss=loss)

    def test_a_column_is_right(self):
        accepted(loss=SquaredLoss(), y=Y[:, None])

    def test_of_one_output(self):
        x = keras.Input((3,))
        outputs = {name: layers.Dense(1, name=name)(x) for name in "ab"}
        model = keras.Model(x, outputs)
        model.compile("sgd", {"a": "mse", "b": SquaredLoss()}, metrics={"a": [RMSE()]})
        with pytest.warns(UserWarning) as caught:
            fit(model, X, {"a": Y, "b": Y}, verbose=0)
        said = [str(warning.message) for warning in caught]
        assert len(said) == 2
        assert said[0].startswith('y["b"] has shape (30,)')
        assert said[1].startswith('y["a"] has shape (30,)')
