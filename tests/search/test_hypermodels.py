"""keras-tuner's ``build(hp)`` and ``HyperModel`` as a builder: its ranges on our scales."""

import json
import re

import keras
import keras_tuner
import numpy as np
import pytest

import tfcourse
from tests.search.test_config import errors_of
from tfcourse import InputError
from tfcourse.search.config.builders import find_builder
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample

# What a user of keras-tuner brings.
MODELS = """
import keras_tuner

def compiled(hp):
    model = keras.Sequential([keras.Input((4,))])
    for layer in range(hp.Int("layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 4, 16, step=4), activation="relu"))
    kind = hp.Choice("kind", ["sgd", "rmsprop"])
    with hp.conditional_scope("kind", ["sgd"]):
        if kind == "sgd":
            momentum = hp.Float("momentum", 0.5, 0.9)
            optimizer = keras.optimizers.SGD(0.1, momentum=momentum)
    if kind == "rmsprop":
        optimizer = keras.optimizers.RMSprop(hp.Float("rate", 1e-4, 1e-2, sampling="log"))
    if hp.Boolean("normalize"):
        model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def plain(hp):
    units = hp.Int("units", 4, 16, step=4)
    layers = [keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers)

def every_kind(hp):
    hp.Fixed("fixed", 3)
    hp.Int("int", 1, 9), hp.Int("step", 2, 9, step=3), hp.Int("powers", 4, 64, 2, sampling="log")
    hp.Int("log", 1, 100, sampling="log"), hp.Float("float", 0, 1), hp.Float("half", 0, 2, 0.5)
    hp.Float("decades", 1e-4, 1, sampling="log"), hp.Choice("number", [3, 1]), hp.Boolean("flag")
    hp.Int("one", 2, 2)
    tfcourse.one_minus_log(hp, "beta", 0.9, 0.99)
    with hp.conditional_scope("number", [1]):
        hp.Choice("text", ["a", "b", "c"])
        with hp.conditional_scope("text", ["a", "c"]):
            hp.Float("deep", 0.0, 1.0)
    return plain(hp)

def scoped(hp):
    with hp.name_scope("head"):
        return plain(hp)

class Model(keras_tuner.HyperModel):
    def build(self, hp):
        return plain(hp)

class Wide(keras_tuner.HyperModel):
    def __init__(self, units):
        super().__init__()
        self.units = units
    def build(self, hp):
        layers = [keras.Input((4,)), keras.layers.Dense(self.units)]
        rate = hp.Float("dropout_rate", 0.1, 0.5)
        layers += [keras.layers.Dropout(rate), keras.layers.Dense(3, "softmax")]
        return keras.Sequential(layers)

wide = Wide(7)

def reversed_log(hp):
    hp.Float("beta", 0.9, 0.999, sampling="reverse_log")
    return plain(hp)

def twice(hp):
    kind = hp.Choice("kind", ["a", "b"])
    for name, high in (("a", 8), ("b", 16)):
        with hp.conditional_scope("kind", [name]):
            hp.Int("size", 4, high)
    return plain(hp)

def mixed(hp):
    return compiled(hp) if hp.Boolean("which") else plain(hp)

def raises(hp):
    raise KeyError(hp.Int("units", 4, 8))

def fatal(hp):
    if hp.Int("size", 4, 8) == 8:
        raise keras_tuner.errors.FatalValueError("no")
    return plain(hp)

def exits(hp):
    raise SystemExit(0)

def ends(hp):
    __import__('os')._exit(3)

def too_large(hp):
    if hp.Int("units", 4, 16, step=4) > 8:
        raise keras_tuner.errors.FailedTrialError("too large")
    hp.Float("rate", 0.0, 0.5)
    return plain(hp)

def dependent(hp):
    first = hp.Int("first", 50, 1000, step=50)
    hp.Int("second", int(first * 0.6), first, step=10)
    return plain(hp)

def thrice(hp):
    for low, high in ((30, 50), (20, 50), (20, 30)):
        hp.Int("units", low, high)
    return plain(hp)

def dependent_choice(hp):
    hp.Choice("act", ["relu"] if hp.Int("first", 1, 9) < 5 else ["tanh", "selu"])
    return plain(hp)

def dependent_float(hp):
    hp.Float("second", 0.0, hp.Float("first", 0.1, 0.9))
    return plain(hp)

def two_kinds(hp):
    hp.Int("size", 0, 1), hp.Float("size", 0, 1)
    return plain(hp)

def two_steps(hp):
    hp.Int("size", 0, 8), hp.Int("size", 0, 8, step=2)
    return plain(hp)

def two_samplings(hp):
    hp.Float("size", 1, 8), hp.Float("size", 1, 8, sampling="log")
    return plain(hp)

def two_fixed(hp):
    hp.Fixed("size", 1), hp.Fixed("size", 2)
    return plain(hp)

class Nested(Model):
    def build(self, hp):
        hp.Int("units", 2, 3)
        return super().build(hp)

def well_defined(hp):
    hp.Int("same", 1, 9), hp.Int("same", 1, 9, default=5)
    hp.Choice("either", ["a", "b"]), hp.Choice("either", ["b", "a"])
    hp.Fixed("computed", 2 * hp.Int("number", 1, 3))
    with hp.name_scope("head"):
        hp.Int("same", 1, 3)
    return plain(hp)

def in_the_middle(hp):
    hp.Int("high", 2, 3 if hp.Int("units", 4, 16, step=4) == 8 else 4)
    return plain(hp)

def nothing(hp):
    return None

calls = []
def late(hp):
    calls.append(1)
    if len(calls) > 5:
        hp.Int("new", 1, 2)
    return plain(hp)

def rows(hp):
    model = plain(hp)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model

def regression(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 2, 4))])
    model.add(keras.layers.Dense(1))
    model.compile("adam", keras.losses.MeanSquaredError(), metrics=["mae"])
    return model

def halves():
    x, y = points()
    return x, y % 2

def named_by_keras(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(keras.layers.Dense(2, hp.Choice("activation", ["relu", "tanh"])))
    model.add(keras.layers.Dense(1, "sigmoid"))
    model.get_layer("dense_1").bias_initializer = keras.initializers.Zeros()
    metrics = [keras.metrics.AUC(), keras.metrics.Precision()]
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=metrics)
    return model
"""


@pytest.fixture
def search(quick):
    """A search with one of `MODELS`; what is searched is what it registers."""

    def make(name, space=None, **tables):
        tables["training"] = {"optimizer": "gradient_descent", **tables.pop("training", {})}
        return quick("import tfcourse\n" + MODELS, name, {} if space is None else space, **tables)

    return make


@pytest.fixture
def builder(module):
    name = module("import keras\nimport tfcourse\n" + MODELS)
    return lambda function: find_builder(f"{name}:{function}")


def test_what_it_registers_is_searched(search):
    """Also what it registers with other values of a choice, a flag or a number only."""
    space = search("compiled").config.space
    units = Range("int", 4, 16, 4)
    assert space == {
        "layers": Range("int", 1, 3, 1),
        "units_0": units,
        "units_1": units,
        "units_2": units,
        "kind": Choice(("sgd", "rmsprop")),
        "momentum": Range("float", 0.5, 0.9, when=(("kind", "sgd"),)),
        "rate": Range("float", 1e-4, 1e-2, scale="log"),
        "normalize": Choice((True, False)),
    }


def test_every_kind_of_range(search):
    config = search("every_kind").config
    number = (("number", 1),)
    assert config.space == {
        "int": Range("int", 1, 9, 1),
        "step": Range("int", 2, 9, 3),
        "powers": Choice((4, 8, 16, 32, 64)),
        "log": Range("int", 1, 100, 1, "log"),
        "float": Range("float", 0, 1),
        "half": Range("float", 0, 2, 0.5),
        "decades": Range("float", 1e-4, 1, scale="log"),
        "number": Choice((3, 1)),
        "flag": Choice((True, False)),
        "one_minus_beta": Range("float", 1 - 0.99, 1 - 0.9, scale="log"),
        "text": Choice(("a", "b", "c"), number),
        "deep": Range("float", 0, 1, when=(*number, ("text", ("a", "c")))),
        "units": Range("int", 4, 16, 4),
    }
    drawn = [sample(config.space, 0, trial) for trial in range(200)]
    for values in drawn:
        assert ("text" in values) == (values["number"] == 1)
        assert ("deep" in values) == (values.get("text") in ("a", "c"))
    assert any("deep" in values for values in drawn)


def test_the_ranges_are_keras_tuners(search):
    """Every value of ours is one that keras-tuner's own sampler could give, and the ends are."""
    space = search("every_kind").config.space
    hp = keras_tuner.HyperParameters()
    tuned = {
        "step": hp_of(hp, "Int", "step", 2, 9, step=3),
        "powers": hp_of(hp, "Int", "powers", 4, 64, step=2, sampling="log"),
        "half": hp_of(hp, "Float", "half", 0, 2, step=0.5),
    }
    grid = np.linspace(0, 1 - 1e-9, 500)
    for name, entry in tuned.items():
        theirs = {entry.prob_to_value(u) for u in grid}
        assert {space[name].value_at(u) for u in grid} == theirs


def hp_of(hp, kind, name, *args, **kwargs):
    getattr(hp, kind)(name, *args, **kwargs)
    return hp.space[-1]


@pytest.mark.usefixtures("untrained")
def test_a_search_over_what_it_registers(search):
    planned = search("compiled", search={"trials": 6})
    result = planned.run(verbose=False)
    space = planned.config.space
    for trial, record in result.trials.items():
        assert record.status == "completed"
        assert record.values == sample(space, 0, trial)
    # Each model is what its values say, compiled as build does it.
    values, model = result.best.values, result.best_model()
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    units = [values[f"units_{n}"] for n in range(values["layers"])]
    assert [layer.units for layer in dense] == [*units, 3]
    assert type(model.optimizer).__name__.lower() == values["kind"]
    if values["kind"] == "sgd":
        assert model.optimizer.momentum == pytest.approx(values["momentum"])
    # The record can be searched again, and names every range.
    kept = (result.directory / "config.toml").read_text()
    assert "[space.units_2]" in kept
    assert "when = { kind" in kept or '[space.momentum.when]\nkind = "sgd"' in kept
    assert planned.completed().was_complete


@pytest.mark.usefixtures("untrained")
def test_one_that_is_not_compiled_is_compiled_as_the_config_says(search):
    planned = search(
        "plain",
        {"learning_rate": {"low": 0.01, "high": 0.1}},
        search={"trials": 2},
        training={"optimizer": "keras:adamw", "weight_decay": 0.25},
    )
    assert list(planned.config.space) == ["learning_rate", "units"]
    result = planned.run(verbose=False)
    optimizer = result.best_model().optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    rate = result.best.values["learning_rate"]
    assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert optimizer.weight_decay == 0.25


def test_the_files_ranges_win(search):
    space = {"units": {"values": [5, 6]}, "momentum": {"low": 0.1, "high": 0.2}}
    config = search("compiled", {"units_0": space["units"], "momentum": space["momentum"]}).config
    assert config.space["units_0"] == Choice((5, 6))
    assert config.space["momentum"] == Range("float", 0.1, 0.2)
    assert config.space["units_1"] == Range("int", 4, 16, 4)


@pytest.mark.usefixtures("untrained")
def test_what_the_file_fixes_is_not_searched(search):
    fixed = {"kind": "rmsprop", "layers": 2}
    planned = search("compiled", model=fixed, search={"trials": 1})
    assert not {"kind", "layers", "momentum"} & set(planned.config.space)
    model = planned.run(verbose=False).best_model()
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    assert sum(isinstance(layer, keras.layers.Dense) for layer in model.layers) == 3
    sgd = search("compiled", model={"kind": "sgd"}).config.space
    assert sgd["momentum"] == Range("float", 0.5, 0.9)


@pytest.mark.parametrize("name", ["Model", "wide"])
def test_a_hypermodel(search, name):
    """A class, or an instance of one that takes arguments."""
    planned = search(name, search={"trials": 1})
    wanted = {"Model": "units", "wide": "dropout_rate"}[name]
    assert list(planned.config.space) == [wanted]
    result = planned.run(verbose=False)
    assert list(result.best.values) == [wanted]


def test_a_regression(search):
    planned = search(
        "regression", search={"trials": 1, "objective": "val_mae"}, training={"loss": "mse"}
    )
    result = planned.run(verbose=False)
    assert result.best.score == min(result.best.history["val_mae"])


@pytest.mark.parametrize("reuse_models", [16, 0])
def test_what_keras_names_is_called_the_same_in_every_trial(search, reuse_models):
    """keras-tuner's users write ``AUC()``, and find the second layer as "dense_1"."""
    result = search(
        "named_by_keras",
        points="halves",
        search={"objective": "val_auc", "direction": "max", "reuse_models": reuse_models},
        training={"loss": "binary_crossentropy"},
    ).run(verbose=False)
    for record in result.trials.values():
        assert record.status == "completed"
        assert {"auc", "precision", "val_auc", "val_precision"} <= {*record.history}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Wide", r'"\w+:Wide" can\'t be made without arguments \(TypeError: .*\)\. Name an inst.*'),
        ("reversed_log", r'"\w+:reversed_log" registers "beta" with .* tfcourse\.one_minus_log.*'),
        (
            "twice",
            r'"\w+:twice" registers "size" with different ranges: Int 4 to 8 in the scope of kind '
            r"in \['a'\], and Int 4 to 16 in the scope of kind in \['b'\]\. .* a name of its own\.",
        ),
        ("mixed", r'"\w+:mixed" must compile all of its models, or none of them\.'),
        ("raises", r'"\w+:raises", .* as build\(hp\) with the defaults and failed: KeyError: 4'),
        ("fatal", r"\"\w+:fatal\", .* with \{'size': 8\} and failed: FatalValueError: no"),
        ("exits", r'"\w+:exits", .* the defaults and failed: RuntimeError: sys\.exit\(0\) was .*'),
        ("ends", r'"\w+:ends", .* and failed: RuntimeError: os\._exit\(3\) was called, which .*'),
        ("nothing", r'"\w+:nothing", .* gave no model\. Received: NoneType\.'),
    ],
)
def test_one_that_cannot_be_searched(builder, name, said):
    with pytest.raises(InputError) as error:
        builder(name)
    assert re.fullmatch("builder: " + said, str(error.value)), str(error.value)


SECOND = "Int 30 to 50 step 10 with {'first': 50}, and Int 600 to 1000 step 10 with {'first': 1000}"


@pytest.mark.parametrize(
    ("name", "parameter", "ranges"),
    [
        ("dependent", "second", SECOND),
        ("thrice", "units", "Int 30 to 50, and Int 20 to 50"),
        (
            "dependent_choice",
            "act",
            "Choice ['relu'] with {'first': 1}, and Choice ['tanh', 'selu'] with {'first': 9}",
        ),
        (
            "dependent_float",
            "second",
            "Float 0.0 to 0.1 with {'first': 0.1}, and Float 0.0 to 0.9 with {'first': 0.9}",
        ),
        ("two_kinds", "size", "Int 0 to 1, and Float 0.0 to 1.0"),
        ("two_steps", "size", "Int 0 to 8, and Int 0 to 8 step 2"),
        ("two_samplings", "size", "Float 1.0 to 8.0, and Float 1.0 to 8.0 sampling log"),
        ("two_fixed", "size", "Fixed 1, and Fixed 2"),
        ("Nested", "units", "Int 2 to 3, and Int 4 to 16 step 4"),
    ],
)
def test_a_name_with_two_ranges_is_refused(builder, name, parameter, ranges):
    """keras-tuner takes the first one, and the model gets values that the second one excludes."""
    with pytest.raises(InputError) as error:
        builder(name)
    said = str(error.value)
    assert f'registers "{parameter}" with different ranges: {ranges}. A name has one' in said
    share = f'Register a share, such as hp.Float("{parameter}_share", 0.1, 1.0)'
    assert (share in said) == (name not in ("dependent_choice", "two_fixed"))


@pytest.mark.usefixtures("untrained")
def test_what_is_registered_again_with_its_range_is_searched(search):
    planned = search("well_defined", search={"trials": 1})
    assert planned.config.space == {
        "same": Range("int", 1, 9, 1),
        "either": Choice(("a", "b")),
        "number": Range("int", 1, 3, 1),
        "head/same": Range("int", 1, 3, 1),
        "units": Range("int", 4, 16, 4),
    }
    assert planned.run(verbose=False).best.status == "completed"


@pytest.mark.usefixtures("untrained")
def test_a_second_range_that_a_trial_finds_fails_the_trial(search):
    """The search goes on, though the first trial is one of them."""
    rate = {"learning_rate": {"low": 0.01, "high": 0.1}}
    result = search("in_the_middle", rate, search={"trials": 8}).run(verbose=False)
    assert result.trials[0].values["units"] == 8
    for record in result.trials.values():
        assert (record.status == "failed") == (record.values["units"] == 8)
        if record.status == "failed":
            assert "Int 2 to 4 with {'units': 4}, and " in record.message
            assert "Int 2 to 3 with {'units': 8}. A name has one range" in record.message


@pytest.mark.usefixtures("untrained")
def test_a_failed_trial_error_fails_its_trials_alone(search):
    """Also where it comes while it is looked for what is registered, and in the first trial."""
    planned = search("too_large", search={"trials": 8, "seed": 1})
    assert planned.config.space == {
        "units": Range("int", 4, 16, 4),
        "rate": Range("float", 0.0, 0.5),
    }
    result = planned.run(verbose=False)
    assert result.trials[0].values["units"] > 8
    for record in result.trials.values():
        assert (record.status == "failed") == (record.values["units"] > 8)
        if record.status == "failed":
            assert record.message == "FailedTrialError: too large"


ERRORS = {
    "an optimizer's argument": (
        "compiled",
        "[space.learning_rate]\nlow = 0.1\nhigh = 0.2",
        r'\[space\.learning_rate\] is not an argument of the builder ".*:compiled", which compiles '
        r"its models itself or the training\. .*Known: layers, .*batch_size, epochs\.",
    ),
    "the optimizer": (
        "compiled",
        "[space.optimizer]\nvalues = ['adam']",
        r"\[space\.optimizer\] is not an argument of the builder .*",
    ),
    "a fixed argument of the optimizer": (
        "compiled",
        "[training]\nlearning_rate = 0.1",
        r"\[training\] learning_rate has no effect: the builder compiles its models\.",
    ),
    "a key of the schedule": (
        "compiled",
        "[space.warmup]\nlow = 0.1\nhigh = 0.2",
        r"\[space\.warmup\] is not an argument of the builder .*",
    ),
    "a fixed key of the schedule": (
        "compiled",
        "[training]\nwarmup = 0.1",
        r"\[training\] warmup has no effect: the builder compiles its models\.",
    ),
    "a name that it does not register": (
        "plain",
        "[space.unit]\nlow = 1\nhigh = 2",
        r'\[space\.unit\] is not an argument of the builder .*Did you mean "units"\? .*',
    ),
    "a fixed name that it does not register": (
        "plain",
        "unit = 3",
        r'\[model\] unit is not an argument of the builder .*Did you mean "units"\? .*',
    ),
    "a value of another type": (
        "plain",
        "[space.units]\nlow = 1.5\nhigh = 2",
        r"\[space\.units\] low must be .*integer.* Received: 1\.5\.",
    ),
}


@pytest.mark.parametrize(("name", "fragment", "said"), ERRORS.values(), ids=ERRORS)
def test_one_mistake_gives_one_line(name, fragment, said, module, tmp_path):
    source = module("import keras\nimport tfcourse\n" + MODELS)
    model = f"[model]\nbuilder = '{source}:{name}'\n"
    if "[space" not in fragment:
        fragment += "\n[space.epochs]\nvalues = [1]"
    lines = errors_of(model + fragment, tmp_path)
    assert len(lines) == 1, lines
    assert re.fullmatch(said, lines[0]), lines


@pytest.mark.parametrize(
    ("name", "tables", "said"),
    [
        (
            "rows",
            {},
            r'with the loss "categorical_crossentropy"\. Received: \[training\] loss = "s',
        ),
        (
            "regression",
            {"training": {"loss": "mse"}, "search": {"objective": "val_auc"}},
            r'objective of the builder ".*" must be one of "val_loss", "val_mae", "loss", "mae"\. ',
        ),
        (
            "regression",
            {
                "training": {"loss": "mse"},
                "search": {"objective": "val_mae", "limits": {"val_auc": {"min": 0.5}}},
            },
            r'metric of the builder ".*" in \[search\.limits\] must be one of "parameters", '
            r'"seconds", "milliseconds", "val_l',
        ),
        (
            "regression",
            {
                "training": {"loss": "mse"},
                "search": {"objectives": ["val_mae", {"name": "val_auc", "direction": "max"}]},
            },
            r'objective of the builder ".*" must be one of "parameters", "seconds", '
            r'"milliseconds", "val_loss", ',
        ),
        (
            "regression",
            {
                "training": {"loss": "mse", "early_stopping": {"monitor": "val_auc"}},
                "search": {"objective": "val_mae"},
            },
            r'monitor of the builder ".*" must be one of "val_loss", "val_mae", "loss", "mae"\. ',
        ),
        ("late", {"search": {"trials": 1}}, r'registers "new" with .* and did not when the search'),
    ],
    ids=["loss", "objective", "limits", "objectives", "monitor", "late"],
)
def test_what_the_rehearsal_finds(search, monkeypatch, name, tables, said):
    planned = search(name, **tables)
    if name == "late":
        import sys

        sys.modules[planned.config.builder.name.partition(":")[0]].calls += [1] * 9
    with pytest.raises(InputError, match=said):
        planned.run(verbose=False)
    assert not planned.directory.exists()


@pytest.mark.usefixtures("untrained")
def test_names_in_a_scope(search):
    """keras-tuner writes them with a slash."""
    planned = search("scoped", search={"trials": 1})
    assert list(planned.config.space) == ["head/units"]
    result = planned.run(verbose=False)
    assert result.best_model().layers[0].units == result.best.values["head/units"]
    assert planned.completed().was_complete


@pytest.mark.usefixtures("untrained")
def test_the_record_names_what_was_drawn(search):
    result = search("plain", search={"trials": 2}).run(verbose=False)
    for trial, record in result.trials.items():
        stored = json.loads((result.directory / "trials" / f"{trial:04d}.json").read_text())
        assert stored["values"] == record.values == {"units": record.values["units"]}
    assert tfcourse.load_model(result.directory / "best.keras").layers[0].units in (4, 8, 12, 16)
