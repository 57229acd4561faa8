import inspect
import math

import pytest

from tfcourse.errors import InputError, nearest, one_of
from tfcourse.formulas.scales import SCALES
from tfcourse.hyperparameters import COURSE_OPTIMIZERS, HYPERPARAMETERS, OPTIMIZERS, check


def test_the_priorities_of_the_course():
    """Course 1.1: α first; then momentum, units and batch size; then layers; the rest rarely."""
    priorities = {}
    for h in HYPERPARAMETERS.values():
        priorities.setdefault(h.priority, set()).add(h.name)
    assert priorities[1] == {"learning_rate"}
    assert priorities[2] == {"momentum", "units", "batch_size"}
    assert priorities[3] == {"layers"}
    assert {"beta_1", "beta_2", "epsilon"} <= priorities[4]


@pytest.mark.parametrize(
    ("name", "scale", "low", "high"),
    [
        ("learning_rate", "log", 1e-4, 1.0),
        ("momentum", "one_minus_log", 0.9, 0.999),
        ("batch_size", "linear", 64, 512),
    ],
)
def test_the_ranges_of_the_course(name, scale, low, high):
    """Course 1.4, 1.5 and 5.13."""
    assert (HYPERPARAMETERS[name].scale, HYPERPARAMETERS[name].search) == (scale, (low, high))


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_every_entry_is_consistent(name):
    h = HYPERPARAMETERS[name]
    assert h.name == name
    if h.search:
        low, high = h.search
        assert low < high
        assert h.admits(low)
        assert h.admits(high)
        assert SCALES[h.scale].admits(low, high) == ""


@pytest.mark.parametrize(
    ("name", "good", "bad", "admissible"),
    [
        ("learning_rate", [0, 1e-9, 5], [-1e-9], "a number >= 0"),
        ("momentum", [0, 0.999], [-0.1, 1, 1.0], "a number in [0, 1)"),
        ("beta_1", [0.0, 0.9], [1.5], "a number in [0, 1)"),
        ("epsilon", [1e-300], [0, 0.0, -1], "a number > 0"),
        ("units", [1, 4096], [0, -1, 1.5, 2.0], "a whole number >= 1"),
        ("epochs", [1], [0], "a whole number >= 1"),
    ],
)
def test_check(name, good, bad, admissible):
    for value in good:
        assert check(name, value, "Owner") is value
    for value in [*bad, math.nan, math.inf, True, "0.5", None]:
        with pytest.raises(ValueError) as error:
            check(name, value, "Owner")
        assert str(error.value) == f"Owner: {name} must be {admissible}. Received: {value!r}."


def test_a_typo_is_told_the_nearest_name():
    assert nearest("lerning_rate", HYPERPARAMETERS) == ' Did you mean "learning_rate"?'
    assert nearest("zzz", HYPERPARAMETERS) == ""
    assert one_of("scale", "logg", ("linear", "log")) == (
        'scale must be one of "linear", "log". Received: \'logg\'. Did you mean "log"?'
    )
    assert one_of("scale", 3, ("linear", "log")) == (
        'scale must be one of "linear", "log". Received: 3.'
    )


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize("name", COURSE_OPTIMIZERS)
def test_the_registered_arguments_and_defaults_are_those_of_the_class(name):
    parameters = inspect.signature(COURSE_OPTIMIZERS[name].load()).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
    assert defaults == COURSE_OPTIMIZERS[name].defaults
    assert tuple(defaults) == COURSE_OPTIMIZERS[name].arguments


def test_the_numbers_among_the_arguments_are_hyperparameters():
    names = {name for entry in OPTIMIZERS.values() for name in entry.arguments}
    assert names - HYPERPARAMETERS.keys() == {"amsgrad", "centered", "nesterov"}
