"""Where a chief may listen: the messages are sent in clear."""

import ipaddress

from tfcourse.errors import InputError

__all__ = ["check_bind"]


def check_bind(host: str, token: str | None) -> None:
    """Refuses to let strangers in.

    Raises:
        InputError: The host can be reached from elsewhere, and there is no token.
    """
    if not token and not _is_loopback(host):
        raise InputError(
            f"--bind {host} can be reached from other machines and needs --token, a secret that "
            "the workers give too. Everything is sent in clear: use a private network or a tunnel."
        )


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
