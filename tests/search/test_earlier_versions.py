"""Run directories of earlier versions continue with the values of their time."""

import tomllib

import pytest

from tests.contracts.oracle_contract import OracleContract, ended
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.resume import as_recorded
from tfcourse.search.strategies.proposals import propose

# Learning rates of trials that the version before the key proposed, from the fifth on.
CASES = {
    "coarse_to_fine": (
        {"trials_per_round": 5},
        "rounds",
        [0.0195259522, 0.021248803, 0.0369997086, 0.00195259522, 0.00610085703, 0.0184977333],
    ),
    "gp": (
        {"initial": 6, "parallel": 2},
        "acquisition",
        [0.0195259522, 0.000195259522, 0.0141815256, 0.0107897838, 0.0105808373, 0.00955602137],
    ),
}


# Those with the keys.
TODAY = {
    "coarse_to_fine": [
        0.0195259522,
        0.021248803,
        0.0369997086,
        0.00379904748,
        0.00610085703,
        0.0188143674,
    ],
    "gp": [0.0195259522, 0.000195259522, 0.0130047418, 0.0159473396, 0.010943693, 0.013225983],
}


@pytest.mark.parametrize("is_lost", [False, True], ids=["config", "config lost"])
@pytest.mark.parametrize("strategy", CASES)
def test_a_search_without_the_key_continues_as_it_began(strategy, is_lost, tmp_path):
    settings, key, rates = CASES[strategy]
    own = {"strategy": strategy, "settings": settings}
    today = type("Contract", (OracleContract,), own).config()
    lines = today.as_toml().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(f"{key} ="))
    assert key not in tomllib.loads(text)["search"][strategy]
    directory = RunDirectory(tmp_path / "run")
    directory.create(text, {"tfcourse": "0"})
    config = as_recorded(today, directory.path)
    records = {}
    for trial in range(10):
        records[trial] = ended(trial, propose(config.study, trial, records))
        directory.write_trial(records[trial])
    found = [records[trial].values["learning_rate"] for trial in range(4, 10)]
    assert found == pytest.approx(rates, rel=1e-4)
    if is_lost:
        directory.config.unlink()
    again = as_recorded(today, directory.path)
    assert getattr(again.settings, key) == getattr(config.settings, key)
    assert getattr(as_recorded(again, None).settings, key) == getattr(today.settings, key)


@pytest.mark.parametrize("strategy", CASES)
def test_a_search_of_today_continues_with_its_values(strategy):
    """A directory with all keys must get the same values from later versions."""
    settings, _, earlier = CASES[strategy]
    own = {"strategy": strategy, "settings": settings}
    study = type("Contract", (OracleContract,), own).config().study
    records = {}
    for trial in range(10):
        records[trial] = ended(trial, propose(study, trial, records))
    found = [records[trial].values["learning_rate"] for trial in range(4, 10)]
    assert found == pytest.approx(TODAY[strategy], rel=1e-4)
    assert found != pytest.approx(earlier, rel=1e-4)
