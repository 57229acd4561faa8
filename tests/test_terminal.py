"""What the commands share."""

import errno
import gc
import io
import logging
import os
import signal
import subprocess
import sys

import pytest
import typer

from tfcourse.errors import InputError
from tfcourse.quiet import quiet_start
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.tables import best_table
from tfcourse.terminal import console, ready_streams, reporting, signals_interrupt


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_drops_logged_warnings_until_the_command_has_ended(quiet, caplog):
    logger = logging.getLogger("tfcourse")
    with reporting(False, quiet):
        logger.warning("in the command")
        logger.error("an error")
    logger.warning("after it")
    assert caplog.messages == ["in the command"] * (not quiet) + ["an error", "after it"]


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


def test_a_closed_stderr_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with quiet_start():
        pass
    ask = "import os; from tfcourse.terminal import ready_streams; ready_streams(); "
    ask += "print(os.path.samestat(os.fstat(2), os.stat(os.devnull)), os.get_inheritable(2))"
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", ask]
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout == b"True True\n"


def test_garbage_is_collected_again_after_the_start(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(ImportError), quiet_start():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with quiet_start():
            pass
        assert not gc.isenabled(), "whoever turned it off keeps it off"
    finally:
        gc.enable()


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
    ready_streams()
    print("from – to ±", flush=True)
    assert written.getvalue() == b"from ? to \xb1\n"


@pytest.mark.parametrize(
    ("where", "shown"), [(("/full/best.keras",), "/full/best.keras"), ((), "the disk")]
)
def test_what_the_disk_refuses_is_told_in_a_line(where, shown, capsys):
    with pytest.raises(typer.Exit) as ended, reporting(debug=False):
        raise OSError(errno.ENOSPC, "HDF5 says much", *where)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        f"Error: {shown} can't be written or read: No space left on device. Correct that and run "
        "the same command again: the record is kept.\n"
    )


@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, "reset"), OSError("?")], ids=repr
)
def test_other_errors_of_the_system_are_not_hidden(error):
    with pytest.raises(type(error)) as caught, reporting(debug=False):
        raise error
    assert caught.value is error


def test_any_interrupted_command_ends_with_130(capsys):
    with pytest.raises(typer.Exit) as ended, reporting(debug=False):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "\nInterrupted. Nothing was written; the same command starts over.\n"


def test_a_traceback_is_printable_too(capsys):
    with pytest.raises(typer.Exit), reporting(debug=True):
        raise InputError("a value \x1b[2J")
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("tfcourse.errors.InputError: a value \\x1b[2J\n")


def test_a_traceback_that_cannot_be_had_still_ends_with_a_code(capsys):
    class OddError(InputError):
        @property
        def __notes__(self):
            raise RuntimeError("no notes")

    ended = None
    try:
        with reporting(debug=True):
            raise OddError("wrong")
    except typer.Exit as error:
        ended = error.exit_code
    except RuntimeError:  # pytest can't show it either
        pass
    assert ended == 2
    assert "(its traceback can't be shown)" in capsys.readouterr().err
