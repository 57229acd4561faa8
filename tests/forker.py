"""Forks processes of Python that have TensorFlow imported, for `tests.processes`.

For every byte on the socket whose number it is started with it forks one, whose stdin, stdout and
stderr, and the line to who asked, come with the byte. It has imported nothing of tfcourse, started
no thread and run nothing, so that its processes begin as new ones do.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
import types
from contextlib import suppress
from pathlib import Path

gc.disable()
import keras  # noqa: E402, F401  (imported to be there)
import tensorflow  # noqa: E402, F401

NUMBER = struct.Struct("q")

gc.enable()


def serve(number):
    """Forks until the socket ends; what a process of its own has to do comes back in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=number) as asked:
        while True:
            byte, files, _, _ = socket.recv_fds(asked, 1, 4)
            if not byte:
                break
            if not os.fork() and (task := begin(*files)):
                return task
            for file in files:
                os.close(file)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    with suppress(ChildProcessError):
        while os.wait():
            pass
    return None


def begin(stdin, stdout, stderr, line):
    """Forks once more: one process waits for the other, and tells its number and how it ended."""
    with socket.socket(fileno=line) as told:
        with told.makefile("r", encoding="utf-8") as lines:
            task = json.loads(lines.readline())
        pid = os.fork()
        for number, file in enumerate((stdin, stdout, stderr)):
            if not pid:
                os.dup2(file, number)
            os.close(file)
        if not pid:
            return task
        told.sendall(NUMBER.pack(pid))
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(BrokenPipeError):
            told.sendall(NUMBER.pack(ended))
        os._exit(0)


def run(arguments, folder, environ):
    """What ``python *arguments`` does, in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace")
    importlib.invalidate_caches()
    what, *sys.argv = arguments
    first = "" if what == "-c" else folder if what == "-m" else str(Path(what).parent.resolve())
    sys.path[:1] = [first, *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))]
    if what == "-c":
        code, sys.argv[0] = sys.argv[0], what
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)
    elif what == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv.insert(0, what)
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__" and (todo := serve(int(sys.argv[1]))):
    run(**todo)
