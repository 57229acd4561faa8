"""Where a chief listens, and where it may: the messages are sent in clear."""

import ipaddress
from dataclasses import dataclass

from tfcourse.errors import InputError

__all__ = ["Service"]


@dataclass(frozen=True)
class Service:
    """Where and how a chief serves.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for a free one.
        token: What every worker must bring.
        expire_after: After how many seconds of silence a worker's trial is handed out again.

    Raises:
        InputError: The host can be reached from elsewhere, and there is no token.
    """

    host: str
    port: int
    token: str
    expire_after: float = 60.0

    def __post_init__(self) -> None:
        """Refuses to let strangers in."""
        if not self.token and not _is_loopback(self.host):
            raise InputError(
                f"--bind {self.host} can be reached from other machines and needs --token, a "
                "secret that the workers give too. Everything is sent in clear: use a private "
                "network or a tunnel."
            )


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
