"""The epochs of a training that its score is of: the best, the last, or the mean of the last."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.conftest import RATE, load
from tfcourse import InputError
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.satisficing import Bound, judge
from tfcourse.search.records.score_at import scores_by_epoch
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.findings import findings
from tfcourse.search.results.tables import epochs_in_words
from tfcourse.search.store.identity import differences
from tfcourse.search.strategies.pruning import Asha, Pruning
from tfcourse.search.trials.scoring import combine, score_history

CURVES = st.lists(st.floats(-5, 5), min_size=1, max_size=12)
RULES = st.sampled_from(["best", "last", "mean_last_1", "mean_last_3", "mean_last_99"])


def by_hand(values, direction, rule):
    if rule == "best":
        return max(values) if direction == "max" else min(values)
    count = 1 if rule == "last" else int(rule.removeprefix("mean_last_"))
    return sum(values[-count:]) / len(values[-count:])


class TestScore:
    @given(CURVES, st.sampled_from(["max", "min"]), RULES)
    def test_the_score_after_each_epoch(self, curve, direction, rule):
        expected = [by_hand(curve[: n + 1], direction, rule) for n in range(len(curve))]
        assert scores_by_epoch(curve, direction, rule) == pytest.approx(expected)

    def test_a_value_that_is_not_finite_spoils_only_the_means_with_it(self):
        curve = [1.0, None, 2.0, 4.0]
        np.testing.assert_array_equal(scores_by_epoch(curve, "max", "last")[2:], [2.0, 4.0])
        assert np.isnan(scores_by_epoch(curve, "max", "mean_last_2")).tolist() == [
            *(False, True, True, False)
        ]

    @given(CURVES, CURVES, st.sampled_from(["max", "min"]), RULES)
    def test_the_fields_of_a_trial(self, curve, other, direction, rule):
        other = (other * 12)[: len(curve)]
        history = {"val_a": curve, "val_b": other}
        fields = score_history(history, "val_a", direction, score_at=rule)
        record = TrialRecord(0, values={}, **fields)
        assert record.score == pytest.approx(by_hand(curve, direction, rule))
        if rule == "best":
            assert record.best_epoch == curve.index(record.score) + 1
        else:
            assert record.best_epoch == len(curve)
        at_score = record.metrics_at_score
        assert at_score["val_a"] == pytest.approx(record.score)
        pairs = dict(zip(curve[::-1], other[::-1], strict=True)) if rule == "best" else {}
        b = pairs[record.score] if rule == "best" else by_hand(other, direction, rule)
        assert at_score["val_b"] == pytest.approx(b)

    def test_trainings_of_several_lengths_each_have_their_own_epochs(self):
        histories = [
            {"loss": [1.0, 1.0, 1.0, 1.0], "val_loss": [4.0, 1.0, 2.0, 3.0], "val_a": [1, 2, 3, 4]},
            {"loss": [1.0, 1.0], "val_loss": [6.0, 5.0], "val_a": [10, 20]},
        ]
        expected = {"best": (3.0, 11.0), "last": (4.0, 12.0), "mean_last_3": (3.75, 9.0)}
        for rule, (score, other) in expected.items():
            each = [score_history(h, "val_loss", "min", score_at=rule) for h in histories]
            record = TrialRecord(0, values={}, **combine(each))
            assert (record.score, record.metrics_at_score["val_a"]) == (score, other), rule

    def test_a_limit_is_about_the_epochs_of_the_score(self):
        history = {"val_loss": [3.0, 1.0, 2.0], "val_a": [0.0, 0.9, 0.5]}
        verdicts = {}
        for rule in ("best", "last", "mean_last_2"):
            fields = score_history(history, "val_loss", "min", score_at=rule)
            record = TrialRecord(0, values={}, **fields)
            verdicts[rule] = judge(record, [Bound("val_a", least=0.95)]).message
        assert verdicts == {
            "best": "Breaks val_a 0.9 < 0.95.",
            "last": "Breaks val_a 0.5 < 0.95.",
            "mean_last_2": "Breaks val_a 0.7 < 0.95.",
        }

    def test_the_words(self):
        record = TrialRecord(0, "completed", {}, 0.5, 9)
        assert epochs_in_words(record) == "epoch 9"
        mean = TrialRecord(0, "completed", {}, 0.5, 9, averaged_epochs=3)
        assert epochs_in_words(mean) == "mean of epochs 7 to 9"


class TestPruning:
    def test_a_trial_is_compared_by_the_score_that_it_would_have(self):
        others = {
            n: TrialRecord(n, "completed", {}, 0.0, 1, history={"val_loss": curve})
            for n, curve in enumerate([[1.0, 9.0], [2.0, 4.0], [3.0, 3.0]])
        }
        rule = Asha(reduction_factor=2, min_epochs=2)
        limits = {
            at: Pruning(rule, 3, "val_loss", "min", 1, at).limits(3, 4, others)
            for at in ("best", "last", "mean_last_2")
        }
        # The second best of 4 after 2 epochs.
        assert {at: limit.by_epoch[2].value for at, limit in limits.items()} == {
            "best": 2.0,
            "last": 4.0,
            "mean_last_2": 3.0,
        }
        verdicts = {at: limit.verdict([1.5, 3.5]) is None for at, limit in limits.items()}
        assert verdicts == {"best": True, "last": True, "mean_last_2": True}
        assert limits["best"].verdict([1.5, 9.0]) is None
        assert "val_loss 9 by epoch 2" in limits["last"].verdict([1.5, 9.0])
        assert "val_loss 5.25 by epoch 2" in limits["mean_last_2"].verdict([1.5, 9.0])


def test_findings_are_about_the_history_where_the_last_epoch_counts():
    rising = {"val_loss": [3.0, 2.0, 1.0]}
    falling = {"val_loss": [1.0, 2.0, 3.0]}
    for history, says_more_epochs in ((rising, True), (falling, False)):
        record = TrialRecord(0, "completed", {}, 1.0, 3, history=history)
        lines = findings({}, [record], [record], None, "val_loss", "min", "last")
        assert any("more [training] epochs" in line for line in lines) is says_more_epochs


class TestConfig:
    RAW = {"search": {"name": "a", "trials": 3}, "space": RATE}

    @pytest.mark.parametrize("value", ["first", "mean_last_0", "mean_last_", "mean_last_1.5"])
    def test_an_unknown_one_is_refused(self, value, tmp_path):
        search = {**self.RAW["search"], "score_at": value}
        with pytest.raises(InputError) as raised:
            load(tmp_path, {**self.RAW, "search": search})
        assert str(raised.value) == (
            f'{tmp_path / "search.toml"}: [search] score_at: must be "best", "last" or '
            f'"mean_last_K" with a whole K, such as "mean_last_3". Received: {value!r}.'
        )

    def test_the_default_is_that_of_searches_before_there_was_the_key(self, tmp_path):
        config = load(tmp_path, self.RAW)
        assert config.search.score_at == "best"
        assert "score_at" not in config.as_tables()["search"]
        search = {**self.RAW["search"], "score_at": "last"}
        last = load(tmp_path, {**self.RAW, "search": search})
        assert last.as_tables()["search"]["score_at"] == "last"
        assert last.study == config.study
        assert differences(config.as_tables(), last.as_tables()) == [
            "search.score_at is 'not set' there and 'last' here"
        ]


@pytest.mark.parametrize("caviar", ["reuse", "population"])
def test_the_model_has_the_weights_of_the_epochs_that_count(caviar, quick, monkeypatch):
    """The worst loss is the objective, which the last epoch does not have."""
    check = "tfcourse.search.runtime.preflight.preflight_population"
    monkeypatch.setattr(check, lambda *arguments: None)  # it trains two models of each search
    results = {}
    for rule in ("best", "last", "mean_last_2"):
        search = {"objective": "val_loss", "direction": "max", "score_at": rule, "caviar": caviar}
        search = quick(search={"name": rule, "trials": 2, **search}, training={"epochs": 3})
        results[rule] = search.run(verbose=False)
    dev = load_split(search.config).dev
    for rule, result in results.items():
        best, curve = result.best, result.best.history["val_loss"]
        assert best.score == pytest.approx(by_hand(curve, "max", rule))
        assert (best.best_epoch == 3) is (rule != "best")
        loss, _ = result.best_model().evaluate(dev.x, dev.y, verbose=0)
        assert loss == pytest.approx(curve[best.best_epoch - 1], rel=1e-4), rule
    histories = [{n: r.history for n, r in each.trials.items()} for each in results.values()]
    assert histories[0] == histories[1] == histories[2]
    assert f"(trial {best.trial}, mean of epochs 2 to 3)" in str(result)
