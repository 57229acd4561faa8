"""`fit` under ``MultiWorkerMirroredStrategy``: two processes on loopback equal one."""

import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.processes import Process
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder

PROGRAM = Path(__file__).with_name("worker.py")
SECONDS = 300
TOLERANCE = 2e-6  # as in test_distribution.py: rounding in float32


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def run_two_workers(folder, *cases):
    """The exit codes of two workers, what each printed, by case, and their errors."""
    ports = free_ports(2)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        Process([PROGRAM, index, ",".join(cases), folder, *ports], env=env) for index in range(2)
    ]
    try:
        ended = [worker.communicate(timeout=SECONDS) for worker in workers]
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
    told = []
    for out, _ in ended:
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        told.append({line["case"]: line for line in lines})
    return [w.returncode for w in workers], told, [error for _, error in ended]


EQUAL = [
    "everything_at_once",
    "clipped",
    "dataset",
    "own_train_step",
    "stops_early_inside_the_scope",
]
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
    "no folder": rf"{ALIKE}checkpoint_dir or save_every \d+, -1\.",
    "other folders": r"checkpoint_dir must be one folder that all workers can read\. Received: the "
    r"newest checkpoint a damaged one, none\. Pass a folder on a file system that they share\.",
}


def test_two_workers(subtests, tmp_path):
    """They equal one process, say what is wrong, and go on where they were after a kill.

    All in one test, as it takes seconds for a pair of processes to start.
    """
    codes, told, errors = run_two_workers(
        tmp_path, "results", "errors", "other folders", "alone", "kill 1"
    )
    for by_one in told:
        check_results(subtests, by_one)
    # They still train together, with the seed that the first one draws.
    assert told[0]["afterwards"]["weights"] == told[1]["afterwards"]["weights"]
    alone = [by_one["alone"] for by_one in told]
    check_kill(1, codes, told, errors, tmp_path)
    codes, told, errors = run_two_workers(tmp_path, "resumed 1", "kill 0")
    check_resumed(1, told, alone)
    check_kill(0, codes, told, errors, tmp_path)
    codes, told, errors = run_two_workers(tmp_path, "resumed 0")
    assert codes == [0, 0], errors
    check_resumed(0, told, alone)


def check_results(subtests, told):
    assert told["replicas"]["number"] == 2, "a positive control: the work was shared"
    for name in EQUAL:
        with subtests.test(name):
            assert told[name]["weights"] < TOLERANCE
            assert told[name]["slots"] < TOLERANCE
            assert told[name]["history"] < TOLERANCE
    for name, message in ERRORS.items():
        with subtests.test(name):
            assert told[name]["type"] == "InputError"
            assert re.search(message, told[name]["message"])
    assert told["not finite"]["type"] == "NonFiniteLossError"
    assert re.search(r"epoch 1, batch \d, at learning", told["not finite"]["message"])


def check_kill(victim, codes, told, errors, folder):
    other = 1 - victim
    assert codes[victim] == -signal.SIGKILL
    assert codes[other] == 0, errors[other]
    assert "epoch 4" in told[other], "a positive control: they had trained together"
    survived = told[other]["survived"]
    assert survived["type"] == "WorkFailedError"
    assert re.search(
        rf"Worker {other} has lost another worker of .*127\.0\.0\.1:\d+.*: it ended or can't be "
        r"reached\. Start all workers again",
        survived["message"],
    )
    record = CheckpointFolder(folder / str(victim), 3).newest()[1]
    assert (record.epoch, record.step) == (3, 3), "in the middle of an epoch"


def check_resumed(victim, told, alone):
    """As two workers that nobody killed: weights and epochs to the last bit.

    A checkpoint in the middle of an epoch holds the sum of the workers' metrics, so that the
    epoch's metrics are added up in another order: they agree to float32's rounding.
    """
    for by_one, expected in zip(told, alone, strict=True):
        assert expected["epochs"] == list(range(5))
        found = by_one[f"resumed {victim}"]
        history = expected["history"]
        assert found["history"].keys() == history.keys()
        for name, values in history.items():
            assert found["history"][name] == pytest.approx(values, rel=2e-7)
        assert {**found, "case": "alone", "history": history} == expected
