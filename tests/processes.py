"""Processes of Python that needn't import TensorFlow: they are forked from one that has it.

An import and an exit of TensorFlow are 4 s of a core. They are for tests of what a process does
once it has started; `subprocess` is for those of how it starts.
"""

import json
import os
import subprocess
import sys
import threading
import types
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests import interpreter

__all__ = ["Process", "run"]

CONTEXT = get_context("forkserver")


@cache
def _server():
    """Return the server that forks them: not the one of the searches, which imports tfcourse."""
    server = forkserver.ForkServer()
    server.set_forkserver_preload(["keras"])
    return server


@cache
def _path():
    """Return ``sys.path`` as Python starts with it, without its first entry and ``PYTHONPATH``."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    return json.loads(subprocess.check_output([sys.executable, "-c", code], env=environ))


class Process:
    """``subprocess.Popen([sys.executable, *arguments])``, its output in pipes of text.

    Args:
        arguments: ``-c CODE``, ``-m MODULE`` or a file, and what comes after.
        cwd: Its folder; this process's by default.
        env: Its environment; this process's by default. It was started with another one: what
            Python and TensorFlow read at their start, they have read.
        stdin: A file to read from; nothing by default.
        graph_optimizer: Whether TensorFlow's graph optimizer is on. Without it small trainings
            take a fifth less, and may round differently.
    """

    def __init__(self, arguments, cwd=None, env=None, stdin=None, graph_optimizer=True):
        self.args = [str(argument) for argument in arguments]
        folder, environ = str(Path(cwd or ".").resolve()), dict(os.environ if env is None else env)
        (out, to_out), (errors, to_errors) = os.pipe(), os.pipe()
        source = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin.fileno())
        streams = [Connection(number) for number in (source, to_out, to_errors)]
        self._process = CONTEXT.Process(
            target=interpreter.main,
            args=(self.args, folder, environ, _path(), streams, graph_optimizer),
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forkserver, "connect_to_new_process", _server().connect_to_new_process)
            # multiprocessing would import pytest's main module into it.
            patch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
            self._process.start()
        for stream in streams:
            stream.close()
        self.stdout, self.stderr = (os.fdopen(end, encoding="utf-8") for end in (out, errors))
        self.pid = self._process.pid

    @property
    def returncode(self):
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self):
        """Return its exit status, negative for a signal; None while it runs."""
        return self.returncode

    def wait(self):
        """Wait for its end and return its exit status."""
        self._process.join()
        return self.returncode

    def send_signal(self, number):
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=None):
        """Wait for its end and return the rest of its output and of its errors.

        Raises:
            subprocess.TimeoutExpired: It runs, or holds its output open, for longer.
        """
        texts = ["", ""]

        def read(index, stream):
            if not stream.closed:
                with stream:
                    texts[index] = stream.read()

        streams = enumerate((self.stdout, self.stderr))
        threads = [threading.Thread(target=read, args=each, daemon=True) for each in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout)
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait()
        return tuple(texts)


def run(arguments, timeout=None, **kwargs):
    """``subprocess.run([sys.executable, *arguments])`` with its output as text; see `Process`."""
    process = Process(arguments, **kwargs)
    out, errors = process.communicate(timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)
