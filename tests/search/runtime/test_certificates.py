"""TLS between a chief and its workers, with certificates that openssl makes."""

import shutil
import socket
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.search.journal import Journal
from tests.search.runtime.test_rpc import CONFIG, TOKEN
from tfcourse.cli import app
from tfcourse.errors import InputError
from tfcourse.search.engine.certificates import (
    check_chief,
    read_authorities,
    read_certificate,
    uses_tls,
)
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.rpc import OracleServer, RemoteScheduler
from tfcourse.search.runtime.service import Service
from tfcourse.search.scheduler.scheduler import Scheduler

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the files")


@pytest.fixture
def serve(request):
    def start(certificate=None):
        scheduler = Scheduler(CONFIG.study, {}, Journal())
        study = scheduler.study
        oracle = SearchOracle("val_loss", study.direction, study.trials, scheduler)
        server = OracleServer(oracle, TOKEN)
        request.addfinalizer(server.stop)
        return f"127.0.0.1:{server.start('127.0.0.1', 0, certificate)}"

    return start


def worker(address, authorities=None, patience=5.0):
    return RemoteScheduler(address, TOKEN, "a", patience, authorities)


@needs_openssl
class TestTLS:
    @pytest.mark.parametrize(
        ("chief", "authority"),
        [("chief", "chief"), ("signed", "other"), ("signed", "signed"), ("signed", "described")],
    )
    def test_a_worker_with_the_certificate_gets_trials(self, files, serve, chief, authority):
        address = serve(read_certificate(files / f"{chief}.pem", files / f"{chief}.key"))
        scheduler = worker(address, read_authorities(files / f"{authority}.pem"))
        scheduler.reach()
        assert scheduler.next("a") == 0

    @pytest.mark.parametrize(
        ("chief", "authority", "reason"),
        [
            ("other", "chief", "self-signed certificate"),
            ("name", "name", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ],
    )
    def test_another_certificate_is_refused_at_once(self, files, serve, chief, authority, reason):
        address = serve(read_certificate(files / f"{chief}.pem", files / f"{chief}.key"))
        with pytest.raises(InputError) as error:
            worker(address, read_authorities(files / f"{authority}.pem"), 60.0).reach()
        assert str(error.value) == (
            f"The chief at {address} has another certificate than --tls-ca allows: {reason}. Give "
            "its own, or that of who signed it."
        )

    def test_a_chief_without_tls(self, files, serve):
        address = serve()
        with pytest.raises(InputError) as error:
            worker(address, read_authorities(files / "chief.pem"), 60.0).reach()
        assert str(error.value) == (
            f"The chief at {address} does not use TLS: give it --tls-cert and --tls-key, or this "
            "worker no --tls-ca."
        )

    def test_a_worker_without_tls(self, files, serve):
        address = serve(read_certificate(files / "chief.pem", files / "chief.key"))
        assert uses_tls(address)
        with pytest.raises(InputError) as error:
            worker(address, patience=60.0).reach()
        assert str(error.value) == f"The chief at {address} uses TLS: give this worker --tls-ca."
        scheduler = worker(address, patience=0.3)
        with pytest.raises(InputError, match=r"uses TLS: give this worker --tls-ca\.$"):
            scheduler.next("a")  # it was started again with TLS

    def test_a_connection_that_is_closed_is_no_answer(self, files):
        """A tunnel accepts before its other end does."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def close():
                connection, _ = server.accept()
                connection.recv(10_000)
                connection.close()

            thread = threading.Thread(target=close)
            thread.start()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            check_chief(address, read_authorities(files / "chief.pem"))
            thread.join()

    def test_files_that_are_not_a_certificate_and_its_key(self, files, tmp_path):
        (tmp_path / "text").write_text("no certificate")
        for certificate, key in (
            (files / "chief.pem", files / "other.key"),
            (tmp_path / "text", files / "chief.key"),
        ):
            with pytest.raises(
                InputError, match=f"--tls-cert {certificate} and --tls-key {key} must"
            ):
                read_certificate(certificate, key)
        with pytest.raises(InputError, match=r"--tls-ca .* must have certificates in PEM"):
            read_authorities(tmp_path / "text")

    def test_the_key_is_not_shown(self, files):
        certificate = read_certificate(files / "chief.pem", files / "chief.key")
        assert "PRIVATE" not in repr(Service("0.0.0.0", 0, TOKEN, certificate=certificate))
        with pytest.raises(InputError) as error:
            Service("0.0.0.0", 0, "", certificate=certificate)
        assert str(error.value).endswith("a secret that the workers give too.")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"--tls-ca .* can't be read: No such file or directory"):
        read_authorities(tmp_path / "chief.pem")
    assert not uses_tls("127.0.0.1:1")


def test_the_commands_check_the_files_first(tmp_path, monkeypatch):
    config = Path(__file__).parents[3] / "tuner_configs" / "digits.toml"
    (tmp_path / "text").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["chief", "--tls-cert", "text"], "--tls-cert and --tls-key must be given together."),
        (
            ["chief", "--tls-cert", "text", "--tls-key", "text"],
            "--tls-cert text and --tls-key text must be a certificate and its key, both in PEM",
        ),
        (
            ["worker", "--connect", "127.0.0.1:1", "--id", "a", "--tls-ca", "text"],
            "--tls-ca text must have certificates in PEM: the chief's own, or that of who signed",
        ),
    ):
        result = CliRunner().invoke(app, [arguments[0], str(config), *arguments[1:]])
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {message}")
