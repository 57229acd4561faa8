"""The user's code may not end the process, or the command, without a word."""

import contextlib
import os
import subprocess
import sys

import pytest

from tfcourse.imports import exit_as_error

EXIT = os._exit


def test_an_exit_is_an_error():
    said = r"^os\._exit\(3\) was called, which ends the process$"
    with pytest.raises(RuntimeError, match=said), exit_as_error():
        os._exit(3)
    assert os._exit is EXIT


def test_code_that_catches_its_errors_does_not_catch_the_exit():
    said = r"^os\._exit\(0\) was called"
    with pytest.raises(RuntimeError, match=said), exit_as_error(), contextlib.suppress(Exception):
        os._exit(0)


def test_a_name_that_was_bound_inside_works_inside_again():
    with exit_as_error():
        bound = os._exit
    with pytest.raises(RuntimeError, match=r"^os\._exit\(5\)"), exit_as_error():
        bound(5)


def test_the_inner_of_two_leaves_the_outer():
    with pytest.raises(RuntimeError, match=r"^os\._exit\(1\)"), exit_as_error():
        with exit_as_error():
            pass
        os._exit(1)


@pytest.mark.parametrize(
    ("does", "status"),
    [
        ("bound(3)", 3),  # outside
        ("\nwith exit_as_error(): threading.Thread(target=os._exit, args=(4,)).start(); wait()", 4),
        ("\nwith exit_as_error():\n child = os.fork()\n if not child: os._exit(5)\n"
         "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))", 5),
    ],
    ids=["outside", "thread", "fork"],
)  # fmt: skip
def test_elsewhere_it_ends_the_process(does, status):
    code = (
        "import os, sys, threading\nfrom tfcourse.imports import exit_as_error\n"
        f"wait = threading.Event().wait\nwith exit_as_error(): bound = os._exit\n{does}"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == status
