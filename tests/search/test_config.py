"""A search's TOML file: every mistake is found, all at once, and told so that it can be mended."""

import dataclasses
import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcourse import InputError
from tfcourse.hyperparameters import HYPERPARAMETERS, OPTIMIZER_ARGUMENTS
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.config.outputs import objectives, outputs_of
from tfcourse.search.config.parsing import OTHER_NAMES
from tfcourse.search.config.tables import DataTable, SearchTable, SpaceTable, TrainingTable
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.store.identity import differences

OBJECTIVES = objectives(outputs_of("sparse_categorical_crossentropy", ("accuracy",)))

BASE = """
[search]
name = "small"
trials = 3

[space.learning_rate]
low = 1e-4
high = 1.0
scale = "log"
"""

MODULE = """
def build(input_shape, classes, width: int, kind="a", *, rate: float = 0.5): ...
def anything(input_shape, classes, **arguments): ...
def no_classes(input_shape): ...
def only_keywords(*, input_shape, classes): ...
number = 3
"""


def errors_of(fragment, folder):
    """The lines that `BASE` with its tables replaced by the fragment's gives, without the file."""
    raw = {**tomllib.loads(BASE), **tomllib.loads(fragment)}
    with pytest.raises(InputError) as error:
        parse_config(raw, "search.toml", folder)
    lines = str(error.value).split("\n")
    assert all(line.startswith("search.toml: ") for line in lines)
    return [line.removeprefix("search.toml: ") for line in lines]


def parse(fragment="", folder=None):
    return parse_config({**tomllib.loads(BASE), **tomllib.loads(fragment)}, "f", folder)


def search(line):
    return f'[search]\nname = "small"\ntrials = 3\n{line}'


def space(name, *lines):
    return "\n".join([f"[space.{name}]", *lines])


def when(name, condition):
    return space(name, "low = 0.5", "high = 0.9", f"when = {condition}\n")


CHOICES = "\n[space.learning_rate]\nvalues = [0.1, 0.2, 0.3]\n"
OPTIMIZERS = "[space.optimizer]\nvalues = ['adam', 'momentum']\n"

SINGLE_ERRORS = {
    # Tables and keys.
    "unknown table": (
        "[serch]\nname = 'x'",
        r'\[serch\] is not a known table\. Did you mean "search"\? Known: search, data, model, '
        r"training, space\.",
    ),
    "no table": ("training = 3", r"\[training\] must be a table\. Received: 3\."),
    "unknown key": (
        search("trails = 4"),
        r'\[search\] trails is not a known key\. Did you mean "trials"\? Known: name, .*trials.*',
    ),
    "missing key": ("[search]\nname = 'x'", r"\[search\] trials is required and missing\."),
    # [search]
    "type": (
        "[search]\nname = 'x'\ntrials = 'many'",
        r"\[search\] trials: must be .*integer.* Received: 'many'\.",
    ),
    "no trials": (
        "[search]\nname = 'x'\ntrials = 0",
        r"\[search\] trials: must be greater than or equal to 1\. Received: 0\.",
    ),
    "too many trials": (
        "[search]\nname = 'x'\ntrials = 2000000000",
        r"\[search\] trials: must be less than or equal to 1000000\. Received: 2000000000\.",
    ),
    "float trials": (
        "[search]\nname = 'x'\ntrials = 3.0",
        r"\[search\] trials: must be .*integer.* Received: 3\.0\.",
    ),
    "negative seed": (
        search("seed = -1"),
        r"\[search\] seed: must be greater than or equal to 0\. Received: -1\.",
    ),
    "bool seed": (search("seed = true"), r"\[search\] seed: must be .*integer.* Received: True\."),
    "objective": (
        search("objective = 'val_acuracy'"),
        r'\[search\] objective must be one of "val_accuracy", "val_loss", "accuracy", "loss"\. '
        r"Received: 'val_acuracy'\. Did you mean \"val_accuracy\"\?",
    ),
    "strategy": (
        search("strategy = 'randm'"),
        r'\[search\] strategy must be one of "random".* Received: \'randm\'\. '
        r'Did you mean "random"\?',
    ),
    "direction": (
        search("direction = 'up'"),
        r'\[search\] direction must be one of "max", "min"\. Received: \'up\'\.',
    ),
    "name": (
        "[search]\nname = '../x'\ntrials = 3",
        r"\[search\] name: must be letters, digits, .*\. Received: '\.\./x'\.",
    ),
    # [training]
    "optimizer": (
        "[training]\noptimizer = 'adm'",
        r'\[training\] optimizer must be one of "gradient_descent", "momentum", "rmsprop", "adam", '
        r'"keras:.*'
        r"Received: 'adm'\. Did you mean \"adam\"\?",
    ),
    "epochs": (
        "[training]\nepochs = 0",
        r"\[training\] epochs: must be greater than or equal to 1\. Received: 0\.",
    ),
    "another optimizer's argument": (
        "[training]\nmomentum = 0.5",
        r'\[training\] momentum is not an argument of the optimizer "adam"\.',
    ),
    "fixed argument": (
        "[training]\nbeta_1 = 1.0",
        r"\[training\] beta_1 must be a number in \[0, 1\)\. Received: 1\.0\.",
    ),
    "jit_compile": (
        "[training]\njit_compile = 'yes'",
        r"\[training\] jit_compile must be one of \"auto\", true, false\. Received: 'yes'\.",
    ),
    "metrics": (
        "[training]\nmetrics = 5",
        r"\[training\] metrics: must be a table or a list\. Received: 5\.",
    ),
    "a metric within a list": (
        "[training]\nmetrics = [5]",
        r"\[training\] metrics: must be a text\. Received: 5\.",
    ),
    "metrics within a table": (
        "[training]\nloss = { a = 'mse' }\nmetrics = { a = 'mae' }",
        r"\[training\] metrics: must be a list\. Received: 'mae'\.",
    ),
    "class_weight": (
        "[training]\nclass_weight = 3",
        r"\[training\] class_weight: must be a table or 'balanced'\. Received: 3\.",
    ),
    "a class's weight": (
        "[training]\nclass_weight = { 1 = -3.0 }",
        r"\[training\] class_weight: must be greater than or equal to 0\. Received: -3\.0\.",
    ),
    # [model]
    "builder's type": (
        "[model]\nbuilder = ['mlp']",
        r"\[model\] builder: must be a text\. Received: \['mlp'\]\.",
    ),
    "builder": (
        "[model]\nbuilder = 'mpl'",
        r'\[model\] builder must be one of "mlp", .*\. Received: \'mpl\'\. Did you mean "mlp"\?',
    ),
    "builder's module": (
        "[model]\nbuilder = 'no_such_module:build'",
        r'\[model\] builder: the module "no_such_module" can\'t be imported '
        r"\(ModuleNotFoundError: .*current folder.*",
    ),
    "builder's function": (
        "[model]\nbuilder = 'MODULE:biuld'",
        r'\[model\] builder: the module "MODULE" has no function "biuld"\. Did you mean "build"\?',
    ),
    "builder that is none": (
        "[model]\nbuilder = 'MODULE:number'",
        r'\[model\] builder: the module "MODULE" has no function "number"\.',
    ),
    "builder without classes": (
        "[model]\nbuilder = 'MODULE:no_classes'",
        r'\[model\] builder: "MODULE:no_classes", which takes one argument, was called as '
        r"build\(hp\) with the defaults and gave no model\. Received: NoneType\.",
    ),
    "builder of keywords": (
        "[model]\nbuilder = 'MODULE:only_keywords'",
        r'\[model\] builder: "MODULE:only_keywords" must take \(input_shape, classes, .*',
    ),
    "builder without a signature": (
        "[model]\nbuilder = 'builtins:max'",
        r'\[model\] builder: "builtins:max" must take \(input_shape, classes, .*',
    ),
    "unknown argument": (
        "[model]\nunit = 3",
        r'\[model\] unit is not an argument of the builder "mlp"\. Did you mean "units"\? '
        r"Known: layers, units, activation, dropout, batch_norm, output, levels\.",
    ),
    "argument's value": (
        "[model]\nunits = 0",
        r"\[model\] units must be a whole number >= 1\. Received: 0\.",
    ),
    "argument's type": (
        "[model]\nbuilder = 'MODULE:build'\nwidth = 'wide'",
        r"\[model\] width must be .*integer.* Received: 'wide'\.",
    ),
    "argument's choices": (
        "[model]\nbatch_norm = 'before'",
        r'\[model\] batch_norm must be "before_activation", "after_activation" or "none"\. '
        r"Received: 'before'\.",
    ),
    "missing argument": (
        "[model]\nbuilder = 'MODULE:build'",
        r'\[model\] width is required by the builder "MODULE:build"\.',
    ),
    # [data]
    "split's sum": (
        "[data]\nsplit = [0.5, 0.2, 0.2]",
        r"\[data\] split must be shares > 0 that sum to 1: of train, dev and test, or without a "
        r"test set of train and dev\. Received: \[0\.5, 0\.2, 0\.2\]\.",
    ),
    "split's empty share": (
        "[data]\nsplit = [0.8, 0.2, 0.0]",
        r"\[data\] split must be shares > 0 .* Received: \[0\.8, 0\.2, 0\.0\]\.",
    ),
    "split of one": (
        "[data]\nsplit = [1.0]",
        r"\[data\] split:? must be shares > 0 .* Received: \[1\.0\]\.",
    ),
    "split of four": (
        "[data]\nsplit = [0.4, 0.2, 0.2, 0.2]",
        r"\[data\] split.* Received: \[0\.4, 0\.2, 0\.2, 0\.2\]\.",
    ),
    "source": (
        "[data]\nsource = 'digit'",
        r'\[data\] source must be one of "digits", "npz", .*\. Received: \'digit\'\. '
        r'Did you mean "digits"\?',
    ),
    "keras source": (
        "[data]\nsource = 'keras:mnst'",
        r'\[data\] source: the data set after keras: must be one of "mnist", .* '
        r'Received: \'mnst\'\. Did you mean "mnist"\?',
    ),
    "source's module": (
        "[data]\nsource = 'no_such_module:load'",
        r'\[data\] source: the module "no_such_module" can\'t be imported .*',
    ),
    "no path": (
        "[data]\nsource = 'npz'",
        r'\[data\] source "npz" needs the key path, the file to read\.',
    ),
    "npz": (
        "[data]\nsource = 'npz'\npath = 'no.npz'",
        r"\[data\] path: no such file: /.*/no\.npz\.",
    ),
    "csv": (
        "[data]\nsource = 'csv'\npath = 'no.csv'",
        r"\[data\] path: no such file: /.*/no\.csv\.",
    ),
    "a label of another source": (
        "[data]\nlabel = 'y'",
        r'\[data\] label is for source "csv", "parquet", "arrow" or "tfrecord"\. '
        r'Received: "digits"\.',
    ),
    # [space]
    "empty space": ("[space]", r"\[space\] must hold at least one table, such as .*"),
    "no space table": ("[space]\nunits = 3", r"\[space\.units\] must be a table\. Received: 3\."),
    "unknown name": (
        space("lerning_rate", "low = 0.1", "high = 0.2"),
        r'\[space\.lerning_rate\] is not an argument of the builder "mlp", the optimizer or the '
        r'training\. Did you mean "learning_rate"\? Known: .*beta_1.*batch_size.*',
    ),
    "name of another optimizer": (
        space("momentum", "low = 0.5", "high = 0.9"),
        r'\[space\.momentum\] is an argument of the optimizer "momentum"\. '
        r'Received: the optimizer "adam" in \[training\]\.',
    ),
    "scale": (
        space("learning_rate", "low = 0.1", "high = 0.2", "scale = 'lg'"),
        r'\[space\.learning_rate\] scale must be one of "linear", "log", "one_minus_log"\. '
        r"Received: 'lg'\. Did you mean \"log\"\?",
    ),
    "reverse_log": (
        space("beta_1", "low = 0.9", "high = 0.999", "scale = 'reverse_log'"),
        r'\[space\.beta_1\] scale: "reverse_log" is not .* 9\.5 % .* Use "one_minus_log"\.',
    ),
    "log from 0": (
        space("learning_rate", "low = 0.0", "high = 0.2", "scale = 'log'"),
        r'\[space\.learning_rate\] scale "log" needs low > 0\. Received: low 0\.0, high 0\.2\.',
    ),
    "log with a step from 0": (
        space("layers", "low = 1", "high = 3", "step = 2", "scale = 'log'"),
        r'\[space\.layers\] scale "log" needs low > 0\. Received: low 1, high 3, step 2 \(half a '
        r"step on each side counts\)\.",
    ),
    "one_minus_log to 1": (
        space("epsilon", "low = 0.5", "high = 1.0", "scale = 'one_minus_log'"),
        r'\[space\.epsilon\] scale "one_minus_log" needs high < 1\. '
        r"Received: low 0\.5, high 1\.0\.",
    ),
    "low = high": (
        space("learning_rate", "low = 0.1", "high = 0.1"),
        r"\[space\.learning_rate\] low must be < high\. Received: 0\.1 and 0\.1\.",
    ),
    "low > high": (
        space("learning_rate", "low = 0.2", "high = 0.1"),
        r"\[space\.learning_rate\] low must be < high\. Received: 0\.2 and 0\.1\.",
    ),
    "no high": (
        space("learning_rate", "low = 0.1"),
        r"\[space\.learning_rate\] needs low and high, or values\. Received: low\.",
    ),
    "nothing": (
        space("learning_rate"),
        r"\[space\.learning_rate\] needs low and high, or values\. Received: nothing\.",
    ),
    "values and low": (
        space("learning_rate", "values = [0.1, 0.2]", "low = 0.1"),
        r"\[space\.learning_rate\] has values, which exclude low\.",
    ),
    "no values": (
        space("learning_rate", "values = []"),
        r"\[space\.learning_rate\] values must be a list of at least one value\. Received: \[\]\.",
    ),
    **{
        f"values of {value}": (
            space("dropout", f"values = [{value}]"),
            r"\[space\.dropout\] values must be finite numbers, texts, true or false\. "
            rf"Received: {received}\.",
        )
        for value, received in {
            "nan": "nan",
            "0.5, inf": "inf",
            "[0.1]": r"\[0\.1\]",
            "{ a = 1 }": r"\{'a': 1\}",
            "2020-01-01": r"datetime\.date\(2020, 1, 1\)",
        }.items()
    },
    "equal values": (
        space("learning_rate", "values = [0.1, 0.1]"),
        r"\[space\.learning_rate\] values must differ .*\. Received: \[0\.1, 0\.1\]\.",
    ),
    "inadmissible value": (
        space("learning_rate", "values = [0.1, -1.0]"),
        r"\[space\.learning_rate\] values must be a number >= 0\. Received: -1\.0\.",
    ),
    "values of several types": (
        "[model]\nbuilder = 'MODULE:anything'\n" + space("mixed", "values = [1, 'a']"),
        r"\[space\.mixed\] values must be .*one type.* Received: \[1, 'a'\]\.",
    ),
    "optimizers": (
        space("optimizer", "values = ['adam', 'adm']"),
        r'\[space\.optimizer\] values must be one of "gradient_descent", .* '
        r"Received: 'adm'\. Did you mean \"adam\"\?",
    ),
    "beta of 1": (
        space("beta_1", "low = 0.9", "high = 1.0", "scale = 'one_minus_log'"),
        r"\[space\.beta_1\] high must be a number in \[0, 1\)\. Received: 1\.0\.",
    ),
    "no units": (
        space("units", "low = 0", "high = 64"),
        r"\[space\.units\] low must be a whole number >= 1\. Received: 0\.",
    ),
    "half a unit": (
        space("units", "low = 1", "high = 2.5"),
        r"\[space\.units\] high must be a whole number >= 1\. Received: 2\.5\.",
    ),
    "negative learning rate": (
        space("learning_rate", "low = -1.0", "high = 0.1"),
        r"\[space\.learning_rate\] low must be a number >= 0\. Received: -1\.0\.",
    ),
    "infinite learning rate": (
        space("learning_rate", "low = 0.1", "high = inf"),
        r"\[space\.learning_rate\] high:? must be .*number.* Received: inf\.",
    ),
    "bool": (
        space("learning_rate", "low = true", "high = 2"),
        r"\[space\.learning_rate\] low:? must be .*number.* Received: True\.",
    ),
    "step of 0": (
        space("learning_rate", "low = 0.1", "high = 0.2", "step = 0.0"),
        r"\[space\.learning_rate\] step: must be greater than 0\. Received: 0\.0\.",
    ),
    **{
        f"step too small to be taken from {low}": (
            space("learning_rate", f"low = {low}", f"high = {high}", f"step = {step}"),
            rf"\[space\.learning_rate\] step must be >= {least}, the distance of floats there\. "
            rf"Received: {step}\.",
        )
        for low, high, step, least in [
            ("0.0", "0.9", "1e-320", "1.1e-16"),
            ("1.0", "1e300", "1e-10", r"1.5e\+284"),
        ]
    },
    "step of a whole number": (
        space("units", "low = 1", "high = 9", "step = 0.5"),
        r"\[space\.units\] step must be a whole number\. Received: 0\.5\.",
    ),
    # Strategies.
    "another strategy's settings": (
        search("strategy = 'grid'\n[search.hyperband]\nfactor = 3") + CHOICES,
        r'\[search\.hyperband\] is for strategy "hyperband" only\. Received: "grid"\.',
    ),
    "a setting's value": (
        search("strategy = 'coarse_to_fine'\n[search.coarse_to_fine]\nkeep = 0.0"),
        r"\[search\.coarse_to_fine\] keep: must be greater than 0\. Received: 0\.0\.",
    ),
    "a setting's name": (
        search("strategy = 'coarse_to_fine'\n[search.coarse_to_fine]\nflor = 0.1"),
        r"\[search\.coarse_to_fine\] flor is not a known key\. Did you mean \"floor\"\? "
        r"Known: rule, rounds, trials_per_round, coverage, keep, shrink, floor\.",
    ),
    "no settings table": (
        search("strategy = 'bayesian'\nbayesian = 3"),
        r"\[search\.bayesian\] must be a table\. Received: 3\.",
    ),
    "a mistyped strategy's table": (
        search("[search.hyperbnd]\nfactor = 3"),
        r'\[search\] hyperbnd is not a known key\. Did you mean "hyperband"\? Known: name, .*',
    ),
    "a grid of every number": (
        search("strategy = 'grid'"),
        r"\[space\.learning_rate\] points or step is required by the grid, which can't hold every "
        r"number from 0\.0001 to 1\.0\.",
    ),
    "more trials than points": (
        "[search]\nname = 'x'\ntrials = 4\nstrategy = 'grid'\n" + CHOICES,
        r"\[search\] trials must be <= 3, the points of the grid\. Received: 4\.",
    ),
    "a grid too large": (
        search("strategy = 'grid'")
        + "\n[space.learning_rate]\nlow = 0.1\nhigh = 0.2\npoints = 200000",
        r"\[space\] has a grid of 200000 points\. At most 100000 are searched: give fewer .*",
    ),
    "points without a grid": (
        space("learning_rate", "low = 0.1", "high = 0.2", "points = 3"),
        r'\[space\.learning_rate\] points is for strategy "grid" only\. Received: "random"\.',
    ),
    "points and steps": (
        space("units", "low = 1", "high = 9", "points = 3"),
        r"\[space\.units\] points is for numbers without a step\. Received: step 1\.",
    ),
    "hyperband's own epochs": (
        search("strategy = 'hyperband'") + "\n[space.epochs]\nvalues = [1, 3]",
        r"\[space\.epochs\] is set by strategy \"hyperband\" itself and can't be searched\.",
    ),
    # Conditions.
    "unknown parent": (
        OPTIMIZERS + when("beta_1", "{ optimiser = 'adam' }"),
        r"\[space\.beta_1\] when: optimiser is not in \[space\]\. Did you mean \"optimizer\"\? "
        r"Known: optimizer, beta_1\.",
    ),
    "parent's value": (
        OPTIMIZERS + when("beta_1", "{ optimizer = 'adm' }"),
        r'\[space\.beta_1\] when: optimizer must be one of "adam", "momentum"\. '
        r"Received: 'adm'\. Did you mean \"adam\"\?",
    ),
    "parent without values": (
        space("units", "low = 1", "high = 9") + "\n" + when("beta_1", "{ units = 3 }"),
        r"\[space\.beta_1\] when: units must have values to choose from\. "
        r"Received: low and high\.",
    ),
    "a condition on nothing": (
        when("beta_1", "{}"),
        r"\[space\.beta_1\] when must name a parent and its value\. Received: \{\}\.",
    ),
    "a condition on no value": (
        OPTIMIZERS + when("momentum", "{ optimizer = [] }"),
        r"\[space\.momentum\] when must name a parent and its value\. "
        r"Received: \{'optimizer': \[\]\}\.",
    ),
    "an argument of another optimizer": (
        OPTIMIZERS + when("momentum", "{ optimizer = 'adam' }"),
        r'\[space\.momentum\] when: momentum is not an argument of the optimizer "adam"\.',
    ),
    "one of several values of a parent": (
        OPTIMIZERS + when("beta_1", "{ optimizer = ['adam', 'adm'] }"),
        r'\[space\.beta_1\] when: optimizer must be one of "adam", "momentum"\. .*',
    ),
    **{
        f"a parent's value {value}": (
            OPTIMIZERS + when("momentum", f"{{ optimizer = {value} }}"),
            r'\[space\.momentum\] when: optimizer must be one of "adam", "momentum"\. '
            rf"Received: {received}\.",
        )
        for value, received in {
            "[['momentum']]": r"\['momentum'\]",
            "{ a = 1 }": r"\{'a': 1\}",
        }.items()
    },
    "no condition": (
        when("beta_1", "'adam'"),
        r"\[space\.beta_1\] when: must be a table\. Received: 'adam'\.",
    ),
    "a condition on itself": (
        "[space.units]\nvalues = [3, 4]\nwhen = { layers = 1 }\n"
        "[space.layers]\nvalues = [1, 2]\nwhen = { units = 3 }",
        r"\[space\.units\] when must not depend on itself\. Received: units → layers → units\.",
    ),
    "a required argument with a condition": (
        "[model]\nbuilder = 'MODULE:build'\n[space.kind]\nvalues = ['a', 'b']\n"
        "[space.width]\nvalues = [3]\nwhen = { kind = 'a' }",
        r'\[model\] width is required by the builder "MODULE:build"\.',
    ),
    "range's unknown key": (
        space("units", "low = 1", "high = 9", "steps = 2"),
        r'\[space\.units\] steps is not a known key\. Did you mean "step"\? Known: low, .*',
    ),
    "Optuna's name, which is like another key's": (
        space("units", "low = 1", "high = 9", "log = true"),
        r'\[space\.units\] log is not a known key\. Did you mean "scale"\? Known: low, .*',
    ),
    "scikit-learn's name": (
        search("random_state = 4"),
        r'\[search\] random_state is not a known key\. Did you mean "seed"\? Known: name, .*',
    ),
    "a name that is no key of this table": (
        "[training]\nrandom_state = 4",
        r"\[training\] random_state is not a known key\. Known: class_weight, .*",
    ),
}


@pytest.mark.parametrize("key", OTHER_NAMES)
def test_other_libraries_names_are_those_of_a_key(key):
    tables = SearchTable, DataTable, TrainingTable, SpaceTable
    known = {name for table in tables for name in table.model_fields}
    assert key in known


@pytest.mark.parametrize(("fragment", "said"), SINGLE_ERRORS.values(), ids=SINGLE_ERRORS)
def test_one_mistake_gives_one_line(fragment, said, module, tmp_path):
    if "MODULE" in fragment:
        name = module(MODULE)
        fragment, said = fragment.replace("MODULE", name), said.replace("MODULE", name)
    (line,) = errors_of(fragment, tmp_path)
    assert re.fullmatch(said, line), line


@pytest.mark.parametrize("annotation", ["threading.Lock", "threading.Thread", "'NoSuchName'"])
def test_an_annotation_that_cannot_be_checked_is_none(annotation, module, tmp_path):
    name = module(
        f"import threading\ndef build(input_shape, classes, width: {annotation} = None): ..."
    )
    config = parse(f"[model]\nbuilder = '{name}:build'\nwidth = 3", tmp_path)
    assert config.model.arguments == {"width": 3}


def test_annotations_as_strings_are_checked_like_others(module, tmp_path):
    name = module(
        """
        from __future__ import annotations
        from typing import Literal
        Kind = Literal["a", "b"]
        def build(input_shape, classes, rate: float, kind: Kind = "a"): ...
        """
    )
    builder = f"[model]\nbuilder = '{name}:build'\n"
    searched = space("rate", "low = 1", "high = 9")
    config = parse(builder + "kind = 'b'\n" + searched, tmp_path)
    assert config.space == {"rate": Range("float", 1, 9)}
    (line,) = errors_of(builder + "kind = 'c'\n" + searched, tmp_path)
    assert re.fullmatch(r'\[model\] kind must be "a" or "b"\. Received: \'c\'\.', line)


def test_a_config_with_a_nan_is_the_same_when_it_is_read_again(module, tmp_path):
    name = module("def build(input_shape, classes, rate=0.5): ...")
    config = parse(f"[model]\nbuilder = '{name}:build'\nrate = nan\n", tmp_path)
    stored, again = (tomllib.loads(config.as_toml()) for _ in range(2))
    assert differences(stored, again) == []
    stored["model"]["rate"] = 0.5
    (line,) = differences(stored, again)
    assert line == "model.rate is 0.5 there and nan here"


def test_bayesian_needs_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    source = "[data]\nsource = 'builtins:max'\n"
    lines = errors_of(source + search("strategy = 'bayesian'"), tmp_path)
    assert (
        '[search] strategy "bayesian" needs scikit-learn. Install it: pip install scikit-learn.'
    ) in lines


BROKEN = """
[search]
name = "my search"
trials = 0
seed = true
objective = "val_acuracy"
strategy = "randm"
budget = 3

[serch]

[data]
source = "digit"
split = [0.5, 0.2, 0.2]

[model]
unit = 3
dropout = 1.0

[training]
epochs = "ten"
momentum = 0.9

[space.lerning_rate]
low = 0.1
high = 0.2

[space.beta_1]
low = 0.9
high = 1.0

[space.units]
low = 8
values = [8, 16]

[space.learning_rate]
low = 1e-4
high = 1.0
scale = "reverse_log"
"""


def test_every_mistake_is_reported_at_once(tmp_path):
    """File, table and key, what was received, what is allowed, and the nearest name."""
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_config(path)
    lines = str(error.value).split("\n")
    assert all(line.startswith(f"{path}: [") for line in lines)
    told = {re.search(r"\[(.*?)\] ?(\w*)", line).groups() for line in lines}
    assert told == {
        ("serch", "is"),
        ("search", "name"),
        ("search", "trials"),
        ("search", "seed"),
        ("search", "objective"),
        ("search", "strategy"),
        ("search", "budget"),
        ("data", "source"),
        ("data", "split"),
        ("model", "unit"),
        ("model", "dropout"),
        ("training", "epochs"),
        ("space.lerning_rate", "is"),
        ("space.beta_1", "high"),
        ("space.units", "has"),
        ("space.learning_rate", "scale"),
    }
    assert len(lines) == len(told)
    assert sum("Did you mean" in line for line in lines) == 6


def test_a_mistake_in_one_table_causes_none_in_another(tmp_path):
    """With the builder or the optimizer unknown, nothing can be said about their arguments."""
    fragment = "[model]\nbuilder = 'mpl'\nwidth = 3\n[training]\noptimizer = 'adm'\nbeta_1 = 0.5\n"
    lines = errors_of(fragment + space("momentum", "low = 0.5", "high = 0.9"), tmp_path)
    assert len(lines) == 2
    assert lines[0].startswith("[training] optimizer must be one of")
    assert lines[1].startswith("[model] builder must be one of")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[search\n", r".*broken\.toml is not a TOML file: .*line 1.*"),
        (b"name = '\xff'", r".*broken\.toml is not a TOML file: .*"),
        (None, r".*broken\.toml can't be read: No such file or directory\."),
        (b"a = " + b"[" * 5000, r".*broken\.toml has tables or lists .* more than 50 levels\."),
        (b"[a" + b".a" * 900 + b"]", r".*broken\.toml has tables or lists .* than 50 levels\."),
    ],
    ids=["syntax", "encoding", "missing", "brackets", "dots"],
)
def test_no_toml_file(content, said, tmp_path):
    path = tmp_path / "broken.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_config(path)
    assert re.fullmatch(said, str(error.value))


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    path = tmp_path / "search.toml"
    path.write_text(BASE, encoding="utf-8-sig")
    assert load_config(path).search.name == "small"


def test_a_folder_is_no_toml_file(tmp_path):
    with pytest.raises(InputError, match=r"can't be read: Is a directory"):
        load_config(tmp_path)


class TestSpace:
    def test_numbers_are_whole_where_the_argument_takes_whole_numbers_only(self, module):
        name = module("def build(s, c, a, whole: int = 1, part: float = 0.0, rate=0.5): ...")
        ends = ("low = 2", "high = 8")
        names = ("units", "learning_rate", "a", "whole", "part", "rate")
        tables = [space(n, *ends) for n in names]
        tables += [space("batch_size", *ends, "step = 2")]
        fragment = "\n".join([f"[model]\nbuilder = '{name}:build'", *tables[1:]])
        assert parse(fragment).space == {
            "learning_rate": Range("float", 2, 8),
            "a": Range("int", 2, 8, 1),
            "whole": Range("int", 2, 8, 1),
            "part": Range("float", 2, 8),
            "rate": Range("float", 2, 8),
            "batch_size": Range("int", 2, 8, 2),
        }
        assert parse(tables[0]).space == {"units": Range("int", 2, 8, 1)}

    @pytest.mark.parametrize("values", [(True, False), (3, 1.5, 2), ("b", "a")], ids=str)
    def test_values_keep_their_types_and_order(self, values, module):
        name = module("def build(s, c, **arguments): ...")
        shown = json.dumps(list(values))
        fragment = f"[model]\nbuilder = '{name}:build'\n" + space("any", f"values = {shown}")
        kept = parse(fragment).space["any"].values
        assert [(type(v), v) for v in kept] == [(type(v), v) for v in values]

    def test_an_argument_of_any_of_the_searched_optimizers(self):
        both = space("optimizer", "values = ['adam', 'momentum']")
        ends = ("low = 0.5", "high = 0.9")
        config = parse("\n".join([both, space("momentum", *ends), space("beta_1", *ends)]))
        assert list(config.space) == ["optimizer", "momentum", "beta_1"]
        assert config.space["optimizer"] == Choice(("adam", "momentum"))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_direction_comes_from_the_metric(objective):
    inferred = "max" if "accuracy" in objective else "min"
    assert parse(search(f"objective = '{objective}'")).direction == inferred
    turned = {"max": "min", "min": "max"}[inferred]
    line = f"objective = '{objective}'\ndirection = '{turned}'"
    assert parse(search(line)).direction == turned


class TestOverrides:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "search.toml"
        path.write_text(BASE, encoding="utf-8")
        return path

    def test_they_replace_what_the_file_says(self, path):
        config = load_config(path, trials=7, epochs=2, seed=5)
        assert (config.search.trials, config.training.epochs, config.search.seed) == (7, 2, 5)

    def test_seed_0_is_one(self, path):
        path.write_text(BASE.replace("trials = 3", "trials = 3\nseed = 4"), encoding="utf-8")
        assert load_config(path).search.seed == 4
        assert load_config(path, seed=0).search.seed == 0

    def test_without_them_the_file_counts(self, path):
        config = load_config(path)
        assert (config.search.trials, config.training.epochs, config.search.seed) == (3, 10, 0)

    @pytest.mark.parametrize(
        ("override", "key"),
        [({"trials": 0}, "search] trials"), ({"epochs": -1}, "training] epochs")],
    )
    def test_they_are_checked_like_the_file(self, path, override, key):
        with pytest.raises(InputError, match=re.escape(f"[{key}")):
            load_config(path, **override)

    def test_a_strategy_replaces_the_table_of_the_files(self, path):
        text = BASE.replace("trials = 3", "trials = 3\nstrategy = 'coarse_to_fine'")
        path.write_text(f"{text}\n[search.coarse_to_fine]\nshrink = 0.3\n", encoding="utf-8")
        config = load_config(path, strategy="tpe")
        assert (config.search.strategy, config.settings.initial) == ("tpe", 10)
        assert "coarse_to_fine" not in config.as_tables()["search"]
        assert load_config(path, strategy="coarse_to_fine").settings.shrink == 0.3
        assert load_config(path, strategy=None) == load_config(path)
        with pytest.raises(InputError, match=r'strategy must be .*: .tpee.\. Did you mean "tpe"'):
            load_config(path, strategy="tpee")
        path.write_text(f"{BASE}\n[search.gp]\ninitial = 4\n", encoding="utf-8")
        assert load_config(path, strategy="gp").settings.initial == 4
        with pytest.raises(
            InputError, match=r'\[search\.gp\] is for strategy "gp" only\. Received: "t'
        ):
            load_config(path, strategy="tpe")

    def test_a_table_that_is_none_is_an_error_and_no_crash(self, path):
        path.write_text("search = 3\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"\[search\] must be a table"):
            load_config(path, trials=3)


# Ranges that each hyperparameter may have; the rest of a config is drawn around them.
ENDS = {
    "learning_rate": [1e-4, 0.01, 1.0],
    "momentum": [0.5, 0.9, 0.999],
    "beta_1": [0.5, 0.9, 0.999],
    "beta_2": [0.9, 0.99, 0.9999],
    "rho": [0.5, 0.9, 0.99],
    "epsilon": [1e-9, 1e-8, 1e-2],
    "units": [16, 32, 128],
    "layers": [1, 2, 5],
    "batch_size": [16, 64, 512],
    "dropout": [0.125, 0.25, 0.5],
}


@st.composite
def ranges(draw, name):
    ends = ENDS[name]
    if draw(st.booleans()):
        return {"values": draw(st.lists(st.sampled_from(ends), min_size=1, unique=True))}
    low, high = sorted(draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2, unique=True)))
    table = {"low": low, "high": high}
    if isinstance(low, int) and draw(st.booleans()):
        table["step"] = draw(st.integers(1, 2 * low - 1))
    scales = ["linear", "log"] + ["one_minus_log"] * (high < 1)
    return table | draw(st.just({}) | st.builds(lambda s: {"scale": s}, st.sampled_from(scales)))


@st.composite
def configs(draw):
    """The tables of a valid config."""
    optimizer = draw(st.sampled_from(sorted(OPTIMIZER_ARGUMENTS)))
    admissible = [
        *OPTIMIZER_ARGUMENTS[optimizer],
        *("units", "layers", "batch_size", "dropout"),
    ]
    names = draw(st.lists(st.sampled_from(admissible), min_size=1, unique=True))
    fixed = draw(st.lists(st.sampled_from(OPTIMIZER_ARGUMENTS[optimizer]), unique=True))
    optional = {
        "objective": st.sampled_from(OBJECTIVES),
        "direction": st.sampled_from(["min", "max"]),
        "seed": st.integers(0, 2**63),
    }
    kept = draw(st.lists(st.sampled_from(sorted(optional)), unique=True))
    return {
        "search": {
            "name": draw(st.sampled_from(["digits", "7", "A.b_c-9."])),
            "trials": draw(st.integers(1, 10_000)),
            **{key: draw(optional[key]) for key in kept},
        },
        "data": {"split": draw(st.sampled_from([[0.6, 0.2, 0.2], [0.98, 0.01, 0.01]]))},
        "model": draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "activation": st.sampled_from(["relu", "tanh"]),
                    "batch_norm": st.sampled_from(["none", "after_activation"]),
                },
            )
        ),
        "training": {
            "optimizer": optimizer,
            "epochs": draw(st.integers(1, 1000)),
            "jit_compile": draw(st.sampled_from(["auto", True, False])),
            **{name: float(draw(st.sampled_from(ENDS[name]))) for name in fixed},
        },
        "space": {name: draw(ranges(name)) for name in names},
    }


def as_fields(config):
    """A config's fields; the direction, which the file always gets, with what it says."""
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.compare}
    search_table = config.search.model_copy(update={"direction": config.direction})
    return {**fields, "search": search_table}


@settings(max_examples=50)
@given(configs())
def test_the_written_config_is_the_same_config(raw):
    config = parse_config(raw, "drawn", None)
    again = parse_config(tomllib.loads(config.as_toml()), "written", None)
    assert as_fields(again) == as_fields(config)
    assert again.as_tables() == config.as_tables()


@settings(max_examples=50)
@given(configs())
def test_a_valid_config_says_what_its_tables_say(raw):
    config = parse_config(raw, "drawn", None)
    assert config.search.trials == raw["search"]["trials"]
    assert config.model.arguments == raw["model"]
    assert list(config.space) == list(raw["space"])
    for name, table in raw["space"].items():
        parameter = config.space[name]
        if "values" in table:
            assert parameter == Choice(tuple(table["values"]))
        else:
            assert (parameter.low, parameter.high) == (table["low"], table["high"])
            assert parameter.scale == table.get("scale", "linear")
            assert parameter.kind == HYPERPARAMETERS[name].kind.__name__


def test_a_data_file_is_beside_its_config_and_still_found_from_the_record(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "points.npz").touch()
    path = tmp_path / "search.toml"
    path.write_text(BASE + "[data]\nsource = 'npz'\npath = 'data/points.npz'\n", encoding="utf-8")
    config = load_config(path)
    assert config.data.path == str((tmp_path / "data" / "points.npz").resolve())
    record = tmp_path / "runs" / "small" / "config.toml"
    record.parent.mkdir(parents=True)
    record.write_text(config.as_toml(), encoding="utf-8")
    assert load_config(record).data == config.data
