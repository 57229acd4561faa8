"""A search of models with several outputs: losses, metrics, weights and objectives by output."""

import re

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.conftest import RATE
from tfcourse import InputError
from tfcourse.search.config.outputs import history_names, outputs_of
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.weights import with_class_weights
from tfcourse.search.space.sampling import trial_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
Y = {
    "price": X[:, 0] * X[:, 1],
    "kind": np.arange(60) % 3,
    "fraud": (X[:, 2] > 0).astype(int),
    "size": X[:, :2],
}
W = {"price": RNG.random(60).astype("float32"), "kind": RNG.integers(0, 2, 60).astype("float32")}
TRAIN, DEV, TEST = slice(40), slice(40, 50), slice(50, None)
LOSS = {
    "price": "mse",
    "kind": "categorical_crossentropy",
    "fraud": "binary_crossentropy",
}
# The size has a metric and no loss: it is the first two of the layer before the outputs.
METRICS = {"price": ["mae"], "kind": ["accuracy"], "fraud": ["auc"], "size": ["mae"]}
WEIGHTED = {"price": ["mae", "mse"], "kind": ["accuracy"]}


def build(input_shape, classes):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(5, activation="tanh")(inputs)
    ends = {"price": None, "kind": "softmax", "fraud": "sigmoid"}
    heads = {
        name: keras.layers.Dense(classes[name], activation=end)(hidden)
        for name, end in ends.items()
        if name in classes
    }
    if "size" in classes:
        heads["size"] = keras.layers.Cropping1D((0, 3))(hidden[..., None])[..., 0]
    return keras.Model(inputs, heads)


def rows(which, names=tuple(Y), weight=None):
    y = {name: Y[name][which] for name in names}
    return (X[which], y, *([] if weight is None else [{n: w[which] for n, w in weight.items()}]))


def search_of(folder, weight=None, **settings):
    """A search of one trial whose epochs are one step, so that the order does not matter."""
    names = settings.pop("names", tuple(Y))
    sets = {"train": TRAIN, "dev": DEV, "test": TEST}
    sets = {name: rows(which, names, weight) for name, which in sets.items()}
    settings = {
        "build": build,
        "loss": LOSS,
        "metrics": METRICS,
        "epochs": 2,
        "batch_size": 60,
        "optimizer": "gradient_descent",
        **settings,
    }
    sets |= {name: settings.pop(name) for name in sets if name in settings}
    return tfcourse.Search(out=folder, space=RATE, trials=1, **sets, **settings)


def test_the_trials_and_the_test_are_those_of_model_fit(tmp_path):
    weights = {"price": 0.5}
    settings = {"loss_weights": weights, "weighted_metrics": WEIGHTED, "objective": "val_fraud_auc"}
    search = search_of(tmp_path, W, **settings)
    result = search.run(verbose=False)
    keras.utils.set_random_seed(trial_seed(0, 0))
    model = build((4,), {"price": 1, "kind": 3, "fraud": 1, "size": 2})
    model.compile(
        keras.optimizers.SGD(result.best.values["learning_rate"]),
        LOSS,
        loss_weights={"kind": 1, "fraud": 1, **weights},
        metrics=METRICS,
        weighted_metrics=WEIGHTED,
        run_eagerly=True,
    )

    def encoded(which):
        x, y, weight = rows(which, weight=W)
        ones = np.ones(len(x))
        y = {
            "price": y["price"][:, None],
            "kind": np.eye(3)[y["kind"]],
            "fraud": y["fraud"][:, None],
            "size": y["size"],
        }
        return x, y, {name: weight.get(name, ones) for name in y}

    x, y, weight = encoded(TRAIN)
    epochs = result.best.best_epoch
    fitted = {"validation_data": encoded(DEV), "sample_weight": weight, "verbose": 0}
    history = model.fit(x, y, 60, epochs, **fitted).history
    assert {*history} == {*result.best.history}
    for name, values in history.items():
        np.testing.assert_allclose(result.best.history[name][:epochs], values, 1e-4, err_msg=name)
    x, y, weight = encoded(TEST)
    measured = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    assert result.summary.test == pytest.approx(measured, rel=1e-4)
    predictions = result.best_model().predict(x, verbose=0)
    for name, expected in model.predict(x, verbose=0).items():
        np.testing.assert_allclose(predictions[name], expected, rtol=1e-4, atol=1e-6)
    predictor = tfcourse.load_run(search.directory)
    x, y = rows(TEST)
    measured = model.evaluate(x, encoded(TEST)[1], verbose=0, return_dict=True)
    assert predictor.evaluate(x, y) == pytest.approx(measured, rel=1e-4)
    assert {*predictor.predict_classes(x)} == {"kind", "fraud"}
    with pytest.raises(InputError, match="y must be a dict of the outputs"):
        predictor.evaluate(x, y["kind"])
    # The next search finds the record, with the tables as they were.
    assert search_of(tmp_path, W, **settings).completed()


@pytest.mark.parametrize(
    ("loss", "metrics", "weighted"),
    [
        (LOSS, METRICS, WEIGHTED),
        ({"kind": "sparse_categorical_crossentropy"}, {"kind": ["accuracy"]}, {}),
        ({"price": "mse"}, {"kind": ["accuracy"], "price": ["mse", "mae"]}, {"price": ["mse"]}),
        ({"price": "mse", "price_2": "mae"}, {"price_2": ["mse"]}, {"price": ["mse"]}),
        ("mse", ["mae"], ["mae", "mse"]),
    ],
    ids=["several", "one in a dict", "one loss", "a name that begins another", "no dict"],
)
def test_names_are_keras(loss, metrics, weighted):
    """The names of a history are those that Keras returns for such a model."""
    outputs = outputs_of(loss, metrics, weighted=weighted)
    inputs = keras.Input((2,))
    heads = {o.name: keras.layers.Dense(3 if o.name == "kind" else 1)(inputs) for o in outputs}
    y = {name: np.zeros((4, 1)) for name in heads}
    if "kind" in y and loss is LOSS:
        y["kind"] = np.eye(3)[[0, 1, 2, 0]]
    single = [*heads] == [""]
    model = keras.Model(inputs, heads[""] if single else heads)
    model.compile("sgd", loss, metrics=metrics, weighted_metrics=weighted, run_eagerly=True)
    logs = model.evaluate(np.zeros((4, 2)), y[""] if single else y, verbose=0, return_dict=True)
    assert {*history_names(outputs)} == {*logs}


def test_normalized_folds_of_a_population(tmp_path):
    """One program trains both trials, and the best model takes raw examples."""
    names = ("price", "fraud")
    search = tfcourse.Search(
        out=tmp_path,
        data=rows(slice(None), names),
        build=build,
        loss={name: LOSS[name] for name in names},
        space=RATE,
        trials=2,
        epochs=1,
        caviar="population",
        normalize="standardize",
        optimizer="gradient_descent",
        jit_compile=False,
    )
    result = search.run(verbose=False)
    assert sum(effort.vectorized for effort in result.efforts.values()) == 2
    predictions = result.best_model().predict(X, verbose=0)
    assert {name: array.shape for name, array in predictions.items()} == {
        "price": (60, 1),
        "fraud": (60, 1),
    }


def test_classes_of_outputs_weigh_their_losses(tmp_path):
    """As in ``model.fit`` with the weights of the examples, as it has no class_weight there."""
    from sklearn.utils.class_weight import compute_sample_weight

    by_output = {"kind": {1: 5.0, 2: 0.5}, "fraud": "balanced"}
    part = with_class_weights(
        (config := search_of(tmp_path, class_weight=by_output).config), load_split(config)
    )
    expected = {
        "price": np.ones(40),
        "kind": compute_sample_weight({0: 1, **by_output["kind"]}, Y["kind"][TRAIN]),
        "fraud": compute_sample_weight("balanced", Y["fraud"][TRAIN]),
        "size": np.ones(40),
    }
    assert {*part.weight} == {*expected}
    for name, weight in expected.items():
        np.testing.assert_allclose(part.weight[name], weight, rtol=1e-6, err_msg=name)


def test_directions_follow_from_the_metric_of_the_output(tmp_path):
    for objective, direction in {
        "val_loss": "min",
        "val_kind_accuracy": "max",
        "val_price_loss": "min",
        "fraud_auc": "max",
    }.items():
        assert search_of(tmp_path, objective=objective).config.direction == direction
    assert search_of(tmp_path).config.search.objective == "val_loss"


ERRORS = {
    "objective": (
        {"objective": "val_accuracy"},
        r'.* objective must be one of "val_price_mae", "val_kind_accuracy", .*'
        r'"val_kind_accuracy"\?',
    ),
    "loss": (
        {"loss": {**LOSS, "kind": "crossentropy"}},
        r'.*: loss of the output "kind" must be one of "sparse_categorical_crossentropy", .*',
    ),
    "metric": (
        {"metrics": {**METRICS, "price": ["accuracy"]}},
        r'.*metrics: "accuracy" does not fit the loss\. Received: "mse"; .*',
    ),
    "the same metric": (
        {"metrics": {**METRICS, "price": ["mae", "mae"]}},
        r'.*: metrics of the output "price" must differ\. .*',
    ),
    "metrics of one": (
        {"metrics": ["mae"]},
        r".*: metrics must be a table by output if loss is .*",
    ),
    "loss of one": ({"loss": "mse"}, r".*: metrics must be a table by output if loss is one, .*"),
    "no targets": (
        {"metrics": {**METRICS, "size": []}, "targets": {}},
        r'.*: targets of the output "size", which has no loss, are not known\. Set targets = .*',
    ),
    "weights of one": (
        {"loss": "mse", "metrics": ["mae"], "loss_weights": {"price": 1.0}},
        r".*: loss_weights is for a loss by output, .* Received: loss = 'mse'\.",
    ),
    "a weight of no loss": (
        {"loss_weights": {"size": 1.0}},
        r'.*: loss_weights: the output must be one of "price", "kind", "fraud"\. .*',
    ),
    "smoothed": ({"label_smoothing": 0.1}, r".*label_smoothing is for .* Received: loss \{.*"),
    "classes": (
        {"class_weight": "balanced"},
        r".*class_weight must be a table by output .*, such as \{ kind = \"balanced\" \}\. .*",
    ),
    "classes of numbers": (
        {"class_weight": {"price": "balanced"}},
        r'.*class_weight of the output "price" is for classes, and the loss "mse" is of a .*',
    ),
    "classes of no output": (
        {"class_weight": {"1": 5.0}},
        r".*class_weight: the output must be one of \"price\", .* Received: '1'\.",
    ),
    "a word for classes": (
        {"class_weight": {"kind": "balance"}},
        r".*class_weight of the output \"kind\" must be \"balanced\", or a weight .* 'balance'\.",
    ),
    "an output too many": (
        {"names": (*Y, "other")},
        r'.*y must have the outputs that .* name: price, kind, fraud, size\. .* "other" needs a .*',
    ),
    "an output too few": (
        {"names": ("price", "kind")},
        r".* Received: y as a dict of price, kind\.",
    ),
    "no dict": (
        {**dict.fromkeys(("train", "dev", "test"), (X, Y["price"]))},
        r".*the loss is a table by output, and y must be a dict of them: price, .* an array\.",
    ),
    "no table": (
        {"loss": "mse", "metrics": ["mae"]},
        r'.*y as a dict needs a table of losses by output, such as loss = \{ price = "mse", .*',
    ),
    "a builder of one": ({"build": "mlp"}, r'.*"mlp" makes models of one output\. .*'),
    "a weight of no output": (
        {"train": (*rows(TRAIN), {"prise": np.ones(40)})},
        r".*train: the names in sample_weight must be in y: price, .* Received: prise\.",
    ),
}


@pytest.mark.parametrize(("settings", "said"), ERRORS.values(), ids=ERRORS)
def test_what_does_not_fit_is_refused_at_construction(tmp_path, settings, said, monkeypatch):
    monkeypatch.setitem(Y, "other", Y["price"])
    settings = {"names": tuple(n for n in Y if n != "other"), **settings}
    with pytest.raises(InputError) as caught:
        search_of(tmp_path, **settings)
    assert re.fullmatch(said, str(caught.value).split("\n")[0]), str(caught.value)


def as_list(input_shape, classes):
    model = build(input_shape, classes)
    return keras.Model(model.input, [*model.output.values()])


def without_price(input_shape, classes):
    model = build(input_shape, classes)
    return keras.Model(model.input, {n: head for n, head in model.output.items() if n != "price"})


def one_class_too_many(input_shape, classes):
    return build(input_shape, {**classes, "kind": 4})


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        (as_list, r'.* in a dict by the names in y: .*\{"price": …, .*\}\)\. Received: no dict\.'),
        (without_price, r".* Received: a dict of kind, fraud, size\."),
        (
            one_class_too_many,
            r'.*the output "kind" must have one number a class, shape \(None, 3\).*',
        ),
    ],
    ids=["a list", "a lacking output", "a wrong shape"],
)
def test_a_model_without_the_outputs_is_refused_before_any_training(tmp_path, builder, said):
    with pytest.raises(InputError) as caught:
        search_of(tmp_path, build=builder).run(verbose=False)
    assert re.fullmatch(said, str(caught.value)), str(caught.value)
    assert not (tmp_path / "search").exists()


def test_warnings_name_the_output(tmp_path):
    from tfcourse.search.data.warnings import data_warnings

    x, y = rows(DEV)
    dev = (x, {**y, "fraud": np.zeros(10, int)})
    config = search_of(tmp_path, dev=dev, objective="val_fraud_auc").config
    (line,) = data_warnings(load_split(config), config)
    assert line.startswith("the dev set holds class 0 alone, 10 examples: val_fraud_auc, the obj")
