"""The user's code that hangs in this process is ended, and nothing else is disturbed."""

import contextlib
import signal
import socket
import threading
import time

import pytest

from tfcourse import time_limits
from tfcourse.errors import InputError
from tfcourse.time_limits import limited, limits_now, time_limit

FOREVER = 600


@pytest.fixture(autouse=True)
def alarm():
    """The handler of alarms; a test must leave it, and no alarm."""
    before = signal.getsignal(signal.SIGALRM)
    yield before
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def sleep():
    time.sleep(FOREVER)


def loop():
    while True:
        pass


def listen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.accept()


def wait():
    threading.Event().wait()


def retry():
    while True:
        with contextlib.suppress(Exception):
            time.sleep(FOREVER)


def catch_first():
    try:
        time.sleep(FOREVER)
    except:  # noqa: E722  (as the user's code may have)
        time.sleep(FOREVER)


@pytest.mark.parametrize("hang", [sleep, loop, listen, wait, retry, catch_first])
def test_what_hangs_is_ended(monkeypatch, hang):
    monkeypatch.setattr(time_limits, "REPEAT_SECONDS", 0.05)
    said = r"^builder: the call did not end in 0\.1 s\. Give it more\.$"
    outside = time_limit(0.1, "Give it more.")
    with outside, pytest.raises(InputError, match=said), limited("builder", "the call"):
        hang()


def test_what_took_too_long_is_not_tried_again():
    tried = []
    with time_limit(0.05, "Give it more."):
        for key in ("source", "builder"):
            with pytest.raises(InputError, match=f"^{key}: the call did"), limited(key, "the call"):
                tried.append(key)
                sleep()
        with limited("builder", "another call"):
            tried.append("another")
    assert tried == ["source", "another"]


def test_an_error_inside_stays_itself():
    with time_limit(FOREVER, ""), pytest.raises(KeyError), limited("builder", "the call"):
        raise KeyError


def test_without_a_limit_there_is_no_alarm():
    assert not limits_now()
    with limited("builder", "the call"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_another_alarm_is_left_alone():
    signal.setitimer(signal.ITIMER_REAL, FOREVER)
    try:
        with time_limit(0.05, ""), limited("builder", "the call"):
            assert not limits_now()
            time.sleep(0.1)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_an_alarm_that_the_code_sets_stays(alarm):
    def own(number, frame):
        pass

    try:
        with time_limit(FOREVER, ""), limited("builder", "the call"):
            signal.signal(signal.SIGALRM, own)
            signal.setitimer(signal.ITIMER_REAL, FOREVER)
        assert signal.getsignal(signal.SIGALRM) is own
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)


def test_another_thread_has_no_limit():
    ended = []

    def work():
        with time_limit(0.05, ""), limited("builder", "the call"):
            assert not limits_now()
            time.sleep(0.1)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
