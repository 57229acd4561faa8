"""A source file as a tree: its functions, classes, assignments and imports."""

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any

__all__ = ["Syntax", "canonical", "load_names", "outside", "parse"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Syntax:
    """The parts of a module's tree by name.

    Args:
        tree: The module.

    Attributes:
        classes: The classes by qualified name; several if a name is defined more than once.
        assignments: The statements at the module's top level that assign to a name, by name.
        imports: Module and name of each object that the top level imports with ``from``, by its
            name here; a relative module begins with a dot for each level.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.classes: dict[str, list[ast.AST]] = defaultdict(list)
        self.assignments: dict[str, list[ast.AST]] = defaultdict(list)
        self.imports: dict[str, tuple[str, str]] = {}
        self._functions: dict[tuple[str, int], list[ast.AST]] = defaultdict(list)
        self._add_definitions(tree, "")
        self._add_top_level(tree)

    def function(self, code: CodeType) -> ast.AST | None:
        """Return the function that was compiled to ``code``; None if there are several such."""
        nodes = self._functions.get((code.co_name, code.co_firstlineno), [])
        return nodes[0] if len(nodes) == 1 else None

    def _add_definitions(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            within = prefix
            if isinstance(child, ast.ClassDef):
                self.classes[prefix + child.name].append(child)
                within = f"{prefix}{child.name}."
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                line = min([child.lineno, *(each.lineno for each in child.decorator_list)])
                self._functions[child.name, line].append(child)
                within = f"{prefix}{child.name}.<locals>."
            elif isinstance(child, ast.Lambda):
                self._functions["<lambda>", child.lineno].append(child)
            self._add_definitions(child, within)

    def _add_top_level(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom):
                module = "." * child.level + (child.module or "")
                self.imports |= {a.asname or a.name: (module, a.name) for a in child.names}
            elif isinstance(child, ast.Assign | ast.AnnAssign | ast.AugAssign):
                for name in ast.walk(child):
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        self.assignments[name.id].append(child)
            elif not isinstance(child, _DEFINITIONS):
                self._add_top_level(child)


def parse(file: str, scope: Mapping[str, Any]) -> Syntax | None:
    """Return the syntax of a file or of a notebook's cell; None if there is no source."""
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file, dict(scope)))
    try:
        return Syntax(ast.parse(text)) if text else None
    except (SyntaxError, ValueError):
        return None


def canonical(node: object) -> str:
    """Return a text of a tree that comments, docstrings and formatting don't change.

    It is the same in all versions of Python that parse the source, unlike that of ``ast.dump``.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        rest = _without_docstring(value) if name == "body" else value
        if rest is not None and rest != [] and name not in ("kind", "type_comment"):
            parts.append(f"{name}={canonical(rest)}")
    return f"{type(node).__name__}({', '.join(parts)})"


def load_names(nodes: Iterable[ast.AST]) -> tuple[set[str], set[str]]:
    """Return the names and the attributes that expressions or statements read."""
    all_nodes = [child for node in nodes for child in ast.walk(node)]
    names = {n.id for n in all_nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return names, {n.attr for n in all_nodes if isinstance(n, ast.Attribute)}


def outside(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a definition that run outside of it, or in a class's own body."""
    if isinstance(node, ast.ClassDef):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [child for child in ast.iter_child_nodes(node) if not isinstance(child, functions)]
    arguments: Any = getattr(node, "args", None)
    defaults = [] if arguments is None else [*arguments.defaults, *arguments.kw_defaults]
    return [each for each in (*getattr(node, "decorator_list", []), *defaults) if each is not None]


def _without_docstring(body: object) -> object:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body
