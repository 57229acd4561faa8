"""TensorFlow's start without what it says, and without looking for garbage where there is none."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_start"]


@contextmanager
def quiet_start() -> Iterator[None]:
    """Import TensorFlow inside it: what its C++ code writes to stderr meanwhile is lost.

    Nor is garbage collected: the 650 000 objects of an import stay, and to look through them again
    and again took a quarter of its time. Once TensorFlow is there, nothing changes; stderr is left
    alone where it is closed.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    with _uncollected(), _silent():
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _silent() -> Iterator[None]:
    if sys.stderr is None:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
