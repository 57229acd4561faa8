"""Values and errors of other people's code in a message: always text, and never too much of it."""

import numpy as np
import pytest

from tfcourse.errors import (
    error_line,
    error_text,
    message_line,
    one_of,
    shown,
    traceback_text,
    warn,
)


class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value", ["a", [1, 2.5, None], {"b": (1,), "a": "x"}, np.float32(0.5), 10**20, [], ["..."]]
)
def test_a_short_value_is_shown_as_it_is(value):
    assert shown(value) == repr(value)


@pytest.mark.parametrize(
    ("value", "begins", "ends"),
    [
        ([*range(3000)], "[0, 1, 2, 3,", "...] (length 3000)"),
        (tuple(range(3000)), "(0, 1, 2, 3,", "...) (length 3000)"),
        (dict.fromkeys(range(3000)), "{0: None, 1: None,", "...} (length 3000)"),
        ([["x" * 10_000]], "[['xxx", "xxx']] (length 1)"),
        ("x" * 5000, "'xxx", "xxx' (length 5000)"),
        (10**250, "1000", "000"),
        (10**5000, "<int>", "<int>"),  # Python refuses to write so many digits
        ([10**5000], "<list>", "<list>"),
    ],
    ids=["list", "tuple", "dict", "nested", "text", "long number", "longer number", "within"],
)
def test_a_long_value_is_shortened(value, begins, ends):
    text = shown(value)
    assert text.startswith(begins)
    assert text.endswith(ends)
    assert len(text) < 250
    assert one_of("loss", value, ["mse"]).startswith('loss must be one of "mse". Received: ')


def test_a_value_that_cannot_be_shown():
    assert shown(BrokenError()).startswith("<BrokenError instance at ")
    assert shown([BrokenError(), 1]).startswith("[<BrokenError instance at ")


@pytest.mark.parametrize(
    ("error", "text", "line", "message"),
    [
        (KeyError("units"), "KeyError: 'units'", "KeyError: 'units'", "'units'"),
        (ValueError("one\ntwo"), "ValueError: one\ntwo", "ValueError: one", "one"),
        (ValueError(), *["ValueError without a message"] * 3),
        (ValueError("\n  a\nb"), "ValueError: a\nb", "ValueError: a", "a"),
        (ValueError("a\udcff"), r"ValueError: a\udcff", r"ValueError: a\udcff", r"a\udcff"),
        (
            BrokenError(),
            *["BrokenError: (its message can't be shown)"] * 2,
            "(its message can't be shown)",
        ),
    ],
    ids=["key", "lines", "empty", "blank line", "surrogate", "broken"],
)
def test_the_text_of_an_error(error, text, line, message):
    assert (error_text(error), error_line(error), message_line(error)) == (text, line, message)
    try:
        raise error
    except Exception:
        traceback = traceback_text()
    assert traceback.startswith("Traceback (most recent call last):")
    for each in (text, traceback):
        assert each.encode("utf-8").decode("utf-8") == each


def test_a_line_of_an_error_is_shortened():
    assert len(error_line(ValueError("x" * 10**6))) < 2100


def in_module(name, source):
    """The globals of a module of that name, as if it had been imported."""
    variables = {"__name__": name, "warn": warn}
    exec(compile(source, f"/{name}.py", "exec"), variables)
    return variables


PASS_ON = "def run(first, *rest):\n    first(*rest)\n"


@pytest.mark.parametrize("between", [[], ["tfcourse.training.loop", "keras.src.trainers.trainer"]])
def test_a_warning_is_of_the_users_line(between):
    """However many frames of the library and of Keras lie between."""
    calls = [in_module(name, PASS_ON)["run"] for name in ["tfcourse.training.fit", *between]]
    inner = in_module("tfcourse.training.loop", "def run():\n    warn('said')\n")
    with pytest.warns(UserWarning, match="said") as record:
        calls[0](*calls[1:], inner["run"])
    assert record[0].filename == __file__


def test_a_warning_of_the_users_callback_is_of_its_line():
    callback = in_module("callbacks", "def run():\n    warn('said')\n")
    with pytest.warns(UserWarning, match="said") as record:
        in_module("tfcourse.training.fit", PASS_ON)["run"](callback["run"])
    assert record[0].filename == "/callbacks.py"
