"""The state of an installation, as text to paste and as JSON."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfcourse.backend import check_backend
from tfcourse.doctor.packages import Package, required_packages
from tfcourse.doctor.tensorflow import probe_tensorflow
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.runtime.resources import cores, gpus

__all__ = ["Checkup", "examine"]

# The beginnings of the environment variables that change what TensorFlow, Keras or a search does.
# Not all with TF_: Terraform's have that too, with secrets.
VARIABLES = (
    *("TF_CPP_", "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_ENABLE_", "TF_FORCE_", "TF_GPU_", "TF_NUM_"),
    *("TF_USE_", "TF_XLA_", "KERAS_", "TFCOURSE_", "CUDA_", "XLA_", "OMP_", "RAY_ADDRESS"),
)
SECRETS = ("TOKEN", "KEY", "PASSWORD", "SECRET")
UNSUPPORTED = (
    "Nothing was tested on Windows.",
    "There are no time limits for the code of a config before its first trial.",
    "Commands can't be typed into tfcourse babysit: use tfcourse nudge.",
    "What a worker has started may outlive it.",
)
WIDTH = 13


@dataclass(frozen=True)
class Checkup:
    """The state of an installation.

    Attributes:
        tensorflow: The result of `probe_tensorflow`; empty if it failed.
        gpus: The GPUs that the driver lists.
        packages: The packages, by extra; those that are always needed under ``""``.
        environment: The environment variables that change what tfcourse does, without secrets.
        unsupported: Sentences on what this system lacks.
        problems: Sentences on what must be corrected, each with its remedy.
    """

    tensorflow: Mapping[str, Any]
    gpus: Sequence[str]
    packages: Mapping[str, Sequence[Package]]
    environment: Mapping[str, str]
    unsupported: Sequence[str] = ()
    problems: Sequence[str] = field(default=())

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text."""
        for label, text in self._rows():
            yield f"{label:<{WIDTH}}{text}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "tfcourse", f"{version('tfcourse')} in {_place(Path(__file__).parents[1])}"
        yield "Python", f"{platform.python_version()} in {_place(Path(sys.executable))}"
        yield "system", _system()
        yield "cores", f"{cores()} for this process, of {os.cpu_count()}"
        yield from _tensorflow_rows(self.tensorflow)
        for extra, packages in self.packages.items():
            yield f"[{extra}]" if extra else "packages", ", ".join(map(str, packages))
        for name, value in self.environment.items():
            yield "environment", f"{name}={value}"
        yield from (("unsupported", text) for text in self.unsupported)
        yield from (("problem", text) for text in self.problems or ("none",))

    def as_json(self) -> dict[str, object]:
        """Return what the text says as the entries of an object."""
        extras = {name: [asdict(p) for p in group] for name, group in self.packages.items()}
        return {
            "tfcourse": version("tfcourse"),
            "python": platform.python_version(),
            "system": _system(),
            "cores": cores(),
            "tensorflow": self.tensorflow or None,
            "gpus": self.gpus,
            "packages": extras.pop("", []),
            "extras": extras,
            "environment": self.environment,
            "unsupported": self.unsupported,
            "problems": self.problems,
        }


def examine() -> Checkup:
    """Look at the installation; TensorFlow is imported in a process of its own."""
    packages, visible = required_packages(), gpus({})
    problems = [*_package_problems(packages)]
    facts: Mapping[str, Any] = {}
    try:
        check_backend()
        facts = probe_tensorflow()
    except (InputError, WorkFailedError) as error:
        problems.append(str(error))
    names = [device["name"] for device in facts.get("devices", ())]
    if facts and visible and gpus(os.environ) and not any("GPU" in name for name in names):
        problems.append(
            f"The driver lists {len(visible)} GPUs, of which TensorFlow can use none. "
            "Install CUDA's libraries: pip install 'tensorflow[and-cuda]'."
        )
    unsupported = UNSUPPORTED if sys.platform == "win32" else ()
    return Checkup(facts, visible, packages, _environment(os.environ), unsupported, problems)


def _package_problems(packages: Mapping[str, Sequence[Package]]) -> Iterator[str]:
    """Yield a sentence for each package that is missing, unless it is an extra's, or too old."""
    for extra, group in packages.items():
        for package in group:
            if not package.is_supported and (package.version is not None or not extra):
                requirement = package.name + package.bounds
                reason = "is not supported" if package.version else "but required"
                yield f"{package} {reason}: pip install '{requirement}'."


def _tensorflow_rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not facts:
        return
    build = "without CUDA"
    if facts["cuda"]:
        build = f"made for CUDA {facts['cuda']} and cuDNN {facts['cudnn']}"
    yield "TensorFlow", f"{facts['tensorflow']}, {build}"
    settings = (f"backend {facts['backend']}", facts["floatx"], facts["image_data_format"])
    yield "Keras", ", ".join((facts["keras"], *settings))
    names = [f"{d['name']} {d['model'] or ''}".strip() for d in facts["devices"]]
    yield "devices", ", ".join(names)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that matter, sorted, secrets as ``(set)``."""
    return {
        name: "(set)" if any(word in name for word in SECRETS) else value
        for name, value in sorted(environ.items())
        if name.startswith(VARIABLES)
    }


def _system() -> str:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    libc = " ".join(platform.libc_ver()).strip()
    return f"{system}, {libc}" if libc else system


def _place(path: Path) -> str:
    """Return a path with ``~`` for the home directory, which has a person's name."""
    with_home = path.absolute()
    if with_home.is_relative_to(Path.home()):
        return str(Path("~", with_home.relative_to(Path.home())))
    return str(with_home)
