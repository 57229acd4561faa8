"""A wheel has every file that the package reads, as a checkout does."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built from a copy: setuptools writes beside the sources."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "out")
    for name in ("tfcourse", "examples", "tuner_configs"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_has_the_examples_and_the_configs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for folder, pattern in (
        ("examples", "*.py"),
        ("examples/zh", "*.md"),
        ("tuner_configs", "*.*"),
    ):
        files = {name.partition("/share/tfcourse/")[2] for name in names}
        paths = list((ROOT / folder).glob(pattern))
        assert paths
        for path in paths:
            assert f"{folder}/{path.name}" in files


def test_the_course_is_found_where_a_wheel_is_installed(wheel, tmp_path):
    """In a folder of its own, as pip installs it with --target."""
    target = tmp_path / "target"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    (data,) = target.glob("*.data")
    shutil.copytree(data / "data", target, dirs_exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "tfcourse", "course", "--json", "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'"script": "{target}/share/tfcourse/examples/1_2_random_not_grid.py"' in run.stdout
