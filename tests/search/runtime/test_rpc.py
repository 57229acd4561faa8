"""The line between chief and worker: exact values, a secret, patience, and lost workers."""

import contextlib
import socket
import threading
import time

import grpc
import keras_tuner
import pytest

from tests.search.journal import Journal
from tfcourse import InputError
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.load import parse_config
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.rpc import OracleServer, RemoteScheduler, SearchOverError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.chief import release_silent, workers_of
from tfcourse.search.runtime.service import Service
from tfcourse.search.scheduler.scheduler import Scheduler

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"]},
    "momentum": {"low": 0.9, "high": 0.999, "when": {"optimizer": "momentum"}},
    "units": {"low": 32, "high": 128},
    "batch_norm": {"values": ["before_activation", "none"]},
}
CONFIG = parse_config({"search": {"name": "rpc", "trials": 6}, "space": SPACE}, "rpc", None)
TOKEN = "a secret"


@pytest.fixture
def oracle():
    """The scheduler behind the service."""
    return Scheduler(CONFIG.study, {}, Journal())


@pytest.fixture
def serve():
    servers = []

    def start(oracle, port=0):
        study = oracle.study
        served = SearchOracle("val_loss", study.direction, study.trials, oracle)
        servers.append(OracleServer(served, TOKEN, workers_of(oracle)))
        return servers[-1], servers[-1].start("127.0.0.1", port)

    yield start
    for server in servers:
        server.stop()


def worker(port, name="a", token=TOKEN, patience=5.0):
    return RemoteScheduler(f"127.0.0.1:{port}", token, name, patience)


def test_every_trial_is_served_once_and_then_it_ends(oracle, serve):
    _, port = serve(oracle)
    for number in range(6):
        assert worker(port).next("a") == number
        oracle.journal.records[number] = TrialRecord(number, "failed", {}, message="it broke")
        worker(port).end(number)
    last = worker(port)
    assert last.next("a") is None
    assert last.complete
    assert [record.trial for record in oracle.journal.told] == list(range(6))


def test_a_worker_that_asks_again_gets_its_trial(oracle, serve):
    _, port = serve(oracle)
    first = worker(port, "a").next("a")
    assert worker(port, "b").next("b") != first
    assert worker(port, "a").next("a") == first


@pytest.mark.parametrize("token", ["", "another", TOKEN + " "])
def test_a_wrong_token_is_refused(oracle, serve, token):
    server, port = serve(oracle)
    with pytest.raises(InputError, match=r"refused the token\. Give both the same --token"):
        worker(port, token=token).next("a")
    assert oracle.leases == {}
    assert server.last_sign == {}


def test_a_chief_that_comes_later_is_waited_for(oracle, serve):
    server, port = serve(oracle)
    server.stop()
    late = threading.Timer(0.7, lambda: serve(oracle, port))
    late.start()
    assert worker(port).next("a") == 0
    late.join()


def test_patience_ends(serve, oracle):
    server, port = serve(oracle)
    server.stop()
    with pytest.raises(
        WorkFailedError, match=r"could not be reached for 0\.5 s: .*nothing is lost"
    ):
        worker(port, patience=0.5).next("a")


def test_a_worker_of_a_search_that_is_over_ends(serve, oracle, monkeypatch):
    monkeypatch.setattr("tfcourse.search.engine.rpc.SECONDS_OF_A_CALL", 0.3)
    server, port = serve(oracle)
    server.stop()
    remote = worker(port, patience=60.0)
    remote.is_over = lambda: True
    with pytest.raises(SearchOverError, match="is complete"):
        remote.next("a")


def test_a_proxy_for_web_pages_is_none_for_the_chief(oracle, serve, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    _, port = serve(oracle)
    assert worker(port).next("a") == 0


def test_a_chief_that_comes_back_waits_for_the_workers_it_knew(oracle, serve):
    _, port = serve(oracle)
    worker(port).next("a")
    for trial in range(6):
        oracle.journal.records[trial] = TrialRecord(trial, "failed", {}, message="it broke")
    after = Scheduler(CONFIG.study, {}, oracle.journal, dict(oracle.journal.leases))
    server, _ = serve(after)
    assert server.waits(5.0)
    server.stopped.add("a")
    assert not server.waits(5.0)


def test_an_error_of_the_chief_is_told(oracle, serve, monkeypatch):
    monkeypatch.setattr("tfcourse.search.records.visibility.SECONDS_UNTIL_SEEN", 0.0)
    _, port = serve(oracle)
    remote = worker(port)
    trial = remote.next("a")
    with pytest.raises(WorkFailedError, match=r"failed: .*Trial 0 ended, and its record can't"):
        remote.end(trial)
    # keras-tuner's own lock would still be held now.
    assert worker(port, "b").next("b") == 1


@pytest.mark.parametrize("trial", [-1, 6, 10**9])
def test_a_trial_of_another_search_is_told_at_once(oracle, serve, trial):
    """A longer search may have left its record; here it would never be complete."""
    _, port = serve(oracle)
    oracle.journal.records[trial] = TrialRecord(trial, "failed", {}, message="it broke")
    with pytest.raises(WorkFailedError, match=rf"Trial {trial} is none of the 6 trials\."):
        worker(port).end(trial)
    assert not oracle.finished


GARBAGE = {
    "nothing": b"",
    "text": b"GET / HTTP/1.1\r\nHost: chief\r\n\r\n",
    "a preface alone": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a preface and noise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(range(256)) * 40,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "zeros": bytes(100_000),
}


def test_messages_of_a_stranger(oracle, serve, capfd):
    """Its connections stay open, and the worker is served all the same."""
    server, port = serve(oracle)
    with contextlib.ExitStack() as stack:
        for garbage in GARBAGE.values():
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            with contextlib.suppress(OSError):  # it may be cut off in the middle
                stranger.sendall(garbage)
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
        for name in ("CreateTrial", "EndTrial", "UpdateTrial", "Nothing"):
            call = channel.unary_unary(f"/keras_tuner.Oracle/{name}")
            for metadata in ((), (("token", "another"),), (("token-bin", b"\xff"),)):
                with pytest.raises(grpc.RpcError) as error:
                    call(b"\xff\xff\xff", metadata=metadata, timeout=5)
                assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert worker(port).next("a") == 0
    assert (oracle.leases.keys(), server.last_sign.keys()) == ({"a"}, {"a"})
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_silent_worker_is_given_up_and_one_that_gives_signs_is_not(oracle, serve, monkeypatch):
    monkeypatch.setattr("tfcourse.search.engine.rpc.SECONDS_BETWEEN_SIGNS", 0.05)
    server, port = serve(oracle)
    worker(port, "silent").next("silent")
    alive = worker(port, "alive")
    alive.next("alive")
    alive.start_signs()
    time.sleep(0.6)
    assert release_silent(oracle, server, 0.4) == ["silent"]
    assert list(oracle.leases) == ["alive"]
    assert worker(port, "other").next("other") == 0


def test_a_taken_port(oracle, serve):
    _, port = serve(oracle)
    with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port} can't be listened on"):
        serve(oracle, port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "chief.example", "[::]"])
def test_a_public_address_needs_a_token(host):
    with pytest.raises(InputError, match=r"can be reached from other machines and needs --token"):
        Service(host, 0, "")
    Service(host, 0, "a secret")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "[::1]"])
def test_a_loopback_address_needs_none(host):
    Service(host, 0, "")


def test_it_is_keras_tuners_service():
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    from tfcourse.search.engine import rpc

    assert issubclass(rpc._Servicer, OracleServicer)
    assert issubclass(SearchOracle, keras_tuner.Oracle)
