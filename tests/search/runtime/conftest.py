"""Certificates that openssl makes."""

import subprocess

import pytest


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Certificates and keys: of 127.0.0.1, alone or signed by "other", and of another name."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, subject, *signer in (
        ("chief", "IP:127.0.0.1"),
        ("name", "DNS:x"),
        ("other", "IP:127.0.0.1"),
        ("signed", "IP:127.0.0.1", "-CA", folder / "other.pem", "-CAkey", folder / "other.key"),
    ):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", *signer],
            check=True, capture_output=True,
        )  # fmt: skip
    certificate = (folder / "other.pem").read_text()
    (folder / "described.pem").write_text(f"# Ä\n{certificate}", encoding="utf-8")
    return folder
