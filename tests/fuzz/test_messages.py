"""Messages to the chief of a search, from a stranger and from one who has the token."""

import random
import socket

import grpc
from keras_tuner.src import protos

from tests.fuzz.mutations import damaged
from tests.search.runtime.test_rpc import TOKEN, oracle, serve, worker

__all__ = ["oracle", "serve"]  # fixtures

SERVICE = protos.get_service().DESCRIPTOR.services_by_name["Oracle"]
METHODS = {method.name: method.input_type._concrete_class for method in SERVICE.methods}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
TEXTS = ("", "0", "0000", "7", "x" * 1000, "é\x00")
WRONG = ((), (("token", ""),), (("token", TOKEN + "x"),), (("token-bin", b"\xff"),))


def message(generator):
    """The name of a method, and its message, damaged or of another method as often as sound."""
    name = generator.choice([*METHODS])
    request = METHODS[generator.choice([name, name, *METHODS])]()
    for field in request.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING:
            setattr(request, field.name, generator.choice(TEXTS))
        elif field.type in (field.TYPE_INT64, field.TYPE_INT32):
            setattr(request, field.name, generator.choice([0, -1, 1, 2**31 - 1]))
        elif field.name == "trial":
            request.trial.trial_id = generator.choice(["", "0000", "0001", "-1", "a", "9" * 30])
    content = request.SerializeToString()
    if generator.random() < 0.5:
        content = damaged(generator, content + b"\n\x04late")
    return name, content


def call(channel, name, content, metadata):
    """The status with which the chief answers; None where it takes the message."""
    try:
        channel.unary_unary(f"/keras_tuner.Oracle/{name}")(content, metadata=metadata, timeout=5)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_a_stranger_changes_nothing(oracle, serve, capfd):
    server, port = serve(oracle)
    generator = random.Random(0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(300):
            name, content = message(generator)
            status = call(channel, name, content, generator.choice(WRONG))
            assert status == grpc.StatusCode.UNAUTHENTICATED
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(damaged(generator, PREFACE * 3) + generator.randbytes(100))
    assert (oracle.leases, server.last_sign) == ({}, {})
    assert worker(port).next("a") == 0
    assert "Traceback" not in "".join(capfd.readouterr())


def test_one_with_the_token_does_not_end_the_service(oracle, serve, monkeypatch):
    """It gets an error, and the chief gives the trials out as before."""
    # The chief waits for a record that a shared disk does not show yet.
    monkeypatch.setattr("tfcourse.search.records.visibility.SECONDS_UNTIL_SEEN", 0.0)
    _, port = serve(oracle)
    generator = random.Random(1)
    metadata = (("token", TOKEN), ("worker", "stranger"))
    statuses = set()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(300):
            statuses.add(call(channel, *message(generator), metadata))
    answered = {None, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
    assert {None} < statuses <= answered | {grpc.StatusCode.UNIMPLEMENTED}
    for name in list(oracle.leases):
        oracle.release(name)
    mine = [worker(port, str(number)).next(str(number)) for number in range(6)]
    assert sorted(mine) == list(range(6))
    assert not oracle.journal.told
