"""A child process of a search: chief or worker, as its parent says.

It hears and speaks through a connection, in dicts. The end of the connection is the parent's
death, and the child's.
"""

import io
import logging
import os
import queue
import signal
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, WorkFailedError, error_text
from tfcourse.files import disk_error

__all__ = ["check_shared", "run_child"]

Say = Callable[[dict[str, Any]], None]
Heard = queue.Queue[dict[str, Any]]


def run_child(settings: Mapping[str, Any], connection: Connection, log: str) -> None:
    """Does the work of one child; exits with 1 after an error that it has told.

    Args:
        settings: What it is to do, and its environment.
        connection: To its parent.
        log: The file for what it prints at first.
    """
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for the parent, which ends its children
    _print_into(Path(log))
    os.environ.clear()
    os.environ.update(settings["environ"])
    heard: Heard = queue.Queue()
    threading.Thread(target=_listen, args=(connection, heard), daemon=True).start()
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            connection.send(message)

    try:
        {"chief": _chief, "worker": _worker}[settings["role"]](settings, say, heard)
    except Exception as raised:
        error = (isinstance(raised, OSError) and disk_error(raised)) or raised
        told = isinstance(error, InputError | WorkFailedError)
        message = str(error) if told else error_text(error)
        say({"what": "error", "kind": type(error).__name__, "message": message})
        if not told:
            raise
        sys.exit(1)


def _print_into(log: Path) -> int:
    """Send what is printed to the end of a file, and return where that was."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    begin = os.fstat(file).st_size
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a print is in the log though a kill follows
    return begin


def _listen(connection: Connection, heard: Heard) -> None:
    try:
        while True:
            heard.put(connection.recv())
    except (EOFError, OSError):
        # Without the parent there is nothing to do, and everything is on record. Processes that a
        # builder or the data has started end too.
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def _search(settings: Mapping[str, Any]) -> Any:
    from tfcourse.search.config.load import parse_config
    from tfcourse.search.run import Search

    raw = tomllib.loads(settings["config"])
    return Search(parse_config(raw, settings["origin"], Path.cwd()), Path(settings["out"]))


def _chief(settings: Mapping[str, Any], say: Say, heard: Heard) -> None:
    from tfcourse.search.records.trial_record import TrialRecord
    from tfcourse.search.runtime.chief import Chief
    from tfcourse.search.runtime.service import Service
    from tfcourse.search.store.directory import RunDirectory

    def on_end(record: TrialRecord, best: float | None) -> None:
        say({"what": "ended", "trial": record.trial, "best": best})

    def release() -> None:
        while True:
            chief.release(heard.get()["release"])

    class Told(logging.Handler):
        """Tells the parent, for nobody reads the log of a child that ends well."""

        def emit(self, record: logging.LogRecord) -> None:
            say({"what": "warning", "message": record.getMessage()})

    logging.getLogger("tfcourse").addHandler(Told(logging.WARNING))

    def begins(what: str) -> None:
        say({"what": "preparing", "part": what})

    search = _search(settings)
    say({"what": "shows", "begin": os.fstat(1).st_size})  # what it prints until it serves
    chief = Chief(search.config, RunDirectory(search.directory), on_end)
    threading.Thread(target=release, daemon=True).start()
    chief.run(
        Service(settings["host"], settings["port"], settings["token"]),
        {} if settings["fresh"] else search.finished(),
        settings["fresh"],
        lambda port: say({"what": "serving", "port": port}),
        settings["accept_changes"],
        begins,
    )
    say({"what": "done"})


def _worker(settings: Mapping[str, Any], say: Say, heard: Heard) -> None:
    from tfcourse.search.engine.rpc import RemoteOracle, SearchOverError
    from tfcourse.search.records.trial_record import TrialRecord
    from tfcourse.search.runtime.worker import work
    from tfcourse.search.store.directory import RunDirectory

    def on_data() -> None:
        say({"what": "prepared"})

    def on_begin(trial: int, values: Mapping[str, Any]) -> None:
        say({"what": "began", "trial": trial, "values": dict(values)})

    def on_end(record: TrialRecord) -> None:
        say({"what": "recorded", "trial": record.trial})

    search, name = _search(settings), settings["name"]
    address = heard.get()["address"]  # of the chief, which may take longer to begin
    elsewhere = settings["elsewhere"]

    def is_over() -> bool:
        return elsewhere and search.directory.is_dir() and search.completed() is not None

    oracle = RemoteOracle(
        search.config, address, settings["token"], name, settings["patience"], is_over
    )
    with suppress(SearchOverError):
        if elsewhere:
            check_shared(search, oracle)
        directory, shared = RunDirectory(search.directory), (settings["workers"], settings["alone"])
        log = directory.log_of(name)
        log.parent.mkdir(exist_ok=True)
        say({"what": "logs", "path": str(log), "begin": _print_into(log)})
        say({"what": "preparing", "part": "data"})
        effort = work(search.config, directory, oracle, name, on_data, on_begin, on_end, *shared)
        say({"what": "done", "effort": asdict(effort)})
        return
    say({"what": "done"})


def check_shared(search: Any, oracle: Any) -> None:
    """Refuses a worker whose run directory, or config, is not that of the chief."""
    oracle.reach()  # from then on the chief has made the directory
    if not search.directory.is_dir():
        raise InputError(
            f"{search.directory} is not there, where the chief at {oracle.address} keeps its run "
            "directory. Put it on storage that both share, and give both the same --out."
        )
    search.finished()
