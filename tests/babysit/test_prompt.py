"""Commands that are typed into the terminal of a training."""

import os
import pty
import sys
import time

import pytest

from tests.babysit.entries import start
from tfcourse.babysit import prompt
from tfcourse.babysit.commands import parse_command
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import Journal
from tfcourse.babysit.prompt import HELP, parse_line, typed_commands
from tfcourse.errors import InputError


@pytest.mark.parametrize(
    ("line", "kind", "fields"),
    [
        ("learning-rate 0.003", "nudge", {"changes": {"learning_rate": 0.003}}),
        (
            " --beta-1 .95 dropout 0.1 because it is noisy ",
            "nudge",
            {"changes": {"beta_1": 0.95, "dropout": 0.1}, "because": "it is noisy"},
        ),
        ("nudge learning_rate 1e-3", "nudge", {"changes": {"learning_rate": 0.001}}),
        ("learning-rate fast", "nudge", {"changes": {"learning_rate": "fast"}}),
        ("rollback 4", "rollback", {"to": 4, "changes": {}}),
        (
            "rollback 0 learning-rate 1 because of NaN",
            "rollback",
            {"to": 0, "changes": {"learning_rate": 1.0}, "because": "of NaN"},
        ),
        ("pause", "pause", {}),
        ("resume because lunch is over", "resume", {"because": "lunch is over"}),
        ("note  a because b", "note", {"text": "a because b"}),
    ],
)
def test_a_line(line, kind, fields):
    assert parse_line(line) == (kind, fields)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rollback", "Type \"rollback EPOCH\", such as rollback 4. Received: ''."),
        ("rollback -1", "Type \"rollback EPOCH\", such as rollback 4. Received: '-1'."),
        ("pause 3", "pause takes nothing else. Received: '3'."),
        (
            "faster",
            "Type names and values, such as learning-rate 0.003; or help. Received: 'faster'.",
        ),
    ],
)
def test_a_line_that_is_no_command(line, message):
    with pytest.raises(InputError) as error:
        parse_line(line)
    assert str(error.value) == message


@pytest.fixture
def terminal(monkeypatch):
    """A terminal as stdin, and a function that types into it."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda text: os.write(master, text.encode())
    os.close(master)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    journal = Journal(folder.journal)
    journal.append(start())
    journal.close()
    return folder


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_typed_lines_become_commands(terminal, folder, monkeypatch):
    monkeypatch.setattr(prompt, "_is_in_foreground", lambda descriptor: True)
    answers = []
    with typed_commands(folder.path, answers.append):
        terminal("help\n\nlearning-rate 0.5 beta")
        wait_for(lambda: HELP in answers)
        terminal("-1 0.8\nmomentum 0.3\n")
        wait_for(lambda: len(answers) == 3)
    (file,) = folder.waiting()
    command = parse_command(file.read_text())
    assert (command.kind, command.run) == ("nudge", "a1")
    assert command.changes == {"learning_rate": 0.5, "beta_1": 0.8}
    assert answers[1:] == [
        HELP,
        'Refused: "momentum" can\'t be changed during this training. Hyperparameters that can: '
        "learning_rate, beta_1, dropout.",
    ]


def test_nothing_is_read_in_the_background(terminal, folder):
    """A process in the background is stopped when it reads; this terminal is not ours."""
    with typed_commands(folder.path, print):
        terminal("pause\n")
        time.sleep(0.5)
    assert not [*folder.waiting()]


def test_without_a_terminal_there_is_no_thread(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", None)
    with typed_commands(folder.path, print):
        pass
    (tmp_path / "input").write_text("pause\n")
    with (tmp_path / "input").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with typed_commands(folder.path, print):
            time.sleep(0.3)
    assert not [*folder.waiting()]


def test_windows_has_no_typed_commands(terminal, folder, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    answers = []
    with typed_commands(folder.path, answers.append):
        terminal("pause\n")
        time.sleep(0.1)
    assert not [*folder.waiting()]
    assert answers == [
        "On Windows commands can't be typed here. They can be sent from another terminal: "
        f"tfcourse nudge {folder.path}"
    ]


def test_before_the_training_has_begun(terminal, tmp_path, monkeypatch):
    monkeypatch.setattr(prompt, "_is_in_foreground", lambda descriptor: True)
    answers = []
    with typed_commands(tmp_path / "run", answers.append):
        terminal("pause\n")
        wait_for(lambda: len(answers) == 2)
    assert answers[1:] == ["Refused: The training has not begun yet. Type it again when it has."]
