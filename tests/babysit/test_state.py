"""The state that a journal tells of, and the rule for explosions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.babysit.entries import VALUES, epochs, start
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.rule import epoch_to_return_to, explosion
from tfcourse.babysit.state import RunState, follow, state_of


def nudge(epoch, **values):
    changes = {name: (0.0, value) for name, value in values.items()}
    return Entry(kind="nudge", time="t", epoch=epoch, id=f"n{epoch}", changes=changes)


def rollback(epoch, to, by="", **values):
    changes = {name: (0.0, value) for name, value in values.items()}
    return Entry(
        kind="rollback", time="t", epoch=epoch, to=to, id=f"r{epoch}-{to}", by=by, changes=changes
    )


def event(kind, epoch=1):
    return Entry(kind=kind, time="t", epoch=epoch, id=kind)


class TestState:
    def test_before_anything(self):
        assert state_of([]) == RunState()
        state = state_of([start()])
        assert (state.run, state.epoch, state.loss) == ("a1", 0, None)
        assert state.values_in(1) == VALUES

    def test_a_change_is_in_effect_from_its_epoch_on(self):
        state = state_of([start(), *epochs(2), nudge(3, beta_1=0.5), *epochs(1, 3)])
        assert [state.values_in(n)["beta_1"] for n in (1, 2, 3, 4)] == [0.9, 0.9, 0.5, 0.5]
        assert state.changes_before(3) == {"beta_1": 0.5}
        assert state.changes_before(4) == {}

    def test_the_last_change_before_an_epoch_counts(self):
        state = state_of([start(), nudge(1, beta_1=0.5), nudge(1, beta_1=0.6, dropout=0.3)])
        assert state.changes_before(1) == {"beta_1": 0.6, "dropout": 0.3}

    def test_a_rollback_undoes_what_took_effect_later(self):
        entries = [
            start(), *epochs(2), nudge(3, beta_1=0.5), *epochs(2, 3), nudge(5, dropout=0.4),
        ]  # fmt: skip
        state = state_of([*entries, rollback(5, 3)])
        assert (state.epoch, state.loss) == (3, 0.3)
        assert state.values_in(4) == {**VALUES, "beta_1": 0.5}
        state = state_of([*entries, rollback(5, 2, learning_rate=0.1)])
        assert state.values_in(2) == VALUES
        assert state.values_in(3) == {**VALUES, "learning_rate": 0.1}
        assert state_of([*entries, rollback(5, 0)]).epochs == ()

    def test_pause_and_end(self):
        assert state_of([start(), event("pause")]).pause is not None
        assert state_of([start(), event("pause"), event("resume")]).pause is None
        state = state_of([start(), *epochs(2), event("end", 2)])
        assert state.has_ended
        assert not follow(state, rollback(3, 1)).has_ended
        assert not follow(state, epochs(1, 3)[0]).has_ended
        assert follow(state, event("note")).has_ended

    def test_rollbacks_by_the_rule_are_counted_until_a_person_acts(self):
        entries = [start(), *epochs(3), rollback(4, 2, "rule"), rollback(3, 1, "rule")]
        assert state_of(entries).rule_rollbacks == 2
        assert state_of([*entries, event("note")]).rule_rollbacks == 2
        assert state_of([*entries, nudge(2, beta_1=0.5)]).rule_rollbacks == 0
        assert state_of([*entries, rollback(2, 1)]).rule_rollbacks == 0

    @given(st.data())
    def test_it_is_that_of_the_branch_alone(self, data):
        """Against a list that is cut: what a rollback drops has no effect on anything after."""
        branch, entries = [], [start()]
        for number in range(data.draw(st.integers(0, 30))):
            done = sum(entry.kind == "epoch" for entry in branch)
            kind = data.draw(st.sampled_from(["epoch", "epoch", "nudge", "rollback"]))
            if kind == "epoch":
                entries += epochs(1, done + 1)
                branch += entries[-1:]
            elif kind == "nudge":
                entries.append(nudge(done + 1, beta_1=number / 100))
                branch += entries[-1:]
            else:
                to = data.draw(st.integers(0, done))
                entries.append(rollback(done + 1, to))
                cut = [e for e in branch if e.epoch <= to]
                branch = cut
        state, plain = state_of(entries), state_of([start(), *branch])
        assert state.epochs == plain.epochs
        for epoch in range(1, state.epoch + 2):
            assert state.values_in(epoch) == plain.values_in(epoch)
            assert state.changes_before(epoch) == plain.changes_before(epoch)


class TestRule:
    @pytest.mark.parametrize(
        ("losses", "reason"),
        [
            ([], ""),
            ([9.0], ""),
            ([1.0, 3.0], ""),
            ([1.0, 2.0, 3.1], "the loss of epoch 3, 3.1, is more than 3 times the lowest, 1 in "
             "epoch 1"),
            ([2.0, 1.0, 2.0, 3.5], "the loss of epoch 4, 3.5, is more than 3 times the lowest, 1 "
             "in epoch 2"),
            ([8.0, 0.1, 3.9], ""),
            ([8.0, 0.1, 4.1], "the loss of epoch 3, 4.1, is more than 3 times the lowest, 0.1 in "
             "epoch 2"),
            ([math.nan], "the loss of epoch 1 is nan"),
            ([1.0, math.inf], "the loss of epoch 2 is inf"),
            ([-1.0, 5.0], ""),
            ([0.0, 5.0], ""),
        ],
    )  # fmt: skip
    def test_an_explosion(self, losses, reason):
        assert explosion(epochs(len(losses), losses=losses), 3.0) == reason

    @pytest.mark.parametrize(
        ("losses", "checkpoints", "to"),
        [
            ([3.0, 1.0, 2.0, 9.0], [0, 1, 2, 3, 4], 2),
            ([3.0, 1.0, 2.0, 9.0], [3, 4], 3),
            ([3.0, 1.0, 2.0, 9.0], [0, 4], 0),
            ([3.0, 1.0, 1.0, 9.0], [0, 1, 2, 3], 3),
            ([math.nan], [0, 1], 0),
            ([3.0, 9.0], [2], None),
        ],
    )
    def test_the_epoch_to_return_to(self, losses, checkpoints, to):
        assert epoch_to_return_to(epochs(len(losses), losses=losses), checkpoints) == to
