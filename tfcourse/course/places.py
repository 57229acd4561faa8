"""The project's examples and configs, in a checkout and in an installed package."""

import sysconfig
from functools import cache
from pathlib import Path

from tfcourse.errors import InputError

__all__ = ["project_file", "root"]

# A wheel has the folders of the examples and configs as data files; see pyproject.toml.
DATA = Path("share", "tfcourse")


@cache
def root() -> Path:
    """Return the folder that has ``examples`` and ``tuner_configs``.

    Raises:
        InputError: Neither this checkout nor this installation has them.
    """
    package = Path(__file__).resolve().parent.parent
    checkout, installed = package.parent, Path(sysconfig.get_path("data")) / DATA
    user = Path(sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))) / DATA
    # pip install --target puts the data files beside the package.
    for folder in (checkout, checkout / DATA, installed, user):
        if (folder / "examples").is_dir() and (folder / "tuner_configs").is_dir():
            return folder
    raise InputError(
        f"The examples are neither in {checkout} nor in {installed}. Install tfcourse from a "
        "wheel, or run it in a checkout."
    )


def project_file(name: str) -> Path:
    """Return the path of a file of the project.

    Args:
        name: Its path in a checkout, such as ``"tuner_configs/digits.toml"``.

    Raises:
        InputError: It does not exist.
    """
    path = root() / name
    if not path.exists():
        raise InputError(f"{name} must be a file or folder in {root()}. It does not exist.")
    return path
