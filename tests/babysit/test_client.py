"""Commands from another process: where nobody answers, and where somebody does."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tests.babysit.entries import epochs, start
from tfcourse.babysit.client import Reply, address, send
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.folders import LONGEST_WAIT, Answer, RunFolder
from tfcourse.babysit.journal import Journal
from tfcourse.babysit.texts import dated, describe
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.store.lock import lock_directory


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    journal = Journal(folder.journal)
    for entry in [start(), *epochs(2)]:
        journal.append(entry)
    journal.close()
    return folder


@pytest.fixture
def nudge(folder):
    return address(folder.path, "nudge", changes={"beta_1": 0.5}, because="why")


def test_the_file_of_a_command(folder, nudge):
    folder.send(nudge)
    (file,) = folder.waiting()
    assert file.name == f"{nudge.id}.json"
    assert json.loads(file.read_text()) == {
        "id": nudge.id, "run": "a1", "kind": "nudge", "changes": {"beta_1": 0.5}, "because": "why",
    }  # fmt: skip


def test_only_answers_that_nobody_waits_for_any_more_are_deleted(folder, nudge):
    file = folder.path / "answers" / f"{nudge.id}.json"
    for age, is_there in ((0, True), (LONGEST_WAIT - 60, True), (LONGEST_WAIT + 60, False)):
        folder.answer(folder.path / "commands" / f"{nudge.id}.json", Answer(True, "done", 3))
        os.utime(file, (time.time() - age,) * 2)
        folder.create()
        assert file.exists() == is_there


def test_nobody_trains(folder, nudge):
    with pytest.raises(WorkFailedError) as error:
        send(folder.path, nudge, wait=5)
    assert str(error.value) == (
        f"No babysitter runs in {folder.path}: nothing was changed. Start it with: tfcourse "
        "babysit CONFIG; or leave the command for its next start with --no-wait."
    )
    assert not [*folder.waiting()]
    reply = send(folder.path, nudge, wait=0)
    assert reply == Reply(
        "left", "No babysitter runs there: the command is left for its next start."
    )
    assert len([*folder.waiting()]) == 1


def test_somebody_trains_a_long_epoch(folder, nudge):
    with lock_directory(folder.path, "trained"):
        reply = send(folder.path, nudge, wait=0.2)
        text = "No answer in 0.2 s: the command is decided about when the epoch ends."
        assert reply == Reply("pending", text)
        assert send(folder.path, address(folder.path, "pause"), wait=0).status == "pending"
    assert len([*folder.waiting()]) == 2


def test_the_babysitter_ends_before_it_answers(folder, nudge):
    lock = lock_directory(folder.path, "trained")
    lock.__enter__()
    timer = threading.Timer(0.3, lock.__exit__, (None, None, None))
    timer.start()
    with pytest.raises(WorkFailedError, match="No babysitter runs in"):
        send(folder.path, nudge, wait=20)
    timer.join()
    assert not [*folder.waiting()], "it is withdrawn"


@pytest.mark.parametrize("accepted", [True, False])
def test_an_answer(folder, nudge, accepted):
    def answer():
        (file,) = folder.waiting()
        folder.answer(file, Answer(accepted, "From epoch 3 on", 3 if accepted else None))

    with lock_directory(folder.path, "trained"):
        threading.Timer(0.2, answer).start()
        if accepted:
            assert send(folder.path, nudge, 20) == Reply("accepted", "From epoch 3 on", 3)
        else:
            with pytest.raises(InputError, match="From epoch 3 on"):
                send(folder.path, nudge, 20)
    assert not [*folder.waiting()] and folder.read_answer(nudge) is None


@pytest.mark.parametrize("text", ["[]", "{}", "true", '{"accepted": "so", "message": 3}', "{"])
def test_what_is_no_answer_is_none(folder, nudge, text):
    (folder.path / "answers" / f"{nudge.id}.json").write_text(text)
    assert folder.read_answer(nudge) is None


@pytest.mark.parametrize("time", ["yesterday", "", "0001-01-01T00:00:00+14:00"])
def test_an_entry_whose_time_is_none(time):
    entry = start().model_copy(update={"time": time})
    assert dated(entry) == f"{time}  {describe(entry)}"


def test_what_the_journal_alone_refuses(folder, tmp_path):
    for kind, fields, message in [
        ("nudge", {"changes": {"rho": 0.5}}, '"rho" can\'t be changed during this training'),
        ("nudge", {"changes": {"beta_1": 2}}, r"beta_1 must be a number in \[0, 1\)"),
        ("nudge", {}, "A nudge needs a new value"),
        ("note", {"text": "x" * 10_001}, "at most 10000 characters"),
    ]:
        with pytest.raises(InputError, match=message):
            address(folder.path, kind, **fields)
    with pytest.raises(InputError, match="it has no journal"):
        address(tmp_path, "pause")
    journal = Journal(folder.journal)
    journal.append(Entry(kind="end", time="t", epoch=2))
    journal.close()
    for kind in ("pause", "resume"):
        with pytest.raises(InputError, match=f"has ended after epoch 2, and takes no {kind}"):
            address(folder.path, kind)
    assert address(folder.path, "rollback", to=1).to == 1
    assert address(folder.path, "pause", can_continue=True).kind == "pause"


def test_starting_over_deletes_the_rest_of_an_earlier_deletion(folder):
    remains = folder.path.with_name(".run-deleted-0123abcd")
    remains.mkdir()
    other = folder.path.with_name(".run2-deleted-0123abcd")
    other.mkdir()
    folder.delete()
    assert not folder.path.exists() and not remains.exists() and other.exists()
    folder.delete()


def test_starting_over_keeps_a_symbolic_link_to_the_directory(tmp_path):
    real, link = tmp_path / "real", tmp_path / "run"
    real.mkdir()
    (real / "journal.jsonl").touch()
    link.symlink_to(real)
    folder = RunFolder(link)
    folder.delete()
    folder.create()
    assert link.is_symlink() and sorted(path.name for path in tmp_path.iterdir()) == ["real", "run"]
    assert sorted(path.name for path in real.iterdir()) == ["answers", "checkpoints", "commands"]


def test_a_command_needs_no_numpy():
    """Whose import would take longer than the rest of ``tfcourse nudge``."""
    code = "import sys, tfcourse.babysit.client; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
