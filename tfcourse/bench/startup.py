"""The start of a command: wall time of whole processes, side by side."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tfcourse.bench.frame import Comparison, Contender, compare

__all__ = ["bench", "commands", "compare_commands"]

# Relative to the directory in which the bench is run.
CONFIG = Path("tuner_configs", "digits.toml")


def bench(repeats: int = 5) -> list[Comparison]:
    """Time the start of the commands that need no TensorFlow, beside Python's and TensorFlow's.

    Args:
        repeats: The number of rounds of processes.

    Raises:
        RuntimeError: A command failed; the message holds its exit code and stderr.
    """
    title = "start of a process, from launch to exit"
    return [compare_commands(title, commands(), repeats)]


def commands() -> dict[str, list[str]]:
    """Return the interpreter's arguments by name, without ``check`` if its config is missing."""
    arguments = {"tfcourse --help": ["-m", "tfcourse", "--help"]}
    arguments["tfcourse --version"] = ["-m", "tfcourse", "--version"]
    if CONFIG.is_file():
        arguments[f"tfcourse check {CONFIG.as_posix()}"] = ["-m", "tfcourse", "check", str(CONFIG)]
    arguments["python -c 'pass'"] = ["-c", "pass"]
    arguments["python -c 'import tfcourse'"] = ["-c", "import tfcourse"]
    arguments["python -c 'import tensorflow'"] = ["-c", "import tensorflow"]
    return arguments


def compare_commands(
    title: str, commands: Mapping[str, Sequence[str]], repeats: int, baseline: str | None = None
) -> Comparison:
    """Time whole runs of this Python with each command's arguments, one process per sample.

    Raises:
        RuntimeError: A command exited with another code than 0.
    """
    contenders = [
        Contender(name, _launcher(name, arguments), number=1)
        for name, arguments in commands.items()
    ]
    return compare(title, contenders, baseline=baseline, repeats=repeats)


def _launcher(name: str, arguments: Sequence[str]) -> Callable[[], None]:
    command = [sys.executable, *arguments]

    def launch() -> None:
        process = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        if process.returncode != 0:
            raise RuntimeError(
                f"{name!r} exited with {process.returncode}, expected 0. Its stderr:\n"
                f"{process.stderr.strip() or '(empty)'}"
            )

    return launch
