"""Which changes of a project's code are seen, and which are none."""

import functools
import hashlib
import importlib
import subprocess
import sys
import textwrap

import pytest

from tfcourse.search.code.sources import sources_of

MODELS = """
    import math
    import pieces
    from pieces import UNITS, Block as Piece
    from library import wrap

    WIDTH = UNITS * 2
    COUNT = 0

    class Base:
        def call(self, x):
            return x

    class Net(Base):
        size = 3

        def call(self, x):
            return helper(x) + self.size

    def helper(x):
        return x + 1

    @wrap
    def wrapped(x):
        return x - 1

    def build(shape, classes, layers=1):
        '''Builds.'''
        global COUNT
        COUNT += 1
        from late import head
        return Net(), WIDTH, Piece(), pieces.other(), head(), wrapped(3), math.sqrt(4)

    def unrelated():
        return build(2, 2)

    answer = unrelated
"""
FILES = {
    "models": MODELS,
    "pieces": """
        UNITS = 4
        UNUSED = 5

        class Block:
            def call(self):
                return [deep(v) for v in range(3)]

        def deep(v):
            return v in {"a", "b"}

        def other():
            return UNITS
        """,
    "late": """
        def head():
            return 1
        """,
    "library": """
        import functools

        def wrap(function):
            @functools.wraps(function)
            def inner(*args):
                return function(*args)
            return inner
        """,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes the project with edits, a pair of texts by file, and gives its modules' hashes."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(given="build", complete=True, **edits):
        for name, text in FILES.items():
            sys.modules.pop(name, None)
            text = textwrap.dedent(text)
            for old, new in edits.get(name, {}).items():
                assert old in text
                text = text.replace(old, new)
            (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return sources_of(getattr(importlib.import_module("models"), given), complete)

    yield write
    for name in FILES:
        sys.modules.pop(name, None)


def test_all_that_a_builder_uses_is_in_it(project):
    assert [*project()] == [
        "late:head",
        "library:wrap",
        "library:wrap.<locals>.inner",
        "models:Base",
        "models:COUNT",
        "models:Net",
        "models:WIDTH",
        "models:build",
        "models:helper",
        "models:wrapped",
        "pieces:Block",
        "pieces:UNITS",
        "pieces:deep",
        "pieces:other",
    ]


CHANGES = {
    "builder": ("models", "math.sqrt(4)", "math.sqrt(9)", {"models:build"}),
    "default": ("models", "layers=1", "layers=2", {"models:build"}),
    "function": ("models", "x + 1", "x + 2", {"models:helper"}),
    "decorated function": ("models", "x - 1", "x - 2", {"models:wrapped"}),
    "decorator": (
        "library",
        "return function(*args)",
        "return function(*args) or 0",
        {"library:wrap", "library:wrap.<locals>.inner"},
    ),
    "attribute of a class": ("models", "size = 3", "size = 4", {"models:Net"}),
    "base class": ("models", "return x\n", "return -x\n", {"models:Base"}),
    "constant": ("models", "UNITS * 2", "UNITS * 3", {"models:WIDTH"}),
    "imported constant": ("pieces", "UNITS = 4", "UNITS = 8", {"pieces:UNITS"}),
    "imported class": ("pieces", "range(3)", "range(4)", {"pieces:Block"}),
    "what that uses": ("pieces", "v in {", "v not in {", {"pieces:deep"}),
    "function of a module": ("pieces", "return UNITS", "return -UNITS", {"pieces:other"}),
    "import within a function": ("late", "return 1", "return 2", {"late:head"}),
    "a new use": (
        "models",
        "return x + 1",
        "return unrelated",
        {"models:helper", "models:unrelated"},
    ),
}


@pytest.mark.parametrize(("file", "old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_and_named(project, file, old, new, expected):
    before, after = project(), project(**{file: {old: new}})
    assert {n for n in {*before, *after} if before.get(n) != after.get(n)} == expected


NO_CHANGES = {
    "comment": ("models", "return x + 1", "# one more\n    return x + 1  # more"),
    "docstring": ("models", "'''Builds.'''", "'''Builds a model.'''"),
    "a docstring less": ("models", "    '''Builds.'''\n", ""),
    "formatting": ("models", "helper(x) + self.size", "(helper(\n            x,\n) + self.size)"),
    "lines above": ("pieces", "UNUSED = 5", "\n\n\n\nUNUSED = 5"),
    "what it does not use": ("models", "return build(2, 2)", "return build(3, 3)"),
    "a constant that it does not use": ("pieces", "UNUSED = 5", "UNUSED = 6"),
}


@pytest.mark.parametrize(("file", "old", "new"), NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_changes_no_model_is_not_seen(project, file, old, new):
    assert project() == project(**{file: {old: new}})


def test_it_does_not_depend_on_what_was_imported_or_called_before(project):
    before = project()
    models = sys.modules["models"]
    models.COUNT = 17
    assert sources_of(models.build, True) == before
    sys.modules.pop("late")
    assert sources_of(models.build, True) == before
    sys.modules.pop("late")
    assert sources_of(models.build, False) == {k: v for k, v in before.items() if k != "late:head"}
    assert "late" not in sys.modules


def test_it_is_the_same_in_another_process(project, tmp_path):
    before = project()
    code = (
        "import models; from tfcourse.search.code.sources import sources_of; import sys;"
        "print(sources_of(models.build, True)); assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", code]
    environ = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert eval(done.stdout) == before


def functions(size, sizes=(8, 4), factor=2):
    """Builders that know ``size`` in different ways."""

    def closed(shape, classes):
        return shape, size

    def counting(shape, classes):
        nonlocal size
        size += 1
        return size

    class Hyper:
        def __init__(self):
            self.size, self.calls = size, 0

        def build(self, hp):
            self.calls += 1
            return self.size

    return {
        "closure": closed,
        "partial": functools.partial(closed, 3),
        "nested": functools.partial(lambda f, shape, classes: f(shape, classes), closed),
        "object": Hyper(),
        "method": Hyper().build,
        "counter": counting,
    }


@pytest.mark.parametrize("kind", ["closure", "partial", "nested", "object", "method"])
def test_values_that_an_object_holds(kind):
    assert sources_of(functions(3)[kind], True) == sources_of(functions(3)[kind], True)
    assert sources_of(functions(3)[kind], True) != sources_of(functions(4)[kind], True)


def test_a_counter_is_no_change():
    assert sources_of(functions(3)["counter"], True) == sources_of(functions(4)["counter"], True)
    hyper = functions(3)["object"]
    before = sources_of(hyper, True)
    hyper.build(None)
    assert sources_of(hyper, True) == before


class Counts:
    calls = 0

    def count(self):
        self.calls += 1


class Mutable(Counts):
    def __init__(self):
        self.calls, self.size, self.seen = 0, 3, 0

    def build(self, hp):
        self.count()
        return self.size


STATE = Mutable()


def counting_elsewhere(shape, classes):
    STATE.seen += 1
    return STATE.build(None)


def counting_in_a_helper():
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    def build(shape, classes):
        count()
        return calls

    return build


@pytest.mark.parametrize(
    "build", [counting_elsewhere, counting_in_a_helper()], ids=["object", "closure"]
)
def test_a_counter_of_another_function_or_of_a_base_class_is_no_change(build, monkeypatch):
    """The attribute beside it that only ``__init__`` sets still counts."""
    before = sources_of(build, True)
    build(None, None)
    assert sources_of(build, True) == before
    if build is counting_elsewhere:
        monkeypatch.setattr(STATE, "size", 4)
        assert sources_of(build, True) != before


def test_a_dataclass_without_methods_of_its_own(project):
    """Its defaults are part of its source; what is generated for it is not."""
    edits = {
        "class Base:": "from dataclasses import dataclass\n\n@dataclass(frozen=True)\nclass Size:\n"
        "    units: int = 3\n    name: str = 'a'\n\nclass Base:",
        "return Net()": "return Size(), Net()",
    }
    before = project(models=edits)
    after = project(models=edits | {"units: int = 3": "units: int = 4"})
    assert {n for n in {*before, *after} if before.get(n) != after.get(n)} == {"models:Size"}
    assert not [name for name in before if "__create_fn__" in name]


class Anything:
    """As an ``addict.Dict``: it has another of its kind for every name."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()


def test_an_object_that_has_every_attribute():
    made = Anything()

    def build(shape, classes):
        return made.units

    names = [name.rpartition(":")[2] for name in sources_of(build, True)]
    assert "Anything" in names


def test_a_function_of_tensorflow():
    import tensorflow as tf

    def other(x):
        return x

    assert set(sources_of(other, True)) <= set(sources_of(tf.function(other), True))


def test_a_function_without_source():
    def make(text, **values):
        scope = {"__name__": "__main__", **values}
        exec(compile(text, "<no file>", "exec"), scope)
        return sources_of(scope["build"], True)

    text = "def build(s, c):\n    return [s, K, {'a', 'b'}, lambda: c]"
    same = "\n\ndef build(s, c):\n  # more\n  return [s, K,\n {'a', 'b'}, lambda: c]"
    assert [*make(text, K=1)] == ["__main__:K", "__main__:build"]
    assert make(text, K=1) == make(same, K=1)
    assert make(text, K=1) != make(text, K=2)
    assert make(text, K=1) != make(text.replace("s, K", "K, s"), K=1)
    assert all(":" in digest for name, digest in make(text).items())


def test_lambdas():
    first, second = (lambda s, c: s), (lambda s, c: c)
    third = lambda s, c: s  # noqa: E731
    digest = [[*sources_of(f, True).values()] for f in (first, second, third)]
    assert digest[0] != digest[1]
    assert len(digest[2]) == 1


def test_tfcourse_and_installed_packages_are_left_out():
    from tfcourse.models.build import mlp

    assert sources_of(mlp, True) == {}
    assert sources_of(functools.partial(mlp, units=3), True) == {}
    assert sources_of(None, True) == {}

    def build(shape, classes):
        return mlp(shape, classes), pytest.raises, textwrap.dedent

    assert [*sources_of(build, True)] == [
        f"{__name__}:test_tfcourse_and_installed_packages_are_left_out.<locals>.build"
    ]


def test_objects_of_keras_are_left_out():
    """Some hundred modules have part in a loss; its class and arguments are in the config."""
    import keras

    for left_out in (keras.losses.huber, keras.losses.Huber, keras.losses.Huber(2.0)):
        assert sources_of(left_out, True) == {}

    class Own(keras.losses.Huber):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    assert sources_of(Own(2.0), True), "a positive control: a subclass is the user's code"


def test_a_global_of_the_same_name_and_a_class_within_hide_no_constant():
    """``__init__`` of a class in a function does count, as in the records of earlier versions."""

    hooks = []

    def set_size():
        global size
        size = 1

    class Hyper:
        def __init__(self, size):
            def later():
                self.seen = 2

            self.size, self.seen, self.width = size, 1, 3
            hooks.append(later)

        def build(self, hp):
            class Head:
                def __init__(self):
                    self.width = 5

            set_size()
            return self.size + self.seen + Head().width

    names = [name for name in sources_of(Hyper(3), True) if "Hyper." in name]
    assert [name.rpartition(".")[2] for name in names] == ["seen", "size"]
    assert sources_of(Hyper(3), True) != sources_of(Hyper(4), True)


def test_equal_names_are_numbered_in_the_order_of_earlier_versions():
    """Bases, methods, and then the classes within."""

    def times(n):
        def decorate(function):
            return lambda: function() * n

        return decorate

    class Net:
        class Inner:
            go = times(2)(lambda: 1)

        go = times(3)(lambda: 1)

    hashes = sources_of(Net, True)
    name = f"{__name__}:{times.__qualname__}.<locals>.decorate.<locals>.<lambda>.n"
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in ("3", "2")]
    assert [hashes[name], hashes[f"{name}#2"]] == digests
