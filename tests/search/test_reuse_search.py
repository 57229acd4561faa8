"""A search's trials share compiled models, and come to what they come to alone."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfcourse
from tests import processes
from tfcourse.data.splits import Part, stratified_split
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.models.saving import load_model
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.optimizers import ARGUMENTS, FLAGS
from tfcourse.search.trials import building
from tfcourse.search.trials.sharing import trials_per_program
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.training.reuse.pool import ModelPool

# Programs are compared with themselves.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer")

SPACE = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}


def config(space=SPACE, search=None, **training):
    raw = {
        "search": {"name": "reuse", "trials": 8, **(search or {})},
        "training": {"epochs": 2, "batch_size": 16, "jit_compile": False, **training},
        "space": space,
    }
    return parse_config(raw, "reuse.toml", Path())


def split():
    """Three clouds of points; 36 of the 60 are for training, which 12 and 18 divide."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return stratified_split(Part(rng.normal(size=(60, 4)) + y[:, None], y), (0.6, 0.2, 0.2), 3, 0)


def outcome(runner, number, values):
    """All that a trial came to."""
    record, model = runner.run(number, values)
    weights = [] if model is None else model.get_weights()
    return record.status, record.score, record.message, dict(record.history), weights


def same(these, those):
    *facts, weights = these
    *other_facts, other_weights = those
    # As text: NaN is itself there.
    return repr(facts) == repr(other_facts) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(weights, other_weights, strict=True)
    )


@st.composite
def two_trials(draw):
    """The values of two trials of one architecture."""
    pick = st.sampled_from
    shared = {
        "layers": draw(pick([1, 2])),
        "units": draw(pick([3, 5])),
        "batch_norm": draw(pick(["before_activation", "after_activation", "none"])),
        "optimizer": draw(pick(list(OPTIMIZER_ARGUMENTS))),
    }
    dropout = draw(st.booleans())
    own = {
        "dropout": st.floats(0.01, 0.9) if dropout else st.just(0.0),
        "learning_rate": st.floats(1e-4, 2.0),
        "batch_size": pick([12, 16, 50]),  # divides the 36 examples, does not, is more
        "epochs": pick([1, 2]),
        **dict.fromkeys(("momentum", "beta_1", "beta_2", "rho"), st.floats(0.0, 0.999)),
        "epsilon": st.floats(1e-8, 1e-2),
    }
    known = {"dropout", "batch_size", "epochs", *OPTIMIZER_ARGUMENTS[shared["optimizer"]]}
    trial = st.fixed_dictionaries({n: s for n, s in own.items() if n in known})
    return [{**shared, **draw(trial)} for _ in range(2)]


@pytest.fixture(scope="module")
def runners():
    """One pool for all examples, so that each finds what those before it have left; and none."""
    return (
        TrialRunner(config(), split()),
        TrialRunner(config(search={"reuse_models": 0}), split()),
    )


class TestATrialIsTheSameAsAlone:
    """Bit for bit, whatever the kept model was trained for before."""

    @settings(
        max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(trials=two_trials(), numbers=st.tuples(st.integers(0, 99), st.integers(100, 199)))
    def test_over_random_spaces(self, runners, trials, numbers):
        pooled, alone = runners
        before = pooled.pool.counts.reused
        (first, second), (one, two) = trials, numbers
        forward = [outcome(pooled, one, first), outcome(pooled, two, second)]
        assert same(forward[1], outcome(alone, two, second))
        # In the other order, which has the first trial after the second one too.
        assert same(outcome(pooled, one, first), forward[0])
        assert pooled.pool.counts.reused >= before + 2

    def test_our_own_builder_s_models_are_built_twice(self, monkeypatch):
        """From then on their first values are drawn from the seed as the builder does."""
        pooled = TrialRunner(config(), split())
        alone = TrialRunner(config(search={"reuse_models": 0}), split())
        built, build = [], building.build_trial
        monkeypatch.setattr(
            building, "build_trial", lambda *args: built.append(args) or build(*args)
        )
        values = {"learning_rate": 0.05, "dropout": 0.3, "layers": 1, "units": 3}
        found = [outcome(pooled, number, values) for number in range(4)]
        # The rate of dropout is state too, though another argument; and it comes back.
        other = {**values, "dropout": 0.6}
        found.append(outcome(pooled, 4, other))
        assert same(outcome(pooled, 3, values), found[3])
        assert len(built) == 2
        assert same(found[3], outcome(alone, 3, values))
        assert same(found[4], outcome(alone, 4, other))
        assert pooled.pool.counts.new == 1
        # Another activation is another model.
        outcome(pooled, 6, {**values, "activation": "tanh"})
        assert pooled.pool.counts.new == 2

    def test_what_keras_optimizers_hold_in_python_is_another_model(self):
        """The first two trials prove how a model's first values come from the seed."""
        pooled, alone = (
            TrialRunner(config(search={"reuse_models": n}, optimizer="keras:adam"), split())
            for n in (16, 0)
        )
        for number, beta_1 in enumerate((0.1, 0.1, 0.99)):
            found = outcome(pooled, number, {"beta_1": beta_1})
        assert same(found, outcome(alone, 2, {"beta_1": 0.99}))
        assert (pooled.pool.counts.new, pooled.pool.counts.reused) == (2, 1)

    def test_where_the_loss_is_scaled(self):
        """With another learning rate; from the third trial on a model's values were restated."""
        keras.config.set_dtype_policy("mixed_float16")
        try:
            pooled, alone = (
                TrialRunner(config(search={"reuse_models": n}, epochs=1), split()) for n in (16, 0)
            )
            for number in range(3):
                values = {"learning_rate": 0.01 * (number + 1)}
                found = outcome(pooled, number, values)
            assert same(found, outcome(alone, 2, values))
        finally:
            keras.config.set_dtype_policy("float32")
        assert (pooled.pool.counts.new, pooled.pool.counts.reused) == (1, 2)

    @pytest.mark.parametrize("name", ARGUMENTS)
    def test_every_argument_of_an_optimizer_is_the_trial_s(self, name):
        pool, sample = ModelPool(16), (np.zeros((4, 4)), np.zeros(4, int))
        base = {"optimizer": name, "learning_rate": 0.5, "layers": 1, "units": 1}

        def held(number, values):
            """What the optimizer says of itself that a trial is trained with, and alone."""
            build = building.build_function(config(), split(), {**base, **values}, number)
            model, _ = pool.train(build, lambda model: None, sample)
            return [{**m.optimizer.get_config(), "name": ""} for m in (model, build())]

        others = {"learning_rate": 0.25, **dict.fromkeys(FLAGS, True)}
        for number, argument in enumerate(("learning_rate", "learning_rate", *ARGUMENTS[name])):
            values = {} if number < 2 else {argument: others.get(argument, 0.125)}
            found, expected = held(number, values)
            assert found == expected
        assert pool.counts.reused >= 2

    @pytest.mark.parametrize("name", OPTIMIZER_ARGUMENTS)
    def test_ours_are_given_their_values_without_being_built(self, name, monkeypatch):
        pool, sample = ModelPool(16), (np.zeros((4, 4)), np.zeros(4, int))
        own = config(optimizer=name)
        built, build = [], building.build_trial

        def held(number, values):
            """As above; the weights are those of the seed."""
            monkeypatch.setattr(
                building, "build_trial", lambda *args: built.append(number) or build(*args)
            )
            model, _ = pool.train(
                building.build_function(own, split(), values, number), lambda model: None, sample
            )
            monkeypatch.undo()
            alone = build(own, split(), values, number)
            return [
                [{**m.optimizer.get_config(), "name": ""}, *(w.tolist() for w in m.get_weights())]
                for m in (model, alone)
            ]

        for number in range(5):
            values = dict.fromkeys(OPTIMIZER_ARGUMENTS[name], 0.1 + 0.15 * number)
            found, expected = held(number, values)
            assert found == expected
        assert built == [0, 1]
        values.popitem()
        found, expected = held(7, values)
        assert found == expected, "what is not given any more has its default"
        with pytest.raises(ValueError, match=r"learning_rate must be a number >= 0. Received: -1"):
            held(8, {**dict.fromkeys(OPTIMIZER_ARGUMENTS[name], 0.5), "learning_rate": -1.0})
        assert built == [0, 1, 7]

    def test_as_in_a_process_of_its_own(self):
        values = {"learning_rate": 0.05, "dropout": 0.3, "optimizer": "adam", "beta_1": 0.8}
        pooled = TrialRunner(config(), split())
        outcome(pooled, 1, {**values, "learning_rate": 0.5})
        found = digest(outcome(pooled, 7, values))
        assert pooled.pool.counts.reused == 1
        code = f"from tests.search.test_reuse_search import *; print_alone(7, {values!r})"
        run = processes.run(["-c", code])
        assert run.returncode == 0, run.stderr
        assert run.stdout.split()[-1] == found


def digest(found):
    *facts, weights = found
    content = json.dumps(facts).encode() + b"".join(w.tobytes() for w in weights)
    return hashlib.sha256(content).hexdigest()


def print_alone(number, values):
    """In another process: a trial that nothing was trained before."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    runner = TrialRunner(config(search={"reuse_models": 0}), split())
    print(digest(outcome(runner, number, values)))


@pytest.mark.usefixtures("new_traces")
def test_a_search_builds_one_model_and_is_what_it_is_without_reuse(quick, caplog):
    def searched(reuse_models, name):
        search = quick(
            """
            def network(input_shape, classes, units=3):
                return keras.Sequential([
                    keras.Input(input_shape), keras.layers.Dense(units, "relu"),
                    keras.layers.Dropout(0.2), keras.layers.Dense(classes, activation="softmax"),
                ])
            """,
            builder="network",
            space={"learning_rate": {"low": 0.01, "high": 0.1}, "batch_size": {"values": [10, 16]}},
            search={"name": name, "trials": 4, "reuse_models": reuse_models},
        )
        return search.run(verbose=False)

    shared, anew = searched(16, "shared"), searched(0, "anew")
    assert (shared.efforts["main"].reused, anew.efforts["main"].reused) == (3, 0)
    # A model of its own for each trial is not traced again: the structure is known.
    assert (shared.efforts["main"].traces, anew.efforts["main"].traces) == (2, 0)
    for trial, record in anew.trials.items():
        assert shared.trials[trial].history == record.history
        assert shared.trials[trial].values == record.values
    models = [result.best_model().get_weights() for result in (shared, anew)]
    assert all(np.array_equal(a, b) for a, b in zip(*models, strict=True))
    assert [r.getMessage() for r in caplog.records if r.name == "tfcourse"] == []


def test_what_xla_cant_compile_is_searched_without(quick, monkeypatch):
    """Where the rule asks for XLA and the layer can't be had there, no trial fails for it."""
    source = """
    import tensorflow as tf

    @keras.saving.register_keras_serializable(__name__)
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda a: a * 2, [x], tf.float32), x.shape)

    def beyond_xla(input_shape, classes):
        last = keras.layers.Dense(classes, activation="softmax")
        return keras.Sequential([keras.Input(input_shape), Doubled(), last])
    """
    asked = []
    rule = "tfcourse.training.programs.jit.choose_jit"
    monkeypatch.setattr(rule, lambda *_: asked.append(True) or True)
    result = quick(source, "beyond_xla", search={"trials": 2}).run(verbose=False)
    assert asked
    assert [record.status for record in result.trials.values()] == ["completed"] * 2


@pytest.mark.parametrize("factor", [1, 32])
@pytest.mark.usefixtures("new_traces")
def test_xla_pays_by_the_trials_that_share_a_program(quick, monkeypatch, factor):
    """A model with a layer of the user's own is compiled for each of the 32 trials of the rule."""
    source = f"""
    @keras.saving.register_keras_serializable(__name__)
    class Own(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    def network(input_shape, classes):
        body = [Own()] if {factor == 1} else []
        last = keras.layers.Dense(classes, activation="softmax")
        return keras.Sequential([keras.Input(input_shape), *body, last])
    """
    steps = []
    monkeypatch.setattr(
        "tfcourse.training.programs.jit.choose_jit", lambda *args: steps.append(args[3])
    )
    quick(source, "network", search={"trials": 1}).run(verbose=False)
    # 36 of the 60 points in batches of 12, for 2 epochs.
    assert steps[0] == factor * 6


class TestCheckpoints:
    def test_every_trial_s_model_is_kept_if_asked_for(self, quick):
        search = quick(search={"trials": 3, "checkpoints": "all"})
        result = search.run(verbose=False)
        dev = tfcourse.search.data.loading.load_split(search.config).dev
        for trial, record in result.trials.items():
            model = load_model(result.directory / "models" / f"{trial:04d}.keras")
            accuracy = np.mean(np.asarray(model(dev.x)).argmax(axis=1) == dev.y)
            assert accuracy == pytest.approx(record.score, abs=1e-6)

    def test_a_failed_trial_has_none(self, quick):
        space = {"learning_rate": {"values": [1e38]}}
        search = quick(space=space, search={"trials": 1, "checkpoints": "all"})
        with pytest.raises(tfcourse.SearchFailedError):
            search.run(verbose=False)
        assert not (search.directory / "models").exists()

    def test_else_the_best_one_alone(self, quick):
        result = quick().run(verbose=False)
        assert list(result.directory.rglob("*.keras")) == [result.directory / "best.keras"]


class TestWhatAProgramServes:
    """The number of trials for which XLA's compilation is weighed: of 32, by the space alone."""

    LAYERS = {"low": 1, "high": 3}
    CASES = {
        "optimizer's values": ({**SPACE, "beta_1": {"low": 0.9, "high": 0.99}}, 32),
        "architectures": ({**SPACE, "layers": LAYERS, "units": {"values": [4, 8]}}, 32 / 6),
        "batch sizes": ({**SPACE, "batch_size": {"values": [8, 16]}}, 16),
        "more architectures than trials": ({"units": {"low": 1, "high": 100}}, 1),
        "a rate of dropout": ({**SPACE, "dropout": {"low": 0.0, "high": 0.5}}, 32),
        "no dropout, or some": ({**SPACE, "dropout": {"values": [0.0, 0.2, 0.5]}}, 16),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_the_trials_of_an_architecture(self, name):
        space, expected = self.CASES[name]
        assert trials_per_program(config(space)) == expected
        assert trials_per_program(config(space, {"reuse_models": 0})) == 1

    def test_with_pruning_a_third_of_the_epochs_are_expected(self):
        pruning = {"pruning": {"rule": "asha"}}
        assert trials_per_program(config(SPACE, pruning)) == pytest.approx(32 / 3)
        units = {"units": {"low": 1, "high": 16}}
        assert trials_per_program(config(units, pruning)) == 1

    def test_it_decides_on_xla_whatever_the_number_of_trials(self):
        """Trials of a tenth of a second, of one architecture or of many; a search may grow."""
        many = {**SPACE, "units": {"low": 1, "high": 100}}
        for space, expected in ((SPACE, True), (many, False)):
            chosen = []
            for trials in (1, 24, 2000):
                some = config(space, {"trials": trials}, jit_compile="auto", epochs=20)
                runner = TrialRunner(some, split())
                model, _ = runner.pool.train(*_building(runner))
                train = runner.data(0)[0]
                steps = train.batches(4) * 20
                chosen.append(runner.jit_compile.chooses(model, train.first(4), 4, steps))
            assert chosen == [expected] * 3


def _building(runner):
    from tfcourse.search.trials.building import build_trial

    def build():
        return build_trial(runner.config, runner.split, {"learning_rate": 0.1}, 0)

    return build, lambda model: None, runner.data(0)[0].first(4)
