"""Interruptions that a destructor drops."""

import sys
import time

import pytest

from tfcourse.interrupts import redeliver_interrupts


class Raises:
    """An object whose destructor raises an exception."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def test_a_dropped_interruption_is_raised_again():
    before, start = sys.unraisablehook, time.monotonic()
    with pytest.raises(KeyboardInterrupt), redeliver_interrupts():
        Raises(KeyboardInterrupt())
        time.sleep(60)  # which it does not wait for
    assert time.monotonic() - start < 30
    assert sys.unraisablehook is before


def test_other_dropped_errors_are_reported_as_before(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: reported.append(dropped.exc_type))
    with redeliver_interrupts():
        Raises(KeyError())
        time.sleep(0.2)
    assert reported == [KeyError]
