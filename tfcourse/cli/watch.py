"""The command that watches a search from another terminal."""

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, json_option
from tfcourse.cli.output import print_json
from tfcourse.terminal import FAILED, INTERRUPTED, console, reporting

if TYPE_CHECKING:
    from tfcourse.search.results.snapshot import Snapshot
    from tfcourse.search.results.watcher import Watcher

__all__ = ["watch"]

SECONDS_BETWEEN_LOOKS = 1.0


def watch(
    run_dir: RunDir,
    once: Annotated[bool, typer.Option("--once", help="Print the state of now and end.")] = False,
    as_json: Annotated[
        bool,
        json_option(
            *("directory", "finished", "searches", "owner", "planned", "counts", "objective"),
            *("direction", "best", "workers", "checkpoints", "seconds_left"),
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Watch a search from another terminal. Nothing is written.

    It ends with the search: with 0 if that is finished, with 1 if no process continues it. --json
    prints an object for each change, one a line; --quiet waits for the end and prints the last one.
    """
    with reporting(debug, quiet, as_json):
        from tfcourse.search.results.watcher import Watcher

        try:
            watcher = Watcher(run_dir, wait=not once)
            if once:
                snapshot = watcher.look()
                _print(snapshot, as_json)
                return
            snapshot = _watch(watcher, as_json, quiet)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        if not snapshot.is_finished:
            raise typer.Exit(FAILED)


def _watch(watcher: "Watcher", as_json: bool, quiet: bool) -> "Snapshot":
    """Show the search until it ends, and return its last snapshot."""
    snapshot = watcher.look()
    if as_json or quiet or not console.is_terminal:
        previous = None
        while not snapshot.has_ended:
            change = snapshot.counts, snapshot.best
            if change != previous and not quiet:
                previous = change
                _print_line(snapshot, as_json)
            time.sleep(SECONDS_BETWEEN_LOOKS)
            snapshot = watcher.look()
        _print(snapshot, as_json)
        return snapshot
    from rich.live import Live

    with Live(snapshot, console=console, auto_refresh=False) as live:
        while not snapshot.has_ended:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            snapshot = watcher.look()
            live.update(snapshot, refresh=True)
    return snapshot


def _print_line(snapshot: "Snapshot", as_json: bool) -> None:
    if as_json:
        _print(snapshot, as_json)
    else:
        line = f"{datetime.now():%H:%M:%S} {snapshot.headline()}"
        console.print(line, highlight=False, soft_wrap=True)
        sys.stdout.flush()


def _print(snapshot: "Snapshot", as_json: bool) -> None:
    if as_json:
        print_json(snapshot.as_json(), indent=None)
    else:
        snapshot.print_on(console)
