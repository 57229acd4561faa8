"""The bench of the oracles, on a small scale."""

from tfcourse.bench.oracle import OURS, STOCK, bench


def test_all_take_part_where_they_can(monkeypatch):
    monkeypatch.setattr("tfcourse.bench.oracle.LARGEST_OF_STOCK", 5)
    few, many = bench(repeats=1, sizes=(3, 20))
    assert [timing.name for timing in few.timings] == [*OURS.values(), STOCK]
    assert [timing.name for timing in many.timings] == [*OURS.values()]
    assert (few.title, many.title) == ("a trial after 3", "a trial after 20")
    assert all(timing.seconds.low > 0 for timing in (*few.timings, *many.timings))
