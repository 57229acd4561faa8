"""What ``import tfcourse`` offers: every name resolves, is documented, and costs nothing unused."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

import tfcourse


def documented_arguments(value):
    """The names of a function's or class's own arguments, in its signature."""
    parameters = inspect.signature(value).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.kind not in variadic]


@pytest.mark.parametrize("name", tfcourse.__all__)
def test_a_public_name(name):
    value = getattr(tfcourse, name)
    assert value.__name__ == name
    assert inspect.getmodule(value).__name__.startswith("tfcourse.")
    assert value.__doc__ and value.__doc__.strip()
    # Its own docstring, not the one of a base class.
    assert value.__doc__ not in [base.__doc__ for base in getattr(value, "__mro__", [])[1:]]


@pytest.mark.parametrize(
    "name",
    [n for n in tfcourse.__all__ if not n.endswith("Error")],
)
def test_its_docstring_names_every_argument(name):
    value = getattr(tfcourse, name)
    missing = [
        argument
        for argument in documented_arguments(value)
        if not re.search(rf"\b{argument}\b", inspect.getdoc(value))
    ]
    assert missing == []


def test_the_three_lists_of_names_are_one():
    """``__all__``, the table that loads them, and the imports that type checkers read."""
    assert sorted(tfcourse.__all__) == sorted(tfcourse._MODULES)
    assert len(set(tfcourse.__all__)) == len(tfcourse.__all__)
    tree = ast.parse(inspect.getsource(tfcourse))
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert checked == tfcourse._MODULES
    assert {*tfcourse.__all__} <= {*dir(tfcourse)}


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
    code = f"import sys, tfcourse; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
