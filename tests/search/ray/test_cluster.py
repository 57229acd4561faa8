"""The cluster that is asked for, and the software of its nodes; nothing is started."""

import importlib.util
import socket

import pytest

from tests.search.conftest import load
from tfcourse import InputError
from tfcourse.search.engines import find_engine
from tfcourse.search.ray import cluster
from tfcourse.search.ray.cluster import Share, check_address, room_of, software_problem


def test_an_address_is_as_ray_takes_it():
    assert check_address("ray", "--on") is None
    assert check_address("ray://head:10001", "--on") == "ray://head:10001"


@pytest.mark.parametrize("address", ["", "rays", "ray://", "ray://head", "head:6379", "ray://:1"])
def test_another_address_is_refused(address):
    with pytest.raises(InputError, match=r'^--on must be "ray" \(.*\) or ray://HOST:PORT\. Rec'):
        check_address(address, "--on")


def test_a_missing_package_is_named_before_anything_is_done(quick, monkeypatch):
    search = quick()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"on Ray needs the package ray\. Install it: pip install"):
        search.run(on="ray")
    assert not search.directory.exists()


def test_the_config_has_the_engine_and_the_shares(quick, tmp_path):
    pytest.importorskip("ray")
    search = quick(search={"engine": "ray", "ray": {"gpus": 0.5}, "threads": 2})
    engine = find_engine(search.config, None, None)
    assert (engine.address, engine.workers, engine.share) == (None, None, Share(2, 0.5))
    engine = find_engine(search.config, 3, "ray://head:10001")
    assert (engine.address, engine.workers) == ("ray://head:10001", 3)
    with pytest.raises(InputError, match=r"search\.ray.* address"):
        load(tmp_path, {"search": {"name": "a", "trials": 1, "ray": {"address": "head"}}})


@pytest.mark.parametrize(
    ("cpus", "gpus", "share", "count"),
    [
        (8, 0, Share(1, 0), 8),
        (8, 0, Share(3, 0), 2),
        (0.5, 0, Share(1, 0), 0),
        (8, 0, Share(1, 1), 0),
        (8, 2, Share(1, 0.5), 4),
        (8, 2, Share(1, 0.4), 4),  # two on each: the rest of a GPU is no whole share
        (8, 4, Share(1, 2), 2),
        (8, 4, Share(3, 1), 2),
    ],
)
def test_the_workers_that_a_node_has_room_for(cpus, gpus, share, count):
    assert room_of({"CPU": cpus, "GPU": gpus}, share) == count


def test_a_cluster_that_has_ended_is_told_at_once(monkeypatch, tmp_path):
    """Ray itself waits for minutes."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    cluster.check_answer()  # there is none, so one will be started
    file = tmp_path / "ray" / "ray_current_cluster"
    file.parent.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        file.write_text(address)
        cluster.check_answer()
    with pytest.raises(InputError, match=rf"^The Ray cluster {address}, which .*; or delete that"):
        cluster.check_answer()
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")  # Ray's client has a timeout of its own
    cluster.check_answer()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=r"which RAY_ADDRESS names, can.t be .*or unset RAY_ADD"):
        cluster.check_answer()
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "init", None)
    with pytest.raises(InputError, match="which RAY_ADDRESS names"), cluster.connected(None):
        pass


def test_other_software_is_told_with_the_node():
    here = {"tfcourse": "0.1", "tensorflow": "2.21.0"}
    assert software_problem("node", here, here) is None
    problem = software_problem("10.0.0.7", here, {"tfcourse": None, "tensorflow": "2.20.0"})
    assert problem == (
        "The Ray node 10.0.0.7 has other software, with which trials would differ: tfcourse is "
        "missing, tensorflow 2.20.0. Here: tfcourse 0.1, tensorflow 2.21.0. Install the same there."
    )


def test_other_versions_of_ray_are_told_apart_from_no_cluster():
    pytest.importorskip("ray")
    error = RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n")
    text = cluster.unreachable("ray://head:10001", error)
    assert text.startswith("The Ray cluster ray://head:10001 has other versions: Version mismatch")
    assert "was started with: Ray: 2.9.0. Here: Ray 2." in text
    text = cluster.unreachable("ray://head:10001", ConnectionError("ray client timeout"))
    assert "can't be reached: ray client timeout. " in text
    assert "10001 by default" in text
