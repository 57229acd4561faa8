"""Searches as whole commands, from their start to their end, in processes of their own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.search_runs import check_agreement
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.store.directory import RunDirectory

__all__ = ["ONE", "STOCK", "TWO", "compare_commands"]

TWO, ONE = "tfcourse search --workers 2", "tfcourse search"
STOCK = "keras-tuner RandomSearch, a script"
NOTE = "each from its start to its end: Python, all imports, data, trials, record, best model"
SCRIPT = "import sys; from tfcourse.bench.search_tuner import search_file; search_file(sys.argv[1])"


def compare_commands(
    title: str, config: SearchConfig, repeats: int, with_stock: bool = True
) -> Comparison:
    """Time the command with two workers and with one process, beside a script of keras-tuner's.

    Args:
        title: The comparison's title.
        config: The search.
        repeats: The number of rounds.
        with_stock: Whether keras-tuner takes part.

    Raises:
        RuntimeError: A command fails, or the contenders' trials don't agree.
    """
    scores: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.toml"
        file.write_text(config.as_toml(), encoding="utf-8")

        def ours(name: str, workers: int) -> Contender:
            def run() -> None:
                with tempfile.TemporaryDirectory() as out:
                    options = ["--out", out, "--workers", str(workers)]
                    _run([sys.executable, "-m", "tfcourse", "search", str(file), *options])
                    records = RunDirectory(Path(out) / config.search.name).read_trials()
                scores[name] = [record.score or 0.0 for record in records.values()]

            return Contender(name, run, number=1)

        def stock() -> None:
            scores[STOCK] = json.loads(_run([sys.executable, "-c", SCRIPT, str(file)]))

        contenders = [ours(TWO, 2), ours(ONE, 1)]
        contenders += [Contender(STOCK, stock, number=1)] * with_stock
        comparison = compare(title, contenders, repeats=repeats, warmup=0)
    check_agreement(title, scores)
    return replace(comparison, note=NOTE)


def _run(command: Sequence[str]) -> str:
    """Run a command and return the last line that it prints.

    Raises:
        RuntimeError: The command fails.
    """
    environ: Mapping[str, str] = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        raise RuntimeError(f"{command[-1]} failed: {process.stderr[-2000:]}")
    return process.stdout.strip().splitlines()[-1]
