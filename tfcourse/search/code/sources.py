"""Hashes of the source of all functions, classes and constants that a function depends on."""

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Hashable, Iterable, Mapping, Set
from contextlib import suppress
from inspect import getattr_static, unwrap
from sysconfig import get_python_version
from types import FunctionType, MethodType, ModuleType
from typing import Any

from tfcourse.search.code.bytecode import (
    as_function,
    bytecode_text,
    changed_by_methods,
    uses,
)
from tfcourse.search.code.project import Project
from tfcourse.search.code.syntax import Syntax, canonical, imports, load_names, outside, parse

__all__ = ["sources_of"]

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))


def sources_of(source_object: object, complete: bool) -> dict[str, str]:
    """Return hashes of all that an object uses of its own project, by ``module:name``.

    A hash of source doesn't change with comments, docstrings and formatting. Without source it is
    a hash of bytecode, after the version of Python and a colon. Installed packages and tfcourse
    are left out; so is an object of Keras's, whose class and arguments are in the config.

    Args:
        source_object: A function, a class, an object, or a ``functools.partial`` of one.
        complete: True to import modules that are only imported within functions.
    """
    first = source_object
    while isinstance(first, functools.partial):
        first = first.func
    module = getattr(first, "__module__", None) or "__main__"
    if first is None or module.partition(".")[0] in ("tfcourse", "keras"):
        return {}
    walk = _Walk(Project(module), complete)
    walk.visit(source_object)
    walk.add_values()
    return dict(sorted(walk.hashes.items()))


class _Walk:
    """A walk from a function to all that it uses of the project."""

    def __init__(self, project: Project, complete: bool) -> None:
        self.project, self.complete = project, complete
        self.hashes: dict[str, str] = {}
        # By id, and so that no other object gets the id of a visited one.
        self._visited: dict[Hashable, object] = {}
        self._files: dict[str | None, Syntax | None] = {}
        # Constants of objects, closures and modules without source, as (name, key, text); and the
        # names of those that change while the code runs, such as counters.
        self._values: list[tuple[str, str, str]] = []
        self._changing: set[str] = set()

    def visit(self, value: object) -> None:
        """Add a function, a class or an object, and what it uses."""
        if isinstance(value, (ModuleType, *_CONSTANTS)) or not self._is_new(id(value), value):
            return
        match value:
            case functools.partial():
                for each in (value.func, *value.args, *value.keywords.values()):
                    self.visit(each)
            case MethodType():
                self.visit(value.__func__)
                self.visit(value.__self__)
            case FunctionType():
                self._function(value, True)
            case type():
                self._class(value)
            case _:
                self._object(value)

    def add_values(self) -> None:
        """Add the constants of `_add_value` that no visited code changes."""
        for name, key, text in self._values:
            if name not in self._changing:
                self._add(key, text)

    def _is_new(self, key: Hashable, value: object = None) -> bool:
        new = key not in self._visited
        self._visited.setdefault(key, value)
        return new

    def _add(self, name: str, text: str, prefix: str = "") -> None:
        digest = prefix + hashlib.sha256(text.encode()).hexdigest()[:16]
        number, key = 1, name
        while self.hashes.get(key, digest) != digest:
            number += 1
            key = f"{name}#{number}"
        self.hashes[key] = digest

    def _add_value(self, name: str, key: str, value: object) -> None:
        if _is_constant(value):
            self._values.append((name, key, repr(value)))

    def _syntax(self, file: str | None, scope: Mapping[str, Any]) -> Syntax | None:
        if file is not None and file not in self._files:
            self._files[file] = parse(file, scope)
        return self._files.get(file)

    def _function(self, function: FunctionType, add_source: bool) -> None:
        """Add what a function uses and, with ``add_source``, its own source."""
        code, scope = function.__code__, function.__globals__
        # A decorator may have changed its name and module.
        module = scope.get("__name__", function.__module__)
        is_own, name = self.project.has(module), f"{module}:{code.co_qualname}"
        for free, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.visit(value)
            if is_own:
                self._add_value(free, f"{name}.{free}", value)
        self.visit(getattr(function, "__wrapped__", None))
        if not is_own:
            return
        used, syntax = uses(code), self._syntax(code.co_filename, scope)
        self._changing |= used.stored | {f"global {each}" for each in used.stored_globals}
        node = None if syntax is None else syntax.function(code)
        if add_source and node is None:
            self._add(name, bytecode_text(code), f"{get_python_version()}:")
        elif add_source:
            self._add(name, canonical(node))
        self._names(scope, used.names, used.attributes)
        if node is not None:
            self._names(scope, *load_names(outside(node)))
            for _, base, imported in imports(node):
                self._import(base, imported, scope, used.attributes)

    def _class(self, cls: type) -> None:
        if not self.project.has(cls.__module__):
            return
        methods = [m for value in vars(cls).values() if (m := as_function(value)) is not None]
        module = self.project.load(cls.__module__)
        files = [m.__code__.co_filename for m in methods if m.__module__ == cls.__module__]
        scope = {} if module is None else vars(module)
        # The methods that a dataclass generates are in no file, or in a file of Python's.
        trees = [self._syntax(file, scope) for file in (*files, scope.get("__file__"))]
        classes = [each.classes.get(cls.__qualname__, []) for each in trees if each is not None]
        nodes = next(filter(None, classes), [])
        if nodes:
            self._add(f"{cls.__module__}:{cls.__qualname__}", canonical(nodes))
            self._names(scope, *load_names(outside(nodes[0])))
        for base in cls.__bases__:
            self.visit(base)
        for method in methods:
            code = getattr(unwrap(method), "__code__", method.__code__)
            generated = self._syntax(code.co_filename, scope) is None
            if not (nodes and generated) and self._is_new(id(method), method):
                self._function(method, not nodes)
        for value in vars(cls).values():  # after the methods: the order numbers equal names
            if isinstance(value, type):
                self.visit(value)

    def _object(self, value: Any) -> None:
        """Add the class of an object, and its attributes that only ``__init__`` sets."""
        cls, attributes = type(value), getattr(value, "__dict__", {})
        self.visit(attributes.get("__wrapped__"))
        # The result of tf.function has the function as a property. Other objects may have a
        # __getattr__ that returns another such object for every name.
        if getattr_static(cls, "python_function", None) is not None:
            self.visit(value.python_function)
        if not self.project.has(cls.__module__):
            return
        self.visit(cls)
        changing = changed_by_methods(cls)
        for name, attribute in attributes.items():
            self.visit(attribute)
            if name not in changing:
                self._add_value(name, f"{cls.__module__}:{cls.__qualname__}.{name}", attribute)

    def _names(self, scope: Mapping[str, Any], names: Set[str], attributes: Iterable[str]) -> None:
        """Add what code reads of the globals and, of modules among them, the attributes."""
        attributes = frozenset(attributes)
        for name in sorted(names & scope.keys()):
            value = scope[name]
            is_module = isinstance(value, ModuleType)
            if not self._is_new((id(scope), name, attributes if is_module else None)):
                continue
            if not is_module:
                self.visit(value)
                if self.project.has(scope.get("__name__")):
                    self._definition(scope, name, attributes)
            elif self.project.has(value.__name__):
                self._names(vars(value), attributes, attributes)

    def _definition(self, scope: Mapping[str, Any], name: str, attributes: frozenset[str]) -> None:
        """Add the statements that define a global, or without source its value."""
        key, syntax = f"{scope['__name__']}:{name}", self._syntax(scope.get("__file__"), scope)
        if syntax is None:
            self._add_value(f"global {name}", key, scope[name])
        elif name in syntax.imports:
            self._import(*syntax.imports[name], scope, attributes)
        elif name in syntax.assignments:
            statements = syntax.assignments[name]
            self._add(key, canonical(statements))
            self._names(scope, *load_names(statements))

    def _import(
        self, base: str, name: str | None, scope: Mapping[str, Any], attributes: Iterable[str]
    ) -> None:
        """Add a name of a module or, without one, the attributes of the module itself."""
        module = self._module(base, scope)
        if module is None:
            return
        if name is not None and name not in vars(module):  # a module of that package
            self._module(f"{module.__name__}.{name}", scope)
        names = frozenset(attributes if name is None else [name])
        self._names(vars(module), names, attributes)

    def _module(self, name: str, scope: Mapping[str, Any]) -> ModuleType | None:
        with suppress(ImportError):  # a relative import without a package
            full_name = importlib.util.resolve_name(name, scope.get("__package__"))
            if full_name in sys.modules or self.complete:
                return self.project.load(full_name)
        return None


def _is_constant(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, _CONSTANTS)
