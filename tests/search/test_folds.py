"""Several trainings a trial: cross-validation and repeats, and data normalized by the train set."""

import csv
import gc
import itertools
import json
import re
import textwrap

import keras
import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import tfcourse
from tests.search.test_config import errors_of, parse
from tfcourse import InputError
from tfcourse.data.scaling import fit_scaling
from tfcourse.data.splits import Part, Split
from tfcourse.search.data.folds import fold_split
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.targets import as_labels
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials import trial as trial_module
from tfcourse.search.trials.building import build_trial
from tfcourse.search.trials.normalized import with_scaling
from tfcourse.search.trials.scoring import combine, score_history
from tfcourse.search.trials.trainings import trainings
from tfcourse.search.trials.trial import TrialRunner


def split_of(y, features=1, classes=3):
    """Examples that are their own numbers, the last fifth of them the test set."""
    x = np.arange(len(y) * features, dtype=np.float32).reshape(len(y), features)
    ends = [0, 6 * len(y) // 10, 8 * len(y) // 10, len(y)]
    parts = [Part(x[a:b], y[a:b]) for a, b in itertools.pairwise(ends)]
    return Split(*parts, classes)


def folds_of(split, fragment):
    config = parse(fragment)
    return [fold_split(split, config, fold) for fold in range(config.training.folds)]


class TestFoldSplit:
    @pytest.mark.parametrize("folds", [2, 3, 5, 7])
    def test_every_example_is_in_one_dev_set(self, rng, folds):
        split = split_of(rng.integers(3, size=203))
        found = folds_of(split, f"[training]\nfolds = {folds}")
        pool = np.concatenate([split.train.x, split.dev.x])[:, 0]
        assert sorted(np.concatenate([f.dev.x[:, 0] for f in found])) == sorted(pool)
        for fold in found:
            assert sorted(np.concatenate([fold.train.x, fold.dev.x])[:, 0]) == sorted(pool)
            assert fold.test is split.test
            for part in (fold.train, fold.dev):
                whole = np.concatenate([split.train.y, split.dev.y])
                np.testing.assert_array_equal(part.y, whole[part.x[:, 0].astype(int)])

    def test_it_is_as_even_as_scikit_learns(self, rng):
        """The sizes of the folds, and of every class in them, differ by one at most."""
        split = split_of(rng.integers(3, size=203))
        found = folds_of(split, "[training]\nfolds = 5")
        y = np.concatenate([split.train.y, split.dev.y])
        theirs = [y[dev] for _, dev in StratifiedKFold(5, shuffle=True).split(y, y)]
        counts = np.array([np.bincount(f.dev.y, minlength=3) for f in found])
        reference = np.array([np.bincount(labels, minlength=3) for labels in theirs])
        assert np.ptp(counts, axis=0).max() <= np.ptp(reference, axis=0).max() <= 1
        assert np.ptp(counts.sum(axis=1)) <= 1

    def test_rows_for_labels_are_stratified_and_numbers_are_not(self, rng):
        labels = rng.integers(3, size=90)
        loss = "[training]\nfolds = 3\nloss = 'categorical_crossentropy'"
        rows = folds_of(split_of(np.eye(3)[labels]), loss)
        plain = folds_of(split_of(labels), "[training]\nfolds = 3")
        for ours, theirs in zip(rows, plain, strict=True):
            np.testing.assert_array_equal(ours.dev.x, theirs.dev.x)
        numbers = rng.normal(size=(90, 2))
        found = folds_of(split_of(numbers), "[training]\nfolds = 3\nloss = 'mse'")
        assert [len(fold.dev.y) for fold in found] == [24, 24, 24]
        assert set(as_labels(numbers, "numbers")) == {0}

    def test_they_come_from_the_seed_of_the_data(self, rng):
        split = split_of(rng.integers(3, size=90))
        first, again, other = (
            [
                f.dev.x.tolist()
                for f in folds_of(split, f"[data]\nseed = {s}\n[training]\nfolds = 3")
            ]
            for s in (0, 0, 1)
        )
        assert first == again != other

    def test_without_folds_the_split_stays(self, rng):
        split = split_of(rng.integers(3, size=90))
        assert fold_split(split, parse(), 0) is split


class TestTrainings:
    def test_the_only_training_has_the_trials_seed(self):
        (training,) = trainings(7, seed=0, folds=1, repeats=1)
        assert (training.fold, training.seed, training.name) == (0, trial_seed(0, 7), "")

    def test_each_fold_and_repeat_has_a_seed_of_its_own(self):
        every = [t for trial in range(50) for t in trainings(trial, seed=0, folds=3, repeats=2)]
        assert len({training.seed for training in every}) == 300
        assert [t.fold for t in every[:6]] == [0, 0, 1, 1, 2, 2]
        assert every[3].name == "(fold 2 of 3, repeat 2 of 2)"
        assert every[0].seed == trial_seed(0, 0)


class TestCombine:
    HISTORIES = [
        {"loss": [3.0, 2.0, 1.0], "val_accuracy": [0.5, 0.75, 0.25]},
        {"loss": [5.0, 4.0], "val_accuracy": [0.25, 1.0]},
        {"loss": [1.0], "val_accuracy": [0.5]},
    ]

    def test_the_mean_and_the_standard_deviation(self):
        found = combine([score_history(h, "val_accuracy", "max") for h in self.HISTORIES])
        assert found["scores"] == [0.75, 1.0, 0.5]
        assert found["score"] == 0.75
        assert found["score_std"] == pytest.approx(np.std([0.75, 1.0, 0.5], ddof=1))
        assert found["best_epoch"] == 2  # of 2, 2 and 1
        assert found["history"] == {"loss": [3.0, 3.0, 1.0], "val_accuracy": [5 / 12, 0.875, 0.25]}

    def test_one_training_is_what_it_is(self):
        outcome = score_history(self.HISTORIES[0], "val_accuracy", "max")
        assert combine([outcome]) == outcome


@pytest.fixture
def record_of():
    return lambda result, trial: json.loads(
        (result.directory / "trials" / f"{trial:04d}.json").read_text()
    )


def test_a_search_with_folds_and_repeats(quick, record_of):
    search = quick(search={"trials": 2}, training={"folds": 3, "repeats": 2})
    result = search.run(verbose=False)
    for trial, record in result.trials.items():
        assert len(record.scores) == 6
        assert record.score == pytest.approx(np.mean(record.scores))
        assert record.score_std == pytest.approx(np.std(record.scores, ddof=1))
        assert record_of(result, trial)["scores"] == record.scores
    with (result.directory / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    fixed = ["trial", "status", "score", "best_epoch", "seconds", "worker", "message"]
    assert list(rows[0]) == [*fixed, "score_std", "learning_rate"]
    assert [float(row["score_std"]) for row in rows] == [
        r.score_std for r in result.trials.values()
    ]
    # Its last training's model: that fold's dev set gives the last score.
    dev = fold_split(load_split(search.config), search.config, 2).dev
    found = result.best_model().evaluate(dev.x, dev.y, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(result.best.scores[-1], abs=1e-6)


def test_a_fold_is_trained_as_keras_would(quick):
    """The score of every fold, from a model of the same seed under ``model.fit``'s numbers."""
    search = quick(search={"trials": 1, "objective": "val_loss"}, training={"folds": 2})
    config, split = search.config, load_split(search.config)
    runner = TrialRunner(config, split)
    record, _ = runner.run(0, {"learning_rate": 0.05})
    for training, score in zip(trainings(0, 0, 2, 1), record.scores, strict=True):
        fold = fold_split(split, config, training.fold)
        model = build_trial(config, split, {"learning_rate": 0.05}, training.seed)
        history = tfcourse.fit(
            model,
            fold.train.x,
            fold.train.y,
            batch_size=12,
            epochs=2,
            verbose=0,
            validation_data=(fold.dev.x, fold.dev.y),
            seed=training.seed,
        ).history
        assert score == pytest.approx(min(history["val_loss"]), rel=1e-6)


def test_a_failure_says_which_training_it_was(quick):
    source = """
    built = []
    def third(input_shape, classes):
        built.append(1)
        if len(built) == 3:  # the preflight's, and the first fold's
            raise ValueError("no more")
        return linear(input_shape, classes)
    """
    search = quick(source, "third", search={"trials": 2}, training={"folds": 2})
    result = search.run(verbose=False)
    assert result.trials[0].message == "ValueError: no more (fold 2 of 2)"
    assert (result.trials[0].score, result.trials[0].scores) == (None, [])
    assert result.best.trial == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("fragment", "said"),
        [
            (
                "[training]\nfolds = 0",
                r"\[training\] folds: must be greater than or equal to 1\..*",
            ),
            ("[training]\nrepeats = 0", r"\[training\] repeats: must be greater .* Received: 0\."),
            (
                "[data]\nnormalize = 'standardise'",
                r'\[data\] normalize must be one of "none", "standardize", "min_max", "rescale"\. '
                r'.*Did you mean "standardize"\?',
            ),
        ],
    )
    def test_in_the_file(self, fragment, said, tmp_path):
        (line,) = errors_of(fragment, tmp_path)
        assert re.fullmatch(said, line), line

    def test_more_folds_than_examples(self, quick):
        with pytest.raises(
            InputError, match=r"\[training\] folds must be <= 48, .* Received: 49\."
        ):
            quick(training={"folds": 49}).run(verbose=False)


class TestScaling:
    @pytest.mark.parametrize(
        ("how", "reference"), [("standardize", StandardScaler), ("min_max", MinMaxScaler)]
    )
    @pytest.mark.parametrize("shape", [(50, 5), (20, 4, 4, 3)], ids=["table", "images"])
    def test_it_is_scikit_learns(self, rng, how, reference, shape):
        """For images each channel is a feature."""
        x = (rng.normal(size=shape) * [3, 1e-3, 100, 1, 5][: shape[-1]] + 40).astype(np.float32)
        other = x[:7] + 1
        rows = x.reshape(-1, shape[-1]).astype(np.float64)
        scaler = reference().fit(rows)
        scaling = fit_scaling(x, how)
        for array in (x, other):
            expected = scaler.transform(array.reshape(-1, shape[-1]).astype(np.float64))
            found = scaling.apply(array)
            assert found.dtype == np.float32
            tolerance = 0.02 if how == "standardize" else 0.01  # float32 of 40 ± 0.001
            np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=tolerance)

    @pytest.mark.parametrize("how", ["standardize", "min_max"])
    def test_a_constant_feature_is_0(self, how):
        x = np.full((70, 2), 0.1, dtype=np.float32)
        x[:, 1] = np.arange(70)
        scaling = fit_scaling(x, how)
        assert scaling.scale[0] == 1
        assert (scaling.apply(x)[:, 0] == 0).all()
        np.testing.assert_allclose(scaling.apply(x + 1)[:, 0], 1, rtol=1e-6)


class TestWithScaling:
    @pytest.mark.parametrize("how", ["standardize", "min_max"])
    @pytest.mark.parametrize("shape", [(50, 5), (20, 4, 4, 3)], ids=["table", "images"])
    def test_the_saved_model_scales_as_the_training_does(self, rng, how, shape, tmp_path):
        """Whatever the features' units are."""
        units = np.array([1e-30, 1e21, 1e-9, 1, 1e30])[: shape[-1]]
        x = ((rng.normal(size=shape) + 3) * units).astype(np.float32)
        model = keras.Sequential([keras.Input(shape[1:]), keras.layers.Identity()])
        model.compile(loss="mean_squared_error")
        scaling = fit_scaling(x, how)
        with_scaling(model, scaling, shape[1:]).save(tmp_path / "model.keras")
        found = keras.models.load_model(tmp_path / "model.keras")(x)
        np.testing.assert_allclose(found, scaling.apply(x), rtol=1e-5, atol=1e-5)


OFFSET = """
def far():
    x, y = points()
    return x * [1000, 1, 0, 1] + [5e4, 0, 7, -3], y
"""


class TestNormalizedSearch:
    @pytest.fixture
    def search(self, quick):
        return lambda source="", **tables: quick(
            OFFSET + textwrap.dedent(source),
            data={"source": "SOURCE:far", "normalize": "standardize"},
            search={"trials": 2, "objective": "val_loss"},
            **tables,
        )

    def test_the_best_model_takes_the_data_as_it_is(self, search):
        planned = search()
        result = planned.run(verbose=False)
        split = load_split(planned.config)
        model = result.best_model()
        assert [type(layer) for layer in model.layers[:2]] == [keras.layers.Rescaling] * 2
        plain = keras.models.load_model(result.directory / "best.keras")
        assert not any("tfcourse" in type(part).__module__ for part in plain._flatten_layers())
        assert not type(plain.optimizer).__module__.startswith("tfcourse")
        found = model.evaluate(split.dev.x, split.dev.y, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(result.best.score, rel=1e-4)
        found = model.evaluate(split.test.x, split.test.y, verbose=0, return_dict=True)
        assert result.summary.test == pytest.approx(found, rel=1e-5)
        # A positive control: without it the loss is far from what the trial had.
        inner = model.layers[-1](split.dev.x)
        assert np.abs(np.asarray(inner) - model.predict(split.dev.x, verbose=0)).max() > 0.1

    def test_a_model_may_be_called_normalization(self, search):
        source = """
        def named(input_shape, classes):
            return keras.Sequential(linear(input_shape, classes).layers, name="normalization")
        """
        keras.utils.clear_session()  # else Keras's names for layers have a number by now
        # An optimizer with slots: the preflight's loading warned of those of the inner model.
        adam = {"optimizer": "adam"}
        result = search(source=source, builder="named", training=adam).run(verbose=False)
        assert [record.status for record in result.trials.values()] == ["completed"] * 2

    def test_a_model_that_cannot_be_put_behind_it_is_refused_before_any_training(self, search):
        source = """
        class Own(keras.Sequential):
            def get_compile_config(self):
                raise NotImplementedError("no config")

        def own(input_shape, classes):
            return Own(linear(input_shape, classes).layers)
        """
        planned = search(source=source, builder="own")
        said = r'"\w+:own": its model can\'t have the normalization in front .*: no config\)\. Nor'
        with pytest.raises(InputError, match=said):
            planned.run(verbose=False)
        assert not planned.directory.exists()

    def test_what_fails_after_the_training_is_the_failure_of_its_own_trial(
        self, search, monkeypatch
    ):
        put_in_front = trial_module.with_scaling

        def fails_once(*args):
            monkeypatch.setattr(trial_module, "with_scaling", put_in_front)
            raise ValueError("not this one")

        monkeypatch.setattr(trial_module, "with_scaling", fails_once)
        result = search().run(verbose=False)
        assert [record.status for record in result.trials.values()] == ["failed", "completed"]
        assert result.trials[0].message == "ValueError: not this one"
        assert result.best.trial == 1

    def test_it_is_fitted_on_the_train_set_of_each_fold(self, search, tmp_path):
        planned = search(training={"folds": 2, "epochs": 1})
        split = load_split(planned.config)
        runner = TrialRunner(planned.config, split)
        _, model = runner.run(0, {"learning_rate": 0.01})
        model.save(tmp_path / "model.keras")
        train = fold_split(split, planned.config, 1).train.x
        expected = StandardScaler().fit(train)
        shift, scale, _ = keras.models.load_model(tmp_path / "model.keras").layers
        np.testing.assert_allclose(shift.offset, -expected.mean_, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(scale.scale, 1 / expected.scale_, rtol=1e-4)

    def test_trials_that_share_a_model_leave_none_of_theirs(self, search):
        config = search().config
        runner = TrialRunner(config, load_split(config))

        def scalings():
            gc.collect()
            return sum(isinstance(each, keras.layers.Rescaling) for each in gc.get_objects())

        runner.run(0, {"learning_rate": 0.01})
        before = scalings()
        for trial in range(1, 4):
            runner.run(trial, {"learning_rate": 0.01})
        assert runner.pool.counts.reused == 3
        assert scalings() == before
