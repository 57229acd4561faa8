"""What other people's code says in a search is put on record, whatever it is."""

import csv
import json

import pytest

from tfcourse import InputError
from tfcourse.search.records.trial_record import TrialRecord, csv_tables
from tfcourse.search.space.parameters import Choice
from tfcourse.search.strategies.grid import grid_values

KIND = ("good", "surrogate", "broken", "long")
KINDS = """
class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError("no text")
    __repr__ = __str__

def kinds(input_shape, classes, kind="good"):
    if kind == "surrogate":
        raise ValueError("a file named \\udcff\\x1b[31m\\nand more")
    if kind == "broken":
        raise BrokenError
    if kind == "long":
        raise ValueError("x" * 10**6)
    return linear(input_shape, classes)
"""


@pytest.mark.parametrize("caviar", ["reuse", "population"])
def test_a_trial_s_error_may_have_any_text(quick, caviar):
    space = {"kind": {"values": [*KIND]}}
    seed = next(s for s in range(99) if grid_values({"kind": Choice(KIND)}, s, 0)["kind"] == "good")
    wanted = {"trials": 4, "strategy": "grid", "caviar": caviar, "seed": seed}
    search = quick(KINDS, "kinds", space, search=wanted)
    result = search.run(verbose=False)
    said = {record.values["kind"]: record.message for record in result.trials.values()}
    assert said["good"] == ""
    assert said["surrogate"] == "ValueError: a file named \\udcff\x1b[31m"
    assert said["broken"] == "BrokenError: (its message can't be shown)"
    assert said["long"].startswith("ValueError: xxx")
    with (search.directory / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["kind"]: row["message"] for row in csv.DictReader(file)}
    assert rows == said
    for path in search.directory.glob("trials/*.json"):
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["traceback"].encode("utf-8")
        assert bool(fields["traceback"]) == (fields["values"]["kind"] != "good")
    assert search.completed().was_complete


def test_a_metric_may_have_any_name():
    record = TrialRecord(0, "completed", {}, 0.5, 1, history={"odd\udcff": [0.5]})
    results, history = csv_tables([record], ["kind\udcff"])
    assert results.splitlines()[0].endswith(r",kind\udcff")
    assert history.encode("utf-8").decode("utf-8").splitlines() == [
        r"trial,epoch,odd\udcff",
        "0,1,0.5",
    ]


@pytest.mark.parametrize("raised", ["ValueError('\\udcff')", "BrokenError"])
@pytest.mark.parametrize("place", ["points", "build"])
def test_data_and_builder_that_fail_with_any_text(quick, raised, place):
    source = f"{KINDS}\ndef fails(*arguments):\n    raise {raised}\n"
    names = {"points": "fails"} if place == "points" else {"builder": "fails2"}
    source += "\ndef fails2(input_shape, classes):\n    fails()\n"
    with pytest.raises(InputError) as error:
        quick(source, **names).run(verbose=False)
    str(error.value).encode("utf-8")
    assert r"ValueError: \udcff" in str(error.value) or "BrokenError: (its" in str(error.value)
