"""What the parent of a search's processes makes of their messages and ends; nothing is started."""

import errno
import signal
from types import SimpleNamespace

import pytest

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.files import translate_disk_errors
from tfcourse.search.runtime import process, processes, supervisor
from tfcourse.search.runtime.conductor import Conductor
from tfcourse.search.runtime.deadlines import Preparing, Running
from tfcourse.search.runtime.process import how_it_ended
from tfcourse.search.runtime.worker_pool import WorkerPool


class Process:
    """A process that never was; ``kill`` ends it."""

    def __init__(self, name, *others):
        self.name, self.killed = name, False
        self.output = SimpleNamespace(
            place=" Its log: w1.log.", end=str, new_lines=lambda ended: []
        )

    def kill(self):
        self.killed = True

    def how_it_ended(self):
        return how_it_ended(-signal.SIGKILL)


@pytest.fixture
def pool(quick, tmp_path, monkeypatch):
    """A supervisor of one worker, and the lines that it shows."""
    monkeypatch.setattr(processes, "Child", Process)
    said = []
    display = SimpleNamespace(ended=lambda *of: None, say=said.append)
    config = quick(search={"trial_timeout": 5.0}).config
    pool = WorkerPool(config, tmp_path, ("w1",))
    made = supervisor.Supervisor(pool, Conductor(), display, processes.Processes(pool))
    made.logs = tmp_path
    made._start("w1")
    return made, said


def hear(made, message):
    made._handle(made.children["w1"], message)


class Concluded(Conductor):
    """A conductor that still leaves the workers the time to end by themselves."""

    concluded_at = 0.0


def too_slow(made):
    """Find the worker's preparation too slow; return its process."""
    hear(made, {"what": "preparing", "part": "data"})
    made.preparing["w1"] = Preparing("data", since=-1e9)
    made._end_slow_preparation()
    return made.children["w1"]


def test_a_worker_that_is_ready_just_after_it_was_found_too_slow(pool):
    made, _ = pool
    assert too_slow(made).killed
    hear(made, {"what": "loaded"})
    assert made.preparing == {}


def test_a_worker_that_is_always_too_slow_is_given_up_with_the_reason(pool):
    made, said = pool
    for _ in range(supervisor.MAX_RESTARTS):
        too_slow(made)
        hear(made, None)
    again = "w1 ended after too long a preparation, and begins again. Its log: w1.log."
    assert said == [again] * (supervisor.MAX_RESTARTS - 1)
    reason = made.given_up["w1"]
    assert "gave no data in 20 s, and was ended" in reason
    assert "[search] trial_timeout = 5 (it counts as at least 20 s here)" in reason
    assert "memory" not in reason


def test_a_worker_that_the_system_kills_is_told_as_before(pool):
    made, said = pool
    too_slow(made)
    hear(made, None)
    hear(made, None)
    assert said[1].startswith("w1 ended by SIGKILL: perhaps the system was out of memory")


def test_a_disk_that_refuses_a_failure_s_record_is_told_with_the_remedy(pool, monkeypatch):
    made, _ = pool

    def full(trial):
        raise OSError(errno.ENOSPC, "No space left on device", "0000.json")

    monkeypatch.setattr(made.directory, "write_trial", full)
    said = r"0000\.json can't be written or read: No space left on device\. Correct that and"
    with pytest.raises(WorkFailedError, match=said), translate_disk_errors():
        made._record_failure(made.children["w1"], Running(0, {}), "Ended.")


@pytest.mark.parametrize("message", [{"what": "error", "error": InputError("No data.")}, None])
def test_a_worker_that_fails_after_the_conclusion_fails_nothing(pool, message):
    made, said = pool
    made.conductor = Concluded()
    if message is not None:
        hear(made, message)
    hear(made, None)
    assert made.children == {}
    assert said == []


class Unborn:
    """A process whose fork server dies a number of times."""

    def __init__(self, *deaths):
        self.deaths, self.starts = [*deaths], 0

    def start(self):
        self.starts += 1
        if self.deaths:
            raise self.deaths.pop(0)


@pytest.fixture
def _no_server(monkeypatch):
    monkeypatch.setattr(process, "METHOD", "none")
    monkeypatch.setattr(process, "SECONDS_BETWEEN", 0)


@pytest.mark.usefixtures("_no_server")
def test_a_process_is_started_again_if_what_it_is_forked_from_dies(tmp_path):
    child = Unborn(EOFError(), ConnectionRefusedError())
    process._start(child, tmp_path)
    assert child.starts == 3


@pytest.mark.usefixtures("_no_server")
def test_what_always_dies_ends_the_search(tmp_path):
    child = Unborn(*[EOFError()] * 9)
    with pytest.raises(WorkFailedError, match=r"are forked from died 3 times: .*out of memory"):
        process._start(child, tmp_path)
    assert child.starts == 3
