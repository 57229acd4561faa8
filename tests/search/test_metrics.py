"""Losses, metrics, optimizers and early stopping from a config, beside Keras and scikit-learn."""

import inspect
import re

import keras
import numpy as np
import pytest
import sklearn.metrics
from keras.callbacks import EarlyStopping
from keras.src import losses as keras_losses

from tests.search.test_config import errors_of, parse, search
from tfcourse.hyperparameters import KERAS_OPTIMIZERS, OPTIMIZERS
from tfcourse.search.config.metrics import LOSSES, METRICS, direction_of
from tfcourse.search.config.optimizers import create
from tfcourse.search.config.tables import TrainingTable
from tfcourse.search.data.loading import load_split
from tfcourse.search.trials.callbacks import trial_callbacks
from tfcourse.search.trials.compilation import keras_metrics as compiled_metrics

# For images as a whole, for pairs and for sequences: their targets are none of a search's.
OTHER_LOSSES = {"circle", "ctc", "dice", "tversky", "mse", "bce", "kld"}
BINARY = "[training]\nloss = 'binary_crossentropy'\n"
REGRESSION = "[training]\nloss = 'mse'\n"


def test_the_losses_are_keras_own():
    for name in LOSSES:
        assert callable(keras.losses.get(name))
    known = {name for name in keras_losses.ALL_OBJECTS_DICT if name and name.islower()}
    assert known - OTHER_LOSSES <= set(LOSSES)


@pytest.fixture
def targets(rng):
    """For each kind of targets: y, good and bad predictions, and a loss that takes them."""
    labels = rng.integers(7, size=60)  # more than the 5 of top-k
    rows = np.eye(7)[labels]
    answers = rng.integers(2, size=(60, 1)).astype(float)
    numbers = rng.uniform(1, 2, size=(60, 1))
    noise = rng.uniform(size=(60, 7))
    noise /= noise.sum(axis=1, keepdims=True)
    good = 0.8 * rows + 0.2 * noise
    return {
        "labels": (labels, good, good[::-1], "sparse_categorical_crossentropy"),
        "one_hot": (rows, good, good[::-1], "categorical_crossentropy"),
        "binary": (answers, 0.6 * answers + 0.3, 0.9 - 0.6 * answers, "binary_crossentropy"),
        "numbers": (numbers, numbers + 0.01, numbers[::-1], "mse"),
    }


@pytest.mark.parametrize(
    ("name", "kind"), [(n, kind) for n, metric in METRICS.items() for kind in metric.targets]
)
def test_a_metric_tells_good_predictions_from_bad_ones(name, kind, targets):
    """It takes the targets that it is said to take, is one number, and better in its direction."""
    y, good, bad, loss = targets[kind]
    table = TrainingTable(loss=loss, metrics=[name])
    model = keras.Sequential([keras.Input(good.shape[1:]), keras.layers.Activation("linear")])
    model.compile(loss=loss, metrics=compiled_metrics(table), run_eagerly=True)
    found = []
    for predictions in (good, bad):
        model.reset_metrics()
        found.append(model.test_on_batch(predictions, y, return_dict=True)[name])
    assert [np.shape(value) for value in found] == [(), ()]
    assert found[0] > found[1] if METRICS[name].direction == "max" else found[0] < found[1]


def test_a_loss_is_better_small():
    assert {direction_of(name) for name in ("loss", "val_loss", "val_mae", "mse")} == {"min"}
    assert {direction_of(name) for name in ("val_accuracy", "auc", "val_f1_score")} == {"max"}
    assert direction_of("val_profit") is None


def test_the_f1_score_is_scikit_learns(rng):
    y, predictions = rng.integers(3, size=50), rng.uniform(size=(50, 3))
    (metric,) = compiled_metrics(
        TrainingTable(loss="categorical_crossentropy", metrics=["f1_score"])
    )
    metric.update_state(np.eye(3)[y], predictions)
    expected = sklearn.metrics.f1_score(y, predictions.argmax(axis=1), average="macro")
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    (metric,) = compiled_metrics(TrainingTable(loss="binary_crossentropy", metrics=["f1_score"]))
    metric.update_state((y[:, None] > 0).astype(float), predictions[:, :1])
    expected = sklearn.metrics.f1_score(y > 0, predictions[:, 0] > 0.5)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


class TestOptimizers:
    @pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
    def test_keras_own_take_the_arguments(self, name):
        optimizer = create(name, learning_rate=0.25)
        assert type(optimizer).__name__.lower() == name.removeprefix("keras:")
        assert type(optimizer).__module__.startswith("keras.")
        assert float(optimizer.learning_rate) == 0.25
        assert set(KERAS_OPTIMIZERS[name].arguments) <= set(
            inspect.signature(type(optimizer)).parameters
        )

    def test_ours_are_ours(self):
        assert type(create("adam")).__module__.startswith("tfcourse.")
        assert set(KERAS_OPTIMIZERS) < set(OPTIMIZERS)

    def test_their_arguments_are_searched(self, quick, monkeypatch):
        space = {"weight_decay": {"values": [0.125]}, "nesterov": {"values": [True]}}
        found = quick(
            space=space,
            search={"trials": 1},
            training={"optimizer": "keras:sgd", "momentum": 0.5, "clipnorm": 2.0},
        ).run(verbose=False)
        optimizer = found.best_model().optimizer
        assert isinstance(optimizer, keras.optimizers.SGD)
        config = optimizer.get_config()
        kept = {name: config[name] for name in ("weight_decay", "nesterov", "momentum", "clipnorm")}
        assert kept == {"weight_decay": 0.125, "nesterov": True, "momentum": 0.5, "clipnorm": 2.0}


ERRORS = {
    "loss": (
        "[training]\nloss = 'msee'",
        r'\[training\] loss must be one of "sparse_categorical.*Did you mean "mse"\?',
    ),
    "metric": (
        "[training]\nmetrics = ['acuracy']",
        r'\[training\] metrics must be one of "accuracy", .*"package\.module:function"\. '
        r"Received: 'acuracy'\. Did you mean \"accuracy\"\?",
    ),
    "metric that does not fit": (
        "[training]\nmetrics = ['accuracy', 'auc']",
        r'\[training\] metrics: "auc" does not fit the loss\. Received: '
        r'"sparse_categorical_crossentropy"; it takes the targets of "categorical_crossentropy" .*',
    ),
    "accuracy of a regression": (
        REGRESSION + "metrics = ['accuracy']",
        r'\[training\] metrics: "accuracy" does not fit the loss\. Received: "mse"; .*',
    ),
    "metric's function": (
        "[training]\nmetrics = ['accuracy', 'no_such_module:profit']",
        r'\[training\] metrics: the module "no_such_module" can\'t be imported .*',
    ),
    "equal metrics": (
        "[training]\nmetrics = ['accuracy', 'accuracy']",
        r"\[training\] metrics must differ\. Received: \['accuracy', 'accuracy'\]\.",
    ),
    "objective that is not measured": (
        search("objective = 'val_auc'") + "\n" + BINARY,
        r'\[search\] objective must be one of "val_accuracy", "val_loss", .*',
    ),
    "objective of a regression": (
        search("objective = 'val_accuracy'") + "\n" + REGRESSION,
        r'\[search\] objective must be one of "val_mean_absolute_error", "val_loss", .*',
    ),
    "objective without a direction": (
        search("objective = 'val_log'") + "\n[training]\nmetrics = ['math:log']",
        r'\[search\] direction is required for the objective "val_log": "max" or "min"\.',
    ),
    "flag": (
        "[training]\noptimizer = 'keras:adam'\namsgrad = 1",
        r"\[training\] amsgrad: must be a valid boolean\. Received: 1\.",
    ),
    "searched flag": (
        "[training]\noptimizer = 'keras:adam'\n[space.amsgrad]\nvalues = [0, 1]",
        r"\[space\.amsgrad\] values must be true or false\. Received: 0\.",
    ),
    "argument of Keras's": (
        "[training]\nweight_decay = 0.1",
        r'\[training\] weight_decay is not an argument of the optimizer "adam"\.',
    ),
    "patience": (
        "[training.early_stopping]\npatience = 0",
        r"\[training\.early_stopping\] patience: must be greater than or equal to 1\. .*",
    ),
    "key of early stopping": (
        "[training.early_stopping]\npatiens = 3",
        r'\[training\.early_stopping\] patiens is not a known key\. Did you mean "patience"\? '
        r"Known: patience, min_delta, monitor, start_from_epoch\.",
    ),
    "monitor": (
        "[training.early_stopping]\nmonitor = 'val_los'",
        r"\[training\.early_stopping\] monitor must be one of .*Did you mean \"val_loss\"\?",
    ),
    "no early stopping table": (
        "[training]\nearly_stopping = 3",
        r"\[training\.early_stopping\] must be a table\. Received: 3\.",
    ),
}


@pytest.mark.parametrize(("fragment", "said"), ERRORS.values(), ids=ERRORS)
def test_one_mistake_gives_one_line(fragment, said, tmp_path):
    if "searched" not in said and "[space." not in fragment:
        fragment += "\n[space.units]\nlow = 4\nhigh = 8\n"
    lines = errors_of(fragment, tmp_path)
    assert len({line.partition(" ")[0] for line in lines}) == 1, lines
    assert re.fullmatch(said, lines[0]), lines


def test_what_the_loss_suggests():
    config = parse(REGRESSION)
    assert config.training.metrics == ("mean_absolute_error",)
    assert (config.search.objective, config.direction) == ("val_loss", "min")
    assert config.model.arguments == {"output": "linear"}
    config = parse(BINARY)
    assert config.training.metrics == ("accuracy",)
    assert (config.search.objective, config.direction) == ("val_accuracy", "max")
    assert config.model.arguments == {"output": "sigmoid"}
    assert parse().model.arguments == {}


# Two overlapping clouds, and y as a number.
CLOUDS = """
def clouds():
    rng = np.random.default_rng(1)
    y = np.arange(200) % 2
    return rng.normal(size=(200, 4)) + 1.5 * y[:, None], y

def heights():
    x, _ = clouds()
    return x, np.stack([x.sum(axis=1), 3 - x[:, 0]], axis=1)
"""


def test_rows_for_labels(quick):
    """AUC and F1 want one column a class: the loss says so, and the labels become rows."""
    searched = quick(
        search={"trials": 2, "objective": "val_f1_score"},
        training={"loss": "categorical_crossentropy", "metrics": ["f1_score", "auc", "precision"]},
    )
    result = searched.run(verbose=False)
    assert set(result.summary.test) == {"auc", "f1_score", "loss", "precision"}
    dev = load_split(searched.config).dev
    assert dev.y.shape == (12, 3)
    answers = result.best_model().predict(dev.x, verbose=0).argmax(axis=1)
    expected = sklearn.metrics.f1_score(dev.y.argmax(axis=1), answers, average="macro")
    assert result.best.score == pytest.approx(expected, abs=1e-6)
    assert result.best.score == max(r.score for r in result.trials.values())


def test_yes_or_no(quick):
    searched = quick(
        CLOUDS,
        data={"source": "SOURCE:clouds"},
        model={"builder": "mlp", "layers": 1},
        search={"trials": 1, "objective": "val_auc"},
        training={"loss": "binary_crossentropy", "metrics": ["auc", "accuracy"]},
    )
    result = searched.run(verbose=False)
    test = load_split(searched.config).test
    assert result.best_model().output_shape == (None, 1)
    answers = result.best_model().predict(test.x, verbose=0)
    accuracy = sklearn.metrics.accuracy_score(test.y[:, 0], answers[:, 0] > 0.5)
    assert result.summary.test["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert result.best.score == max(result.best.history["val_auc"])


def test_a_regression(quick):
    searched = quick(
        CLOUDS,
        data={"source": "SOURCE:heights"},
        model={"builder": "mlp", "layers": 1},
        search={"trials": 2},
        training={"loss": "huber", "metrics": ["mae", "r2_score"], "epochs": 3},
    )
    result = searched.run(verbose=False)
    test = load_split(searched.config).test
    assert (len(test.y), test.y.shape[1]) == (40, 2)
    answers = result.best_model().predict(test.x, verbose=0)
    expected = sklearn.metrics.mean_absolute_error(test.y, answers)
    assert result.summary.test["mae"] == pytest.approx(expected, rel=1e-5)
    expected = sklearn.metrics.r2_score(test.y, answers)
    assert result.summary.test["r2_score"] == pytest.approx(expected, abs=1e-5)
    assert result.best.score == min(r.score for r in result.trials.values())


def test_two_classes_alone_have_one_answer(quick):
    searched = quick(training={"loss": "binary_crossentropy"})
    with pytest.raises(ValueError, match=r"y: the loss \"binary_.*\" takes 2 classes\. Rec.*: 3;"):
        load_split(searched.config)


def test_a_metric_of_ones_own(quick):
    source = """
    @keras.saving.register_keras_serializable("a_test")
    def sureness(y, predictions):
        return keras.ops.max(predictions, axis=-1)
    """
    searched = quick(
        source,
        search={"objective": "val_sureness", "direction": "min", "trials": 2},
        training={"metrics": ["accuracy", "SOURCE:sureness"]},
    )
    result = searched.run(verbose=False)
    dev = load_split(searched.config).dev
    predictions = result.best_model().predict(dev.x, verbose=0)
    assert result.best.score == pytest.approx(predictions.max(axis=1).mean(), rel=1e-5)
    assert result.best.score == min(r.score for r in result.trials.values())


class TestEarlyStopping:
    def test_it_is_keras_own(self):
        config = parse(
            "[training.early_stopping]\npatience = 4\nmin_delta = 0.25\nmonitor = 'loss'\n"
            "start_from_epoch = 2"
        )
        *_, stop = trial_callbacks(config)
        assert not stop.restore_best_weights  # those of the best epoch are kept anyway
        kept = (stop.monitor, stop.mode, stop.patience, stop.min_delta, stop.start_from_epoch)
        assert kept == ("loss", "min", 4, 0.25, 2)

    def test_it_monitors_the_objective(self):
        config = parse("[training.early_stopping]")
        *_, stop = trial_callbacks(config)
        assert (stop.monitor, stop.mode, stop.patience) == ("val_accuracy", "max", 3)
        assert not any(type(c) is EarlyStopping for c in trial_callbacks(parse()))

    def test_a_training_ends_and_its_best_epoch_counts(self, quick):
        """Large steps: the loss on the dev set only grows after a while."""
        stopping = {"patience": 2, "min_delta": 0.001}
        searched = quick(
            space={"learning_rate": {"values": [0.5, 1.0]}},
            search={"trials": 2, "objective": "val_loss"},
            training={"epochs": 60, "early_stopping": stopping},
        )
        result = searched.run(verbose=False)
        for record in result.trials.values():
            losses = record.history["val_loss"]
            assert len(losses) < 60
            assert losses[record.best_epoch - 1] == min(losses) == record.score
            # What a reading of the definition gives: nothing better for 2 epochs.
            best, waited = np.inf, 0
            for epoch, loss in enumerate(losses):
                best, waited = (loss, 0) if loss < best - 0.001 else (best, waited + 1)
                assert (waited == 2) == (epoch == len(losses) - 1)
