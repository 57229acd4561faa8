"""What a finished search prints."""

from typing import Any

from tfcourse.terminal import console

__all__ = ["print_result"]


def print_result(result: Any, planned: Any, verbose: bool = False) -> None:
    """Prints the best trials of a search, the test's outcome and where the record is.

    With ``verbose`` also what the trials of this run took, a line a process.
    """
    from tfcourse.search.display import best_table, rounds_table

    objective = planned.config.search.objective
    if result.was_complete:
        console.print(f"The search is complete: all {len(result.trials)} trials are on record.")
    if rounds := result.rounds:
        console.print(rounds_table(rounds))
    console.print(best_table(result.ranking[:5], objective, planned.config.columns))
    for process, effort in result.efforts.items() if verbose else ():
        console.print(f"{process:<12}{effort}", highlight=False, soft_wrap=True)
    failed = len(result.trials) - len(result.ranking)
    if failed:
        console.print(
            f"{failed} of {len(result.trials)} trials failed: see the messages in results."
        )
    best, test = result.best, result.summary.test
    # What was searched for comes first, the loss last.
    shown = sorted(test, key=lambda name: (name == "loss", f"val_{name}" != objective))
    metrics = ", ".join(f"{name} {test[name]:.4f}" for name in shown)
    spread = f" ± {best.score_std:.4f}, {len(best.scores)} trainings" if best.scores else ""
    lines = {
        "dev set": f"{objective} {best.score:.4f}{spread} "
        f"(trial {best.trial}, epoch {best.best_epoch})",
        "test set": f"{metrics} (measured once)",
        "best model": result.directory / "best.keras",
        "results": result.directory / "results.csv",
        "history": result.directory / "history.csv",
        "record": result.directory,
    }
    for name, value in lines.items():
        console.print(f"{name:<12}{value}", highlight=False, soft_wrap=True)
