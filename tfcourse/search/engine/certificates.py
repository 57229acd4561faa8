"""The certificates of a chief and its workers: read, and checked before anything is sent."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tfcourse.errors import InputError

__all__ = ["Certificate", "check_chief", "read_authorities", "read_certificate", "uses_tls"]

SECONDS_OF_A_CHECK = 5.0


@dataclass(frozen=True)
class Certificate:
    """A chief's certificate.

    Attributes:
        chain: The certificate, with those of the authorities between, in PEM.
        key: Its private key, in PEM.
    """

    chain: bytes
    key: bytes = field(repr=False)


def read_certificate(certificate: Path, key: Path) -> Certificate:
    """Return the certificate in two files of PEM.

    Raises:
        InputError: One can't be read, or they do not belong together.
    """
    pair = Certificate(_read(certificate, "--tls-cert"), _read(key, "--tls-key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            f"--tls-cert {certificate} and --tls-key {key} must be a certificate and its key, "
            f"both in PEM and without a password ({error})."
        ) from None
    return pair


def read_authorities(path: Path) -> bytes:
    """Return the certificates that a worker trusts, from a file of PEM.

    Raises:
        InputError: It can't be read, or has none.
    """
    authorities = _read(path, "--tls-ca")
    try:
        _context(authorities)
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            f"--tls-ca {path} must have certificates in PEM: the chief's own, or that of who "
            f"signed it ({error})."
        ) from None
    return authorities


def check_chief(address: str, authorities: bytes) -> None:
    """Raise InputError if what answers at an address, HOST:PORT, has no certificate of these.

    Where nothing answers, nothing is raised.
    """
    try:
        _shake_hands(address, _context(authorities))
    except ssl.SSLCertVerificationError as error:
        raise InputError(
            f"The chief at {address} has another certificate than --tls-ca allows: "
            f"{error.verify_message.rstrip('.')}. Give its own, or that of who signed it."
        ) from None
    except ssl.SSLEOFError:  # a tunnel whose other end does not answer
        return
    except ssl.SSLError:
        raise InputError(
            f"The chief at {address} does not use TLS: give it --tls-cert and --tls-key, or this "
            "worker no --tls-ca."
        ) from None
    except OSError:  # it does not run yet, or not now
        return


def uses_tls(address: str) -> bool:
    """Return True if what answers at an address uses TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError):
        _shake_hands(address, context)
        return True
    return False


def _context(authorities: bytes) -> ssl.SSLContext:
    """Return a context that trusts what gRPC does.

    `ssl.create_default_context` trusts less: up to Python 3.12 not a certificate that an authority
    signed without that of the authority, and later no authority that does not state its key's use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))  # comments
    return context


def _shake_hands(address: str, context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["h2"])  # as gRPC's servers want it
    host, _, port = address.rpartition(":")
    name = host.strip("[]")
    with (
        socket.create_connection((name, int(port)), SECONDS_OF_A_CHECK) as connection,
        context.wrap_socket(connection, server_hostname=name),
    ):
        pass


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{option} {path} can't be read: {error.strerror}.") from None
