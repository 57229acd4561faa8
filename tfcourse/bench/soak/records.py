"""Comparisons of run directories, and of the arrays in files; faults of a single directory."""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.types import Array

__all__ = [
    "arrays_of",
    "differences",
    "different_arrays",
    "leftovers",
    "record_faults",
    "temporary_leftovers",
    "weights",
]

# The columns of the tables that differ from run to run.
OF_A_RUN = {"seconds", "worker"}


def record_faults(directory: Path, trials: int) -> list[str]:
    """Return what is lost, doubled or left over in the run directory of a finished search."""
    faults = []
    for name, numbers in (
        ("trials/", [int(path.stem) for path in (directory / "trials").glob("[0-9]*.json")]),
        ("results.csv", [int(row["trial"]) for row in _rows(directory / "results.csv")]),
    ):
        if missing := sorted(set(range(trials)) - set(numbers)):
            faults.append(f"{name}: {len(missing)} trials are lost, the first is {missing[0]}")
        if twice := [number for number, count in Counter(numbers).items() if count > 1]:
            faults.append(f"{name}: {len(twice)} trials are doubled, the first is {twice[0]}")
        if more := [number for number in numbers if number >= trials]:
            faults.append(f"{name}: trial {more[0]} was not to be run")
    epochs = Counter((row["trial"], row["epoch"]) for row in _rows(directory / "history.csv"))
    if epochs_twice := [place for place, count in epochs.items() if count > 1]:
        faults.append(f"history.csv: epochs are doubled, as {epochs_twice[0]}")
    return faults + [f"{name} is left over" for name in leftovers(directory)]


def leftovers(directory: Path) -> list[str]:
    """Return the files of processes, which the end of a search removes."""
    hidden = [path for path in directory.rglob(".*") if path.is_file()]
    claims = [path for path in [directory / "claims.json"] if path.exists()]
    folders = [directory / name for name in ("checkpoints", "models")]
    full = [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
    return sorted(str(path.relative_to(directory)) for path in [*hidden, *claims, *full])


def temporary_leftovers(folder: Path) -> list[str]:
    """Return what programs that have ended left in the folder of temporary files.

    Keras makes a folder ``tmp...`` while it saves or loads a model, and a kill leaves it there.
    """
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("tmp"))
    return [f"{len(names)} temporary files are left, as {names[0]}"] if names else []


def differences(directory: Path, reference: Path) -> list[str]:
    """Return the differences of two finished searches, but for times and workers."""
    faults, pair = [], (directory, reference)
    ours, theirs = map(_trials, pair)
    different = [n for n in sorted({*ours, *theirs}) if ours.get(n) != theirs.get(n)]
    for number in different[:1]:
        faults.append(f"trial {number} is {ours.get(number)}, alone {theirs.get(number)}")
    for name in ("results.csv", "history.csv"):
        if _rows(directory / name) != _rows(reference / name):
            faults.append(f"{name} differs")
    for name in ("config.toml", "versions.json", "data.json", "code.json", "rounds.json"):
        files = [folder / name for folder in pair]
        if len({file.read_bytes() if file.exists() else None for file in files}) > 1:
            faults.append(f"{name} differs")
    if RunDirectory(directory).read_summary() != RunDirectory(reference).read_summary():
        faults.append("summary.json differs")
    names = different_arrays(*(weights(folder / "best.keras") for folder in pair))
    return faults + [f"best.keras: {name} differs" for name in names[:1]]


def _trials(directory: Path) -> dict[int, TrialRecord]:
    records = RunDirectory(directory).read_trials()
    return {number: replace(r, seconds=0.0, worker="") for number, r in records.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return [{name: text for name, text in row.items() if name not in OF_A_RUN} for row in rows]


def weights(path: Path) -> dict[str, Array]:
    """Return the arrays of a ``.keras`` file, those of its optimizer too, by their names."""
    arrays: dict[str, Array] = {}

    def keep(name: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset):
            arrays[name] = entry[()]

    with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as h5:
        h5.visititems(keep)
    return arrays


def arrays_of(path: Path) -> dict[str, Array]:
    """Return the arrays of an ``.npz`` file but for the header of a checkpoint."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "header"}


def different_arrays(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> list[str]:
    """Return the names of the arrays that are not the same to the last bit."""
    return [
        name
        for name in sorted({*ours, *theirs})
        if name not in ours
        or name not in theirs
        or ours[name].dtype != theirs[name].dtype
        or ours[name].shape != theirs[name].shape
        or ours[name].tobytes() != theirs[name].tobytes()
    ]
