"""keras-tuner's gRPC service between chief and workers, with a token, retries and exact values."""

import contextlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle, holder
from tfcourse.search.engine.space import to_hyperparameters

__all__ = ["OracleServer", "RemoteOracle", "SearchOverError"]

SECONDS_BETWEEN_SIGNS = 2.0
SECONDS_IDLE = 0.2
LONGEST_PAUSE = 5.0
VALUES = "values"
# Two servers on one port would share its calls; a proxy for web pages is none for these.
OPTIONS = (("grpc.so_reuseport", 0), ("grpc.enable_http_proxy", 0))
SECONDS_OF_A_CALL = 10.0
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class OracleServer:
    """Serves an oracle; keras-tuner's own server has no authentication and can't be ended.

    Args:
        oracle: The oracle.
        token: What every call must bring.
    """

    def __init__(self, oracle: SearchOracle, token: str) -> None:
        self.oracle = oracle
        # Those that an earlier chief knew may come back.
        self.last_sign = dict.fromkeys(map(holder, oracle.leases), time.monotonic())
        self.stopped: set[str] = set()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=8),
            interceptors=(_Gate(token, self.last_sign),),
            options=OPTIONS,
        )
        service = protos.get_service_grpc()
        service.add_OracleServicer_to_server(_Servicer(oracle, self.stopped), self._server)

    def start(self, host: str, port: int) -> int:
        """Begins to serve; gives the port, a free one for 0.

        Raises:
            InputError: The address can't be used.
        """
        try:
            found = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            found = 0
        if not found:
            raise InputError(
                f"{host}:{port} can't be listened on: no address of this machine, or the port is "
                "taken. Give another one; port 0 finds a free one."
            )
        self._server.start()
        return int(found)

    def stop(self) -> None:
        """Ends the calls under way, and listens no more."""
        self._server.stop(grace=1.0).wait()

    def expire(self, after: float) -> list[str]:
        """Hands out the trials of workers again that were silent for so many seconds."""
        now = time.monotonic()
        silent = []
        for name in {holder(tuner_id) for tuner_id in list(self.oracle.leases)}:
            if now - self.last_sign.setdefault(name, now) > after:
                self.oracle.release(name)
                silent.append(name)
        return silent

    def waits(self, within: float) -> bool:
        """Whether a worker that gave a sign lately has not been told to stop yet."""
        earliest = time.monotonic() - within
        signs = list(self.last_sign.items())
        return any(seen >= earliest and name not in self.stopped for name, seen in signs)


class _Servicer(OracleServicer):
    def __init__(self, oracle: SearchOracle, stopped: set[str]) -> None:
        super().__init__(oracle)
        self.stopped = stopped

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802  (gRPC's name)
        trial = self.oracle.create_trial(request.tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.stopped.add(holder(request.tuner_id))
        else:
            self.stopped.discard(holder(request.tuner_id))
        # The message has float32 only: as a text the values stay what they are.
        exact = keras_tuner.HyperParameters()
        exact.Fixed(VALUES, json.dumps(trial.hyperparameters.values))
        sent = Trial(exact, trial.trial_id, trial.status)
        return protos.get_service().CreateTrialResponse(trial=sent.to_proto())


class _Gate(grpc.ServerInterceptor):
    """Lets calls in that bring the token, and notes who called when."""

    def __init__(self, token: str, last_sign: dict[str, float]) -> None:
        self.token, self.last_sign = token.encode(), last_sign
        self.refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler of a call."""
        brought = dict(details.invocation_metadata)
        token = brought.get("token", "").encode()
        if not hmac.compare_digest(token, self.token):
            return self.refusal
        self.last_sign[brought.get("worker", "")] = time.monotonic()
        return continuation(details)


class SearchOverError(WorkFailedError):
    """The chief is gone, and nothing is left to do."""


def _refuse(request: Any, context: Any) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong token")


class RemoteOracle(keras_tuner.Oracle):
    """The chief's oracle, seen from a worker.

    Args:
        config: The search.
        address: The chief's ``host:port``.
        token: The chief's token.
        name: The worker's name: under it the chief knows its trial, also after a restart.
        patience: For how many seconds to try again when the chief can't be reached.
        is_over: Asked while it can't: whether the search is complete, and the chief gone for good.

    Attributes:
        pause: For how many seconds to wait when there is nothing to do: keras-tuner's loop asks
            again at once.
    """

    def __init__(
        self,
        config: SearchConfig,
        address: str,
        token: str,
        name: str,
        patience: float,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective(config.search.objective, config.direction),
            hyperparameters=to_hyperparameters(config.space),
        )
        self.address, self.patience, self.is_over = address, patience, is_over
        self.pause = SECONDS_IDLE
        self.metadata = (("token", token), ("worker", name))
        options = (*OPTIONS, ("grpc.max_reconnect_backoff_ms", int(LONGEST_PAUSE * 1000)))
        self.stub = protos.get_service_grpc().OracleStub(grpc.insecure_channel(address, options))
        self.signs = threading.Thread(target=self._give_signs, daemon=True)

    def reach(self) -> None:
        """Waits until the chief can be reached.

        Raises:
            InputError: It refuses the token.
            WorkFailedError: It could not be reached for ``patience`` seconds.
        """
        self._call(self.stub.GetSpace, protos.get_service().GetSpaceRequest())

    def create_trial(self, tuner_id: str) -> Any:
        """The trial that the chief gives this worker."""
        request = protos.get_service().CreateTrialRequest(tuner_id=tuner_id)
        trial = Trial.from_proto(self._call(self.stub.CreateTrial, request).trial)
        if trial.status == TrialStatus.IDLE:
            time.sleep(self.pause)
        trial.hyperparameters.values = json.loads(trial.hyperparameters.get(VALUES))
        self.trials = {trial.trial_id: trial}
        return trial

    def end_trial(self, trial: Any) -> None:
        """Tells the chief that the trial is on record."""
        ended = Trial(keras_tuner.HyperParameters(), trial.trial_id, trial.status)
        self._call(self.stub.EndTrial, protos.get_service().EndTrialRequest(trial=ended.to_proto()))

    def save(self) -> None:
        """Writes nothing: the run directory is the record."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the run directory is the record."""

    def _call(self, method: Any, request: Any) -> Any:
        end, pause = time.monotonic() + self.patience, 0.1
        while True:
            left = max(end - time.monotonic(), 0.0)
            try:
                timeout = min(max(left, 0.1), SECONDS_OF_A_CALL)
                return method(request, metadata=self.metadata, wait_for_ready=True, timeout=timeout)
            except grpc.RpcError as error:
                code, said = error.code(), error.details()
            if code == grpc.StatusCode.UNAUTHENTICATED:
                raise InputError(
                    f"The chief at {self.address} refused the token. Give both the same --token."
                )
            if code not in PASSING:
                raise WorkFailedError(f"The chief at {self.address} failed: {said}")
            if self.is_over():
                raise SearchOverError(f"The search of the chief at {self.address} is complete.")
            if left == 0:
                raise WorkFailedError(
                    f"The chief at {self.address} could not be reached for {self.patience:g} s: "
                    f"{said}. Start it again, then this worker: nothing is lost."
                )
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _give_signs(self) -> None:
        """Tells the chief every now and then that this worker lives."""
        request = protos.get_service().GetSpaceRequest()
        while True:
            with contextlib.suppress(grpc.RpcError):  # the calls that matter say what is wrong
                self.stub.GetSpace(request, metadata=self.metadata, timeout=SECONDS_BETWEEN_SIGNS)
            time.sleep(SECONDS_BETWEEN_SIGNS)
