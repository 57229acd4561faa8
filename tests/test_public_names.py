"""What ``import tfcourse`` offers: every name resolves, is documented, and costs nothing unused."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tfcourse

ROOT = Path(__file__).parent.parent


def documented_arguments(value):
    """The names of a function's or class's own arguments, in its signature."""
    parameters = inspect.signature(value).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.kind not in variadic]


ROOMS = [
    "babysit",
    "course",
    "formulas",
    "layers",
    "models",
    "optimizers",
    "search",
    "sklearn",
    "strategy",
    "training",
]
TOP = [name for name in tfcourse.__all__ if name not in ROOMS]
NAMES = [("tfcourse", name) for name in TOP] + [
    (f"tfcourse.{room}", name) for room in ROOMS for name in getattr(tfcourse, room).__all__
]
# Not functions or classes: a type's alias, a dictionary, and a bool.
VALUES = {"Moments", "QUICK", "SCALES"}
OBJECTS = [(room, name) for room, name in NAMES if name not in VALUES]


@pytest.mark.parametrize(("room", "name"), OBJECTS)
def test_a_public_name(room, name):
    value = getattr(importlib.import_module(room), name)
    assert value.__name__ == name
    assert inspect.getmodule(value).__name__.startswith("tfcourse.")
    assert value.__doc__ and value.__doc__.strip()
    # Its own docstring, not the one of a base class.
    assert value.__doc__ not in [base.__doc__ for base in getattr(value, "__mro__", [])[1:]]


# A formula's docstring has the symbols of its equation.
DOCUMENTED = [
    (room, name)
    for room, name in OBJECTS
    if room != "tfcourse.formulas" and not name.endswith("Error")
]


@pytest.mark.parametrize(("room", "name"), DOCUMENTED)
def test_its_docstring_names_every_argument(room, name):
    value = getattr(importlib.import_module(room), name)
    missing = [
        argument
        for argument in documented_arguments(value)
        if not re.search(rf"\b{argument}\b", inspect.getdoc(value))
    ]
    assert missing == []


@pytest.mark.parametrize("room", ["tfcourse", *(f"tfcourse.{room}" for room in ROOMS)])
def test_dir_lists_the_names_and_each_is_there(room):
    module = importlib.import_module(room)
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_the_rooms_are_listed_at_the_top():
    assert {*ROOMS} <= {*dir(tfcourse)}


def test_a_name_at_the_top_is_the_one_of_its_room():
    """But for the errors of all rooms, and the toy."""
    alone = {"InputError", "WorkFailedError", "DivergedError", "minimize_quadratic"}
    alone |= {"results"}  # in its room it would hide the package of this name
    for name in {*TOP} - alone:
        rooms = [getattr(tfcourse, room) for room in ROOMS]
        (value,) = [getattr(room, name) for room in rooms if name in room.__all__]
        assert getattr(tfcourse, name) is value


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("layers", "Dropout"),
        ("search", "SearchResult"),
        ("search", "TrialRecord"),
        ("training", "MemberResult"),
        ("training", "Population"),
    ],
)
def test_what_an_annotation_of_the_users_needs(room, name):
    assert inspect.isclass(getattr(getattr(tfcourse, room), name))


@pytest.mark.parametrize(
    ("room", "name", "module"),
    [("training", "fit", "fit"), ("models", "swap", "swap"), ("formulas", "softmax", "softmax")],
)
def test_a_function_is_not_hidden_by_its_module_of_the_same_name(room, name, module):
    importlib.import_module(f"tfcourse.{room}.{module}")
    assert inspect.isfunction(getattr(getattr(tfcourse, room), name))


def test_type_checkers_see_the_names(tmp_path):
    """With the classes' own signatures, without importing anything.

    Other packages count as untyped: mypy would read some 2600 modules of theirs.
    """
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n"
        "no_site_packages = true\n"
        "ignore_missing_imports = true\n"
        "follow_imports = silent\n"
        "incremental = false\n"
    )
    (tmp_path / "user.py").write_text(
        "import tfcourse\n"
        "from tfcourse.training import Member\n"
        "layer = tfcourse.layers.Dropout(rate=0.5)\n"
        "reveal_type(Member(1).seed)\n"
        "tfcourse.layers.Dropuot\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    lines = [line.split(": ", 1)[1] for line in run.stdout.splitlines()[:-1]]
    assert lines == [
        'note: Revealed type is "int"',
        'error: Module has no attribute "Dropuot"; maybe "Dropout"?  [attr-defined]',
    ]


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'tfcourse' has no attribute 'Adamm'"):
        tfcourse.Adamm  # noqa: B018


def test_the_version_is_the_packages():
    assert tfcourse.__version__ == version("tfcourse")


MODULES = [m.name for m in pkgutil.walk_packages(tfcourse.__path__, "tfcourse.")]


@pytest.mark.parametrize("name", [n for n in MODULES if n != "tfcourse.__main__"])
def test_every_name_that_a_module_lists_is_there(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for listed in getattr(module, "__all__", []):
        assert hasattr(module, listed)


def test_importing_the_package_imports_next_to_nothing():
    heavy = ["tensorflow", "keras", "keras_tuner", "numpy", "pydantic", "rich", "typer"]
    rooms = ", ".join(f"tfcourse.{room}" for room in ROOMS)
    code = f"import sys, {rooms}; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
