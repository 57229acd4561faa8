"""A source file as a tree: its functions, classes, assignments and imports."""

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any

__all__ = ["Syntax", "canonical", "imports", "load_names", "outside", "parse"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Syntax:
    """The parts of a module's tree by name.

    Args:
        tree: The module.

    Attributes:
        classes: The classes by qualified name; several if a name is defined more than once.
        assignments: The statements at the module's top level that assign to a name, by name.
        imports: Module and name of each object that the top level imports with ``from``, as in
            `imports`, by its name here.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.classes: dict[str, list[ast.AST]] = defaultdict(list)
        self.assignments: dict[str, list[ast.AST]] = defaultdict(list)
        self.imports: dict[str, tuple[str, str | None]] = {}
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
            elif isinstance(child, _FUNCTIONS):
                line = min([child.lineno, *(each.lineno for each in child.decorator_list)])
                self._functions[child.name, line].append(child)
                within = f"{prefix}{child.name}.<locals>."
            elif isinstance(child, ast.Lambda):
                self._functions["<lambda>", child.lineno].append(child)
            self._add_definitions(child, within)

    def _add_top_level(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom):
                self.imports |= {here: (module, name) for here, module, name in imports(child)}
            elif isinstance(child, ast.Assign | ast.AnnAssign | ast.AugAssign):
                for name in ast.walk(child):
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        self.assignments[name.id].append(child)
            elif not isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
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


def imports(node: ast.AST) -> Iterator[tuple[str, str, str | None]]:
    """Yield each import within a tree: its name here, the module, and the name in the module.

    A relative module begins with a dot for each level; the name is None for the module itself.
    """
    for child in ast.walk(node):
        if isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            yield from ((each.asname or each.name, module, each.name) for each in child.names)
        elif isinstance(child, ast.Import):
            yield from ((each.asname or each.name, each.name, None) for each in child.names)


def outside(node: Any) -> list[ast.AST]:
    """Return the parts of a definition that run outside of it, or in a class's own body."""
    if isinstance(node, ast.ClassDef):
        return [child for child in ast.iter_child_nodes(node) if not isinstance(child, _FUNCTIONS)]
    defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    return [*getattr(node, "decorator_list", []), *defaults]  # a lambda has no decorators


def _without_docstring(body: object) -> object:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body
