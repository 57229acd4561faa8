"""The commands of a search on several machines: one chief, and workers anywhere."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfcourse.cli.options import AcceptChanges, ConfigFile, Debug, Quiet, json_option
from tfcourse.cli.output import (
    SEARCH_KEYS,
    finished_trials_of,
    print_json,
    print_result,
    print_search_json,
)
from tfcourse.errors import InputError, shown
from tfcourse.terminal import (
    console,
    errors,
    message_if_interrupted,
    reporting,
    signals_interrupt,
)

if TYPE_CHECKING:
    from tfcourse.search.engine.certificates import Certificate

__all__ = ["chief", "worker"]

Out = Annotated[Path, typer.Option(help="The folder of the run directory, shared by all.")]
Token = Annotated[
    str | None, typer.Option(envvar="TFCOURSE_TOKEN", help="The secret of chief and workers.")
]


def chief(
    config: ConfigFile,
    bind: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 finds a free one.")
    ] = "127.0.0.1:0",
    token: Token = None,
    out: Out = Path("runs"),
    expire_after: Annotated[
        float, typer.Option(min=10, help="Seconds after which a silent worker is lost.")
    ] = 60.0,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A certificate (PEM), to encrypt all.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key of the certificate (PEM).")
    ] = None,
    accept_changes: AcceptChanges = False,
    as_json: Annotated[bool, json_option(*SEARCH_KEYS)] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Assign a search's trials to workers on other machines. Then measure the best model."""
    with reporting(debug, quiet, as_json), signals_interrupt():
        from tfcourse.search.run import Search
        from tfcourse.search.runtime.service import Service

        def on_serving(port: int) -> None:
            if not quiet:
                console.print(f"Serving at {host}:{port}.", highlight=False)

        (host, port), secret = _address(bind, "--bind"), _secret(token)
        certificate = _certificate(tls_cert, tls_key)
        service = Service(host, port, secret, expire_after, not quiet, certificate)
        planned = Search.from_toml(config, out=out)
        with message_if_interrupted(
            lambda: f"{finished_trials_of(planned)} The workers may keep running."
        ):
            result = planned.serve(service, on_serving, accept_changes)
        if as_json:
            print_search_json(planned.directory)
        else:
            print_result(result, quiet=quiet)


def worker(
    config: ConfigFile,
    connect: Annotated[str, typer.Option(metavar="HOST:PORT", help="The chief's address.")],
    name: Annotated[str, typer.Option("--id", help="A name that no other worker has.")],
    token: Token = None,
    out: Out = Path("runs"),
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds to keep trying to reach the chief.")
    ] = 600.0,
    tls_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The chief's certificate, or who signed it (PEM)."),
    ] = None,
    as_json: Annotated[bool, json_option("worker", "directory", "complete", "trained")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train the trials that a chief assigns, until none is left."""
    with reporting(debug, quiet, as_json), signals_interrupt():
        from tfcourse.search.config.load import load_config
        from tfcourse.search.engine.certificates import read_authorities
        from tfcourse.search.runtime.conductor import Conductor
        from tfcourse.search.runtime.processes import Processes
        from tfcourse.search.runtime.supervisor import Supervisor
        from tfcourse.search.runtime.worker_pool import Chief, WorkerPool
        from tfcourse.search.store.resume import as_recorded

        host, port = _address(connect, "--connect")
        authorities = None if tls_ca is None else read_authorities(tls_ca)
        chief = Chief(f"{host}:{port}", _secret(token), patience, authorities)
        from_file = load_config(config)
        recorded = as_recorded(from_file, out / from_file.search.name)
        pool = WorkerPool(recorded, out, (_name(name),), chief)
        with message_if_interrupted(
            f"Started again as {name}, it resumes its trial; "
            "otherwise the chief assigns the trial again."
        ):
            lines = _Lines(quiet)
            supervisor = Supervisor(pool, Conductor(), lines, Processes(pool))
            supervisor.run()
        place = supervisor.directory.path
        # A worker without an effort did not reach the chief, and read a finished record.
        complete = name not in supervisor.efforts
        if as_json:
            entry = {"worker": name, "directory": place, "complete": complete}
            print_json({**entry, "trained": sorted(lines.trained)})
            return
        end = f"The search in {place} is complete."
        if not complete:
            end = f"No trial is left: the chief concludes the search in {place}."
        trained = len(lines.trained)
        console.print(
            f"Trials trained by {name}: {trained}. {end}", highlight=False, soft_wrap=True
        )


class _Lines:
    """The printed lines about a worker's trials."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.trained: set[int] = set()

    def began(self, worker: str, trial: int) -> None:
        if not self.quiet:
            console.print(f"{worker} trains trial {trial}.", highlight=False)

    def ended(self, worker: str, trial: int | None = None) -> None:
        self.trained |= set() if trial is None else {trial}

    def say(self, line: str) -> None:
        if not self.quiet:
            errors.print(line, highlight=False, soft_wrap=True)


def _address(text: str, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(
            f"{option} must be HOST:PORT, such as 127.0.0.1:8700. Received: {shown(text)}."
        )
    return host, int(port)


def _certificate(certificate: Path | None, key: Path | None) -> "Certificate | None":
    from tfcourse.search.engine.certificates import read_certificate

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InputError("--tls-cert and --tls-key must be given together.")
    return read_certificate(certificate, key)


def _secret(text: str | None) -> str:
    """Return the token without the newline at the end of a file.

    Raises:
        InputError: It is not printable ASCII.
    """
    token = (text or "").strip()
    if not token.isascii() or not token.isprintable():
        raise InputError("--token must be printable ASCII: letters, digits and signs.")
    return token


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", text):
        raise InputError(
            "--id must be letters, digits, '.', '-' and '_', and not begin with '.'. Received: "
            f"{shown(text)}."
        )
    return text
