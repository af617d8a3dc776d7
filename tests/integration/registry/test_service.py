"""The registry's RPCs, through gRPC, in a real process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pyarrow as pa
import pytest
from click.testing import CliRunner
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.held_port import HeldPort
from tests.support.registry_schemas import TRADES, trades
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import (
    compatibility_pb2,
    schema_pb2,
    selector_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh_registry.cli import command

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from tests.support.registry_process import RegistryProcess, StartRegistry, Stub
    from tickmesh.errors import TickmeshError


async def test_a_schema_is_registered_read_back_and_projected(stub: Stub) -> None:
    answer = await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject="ticks.trades", text=TRADES, labels={"team": "eq"})
    )
    assert (answer.schema.version, answer.schema.schema_id, answer.revision) == (1, 1, 1)
    assert answer.schema.action == schema_pb2.ACTION_FIRST
    assert answer.report.verdict == compatibility_pb2.VERDICT_COMPATIBLE
    got = await stub.GetSchema(
        pb.GetSchemaRequest(subject=selector_pb2.SubjectSelector(subject="ticks.trades"))
    )
    assert got.schema == answer.schema
    assert got.revision == 1
    assert got.schema.text == TRADES
    arrow = pa.ipc.read_schema(pa.py_buffer(got.schema.arrow_schema))
    assert arrow.names == ["ts", "symbol", "price"]
    assert arrow.metadata == {b"tickmesh.subject": b"ticks.trades", b"tickmesh.version": b"1"}
    for selector in (
        pb.GetSchemaRequest(schema_id=1),
        pb.GetSchemaRequest(fingerprint=answer.schema.fingerprint),
        pb.GetSchemaRequest(
            subject=selector_pb2.SubjectSelector(subject="ticks.trades", version=1)
        ),
        pb.GetSchemaRequest(
            subject=selector_pb2.SubjectSelector(
                subject="ticks.trades", latest=selector_pb2.LatestSelector()
            )
        ),
    ):
        assert (await stub.GetSchema(selector)).schema == answer.schema


async def failure_of(call: Awaitable[Any]) -> TickmeshError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_from_rpc(caught.value)


def selected(subject: str, **selector: Any) -> pb.GetSchemaRequest:
    return pb.GetSchemaRequest(subject=selector_pb2.SubjectSelector(subject=subject, **selector))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (selected("none"), "SUBJECT_NOT_FOUND"),
        (selected("none", version=1), "SUBJECT_NOT_FOUND"),
        (selected("none", latest=selector_pb2.LatestSelector()), "SUBJECT_NOT_FOUND"),
        (selected("ticks.trades", version=2), "VERSION_NOT_FOUND"),
        (pb.GetSchemaRequest(schema_id=9), "SCHEMA_NOT_FOUND"),
        (pb.GetSchemaRequest(fingerprint="f" * 64), "SCHEMA_NOT_FOUND"),
        (
            selected(
                "ticks.trades", in_force=selector_pb2.InForceSelector(at=Timestamp(seconds=1))
            ),
            "NOTHING_IN_FORCE",
        ),
    ],
)
async def test_what_is_not_there_is_named(
    stub: Stub, request_: pb.GetSchemaRequest, reason: str
) -> None:
    await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="ticks.trades", text=TRADES))
    for _ in range(2):  # once from the store, once with what is then in memory
        error = await failure_of(stub.GetSchema(request_))
        assert (error.code, error.reason) == ("NOT_FOUND", reason)
        assert error.resource is not None


async def test_in_force_follows_effective_times_and_what_was_known(stub: Stub) -> None:
    day = 86_400

    async def register(number: int, effective: int | None) -> schema_pb2.SchemaVersion:
        request = pb.RegisterSchemaRequest(
            subject="s", text=json.dumps({**json.loads(TRADES), "title": str(number)})
        )
        if effective is not None:
            request.effective_from.seconds = effective
        answer: pb.RegisterSchemaResponse = await stub.RegisterSchema(request)
        return answer.schema

    async def in_force(at: int | None, known: Timestamp | None = None) -> int:
        selector = selector_pb2.InForceSelector(known_at=known)
        if at is not None:
            selector.at.seconds = at
        else:
            selector.ClearField("at")
        got = await stub.GetSchema(selected("s", in_force=selector))
        return int(got.schema.version)

    first = await register(1, 10 * day)
    now = first.registered_at.seconds
    await register(2, now + 100 * day)
    third = await register(3, 5 * day)
    assert await in_force(4 * day + 5 * day) == 3
    assert await in_force(10 * day) == 1
    assert await in_force(None) == 1
    assert await in_force(now + 100 * day) == 2
    known_before_third = Timestamp()
    known_before_third.FromNanoseconds(third.registered_at.ToNanoseconds() - 1)
    assert (
        await failure_of(
            stub.GetSchema(
                selected(
                    "s",
                    in_force=selector_pb2.InForceSelector(
                        at=Timestamp(seconds=9 * day), known_at=known_before_third
                    ),
                )
            )
        )
    ).reason == "NOTHING_IN_FORCE"
    assert (
        await stub.GetSchema(selected("s", latest=selector_pb2.LatestSelector()))
    ).schema.version == 3


async def test_listings_page_through_everything_once(stub: Stub) -> None:
    names = sorted(f"s{number}" for number in range(7))
    for name in names:
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject=name, text=TRADES))
    seen: list[str] = []
    request = pb.ListSubjectsRequest(page_size=3, prefix="s")
    while True:
        page = await stub.ListSubjects(request)
        seen += [subject.name for subject in page.subjects]
        assert all(subject.latest_version == 1 for subject in page.subjects)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == names
    request.prefix = "t"
    error = await failure_of(stub.ListSubjects(request))
    assert (error.code, error.violations[0].field) == ("INVALID_ARGUMENT", "page_token")

    for title in "abc":
        text = json.dumps({**json.loads(TRADES), "title": title})
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s0", text=text))
    first = await stub.ListVersions(pb.ListVersionsRequest(subject="s0", page_size=3))
    rest = await stub.ListVersions(
        pb.ListVersionsRequest(subject="s0", page_size=3, page_token=first.next_page_token)
    )
    assert [v.version for v in (*first.versions, *rest.versions)] == [1, 2, 3, 4]
    assert not rest.next_page_token
    error = await failure_of(stub.ListVersions(pb.ListVersionsRequest(subject="none")))
    assert error.reason == "SUBJECT_NOT_FOUND"


async def test_settings_inherit_and_every_change_is_an_event(stub: Stub) -> None:
    async def settings(subject: str) -> compatibility_pb2.CompatibilitySettings:
        answer = await stub.GetCompatibility(pb.GetCompatibilityRequest(subject=subject))
        found: compatibility_pb2.CompatibilitySettings = answer.settings
        return found

    default = compatibility_pb2.CompatibilitySettings(
        mode=compatibility_pb2.COMPATIBILITY_MODE_BACKWARD_TRANSITIVE,
        policy=compatibility_pb2.COMPATIBILITY_POLICY_RECORD,
        undecided=compatibility_pb2.UNDECIDED_POLICY_REFUSE,
    )
    assert await settings("") == await settings("new") == default
    full = compatibility_pb2.CompatibilitySettings(mode=compatibility_pb2.COMPATIBILITY_MODE_FULL)
    request = pb.SetCompatibilityRequest(settings=full)
    assert (await stub.SetCompatibility(request)).revision == 1
    assert (await stub.SetCompatibility(request)).revision == 1, "no change, no revision"
    warn = compatibility_pb2.CompatibilitySettings(
        undecided=compatibility_pb2.UNDECIDED_POLICY_WARN
    )
    own = await stub.SetCompatibility(pb.SetCompatibilityRequest(subject="new", settings=warn))
    assert own.settings.mode == compatibility_pb2.COMPATIBILITY_MODE_FULL
    assert own.settings.undecided == compatibility_pb2.UNDECIDED_POLICY_WARN
    await stub.SetCompatibility(
        pb.SetCompatibilityRequest(settings=compatibility_pb2.CompatibilitySettings())
    )
    assert await settings("") == default
    inherited = await settings("new")
    assert inherited.mode == default.mode
    assert inherited.undecided == compatibility_pb2.UNDECIDED_POLICY_WARN
    call = stub.Watch(pb.WatchRequest(after_revision=0))
    events = [(await call.read()).events for _ in range(4)][1:]
    call.cancel()
    assert [(e[0].subject, e[0].settings.mode) for e in events] == [
        ("", compatibility_pb2.COMPATIBILITY_MODE_FULL),
        ("new", compatibility_pb2.COMPATIBILITY_MODE_FULL),
        ("", default.mode),
    ]


async def test_a_candidate_is_checked_without_writing(stub: Stub) -> None:
    await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=TRADES))
    breaking = trades(required=("size",), size={"type": "integer"})
    await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject="s", text=breaking, allow_breaking=True)
    )
    answer = await stub.CheckCompatibility(
        pb.CheckCompatibilityRequest(
            subject="s", text=breaking, mode=compatibility_pb2.COMPATIBILITY_MODE_BACKWARD
        )
    )
    assert answer.report.verdict == compatibility_pb2.VERDICT_COMPATIBLE
    assert [c.version for c in answer.report.comparisons] == [2]
    chosen = await stub.CheckCompatibility(
        pb.CheckCompatibilityRequest(subject="s", text=breaking, versions=[1, 2])
    )
    assert chosen.report.verdict == compatibility_pb2.VERDICT_INCOMPATIBLE
    assert sorted(c.version for c in chosen.report.comparisons) == [1, 2]
    error = await failure_of(
        stub.CheckCompatibility(
            pb.CheckCompatibilityRequest(subject="s", text=breaking, versions=[3])
        )
    )
    assert error.reason == "VERSION_NOT_FOUND"
    assert (await stub.ListSubjects(pb.ListSubjectsRequest())).revision == 2


async def test_a_second_process_on_the_same_database_is_refused(
    registry: RegistryProcess, start_registry: StartRegistry
) -> None:
    with pytest.raises(AssertionError, match="another process holds"):
        await start_registry(home=registry.home)


async def test_migrate_brings_a_new_database_up_to_date(
    tmp_path: Path, start_registry: StartRegistry
) -> None:
    runner = CliRunner()
    for _ in range(2):
        result = await asyncio.to_thread(
            runner.invoke, command, ["migrate", "--data", str(tmp_path)]
        )
        assert result.exit_code == 0, result.output
        assert "stands at revision 0" in result.output
    process = await start_registry()
    async with process.stub() as stub:
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=TRADES))
    result = await asyncio.to_thread(runner.invoke, command, ["migrate", "--data", str(tmp_path)])
    assert result.exit_code == 78
    assert "another process holds" in result.output
    await process.stop()
    result = await asyncio.to_thread(runner.invoke, command, ["migrate", "--data", str(tmp_path)])
    assert "stands at revision 1" in result.output


async def test_a_command_says_unavailable_where_no_server_listens(
    tmp_path: Path,
) -> None:
    port = HeldPort()
    url = f"postgresql://tickmesh:secret@127.0.0.1:{port.number}/tickmesh"
    result = await asyncio.to_thread(
        CliRunner(env={"TICKMESH_REGISTRY__STORE__URL": url}).invoke,
        command,
        ["migrate", "--data", str(tmp_path)],
    )
    assert result.exit_code == 69
    assert "does not answer" in result.output
    assert "secret" not in result.output
