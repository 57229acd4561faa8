"""Count what makes a package hard to read: vague types, vague names, docstrings that ask.

``python -m tests.prose [path ...]`` lists every place in the files or folders (``tfcourse`` and
``README.md`` by default) and then the counts.
"""

import ast
import io
import re
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEFAULT = (ROOT / "tfcourse", ROOT / "README.md")

# A docstring says what the function does ("Return ...") or what the object is ("A trial's ...").
QUESTION = re.compile(r"(What|Whether|How|Where|Which|When|If|Who|Why)\b")

BANNED = re.compile(
    r"\b(mend(s|ed|ing)?|anew|goes\s+on|so\s+many|it\s+be\s+again|of\s+its\s+own\s+accord"
    r"|in\s+one\s+go|hand(s|ed|ing)?\s+(over|out)|(is|are)\s+(told|asked))\b",
    re.IGNORECASE,
)

# A participle alone does not say of what. ("hidden" is a term of the field: hidden layers; and
# "frozen" one of Keras's and of dataclasses.)
PARTICIPLES = re.compile(
    r"(asked|begun|borne|bought|bound|broken|brought|caught|chosen|done|drawn|driven|eaten"
    r"|fallen|fed|felt|forgotten|found|given|gone|grown|heard|held|kept|known|led|left|lost"
    r"|made|meant|met|paid|proven|ridden|risen|said|seen|sent|shaken|shown|sold|spent|spoken"
    r"|stolen|stood|taken|thought|thrown|told|torn|understood|woken|won|worn|written)"
)


@dataclass
class Counts:
    """The places found, each as "file:line: text", and what they are a share of."""

    parameters: int = 0
    identifiers: int = 0
    docstrings: int = 0
    any_parameters: list[str] = field(default_factory=list)
    participles: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    banned: list[str] = field(default_factory=list)

    @property
    def any_percent(self):
        return 100 * len(self.any_parameters) / max(1, self.parameters)

    @property
    def participles_per_thousand(self):
        return 1000 * len(self.participles) / max(1, self.identifiers)

    @property
    def questions_percent(self):
        return 100 * len(self.questions) / max(1, self.docstrings)

    def summary(self):
        return "\n".join(
            [
                f"parameters typed Any: {len(self.any_parameters)} of {self.parameters}"
                f" ({self.any_percent:.1f} %)",
                f"identifiers that are a participle: {len(self.participles)} of"
                f" {self.identifiers} ({self.participles_per_thousand:.1f} per 1000)",
                f"docstrings that begin with a question: {len(self.questions)} of"
                f" {self.docstrings} ({self.questions_percent:.1f} %)",
                f"banned words: {len(self.banned)}",
            ]
        )


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parameters(function):
    """A function's parameters without the first one of a method."""
    a = function.args
    named = [*a.posonlyargs, *a.args]
    if named and named[0].arg in ("self", "cls"):
        named = named[1:]
    return [*named, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x is not None)]


def is_bare_any(annotation):
    """``Any`` itself, also where None or other types stand beside it: ``Any | None`` is Any."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return is_bare_any(annotation.left) or is_bare_any(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id == "Any"


def names(node):
    """The identifiers that a node of a syntax tree introduces."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.arg) and node.arg not in ("self", "cls"):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def count_syntax(node, counts, place):
    """Count one node of a file's syntax tree."""
    if isinstance(node, FUNCTIONS):
        for parameter in parameters(node):
            counts.parameters += 1
            if is_bare_any(parameter.annotation):
                counts.any_parameters.append(f"{place(parameter)}: {node.name}({parameter.arg})")
    for name in names(node):
        counts.identifiers += 1
        if PARTICIPLES.fullmatch(name.strip("_").lower()):
            counts.participles.append(f"{place(node)}: {name}")
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Module)):
        docstring = ast.get_docstring(node)
        if docstring is not None:
            counts.docstrings += 1
            if QUESTION.match(docstring):
                first = docstring.splitlines()[0]
                counts.questions.append(f"{place(node.body[0])}: {first}")


def count_words(text, counts, path, line=1):
    """Count the banned words of a text that starts at a line of a file."""
    for match in BANNED.finditer(text):
        number = line + text.count("\n", 0, match.start())
        counts.banned.append(f"{path}:{number}: {' '.join(match.group().split())}")


def count_file(path, counts):
    """Count one file: Python by its syntax, comments and strings; another by its words."""
    text = path.read_text(encoding="utf-8")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    if path.suffix != ".py":
        count_words(text, counts, shown)
        return
    for node in ast.walk(ast.parse(text)):
        count_syntax(node, counts, lambda at: f"{shown}:{getattr(at, 'lineno', 1)}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            count_words(node.value, counts, shown, node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            count_words(token.string, counts, shown, token.start[0])


def count(paths=DEFAULT):
    """Count all Python files of folders, and single files."""
    counts = Counts()
    for path in map(Path, paths):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            count_file(file.resolve(), counts)
    return counts


def main(paths):
    counts = count(paths or DEFAULT)
    for name in ("any_parameters", "participles", "questions", "banned"):
        print(f"{name}:")
        for place in getattr(counts, name):
            print(f"  {place}")
    print(counts.summary())


if __name__ == "__main__":
    main(sys.argv[1:])
