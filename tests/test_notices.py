"""The texts that name the work in progress: on a terminal, and without one."""

import functools
import io
import threading

import pytest

from tfcourse import notices
from tfcourse.console import PlainConsole


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def screen(request, monkeypatch):
    """The text on stderr, which is a terminal or not."""
    screen = io.StringIO()
    screen.is_terminal = request.param
    own = functools.partial(PlainConsole, file=screen, force_terminal=request.param, width=40)
    monkeypatch.setattr(notices, "PlainConsole", lambda stderr: own())
    return screen


def test_a_notice_is_erased_or_a_line(screen):
    with pytest.raises(KeyError), notices.notice("[digits]: loading"):
        during = screen.getvalue()
        raise KeyError
    assert "[digits]: loading" in during
    assert ("\n" in during) == (not screen.is_terminal)
    assert screen.getvalue()[len(during) :] == ("\x1b[2K" if screen.is_terminal else "")


class AtOnce(threading.Thread):
    """A timer that does not wait, and has ended when ``start`` returns."""

    def __init__(self, seconds, function):
        super().__init__(target=function)

    def start(self):
        super().start()
        self.join()

    def cancel(self):
        pass


def test_work_is_named_after_some_seconds(screen, monkeypatch):
    monkeypatch.setattr(notices.threading, "Timer", AtOnce)
    with notices.working("[x] Drawing"):
        during = screen.getvalue()
    assert during if screen.is_terminal else during == "[x] Drawing\n"
    assert "[x] Drawing" in screen.getvalue()


def test_short_work_is_not_named(screen):
    with notices.working("Drawing", after=3600.0):
        pass
    assert screen.getvalue() == ""


@pytest.mark.parametrize("show", [notices.notice, notices.working])
def test_nothing_is_shown_where_it_is_disabled(show, screen):
    with show("Drawing", disable=True):
        pass
    assert screen.getvalue() == ""
