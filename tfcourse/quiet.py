"""The import of TensorFlow without its messages and without garbage collection."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_start", "silent_stderr"]


@contextmanager
def quiet_start() -> Iterator[None]:
    """Discard what TensorFlow's C++ code writes to stderr while it is imported inside.

    Garbage is not collected meanwhile: the 650 000 objects of the import stay, and collections took
    a quarter of its time. If TensorFlow is already imported, nothing changes; a closed stderr is
    not touched.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    with _no_garbage_collection(), silent_stderr():
        yield


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what the process writes to stderr inside, also from C++."""
    if sys.stderr is None:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
