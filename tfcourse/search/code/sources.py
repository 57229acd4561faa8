"""The functions, classes and constants that a function depends on, each as a hash of its source."""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from tfcourse.search.code.bytecode import bytecode_text, python_version, uses
from tfcourse.search.code.project import Project
from tfcourse.search.code.syntax import Syntax, canonical, load_names, parse

__all__ = ["sources_of"]

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))


def sources_of(given: Any, complete: bool) -> dict[str, str]:
    """Return hashes of all that ``given`` uses of its own project, by ``module:name``.

    A hash of source doesn't change with comments, docstrings and formatting. Where there is no
    source, it is one of bytecode, behind the version of Python and a colon. Installed packages are
    left out, and tfcourse.

    Args:
        given: A function, a class, an object, or a ``functools.partial`` of one.
        complete: Whether modules that are only imported within functions are imported for it.
    """
    first = given
    while isinstance(first, functools.partial):
        first = first.func
    module = getattr(first, "__module__", None) or "__main__"
    if first is None or module.partition(".")[0] == "tfcourse":
        return {}
    walk = _Walk(Project(module), complete)
    walk.visit(given)
    return dict(sorted(walk.hashes.items()))


class _Walk:
    """Goes from a function to all that it uses of the project."""

    def __init__(self, project: Project, complete: bool) -> None:
        self.project, self.complete = project, complete
        self.hashes: dict[str, str] = {}
        self._visited: set[Any] = set()
        self._objects: list[Any] = []  # so that no other gets the id of one that was visited
        self._files: dict[str, Syntax | None] = {}

    def visit(self, value: Any) -> None:
        """Adds a function, a class or an object, and what it uses."""
        if isinstance(value, (ModuleType, *_CONSTANTS)) or not self._is_new(id(value)):
            return
        self._objects.append(value)
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

    def _is_new(self, key: Any) -> bool:
        new = key not in self._visited
        self._visited.add(key)
        return new

    def _add(self, name: str, text: str, prefix: str = "") -> None:
        digest = prefix + hashlib.sha256(text.encode()).hexdigest()[:16]
        number, key = 1, name
        while self.hashes.get(key, digest) != digest:
            number += 1
            key = f"{name}#{number}"
        self.hashes[key] = digest

    def _add_code(self, name: str, node: ast.AST | None, code: CodeType) -> None:
        if node is None:
            self._add(name, bytecode_text(code), f"{python_version()}:")
        else:
            self._add(name, canonical(node))

    def _syntax(self, file: str | None, scope: Mapping[str, Any]) -> Syntax | None:
        if file is None:
            return None
        if file not in self._files:
            self._files[file] = parse(file, scope)
        return self._files[file]

    def _function(self, function: FunctionType, named: bool) -> None:
        """Adds what a function uses and, if it is to be ``named``, its own source."""
        code, scope = function.__code__, function.__globals__
        # A decorator may have given it another name and module than its own.
        module = scope.get("__name__", function.__module__)
        used, name = uses(code), f"{module}:{code.co_qualname}"
        own = self.project.has(module)
        for free, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.visit(value)
            if own and free not in used.stored and _is_constant(value):
                self._add(f"{name}.{free}", repr(value))
        self.visit(getattr(function, "__wrapped__", None))
        if not own:
            return
        syntax = self._syntax(code.co_filename, scope)
        node = None if syntax is None else syntax.function(code)
        if named:
            self._add_code(name, node, code)
        self._names(scope, used.names, used.attributes, used.stored_globals)
        if node is not None:
            self._names(scope, *load_names(_outside(node)))
            self._imports_within(node, scope, used.attributes)

    def _class(self, cls: type) -> None:
        if not self.project.has(cls.__module__):
            return
        methods = [m for value in vars(cls).values() if (m := _as_function(value)) is not None]
        module = self.project.load(cls.__module__)
        files = [m.__code__.co_filename for m in methods if m.__module__ == cls.__module__]
        scope = {} if module is None else vars(module)
        syntax = self._syntax(files[0] if files else scope.get("__file__"), scope)
        nodes = [] if syntax is None else syntax.classes.get(cls.__qualname__, [])
        if nodes:
            self._add(f"{cls.__module__}:{cls.__qualname__}", canonical(nodes))
            self._names(scope, *load_names(_outside(nodes[0])))
        for base in cls.__bases__:
            self.visit(base)
        for method in methods:
            if self._is_new(id(method)):
                self._objects.append(method)
                self._function(method, not nodes)
        for value in vars(cls).values():
            if isinstance(value, type):
                self.visit(value)

    def _object(self, value: Any) -> None:
        """Adds the class of an object, and its attributes that no method but __init__ sets."""
        for wrapped in ("__wrapped__", "python_function"):  # what tf.function makes of a function
            self.visit(vars(value).get(wrapped) if hasattr(value, "__dict__") else None)
            self.visit(getattr(value, "python_function", None))
        cls = type(value)
        if not self.project.has(cls.__module__):
            return
        self.visit(cls)
        changing = [uses(m.__code__) for n, v in vars(cls).items() if n != "__init__"
                    and (m := _as_function(v)) is not None]  # fmt: skip
        stored = {name for used in changing for name in used.stored}
        for name, attribute in getattr(value, "__dict__", {}).items():
            self.visit(attribute)
            if name not in stored and _is_constant(attribute):
                self._add(f"{cls.__module__}:{cls.__qualname__}.{name}", repr(attribute))

    def _names(
        self,
        scope: Mapping[str, Any],
        names: Iterable[str],
        attributes: Iterable[str],
        stored: Iterable[str] = (),
    ) -> None:
        for name in sorted({*names}):
            if name in scope:
                self._global(scope, name, frozenset(attributes), name not in stored)

    def _global(
        self, scope: Mapping[str, Any], name: str, attributes: frozenset[str], constant: bool
    ) -> None:
        value, module = scope[name], scope.get("__name__")
        is_module = isinstance(value, ModuleType)
        if not self._is_new((id(scope), name, attributes if is_module else None)):
            return
        if is_module:
            if self.project.has(value.__name__):
                self._names(vars(value), attributes, attributes)
            return
        self.visit(value)
        if not self.project.has(module):
            return
        syntax = self._syntax(scope.get("__file__"), scope)
        if syntax is not None and name in syntax.imports:
            self._imported(*syntax.imports[name], scope, attributes)
        elif syntax is not None and name in syntax.assignments:
            statements = syntax.assignments[name]
            self._add(f"{module}:{name}", canonical(statements))
            self._names(scope, *load_names(statements))
        elif syntax is None and constant and _is_constant(value):
            self._add(f"{module}:{name}", repr(value))

    def _imports_within(
        self, node: ast.AST, scope: Mapping[str, Any], attributes: Iterable[str]
    ) -> None:
        """Adds what a function imports when it is called."""
        for child in ast.walk(node):
            if isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    base = "." * child.level + (child.module or "")
                    self._imported(base, alias.name, scope, attributes)
            elif isinstance(child, ast.Import):
                for alias in child.names:
                    if (module := self._module(alias.name, scope)) is not None:
                        self._names(vars(module), attributes, attributes)

    def _imported(
        self, base: str, name: str, scope: Mapping[str, Any], attributes: Iterable[str]
    ) -> None:
        module = self._module(base, scope)
        if module is not None and name not in vars(module):  # a module of that package
            self._module(f"{module.__name__}.{name}", scope)
        if module is not None:
            self._names(vars(module), [name], attributes)

    def _module(self, name: str, scope: Mapping[str, Any]) -> ModuleType | None:
        try:
            whole = importlib.util.resolve_name(name, scope.get("__package__"))
        except ImportError:
            return None
        is_there = self.project.has(whole)
        return self.project.load(whole) if is_there or self.complete else None


def _outside(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a definition that run outside of it, or in a class's own body."""
    if isinstance(node, ast.ClassDef):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [child for child in ast.iter_child_nodes(node) if not isinstance(child, functions)]
    arguments: Any = getattr(node, "args", None)
    defaults = [] if arguments is None else [*arguments.defaults, *arguments.kw_defaults]
    return [each for each in (*getattr(node, "decorator_list", []), *defaults) if each is not None]


def _as_function(value: Any) -> FunctionType | None:
    """Return the function of a method, a property or a static or class method."""
    for name in ("__func__", "fget", "python_function"):
        value = getattr(value, name, value)
    return value if isinstance(value, FunctionType) else None


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, _CONSTANTS)
