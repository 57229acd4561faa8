"""Do what ``python *arguments`` does, in a process that `tests.processes` has forked."""

import ctypes
import gc
import os
import runpy
import signal
import sys
import types
from pathlib import Path

__all__ = ["main"]


def main(arguments, folder, environ, path, streams, graph_optimizer=True):
    """Run Python with these arguments, and end the process as Python ends.

    Args:
        arguments: ``-c CODE``, ``-m MODULE`` or a file, and what comes after.
        folder: The working directory.
        environ: The environment.
        path: ``sys.path`` without its first entry and those of ``PYTHONPATH``.
        streams: Connections to be its stdin, stdout and stderr.
        graph_optimizer: Whether TensorFlow's graph optimizer is on.
    """
    gc.freeze()  # else its end would look through all of TensorFlow, which takes a second
    gc.set_threshold(10_000)  # a trace makes many objects, few of them garbage
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for name in ("tests", __name__):
        sys.modules.pop(name, None)
    what, *sys.argv = arguments
    first = {"-c": "", "-m": folder}.get(what, str(Path(what).parent.resolve()))
    sys.path[:] = [first, *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep)), *path]
    if not graph_optimizer:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # Not multiprocessing's end, which leaves out atexit and the destruction of the modules.
    ctypes.pythonapi.Py_Exit(_status_of(what))


def _status_of(what):
    """Run it and return the exit status; an error's traceback is on stderr then."""
    try:
        _run(what)
    except SystemExit as error:
        if isinstance(error.code, int | None):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(*sys.exc_info())
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        return 1
    return 0


def _run(what):
    if what == "-c":
        code, sys.argv[0] = sys.argv[0], what
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), module.__dict__)
    elif what == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv.insert(0, what)
        runpy.run_path(what, run_name="__main__")
