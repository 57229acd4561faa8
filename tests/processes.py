"""Processes of Python that needn't import TensorFlow: they are forked from one that has it.

An import and an exit of TensorFlow are 4 s of a core. They are for tests of what a process does
once it has started; `subprocess` is for those of how it starts.
"""

import atexit
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

__all__ = ["Process", "run"]

NUMBER = struct.Struct("q")  # as the forker tells one


@cache
def _forker():
    """The socket to the process that all are forked from; it ends with this one."""
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    command = [sys.executable, Path(__file__).with_name("forker.py"), str(number)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number])
    theirs.close()

    def end():
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Process:
    """``subprocess.Popen([sys.executable, *arguments])``, its output in pipes of text.

    Args:
        arguments: ``-c CODE``, ``-m MODULE`` or a file, and what comes after.
        cwd: Its folder; this process's by default.
        env: Its environment; this process's by default. It was started with another one: what
            Python and TensorFlow read at their start, they have read.
        stdin: A file to read from; nothing by default.
    """

    def __init__(self, arguments, cwd=None, env=None, stdin=None):
        line, theirs = socket.socketpair()
        ends = [os.pipe(), os.pipe()]
        with Path(os.devnull).open() as nothing, theirs:
            files = [stdin or nothing, *(end for _, end in ends), theirs]
            numbers = [file if isinstance(file, int) else file.fileno() for file in files]
            socket.send_fds(_forker(), [b"."], numbers)
        for _, end in ends:
            os.close(end)
        task = {
            "arguments": [str(each) for each in arguments],
            "folder": str(Path(cwd or ".").resolve()),
            "environ": dict(os.environ if env is None else env),
        }
        self.args, self.returncode = task["arguments"], None
        self.stdout, self.stderr = (os.fdopen(end, encoding="utf-8") for end, _ in ends)
        self._line = line
        line.sendall(f"{json.dumps(task)}\n".encode())
        self.pid = self._told()

    def _told(self):
        return NUMBER.unpack(self._line.recv(NUMBER.size, socket.MSG_WAITALL))[0]

    def poll(self):
        """Its exit status, negative for a signal; None while it runs."""
        if self.returncode is None and select.select([self._line], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self):
        """Waits for its end; its exit status."""
        if self.returncode is None:
            self.returncode = self._told()
            self._line.close()
        return self.returncode

    def send_signal(self, how):
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, how)

    def communicate(self, timeout=None):
        """What is left of its output and of its errors, once it has ended."""
        said = ["", ""]

        def read(number, stream):
            if not stream.closed:
                with stream:
                    said[number] = stream.read()

        streams = enumerate((self.stdout, self.stderr))
        threads = [threading.Thread(target=read, args=each, daemon=True) for each in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout)
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait()
        return tuple(said)


def run(arguments, timeout=None, **kwargs):
    """``subprocess.run([sys.executable, *arguments])`` with its output as text; see `Process`."""
    process = Process(arguments, **kwargs)
    out, errors = process.communicate(timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)
