"""A search with all of its processes on this machine."""

from pathlib import Path

from rich.console import Console

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.display import SearchProgress
from tfcourse.search.record.directory import RunDirectory
from tfcourse.search.record.effort import Effort
from tfcourse.search.record.ledger import SearchLedger
from tfcourse.search.record.records import rank
from tfcourse.search.strategies.proposals import Records
from tfcourse.search.workers.crew import Crew
from tfcourse.search.workers.supervisor import Supervisor

__all__ = ["supervise"]


def supervise(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    workers: int,
    verbose: bool,
    fresh: bool,
) -> dict[str, Effort]:
    """Runs the trials that are not finished in ``workers`` processes, and concludes the search.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        workers: How many processes train.
        verbose: Whether to show the progress.
        fresh: Whether to delete what the directory holds, once data and builder are checked.

    Returns:
        What the trials took by worker, since each was last started.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
        WorkFailedError: The processes kept dying.
    """
    directory.claims.unlink(missing_ok=True)  # whoever ran those trials is dead
    total = config.search.trials
    ranking = rank(finished.values(), config.direction)
    best = ranking[0].score if ranking else None
    done = sum(number < total for number in finished)
    bar = SearchProgress(config.search.name, total, done, best, Console(stderr=True), not verbose)
    names = tuple(f"w{number + 1}" for number in range(workers))
    supervisor = Supervisor(Crew(config, Path(directory.path).parent, names, fresh), bar)
    try:
        with bar:
            supervisor.run()
    except BaseException:
        if directory.exists():  # the chief writes the tables now and then only
            SearchLedger(config, directory, {}, lambda record, best: None).break_off()
        raise
    return dict(sorted(supervisor.efforts.items()))
