"""`fit` under ``MultiWorkerMirroredStrategy``: two processes on loopback equal one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("worker.py")
SECONDS = 300
TOLERANCE = 2e-6  # as in test_distribution.py: rounding in float32


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def run_two_workers(case):
    """The exit codes of two workers, what each printed, by case, and their errors."""
    ports = free_ports(2)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        subprocess.Popen(
            [sys.executable, PROGRAM, str(index), case, *ports],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for index in range(2)
    ]
    try:
        ended = [worker.communicate(timeout=SECONDS) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    told = []
    for out, _ in ended:
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        told.append({line["case"]: line for line in lines})
    return [w.returncode for w in workers], told, [error for _, error in ended]


def test_two_workers_equal_one_process(subtests):
    codes, told_by_each, errors = run_two_workers("results")
    assert codes == [0, 0], errors
    for told in told_by_each:
        assert told["replicas"]["number"] == 2, "a positive control: the work was shared"
        for name in ("everything_at_once", "clipped", "dataset", "own_train_step", "stops_early"):
            with subtests.test(name):
                assert told[name]["weights"] < TOLERANCE
                assert told[name]["slots"] < TOLERANCE
                assert told[name]["history"] < TOLERANCE
    # They share the seed that the first one draws.
    assert told_by_each[0]["seed"]["weights"] == told_by_each[1]["seed"]["weights"]


ALIKE = (
    r"Every worker must call fit with the same arguments and the same whole data: fit takes each "
    r"one's part itself\. Received: "
)
ERRORS = {
    "epochs": rf"{ALIKE}epochs 1, 2\.",
    "batch_size": rf"{ALIKE}batch_size 25, 26\.",
    "seed": rf"{ALIKE}seed 0, 1\.",
    "validation": rf"{ALIKE}steps of a validation 3, 4\.",
    "on_nan": rf"{ALIKE}on_nan or validation_freq \d+, \d+\.",
    "callbacks": rf"{ALIKE}steps between callbacks on batches \d+, 1\.",
    "own part": rf"{ALIKE}checksum of the first batch \d+, \d+\.",
    "jit_compile": r"jit_compile=True does not work under \w+Strategy: XLA",
}


def test_every_worker_says_what_is_wrong(subtests):
    codes, told_by_each, errors = run_two_workers("errors")
    assert codes == [0, 0], errors
    for told in told_by_each:
        for name, message in ERRORS.items():
            with subtests.test(name):
                assert told[name]["type"] == "InputError"
                assert re.search(message, told[name]["message"])
        assert told["not finite"]["type"] == "NonFiniteLossError"
        assert re.search(r"epoch 1, batch \d, at learning", told["not finite"]["message"])
        assert told["afterwards"]["message"] == "trained", "they still train together"


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_is_killed_ends_the_other(victim):
    codes, told, errors = run_two_workers(str(victim))
    other = 1 - victim
    assert codes[victim] == -signal.SIGKILL
    assert codes[other] == 0, errors[other]
    assert "epoch 3" in told[other], "a positive control: they had trained together"
    survived = told[other]["survived"]
    assert survived["type"] == "WorkFailedError"
    assert re.search(
        rf"Worker {other} has lost another worker of .*127\.0\.0\.1:\d+.*: it ended or can't be "
        r"reached\. Start all workers anew",
        survived["message"],
    )
