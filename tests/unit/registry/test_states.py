"""Versions whose states change, seen by watchers, lookups and those who may not change them."""

from __future__ import annotations

import random
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.support.registry_schemas import TRADES
from tests.support.registry_values import register, set_standing
from tickmesh.api.registry.v1 import change_pb2, schema_pb2
from tickmesh_registry.application import RegistryApplication
from tickmesh_registry.domain.changes import WatchFilter
from tickmesh_registry.domain.compatibility import Mode, SettingsOverride
from tickmesh_registry.domain.errors import PermissionDeniedError, SubjectNotFoundError
from tickmesh_registry.domain.versions import Version, VersionState
from tickmesh_registry.feed import DeliveryKind, Start, WatchOrder
from tickmesh_registry.life_cycle import DELETE_PERMANENTLY
from tickmesh_registry.lookup import ByFingerprint, BySchemaId, Latest
from tickmesh_registry.proposal import ChangeSet, PolicyChange, Proposal
from tickmesh_registry.requirements import WRITE_SETTINGS
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.watch import WatchHub
from tickmesh_registry.wire import encode_change
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.permissions import everyone
from tickmesh_serving.principal import Principal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tickmesh_serving.permissions import Grants

ADA = Principal("ada")
CALL = CallContext.internal("ada", request_id="r")
ENTERED = change_pb2.FILTER_TRANSITION_ENTERED
LEFT = change_pb2.FILTER_TRANSITION_LEFT


async def open_hub() -> tuple[MemoryStore, WatchHub]:
    store = MemoryStore(epoch="e")
    hub = WatchHub(store, encode=encode_change, clock=SystemClock(), ring_revisions=16)
    store.on_commit(hub.publish)
    await hub.start()
    return store, hub


async def heard(hub: WatchHub, order: WatchOrder) -> AsyncIterator[change_pb2.ChangeEvent | None]:
    """Events up to the head; None after each delivery."""
    head = hub.revision
    async with aclosing(hub.watch(order, ADA)) as deliveries:
        async for delivery in deliveries:
            for event in delivery.events:
                yield change_pb2.ChangeEvent.FromString(event)
            yield None
            if delivery.revision >= max(head, hub.revision) and not delivery.fragment:
                return


async def test_w7_a_snapshot_tells_states_as_of_its_revision_though_read_later() -> None:
    """What changes while the pages are read comes as events after the snapshot, and only so."""
    store, hub = await open_hub()
    count = 150
    for number in range(count):
        await register(store, f"s{number:03}")
    await set_standing(store, "s140", 1, VersionState.DEPRECATED, note="then")
    changes = {
        "s001": VersionState.DELETED,
        "s100": VersionState.DEPRECATED,
        "s120": VersionState.DELETED,
        "s130": VersionState.REMOVED,
        "s140": VersionState.ACTIVE,
    }
    states: dict[str, int] = {}
    later: list[tuple[str, int]] = []
    parts = 0
    async with aclosing(hub.watch(WatchOrder(Start.SNAPSHOT), ADA)) as deliveries:
        async for delivery in deliveries:
            events = [change_pb2.ChangeEvent.FromString(event) for event in delivery.events]
            if delivery.kind is DeliveryKind.SNAPSHOT_PART:
                parts += 1
                for event in events:
                    assert event.subject not in states
                    states[event.subject] = event.schema.state
                if parts == 1:
                    for subject, state in changes.items():
                        await set_standing(store, subject, 1, state)
                    await register(store, "s999")
            else:
                later += [(event.subject, event.schema.state) for event in events]
            if delivery.revision == hub.revision:
                break
    active, deprecated = schema_pb2.VERSION_STATE_ACTIVE, schema_pb2.VERSION_STATE_DEPRECATED
    assert parts > 1
    assert states == {f"s{n:03}": active for n in range(count)} | {"s140": deprecated}
    assert [subject for subject, _ in later] == [*changes, "s999"]


@pytest.mark.parametrize("seed", range(5))
async def test_w12_entered_and_left_always_add_up_to_what_matches(seed: int) -> None:
    """Whoever folds a filtered watch from any start holds exactly the versions that match."""
    rng = random.Random(seed)
    store, hub = await open_hub()
    versions: dict[tuple[str, int], Version] = {}
    history: list[dict[tuple[str, int], Version]] = [{}]
    for _ in range(60):
        alive = [key for key, v in versions.items() if v.state is not VersionState.REMOVED]
        if not alive or rng.random() < 0.3:
            version = await register(store, f"s{rng.randrange(3)}")
        else:
            key = rng.choice(alive)
            states = [state for state in VersionState if state is not versions[key].state]
            version = await set_standing(store, *key, rng.choice(states))
        versions[version.subject, version.version] = version
        history.append(dict(versions))
    for wanted in (
        WatchFilter(states=frozenset({VersionState.ACTIVE})),
        WatchFilter(states=frozenset({VersionState.DELETED, VersionState.REMOVED})),
        WatchFilter(labels={"team": "equities"}, states=frozenset({VersionState.DEPRECATED})),
        WatchFilter(labels={"team": "rates"}),
    ):
        for start in (0, rng.randrange(1, 60)):
            held = {key for key, v in history[start].items() if wanted.matches_version(v)}
            async for event in heard(hub, WatchOrder(start, wanted, progress_seconds=0.01)):
                if event is None:
                    continue
                key = (event.subject, event.schema.version)
                if event.transition == ENTERED:
                    assert key not in held
                    held.add(key)
                elif event.transition == LEFT:
                    held.remove(key)
                else:
                    assert key in held
            assert held == {key for key, v in versions.items() if wanted.matches_version(v)}


async def test_a_removed_text_leaves_the_ring_with_the_log() -> None:
    store, hub = await open_hub()
    await register(store, "s", text='{"title": "s3cret"}')
    await register(store, "s")
    await set_standing(store, "s", 1, VersionState.DELETED)
    told = [event async for event in heard(hub, WatchOrder(0, include_previous=True))]
    assert "s3cret" in str(told)
    await set_standing(store, "s", 1, VersionState.REMOVED)
    told = [event async for event in heard(hub, WatchOrder(0, include_previous=True))]
    assert [event.revision for event in told if event is not None] == [1, 2, 3, 4]
    assert "s3cret" not in str(told)


class Registry:
    """An application over the memory engine."""

    def __init__(self, grants: Grants = everyone) -> None:
        self.store = MemoryStore(epoch="e")
        self.hub = WatchHub(self.store, encode=encode_change, clock=SystemClock())
        self.store.on_commit(self.hub.publish)
        self.application = RegistryApplication(
            self.store, self.hub, clock=SystemClock(), grants=grants
        )


async def test_memory_answers_what_the_store_would_after_every_new_state() -> None:
    application = Registry().application
    life_cycle = application.life_cycle
    first = (await application.register(Proposal("a", TRADES), CALL)).version
    second = (await application.register(Proposal("b", TRADES), CALL)).version
    by_names = (BySchemaId(first.schema_id), ByFingerprint(first.fingerprint))

    async def carriers() -> set[tuple[str, VersionState]]:
        found = [(await application.get(name, CALL)).version for name in (*by_names, *by_names)]
        return {(version.subject, version.state) for version in found}

    assert await carriers() == {("a", VersionState.ACTIVE)}
    await life_cycle.delete("a", 1, CALL)
    assert await carriers() == {("a", VersionState.DELETED)}
    with pytest.raises(SubjectNotFoundError):
        await application.get(Latest("a"), CALL)
    await life_cycle.remove("a", 1, CALL)
    assert await carriers() == {("b", VersionState.ACTIVE)}
    await life_cycle.delete("b", 1, CALL)
    await life_cycle.remove("b", 1, CALL)
    assert await carriers() == {("a", VersionState.REMOVED)}
    again = (await application.register(Proposal("c", TRADES), CALL)).version
    assert again.schema_id == second.schema_id
    assert await carriers() == {("c", VersionState.ACTIVE)}
    application.close()


async def test_removal_for_good_and_policies_in_change_sets_need_their_own_permissions() -> None:
    denied = {DELETE_PERMANENTLY, WRITE_SETTINGS}
    application = Registry(
        grants=lambda _principal, permission: permission not in denied
    ).application
    await application.register(Proposal("s", TRADES), CALL)
    await application.life_cycle.delete("s", 1, CALL)
    with pytest.raises(PermissionDeniedError) as caught:
        await application.life_cycle.remove("s", 1, CALL)
    assert caught.value.metadata["permission"] == DELETE_PERMANENTLY
    policy = PolicyChange("s", SettingsOverride(mode=Mode.NONE))
    with pytest.raises(PermissionDeniedError) as caught:
        await application.apply(ChangeSet((Proposal("t", TRADES), policy)), CALL)
    assert caught.value.metadata == {
        "principal": "ada",
        "permission": WRITE_SETTINGS,
        "item": "1",
    }
    application.close()
