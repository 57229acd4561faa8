"""What a worker gets of the machine."""

import os
import stat

import pytest

from tfcourse.search.workers.surroundings import cores, environment, gpus, worker_count

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("workers", "machine", "threads"), [(1, 8, 8), (2, 8, 4), (3, 8, 2), (8, 8, 1), (9, 8, 1)]
)
def test_the_threads_of_all_workers_are_no_more_than_the_cores(workers, machine, threads):
    for number in range(workers):
        chosen = environment(number, workers, machine, [], {})
        assert [chosen[name] for name in THREADS] == [str(threads)] * 3


def test_what_the_user_has_set_stays():
    chosen = environment(0, 4, 8, [], {"OMP_NUM_THREADS": "7", "HOME": "/home"})
    assert chosen["OMP_NUM_THREADS"] == "7"
    assert chosen["HOME"] == "/home"
    assert chosen["TF_NUM_INTRAOP_THREADS"] == "2"


def test_every_worker_sees_one_gpu():
    seen = [environment(n, 4, 8, ["0", "3"], {})["CUDA_VISIBLE_DEVICES"] for n in range(4)]
    assert seen == ["0", "3", "0", "3"]
    # Those that share one take only what they need.
    assert environment(0, 4, 8, ["0", "3"], {})["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in environment(0, 2, 8, ["0", "3"], {})


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
    assert worker_count("auto") == max(cores() // 2, 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert worker_count("auto") == 3
    assert worker_count(5) == 5
