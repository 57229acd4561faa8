"""One script in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcourse.errors import encodable

__all__ = ["Finished", "run_script"]

# A script takes about a minute; one that takes longer than this hangs.
LONGEST = 1800.0
# The lines of an error output that are kept.
ERROR_LINES = 40


@dataclass(frozen=True)
class Finished:
    """The verdicts, pictures and outputs of a script whose process has ended.

    Attributes:
        seconds: Its duration.
        verdicts: What it recorded of each verdict.
        pictures: The pictures that it wrote.
        outputs: The output of each code cell, by the cell's number.
        error: The end of its error output if it failed; empty otherwise.
    """

    seconds: float
    verdicts: Sequence[Mapping[str, Any]]
    pictures: Sequence[Path]
    outputs: Mapping[int, str]
    error: str


def run_script(script: Path, folder: Path, quick: bool) -> Finished:
    """Run a script in a new process, its files in a folder.

    An interruption ends the process and those that it has started.

    Args:
        script: The script.
        folder: An existing folder for its output, its record and, in ``pictures``, its pictures.
        quick: True for its quick mode.
    """
    start = time.monotonic()
    with (folder / "output.txt").open("ab") as output, (folder / "errors.txt").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tfcourse.course.runner", str(script)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=folder,
            env=_environment(folder, quick), start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    entries = _entries(folder / "record.jsonl")
    return Finished(
        time.monotonic() - start,
        [entry for entry in entries if "claim" in entry],
        [Path(entry["picture"]) for entry in entries if "picture" in entry],
        _outputs((folder / "output.txt").read_bytes(), entries),
        _error(code, folder / "errors.txt"),
    )


def _environment(folder: Path, quick: bool) -> dict[str, str]:
    environ = {
        **os.environ,
        "TFCOURSE_QUICK": "1" if quick else "0",
        "TFCOURSE_EXAMPLES_OUT": str(folder / "pictures"),
        "TFCOURSE_COURSE_RECORD": str(folder / "record.jsonl"),
        "MPLBACKEND": "Agg",
        "PYTHONIOENCODING": "utf-8",
    }
    # The process starts in another folder, where a checkout that is not installed is not found.
    source = Path(__file__).resolve().parents[2]
    if (source / "pyproject.toml").exists():
        paths = [str(source), os.environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environ


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the processes of a session that still run."""
    if sys.platform != "win32":
        # All have ended; macOS then says that it is not permitted.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _entries(record: Path) -> list[dict[str, Any]]:
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    entries = []
    for line in lines:
        with suppress(json.JSONDecodeError):  # the last line of a process that was killed
            entries.append(json.loads(line))
    return entries


def _outputs(output: bytes, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the part of the output that each code cell wrote."""
    outputs, start = {}, 0
    for entry in entries:
        if "cell" in entry:
            outputs[entry["cell"]] = output[start : entry["length"]].decode("utf-8", "replace")
            start = entry["length"]
    return {cell: text for cell, text in outputs.items() if text}


def _error(code: int | None, errors: Path) -> str:
    """Return the reason why a process failed; empty for one that did not."""
    if code == 0:
        return ""
    if code is None:
        return f"It took longer than {LONGEST / 60:.0f} minutes."
    text = encodable(errors.read_text(encoding="utf-8", errors="replace"))
    lines = text.rstrip().splitlines()[-ERROR_LINES:]
    return "\n".join(lines) or f"Its process ended with status {code}."
