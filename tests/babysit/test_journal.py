"""The journal: what is on the disk after each moment at which its writer may end."""

import errno
import os

import pytest

from tfcourse.babysit.entries import Entry
from tfcourse.babysit.journal import Journal, read_journal
from tfcourse.errors import InputError, WorkFailedError

ENTRIES = [
    Entry(kind="start", time="t", epoch=0, run="a1", values={"learning_rate": 0.1}),
    Entry(kind="epoch", time="t", epoch=1, loss=0.1 + 0.2, logs={"loss": 0.1 + 0.2}),
    Entry(kind="note", time="t", epoch=2, id="n", text='"ä\n{}'),
    Entry(kind="epoch", time="t", epoch=2, loss=float("nan"), logs={"loss": float("inf")}),
]


def texts(entries):
    return [entry.as_line() for entry in entries]


@pytest.fixture
def path(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    return journal.path


def test_it_reads_what_it_wrote_to_the_last_bit(path):
    entries = read_journal(path)
    assert texts(entries) == texts(ENTRIES)
    assert entries[1].loss == 0.1 + 0.2
    assert entries[3].loss != entries[3].loss and entries[3].logs["loss"] == float("inf")
    assert not entries[3].is_finite
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(ENTRIES)


def test_a_line_cut_at_any_byte_counts_as_not_written(path):
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        assert texts(read_journal(path)) == texts(ENTRIES[:whole])
        journal, more = Journal(path), ENTRIES[2 if whole else 0]
        journal.append(more)
        journal.close()
        assert texts(read_journal(path)) == texts([*ENTRIES[:whole], more])


def test_zeros_at_the_end_as_after_a_power_cut(path):
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert texts(read_journal(path)) == texts(ENTRIES)


def test_a_damaged_line_before_the_last_is_no_torn_one(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"kind": "epo\n', *lines[2:]]))
    with pytest.raises(InputError) as error:
        read_journal(path)
    assert str(error.value) == (
        f"{path}: line 2 is not an entry of a journal. Restore the file, or move it and its folder "
        "away to start over."
    )
    with pytest.raises(InputError, match="line 2 is not an entry"):
        Journal(path)


def test_a_full_disk_leaves_the_journal_as_it_was(path, monkeypatch):
    journal, content, write = Journal(path), path.read_bytes(), os.write

    def write_a_part(descriptor, data):
        if len(data) > 10:
            return write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_a_part)
        with pytest.raises(WorkFailedError, match=r"journal\.jsonl can't be written.*No space"):
            journal.append(ENTRIES[1])
    assert path.read_bytes() == content
    journal.append(ENTRIES[2])
    journal.close()
    assert texts(read_journal(path)) == texts([*ENTRIES, ENTRIES[2]])


NEXT = Entry(kind="epoch", time="t", epoch=3, loss=0.5)
BACK = {"kind": "rollback", "time": "t", "epoch": 3}
NUDGE = {"kind": "nudge", "time": "t", "epoch": 3}
THERE = {"learning_rate": (0.1, 0.2)}


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ([*ENTRIES, NEXT], None),
        ([*ENTRIES, Entry(**BACK, to=1), ENTRIES[3], NEXT], None),
        ([*ENTRIES, Entry(**BACK, to=2, changes=THERE), NEXT], None),
        ([*ENTRIES, Entry(**NUDGE, changes=THERE)], None),
        (ENTRIES[1:], 1),  # no start
        ([*ENTRIES, *ENTRIES], 5),  # twice
        ([*ENTRIES[:3], NEXT], 4),  # one is missing
        ([*ENTRIES, ENTRIES[1]], 5),  # another order
        ([*ENTRIES, Entry(**BACK, to=3)], 5),
        ([*ENTRIES, Entry(**BACK, to=-1)], 5),
        ([*ENTRIES, Entry(**NUDGE, changes={"rate": (0.1, 0.2)})], 5),
    ],
)
def test_lines_in_an_order_that_no_training_writes(path, entries, line):
    path.write_text("".join(texts(entries)), encoding="utf-8")
    if line is None:
        assert texts(read_journal(path)) == texts(entries)
        return
    for read in (read_journal, Journal):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value) == (
            f"{path}: line {line} does not follow from those before it. Restore the file, or move "
            "it and its folder away to start over."
        )


def test_the_line_is_on_the_disk_before_append_returns(path, monkeypatch):
    journal, calls = Journal(path), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(path.read_bytes()))
    journal.append(ENTRIES[0])
    journal.close()
    assert calls == [path.read_bytes()]


def test_a_missing_journal(tmp_path):
    with pytest.raises(InputError) as error:
        read_journal(tmp_path / "journal.jsonl")
    assert str(error.value) == (
        f"{tmp_path / 'journal.jsonl'} can't be read: No such file or directory."
    )
