"""How long a command takes to start: wall time of whole processes, side by side."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tfcourse.bench.frame import Comparison, Contender, compare

__all__ = ["bench", "commands", "compare_commands"]

# Relative to the directory in which the bench is run.
CONFIG = Path("tuner_configs", "digits.toml")


def bench(repeats: int = 5) -> list[Comparison]:
    """Times the start of the commands that need no TensorFlow, beside Python's and its own.

    Args:
        repeats: How many rounds of processes.

    Raises:
        RuntimeError: A command failed; the message holds its exit code and stderr.
    """
    title = "start of a process, from launch to exit"
    return [compare_commands(title, commands(), repeats)]


def commands() -> dict[str, list[str]]:
    """Name → arguments of the interpreter. ``check`` takes part where its config exists."""
    listed = {"tfcourse --help": ["-m", "tfcourse", "--help"]}
    listed["tfcourse --version"] = ["-m", "tfcourse", "--version"]
    if CONFIG.is_file():
        listed[f"tfcourse check {CONFIG.as_posix()}"] = ["-m", "tfcourse", "check", str(CONFIG)]
    listed["python -c 'pass'"] = ["-c", "pass"]
    listed["python -c 'import tfcourse'"] = ["-c", "import tfcourse"]
    listed["python -c 'import tensorflow'"] = ["-c", "import tensorflow"]
    return listed


def compare_commands(
    title: str, commands: Mapping[str, Sequence[str]], repeats: int, baseline: str | None = None
) -> Comparison:
    """Times whole runs of this Python with each command's arguments; one process a sample.

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
        finished = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        if finished.returncode != 0:
            raise RuntimeError(
                f"{name!r} exited with {finished.returncode}, expected 0. Its stderr:\n"
                f"{finished.stderr.strip() or '(empty)'}"
            )

    return launch
