"""Trainings with commands between their epochs: what changes, and that it can be repeated."""

import json
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.babysit.trainings import MODELS, Reusable, Run, X, Y, assert_same, build, traces
from tests.seeds import set_seeds
from tfcourse import InputError, WorkFailedError, fit
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import Journal
from tfcourse.babysit.replay import Replay
from tfcourse.babysit.rule import Rule
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder

pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")


@pytest.fixture(autouse=True)
def restart_models():
    MODELS.restart()


def test_without_commands_it_is_fit(tmp_path):
    run = Run(tmp_path / "run", build()).train(3)
    model = MODELS()
    history = fit(
        model, X, Y, batch_size=16, epochs=3, validation_data=(X, Y), seed=1, verbose=0,
        jit_compile=False,
    )  # fmt: skip
    assert [entry.loss for entry in run.journal if entry.kind == "epoch"] == history.history["loss"]
    for value, wanted in zip(run.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, wanted)
    assert run.kinds == ["start", "epoch", "epoch", "epoch", "end"]


def test_a_nudge_takes_effect_at_the_next_epoch_and_nothing_is_traced_again(tmp_path):
    run = Run(tmp_path / "run", build())
    before = {}

    def nudge():
        run.send("nudge", changes={"learning_rate": 0.003, "beta_1": 0.95, "dropout": 0.1})
        assert run.model.optimizer.beta_1 == 0.9, "not before the epoch"
        before.update(traces(run.model))

    run.train(4, {2: nudge})
    assert before and traces(run.model) == before
    assert float(run.model.optimizer.learning_rate) == np.float32(0.003)
    assert run.model.optimizer.beta_1 == 0.95
    assert run.model.layers[3].rate == 0.1
    rates = [e.values["learning_rate"] for e in run.journal if e.kind == "epoch"]
    assert rates == [0.01, 0.01, 0.003, 0.003]
    nudged = run.journal[3]
    assert (nudged.kind, nudged.epoch, nudged.loss) == ("nudge", 3, run.journal[2].loss)
    assert nudged.changes == {
        "learning_rate": (0.01, 0.003),
        "beta_1": (0.9, 0.95),
        "dropout": (0.3, 0.1),
    }
    # As one who sets the same variables by hand in a callback.
    model = MODELS()

    class ByHand(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                model.optimizer.learning_rate, model.optimizer.beta_1 = 0.003, 0.95
                model.layers[3].rate = 0.1

    fit(
        model, X, Y, batch_size=16, epochs=4, validation_data=(X, Y), seed=1, verbose=0,
        jit_compile=False, callbacks=[ByHand()],
    )  # fmt: skip
    for value, wanted in zip(run.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_a_rollback_restores_everything(tmp_path):
    plain = Run(tmp_path / "plain").train(4)
    run = Run(tmp_path / "run")
    plan = {
        2: lambda: run.send("nudge", changes={"learning_rate": 0.5, "dropout": 0.6}),
        4: lambda: run.send("rollback", to=2, because="worse"),
    }
    run.train(4, plan)
    assert run.kinds == ["start", *["epoch"] * 2, "nudge", *["epoch"] * 2, "rollback",
                         *["epoch"] * 2, "end"]  # fmt: skip
    assert_same(run.state, plain.state)
    assert run.model.layers[3].rate == 0.3
    assert [e.epoch for e in run.journal if e.kind == "epoch"] == [1, 2, 3, 4, 3, 4]
    assert run.journal[3].loss != run.journal[4].loss
    back = next(entry for entry in run.journal if entry.kind == "rollback")
    assert (back.to, back.epoch, back.because) == (2, 5, "worse")


def test_a_rollback_after_the_end_of_the_last_epoch(tmp_path):
    plain = Run(tmp_path / "plain").train(3)
    run = Run(tmp_path / "run")
    run.train(3, {3: lambda: run.send("rollback", to=0)})
    assert_same(run.state, plain.state)
    assert run.kinds.count("epoch") == 6


def test_a_rollback_with_another_rate(tmp_path):
    run = Run(tmp_path / "run")
    run.train(3, {2: lambda: run.send("rollback", to=1, changes={"learning_rate": 0.002})})
    rates = [e.values["learning_rate"] for e in run.journal if e.kind == "epoch"]
    assert rates == [0.01, 0.01, 0.002, 0.002]


def test_a_checkpoint_that_is_gone(tmp_path):
    run = Run(tmp_path / "run", keep=2)
    run.train(5, {4: lambda: run.send("rollback", to=1)})
    assert run.refusals == [
        "The checkpoint of epoch 1 is gone: the number of checkpoints to keep limits them. There "
        "are those of epochs 3 to 4."
    ]
    assert run.kinds.count("rollback") == 0


def test_a_pause_waits_for_commands(tmp_path):
    run = Run(tmp_path / "run")
    resumed = []

    def pause():
        run.send("pause")
        threading.Timer(0.3, lambda: run.send("nudge", changes={"beta_1": 0.8})).start()
        threading.Timer(0.5, lambda: run.send("nudge", changes={"beta_1": 0.7})).start()
        threading.Timer(0.7, lambda: resumed.append(run.kinds) or run.send("resume")).start()

    run.train(3, {1: pause})
    assert resumed == [["start", "epoch", "pause", "nudge", "nudge"]]
    assert run.kinds == [*resumed[0], "resume", "epoch", "epoch", "end"]
    assert run.model.optimizer.beta_1 == 0.7
    assert run.refusals == []


class TestExplosion:
    """A learning rate of 1e4 at epoch 3; the lowest loss before it is that of epoch 2."""

    def explode(self, path, rule, more=None):
        run = Run(path, MODELS(rate=0.0), rule)
        plan = {2: lambda: run.send("nudge", changes={"learning_rate": 1e4})}
        return run, {**plan, **(more or {})}

    def test_a_rollback_with_a_smaller_rate_until_it_helps(self, tmp_path):
        rule = Rule("rollback", factor=3.0, cut=1e-3, max_rollbacks=3)
        run, plan = self.explode(tmp_path / "run", rule)
        run.train(4, plan)
        backs = [entry for entry in run.journal if entry.kind == "rollback"]
        assert [(b.to, b.by) for b in backs] == [(2, "rule")] * len(backs) and backs
        pairs = [b.changes["learning_rate"] for b in backs]
        assert pairs[:2] == [(1e4, 10.0), (10.0, 0.01)][: len(pairs)]
        assert backs[0].because.startswith("the loss of epoch 3")
        assert run.runner.record.state.epoch == 4
        assert np.isfinite(run.model.get_weights()[0]).all()

    def test_it_ends_after_too_many(self, tmp_path):
        rule = Rule("rollback", factor=3.0, cut=0.999, max_rollbacks=2)
        run, plan = self.explode(tmp_path / "run", rule)
        with pytest.raises(WorkFailedError) as error:
            run.train(4, plan)
        assert str(error.value).startswith("The loss of epoch 3")
        assert str(error.value).endswith(
            "after 2 rollbacks: the training is back at the end of epoch 2. Leave it a command, "
            "such as tfcourse nudge --learning-rate with --no-wait, and start it again."
        )
        assert run.kinds.count("rollback") == 3
        # As the message says.
        run = Run(run.path, MODELS(rate=0.0), rule)
        run.send("nudge", changes={"learning_rate": 0.01})
        run.train(4)
        assert run.runner.record.state.epoch == 4

    def test_a_pause(self, tmp_path):
        run, plan = self.explode(tmp_path / "run", Rule("pause"))

        def resume():
            run.send("nudge", changes={"learning_rate": 0.01})
            run.send("resume")

        plan[3] = lambda: threading.Timer(0.5, resume).start()
        run.train(4, plan)
        kinds = ["epoch", "pause", "rollback", "nudge", "resume", "epoch", "epoch", "end"]
        assert run.kinds[-8:] == kinds

    def test_without_a_rate_to_cut(self, tmp_path):
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([7], [0.01, 1e5])
        run = Run(tmp_path / "run", build(keras.optimizers.SGD(schedule), rate=0.0))
        with pytest.raises(WorkFailedError, match="and the learning rate can't be changed: the"):
            run.train(4)
        assert run.kinds.count("rollback") == 1

    def test_none(self, tmp_path):
        run, plan = self.explode(tmp_path / "run", Rule("ignore"))
        run.train(4, plan)
        assert "rollback" not in run.kinds


PLAN = [
    (1, "nudge", {"changes": {"learning_rate": 0.02, "dropout": 0.5}}),
    (3, "rollback", {"to": 2, "changes": {"learning_rate": 0.03}}),
    (4, "note", {"text": "better"}),
    (5, "nudge", {"changes": {"beta_1": 0.5}}),
]


def plan_of(run):
    return {
        after: lambda kind=kind, fields=fields: run.send(kind, **fields)
        for after, kind, fields in PLAN
    }


class EndedHereError(BaseException):
    pass


def end_at_write(patch, number):
    """End a training before its n-th write (an even number), or right after it."""
    count = 0

    def wrap(owner, name):
        method = getattr(owner, name)

        def wrapper(*args, **kwargs):
            nonlocal count
            count += 2
            mine = count
            if mine == number:
                raise EndedHereError
            result = method(*args, **kwargs)
            if mine + 1 == number:
                raise EndedHereError
            return result

        patch.setattr(owner, name, wrapper)

    wrap(Journal, "append")
    wrap(CheckpointFolder, "save")
    wrap(RunFolder, "answer")
    wrap(Path, "unlink")


def live(path, model, unsent, epochs=5):
    """Train as a process does; the commands are sent once, after the same epochs in all lives."""
    run = Run(path, model())
    done = run.kinds.count("epoch")

    def send(number):
        _, kind, fields = PLAN[number]
        unsent.discard(number)
        run.send(kind, **fields)

    for number in sorted(unsent):
        if PLAN[number][0] <= done:
            send(number)
    return run.train(epochs, {PLAN[n][0]: lambda n=n: send(n) for n in unsent})


def test_ended_at_every_write_it_continues_as_an_undisturbed_run(tmp_path, monkeypatch):
    model = Reusable()
    undisturbed = live(tmp_path / "plain", model, {*range(len(PLAN))})
    journal = [e.without_time() for e in undisturbed.journal]
    state = undisturbed.state
    answers = [json.loads(p.read_text()) for p in (tmp_path / "plain" / "answers").iterdir()]
    assert len(answers) == len(PLAN) and all(answer["accepted"] for answer in answers)

    def neutral(entries):
        """Without what differs in each run: its id, and those of its commands."""
        return [entry.model_copy(update={"id": "", "run": ""}).without_time() for entry in entries]

    number = 2
    while True:
        path, unsent = tmp_path / str(number), {*range(len(PLAN))}
        with monkeypatch.context() as patch:
            end_at_write(patch, number)
            try:
                live(path, model, unsent)
                break
            except EndedHereError:
                pass
        run = live(path, model, unsent)
        assert not unsent
        assert neutral(run.journal) == neutral(undisturbed.journal), number
        assert_same(run.state, state)
        assert not [*run.runner.folder.waiting()]
        number += 1
    assert number > 60 and journal


def test_what_a_kill_left_is_deleted_but_not_a_command_that_is_being_sent(tmp_path):
    run = tmp_path / "run"
    left = [run / ".model-1d14a91d.keras", run / "answers" / ".nudge-0123abcd.json"]
    sent = run / "commands" / ".nudge-4567cdef.json"
    for file in [*left, sent]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    Run(run, build()).train(1)
    assert [file for file in left if file.exists()] == []
    assert sent.read_bytes() == b"half"


def test_a_damaged_checkpoint_is_trained_again(tmp_path):
    undisturbed = Run(tmp_path / "plain")
    undisturbed.train(5, plan_of(undisturbed))
    run = Run(tmp_path / "run")
    run.train(5, plan_of(run))
    files = sorted((tmp_path / "run" / "checkpoints").iterdir())
    for file in files[-3:]:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes(content)
    again = Run(tmp_path / "run")
    with pytest.warns(UserWarning, match="Continuing from the checkpoint before"):
        again.train(5)
    assert again.kinds == run.kinds and not again.messages
    assert_same(again.state, undisturbed.state)


def test_an_epoch_that_is_trained_again_with_other_numbers_is_reported(tmp_path):
    run = Run(tmp_path / "run").train(2)
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        file.unlink()
    again = Run(tmp_path / "run", MODELS(rate=0.0))
    again.train(2)
    loss = next(entry.loss for entry in run.journal if entry.kind == "epoch")
    assert again.messages[0].startswith("Epoch 1 is trained again from an earlier checkpoint, and ")
    assert (
        f"where the journal has {loss}: the data, the versions or the machine changed."
        in (again.messages[0])
    )
    assert again.kinds == run.kinds


class TestReplay:
    def test_it_gives_the_same_weights_and_journal(self, tmp_path):
        run = Run(tmp_path / "run")
        run.train(5, plan_of(run))
        replay = Replay(tmp_path / "run" / "journal.jsonl")
        again = Run(tmp_path / "again", replay=replay).train(5)
        assert replay.difference == ""
        assert_same(again.state, run.state)
        wanted = [e.without_time() for e in run.journal[1:]]
        assert [e.without_time() for e in again.journal[1:]] == wanted

    def test_of_an_unfinished_run_it_ends_where_that_does(self, tmp_path):
        run = Run(tmp_path / "run")
        run.train(3, {1: lambda: run.send("nudge", changes={"beta_1": 0.5})})
        replay = Replay(tmp_path / "run" / "journal.jsonl")
        again = Run(tmp_path / "again", replay=replay).train(5)
        assert again.kinds == run.kinds[:-1]
        assert_same(again.state, run.state)

    def test_a_difference_is_told(self, tmp_path):
        run = Run(tmp_path / "run").train(2)
        replay = Replay(tmp_path / "run" / "journal.jsonl")
        set_seeds(5)
        again = Run(tmp_path / "again", build(rate=0.4), replay=replay).train(2)
        losses = run.journal[1].loss, again.journal[1].loss
        assert replay.difference == (
            f"The numbers differ from epoch 1 on: its loss was {losses[0]} and now is {losses[1]}. "
            "Config, data, versions or machine differ."
        )

    def test_a_folder_with_another_run(self, tmp_path):
        run = Run(tmp_path / "run")
        run.train(2, {1: lambda: run.send("note", text="a")})
        other = Run(tmp_path / "other")
        other.train(2, {1: lambda: other.send("note", text="b")})
        with pytest.raises(InputError, match="has a note before epoch 2 where that has a note"):
            Run(tmp_path / "other", replay=Replay(tmp_path / "run" / "journal.jsonl"))


class TestFolder:
    def test_what_is_no_command_is_put_aside(self, tmp_path):
        run = Run(tmp_path / "run")
        commands = tmp_path / "run" / "commands"

        def litter():
            (commands / "readme.txt").write_text("hello")
            (commands / "torn.json").write_text('{"id": "torn", "kin')
            (commands / "folder").mkdir()
            (commands / ".note-0123abcd.json").write_text("{}")  # is being written
            (commands / "bytes.json").write_bytes(b"\xff\xfe")
            text = run.send("note", text="x").model_dump_json()
            (commands / "other-name.json").write_text(text)
            (commands / "run.json").write_text(
                '{"id": "run", "run": "\\ud800", "kind": "note", "text": "x"}'
            )

        run.train(3, {1: litter})
        assert run.kinds == ["start", "epoch", "note", "epoch", "epoch", "end"]
        assert len(run.refusals) == 6
        assert any(text.startswith(r'The command is for the run "\ud800"') for text in run.refusals)
        refused = {path.name.partition("-")[2] for path in (commands / "refused").iterdir()}
        assert refused == {"readme.txt", "torn.json", "folder", "bytes.json", "other-name.json"}
        assert (
            "commands/readme.txt is put aside: The command is not a JSON object. Received: 'hello'."
        ) in run.refusals

    def test_a_command_of_another_run_changes_nothing(self, tmp_path):
        other = Run(tmp_path / "other")
        foreign = other.send("nudge", changes={"beta_1": 0.5})
        other.runner.close()
        run = Run(tmp_path / "run")
        run.train(2, {1: lambda: run.runner.folder.send(foreign)})
        (refusal,) = run.refusals
        assert f'for the run "{foreign.run}", and this is the run' in refusal
        assert run.model.optimizer.beta_1 == 0.9

    def test_a_duplicate_is_answered_again_and_not_followed(self, tmp_path):
        run = Run(tmp_path / "run")
        command = []

        def first():
            command.append(run.send("nudge", changes={"beta_1": 0.5}))

        def again():
            run.send("nudge", changes={"beta_1": 0.6})
            run.runner.folder.send(command[0])

        run.train(4, {1: first, 2: again})
        assert run.kinds.count("nudge") == 2
        assert run.model.optimizer.beta_1 == 0.6
        answer = run.runner.folder.read_answer(command[0])
        assert (answer.accepted, answer.epoch) == (True, 2)
        assert answer.message == "From epoch 2 on: beta_1 0.9 → 0.5"


def test_a_journal_of_a_model_without_one_of_its_hyperparameters(tmp_path):
    Run(tmp_path / "run", MODELS(rate=0.0)).train(1)
    with pytest.raises(
        InputError, match=r"journal\.jsonl: its start has no dropout, which the model"
    ):
        Run(tmp_path / "run", MODELS(rate=0.3))
