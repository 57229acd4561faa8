"""What the commands share."""

import io
import os
import signal
import sys

import pytest

from tfcourse.search.display import best_table
from tfcourse.search.record.records import TrialRecord
from tfcourse.terminal import console, signals_interrupt, write_any_text


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_ask_for_an_end_interrupt(how):
    before = signal.getsignal(how)
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        os.kill(os.getpid(), how)
        signal.sigtimedwait([], 1)
    assert signal.getsignal(how) is before


def test_an_ignored_signal_stays_ignored():
    """What ``nohup`` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
            signal.sigtimedwait([], 1)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_names_and_values_are_printed_as_they_are(capsys):
    names = ["[relu]", "[/b]", ":warning:"]
    record = TrialRecord(0, "completed", dict.fromkeys(names, "[/red]"), score=0.5)
    console.print(best_table([record], "val_[bold]loss", names))
    said = capsys.readouterr().out
    for shown in (*names, "[/red]", "val_[bold]loss"):
        assert shown in said


def test_text_that_stdout_cannot_encode_is_no_error(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    with pytest.raises(UnicodeEncodeError):
        print("from – to ±")
    write_any_text()
    print("from – to ±", flush=True)
    assert written.getvalue() == b"from ? to \xb1\n"
