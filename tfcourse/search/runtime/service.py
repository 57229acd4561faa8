"""The address on which a chief listens. Without TLS messages are sent in clear."""

import ipaddress
from dataclasses import dataclass

from tfcourse.errors import InputError
from tfcourse.search.engine.certificates import Certificate

__all__ = ["Service"]


@dataclass(frozen=True)
class Service:
    """The address, secret and patience of a chief.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for a free one.
        token: The secret that every worker must have.
        expire_after: The seconds of silence after which a worker's trials are given to others.
        verbose: True to show the progress (on stderr).
        certificate: Its certificate, with which all is encrypted; None to send it in clear.

    Raises:
        InputError: The host can be reached from elsewhere, and there is no token.
    """

    host: str
    port: int
    token: str
    expire_after: float = 60.0
    verbose: bool = True
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        """Refuse to let strangers in."""
        if not self.token and not _is_loopback(self.host):
            clear = " Without --tls-cert all is sent in clear: use a private network or a tunnel."
            raise InputError(
                f"--bind {self.host} can be reached from other machines and needs --token, a "
                f"secret that the workers give too.{'' if self.certificate else clear}"
            )


def _is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
