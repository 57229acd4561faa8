"""Commands: which are accepted, and the exact words in which the others are refused."""

import json

import pytest

from tests.babysit.entries import command, epochs, start
from tfcourse.babysit.commands import new_id, parse_command
from tfcourse.babysit.decisions import Situation, decide, listed
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.state import state_of
from tfcourse.errors import InputError

NAMES = "learning_rate, beta_1, dropout"


def situation(done=3, total=10, checkpoints=(0, 2, 3), batch=(), more=()):
    state = state_of([start(), *epochs(done), *more])
    return Situation(state, total, checkpoints, batch)


def refusal(fields, **options):
    with pytest.raises(InputError) as error:
        decide(command(**fields), situation(**options))
    return str(error.value)


def nudge(**changes):
    return {"kind": "nudge", "changes": changes}


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "The command is not a JSON object. Received: '{'."),
            ("", "The command is not a JSON object. Received: ''."),
            ("[]", "[command] must be a table. Received: []."),
            (
                '{"id": "a", "run": "r", "kind": "nugde"}',
                '[command] kind must be one of "nudge", "rollback", "pause", "resume", "note". '
                "Received: 'nugde'. Did you mean \"nudge\"?",
            ),
            (
                '{"id": "a", "run": "r", "kind": "pause", "epcoh": 3}',
                "[command] epcoh is not a known key. Known: id, run, kind, changes, to, text, "
                "because.",
            ),
            (
                '{"id": "../a", "run": "r", "kind": "pause"}',
                "[command] id: must be letters, digits, '.', '_' or '-', and start with a letter "
                "or digit. Received: '../a'.",
            ),
            ('{"id": "a", "kind": "pause"}', "[command] run is required and missing."),
            (
                '{"id": "a", "run": "r", "kind": "nudge"}',
                "A nudge needs a new value for at least one hyperparameter. Received: nothing.",
            ),
            (
                '{"id": "a", "run": "r", "kind": "rollback", "changes": {"beta_1": 0.5}}',
                "A rollback needs the epoch to return to. Received: changes.",
            ),
            (
                '{"id": "a", "run": "r", "kind": "note"}',
                "A note needs a text. Received: nothing.",
            ),
            (
                '{"id": "a", "run": "r", "kind": "pause", "to": 0}',
                "to is for rollback. Received: pause.",
            ),
            (
                '{"id": "a", "run": "r", "kind": "resume", "changes": {"beta_1": 0.5}}',
                "changes is for nudge and rollback. Received: resume.",
            ),
            (
                '{"id": "a", "run": "r", "kind": "rollback", "to": 1.5}',
                "[command] to: must be a valid integer. Received: 1.5.",
            ),
        ],
    )
    def test_a_malformed_command(self, text, message):
        with pytest.raises(InputError) as error:
            parse_command(text)
        assert str(error.value) == message

    def test_a_command_survives_its_file(self):
        sent = command("rollback", to=3, changes={"learning_rate": 0.1}, because="ä")
        assert parse_command(sent.model_dump_json(exclude_defaults=True)) == sent
        assert parse_command(json.dumps(sent.model_dump())) == sent

    def test_ids_are_in_the_order_of_time(self):
        ids = [new_id() for _ in range(100)]
        assert ids == sorted(ids) and len({*ids}) == 100


class TestAccepted:
    def test_a_nudge(self):
        entry = decide(command("nudge", changes={"beta_1": 0.5}, because="why"), situation())
        assert (entry.kind, entry.epoch, entry.loss) == ("nudge", 4, 0.3)
        assert entry.changes == {"beta_1": (0.9, 0.5)}
        assert (entry.because, entry.id) == ("why", "c1")

    @pytest.mark.parametrize("to", [0, 2, 3])
    def test_a_rollback(self, to):
        entry = decide(command("rollback", to=to, changes={"learning_rate": 1}), situation())
        assert (entry.to, entry.epoch) == (to, 4)
        assert entry.changes == {"learning_rate": (0.01, 1.0)}

    def test_a_rollback_after_the_last_epoch(self):
        assert decide(command("rollback", to=2), situation(total=3)).to == 2

    def test_values_are_those_of_the_epoch_that_is_returned_to(self):
        changed = Entry(
            kind="nudge", time="t", epoch=3, id="x", changes={"learning_rate": (0.01, 0.5)}
        )
        moment = situation(more=[changed])
        back = command("rollback", to=2, changes={"learning_rate": 0.1})
        assert decide(back, moment).changes == {"learning_rate": (0.01, 0.1)}
        again = command("nudge", changes={"learning_rate": 0.1})
        assert decide(again, moment).changes == {"learning_rate": (0.5, 0.1)}

    def test_the_same_change_twice(self):
        first = decide(command("nudge", changes={"beta_1": 0.5}), situation())
        assert decide(command("nudge", changes={"beta_1": 0.5}), situation(batch=(first,)))


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "options", "message"),
        [
            (
                nudge(learning_rat=0.1),
                {},
                '"learning_rat" can\'t be changed during this training. Did you mean '
                f'"learning_rate"? Hyperparameters that can: {NAMES}.',
            ),
            (
                nudge(batch_size=4),
                {},
                '"batch_size" can\'t be changed during this training. Hyperparameters that can: '
                f"{NAMES}.",
            ),
            (
                nudge(learning_rate="fast"),
                {},
                "learning_rate must be a number >= 0. Received: 'fast'.",
            ),
            (
                nudge(learning_rate=True),
                {},
                "learning_rate must be a number >= 0. Received: True.",
            ),
            (
                nudge(learning_rate=float("nan")),
                {},
                "learning_rate must be a number >= 0. Received: nan.",
            ),
            (nudge(beta_1=1.0), {}, "beta_1 must be a number in [0, 1). Received: 1.0."),
            (nudge(dropout=0), {}, "dropout must be a number in (0, 1). Received: 0."),
            (
                {"kind": "rollback", "to": 4},
                {},
                "A rollback returns to the end of an epoch from 0 to 3, the last one that is done. "
                "Received: 4.",
            ),
            (
                {"kind": "rollback", "to": -1},
                {},
                "A rollback returns to the end of an epoch from 0 to 3, the last one that is done. "
                "Received: -1.",
            ),
            (
                {"kind": "rollback", "to": 1},
                {},
                "The checkpoint of epoch 1 is gone: the number of checkpoints to keep limits them. "
                "There are those of epochs 0 and 2 to 3.",
            ),
            (
                {"kind": "pause", "run": "b2"},
                {},
                'The command is for the run "b2", and this is the run "a1": it was started over. '
                "Send the command again if it is meant for this one.",
            ),
            (
                nudge(beta_1=0.5),
                {"total": 3},
                "The command nudge comes too late: the last epoch, 3, is done. A rollback to an "
                "earlier epoch trains from there again.",
            ),
            ({"kind": "resume"}, {}, "The training is not paused."),
            (
                {"kind": "pause"},
                {"more": [Entry(kind="pause", time="t", epoch=4, id="p")]},
                "The training is already paused, before epoch 4.",
            ),
        ],
    )
    def test_a_refusal(self, fields, options, message):
        assert refusal(fields, **options) == message

    def test_contradictions_of_one_moment(self):
        first = decide(command("nudge", changes={"beta_1": 0.5}), situation())
        assert refusal(nudge(beta_1=0.6), batch=(first,)) == (
            "Another command of the same moment has set beta_1 to 0.5. Send this one again after "
            "the next epoch if it is still meant."
        )
        assert refusal({"kind": "rollback", "to": 2}, batch=(first,)) == (
            "Another command of the same moment has changed the training: a rollback would undo "
            "it. Send it again after the next epoch if it is still meant."
        )


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "no epoch"),
        ([3], "epoch 3"),
        ([3, 5], "epochs 3 and 5"),
        ([9, 1, 4, 5, 6], "epochs 1, 4 to 6 and 9"),
    ],
)
def test_epochs_in_words(numbers, text):
    assert listed(numbers) == text
