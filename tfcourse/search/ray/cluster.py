"""The connection to a Ray cluster, its places for workers, and the check of its software."""

import importlib.util
import os
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfcourse.console import one_line
from tfcourse.errors import InputError, error_line, shown

__all__ = [
    "Share",
    "check_address",
    "check_answer",
    "check_package",
    "check_software",
    "connected",
    "places",
    "room_of",
    "software_problem",
    "unreachable",
]

PACKAGES = ("tfcourse", "tensorflow", "keras", "numpy")
SECONDS_FOR_AN_ANSWER = 5.0


@dataclass(frozen=True)
class Share:
    """The share of a node that each worker gets.

    Attributes:
        cpus: Its CPUs.
        gpus: Its GPUs; several workers may share one.
    """

    cpus: float
    gpus: float


def check_package() -> None:
    """Raise InputError if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise InputError("A search on Ray needs the package ray. Install it: pip install ray.")


def check_address(address: str, key: str) -> str | None:
    """Return an address as Ray takes it: None for ``"ray"``, by Ray's own rules.

    Raises:
        InputError: It is none.
    """
    if address == "ray":
        return None
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not address.startswith("ray://") or not colon or not host or not port.isdecimal():
        raise InputError(
            f'{key} must be "ray" (the cluster that runs on this machine, or RAY_ADDRESS, or else '
            f"one that is started for the search) or ray://HOST:PORT. Received: {shown(address)}."
        )
    return address


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster inside; a connection that the caller has is used and stays.

    Raises:
        InputError: The cluster can't be reached, or has another version of Ray or Python.
    """
    for name, value in _settings(address).items():  # Ray reads them when it is imported
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    if address is None:
        check_answer()
    is_main = threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    handlers = {number: signal.getsignal(number) for number in signals}
    try:
        with warnings.catch_warnings(action="ignore"):  # before an error that says the same
            # The workers' output is shown as that of other workers.
            ray.init(address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        raise InputError(unreachable(address, error)) from error
    finally:
        for number, handler in handlers.items():  # Ray's would end the process at once
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def check_answer() -> None:
    """Connect to the cluster that Ray finds on this machine, as Ray waits minutes for a lost one.

    Raises:
        InputError: Nothing answers there.
    """
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    file = Path(folder, "ray", "ray_current_cluster")
    source, address = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS")
    if not address and file.is_file():
        source, address = str(file), file.read_text(encoding="utf-8").strip()
    host, _, port = (address or "").rpartition(":")
    if not port.isdecimal() or "/" in host:  # there is none, or it is for Ray's client
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_FOR_AN_ANSWER).close()
    except OSError as error:
        remedy = "unset RAY_ADDRESS" if source == "RAY_ADDRESS" else "delete that file"
        raise InputError(
            f"The Ray cluster {address}, which {source} names, can't be reached "
            f"({error_line(error)}). Start it again; or {remedy}, and a cluster is started for the "
            "search."
        ) from error


def _settings(address: str | None) -> dict[str, str]:
    """Return the environment variables of Ray for a connection, where they are not set."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0"}  # for the owner of a cluster to decide
    has_token = "RAY_AUTH_TOKEN" in os.environ or (Path.home() / ".ray" / "auth_token").is_file()
    # Ray itself uses a token that it finds, but not for ray:// (2.60).
    return settings | ({"RAY_AUTH_MODE": "token"} if address and has_token else {})


def unreachable(address: str | None, error: Exception) -> str:
    """Return the message about a cluster that a connection failed to, with Ray's error."""
    where = address or os.environ.get("RAY_ADDRESS") or "on this machine"
    here = f"Here: Ray {version('ray')}, Python {sys.version.partition(' ')[0]}."
    reason = one_line(" ".join(str(error).split())).rstrip(".") + "."
    if "ersion" in reason:
        return (
            f"The Ray cluster {where} has other versions: {reason} {here} Install the same on both."
        )
    return (
        f"The Ray cluster {where} can't be reached: {reason} Start one "
        "(ray start --head), or correct the address: ray:// goes to the port of Ray's client "
        f"server, 10001 by default. A cluster with a token wants it in RAY_AUTH_TOKEN. {here}"
    )


def places(share: Share) -> int:
    """Return the number of workers that the cluster's nodes have room for."""
    import ray

    return sum(room_of(node["Resources"], share) for node in ray.nodes() if node["Alive"])


def room_of(resources: Mapping[str, float], share: Share) -> int:
    """Return the number of workers that a node with these resources has room for."""
    count = resources.get("CPU", 0.0) // share.cpus
    if share.gpus:
        count = min(count, _per_gpu(resources.get("GPU", 0.0), share.gpus))
    return int(count)


def _per_gpu(gpus: float, share: float) -> float:
    """Return the number of workers for a number of GPUs: a part of one is never of two."""
    return gpus // share if share >= 1 else gpus * (1 // share)


def check_software() -> None:
    """Compare the versions on the cluster's nodes with those here.

    Raises:
        InputError: They differ.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    names = PACKAGES

    def versions() -> dict[str, str | None]:  # sent as code, as tfcourse may be missing there
        from importlib.metadata import version

        installed: dict[str, str | None] = {}
        for name in names:
            try:
                installed[name] = version(name)
            except PackageNotFoundError:
                installed[name] = None
        return installed

    here = versions()
    remote: Any = ray.remote(versions)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    answers = {
        node["NodeManagerAddress"]: remote.options(
            num_cpus=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True),
        ).remote()
        for node in nodes
    }
    for address, reference in answers.items():
        if problem := software_problem(address, here, ray.get(reference)):
            raise InputError(problem)


def software_problem(
    address: str, here: Mapping[str, str | None], there: Mapping[str, str | None]
) -> str | None:
    """Return the message about a node that has other versions; None if it has the same."""
    wrong = [name for name in here if there[name] != here[name]]
    if not wrong:
        return None
    others = ", ".join(f"{name} {there[name] or 'is missing'}" for name in wrong)
    own = ", ".join(f"{name} {here[name]}" for name in wrong)
    return (
        f"The Ray node {address} has other software, with which trials would differ: {others}. "
        f"Here: {own}. Install the same there."
    )
