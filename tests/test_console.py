"""What reaches a terminal: text, and nothing that steers it."""

import io

import pytest

from tfcourse.console import PlainConsole, one_line, printable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.tables import best_table
from tfcourse.terminal import _print_error

NASTY = "\x1b[2J\x1b]0;title\x07[bold]\r\b\x00\x9b1m\u202e:smile:"
SHOWN = r"\x1b[2J\x1b]0;title\x07[bold]\r\x08\x00\x9b1m\u202e:smile:"


@pytest.fixture
def terminal():
    """A console on a terminal, and what was written to it."""
    written = io.StringIO()
    return PlainConsole(file=written, force_terminal=True, width=200), written


def test_what_is_not_printable_is_escaped():
    assert printable(NASTY) == SHOWN
    assert printable("é – ± 日本\n") == "é – ± 日本\n"
    assert printable("\udcff") == r"\udcff"  # of a path that is not UTF-8


def test_a_message_is_one_line_and_not_endless():
    assert one_line("a\nb\r\n") == r"a\nb\r\n"
    assert one_line("x" * 500) == "x" * 500
    assert one_line("x" * 10_000) == "x" * 500 + "… (10000 characters)"


def test_nothing_steers_the_terminal(terminal):
    console, written = terminal
    console.print(NASTY, highlight=False, soft_wrap=True)
    assert written.getvalue() == SHOWN + "\n"


def test_nothing_breaks_a_table(terminal):
    console, written = terminal
    values = {NASTY: "[/b]", "kind": "one\n\x1b[2J\r\x9b", "long": f"{NASTY * 9}"}
    console.print(best_table([TrialRecord(0, "completed", values, 0.5, 1)], NASTY, values))
    said = written.getvalue()
    assert all(code not in said for code in ("\x1b[2J", "\x1b]", "\x07", "\r", "\x9b"))
    assert r"one\n\x1b[2J\r\x9b" in said
    assert "[/b]" in said


def test_an_error_is_shown_as_it_is(capsys):
    _print_error(f"a builder said {NASTY}")
    assert capsys.readouterr().err == f"Error: a builder said {SHOWN}\n"


def test_an_endless_error_is_cut(capsys):
    _print_error(f"a known line\n{'x' * 10_000}")
    said = capsys.readouterr().err
    assert said == f"Error: a known line\n{'x' * 2000}… (10000 characters)\n"


@pytest.mark.parametrize(("no_color", "styled"), [("1", False), ("", True)])
def test_no_color_sends_no_styles(no_color, styled, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    written = io.StringIO()
    console = PlainConsole(file=written, force_terminal=True)
    console.print("1 is bold", style="bold")
    assert ("\x1b[" in written.getvalue()) == styled
