"""Schedules and label smoothing in a search: checked, shared programs, the same in populations."""

import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

from tfcourse import InputError, fit, load_model
from tfcourse.data.splits import Part, stratified_split
from tfcourse.search.config.advice import advice
from tfcourse.search.config.builders import find_builder
from tfcourse.search.config.hyperparameters import builder_arguments
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.schedules import is_scheduled, is_smoothed
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial
from tfcourse.search.trials.schedules import schedule_parameters
from tfcourse.search.trials.sharing import trials_per_program
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.search.trials.vectorized.group import GroupRunner
from tfcourse.training.data.arrays import Arrays

EPOCHS, BATCH = 4, 12
SPACE = {
    "learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"},
    "schedule": {"values": ["constant", "cosine", "linear", "inverse_time"]},
    "warmup": {"low": 0.0, "high": 0.5},
    "label_smoothing": {"low": 0.0, "high": 0.4},
    "decay_rate": {"low": 0.1, "high": 2.0, "when": {"schedule": "inverse_time"}},
}
TRIALS = [
    {"learning_rate": 0.4, "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.3},
    {"learning_rate": 0.3, "schedule": "cosine", "warmup": 0.25, "label_smoothing": 0.0},
    {"learning_rate": 0.3, "schedule": "linear", "warmup": 0.0, "label_smoothing": 0.2},
    {
        "learning_rate": 0.2,
        "schedule": "inverse_time",
        "warmup": 0.5,
        "label_smoothing": 0.1,
        "decay_rate": 0.7,
    },
]


def parse(fragment="", space=None, **training):
    raw = tomllib.loads(fragment)
    base = {"name": "s", "trials": 8, "objective": "val_loss"}
    raw["search"] = {**base, **raw.get("search", {})}
    defaults = {"epochs": EPOCHS, "batch_size": BATCH, "jit_compile": False}
    raw["training"] = {**defaults, **raw.get("training", {}), **training}
    raw.setdefault("space", SPACE if space is None else space)
    return parse_config(raw, "s.toml", Path())


def split():
    """Three clouds of points; the 36 for training are three batches."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return stratified_split(Part(rng.normal(size=(60, 4)) + y[:, None], y), (0.6, 0.2, 0.2), 3, 0)


RATE = {"learning_rate": SPACE["learning_rate"]}


class TestChecks:
    @pytest.mark.parametrize(
        ("fragment", "lines"),
        [
            (
                '[training]\nschedule = "cosin"',
                ['[training] schedule must be one of "constant", "cosine", "linear", '
                 '"inverse_time". Received: \'cosin\'. Did you mean "cosine"?'],
            ),
            (
                "[training]\nwarmup = 1.0",
                ["[training] warmup must be a number in [0, 1). Received: 1.0."],
            ),
            (
                '[training]\nschedule = "inverse_time"\ndecay_rate = -0.5',
                ["[training] decay_rate must be a number >= 0. Received: -0.5."],
            ),
            (
                '[training]\nschedule = "cosine"\ndecay_rate = 0.5',
                ['[training] decay_rate is for schedule "inverse_time". Received: "cosine". '
                 "Set [training] schedule, or leave decay_rate out."],
            ),
            (
                "[space.decay_rate]\nlow = 0.1\nhigh = 1.0",
                ['[space.decay_rate] is for schedule "inverse_time". Received: "constant". '
                 "Set [training] schedule, or leave decay_rate out."],
            ),
            (
                '[space.schedule]\nvalues = ["cosine", "linear"]\n'
                '[space.decay_rate]\nlow = 0.1\nhigh = 1.0',
                ['[space.decay_rate] is for schedule "inverse_time". Received: "cosine", "linear". '
                 'Add "inverse_time" to [space.schedule], or leave decay_rate out.'],
            ),
            (
                '[space.schedule]\nvalues = ["cosine", "inverse_time"]\n'
                '[space.decay_rate]\nlow = 0.1\nhigh = 1.0\nwhen = { schedule = "cosine" }',
                ['[space.decay_rate] is for schedule "inverse_time". Received: "cosine". '
                 'Set when = { schedule = "inverse_time" }, or leave decay_rate out.'],
            ),
            (
                '[space.schedule]\nvalues = ["cosine", "step"]',
                ['[space.schedule] values must be one of "constant", "cosine", "linear", '
                 "\"inverse_time\". Received: 'step'."],
            ),
            (
                "[space.warmup]\nlow = 0.0\nhigh = 1.5",
                ["[space.warmup] high must be a number in [0, 1). Received: 1.5."],
            ),
            (
                '[training]\nloss = "mse"\nlabel_smoothing = 0.1\n[space.layers]\nvalues = [1, 2]',
                ['[training] label_smoothing is for "sparse_categorical_crossentropy" or '
                 '"categorical_crossentropy" or "binary_crossentropy". Received: loss "mse". '
                 "Take one of these, or leave label_smoothing out."],
            ),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_told(self, fragment, lines):
        with pytest.raises(InputError) as error:
            parse(fragment, space=RATE)
        assert str(error.value).split("\n") == [f"s.toml: {line}" for line in lines]

    def test_the_keys_of_an_older_search_are_what_they_were(self):
        config = parse(space=RATE)
        assert not is_scheduled(config)
        assert not is_smoothed(config)
        assert {"schedule", "warmup", "decay_rate", "label_smoothing"}.isdisjoint(
            config.as_tables()["training"]
        )
        model = build_trial(config, split(), {"learning_rate": 0.1}, 0)
        assert isinstance(model.optimizer.get_config()["learning_rate"], float)
        assert model.loss == "sparse_categorical_crossentropy"

    @pytest.mark.parametrize(
        ("fragment", "advised"),
        [
            ('[search]\nobjective = "val_loss"', ["[space.label_smoothing] makes val_loss larger"]),
            ('[search]\nobjective = "loss"', ['[search] objective "loss" is of the smoothed']),
            ('[search]\nobjective = "val_accuracy"', []),
            (
                '[search]\nobjective = "val_accuracy"\n[training.early_stopping]\npatience = 2',
                ["[training.early_stopping] ends trainings before a cosine or linear schedule"],
            ),
        ],
    )
    def test_what_works_against_them_is_told(self, fragment, advised):
        lines = advice(parse(fragment))
        assert len(lines) == len(advised)
        assert all(map(str.startswith, lines, advised))

    @pytest.mark.parametrize("schedule", ["constant", "inverse_time"])
    def test_early_stopping_suits_a_schedule_that_does_not_end_at_0(self, schedule):
        fragment = '[search]\nobjective = "val_accuracy"\n[training.early_stopping]\npatience = 2'
        assert advice(parse(fragment, space=RATE, schedule=schedule)) == []
        (line,) = advice(parse(fragment, space=RATE, schedule="linear"))
        assert "before a cosine or linear schedule" in line

    def test_a_schedule_is_that_of_the_trial_s_own_epochs_and_batches(self):
        """Hyperband's trials and searched batch sizes; 37 examples are 8 batches of 5."""
        train = Arrays.of(np.zeros((37, 4)), np.zeros(37))
        values = {**TRIALS[1], "epochs": 9, "batch_size": 5}
        assert schedule_parameters(parse(), values, train) == {
            "schedule": "cosine",
            "warmup": 0.25,
            "steps": 9 * 8,
            "steps_per_epoch": 8,
        }
        fixed = parse(space=RATE, schedule="inverse_time", decay_rate=0.5)
        steps = {"steps": EPOCHS * 4, "steps_per_epoch": 4}
        expected = {"schedule": "inverse_time", "decay_rate": 0.5, **steps}
        assert schedule_parameters(fixed, {"learning_rate": 0.1}, train) == expected
        assert schedule_parameters(parse(space=RATE), {"learning_rate": 0.1}, train) == {}

    def test_a_builder_s_own_arguments_stay_the_builder_s(self):
        def build(input_shape, classes, schedule: str = "a", warmup: float = 9.0): ...

        raw = {
            "search": {"name": "s", "trials": 2},
            "space": {"schedule": {"values": ["a", "b"]}, "warmup": {"low": 5.0, "high": 9.0}},
        }
        own = parse_config(raw, "s.toml", Path(), build)
        assert not is_scheduled(own)
        raw["space"]["schedule"]["values"] = ["linear", "b"]
        raw["training"] = {"epochs": 10, "early_stopping": {"patience": 2}}
        assert advice(parse_config(raw, "s.toml", Path(), build)) == []

    def test_all_trials_are_expected_to_share_a_program(self):
        assert trials_per_program(parse()) == trials_per_program(parse(space=RATE))


MODEL = '[model]\nbatch_norm = "none"\nlayers = 1\nunits = 3\n'


def by_keras(config, data, values, seed):
    """A trial's losses by Keras's own schedules and losses, with the weights after each epoch."""
    of_epoch = -(-len(data.train.y) // BATCH)
    steps, rate = EPOCHS * of_epoch, values["learning_rate"]
    warmup = round(values["warmup"] * steps)
    schedules = keras.optimizers.schedules
    schedule = {
        "constant": rate,
        "cosine": schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
        ),
        "linear": schedules.PolynomialDecay(rate, steps, 0.0),
        "inverse_time": None,
    }[values["schedule"]]
    model = build_trial(config, data, values, seed)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=values["label_smoothing"])
    optimizer = keras.optimizers.SGD(0.0 if schedule is None else schedule)
    model.compile(optimizer, loss, run_eagerly=True)  # a graph takes longer than 12 steps
    train, dev = data.train, data.dev
    callbacks = []
    if schedule is None:  # step by step, of the course's formula

        def set_rate(batch, logs):
            step = int(optimizer.iterations.numpy())
            epoch = step // of_epoch
            share = min(1, step / warmup)
            optimizer.learning_rate = share * rate / (1 + values["decay_rate"] * epoch)

        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate)]
    plain, losses = keras.losses.SparseCategoricalCrossentropy(), []
    callbacks.append(
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: losses.append(float(plain(dev.y, model(dev.x))))
        )
    )
    history = fit(
        model, train.x, np.eye(3)[train.y], BATCH, EPOCHS, 0, callbacks, seed=seed,
        jit_compile=False,
    ).history  # fmt: skip
    return history["loss"], losses


@pytest.fixture(scope="module")
def config():
    return parse(MODEL, optimizer="gradient_descent")


@pytest.fixture(scope="module")
def alone(config):
    """The records of the trials one after the other, and the runner."""
    runner = TrialRunner(config, split())
    return [runner.run(number, values)[0] for number, values in enumerate(TRIALS)], runner


@pytest.mark.usefixtures("new_traces")
class TestTrials:
    def test_one_program_trains_all_schedules_and_smoothings(self, alone):
        records, runner = alone
        assert [record.status for record in records] == ["completed"] * len(TRIALS)
        counts = runner.pool.counts
        # One trace for the training and one for the validation.
        assert (counts.new, counts.reused, counts.traces) == (1, len(TRIALS) - 1, 2)

    def test_they_are_kerass_and_the_validation_is_not_smoothed(self, config, alone):
        for number, (values, record) in enumerate(zip(TRIALS, alone[0], strict=True)):
            loss, val_loss = by_keras(config, split(), values, trial_seed(0, number))
            np.testing.assert_allclose(record.history["loss"], loss, rtol=1e-5)
            np.testing.assert_allclose(record.history["val_loss"], val_loss, rtol=1e-5)

    def test_a_population_trains_them_with_one_program_and_the_same_results(self, alone):
        config = parse(f'{MODEL}[search]\ncaviar = "population"', optimizer="gradient_descent")
        runner, found = GroupRunner(TrialRunner(config, split()), len(TRIALS)), {}
        runner.run(
            dict(enumerate(TRIALS)), lambda record, model: found.update({record.trial: record})
        )
        assert (runner.effort.vectorized, runner.effort.traces) == (len(TRIALS), 2)
        for record in alone[0]:
            for name, expected in record.history.items():
                np.testing.assert_allclose(found[record.trial].history[name], expected, atol=1e-5)

    def test_kerass_optimizers_take_them_too(self):
        training = {"optimizer": "keras:adamw", "weight_decay": 0.01}
        shared = TrialRunner(parse(MODEL, **training), split())
        own = TrialRunner(parse(f"{MODEL}[search]\nreuse_models = 0", **training), split())
        records = [shared.run(number, values)[0] for number, values in enumerate(TRIALS[1:3])]
        assert shared.pool.counts.traces == 2
        assert own.run(1, TRIALS[2])[0].history == records[1].history


@pytest.mark.parametrize("caviar", ["reuse", "population"])
def test_a_search_records_them_and_its_model_is_evaluated_as_the_search_did(quick, caviar):
    search = quick(
        model={"builder": "mlp", "layers": 1, "units": 3},
        space=SPACE,
        training={"epochs": 3, "metrics": ["accuracy"]},
        search={"trials": 4, "objective": "val_loss", "caviar": caviar},
    )
    result = search.run(verbose=False)
    assert {record.status for record in result.trials.values()} == {"completed"}
    for record in result.trials.values():
        assert {"schedule", "warmup", "label_smoothing"} <= record.values.keys()
        assert ("decay_rate" in record.values) == (record.values["schedule"] == "inverse_time")
    path = result.directory / "best.keras"
    plain, own = keras.saving.load_model(path), load_model(path)
    schedule = own.optimizer.get_config()["learning_rate"]["config"]
    assert schedule["schedule"] == result.best.values["schedule"]
    assert (schedule["steps"], schedule["steps_per_epoch"]) == (9, 3)
    assert type(plain.optimizer).__module__.startswith("keras.")
    test = load_split(search.config).test
    for model in (plain, own):
        loss = model.evaluate(test.x, test.y, verbose=0)[0]
        assert loss == pytest.approx(result.summary.test["loss"], rel=1e-5)


def named(input_shape, classes, warmup, **arguments): ...


def unnamed(input_shape, classes, **arguments): ...


@pytest.mark.parametrize(("builder", "names"), [(named, {"warmup", "units"}), (unnamed, {"units"})])
def test_settings_of_the_training_are_a_builders_if_it_names_them(builder, names):
    values = {"warmup": 0.1, "schedule": "cosine", "label_smoothing": 0.1, "units": 8}
    assert set(builder_arguments(find_builder(builder), values)) == names
