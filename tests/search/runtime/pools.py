"""Searches in several processes whose trials take a while, and hands that disturb them."""

import os
import signal
import threading
import time

from tfcourse.search.runtime.supervisor import Supervisor

# A trial takes long enough to be disturbed in the middle.
SLOW = """
import contextlib, multiprocessing, os, resource, signal, time
from pathlib import Path

def slow(input_shape, classes, does=""):
    time.sleep(0.15)
    model = linear(input_shape, classes)
    if does == "fail":
        raise ValueError("asked to fail")
    if does == "full" and Path("full").exists():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    if does == "orphan":  # it has the worker's connection, and outlives it
        orphan = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        orphan.start()
        Path(f"orphan-{orphan.pid}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "hang":
        time.sleep(600)
    if does == "fork":
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.map(abs, [-1]) == [1]
    return model

def convolutions(input_shape, classes):
    layers = keras.layers
    return keras.Sequential([
        keras.Input(input_shape), layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"), layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ])

def pictures():
    y = np.arange(240) % 3
    return np.random.default_rng(0).normal(size=(240, 16, 16, 3)) + y[:, None, None, None], y

def late_points():
    # The second worker, which does not prepare, takes longer over it than the search takes.
    if "TF_NUM_INTRAOP_THREADS" in os.environ:
        try:
            open("first", "x").close()
        except FileExistsError:
            with open("late", "w") as late:
                print(os.getpid(), file=late, flush=True)
                time.sleep(600)
    return points()
"""


def same(result):
    """What must not depend on who ran a trial, or how often."""
    return {
        trial: (record.values, record.status, record.score, record.best_epoch, record.history)
        for trial, record in result.trials.items()
    }


class Watched(Supervisor):
    """A supervisor that a test can look into; the newest one is ``Watched.newest``."""

    newest = None

    def __init__(self, *args):
        super().__init__(*args)
        self.started, self.begun = [], []
        began = self.display.began

        def note(worker, trial):
            self.begun.append(trial)
            began(worker, trial)

        self.display.began = note
        type(self).newest = self

    def _start(self, name):
        super()._start(name)
        self.started.append(name)


def kill_when(ready, name, how=signal.SIGKILL):
    """Kills a process of the newest supervisor as soon as ``ready(supervisor)``; a thread."""

    def wait_and_kill():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pool = Watched.newest
            if pool is not None and name in pool.children and ready(pool):
                os.kill(pool.children[name].pid, how)
                thread.killed = True
                return
            time.sleep(0.002)

    thread = threading.Thread(target=wait_and_kill, daemon=True)
    thread.killed = False
    thread.start()
    return thread
