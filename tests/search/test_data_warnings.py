"""Data that would make a search's results worthless is told of before any training."""

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.conftest import RATE
from tfcourse import InputError
from tfcourse.search.config.load import load_config
from tfcourse.search.config.metrics import METRICS
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.warnings import SAME_FOR_ALL, data_warnings
from tfcourse.search.trials.compilation import keras_metrics

X = np.random.default_rng(0).normal(size=(30, 2))
BOTH = np.arange(30) % 2
KERAS = {
    "fbeta_score": lambda: keras.metrics.FBetaScore(threshold=0.5),
    "precision_at_recall": lambda: keras.metrics.PrecisionAtRecall(0.5),
    "recall_at_precision": lambda: keras.metrics.RecallAtPrecision(0.5),
    "sensitivity_at_specificity": lambda: keras.metrics.SensitivityAtSpecificity(0.5),
    "specificity_at_sensitivity": lambda: keras.metrics.SpecificityAtSensitivity(0.5),
}


def search(objective, metrics, loss="binary_crossentropy", **arguments):
    sets = dict.fromkeys(("train", "dev", "test"), (X, BOTH))
    sets |= {name: arguments.pop(name) for name in ("train", "dev", "test") if name in arguments}
    return tfcourse.Search(
        space=RATE, trials=1, objective=objective, metrics=metrics, loss=loss, **sets, **arguments
    ).config


def warnings(config):
    return data_warnings(load_split(config), config)


def values_of(metric, target):
    """The metric of ten models' outputs for examples of one class."""
    config = search("val_loss", [metric] if metric in METRICS else [])
    rng, found = np.random.default_rng(1), []
    for _ in range(10):
        made = keras_metrics(config.training)[0] if metric in METRICS else KERAS[metric]()
        measure = keras.metrics.get(made)
        if not isinstance(measure, keras.metrics.Metric):
            measure = keras.metrics.MeanMetricWrapper(measure)
        measure.update_state(np.full((30, 1), target), rng.random((30, 1)) ** rng.uniform(0.2, 5))
        found.append(float(np.ravel(measure.result())[0]))
    return found


BINARY = [name for name, metric in METRICS.items() if "binary" in metric.targets]


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("metric", sorted({*BINARY, *SAME_FOR_ALL} - {"accuracy"}))
def test_they_are_the_metrics_that_keras_gives_every_model_the_same(metric, target):
    same = len(set(values_of(metric, target))) == 1
    assert (target in SAME_FOR_ALL.get(metric, ())) == same


def test_a_dev_set_of_one_class():
    config = search("val_auc", ["auc", "recall"], dev=(X[:9], np.zeros(9, int)))
    assert warnings(config) == (
        "the dev set holds class 0 alone, 9 examples: val_auc, the objective, is the same for "
        "every model, and the best trial is trial 0. Give it other examples too, or choose another "
        'metric, such as "val_loss".',
    )
    assert warnings(search("val_loss", ["auc"], dev=(X[:9], np.zeros(9, int)))) == ()
    assert warnings(search("val_auc", ["auc"])) == ()


def test_a_test_set_of_one_class():
    config = search("val_recall", ["auc", "recall"], test=(X[:9], np.ones(9, int)))
    assert warnings(config) == (
        "the test set holds class 1 alone, 9 examples: auc is the same for every model there. Give "
        "it other examples too.",
    )


def test_a_fold_and_what_stops_a_training_early():
    train, dev = (X[:20], np.r_[[1, 1], np.zeros(18, int)]), (X[:10], np.zeros(10, int))
    stopping = {"patience": 1, "monitor": "val_precision"}
    metrics = ["auc", "precision"]
    config = search("auc", metrics, train=train, dev=dev, folds=3, early_stopping=stopping)
    (said,) = warnings(config)
    assert said.startswith(
        "the dev set of fold 1 of 3 holds class 0 alone, 10 examples: val_precision, the monitor "
        "of early_stopping, is the same for every model. "
    )


def test_a_regression_on_one_target():
    sets, one = {"train": (X, X), "test": (X, X)}, np.full((9, 2), 2.5)
    (said,) = warnings(search("val_r2_score", ["r2_score"], "mse", dev=(X[:9], one), **sets))
    assert said.startswith("the dev set holds the target 2.5, 2.5 alone, 9 examples: val_r2_score,")
    assert warnings(search("val_mae", ["mae"], "mse", dev=(X[:9], one), **sets)) == ()
    one[0, 0] = 3
    assert warnings(search("val_r2_score", ["r2_score"], "mse", dev=(X[:9], one), **sets)) == ()


def table(tmp_path, columns, data="", **arguments):
    """The warnings about a csv of 60 rows, whose label is y."""
    rows = ["".join(f"{make(n)}," for make in columns.values()) for n in range(60)]
    labels = ["rare" if n == 3 else "uv"[n % 2] for n in range(60)]
    lines = [",".join([*columns, "y"]), *map("".join, zip(rows, labels, strict=True))]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    path = tmp_path / "search.toml"
    path.write_text(
        f'[search]\nname = "a"\ntrials = 1\n[data]\nsource = "csv"\npath = "data.csv"\n{data}'
        '[model]\nbuilder = "linear"\n[space.learning_rate]\nlow = 0.01\nhigh = 0.1\n'
    )
    return warnings(load_config(path))


RARE = (
    'the class "rare" has 1 example, in train alone. No metric of the other sets sees it: give '
    "more examples, or leave it out."
)


def test_columns_that_are_likely_not_as_meant(tmp_path):
    columns = {
        "share": lambda n: f"{n % 5}%",
        "size": lambda n: n % 7,
        "day": lambda n: f"2026-01-{n % 28 + 1:02}",
        "cost": lambda n: (-1001, "", 0.5, 0.5)[n % 4],
    }
    day = 'missing = "mean"\n[data.columns.day]\ntype = "date"\n'
    last = (np.datetime64("2026-01-28") - np.datetime64(0, "D")).astype(int)
    unit = (
        'the column "share" holds numbers with "%" beside them, such as "0%", and is a category. '
        'Write the numbers alone, or give it type = "category".'
    )
    large = (
        f'numbers are large, and normalize is not set: "day" to {last}, "cost" to 1001. '
        'Trainings on such inputs often diverge: give normalize = "standardize".'
    )
    assert table(tmp_path, columns, day) == (unit, large, RARE)
    own = f'{day}[data.columns.share]\ntype = "category"\n'
    assert table(tmp_path, columns, f'normalize = "standardize"\n{own}') == (RARE,)


def test_classes_with_few_examples(tmp_path):
    y = np.r_[np.arange(30) % 3, [3, 3, 4]]
    x = np.random.default_rng(0).normal(size=(33, 2))
    sets = {"train": (x, y), "dev": (X, BOTH), "test": (X, BOTH)}
    config = search("val_loss", [], "sparse_categorical_crossentropy", **sets)
    said = (
        'the class "3" has 2 examples, in train alone, and 1 other class is as rare. No metric of '
        "the other sets sees it: give more examples, or leave it out."
    )
    assert warnings(config) == (said,)
    config = search("val_loss", [], "categorical_crossentropy", **sets)
    assert warnings(config) == (said,)
    sets |= {"train": (X, BOTH), "dev": (X, BOTH), "test": (x, y % 3)}
    (said,) = warnings(search("val_loss", [], "sparse_categorical_crossentropy", **sets))
    assert said.startswith('the class "2" has 10 examples, in test alone. A model can\'t learn it:')


UNSEEDED = """
import os

def unseeded():
    rng = np.random.default_rng()
    return rng.normal(size=(60, 4)), np.arange(60) % 2

def of_process():
    x, y = points()
    return x + float(os.environ["OF_A_TEST"]), y % 2
"""
SAID = r"\[data\] \w+:unseeded gives other data at each call, .* np\.random\.default_rng\(0\)\."


@pytest.mark.parametrize("points", ["unseeded", "of_process"])
def test_a_function_that_gives_other_data(points, quick, monkeypatch, tmp_path):
    monkeypatch.setenv("OF_A_TEST", "1")
    planned = quick(UNSEEDED, points=points, search={"trials": 1})
    planned.run(verbose=False)
    monkeypatch.setenv("OF_A_TEST", "2")
    said = SAID
    if points == "of_process":
        said = (
            r"the data is another .* If nothing was changed, \w+:of_process gives other data in "
            "each process: draw it from a seed, and sort what has no order, such as a set "
        )
    with pytest.raises(InputError, match=said):
        tfcourse.Search.from_toml(tmp_path / "search.toml", trials=2, out=planned.out).run(False)


def test_with_workers_they_are_told_by_the_parent(quick, caplog):
    planned = quick(
        UNSEEDED.replace("np.arange(60) % 2", "np.arange(60) // 59"),
        points="unseeded",
        model={"builder": "mlp"},
        search={"trials": 2, "objective": "val_auc"},
        training={"loss": "binary_crossentropy", "metrics": ["auc"]},
    )
    with pytest.raises(InputError, match=SAID):
        planned.run(verbose=False, workers=2)
    assert "[data] the dev set holds class 0 alone, 12 examples: val_auc" in caplog.text
