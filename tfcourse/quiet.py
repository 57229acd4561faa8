"""TensorFlow and Optuna without their messages."""

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tfcourse.backend import check_backend

__all__ = ["quiet_logger", "quiet_optuna", "quiet_start", "silent_stderr"]


@contextmanager
def quiet_start() -> Iterator[None]:
    """Discard what TensorFlow's C++ code writes to stderr while it is imported inside.

    Garbage is not collected meanwhile: the 650 000 objects of the import stay, and collections took
    a quarter of its time. Other packages wait for their first use, see
    `tfcourse.internals.deferred`. If TensorFlow is already imported, nothing changes; a closed
    stderr is not touched.

    Raises:
        InputError: Keras's backend is another one.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    check_backend()
    from tfcourse.internals.deferred import deferred_imports  # not when a command starts

    with _no_garbage_collection(), deferred_imports(), silent_stderr():
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


@contextmanager
def quiet_logger(name: str) -> Iterator[None]:
    """Let a logger log nothing below an error inside, and Python warn of nothing."""
    import logging  # not when a command starts, which imports this module

    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna log and warn of nothing inside: of its experimental features, of each trial.

    Optuna must be imported before, as its import sets the level of its logger.
    """
    with quiet_logger("optuna"):
        yield
