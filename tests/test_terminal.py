"""What the commands share."""

import os
import signal

import pytest

from tfcourse.terminal import signals_interrupt


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
