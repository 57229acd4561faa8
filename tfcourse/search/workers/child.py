"""A child process of a search: chief or worker, as its parent says on stdin.

The first line is its settings, the later ones what happens meanwhile; the end of stdin is the
parent's death, and the child's. What it has to say goes to stdout, a JSON object a line.
"""

import json
import os
import queue
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, WorkFailedError

__all__ = ["main"]

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Does the work of one child; exits with 1 after an error that it has told."""
    say = _speaker()
    settings = json.loads(sys.stdin.buffer.readline())
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(heard,), daemon=True).start()
    sys.path[:] = settings["path"]
    try:
        {"chief": _chief, "worker": _worker}[settings["role"]](settings, say, heard)
    except Exception as error:
        told = isinstance(error, InputError | WorkFailedError)
        message = str(error) if told else f"{type(error).__name__}: {error}"
        say({"what": "error", "kind": type(error).__name__, "message": message})
        if not told:
            raise
        sys.exit(1)


def _speaker() -> Say:
    """Keeps stdout for what the parent is to hear; what anybody else prints goes to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(message), file=channel, flush=True)

    return say


def _listen(heard: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin.buffer:
        heard.put(json.loads(line))
    os._exit(1)  # without the parent there is nothing to do; everything is on record


def _search(settings: Mapping[str, Any]) -> Any:
    from tfcourse.search.config import parse_config
    from tfcourse.search.run import Search

    raw = tomllib.loads(settings["config"])
    return Search(parse_config(raw, settings["origin"], Path.cwd()), Path(settings["out"]))


def _chief(settings: Mapping[str, Any], say: Say, heard: "queue.Queue[dict[str, Any]]") -> None:
    from tfcourse.search.results import RunDirectory, TrialRecord
    from tfcourse.search.workers.chief import Chief, Service

    def on_end(record: TrialRecord, best: float | None) -> None:
        say({"what": "ended", "trial": record.trial, "best": best})

    def release() -> None:
        while True:
            chief.release(heard.get()["release"])

    search = _search(settings)
    chief = Chief(search.config, RunDirectory(search.directory), on_end)
    threading.Thread(target=release, daemon=True).start()
    chief.run(
        Service(settings["host"], settings["port"], settings["token"]),
        {} if settings["fresh"] else search.finished(),
        settings["fresh"],
        lambda port: say({"what": "serving", "port": port}),
    )
    say({"what": "done"})


def _worker(settings: Mapping[str, Any], say: Say, heard: "queue.Queue[dict[str, Any]]") -> None:
    from tfcourse.search.engine.rpc import RemoteOracle
    from tfcourse.search.results import RunDirectory, TrialRecord
    from tfcourse.search.workers.worker import work

    def on_begin(trial: int, values: Mapping[str, Any]) -> None:
        say({"what": "began", "trial": trial, "values": dict(values)})

    def on_end(record: TrialRecord) -> None:
        say({"what": "recorded", "trial": record.trial})

    search, name = _search(settings), settings["name"]
    say({"what": "ready"})
    address = heard.get()["address"]  # of the chief, which may take longer to begin
    oracle = RemoteOracle(search.config, address, settings["token"], name, settings["patience"])
    work(search.config, RunDirectory(search.directory), oracle, name, on_begin, on_end)
    say({"what": "done"})


if __name__ == "__main__":
    main()
