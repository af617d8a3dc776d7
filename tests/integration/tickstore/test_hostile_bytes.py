"""T11: whatever bytes a client sends, it alone is told; the store serves on.

Sound messages of a put are taken apart, damaged and sent by a client that knows nothing of Arrow.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.support.governed_ticks import SYMBOLS, trades, trades_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickmesh.registry import RegistryClient
    from tickmesh.ticks import TickClient
    from tickmesh_serving.mesh import Mesh

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("TICKMESH_SEED", "20261122"))
_DESCRIPTOR_PATH = 1
_FLIGHT_DESCRIPTOR, _DATA_HEADER, _APP_METADATA, _DATA_BODY = 1, 2, 3, 1000


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def flight_messages(subject: str, table: pa.Table) -> list[tuple[bytes, bytes, bytes]]:
    """A put as descriptor, Arrow header and body of each message."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    descriptor = _varint(1 << 3) + _varint(_DESCRIPTOR_PATH) + _field(3, subject.encode())
    messages: list[tuple[bytes, bytes, bytes]] = []
    with pa.BufferReader(sink.getvalue()) as source:
        while (message := _next_message(source)) is not None:
            body = b"" if message.body is None else message.body.to_pybytes()
            messages.append((b"" if messages else descriptor, message.metadata.to_pybytes(), body))
    return messages


def _next_message(source: pa.NativeFile) -> pa.ipc.Message | None:
    try:
        return pa.ipc.read_message(source)
    except EOFError:
        return None


def flight_data(descriptor: bytes, header: bytes, body: bytes) -> bytes:
    """A FlightData message."""
    fields = _field(_FLIGHT_DESCRIPTOR, descriptor) if descriptor else b""
    return fields + _field(_DATA_HEADER, header) + (_field(_DATA_BODY, body) if body else b"")


def mutants(
    messages: Sequence[tuple[bytes, bytes, bytes]], chance: random.Random
) -> Iterator[list[bytes]]:
    """The same put, damaged each time somewhere else."""
    while True:
        place = chance.randrange(len(messages))
        damaged = [list(message) for message in messages]
        part = chance.choice([number for number in (0, 1, 2) if messages[place][number]])
        damaged[place][part] = _damaged(messages[place][part], chance)
        sent = [flight_data(*message) for message in damaged]
        what = chance.random()
        if what < 0.05:
            del sent[place]
        elif what < 0.1:
            sent.insert(place, sent[place])
        elif what < 0.15:
            sent[place] = _damaged(sent[place], chance)
        yield sent


def _damaged(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    what = chance.random()
    at = chance.randrange(len(changed))
    if what < 0.5:
        changed[at] ^= 1 << chance.randrange(8)
    elif what < 0.7:
        # Lengths and offsets are what a reader believes too easily.
        at -= at % 8
        number = chance.choice([0, -1, 1 << 31, (1 << 63) - 1, -(1 << 63), len(content), 7])
        changed[at : at + 8] = number.to_bytes(8, "little", signed=True)[: len(changed) - at]
    elif what < 0.85:
        del changed[at:]
    else:
        changed[at : at + 4] = chance.randbytes(4)
    return bytes(changed)


class RawPut:
    """DoPut as bytes: no library looks at what is sent."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", -1)]
        )
        self._do_put: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(
            "/arrow.flight.protocol.FlightService/DoPut"
        )

    def send(self, messages: Sequence[bytes]) -> status_pb2.Status | None:
        """What the store answered; None when it took all of it."""
        call = self._do_put(iter(messages), timeout=30)
        with suppress(grpc.RpcError):  # its code is looked at below
            for _ in call:
                pass
        code, details = call.code(), call.details() or ""
        if code == grpc.StatusCode.OK:
            return None
        assert code not in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}, details
        assert "Socket closed" not in details, "the store died"
        for key, value in call.trailing_metadata() or ():
            if key == "grpc-status-details-bin" and isinstance(value, bytes):
                return status_pb2.Status.FromString(value)
        return status_pb2.Status(code=code.value[0], message=details)

    def close(self) -> None:
        """Give the connection back."""
        self._channel.close()


def attack(mesh: Mesh, ticks: TickClient, registry: RegistryClient, *, count: int) -> set[str]:
    """Send damaged puts, and sound ones between them; the reasons they were refused with."""
    print(f"TICKMESH_SEED={SEED}")  # the seed repeats a failure
    chance = random.Random(SEED)
    raw = RawPut(mesh.addresses["tickstore"]["flight"])
    pid = mesh.pid("tickstore")
    reasons: set[str] = set()
    for subject, table in _puts(registry):
        messages = flight_messages(subject, table)
        assert raw.send([flight_data(*message) for message in messages]) is None
        for number, damaged in zip(range(count), mutants(messages, chance), strict=False):
            told = raw.send(damaged)
            assert mesh.pid("tickstore") == pid, f"seed {SEED}, {number}: the store died"
            if told is not None:
                assert "Traceback" not in told.message, told.message
                assert ".py" not in told.message, told.message
                assert str(mesh.home) not in told.message, told.message
                info = error_details_pb2.ErrorInfo()
                if any(detail.Unpack(info) for detail in told.details):
                    assert info.reason != "INTERNAL", told.message
                    reasons.add(info.reason)
        # Whatever was stored can be read, and the next put is stored.
        before = ticks.read(subject)
        before.validate(full=True)
        ticks.put(subject, table)
        after = ticks.read(subject)
        assert after.slice(before.num_rows).to_pylist() == table.to_pylist()
    raw.close()
    return reasons


def _puts(registry: RegistryClient) -> Iterator[tuple[str, pa.Table]]:
    table = trades(30)
    subject = f"ticks.hostile_{time.time_ns()}"
    registry.register(subject, trades_schema())
    yield subject, table
    nested = f"ticks.nested_{time.time_ns()}"
    more = {
        "levels": {"type": "array", "items": {"type": "number"}},
        "venue": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    registry.register(nested, trades_schema(**more))
    yield (
        nested,
        table.append_column("levels", pa.array([[1.0, 2.0], [], None] * 10)).append_column(
            "venue", pa.array([{"name": SYMBOLS[0]}, None, {"name": None}] * 10)
        ),
    )


def test_t11_damaged_arrow_bytes_are_refused_and_the_store_serves_on(
    mesh: Mesh, ticks: TickClient, registry: RegistryClient
) -> None:
    reasons = attack(mesh, ticks, registry, count=120)
    assert "MALFORMED_DATA" in reasons


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t11_very_many_damaged_bytes_are_refused(
    mesh: Mesh, ticks: TickClient, registry: RegistryClient
) -> None:
    assert "MALFORMED_DATA" in attack(mesh, ticks, registry, count=20_000)
