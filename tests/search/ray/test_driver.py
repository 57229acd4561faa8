"""The driver of a search on Ray whose trials are all on record; nothing is started."""

import numpy as np
import pytest

pytest.importorskip("ray")

from tests.search.conftest import RATE, load
from tfcourse import Search
from tfcourse.search.ray import driver
from tfcourse.search.ray.cluster import Share
from tfcourse.search.store.directory import RunDirectory


def test_the_best_model_of_a_table_is_measured_on_its_columns(tmp_path, monkeypatch, untrained):
    sizes = np.random.default_rng(0).normal(size=60)
    lines = [f"{size:.3f},{'ab'[i % 2]},{i % 3}" for i, size in enumerate(sizes)]
    (tmp_path / "rows.csv").write_text("\n".join(["size,town,y", *lines]))
    tables = {
        "search": {"name": "rows", "trials": 1},
        "data": {"source": "csv", "path": "rows.csv"},
        "training": {"epochs": 1},
        "model": {"builder": "linear"},
    }
    search = Search(load(tmp_path, tables | {"space": RATE}), tmp_path)
    alone = search.run(verbose=False)
    directory = RunDirectory(search.directory)
    directory.summary.unlink()
    monkeypatch.setattr(driver, "check_software", lambda: None)
    shared = {"workers": None, "share": Share(1, 0), "verbose": False, "fresh": False}
    driver.search_on_ray(search.config, directory, search.finished(), **shared)
    assert directory.read_summary().test == alone.summary.test
