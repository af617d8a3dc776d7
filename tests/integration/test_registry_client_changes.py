"""Clients that deprecate, delete, remove and restore versions, and apply change sets."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import FailedPreconditionError, IncompatibleSchemaError, NotFoundError
from tickmesh.proposals import DataReport, FailingRows, PolicyChange, SchemaProposal
from tickmesh.registered import (
    CompatibilitySettings,
    FilterTransition,
    Registration,
    SchemaUpdate,
    UpdateAction,
    VersionState,
)
from tickmesh.registry import RegistryClient
from tickmesh.schema import Mode, Verdict
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tickmesh.registered import ChangeEvent

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 120.0


def schema_text(**fields: object) -> str:
    properties = {"price": {"type": "number"}} | fields
    return json.dumps({"type": "object", "properties": properties, "required": ["price"]})


WIDER = schema_text(size={"type": "integer"})
BREAKING = schema_text(price={"type": "number", "minimum": 0})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("home")
    with Mesh(home, free_ports=True, services=["registry"]) as running:
        yield running.addresses["registry"]["grpc"]


@pytest.fixture
def client(address: str) -> Iterator[RegistryClient]:
    with RegistryClient(address) as connected:
        yield connected


def test_a_client_reads_its_own_deletions_and_hears_of_those_of_others(
    address: str, client: RegistryClient
) -> None:
    client.register("own", schema_text())
    client.register("own", WIDER)
    assert client.latest("own").version == 2
    updates: list[SchemaUpdate] = []
    arrived = threading.Condition()

    def listen(update: SchemaUpdate) -> None:
        with arrived:
            updates.append(update)
            arrived.notify()

    client.add_listener(listen)
    assert client.deprecate("own", version=2, note="use 3").deprecation_note == "use 3"
    assert client.get("own", version=2).state is VersionState.DEPRECATED
    client.delete("own", version=2)
    assert client.latest("own").version == 1
    with RegistryClient(address) as other:
        assert other.restore("own", version=2).state is VersionState.ACTIVE
        with arrived:
            assert arrived.wait_for(
                lambda: bool(updates) and updates[-1].action is UpdateAction.RESTORED,
                timeout=PATIENCE_SECONDS,
            )
        assert client.latest("own").version == 2
        other.delete("own", version=2)
        tombstone = other.remove("own", version=2)
        assert tombstone.text == ""
    with arrived:
        assert arrived.wait_for(
            lambda: updates[-1].new is not None and updates[-1].new.state is VersionState.REMOVED,
            timeout=PATIENCE_SECONDS,
        )
    assert client.get("own", version=2).state is VersionState.REMOVED
    with pytest.raises(NotFoundError, match="removed for good"):
        _ = client.get("own", version=2).arrow_schema
    with pytest.raises(FailedPreconditionError) as refused:
        client.restore("own", version=2)
    assert refused.value.reason == "VERSION_REMOVED"


def test_what_the_watch_told_is_known_after_a_restart_without_the_registry(
    address: str, client: RegistryClient, tmp_path: Path
) -> None:
    client.register("kept", schema_text())
    report = DataReport(
        source="ticks.trades@7",
        made_at_ns=1,
        rows_checked=2,
        rows_rejected=1,
        rows_released=0,
        reasons=(FailingRows("minimum", "/price", 1),),
    )
    with RegistryClient(address, cache_directory=tmp_path) as following:
        assert following.latest("kept").version == 1
        heard = threading.Event()
        following.add_listener(lambda update: heard.set() if update.subject == "kept" else None)
        client.register("kept", WIDER, labels={"desk": "rates"}, data_report=report)
        assert heard.wait(PATIENCE_SECONDS)
        held = following.latest("kept")
    assert (held.version, held.labels, held.data_report) == (2, {"desk": "rates"}, report)
    with RegistryClient("127.0.0.1:1", cache_directory=tmp_path) as alone:
        assert alone.latest("kept") == held
        assert alone.get("kept", version=1) == client.get("kept", version=1)


def test_updates_of_a_subject_tell_of_deletions_with_the_version_before_and_after(
    address: str,
) -> None:
    async def follow() -> list[SchemaUpdate]:
        async with AsyncRegistryClient(address) as client:
            await client.register("followed", schema_text())
            updates: list[SchemaUpdate] = []

            async def collect() -> None:
                async for update in client.watch_schema_updates("followed"):
                    updates.append(update)
                    if update.action is UpdateAction.RESTORED:
                        return

            collecting = asyncio.create_task(collect())
            deadline = time.monotonic() + PATIENCE_SECONDS
            # The watch starts "from now on": change the state until it is heard of.
            while not updates:
                assert time.monotonic() < deadline
                await client.deprecate("followed", version=1, note=str(time.monotonic_ns()))
                await asyncio.sleep(0.05)
            await client.delete("followed", version=1)
            await client.restore("followed", version=1)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await collecting
            return updates

    *_, deleted, restored = asyncio.run(follow())
    assert (deleted.action, restored.action) == (UpdateAction.DELETED, UpdateAction.RESTORED)
    assert deleted.old is not None
    assert deleted.new is not None
    assert deleted.old.state is VersionState.DEPRECATED
    assert deleted.new.state is VersionState.DELETED


def test_w12_a_watch_of_states_says_what_entered_and_what_left(client: RegistryClient) -> None:
    client.register("states", schema_text(), labels={"desk": "w12"})
    client.delete("states", version=1)
    last = client.restore("states", version=1)
    assert last.state is VersionState.ACTIVE
    events: list[ChangeEvent] = []
    for message in client.watch(
        after_revision=0, labels={"desk": "w12"}, states=[VersionState.ACTIVE], subjects=["states"]
    ):
        events += message.events
        if len(events) == 3:
            break
    assert [event.transition for event in events] == [
        FilterTransition.ENTERED,
        FilterTransition.LEFT,
        FilterTransition.ENTERED,
    ]


def test_a_change_set_is_typed_and_read_at_once(client: RegistryClient) -> None:
    client.register("sets.b", schema_text())
    assert client.latest("sets.b").version == 1
    outcome = client.apply_change_set(
        [
            SchemaProposal("sets.a", schema_text(), labels={"team": "equities"}),
            PolicyChange("sets.b", mode=Mode.NONE),
            SchemaProposal("sets.b", BREAKING),
        ]
    )
    first, settings, second = outcome.results
    assert isinstance(first, Registration)
    assert isinstance(settings, CompatibilitySettings)
    assert isinstance(second, Registration)
    assert (first.schema.revision, settings.mode) == (outcome.revision, Mode.NONE)
    assert second.report.verdict is Verdict.COMPATIBLE
    assert client.latest("sets.b").version == 2
    with pytest.raises(IncompatibleSchemaError) as refused:
        client.apply_change_set(
            [SchemaProposal("sets.c", schema_text()), SchemaProposal("sets.a", BREAKING)]
        )
    assert refused.value.metadata["item"] == "1"
    with pytest.raises(NotFoundError):
        client.latest("sets.c")


def test_evidence_travels_with_its_version(address: str, client: RegistryClient) -> None:
    report = DataReport(
        source="ticks.trades@7",
        made_at_ns=1_700_000_000_000_000_001,
        rows_checked=10,
        rows_rejected=1,
        reasons=(FailingRows("minimum", "/price", 1),),
    )
    client.register("evidence", schema_text(), data_report=report)
    with RegistryClient(address) as other:
        assert other.latest("evidence").data_report == report


def test_deleted_versions_may_be_left_out_of_a_comparison(client: RegistryClient) -> None:
    client.register("ignored", WIDER)
    client.register("ignored", schema_text(size={"type": "integer"}, venue={"type": "string"}))
    client.delete("ignored", version=2)
    retyped = schema_text(size={"type": "integer"}, venue={"type": "integer"})
    assert client.check("ignored", retyped).verdict is Verdict.INCOMPATIBLE
    report = client.check("ignored", retyped, ignore_deleted=True)
    assert report.deleted_ignored
    assert [comparison.version for comparison in report.comparisons] == [1]
    assert client.register("ignored", retyped, ignore_deleted=True).schema.version == 3
