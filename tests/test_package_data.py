"""A wheel has every file that the package reads, as a checkout does."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_file_that_is_no_module_is_package_data():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]
    files = (path for path in (ROOT / "tfcourse").rglob("*") if path.is_file())
    others = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert {"page.html", "style.css", "script.js"} <= {path.name for path in others}
    for path in others:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        wanted = [*patterns["*"], *patterns.get(package, ())]
        assert any(fnmatch(path.name, pattern) for pattern in wanted), path
