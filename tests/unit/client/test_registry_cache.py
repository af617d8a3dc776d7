"""The local cache answers what the registry would, at most one delivery of the watch behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tickmesh._registry.cache import SchemaCache
from tickmesh._registry.timeline import Timeline
from tickmesh.errors import NotFoundError
from tickmesh.registered import (
    Actor,
    ChangeEvent,
    ChangeKind,
    RegisteredSchema,
    VersionState,
)
from tickmesh.schema import Action

ACTOR = Actor(principal="anonymous", authentication="none", on_behalf_of="", request_id="r")
HOUR_NS = 3_600_000_000_000


def schema(version: int, *, effective_ns: int = 0, registered_ns: int = 0) -> RegisteredSchema:
    return RegisteredSchema(
        subject="ticks.trades",
        version=version,
        schema_id=version,
        fingerprint=f"{version:064x}",
        text="{}",
        state=VersionState.ACTIVE,
        action=Action.FIRST,
        registered_at_ns=registered_ns,
        effective_from_ns=effective_ns,
        revision=version,
        labels={},
        actor=ACTOR,
        arrow_schema_ipc=b"",
    )


def registered(version: int, *, revision: int) -> ChangeEvent:
    return ChangeEvent(
        revision=revision,
        sequence=0,
        kind=ChangeKind.VERSION_REGISTERED,
        subject="ticks.trades",
        schema=schema(version),
        previous=None,
        report=None,
        settings=None,
        rejected_text="",
        actor=ACTOR,
        changed_at_ns=0,
    )


def test_in_force_is_the_greatest_effective_from_then_version_not_after_the_instant() -> None:
    first = schema(1, effective_ns=0)
    third = schema(3, effective_ns=2 * HOUR_NS)
    second = schema(2, effective_ns=2 * HOUR_NS)
    timeline = Timeline("ticks.trades", [third, first, second], 3)

    assert first == timeline.in_force(at_ns=HOUR_NS, known_at_ns=HOUR_NS)
    assert third == timeline.in_force(at_ns=2 * HOUR_NS, known_at_ns=HOUR_NS)


def test_in_force_as_known_at_never_sees_a_version_registered_later() -> None:
    """A backdated version is invisible to a backtest that stands before its registration."""
    first = schema(1, effective_ns=0, registered_ns=0)
    backdated = schema(2, effective_ns=HOUR_NS, registered_ns=5 * HOUR_NS)
    timeline = Timeline("ticks.trades", [first, backdated], 2)

    assert first == timeline.in_force(at_ns=2 * HOUR_NS, known_at_ns=2 * HOUR_NS)
    assert backdated == timeline.in_force(at_ns=2 * HOUR_NS, known_at_ns=5 * HOUR_NS)


def test_a_future_version_takes_over_by_the_clients_own_clock() -> None:
    timeline = Timeline("ticks.trades", [schema(1), schema(2, effective_ns=HOUR_NS)], 2)

    assert timeline.in_force_now(HOUR_NS - 1) == schema(1)
    assert timeline.in_force_now(HOUR_NS) == schema(2, effective_ns=HOUR_NS)


def test_a_deleted_version_is_neither_latest_nor_in_force() -> None:
    deleted = replace(schema(2), state=VersionState.DELETED)
    timeline = Timeline("ticks.trades", [schema(1), deleted], 3)

    assert timeline.latest() == schema(1)
    assert timeline.in_force_now(HOUR_NS) == schema(1)
    assert timeline.by_version[2] == deleted


def test_an_event_that_arrives_during_a_load_is_not_lost() -> None:
    """W7 seen from the client: list at R0 and events after R0, with no gap between them."""
    cache = SchemaCache()
    cache.begin_load("ticks.trades")
    cache.apply(registered(2, revision=11))

    timeline = cache.finish_load("ticks.trades", [schema(1)], revision=10)

    assert timeline.latest() == schema(2)


def test_an_event_is_not_lost_to_the_load_that_asked_first_and_ends_last() -> None:
    cache = SchemaCache()
    cache.begin_load("ticks.trades")
    cache.begin_load("ticks.trades")
    cache.apply(registered(2, revision=11))
    assert cache.finish_load("ticks.trades", [schema(1), schema(2)], revision=11).revision == 11

    timeline = cache.finish_load("ticks.trades", [schema(1)], revision=10)

    assert timeline.latest() == schema(2)
    assert cache.finish_load("ticks.trades", [schema(1)], revision=12).latest() == schema(1)


def test_a_registration_of_ones_own_is_not_lost_to_a_load_under_way() -> None:
    cache = SchemaCache()
    cache.finish_load("ticks.trades", [schema(1)], revision=10)
    cache.begin_load("ticks.trades")
    cache.add(schema(2), revision=11)

    timeline = cache.finish_load("ticks.trades", [schema(1)], revision=10)

    assert timeline.latest() == schema(2)


def test_an_event_the_load_already_reflects_is_not_applied_again() -> None:
    cache = SchemaCache()
    cache.finish_load("ticks.trades", [replace(schema(1), labels={"newer": "yes"})], revision=10)

    assert cache.apply(registered(1, revision=10)) is None
    held = cache.timeline("ticks.trades")
    assert held is not None
    assert held.by_version[1].labels == {"newer": "yes"}


def test_a_registration_of_ones_own_is_read_at_once_and_hides_no_other_event() -> None:
    """Version 2 of somebody else, still on its way, must not be dropped because 3 came first."""
    cache = SchemaCache()
    cache.finish_load("ticks.trades", [schema(1)], revision=10)
    cache.add(schema(3), revision=12)
    cache.apply(registered(2, revision=11))

    held = cache.timeline("ticks.trades")
    assert held is not None
    assert sorted(held.by_version) == [1, 2, 3]
    assert held.latest() == schema(3)


def test_the_instant_of_staleness_is_the_first_interruption_until_the_watch_is_back() -> None:
    cache = SchemaCache()
    cache.disconnected(5)
    cache.disconnected(9)
    assert cache.statistics().stale_since_ns == 5

    cache.connected(12)
    assert cache.statistics().stale_since_ns is None
    assert cache.statistics().revision == 12


def in_state(version: int, state: VersionState) -> RegisteredSchema:
    return replace(schema(version), state=state)


def moved(version: int, state: VersionState, *, revision: int) -> ChangeEvent:
    kind = ChangeKind.VERSION_RESTORED if state.is_live else ChangeKind.VERSION_DELETED
    return replace(
        registered(version, revision=revision),
        kind=kind,
        schema=in_state(version, state),
        previous=schema(version),
    )


def test_states_that_change_keep_the_timeline_true() -> None:
    cache = SchemaCache()
    cache.finish_load("ticks.trades", [schema(1), schema(2)], revision=10)

    def latest() -> int:
        held = cache.timeline("ticks.trades")
        assert held is not None
        found = held.latest()
        assert found == held.in_force_now(HOUR_NS)
        return found.version if found else 0

    cache.apply(moved(2, VersionState.DELETED, revision=11))
    assert latest() == 1
    cache.apply(moved(2, VersionState.REMOVED, revision=12))
    cache.apply(moved(1, VersionState.DELETED, revision=13))
    assert latest() == 0
    cache.apply(moved(1, VersionState.ACTIVE, revision=14))
    assert latest() == 1
    by_id = cache.by_id(2)
    assert by_id is not None
    assert by_id.state is VersionState.REMOVED


def test_a_deletion_of_ones_own_is_not_undone_by_an_older_event() -> None:
    cache = SchemaCache()
    cache.finish_load("ticks.trades", [schema(1), schema(2)], revision=10)
    cache.add(in_state(2, VersionState.DELETED), revision=12)

    assert cache.apply(moved(2, VersionState.DEPRECATED, revision=11)) is None
    assert cache.apply(registered(3, revision=11)) is not None
    held = cache.timeline("ticks.trades")
    assert held is not None
    assert held.by_version[2].state is VersionState.DELETED
    cache.apply(moved(2, VersionState.ACTIVE, revision=13))
    held = cache.timeline("ticks.trades")
    assert held is not None
    assert held.by_version[2].state is VersionState.ACTIVE


def test_the_text_of_a_removed_version_is_said_to_be_gone() -> None:
    tombstone = in_state(2, VersionState.REMOVED)
    for ask in (lambda: tombstone.arrow_schema, lambda: tombstone.document):
        with pytest.raises(NotFoundError, match="removed for good") as caught:
            ask()
        assert caught.value.reason == "VERSION_REMOVED"
