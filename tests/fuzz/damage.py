"""Files that were damaged in any way, or have something else in their place."""

import os
import shutil
import signal
import socket
import traceback
from contextlib import contextmanager

__all__ = ["BYTES", "PLACES", "damage", "limited_time", "unprivileged"]

NOBODY = 65534
BYTES = {
    "empty": lambda whole: b"",
    "a byte": lambda whole: whole[:1],
    "truncated": lambda whole: whole[: len(whole) // 2],
    "without its end": lambda whole: whole[:-1],
    "zeroed": lambda whole: bytes(len(whole)),
    "a zero in the middle": lambda whole: whole[: len(whole) // 2] + b"\0" * 9 + whole[9:][-99:],
    "twice": lambda whole: whole + whole,
    "JSON": lambda whole: b'{"epoch": 1}\n',
    "a list": lambda whole: b"[1, 2]\n",
    "no text": lambda whole: b"\xff\xfe\xfa" * 30,
}
PLACES = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "full folder": lambda path: (path.mkdir(), (path / "mine.txt").touch()),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "loop of links": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,  # whose other end nobody opens
    "socket": lambda path: _listen(path),
}


def damage(path, kind):
    """Damage a file or a folder; one of the `BYTES` has no effect on a folder."""
    if kind in PLACES:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        PLACES[kind](path)
    elif path.is_file():
        path.write_bytes(BYTES[kind](path.read_bytes()))


def _listen(path):
    """Leave the file of a socket, whose path would have to be short."""
    folder = os.open(".", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            os.chdir(path.parent)
            listener.bind(path.name)
        finally:
            os.fchdir(folder)
            os.close(folder)


@contextmanager
def limited_time(seconds=20):
    """Raise an error where a call waits without end, as one that reads a pipe."""

    def give_up(number, frame):
        raise AssertionError(f"it has waited for {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def unprivileged(function):
    """Call a function as a user without privileges, in a forked child where this one is root.

    Returns:
        The text that it returns.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        try:
            if os.getuid() == 0:  # whom no permission stops
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writer, function().encode())
            os._exit(0)
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as end:
        text = end.read()
    _, status = os.waitpid(process, 0)
    assert status == 0, text
    return text
