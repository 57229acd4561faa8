"""A search as scikit-learn's classifier and regressor."""

import os
import pickle
import subprocess
import sys
import unittest
from functools import partial

import keras
import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_array, estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

import tfcourse
from tests.search.conftest import train_nothing
from tests.test_architecture import loaded_with
from tfcourse.sklearn import SearchClassifier, SearchRegressor
from tfcourse.sklearn.columns import check_columns

RATE = {"learning_rate": {"low": 0.03, "high": 0.3, "scale": "log"}}
# Of one trial nothing is kept for the next one; gradient descent has the fewest variables.
QUICK = {
    "build": "linear",
    "trials": 1,
    "batch_size": 8,
    "optimizer": "gradient_descent",
    "settings": {"jit_compile": False, "reuse_models": 0},
}
IRIS = load_iris(as_frame=True)
NAMES = IRIS.target_names[IRIS.target]
# They are of how well it learns.
TRAINED = {"check_classifiers_train", "check_regressors_train"}

pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_searches")


SAME = (
    "A weight of 2 is the same as a row twice only in the loss of all examples: of two equal rows "
    "one may be in the dev set, and mini-batches are of rows."
)
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": SAME}


def checks():
    """All checks of the classifier, and of the regressor those that the former does not have.

    The rest is the same code; with ``TFCOURSE_FULL=1`` both have all.
    """
    seen = set()
    for kind in (SearchClassifier, SearchRegressor):
        made = kind({"learning_rate": {"values": [0.1]}}, normalize="standardize", **QUICK)
        estimator = made.set_params(epochs=3)
        for _, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name in seen and kind is SearchRegressor and not os.environ.get("TFCOURSE_FULL"):
                continue
            seen.add(name)
            if name in EXPECTED:
                marks = pytest.mark.xfail(reason=EXPECTED[name], strict=True)
                yield pytest.param(estimator, check, marks=marks)
            else:
                yield estimator, check


@pytest.mark.parametrize(
    ("estimator", "check"),
    [*checks()],
    ids=lambda value: getattr(value, "func", type(value)).__name__,
)
def test_the_contract_of_scikit_learn(estimator, check, monkeypatch):
    if check.func.__name__ not in TRAINED:
        train_nothing(monkeypatch)
    if check.func.__name__ == "check_methods_sample_order_invariance":
        # Its 1e-7 is less than a rounding of float32, and a kernel may add up the last rows of a
        # batch in another order than the others.
        close = partial(estimator_checks.assert_allclose_dense_sparse, rtol=1e-6)
        monkeypatch.setattr(estimator_checks, "assert_allclose_dense_sparse", close)
    try:
        check(estimator)
    except unittest.SkipTest as error:
        pytest.skip(str(error))


def test_a_table_and_classes_of_text():
    estimator = SearchClassifier(RATE, epochs=8, normalize="standardize", **QUICK)
    assert estimator.fit(IRIS.data, NAMES) is estimator
    assert list(estimator.classes_) == ["setosa", "versicolor", "virginica"]
    assert list(estimator.feature_names_in_) == list(IRIS.data.columns)
    assert estimator.n_features_in_ == 4
    probabilities = estimator.predict_proba(IRIS.data)
    # Keras's own numbers for the same model.
    expected = estimator.model_.predict(IRIS.data.to_numpy(), verbose=0)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    predicted = estimator.predict(IRIS.data)
    np.testing.assert_array_equal(predicted, IRIS.target_names[expected.argmax(axis=1)])
    assert estimator.score(IRIS.data, NAMES) == np.mean(predicted == NAMES) > 0.8
    assert estimator.best_params_ == estimator.search_result_.best.values
    assert estimator.best_score_ == estimator.search_result_.summary.score
    assert not estimator.search_result_.directory.exists()
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(IRIS.data.rename(columns={"petal width (cm)": "width"}))
    copy = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(copy.predict_proba(IRIS.data), probabilities)
    assert copy.search_result_.best == estimator.search_result_.best
    assert not hasattr(clone(estimator), "model_")


def test_a_pickle_of_a_model_with_the_layers_of_the_course(monkeypatch):
    train_nothing(monkeypatch)
    settings = {**QUICK, "build": "mlp", "optimizer": "momentum", "settings": None}
    estimator = SearchClassifier(RATE, epochs=1, **settings).fit(IRIS.data.to_numpy(), NAMES)
    copy = pickle.loads(pickle.dumps(estimator))
    layers = [type(layer) for layer in copy.model_.layers]
    assert tfcourse.BatchNorm in layers
    # A process that has only read the pickle finds them: its import is all that it needs.
    needed = {layer.__module__ for layer in layers if layer.__module__.startswith("tfcourse.")}
    assert needed <= loaded_with(SearchClassifier.__module__)
    x = IRIS.data.to_numpy()
    np.testing.assert_array_equal(copy.predict_proba(x), estimator.predict_proba(x))


def test_two_classes_with_one_output(monkeypatch):
    train_nothing(monkeypatch)
    two = NAMES != "virginica"
    estimator = SearchClassifier(RATE, loss="binary_crossentropy", epochs=1, **QUICK)
    probabilities = estimator.fit(IRIS.data[two], NAMES[two]).predict_proba(IRIS.data[two])
    outputs = estimator.model_.predict(IRIS.data[two].to_numpy(), verbose=0)
    np.testing.assert_allclose(probabilities, np.c_[1 - outputs, outputs], rtol=1e-5)


def test_a_regression_of_one_or_several_numbers():
    x, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    settings = {"epochs": 10, "normalize": "standardize", **QUICK}
    one = SearchRegressor({"learning_rate": {"values": [0.01]}}, **settings).fit(x, y)
    assert one.predict(x).shape == y.shape
    assert one.score(x, y) > 0.4  # that of the least squares is 0.52
    two = clone(one).fit(x, np.c_[y, -y])
    assert two.predict(x).shape == (len(y), 2)
    assert two.score(x, np.c_[y, -y]) > 0.4


def test_images():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6, 6, 1)), np.arange(40) % 2
    estimator = SearchClassifier(
        {"learning_rate": {"values": [0.1]}}, build=convolutions, trials=1, epochs=1
    )
    assert estimator.fit(x, y).predict(x).shape == (40,)


def convolutions(input_shape, classes):
    layers = [keras.layers.Conv2D(2, 3), keras.layers.GlobalMaxPooling2D()]
    return keras.Sequential(
        [keras.Input(input_shape), *layers, keras.layers.Dense(classes, activation="softmax")]
    )


def test_what_scikit_learn_composes(monkeypatch):
    train_nothing(monkeypatch)
    estimator = SearchClassifier(RATE, epochs=1, **QUICK)
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    columns = make_column_transformer((encoder, ["kind"]), remainder=StandardScaler())
    chain = make_pipeline(columns, estimator)
    x = IRIS.data.assign(kind=np.array(["a", "b", "c"])[np.arange(len(NAMES)) % 3])
    halves = [(np.arange(0, len(NAMES), 2), np.arange(1, len(NAMES), 2))]
    grid = GridSearchCV(
        chain, {"searchclassifier__normalize": ["none", "min_max"]}, cv=halves, error_score="raise"
    )
    assert grid.fit(x, NAMES).predict(x[:3]).shape == (3,)
    assert grid.best_params_["searchclassifier__normalize"] in ("none", "min_max")
    chosen = grid.best_estimator_[-1]
    assert (chosen.n_features_in_, chosen.normalize) == (7, *grid.best_params_.values())


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (NAMES, object),
        (NAMES, "str"),
        (NAMES, "category"),
        (np.arange(len(NAMES)), "datetime64[s]"),
        ([None, *NAMES[1:]], object),
    ],
    ids=["objects", "texts", "categories", "dates", "missing"],
)
@pytest.mark.parametrize("alone", [False, True], ids=["beside numbers", "alone"])
def test_columns_that_are_no_numbers(column, kind, alone):
    x = IRIS.data.assign(place=pandas.Series(column).astype(kind), size=IRIS.target.astype("Int64"))
    x = x[["place"]] if alone else x
    received = (
        r"X must hold numbers\. Received other columns: \['place'\]\. .*'ignore'\), \['place'\]\)"
    )
    for estimator, y in ((SearchClassifier(), NAMES), (SearchRegressor(), IRIS.target)):
        with pytest.raises(ValueError, match=received):
            estimator.fit(x, y)


def test_columns_of_other_types_that_are_numbers():
    """As scikit-learn converts them."""
    x = IRIS.data.assign(
        size=IRIS.target.astype("Int64"),
        kind=IRIS.target.astype("category"),
        count=IRIS.target.astype(object),
        is_large=IRIS.target > 1,
    )
    check_columns(x)
    check_columns(x.to_numpy(dtype=object))
    assert check_array(x).dtype == np.float64


def test_a_search_that_fails_names_no_file_that_is_deleted(tmp_path):
    x, y = 1e6 * IRIS.data, 1e6 * IRIS.target
    settings = {"epochs": 1, **QUICK}
    estimator = SearchRegressor({"learning_rate": {"values": [1e18]}}, **settings)
    with pytest.raises(
        tfcourse.SearchFailedError, match=r"not finite .* With out, a folder, .*\.$"
    ):
        estimator.fit(x, y)
    with pytest.raises(
        tfcourse.SearchFailedError, match=rf"reason is in {tmp_path}.*results\.csv\.$"
    ):
        estimator.set_params(out=tmp_path).fit(x, y)


def test_a_run_directory_is_resumed(tmp_path, monkeypatch):
    train_nothing(monkeypatch)
    estimator = SearchClassifier(RATE, epochs=1, out=tmp_path, name="iris", **QUICK)
    first = estimator.fit(IRIS.data, NAMES).search_result_
    again = clone(estimator).set_params(trials=2).fit(IRIS.data, NAMES).search_result_
    assert again.trials[0] == first.trials[0]
    assert tfcourse.load_run(tmp_path / "iris").trial == again.best.trial
    with pytest.raises(tfcourse.InputError, match=r"the data is another than when the search beg"):
        clone(estimator).fit(IRIS.data + 1, NAMES)


def test_the_global_generators_are_left_alone(monkeypatch):
    train_nothing(monkeypatch)
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    SearchClassifier(RATE, epochs=1, **QUICK).fit(IRIS.data, NAMES)
    np.testing.assert_array_equal(np.random.random(3), expected)


def test_weights_count():
    """Class 0 alone has a weight, and is what is predicted everywhere."""
    weight = (IRIS.target == 0).astype(float)
    estimator = SearchClassifier(RATE, epochs=8, objective="val_loss", **QUICK)
    estimator.fit(IRIS.data, NAMES, sample_weight=weight)
    assert {*estimator.predict(IRIS.data)} == {"setosa"}
    with pytest.raises(ValueError, match="one weight for each of 150 examples"):
        estimator.fit(IRIS.data, NAMES, sample_weight=np.ones(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, "settings: give 'seed' as the argument random_state instead"),
        ({"epochs": 1}, "settings: give 'epochs' as the argument epochs instead"),
        ({"epoch": 1}, r'Search: "epoch" is not an argument\. Did you mean "epochs"'),
    ],
)
def test_settings_that_are_none(settings, message):
    estimator = SearchClassifier(RATE, **{**QUICK, "settings": settings})
    with pytest.raises(ValueError, match=message):
        estimator.fit(IRIS.data, NAMES)


def test_every_setting_is_one_of_the_search():
    from tfcourse.search.config.arguments import _KEYS
    from tfcourse.sklearn import estimators

    assert {*estimators._SETTINGS} <= {*_KEYS}
    assert {*estimators._SETTINGS} <= {*SearchClassifier().get_params()}


def test_without_scikit_learn():
    program = (
        "import sys\nfrom importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "PathFinder.find_spec = classmethod(\n"
        "    lambda cls, name, *rest: None if name == 'sklearn' else find(name, *rest))\n"
        "import tfcourse\n"
        "assert 'sklearn' not in sys.modules and 'tfcourse.sklearn' not in sys.modules\n"
        "import tfcourse.sklearn"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.endswith(
        "tfcourse.sklearn needs scikit-learn. Install it: pip install scikit-learn, or tfcourse "
        "with its extra data."
    )
