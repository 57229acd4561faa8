"""The start of a command: wall time of whole processes, side by side."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tfcourse.bench.frame import Comparison, Contender, compare

__all__ = ["bench", "commands", "compare_commands"]

# Relative to the directory in which the bench is run.
CONFIG = Path("tuner_configs", "digits.toml")
# What a search shows of its progress when its first trial begins.
FIRST_TRIAL = re.compile(r": 0 of \d+ trials")


def bench(repeats: int = 5) -> list[Comparison]:
    """Time the start of the commands that need no TensorFlow, and of a search, beside Python's.

    Args:
        repeats: The number of rounds of processes.

    Raises:
        RuntimeError: A command failed; the message holds its exit code and stderr.
    """
    title = "start of a process, from launch to exit"
    further = []
    if CONFIG.is_file():
        name = f"tfcourse search {CONFIG.as_posix()}, to its first trial"
        further.append(Contender(name, partial(_run_to_first_trial, CONFIG), number=1))
    return [compare_commands(title, commands(), repeats, further=further)]


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
    title: str,
    commands: Mapping[str, Sequence[str]],
    repeats: int,
    baseline: str | None = None,
    further: Sequence[Contender] = (),
) -> Comparison:
    """Time whole runs of this Python with each command's arguments, one process per sample.

    Raises:
        RuntimeError: A command exited with another code than 0.
    """
    contenders = [
        Contender(name, _launcher(name, arguments), number=1)
        for name, arguments in commands.items()
    ]
    return compare(title, [*contenders, *further], baseline=baseline, repeats=repeats)


def _run_to_first_trial(config: Path) -> None:
    """Start a search of the config, and end it when it begins its first trial.

    Raises:
        RuntimeError: It ended before; the message holds its stderr.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tfcourse", "search", str(config), "--out", out]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        process = subprocess.Popen(command, **streams, stderr=subprocess.PIPE, text=True)
        lines = []
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                if FIRST_TRIAL.search(line):
                    process.kill()
                    return
                lines.append(line)
    raise RuntimeError(f"tfcourse search {config} began no trial. Its stderr:\n{''.join(lines)}")


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
