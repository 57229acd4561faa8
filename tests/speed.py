"""Write the README's table of speed from the benches.

``python -m tests.speed`` runs the benches `toy`, `fit` and `search` (36 minutes), one after
another on a machine that does nothing else, keeps what they print as JSON in ``--results FOLDER``
(``build/speed``), and writes the table. A bench whose file is there is not run again.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

from tfcourse.bench.table import format_ratio

ROOT = Path(__file__).parents[1]
HEADER = (
    "| times as long as tfcourse | `model.fit` | its best of three settings | JAX, one program |"
)
TABLE = re.compile(re.escape(HEADER) + r"\n\|[-|]+\|\n(?:\|.*\n)+")
REPEATS = {"toy": 7, "fit": 7, "search": 1}
KERAS = "model.fit"
# The rows of the bench `fit`: a label, and how the title of its comparison begins and ends.
FIT_ROWS = (
    ("digits, MLP 64-64 with batch norm, an epoch", "digits, MLP", "warm"),
    ("MLP 784-256-128, 20 000 rows, an epoch", "MLP 784", "warm"),
    ("LSTM of 32 units, 32 steps, an epoch", "LSTM", "warm"),
    ("convnet 28×28, an epoch", "convnet", "warm"),
    ("digits, 10 epochs of a new model", "digits, MLP", "new model"),
)
TOY_ROW = "the toy, 1000 steps, beside the course's TensorFlow 1 session"
SEARCH_ROW = "a search of 32 trials on digits, beside keras-tuner's `RandomSearch`"


def table(results):
    """Return the table's Markdown from the results of the benches, by name."""
    rows = [HEADER, "|---|---|---|---|"]
    for label, start, end in FIT_ROWS:
        ratios = _ratios(_comparison(results["fit"], start, end))
        keras = {name: ratio for name, ratio in ratios.items() if name.startswith(KERAS)}
        jax = next((ratio for name, ratio in ratios.items() if name.startswith("JAX")), None)
        cells = [keras[KERAS], min(keras.values()), jax]
        rows.append(f"| {label} | {' | '.join(map(_figure, cells))} |")
    toy = _ratios(_comparison(results["toy"], "", ""))
    session = next(ratio for name, ratio in toy.items() if "session" in name)
    rows.append(f"| {TOY_ROW} | {_figure(session)} | | |")
    search = _ratios(_comparison(results["search"], "32 trials", ""))
    tuner = next(ratio for name, ratio in search.items() if name.startswith("keras-tuner"))
    rows.append(f"| {SEARCH_ROW} | {_figure(tuner)} | | |")
    return "\n".join(rows) + "\n"


def _comparison(entry, start, end):
    for result in entry["results"]:
        if result["title"].startswith(start) and result["title"].endswith(end):
            return result
    raise SystemExit(f'No comparison "{start} … {end}" in the bench {entry["bench"]}.')


def _ratios(comparison):
    """Return the median ratio of each contender, by the contender's name."""
    return {each["name"]: statistics.median(each["ratios"]) for each in comparison["contenders"]}


def _figure(ratio):
    return "–" if ratio is None else format_ratio(ratio) if ratio < 10 else f"{ratio:.0f}"


def write(readme, results):
    """Replace the table in a README."""
    text = readme.read_text()
    if len(TABLE.findall(text)) != 1:
        raise SystemExit(f"{readme} must hold one table of speed, with the header {HEADER}")
    readme.write_text(TABLE.sub(lambda match: table(results), text))


def measure(name, folder):
    """Return the results of a bench from its file, which is written first where it is missing."""
    path = folder / f"{name}.json"
    if not path.exists():
        command = [sys.executable, "-m", "tfcourse", "bench", name, "--json", "--quiet"]
        run = subprocess.run(
            [*command, "--repeats", str(REPEATS[name])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(run.stdout)
    return json.loads(path.read_text())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "speed")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    arguments = parser.parse_args()
    results = {name: measure(name, arguments.results) for name in REPEATS}
    write(arguments.readme, results)
    print(table(results), end="")
