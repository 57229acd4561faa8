"""A worker on Ray as the driver sees it: its messages, output and end; nothing is started."""

from types import SimpleNamespace

import pytest

ray = pytest.importorskip("ray")

from tfcourse.search.ray import actors  # noqa: E402  (it imports ray)
from tfcourse.search.ray.actors import RayActors, RayWorker  # noqa: E402
from tfcourse.search.ray.cluster import Share  # noqa: E402


class Actor:
    """An actor whose calls return what a test says, one after the other."""

    def __init__(self, *results):
        self.results, self.put = list(results), SimpleNamespace(remote=lambda message: None)
        self.receive = SimpleNamespace(remote=self._receive)

    def _receive(self):
        return self.results.pop(0) if self.results else None


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Makes a worker of an actor's results."""

    def get(result):
        if isinstance(result, Exception):
            raise result
        return result

    killed = []
    monkeypatch.setattr(actors.ray, "get", get)
    monkeypatch.setattr(actors.ray, "kill", lambda actor, no_restart: killed.append(actor))

    def make(*results):
        made = RayWorker("w1", Actor(*results), tmp_path / "logs" / "w1.log", "values of {}".format)
        made.killed = killed
        return made

    return make


def test_messages_come_one_by_one_and_output_is_kept(worker, tmp_path):
    made = worker(([{"what": "began", "trial": 0}, {"what": "next"}], b"a li"), ([], b"ne\n"))
    assert not made.has_news
    made.fetch()
    assert [made.receive()["what"] for _ in range(2)] == ["began", "next"]
    assert not made.has_news
    assert made.output.new_lines() == []
    made.fetch()
    assert not made.has_news
    assert made.output.new_lines() == ["a line"]
    assert (tmp_path / "logs" / "w1.log").read_text() == "a line\n"


def test_the_last_message_is_the_end(worker):
    made = worker(([{"what": "trained"}, {"what": "done"}], b""))
    made.fetch()
    assert [made.receive()["what"] for _ in range(2)] == ["trained", "done"]
    assert made.has_news
    assert made.receive() is None
    assert made.killed


def test_the_end_of_a_node_is_told_in_ray_s_words(worker):
    lost = ray.exceptions.RayActorError(
        error_msg="The actor died unexpectedly before finishing this task.\n\tpid: 7\n"
        "The actor died because its node has died."
    )
    made = worker(lost)
    made.fetch()
    assert made.receive() is None
    assert made.how_it_ended() == "as Ray tells: The actor died because its node has died."


def test_a_trial_that_ended_its_worker_before_a_word_is_told(worker):
    made = worker(([{"what": "began", "trial": 4}], b""), ray.exceptions.RayActorError())
    for trial in (4, 7):
        made.send("trial", trial=trial, complete=False, records=[])
    made.send("trial", trial=None, complete=False, records=[])
    made.fetch()
    assert made.receive()["trial"] == 4
    made.fetch()
    assert made.receive() == {"what": "began", "trial": 7, "values": "values of 7"}
    assert made.receive() is None


@pytest.mark.parametrize(
    ("share", "variables"),
    [
        (Share(2, 0), {"TF_NUM_INTEROP_THREADS": "2", "CUDA_VISIBLE_DEVICES": "-1"}),
        (Share(0.5, 1), {"TF_NUM_INTEROP_THREADS": "1"}),
        (Share(1, 0.5), {"TF_NUM_INTEROP_THREADS": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}),
    ],
)
def test_the_environment_of_a_worker(share, variables):
    options = RayActors(share, 3, None, None, None, None).options
    threads = {"TF_NUM_INTRAOP_THREADS": "3", "OMP_NUM_THREADS": "3"}
    assert options["runtime_env"]["env_vars"] == threads | variables
    assert (options["num_cpus"], options["num_gpus"]) == (share.cpus, share.gpus)
