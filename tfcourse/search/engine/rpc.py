"""keras-tuner's gRPC service between machines, with a token, retries and signs of life.

Only numbers of trials are sent: keras-tuner's messages hold float32, and values are computed where
the trial runs.
"""

import contextlib
import hmac
import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.engine.certificates import Certificate, check_chief, uses_tls
from tfcourse.search.engine.oracle import SearchOracle

__all__ = ["OracleServer", "RemoteScheduler", "SearchOverError"]

SECONDS_BETWEEN_SIGNS = 2.0
LONGEST_PAUSE = 5.0
# Two servers on one port would share its calls; web proxies do not forward these calls.
OPTIONS = (("grpc.so_reuseport", 0), ("grpc.enable_http_proxy", 0))
SECONDS_OF_A_CALL = 10.0
# keras-tuner's other calls keep its lock after an error, and with it a thread of the server.
SERVED = {f"/keras_tuner.Oracle/{name}" for name in ("GetSpace", "CreateTrial", "EndTrial")}
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class OracleServer:
    """Serves an oracle; keras-tuner's own server has no authentication and can't be ended.

    Args:
        oracle: The oracle.
        token: The secret that every call must have.
        workers: Workers that an earlier chief knew, and that may come back.

    Attributes:
        last_sign: The time of each worker's last call, of `time.monotonic`.
        stopped: The workers that have been told that the search is complete.
    """

    def __init__(self, oracle: SearchOracle, token: str, workers: Iterable[str] = ()) -> None:
        oracle.pause = 0.0  # the workers wait, and not the server
        self.last_sign = dict.fromkeys(workers, time.monotonic())
        self.stopped: set[str] = set()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=8),
            interceptors=(_Gate(token, self.last_sign),),
            options=OPTIONS,
        )
        service = protos.get_service_grpc()
        service.add_OracleServicer_to_server(_Servicer(oracle, self.stopped), self._server)

    def start(self, host: str, port: int, certificate: Certificate | None = None) -> int:
        """Begin to serve, and return the port: a free one for 0.

        With a certificate all is encrypted.

        Raises:
            InputError: The address can't be used.
        """
        try:
            if certificate is None:
                served_port = self._server.add_insecure_port(f"{host}:{port}")
            else:
                pair = (certificate.key, certificate.chain)
                credentials = grpc.ssl_server_credentials([pair])
                served_port = self._server.add_secure_port(f"{host}:{port}", credentials)
        except RuntimeError:
            served_port = 0
        if not served_port:
            raise InputError(
                f"{host}:{port} can't be listened on: no address of this machine, or the port is "
                "taken. Give another one; port 0 finds a free one."
            )
        self._server.start()
        return int(served_port)

    def stop(self) -> None:
        """End the calls under way, and stop listening."""
        self._server.stop(grace=1.0).wait()

    def is_silent(self, worker: str, seconds: float) -> bool:
        """Return whether a worker has made no call for so long; unknown ones count from now."""
        now = time.monotonic()
        return now - self.last_sign.setdefault(worker, now) > seconds

    def waits(self, within: float) -> bool:
        """Return whether a worker that called lately does not know yet that all is complete."""
        earliest = time.monotonic() - within
        signs = list(self.last_sign.items())
        return any(sign >= earliest and name not in self.stopped for name, sign in signs)


class _Servicer(OracleServicer):
    def __init__(self, oracle: SearchOracle, stopped: set[str]) -> None:
        super().__init__(oracle)
        self.stopped = stopped

    def CreateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  (gRPC's name)
        worker = dict(context.invocation_metadata()).get("worker", "")
        trial = self.oracle.create_trial(request.tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.stopped.add(worker)
        else:
            self.stopped.discard(worker)
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())


class _Gate(grpc.ServerInterceptor):
    """Refuses calls without the token and those that no worker makes, and notes others' time."""

    def __init__(self, token: str, last_sign: dict[str, float]) -> None:
        self.token, self.last_sign = token.encode(), last_sign
        self.refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(
        self, continuation: Callable[[Any], Any], call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a call."""
        metadata = dict(call.invocation_metadata)
        token = metadata.get("token", "").encode()
        if not hmac.compare_digest(token, self.token):
            return self.refusal
        if call.method not in SERVED:
            return None
        self.last_sign[metadata.get("worker", "")] = time.monotonic()
        return continuation(call)


class SearchOverError(WorkFailedError):
    """The chief is gone, and nothing is left to do."""


def _refuse(request: object, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong token")


class RemoteScheduler:
    """The chief's scheduler, seen from a worker on another machine.

    Args:
        address: The chief's ``host:port``.
        token: The chief's token.
        name: The worker's name: the chief knows its trials by it, also after a restart.
        patience: The seconds for which calls are tried again while the chief can't be reached.
        authorities: Certificates in PEM, by one of which the chief's must be signed; None for a
            chief without TLS.

    Attributes:
        complete: Whether the chief said that no trial is left.
    """

    def __init__(
        self,
        address: str,
        token: str,
        name: str,
        patience: float,
        authorities: bytes | None = None,
    ) -> None:
        self.address, self.patience, self.complete = address, patience, False
        self.authorities = authorities
        self.metadata = (("token", token), ("worker", name))
        options = (*OPTIONS, ("grpc.max_reconnect_backoff_ms", int(LONGEST_PAUSE * 1000)))
        if authorities is None:
            channel = grpc.insecure_channel(address, options)
        else:
            credentials = grpc.ssl_channel_credentials(authorities)
            channel = grpc.secure_channel(address, credentials, options)
        self.stub = protos.get_service_grpc().OracleStub(channel)

    def reach(self) -> None:
        """Wait until the chief can be reached.

        Raises:
            InputError: The chief refuses the token, has another certificate, or no TLS.
            WorkFailedError: It could not be reached for ``patience`` seconds.
        """
        self._check_tls()
        self._call(self.stub.GetSpace, protos.get_service().GetSpaceRequest())

    def is_over(self) -> bool:
        """Return whether the search is complete: a chief that can't be reached is gone for good."""
        return False

    def start_signs(self) -> None:
        """Begin to tell the chief every other second that this worker lives."""
        threading.Thread(target=self._give_signs, daemon=True).start()

    def next(self, holder: str) -> int | None:
        """Return the trial that the chief gives; None if there is none now."""
        request = protos.get_service().CreateTrialRequest(tuner_id=holder)
        trial = Trial.from_proto(self._call(self.stub.CreateTrial, request).trial)
        self.complete = trial.status == TrialStatus.STOPPED
        return int(trial.trial_id) if trial.status == TrialStatus.RUNNING else None

    def end(self, trial: int) -> None:
        """Tell the chief that a trial is on record."""
        ended = Trial(keras_tuner.HyperParameters(), f"{trial:04d}", TrialStatus.COMPLETED)
        self._call(self.stub.EndTrial, protos.get_service().EndTrialRequest(trial=ended.to_proto()))

    def _check_tls(self) -> None:
        """Raise InputError if only one of the two uses TLS, or the chief's certificate is wrong."""
        if self.authorities is not None:
            check_chief(self.address, self.authorities)
        elif uses_tls(self.address):
            raise InputError(f"The chief at {self.address} uses TLS: give this worker --tls-ca.")

    def _call(self, method: Callable[..., Any], request: object) -> Any:
        end, pause = time.monotonic() + self.patience, 0.1
        while True:
            seconds = max(end - time.monotonic(), 0.0)
            try:
                timeout = min(max(seconds, 0.1), SECONDS_OF_A_CALL)
                return method(request, metadata=self.metadata, wait_for_ready=True, timeout=timeout)
            except grpc.RpcError as error:
                code, details = error.code(), error.details()
            if code == grpc.StatusCode.UNAUTHENTICATED:
                raise InputError(
                    f"The chief at {self.address} refused the token. Give both the same --token."
                )
            if code not in PASSING:
                raise WorkFailedError(f"The chief at {self.address} failed: {details}")
            if self.is_over():
                raise SearchOverError(f"The search of the chief at {self.address} is complete.")
            if seconds == 0:
                self._check_tls()
                raise WorkFailedError(
                    f"The chief at {self.address} could not be reached for {self.patience:g} s: "
                    f"{details}. Start it again, then this worker: nothing is lost."
                )
            time.sleep(min(pause, seconds))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _give_signs(self) -> None:
        """Call the chief every other second."""
        request = protos.get_service().GetSpaceRequest()
        while True:
            with contextlib.suppress(grpc.RpcError):  # other calls report what is wrong
                self.stub.GetSpace(request, metadata=self.metadata, timeout=SECONDS_BETWEEN_SIGNS)
            time.sleep(SECONDS_BETWEEN_SIGNS)
