"""The processes that tests fork are what they would be if Python started them."""

import signal
import subprocess
import sys

import pytest

from tests import processes

SEEN = """
import atexit, json, os, sys, threading
atexit.register(print, "at its end")
ours = sorted(name for name in sys.modules if name.partition(".")[0] in ("tfcourse", "tests"))
print(json.dumps([__name__, sys.argv, sys.path, os.getcwd()]))
print(json.dumps([os.environ["SET"], "OTHER" in os.environ]))
print(json.dumps([ours, threading.active_count(), sys.stdin.read(), sys.stdout.encoding]))
print("said", file=sys.stderr)
raise SystemExit(3)
"""


@pytest.mark.parametrize("how", ["-c", "-m", "file"])
def test_it_is_as_one_that_python_starts(how, tmp_path, monkeypatch):
    monkeypatch.setenv("OTHER", "of this process alone")
    (tmp_path / "seen.py").write_text(SEEN)
    start = {"-c": ["-c", SEEN], "-m": ["-m", "seen"], "file": [str(tmp_path / "seen.py")]}[how]
    place = {"cwd": tmp_path, "env": {"SET": "1", "PYTHONIOENCODING": "utf-8"}}
    forked = processes.run([*start, "a", "b"], **place)
    started = subprocess.run(
        [sys.executable, *start, "a", "b"],
        **place, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (forked.returncode, forked.stdout, forked.stderr) == (3, started.stdout, "said\n")
    assert started.stderr == "said\n"


def test_an_error_is_said_and_ends_it_with_1():
    ended = processes.run(["-c", "1 / 0"])
    assert ended.returncode == 1
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_signal_reaches_it(how, code):
    program = (
        "import sys, time\ntry: print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )
    process = processes.Process(["-c", program])
    assert process.stdout.readline() == "ready\n"
    assert process.poll() is None
    process.send_signal(how)
    assert process.communicate() == ("", "")
    assert process.returncode == process.poll() == code


def test_an_interrupt_that_it_does_not_catch_ends_it_by_the_signal():
    process = processes.Process(["-c", "import time; print('ready', flush=True); time.sleep(60)"])
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1].endswith("KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT


def test_one_that_takes_too_long():
    process = processes.Process(["-c", "import time; time.sleep(60)"])
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
