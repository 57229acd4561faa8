"""Two searches on one run directory: the second is refused, and a dead owner holds nothing."""

import os
import signal
import subprocess
import sys

import pytest

from tfcourse import InputError
from tfcourse.search.record.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from tfcourse.search.record.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_and_told_who_is_first(holder, tmp_path):
    for _ in range(2):  # the refusal leaves the owner's name in its place
        with (
            pytest.raises(InputError, match=rf"run is being searched by process {holder.pid} on "),
            locked(tmp_path / "run"),
        ):
            pass
    with locked(tmp_path / "another"):
        pass


def test_a_killed_owner_holds_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "run"):
        assert f"process {os.getpid()} " in (tmp_path / ".run.lock").read_text()


@pytest.mark.parametrize("place", ["/proc/no_such/run", "taken/run"])
def test_a_place_that_cannot_be_written(place, tmp_path):
    (tmp_path / "taken" / ".run.lock").mkdir(parents=True)
    place = tmp_path / place
    said = rf"{place.parent}/\.run\.lock can't be written \(.+\)\. Choose an --out that can\."
    with pytest.raises(InputError, match=said), locked(place):
        pass


def test_a_search_that_is_running_refuses_another(quick):
    search = quick()
    with locked(search.directory), pytest.raises(InputError, match="is being searched by process"):
        search.run(verbose=False)
    assert not search.directory.exists()
    assert len(search.run(verbose=False).trials) == 3
    with locked(search.directory):
        assert search.run(verbose=False).was_complete  # looking at a finished one is free
