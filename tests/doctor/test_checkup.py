"""The state of an installation: what it lists, what it calls a problem, and what it hides."""

import json
import os
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from tfcourse.cli import app
from tfcourse.doctor import checkup
from tfcourse.doctor.packages import Package, required_packages
from tfcourse.doctor.tensorflow import PROBE, probe_tensorflow
from tfcourse.errors import WorkFailedError

FOUND = {
    "tensorflow": "2.21.0", "cuda": None, "cudnn": None, "keras": "3.15.1",
    "backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last",
    "devices": [{"name": "CPU:0", "model": None}, {"name": "GPU:0", "model": "H1"}],
}  # fmt: skip
CPU = {**FOUND, "devices": FOUND["devices"][:1]}


@pytest.fixture
def machine(monkeypatch):
    """A machine that is as a test says, and its command."""

    def arrange(found=FOUND, packages=(), gpus=(), extra="", **environment):
        for name in os.environ:
            if name.startswith(checkup.VARIABLES):
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(checkup, "probe_tensorflow", lambda: found)
        monkeypatch.setattr(checkup, "required_packages", lambda: {extra: packages})
        seen = lambda environ: [] if environ.get("CUDA_VISIBLE_DEVICES") == "" else list(gpus)  # noqa: E731
        monkeypatch.setattr(checkup, "gpus", seen)
        return lambda *options: CliRunner().invoke(app, ["doctor", *options])

    return arrange


def test_the_text(machine):
    command = machine(packages=[Package("numpy", ">=1", "2.0"), Package("rich", ">=1", "14.1")])
    result = command()
    assert result.exit_code == 0
    rows = [line.split(None, 1) for line in result.stdout.splitlines()]
    assert [label for label, _ in rows] == [
        *("tfcourse", "Python", "system", "cores", "TensorFlow", "Keras", "devices", "packages"),
        "problem",
    ]
    texts = dict(rows)
    assert texts["TensorFlow"] == "2.21.0, without CUDA"
    assert texts["Keras"] == "3.15.1, backend tensorflow, float32, channels_last"
    assert texts["devices"] == "CPU:0, GPU:0 H1"
    assert texts["packages"] == "numpy 2.0, rich 14.1"
    assert texts["problem"] == "none"


@pytest.mark.parametrize(
    ("package", "extra", "problem"),
    [
        (Package("a", ">=2", "1.9"), "", "a 1.9 is not supported: pip install 'a>=2'."),
        (Package("a", ">=2", None), "", "a missing but required: pip install 'a>=2'."),
        (Package("a", ">=2", "1.9"), "data", "a 1.9 is not supported: pip install 'a>=2'."),
        (Package("a", ">=2", None), "data", None),
        (Package("a", ">=2", "2.1.0rc1"), "", None),
    ],
)
def test_a_package(machine, package, extra, problem):
    result = machine(packages=[package], extra=extra)("--json")
    entry = json.loads(result.stdout)
    assert entry["problems"] == ([problem] if problem else [])
    assert result.exit_code == bool(problem)
    (listed,) = entry["extras"][extra] if extra else entry["packages"]
    assert listed == {"name": "a", "bounds": ">=2", "version": package.version}


def test_gpus_that_tensorflow_cannot_use(machine):
    assert machine(FOUND, gpus=["0"])().exit_code == 0
    assert machine(CPU, gpus=["0"], CUDA_VISIBLE_DEVICES="")().exit_code == 0
    result = machine(CPU, gpus=["0", "1"])()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].split(None, 1)[1] == (
        "The driver lists 2 GPUs, of which TensorFlow can use none. Install CUDA's libraries: "
        "pip install 'tensorflow[and-cuda]'."
    )


def test_another_backend(machine, monkeypatch):
    def refuse():
        raise checkup.InputError("Keras's backend is 'jax'.")

    command = machine()
    monkeypatch.setattr(checkup, "check_backend", refuse)
    entry = json.loads(command("--json").stdout)
    assert (entry["tensorflow"], entry["problems"]) == (None, ["Keras's backend is 'jax'."])


def test_secrets_and_other_programs_variables_are_hidden(machine):
    command = machine(TFCOURSE_TOKEN="abc", TF_VAR_password="abc", KERAS_HOME="there")
    result = command()
    assert "abc" not in result.stdout
    lines = [line.split()[1] for line in result.stdout.splitlines() if "environment" in line]
    assert lines == ["KERAS_HOME=there", "TFCOURSE_TOKEN=(set)"]


def test_a_persons_name_is_hidden(machine, monkeypatch):
    command = machine()
    monkeypatch.setattr(checkup.Path, "home", lambda: Path(sys.executable).parent.parent)
    assert f"in ~/bin/{Path(sys.executable).name}\n" in command().stdout


def test_windows(machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "unsupported  Nothing was tested on Windows." in machine()().stdout.splitlines()


def test_the_packages_of_the_metadata():
    """Against packaging's own evaluation of each marker."""
    texts = [
        "tensorflow>=2.21",
        'colorama>=9; sys_platform == "win32"',
        'rich; python_version >= "3.11"',
        'scikit-learn>=1.6; extra == "data"',
        'tfcourse[data]; extra == "all"',
        'pytest; extra == "dev"',
    ]
    groups = required_packages(texts, ["data", "all", "dev"])
    names = {extra: [package.name for package in group] for extra, group in groups.items()}
    windows = ["colorama"] * Requirement(texts[1]).marker.evaluate()
    assert names == {"": ["tensorflow", *windows, "rich"], "data": ["scikit-learn"]}
    assert groups[""][0].is_supported


def test_the_process_finds_what_this_one_finds(tmp_path, monkeypatch):
    import keras
    import tensorflow as tf

    (tmp_path / "json.py").write_text("raise SystemExit('another json')")
    monkeypatch.chdir(tmp_path)
    found = probe_tensorflow()
    assert (found["tensorflow"], found["keras"]) == (tf.__version__, keras.__version__)
    devices = [f"/physical_device:{device['name']}" for device in found["devices"]]
    assert devices == [device.name for device in tf.config.list_physical_devices()]
    assert PROBE.is_file()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('no library')", "ImportError: no library."),
        ("import os; os.abort()", "the process ended by SIGABRT."),
        ("import os; os.write(2, b'a warning'); os.abort()", "the process ended by SIGABRT."),
        ("import sys; sys.exit(3)", "the process ended with exit status 3."),
        ("pass", "the process ended with exit status 0."),
        ("import time; time.sleep(60)", "that did not end in 1 s."),
    ],
)
def test_a_tensorflow_that_fails(code, reason, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(code)
    with pytest.raises(WorkFailedError) as error:
        probe_tensorflow(program, timeout=1.0 if "sleep" in code else 60.0)
    assert str(error.value) == f"TensorFlow and Keras can't be imported: {reason}"
