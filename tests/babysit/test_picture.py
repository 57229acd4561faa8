"""The picture of a run, and the branches that it shows."""

import math

import pytest

from tests.babysit.entries import epochs, start
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.picture import branches, save_picture
from tfcourse.errors import InputError


def rollback(epoch, to):
    return Entry(kind="rollback", time="t", epoch=epoch, to=to, id=f"{epoch}", because="$x^ worse")


ENTRIES = [
    start(), *epochs(3), rollback(4, 2), *epochs(1, 3), rollback(4, 0), *epochs(2, 1),
    Entry(kind="note", time="t", epoch=3, id="n", text="_a note\n\x1b[31m"),
    *epochs(1, 3, losses=[math.nan]),
]  # fmt: skip


def test_the_branches():
    found = [([e.epoch for e in branch.epochs], branch.survives) for branch in branches(ENTRIES)]
    assert found == [([2, 3], False), ([1, 2, 3], False), ([1, 2, 3], True)]
    assert branches([start()]) == [((), True)]


@pytest.mark.parametrize("name", ["run.png", "run.svg"])
@pytest.mark.parametrize("count", [1, len(ENTRIES)])
def test_it_is_drawn(tmp_path, name, count):
    save_picture(ENTRIES[:count], tmp_path / name, "_run $1$")
    assert (tmp_path / name).stat().st_size > 5000
    if name == "run.svg" and count > 1:
        text = (tmp_path / name).read_text()
        assert "_run $1$" in text and "rolled back" in text


def test_many_events(tmp_path):
    notes = [Entry(kind="note", time="t", epoch=n + 1, id=f"n{n}", text="x") for n in range(50)]
    save_picture([start(), *notes], tmp_path / "run.png", "run")


def test_another_format(tmp_path):
    with pytest.raises(InputError, match=r"The plot must be a \.png, \.svg or \.pdf file"):
        save_picture(ENTRIES, tmp_path / "run.gif", "run")
