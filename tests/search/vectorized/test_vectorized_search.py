"""A search in populations gives what it gives without them."""

import keras
import numpy as np
import pytest

import tfcourse
from tfcourse import InputError
from tfcourse.models.saving import load_model
from tfcourse.search.data.loading import load_split
from tfcourse.search.runtime import execution
from tfcourse.search.store import journal
from tfcourse.search.trials.vectorized import group

# What is compared to a tolerance, or with itself.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer")

TRIALS = 7
SPACE = {
    "learning_rate": {"low": 0.01, "high": 0.5, "scale": "log"},
    "momentum": {"low": 0.5, "high": 0.95, "scale": "one_minus_log"},
    "batch_size": {"values": [12, 16]},
}
ONE_ARCHITECTURE = {name: SPACE[name] for name in ("learning_rate", "momentum")}
TRAINING = {"optimizer": "momentum", "epochs": 3}
# One layer with batch norm instead of the default's two.
MODEL = {"builder": "mlp", "layers": 1, "units": 8}


@pytest.fixture
def pair(quick):
    """The same search in populations and without."""

    def make(space=SPACE, training=None, search=None, **tables):
        def one(caviar):
            return quick(
                **{"model": MODEL, **tables},
                space=space,
                training={**TRAINING, **(training or {})},
                search={"trials": TRIALS, "name": caviar, "caviar": caviar, **(search or {})},
            )

        return one("population"), one("reuse")

    return make


@pytest.fixture
def groups(monkeypatch):
    """The sizes of the groups that were trained as populations."""
    sizes, fit = [], group.fit_population

    def spy(population, members, *args, **kwargs):
        sizes.append(len(members))
        return fit(population, members, *args, **kwargs)

    monkeypatch.setattr(group, "fit_population", spy)
    return sizes


def assert_same(result, expected):
    """The same trials, to float tolerance, and the same best model."""
    assert result.trials.keys() == expected.trials.keys()
    for trial, record in expected.trials.items():
        mine = result.trials[trial]
        assert (mine.values, mine.status, mine.best_epoch) == (
            record.values,
            record.status,
            record.best_epoch,
        )
        assert mine.history.keys() == record.history.keys()
        for name, values in record.history.items():
            np.testing.assert_allclose(mine.history[name], values, atol=1e-4, err_msg=name)
        assert mine.score == (record.score and pytest.approx(record.score, abs=1e-4))
        assert mine.parameters == record.parameters
    assert result.best.trial == expected.best.trial
    assert result.summary.test == pytest.approx(expected.summary.test, abs=1e-4)


class TestTheSameTrials:
    def test_with_all_that_a_config_can_ask_for(self, pair, groups):
        """Batch sizes, dropout, early stopping, normalized data, every model on disk."""
        stopping = {"patience": 1, "monitor": "val_loss", "min_delta": 0.05, "start_from_epoch": 1}
        together, without = pair(
            {**SPACE, "dropout": {"low": 0.1, "high": 0.6}},
            {"early_stopping": stopping, "epochs": 6},
            {"checkpoints": "all", "seed": 1},  # three trials of one batch size, four of the other
            data={"normalize": "standardize"},
            model={"builder": "mlp"},
        )
        result, expected = together.run(verbose=False), without.run(verbose=False)
        assert_same(result, expected)
        sizes = [record.values["batch_size"] for record in result.trials.values()]
        assert sorted(groups) == sorted(map(sizes.count, (12, 16)))
        assert len({len(record.history["loss"]) for record in result.trials.values()}) > 1
        seconds = [record.seconds for record in result.trials.values()]
        assert min(seconds) > 0
        assert max(seconds) < sum(seconds) / 2  # each a share of its group's

        ours, theirs = result.best_model(), expected.best_model()
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-4)
        assert int(ours.optimizer.iterations) == 0  # its state is not kept
        best = result.best.values
        assert float(ours.optimizer.learning_rate) == pytest.approx(best["learning_rate"])
        assert ours.optimizer.momentum == pytest.approx(best["momentum"])
        dev = load_split(together.config).dev
        for trial in (0, 3, TRIALS - 1):
            record = result.trials[trial]
            model = load_model(result.directory / "models" / f"{trial:04d}.keras")
            outputs = np.asarray(model(dev.x))
            accuracy = np.mean(outputs.argmax(axis=1) == dev.y)
            assert accuracy == pytest.approx(record.score, abs=1e-6)
            plain = keras.models.load_model(result.directory / "models" / f"{trial:04d}.keras")
            assert not any("tfcourse" in type(part).__module__ for part in plain._flatten_layers())
            np.testing.assert_array_equal(plain(dev.x), outputs)
        assert sorted(p.name for p in result.directory.iterdir()) == sorted(
            p.name for p in expected.directory.iterdir()
        )

    @pytest.mark.parametrize("batch_size", [12, 64], ids=["a later step", "the only step"])
    def test_one_that_becomes_nan_is_recorded_as_failed(self, pair, groups, batch_size):
        """After the last step of an epoch it is the validation that shows it."""
        together, without = pair(
            {"learning_rate": {"values": [0.1, 1e38]}, "momentum": SPACE["momentum"]},
            {"batch_size": batch_size},
            search={"trials": 6},
        )
        result, expected = together.run(verbose=False), without.run(verbose=False)
        assert groups == [6]
        failed = [t for t, record in expected.trials.items() if record.status == "failed"]
        assert 0 < len(failed) < 6
        for trial, record in expected.trials.items():
            mine = result.trials[trial]
            assert (mine.status, mine.message) == (record.status, record.message)
            assert mine.score == (record.score and pytest.approx(record.score, abs=1e-4))
            epochs = 1 if trial in failed else 3
            assert len(mine.history["loss"]) == len(record.history["loss"]) == epochs

    @pytest.mark.parametrize(
        "strategy",
        [
            {"strategy": "coarse_to_fine", "coarse_to_fine": {"trials_per_round": 4}},
            {"strategy": "hyperband", "hyperband": {"factor": 2}},
        ],
        ids=lambda settings: settings["strategy"],
    )
    def test_where_trials_wait_for_others(self, pair, groups, strategy):
        search = {**strategy, "trials": 10}
        together, without = pair(ONE_ARCHITECTURE, {"epochs": 4}, search)
        result, expected = together.run(verbose=False), without.run(verbose=False)
        assert_same(result, expected)
        assert result.rounds == expected.rounds
        assert max(groups) >= 4


class TestAnInterruptedSearch:
    def test_goes_on_where_it_was(self, pair, groups, monkeypatch):
        """Broken off between the records of a group; they are written as each member ends."""
        together, without = pair({"learning_rate": SPACE["learning_rate"]})
        expected = without.run(verbose=False)
        added, add = [], journal.TrialWriter.add

        def interrupted(self, record, model):
            if len(added) == 4:
                raise KeyboardInterrupt
            added.append(record.trial)
            add(self, record, model)

        monkeypatch.setattr(journal.TrialWriter, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            together.run(verbose=False)
        assert set(together.finished()) == set(added)
        monkeypatch.setattr(journal.TrialWriter, "add", add)
        result = together.run(verbose=False)
        assert groups == [TRIALS, TRIALS - 4]
        assert_same(result, expected)

    def test_an_error_of_the_disk_is_no_trial_s_failure(self, pair, monkeypatch):
        def full(self, record, model):
            raise OSError("no space left")

        monkeypatch.setattr(journal.TrialWriter, "add", full)
        with pytest.raises(OSError, match="no space left"):
            pair()[0].run(verbose=False)


class TestWhatIsTrainedAlone:
    def test_a_group_that_fails(self, pair, monkeypatch, caplog):
        """After some of it have ended; only the others are run again."""
        together, without = pair({"learning_rate": SPACE["learning_rate"]})
        fit = group.fit_population

        def runs_out(population, members, *args, on_member_end, **kwargs):
            def end(index, result):
                if index == 3:
                    raise MemoryError("too many")
                on_member_end(index, result)

            return fit(population, members, *args, on_member_end=end, **kwargs)

        monkeypatch.setattr(group, "fit_population", runs_out)
        assert_same(together.run(verbose=False), without.run(verbose=False))
        (said,) = [r.getMessage() for r in caplog.records if r.name == "tfcourse"]
        assert said == ("Trials of one architecture are trained one by one: MemoryError: too many")

    def test_auto_trains_small_searches_as_before(self, quick, monkeypatch):
        monkeypatch.setattr(execution, "run_groups", lambda *args: pytest.fail("not worth it"))
        for caviar in ("auto", "reuse"):
            search = quick(search={"name": caviar, "caviar": caviar})
            assert len(search.run(verbose=False).trials) == 3

    def test_auto_decides_by_architecture(self, pair, groups, monkeypatch):
        """Here: one of 3 units is worth it, one of 5 is not."""
        sizes = []

        def should_vectorize(config, steps, arithmetic=0.0, workers=1):
            sizes.append(arithmetic)
            return arithmetic in (0.0, min(filter(None, sizes)))

        monkeypatch.setattr(group, "should_vectorize", should_vectorize)
        together, without = pair(
            {"learning_rate": SPACE["learning_rate"], "units": {"values": [3, 5]}},
            model={"builder": "mlp", "layers": 1},
        )
        result = together.run(verbose=False)
        assert_same(result, without.run(verbose=False))
        assert len(groups) == 1
        counts = [r.values["units"] for r in result.trials.values()]
        assert groups[0] in (counts.count(3), counts.count(5))


CONVNET = """
def network(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Reshape((4, 1)),
        keras.layers.Conv1D(2, 2, name="filters"), keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ])

@keras.saving.register_keras_serializable()
class Shared(keras.metrics.Metric):
    def __init__(self, name="shared", dtype=None):
        super().__init__(name=name, dtype=dtype)
        import tensorflow as tf
        self._held = [tf.Variable(0.0)]
    def update_state(self, y, p, sample_weight=None):
        self._held[0].assign_add(1.0)
    def result(self):
        return self._held[0] * 1.0
    def reset_state(self):
        self._held[0].assign(0.0)
"""


class TestWhatCannotBeHad:
    def test_a_layer_that_cannot_be_vectorized(self, quick):
        search = quick(CONVNET, builder="network", search={"caviar": "population"})
        message = (
            r'caviar = "population" is not possible: A population can\'t train the layer "filt'
        )
        with pytest.raises(InputError, match=message):
            search.run(verbose=False)
        assert not search.directory.exists()
        result = quick(CONVNET, builder="network").run(verbose=False)
        assert len(result.ranking) == 3

    def test_a_metric_whose_state_all_would_share(self, quick):
        search = quick(
            CONVNET,
            training={"metrics": ["accuracy", "SOURCE:Shared"]},
            search={"caviar": "population"},
        )
        with pytest.raises(
            InputError, match=r"is not possible: The model, its loss or its metrics us"
        ):
            search.run(verbose=False)
        assert not search.directory.exists()

    def test_an_own_builder_with_another_metric_can(self, quick, groups):
        metric = "sparse_top_k_categorical_accuracy"
        search = quick(
            training={"metrics": ["accuracy", metric]},
            search={"caviar": "population", "objective": f"val_{metric}", "trials": 4},
        )
        result = search.run(verbose=False)
        assert len(result.ranking) == 4
        assert groups == [4]


def test_a_retest_of_it_agrees(pair):
    together, _ = pair({"learning_rate": SPACE["learning_rate"]})
    result = together.run(verbose=False)
    found = tfcourse.retest(result.directory, top=3)
    for trial in found.trials:
        assert trial.new_score == pytest.approx(trial.old_score, abs=1e-4)
