"""The registry clients against a real registry: their cache is true, also across its death."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import (
    ConflictError,
    DeadlineExceededError,
    IncompatibleSchemaError,
    InvalidArgumentError,
    NotFoundError,
    TickmeshError,
    UnavailableError,
)
from tickmesh.registered import (
    ColumnStep,
    FieldCondition,
    RegisteredSchema,
    SchemaUpdate,
    UpdateAction,
)
from tickmesh.registry import RegistryClient
from tickmesh.schema import Verdict
from tickmesh.watch import WatchKind
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 120.0


def schema_text(**fields: object) -> str:
    properties = {"price": {"type": "number"}} | fields
    return json.dumps({"type": "object", "properties": properties, "required": ["price"]})


def until(condition: Callable[[], bool], *, changed: threading.Event) -> None:
    """Wait for a condition that some event announces."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        changed.wait(0.05)
        changed.clear()


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with Mesh(tmp_path / "home", free_ports=True, services=["registry"]) as running:
        yield running


@pytest.fixture
def client(mesh: Mesh) -> Iterator[RegistryClient]:
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as connected:
        yield connected


def test_a_change_made_elsewhere_reaches_the_cache_by_the_watch(
    mesh: Mesh, client: RegistryClient
) -> None:
    """No expiry and no polling: one delivery of the watch, and the old answer is gone."""
    client.register("ticks.a", schema_text())
    assert client.latest("ticks.a").version == 1
    changed = threading.Event()
    updates: list[SchemaUpdate] = []

    def listen(update: SchemaUpdate) -> None:
        updates.append(update)
        changed.set()

    client.add_listener(listen)
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as other:
        other.register("ticks.a", schema_text(size={"type": "integer"}))
        with pytest.raises(IncompatibleSchemaError):
            other.register("ticks.a", schema_text(price={"type": "number", "minimum": 0}))
        other.register(
            "ticks.a", schema_text(price={"type": "number", "minimum": 0}), allow_breaking=True
        )

    until(lambda: bool(updates) and updates[-1].revision == 4, changed=changed)
    assert client.in_force("ticks.a").version == 3
    actions = [update.action for update in updates if update.revision > 1]
    assert actions == [
        UpdateAction.COMPATIBLE_CHANGE,
        UpdateAction.REJECTED,
        UpdateAction.BREAKING_CHANGE,
    ]
    refused = next(update for update in updates if update.action is UpdateAction.REJECTED)
    assert refused.report is not None
    assert refused.report.verdict is Verdict.INCOMPATIBLE
    assert updates[-1].old is not None
    assert updates[-1].old.version == 2


def test_versions_are_found_by_every_name_they_have(client: RegistryClient) -> None:
    first = client.register("ticks.a", schema_text()).schema

    assert client.get("ticks.a", version=1).fingerprint == first.fingerprint
    assert client.by_id(first.schema_id).subject == "ticks.a"
    assert client.by_fingerprint(first.fingerprint).version == 1
    assert [summary.name for summary in client.subjects()] == ["ticks.a"]
    assert client.in_force("ticks.a").document.fingerprint == first.fingerprint
    assert client.in_force("ticks.a").arrow_schema.names == ["price"]


def test_each_refusal_is_a_class_of_its_own(client: RegistryClient) -> None:
    client.register("ticks.a", schema_text())

    with pytest.raises(InvalidArgumentError) as bad:
        client.register("ticks.a", '{"type": "objekt"}')
    assert bad.value.reason == "INVALID_SCHEMA"
    assert bad.value.violations
    with pytest.raises(ConflictError):
        client.register("ticks.a", schema_text(x={"type": "string"}), expected_version=0)
    with pytest.raises(NotFoundError) as unknown:
        client.latest("ticks.unknown")
    assert unknown.value.reason == "SUBJECT_NOT_FOUND"


def test_the_same_request_id_registers_once(client: RegistryClient) -> None:
    once = client.register("ticks.a", schema_text(), request_id="one")
    again = client.register("ticks.a", schema_text(), request_id="one")

    assert again.schema.version == once.schema.version
    assert again.revision == once.revision


def test_w5_a_watch_survives_the_death_of_the_registry_without_gap_or_repeat(
    mesh: Mesh, client: RegistryClient
) -> None:
    """Kill -9 between registrations: every revision arrives once, in order (W1, W2, W3, W5)."""
    seen: list[int] = []
    arrived = threading.Event()

    def follow() -> None:
        for message in client.watch(after_revision=0, progress_seconds=1.0):
            seen.extend(event.revision for event in message.events)
            arrived.set()

    watcher = threading.Thread(target=follow, daemon=True)
    watcher.start()
    registered = []
    for round_number in range(3):
        for place in range(4):
            outcome = retried(client, f"ticks.r{round_number}.p{place}")
            registered.append(outcome)
        until(lambda: bool(seen) and seen[-1] == registered[-1], changed=arrived)
        if round_number < 2:
            kill(mesh)
    client.close()
    watcher.join(PATIENCE_SECONDS)

    assert seen == sorted(set(registered))


def kill(mesh: Mesh) -> None:
    import os
    import signal

    victim = mesh.pid("registry")
    assert victim is not None
    os.kill(victim, signal.SIGKILL)


def retried(client: RegistryClient, subject: str) -> int:
    """Register until the registry is back; the request id makes the retries one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return client.register(subject, schema_text(), request_id=f"r-{subject}").revision
        except (UnavailableError, DeadlineExceededError):
            assert time.monotonic() < deadline, "the registry did not come back"


def test_what_is_held_goes_on_being_answered_while_the_registry_is_away(
    mesh: Mesh, tmp_path: Path
) -> None:
    """Failure domains: known versions survive the registry, and the client's own restart."""
    address = mesh.addresses["registry"]["grpc"]
    directory = tmp_path / "schemas"
    with RegistryClient(address, cache_directory=directory) as before:
        before.register("ticks.a", schema_text())
        before.in_force("ticks.a")
        mesh.stop()
        assert before.in_force("ticks.a").version == 1
        with pytest.raises(UnavailableError):
            before.latest("ticks.never_seen")

    with RegistryClient(address, cache_directory=directory, timeout_seconds=2.0) as after:
        assert after.in_force("ticks.a").version == 1
        assert after.cache_statistics().stale_since_ns is not None


def test_what_came_from_disk_while_the_registry_was_away_is_true_again_when_it_is_back(
    mesh: Mesh, tmp_path: Path
) -> None:
    """The watch goes on where it was, perhaps behind changes that the disk knows nothing of."""
    address = mesh.addresses["registry"]["grpc"]
    directory = tmp_path / "schemas"
    with RegistryClient(address, cache_directory=directory) as before:
        before.register("ticks.a", schema_text())
        before.latest("ticks.a")
    with RegistryClient(address) as other:
        other.register("ticks.a", schema_text(size={"type": "integer"}))
        other.register("ticks.b", schema_text())
    with RegistryClient(address, cache_directory=directory) as after:
        assert after.latest("ticks.b").version == 1
        mesh.stop()
        assert after.latest("ticks.a").version == 1
        again = {
            "registry.serving.grpc_port": address.rpartition(":")[2],
            "registry.serving.http_port": "0",
        }
        with Mesh(tmp_path / "home", settings=again, services=["registry"]):
            until(lambda: after.latest("ticks.a").version == 2, changed=threading.Event())


async def test_the_async_client_keeps_the_same_promises(mesh: Mesh) -> None:
    address = mesh.addresses["registry"]["grpc"]
    async with AsyncRegistryClient(address) as client, AsyncRegistryClient(address) as other:
        await other.register("ticks.a", schema_text())
        assert (await client.latest("ticks.a")).version == 1
        heard: asyncio.Queue[SchemaUpdate] = asyncio.Queue()
        client.add_listener(heard.put_nowait)

        await other.register("ticks.a", schema_text(size={"type": "integer"}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            update = await heard.get()
        assert update.action is UpdateAction.COMPATIBLE_CHANGE
        assert (await client.in_force("ticks.a")).version == 2

        async with asyncio.timeout(PATIENCE_SECONDS):
            async for message in client.watch(snapshot=True):
                assert message.kind is WatchKind.SNAPSHOT
                assert [event.schema.version for event in message.events if event.schema] == [1, 2]
                break


def test_a_refresh_sees_what_was_registered_before_it(mesh: Mesh, client: RegistryClient) -> None:
    """Who registers a version and then asks for it must not depend on the watch's delivery."""
    client.register("ticks.a", schema_text())
    client.in_force("ticks.a")
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as other:
        for number in range(20):
            registered = other.register(
                "ticks.a", schema_text(**{f"f{number}": {"type": "string"}})
            )
            client.refresh("ticks.a")
            assert client.in_force("ticks.a").version == registered.schema.version


def test_a_client_that_begins_with_a_refresh_hears_of_changes(
    mesh: Mesh, client: RegistryClient
) -> None:
    """What a refresh loaded is kept true by the watch, as what was loaded on a miss is."""
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as other:
        other.register("ticks.a", schema_text())
        client.refresh("ticks.a")
        assert client.in_force("ticks.a").version == 1
        other.register("ticks.a", schema_text(size={"type": "integer"}))
    # A listener would begin a watch of its own: here nothing but the refresh does.
    until(lambda: client.in_force("ticks.a").version == 2, changed=threading.Event())


def test_a_refresh_keeps_what_is_held_while_the_registry_is_away(
    mesh: Mesh, client: RegistryClient
) -> None:
    client.register("ticks.a", schema_text())
    client.in_force("ticks.a")
    mesh.stop()

    client.refresh("ticks.a")
    assert client.in_force("ticks.a").version == 1
    with pytest.raises(UnavailableError):
        client.refresh("ticks.never_seen")


async def test_both_clients_find_the_same(mesh: Mesh, client: RegistryClient) -> None:
    for number in range(3):
        client.register("ticks.a", schema_text(**{f"field_{number}": {"type": "integer"}}))
    client.register("ticks.b", schema_text(size={"type": "integer"}), labels={"team": "eq"})
    names = [("ticks.a", 2), ("ticks.a", 9), ("ticks.b", 1), ("ticks.a", 2)]
    price = FieldCondition(name="pri*", type="number")
    text = schema_text(price={"type": "string"})
    async with AsyncRegistryClient(mesh.addresses["registry"]["grpc"]) as other:

        def shown(found: RegisteredSchema | TickmeshError) -> object:
            return found.reason if isinstance(found, TickmeshError) else found

        batch = client.get_many(names)
        assert [shown(each) for each in batch] == [
            shown(each) for each in await other.get_many(names)
        ]
        assert isinstance(batch[1], NotFoundError)
        assert batch[1].reason == "VERSION_NOT_FOUND"
        assert batch[0] == batch[3] == client.get("ticks.a", version=2)

        hits = list(client.search(price, where="labels.team = eq"))
        assert [hit.schema.subject for hit in hits] == ["ticks.b"]
        assert [field.path for field in hits[0].fields] == ["/price"]
        assert [hit async for hit in other.search(price, where="labels.team = eq")] == hits
        assert len(list(client.search(price, latest_only=True))) == 2

        comparison = client.diff(("ticks.a", 1), text)
        assert comparison == await other.diff(client.get("ticks.a", version=1), text)
        assert not comparison.is_readable
        assert {column.path: column.step for column in comparison.columns} == {
            "/price": ColumnStep.IMPOSSIBLE,
            "/field_0": ColumnStep.DROP,
        }

        newest = client.versions("ticks.a", where="version > 1", order_by="version desc")
        assert [version.version for version in newest] == [3, 2]
        assert (
            await other.versions("ticks.a", where="version > 1", order_by="version desc") == newest
        )
        assert [s.name for s in client.subjects(order_by="name desc")] == ["ticks.b", "ticks.a"]
        assert await other.subjects(where="version_count > 2") == client.subjects(prefix="ticks.a")

        timeline = client.get_timeline("ticks.a")
        assert [span.schema.version for span in timeline] == [1, 2, 3]
        assert await other.get_timeline("ticks.a") == timeline
        assert timeline[-1].end_ns is None
        tiers = {tier.name: tier for tier in client.server_cache_tiers()}
        assert set(tiers) == {tier.name for tier in await other.server_cache_tiers()}
        assert tiers["versions"].hits > 0


def test_a_filter_that_is_none_names_its_place(client: RegistryClient) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        client.subjects(where="name = a AND price > 1")
    assert caught.value.metadata["position"] == "13"
    assert caught.value.violations[0].field == "filter"
