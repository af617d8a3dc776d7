"""The watch promises through gRPC, against a real process that is drained, killed and reopened."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from tests.chaos.fault_proxy import FaultProxy
from tests.support.registry_schemas import TRADES
from tests.support.watch_history import WatchHistory
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import (
    change_pb2,
    selector_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.registry_process import RegistryProcess, StartRegistry, Stub
    from tickmesh.errors import TickmeshError


async def register(stub: Stub, subject: str, number: int) -> pb.RegisterSchemaResponse:
    text = json.dumps({**json.loads(TRADES), "title": f"{subject} {number}"})
    answer: pb.RegisterSchemaResponse = await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject=subject, text=text)
    )
    return answer


async def failure_of_watch(stub: Stub, request: pb.WatchRequest) -> TickmeshError:
    with pytest.raises(grpc.RpcError) as caught:
        async for _ in stub.Watch(request):
            pass
    return error_from_rpc(caught.value)


async def drained(call: Any) -> tuple[list[pb.WatchResponse], grpc.RpcError]:
    """Everything a stream still brings, and how it ends."""
    responses: list[pb.WatchResponse] = []
    try:
        while (response := await call.read()) is not grpc.aio.EOF:
            responses.append(response)
    except grpc.RpcError as error:
        return responses, error
    raise AssertionError("the stream ended without a status")


async def test_w1_to_w6_watchers_that_come_and_go_see_the_log_once_and_in_order(
    registry: RegistryProcess,
) -> None:
    writers, each = 3, 40
    total = writers * each
    rng = random.Random(11)
    acknowledged: dict[int, tuple[str, int]] = {}

    async def write(name: str, stub: Stub) -> None:
        for number in range(each):
            answer = await register(stub, name, number)
            acknowledged[answer.revision] = (name, answer.schema.version)

    async def watch() -> WatchHistory:
        history = WatchHistory()
        while history.revision < total:
            async with registry.stub() as stub:
                await history.follow(
                    stub, through=min(total, history.revision + rng.randrange(1, 50))
                )
        return history

    async with registry.stub() as stub:
        histories = await asyncio.gather(
            *(watch() for _ in range(6)), *(write(f"s{i}", stub) for i in range(writers))
        )
    expected = [(r, 0, *acknowledged[r]) for r in range(1, total + 1)]
    for history in histories[:6]:
        assert isinstance(history, WatchHistory)
        assert history.seen == expected
        assert history.streams > 2


async def test_w7_a_snapshot_carries_the_versions_and_then_follows(stub: Stub) -> None:
    for number in range(3):
        await register(stub, "a", number)
    # No mark may come between, however long the test is kept from its next call.
    call = stub.Watch(
        pb.WatchRequest(snapshot=pb.StartSnapshot(), progress_interval=Duration(seconds=60))
    )
    part = await call.read()
    assert part.kind == pb.WatchResponse.KIND_SNAPSHOT_PART
    assert [event.schema.version for event in part.events] == [1, 2, 3]
    assert part.fragment
    assert not part.token
    end = await call.read()
    assert (end.kind, end.revision) == (pb.WatchResponse.KIND_SNAPSHOT_END, 3)
    answer = await register(stub, "b", 1)
    event = (await call.read()).events[0]
    assert event.schema == answer.schema
    assert event.report == answer.report
    assert event.kind == change_pb2.CHANGE_KIND_VERSION_REGISTERED
    call.cancel()


async def test_w8_a_future_start_is_refused_with_both_revisions(stub: Stub) -> None:
    await register(stub, "a", 1)
    error = await failure_of_watch(stub, pb.WatchRequest(after_revision=2))
    assert (error.code, error.reason) == ("OUT_OF_RANGE", "REVISION_IN_FUTURE")
    assert error.metadata["askedRevision"] == "2"
    assert error.metadata["currentRevision"] == "1"


async def test_w8_a_compacted_start_is_refused_after_a_restart(
    start_registry: StartRegistry,
) -> None:
    keep = {"TICKMESH_REGISTRY__LOG__KEEP_REVISIONS": "2"}
    process = await start_registry(environment=keep)
    async with process.stub() as stub:
        for number in range(5):
            await register(stub, "a", number)
    await process.stop()
    await process.start()
    async with process.stub() as stub:
        error = await failure_of_watch(stub, pb.WatchRequest(after_revision=2))
        assert (error.code, error.reason) == ("OUT_OF_RANGE", "REVISION_COMPACTED")
        assert error.metadata["compactRevision"] == "3"
        history = WatchHistory()
        call = stub.Watch(pb.WatchRequest(after_revision=3))
        responses = [await call.read() for _ in range(3)]
        call.cancel()
        assert [r.revision for r in responses] == [3, 4, 5]
        assert {r.compact_revision for r in responses} == {3}
        assert not history.seen
    await process.stop()


async def test_w9_a_token_of_another_store_is_refused(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    tokens: list[str] = []
    for name in ("one", "two"):
        process = await start_registry(home=tmp_path / name)
        async with process.stub() as stub:
            if tokens:
                error = await failure_of_watch(stub, pb.WatchRequest(after_token=tokens[0]))
                assert (error.code, error.reason) == ("FAILED_PRECONDITION", "EPOCH_CHANGED")
            call = stub.Watch(pb.WatchRequest())
            tokens.append((await call.read()).token)
            call.cancel()
            garbled = await failure_of_watch(stub, pb.WatchRequest(after_token="AAAA"))
            assert garbled.code == "INVALID_ARGUMENT"
        await process.stop()


@pytest.mark.parametrize("seed", range(3))
async def test_w10_what_a_watcher_or_writer_saw_is_there_after_kill_9(
    start_registry: StartRegistry, seed: int
) -> None:
    rng = random.Random(seed)
    process = await start_registry()
    acknowledged: dict[int, tuple[str, int]] = {}
    watched: dict[int, tuple[str, int]] = {}
    enough = asyncio.Event()
    wanted = rng.randrange(20, 60)

    async def write(name: str, stub: Stub) -> None:
        for number in range(10_000):
            answer = await register(stub, name, number)
            acknowledged[answer.revision] = (name, answer.schema.version)

    async def watch(stub: Stub) -> None:
        async for response in stub.Watch(pb.WatchRequest(after_revision=0)):
            for event in response.events:
                watched[event.revision] = (event.subject, event.schema.version)
            if len(watched) >= wanted:
                enough.set()

    async with process.stub() as stub:
        tasks = [asyncio.create_task(write(f"s{i}", stub)) for i in range(3)]
        tasks.append(asyncio.create_task(watch(stub)))
        await enough.wait()
        await process.kill()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, grpc.RpcError) for result in results)

    await process.start()
    async with process.stub() as stub:
        head = (await stub.ListSubjects(pb.ListSubjectsRequest())).revision
        history = WatchHistory()
        await history.follow(stub, through=head)
        log = {key[0]: (key[2], key[3]) for key in history.seen}
        assert sorted(log) == list(range(1, head + 1))
        assert watched.items() <= log.items()
        assert acknowledged.items() <= log.items()
        for subject, version in log.values():
            got = await stub.GetSchema(
                pb.GetSchemaRequest(
                    subject=selector_pb2.SubjectSelector(subject=subject, version=version)
                )
            )
            assert got.schema.subject == subject
    await process.stop()


async def test_w11_a_read_waits_for_the_revision_it_needs(stub: Stub) -> None:
    await register(stub, "a", 1)
    latest = selector_pb2.SubjectSelector(subject="a", latest=selector_pb2.LatestSelector())
    waiting = asyncio.ensure_future(
        stub.GetSchema(pb.GetSchemaRequest(subject=latest, min_revision=2))
    )
    await register(stub, "a", 2)
    answer = await waiting
    assert answer.revision >= 2
    assert answer.schema.version == 2
    with pytest.raises(grpc.RpcError) as caught:
        await stub.GetSchema(pb.GetSchemaRequest(subject=latest, min_revision=9), timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_w13_a_watcher_that_does_not_read_delays_nobody_and_is_sent_away(
    start_registry: StartRegistry,
) -> None:
    # Longer than this process, which reads for the other watcher, is ever kept from reading.
    process = await start_registry(
        environment={"TICKMESH_REGISTRY__WATCH__STUCK_AFTER_SECONDS": "5"}
    )
    big = json.dumps({**json.loads(TRADES), "description": "x" * 300_000})
    async with process.stub(("grpc.http2.bdp_probe", 0)) as lazy, process.stub() as stub:
        stuck = lazy.Watch(pb.WatchRequest(after_revision=0))
        first = await stuck.read()
        assert first.kind == pb.WatchResponse.KIND_PROGRESS
        reader = WatchHistory()
        reading = asyncio.create_task(reader.follow(stub, through=12))
        for number in range(12):
            text = big.replace("description", "title" if number % 2 else "description")
            await stub.RegisterSchema(pb.RegisterSchemaRequest(subject=f"s{number}", text=text))
        await reading
        assert [key[0] for key in reader.seen] == list(range(1, 13))
        await process.logged("SLOW_WATCHER")
        resumed = WatchHistory()
        responses, failure = await drained(stuck)
        resumed.token, resumed.revision = responses[-1].token, responses[-1].revision
        assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_from_rpc(failure).reason == "SLOW_WATCHER"
        assert resumed.revision < 12
        await resumed.follow(stub, through=12)
        assert [key[0] for key in resumed.seen][-1] == 12
    await process.stop()


@pytest.mark.parametrize(
    ("stuck_after_seconds", "logged"),
    [pytest.param(1, "SLOW_WATCHER", id="refused"), pytest.param(30, "", id="in-a-write")],
)
async def test_w13_a_stuck_watcher_whose_connection_breaks_leaves_no_error_in_the_log(
    start_registry: StartRegistry, stuck_after_seconds: int, logged: str
) -> None:
    process = await start_registry(
        environment={"TICKMESH_REGISTRY__WATCH__STUCK_AFTER_SECONDS": str(stuck_after_seconds)}
    )
    text = json.dumps({**json.loads(TRADES), "description": "x" * 900_000})
    async with (
        process.stub() as stub,
        FaultProxy(lambda: process.address, rng=random.Random(1)) as proxy,
        grpc.aio.insecure_channel(proxy.address, options=[("grpc.http2.bdp_probe", 0)]) as channel,
    ):
        stuck = SchemaRegistryServiceStub(channel).Watch(pb.WatchRequest(after_revision=0))
        await stuck.read()
        proxy.toxics.holding = True
        for number in range(12):
            await stub.RegisterSchema(pb.RegisterSchemaRequest(subject=f"s{number}", text=text))
        await process.logged(logged)
        proxy.reset()
        _, failure = await drained(stuck)
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
    assert await process.stop() == 0
    assert '"error"' not in process.log()
    assert "Traceback" not in process.log()


async def test_w14_progress_comes_within_the_interval_asked(stub: Stub) -> None:
    call = stub.Watch(pb.WatchRequest(progress_interval=Duration(seconds=1)))
    loop = asyncio.get_running_loop()
    read_at = []
    for _ in range(4):
        assert (await call.read()).kind == pb.WatchResponse.KIND_PROGRESS
        read_at.append(loop.time())
    call.cancel()
    # The shortest: on a busy machine a mark is read late; unasked, each would take 8 s and more.
    assert min(later - earlier for earlier, later in itertools.pairwise(read_at)) <= 1.0


async def test_w16_a_drain_tells_watchers_where_to_resume(start_registry: StartRegistry) -> None:
    process = await start_registry()
    history = WatchHistory()
    async with process.stub() as stub:
        await register(stub, "a", 1)
        call = stub.Watch(pb.WatchRequest(after_revision=0))
        assert (await call.read()).revision == 0
        assert (await call.read()).revision == 1
        process.send_stop()
        responses, failure = await drained(call)
        last = responses[-1]
        assert last.kind == pb.WatchResponse.KIND_DRAINING
        assert last.revision == 1
        error = error_from_rpc(failure)
        assert (error.code, error.reason) == ("UNAVAILABLE", "DRAINING")
        assert error.retryable
    assert await process.wait() == 0
    await process.start()
    async with process.stub() as stub:
        await register(stub, "a", 2)
        history.token, history.revision = last.token, last.revision
        await history.follow(stub, through=2)
        assert [key[0] for key in history.seen] == [2]
    assert await process.stop() == 0
