"""What a worker gets of the machine."""

import os
import stat

import pytest

from tfcourse import InputError
from tfcourse.search.runtime.resources import WorkerSlot, cores, environment, gpus, worker_count

NONE = ()


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_an_operation_has_the_same_threads_whatever_the_number_of_workers(workers):
    """Sums of convolutions round differently with it."""
    for number in range(workers):
        chosen = environment(
            WorkerSlot(number, workers, 8, NONE), 2, {"TF_NUM_INTRAOP_THREADS": "5"}
        )
        assert chosen["TF_NUM_INTRAOP_THREADS"] == chosen["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("workers", "machine", "side_by_side"),
    [(1, 8, 8), (2, 8, 4), (3, 8, 2), (8, 8, 1), (9, 8, 1)],
)
def test_operations_side_by_side_share_the_cores(workers, machine, side_by_side):
    chosen = environment(WorkerSlot(0, workers, machine, NONE), 1, {})
    assert chosen["TF_NUM_INTEROP_THREADS"] == str(side_by_side)


def test_what_the_user_has_set_stays():
    chosen = environment(WorkerSlot(0, 4, 8, NONE), 1, {"OMP_NUM_THREADS": "7", "HOME": "/home"})
    assert (chosen["OMP_NUM_THREADS"], chosen["HOME"]) == ("7", "/home")


def test_every_worker_sees_one_gpu():
    two = ["0", "3"]
    seen = [environment(WorkerSlot(n, 4, 8, two), 1, {})["CUDA_VISIBLE_DEVICES"] for n in range(4)]
    assert seen == ["0", "3", "0", "3"]
    # Those that share one take only what they need.
    assert environment(WorkerSlot(0, 4, 8, two), 1, {})["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in environment(WorkerSlot(0, 2, 8, two), 1, {})


def test_a_worker_that_was_started_alone_leaves_the_gpus_as_they_are():
    chosen = environment(WorkerSlot(0, 1, 8, NONE), 1, {"CUDA_VISIBLE_DEVICES": "2"})
    assert chosen["CUDA_VISIBLE_DEVICES"] == "2"
    assert chosen["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


@pytest.mark.parametrize(
    ("visible", "found"),
    [("0,2", ["0", "2"]), ("", []), ("-1", []), (" GPU-a , 1", ["GPU-a", "1"])],
)
def test_gpus_that_the_environment_names(visible, found):
    assert gpus({"CUDA_VISIBLE_DEVICES": visible}) == found


@pytest.mark.parametrize(
    ("script", "found"), [("echo GPU 0: a; echo GPU 1: b", ["0", "1"]), ("exit 9", [])]
)
def test_gpus_that_the_driver_names(tmp_path, monkeypatch, script, found):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpus({}) == found


def test_auto(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert worker_count("auto", 1) == cores()
    assert worker_count("auto", 4 * cores()) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert worker_count("auto", 1) == 3
    assert worker_count(5, 1) == 5


@pytest.mark.parametrize("workers", [0, -1, True, 2.0, "2"])
def test_other_numbers_are_refused(workers, quick):
    with pytest.raises(InputError, match=r'workers must be a whole number >= 1 or "auto"\. Rec'):
        quick().run(workers=workers)
