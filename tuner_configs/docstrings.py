"""Short English texts in four classes, from packages that are installed anyway; no download.

A text is the opening of a docstring, up to its first section, in NumPy, SciPy, Keras or
scikit-learn: a real, small and noisy problem. The words that name a package are left out, and so is
a text of fewer than five words. Other versions of the packages have other texts, so that a run
directory belongs to the versions on record in its ``versions.json`` and can't be continued with
others.
"""

import ast
import importlib.util
import re
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The class numbers are the places in this table.
PACKAGES = {
    "numpy": ("lib", "linalg", "ma", "_core"),
    "scipy": ("signal", "optimize", "linalg"),
    "keras": ("src/layers", "src/ops", "src/losses", "src/metrics"),
    "sklearn": ("linear_model", "ensemble", "metrics", "preprocessing"),
}
BUCKETS = 2048
FEWEST_WORDS = 5
_NAMES = {"numpy", "np", "scipy", "keras", "tensorflow", "sklearn", "scikit", "learn", "ndarray"}
_SECTION = re.compile(r"^\s*(\.\.|>>>|```|[A-Z][\w ]*:$|[A-Z][\w ]*\n\s*-{3,})", re.MULTILINE)


@cache
def hashed_words() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return each text as its bag of hashed words, and the number of its package."""
    texts: dict[tuple[str, ...], int] = {}
    for label, (package, folders) in enumerate(PACKAGES.items()):
        for words in _texts(package, folders):
            texts.setdefault(words, label)  # the same text twice would be in train and test set
    x = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    for row, words in enumerate(texts):
        for word in words:
            x[row, zlib.crc32(word.encode()) % BUCKETS] += 1
    return np.log1p(x), np.array(list(texts.values()))


def _texts(package: str, folders: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the words of a package's texts, in the order of its files."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"the package {package} is not installed: pip install 'tfcourse[dev]'")
    root = Path(spec.origin).parent
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if "test" in path.name or "tests" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    opening = _SECTION.split(ast.get_docstring(node) or "")[0]
                    words = re.findall("[a-z]{2,}", opening.lower())
                    if len(words) >= FEWEST_WORDS:
                        yield tuple(word for word in words if word not in _NAMES)
