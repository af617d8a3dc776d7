"""Bad schemas over the wire: the right code, reason and place; the registry keeps answering."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest

from tests.support.bad_schemas import BAD, GOOD
from tests.support.registry_schemas import TRADES, trades
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import schema_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import RegistryProcess, Stub
    from tickmesh.errors import TickmeshError

pytestmark = pytest.mark.integration

REGISTER = "/tickmesh.api.registry.v1.SchemaRegistryService/RegisterSchema"
LONGEST_SHOWN = 200
SOON_SECONDS = 5.0
"""A second on a quiet machine; a hang would be minutes."""


def request_of(text: str | bytes) -> bytes:
    """A registration as bytes: what is not UTF-8 cannot be put into a message."""
    encoded = text.encode() if isinstance(text, str) else text
    length, size = len(encoded), bytearray()
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    head = pb.RegisterSchemaRequest(subject="ticks.bad").SerializeToString()
    return head + b"\x1a" + bytes(size) + encoded


def is_utf8(text: str | bytes) -> bool:
    try:
        text.decode() if isinstance(text, bytes) else text.encode()
    except UnicodeError:
        return False
    return True


async def refusal_of(channel: grpc.aio.Channel, text: str | bytes) -> TickmeshError:
    register_bytes: Any = channel.unary_unary(REGISTER)
    with pytest.raises(grpc.RpcError) as caught:
        await register_bytes(request_of(text), timeout=60)
    error = error_from_rpc(caught.value)
    shown = f"{error} {dict(error.metadata)} {error.violations}"
    assert not re.search(r"Traceback|\.py\b|site-packages|SELECT |sqlite|<class", shown), shown
    assert len(shown) < 5_000
    return error


class Taken(NamedTuple):
    """Bytes that a registry takes: its own memory, and what it keeps."""

    memory: int
    stored: int

    @classmethod
    def by(cls, registry: RegistryProcess) -> Taken:
        status = Path(f"/proc/{registry.pid}/status").read_text()
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert found is not None
        kept = [path for path in registry.home.rglob("*") if ".db" in path.suffix]
        assert kept
        return cls(int(found[1]) * 1024, sum(path.stat().st_size for path in kept))


async def versions_of(stub: Stub, subject: str) -> list[schema_pb2.SchemaVersion]:
    answer = await stub.ListVersions(pb.ListVersionsRequest(subject=subject))
    return list(answer.versions)


async def register(
    stub: Stub, subject: str, text: str, **references: tuple[str, int]
) -> pb.RegisterSchemaResponse:
    request = pb.RegisterSchemaRequest(
        subject=subject,
        text=text,
        references=[
            schema_pb2.SchemaReference(name=name, subject=to, version=version)
            for name, (to, version) in references.items()
        ],
    )
    answer: pb.RegisterSchemaResponse = await stub.RegisterSchema(request)
    return answer


async def failure_of(
    stub: Stub, subject: str, text: str, **references: tuple[str, int]
) -> TickmeshError:
    with pytest.raises(grpc.RpcError) as caught:
        await register(stub, subject, text, **references)
    return error_from_rpc(caught.value)


async def test_each_bad_schema_is_refused_with_its_reason_and_place_and_soon(
    registry: RegistryProcess, process_stub: Stub
) -> None:
    await register(process_stub, "ticks.trades", TRADES)
    async with grpc.aio.insecure_channel(registry.address) as channel:
        for bad in BAD:
            began = time.monotonic()
            error = await refusal_of(channel, bad.text)
            assert time.monotonic() - began < SOON_SECONDS, bad.name
            if len(bad.text) > 4 << 20:
                assert error.code == "RESOURCE_EXHAUSTED", bad.name
                continue
            assert error.code == "INVALID_ARGUMENT", bad.name
            if not is_utf8(bad.text):
                assert error.reason == "INVALID_ARGUMENT", bad.name
                continue
            assert error.reason == "INVALID_SCHEMA", bad.name
            assert error.metadata["schemaReason"] == bad.reason, bad.name
            pointer = error.metadata["pointer"]
            assert bad.pointer.startswith(pointer.removesuffix("…")), bad.name
            assert pointer == bad.pointer or len(pointer) >= LONGEST_SHOWN - 1, bad.name
            assert error.violations[0].field.startswith("text#"), bad.name
    assert "Traceback" not in registry.log()
    assert len(await versions_of(process_stub, "ticks.trades")) == 1
    heads = await process_stub.ListSubjects(pb.ListSubjectsRequest())
    assert heads.revision == 1


async def test_a_bad_schema_does_not_keep_others_waiting(
    registry: RegistryProcess, process_stub: Stub
) -> None:
    await register(process_stub, "ticks.trades", TRADES)
    async with grpc.aio.insecure_channel(registry.address) as channel:
        hostile = asyncio.gather(
            *(refusal_of(channel, bad.text) for bad in BAD if len(bad.text) < 1 << 20)
        )
        answered = 0
        while not hostile.done():
            await process_stub.ListSubjects(pb.ListSubjectsRequest(), timeout=SOON_SECONDS)
            answered += 1
        await hostile
    assert answered


async def test_what_only_looks_bad_is_registered(stub: Stub) -> None:
    for place, (name, text) in enumerate(GOOD.items()):
        answer = await register(stub, f"ticks.good{place}", text)
        assert answer.schema.version == 1, name
        assert answer.schema.text == text, name


async def test_subjects_that_refer_to_each_other_are_pinned_and_never_a_cycle(stub: Stub) -> None:
    empty = json.dumps({"properties": {"n": {"type": "integer"}}})
    link = json.dumps({"properties": {"n": {"type": "integer"}, "other": {"$ref": "other"}}})
    unborn = await failure_of(stub, "types.a", link, other=("types.b", 1))
    assert (unborn.code, unborn.reason) == ("NOT_FOUND", "VERSION_NOT_FOUND")
    itself = await failure_of(stub, "types.a", link, other=("types.a", 1))
    assert (itself.code, itself.reason) == ("NOT_FOUND", "VERSION_NOT_FOUND")
    await register(stub, "types.a", empty)
    await register(stub, "types.b", link, other=("types.a", 1))
    answer = await register(stub, "types.a", link, other=("types.b", 1))
    assert answer.schema.version == 2
    unnamed = await failure_of(stub, "types.c", link)
    assert unnamed.metadata["schemaReason"] == "REFERENCE_NOT_FOUND"
    assert unnamed.metadata["pointer"] == "/properties/other/$ref"


async def test_references_that_fan_out_over_subjects_are_bounded(stub: Stub) -> None:
    """Each level refers to both subjects of the level below; nothing is unfolded twice."""
    await register(stub, "types.l0", '{"properties":{"a":{}}}')
    await register(stub, "types.r0", '{"properties":{"b":{}}}')
    both = '{"properties":{"x":{"$ref":"left"},"y":{"$ref":"right"}}}'
    for level in range(1, 40):
        pinned = {"left": (f"types.l{level - 1}", 1), "right": (f"types.r{level - 1}", 1)}
        try:
            async with asyncio.timeout(SOON_SECONDS):
                await register(stub, f"types.l{level}", both, **pinned)
                await register(stub, f"types.r{level}", both, **pinned)
        except grpc.RpcError as error:
            refused = error_from_rpc(error)
            break
    assert refused.metadata["schemaReason"] == "TOO_MANY_REFERENCES"


async def test_refusals_in_a_loop_are_one_event_an_hour_and_take_no_room(
    registry: RegistryProcess, process_stub: Stub
) -> None:
    """A writer that never gives up: bad and incompatible schemas, over and over."""
    await register(process_stub, "ticks.trades", TRADES)
    breaking = [trades(required=(name,), **{name: {"type": "string"}}) for name in ("venue", "fee")]

    async def refuse(times: int) -> None:
        for _ in range(times):
            for text in breaking:
                error = await failure_of(process_stub, "ticks.trades", text)
                assert error.code == "FAILED_PRECONDITION"
            bad = await failure_of(process_stub, "ticks.trades", '{"type":"strin"}')
            assert bad.code == "INVALID_ARGUMENT"

    await refuse(20)
    head = await process_stub.ListSubjects(pb.ListSubjectsRequest())
    assert head.revision == 1 + len(breaking)
    before = Taken.by(registry)
    await refuse(150)
    after = Taken.by(registry)
    assert (await process_stub.ListSubjects(pb.ListSubjectsRequest())).revision == head.revision
    assert len(await versions_of(process_stub, "ticks.trades")) == 1
    assert after.stored == before.stored
    assert after.memory - before.memory < 8 << 20, (before, after)
