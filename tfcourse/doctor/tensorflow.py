"""The versions and devices that TensorFlow finds, from a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfcourse.errors import WorkFailedError, encodable
from tfcourse.search.runtime.process import how_it_ended

__all__ = ["PROBE", "probe_tensorflow"]

PROBE = Path(__file__).with_name("probe.py")
LONGEST = 300.0


def probe_tensorflow(program: Path = PROBE, timeout: float = LONGEST) -> Mapping[str, Any]:
    """Return what `tfcourse.doctor.probe.find` does in a new process.

    Args:
        program: A program that prints it as a line of JSON, after whatever else.
        timeout: The seconds that it may take.

    Raises:
        WorkFailedError: TensorFlow or Keras can't be imported, or ends the process.
    """
    failure = "TensorFlow and Keras can't be imported"
    # -P: no file beside the program, or in the current folder, is taken for a package.
    command = [sys.executable, "-P", str(program)]
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8"}
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=timeout, env=environ,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WorkFailedError(f"{failure}: that did not end in {timeout:g} s.") from None
    lines = run.stdout.decode("utf-8", "replace").splitlines()
    with suppress(ValueError, IndexError):  # no line, or none of JSON
        facts: Mapping[str, Any] = json.loads(lines[-1])
        return facts
    errors = encodable(run.stderr.decode("utf-8", "replace")).strip().splitlines()
    reason = errors[-1] if errors and run.returncode > 0 else how_it_ended(run.returncode)
    end = reason if reason in errors[-1:] else f"the process ended {reason}"
    raise WorkFailedError(f"{failure}: {end}.")
