"""W12 and W7 through gRPC: filters on states, labels and verdicts, and what crosses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.registry_calls import failure_of, register, watched
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import change_pb2, compatibility_pb2, life_cycle_pb2, schema_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import Stub

WIDER = trades(size={"type": "integer"})
BREAKING = trades(required=("size",), size={"type": "integer"})

ACTIVE = schema_pb2.VERSION_STATE_ACTIVE
DEPRECATED = schema_pb2.VERSION_STATE_DEPRECATED
DELETED = schema_pb2.VERSION_STATE_DELETED

REGISTERED = change_pb2.CHANGE_KIND_VERSION_REGISTERED
REJECTED = change_pb2.CHANGE_KIND_REGISTRATION_REJECTED
POLICY = change_pb2.CHANGE_KIND_POLICY_CHANGED

NONE = change_pb2.FILTER_TRANSITION_UNSPECIFIED
ENTERED = change_pb2.FILTER_TRANSITION_ENTERED
LEFT = change_pb2.FILTER_TRANSITION_LEFT


@pytest.fixture
async def life(stub: Stub) -> Stub:
    """A log of eight revisions: a version that comes, is deprecated, deleted and restored."""
    await register(stub, TRADES, labels={"team": "equities"})  # 1
    await register(stub, WIDER, labels={"team": "rates"})  # 2
    version: dict[str, Any] = {"subject": "ticks.trades", "version": 1}
    await stub.DeprecateVersion(life_cycle_pb2.DeprecateVersionRequest(**version, note="a"))  # 3
    await stub.DeprecateVersion(life_cycle_pb2.DeprecateVersionRequest(**version, note="b"))  # 4
    await stub.DeleteVersion(life_cycle_pb2.DeleteVersionRequest(**version))  # 5
    await stub.RestoreVersion(life_cycle_pb2.RestoreVersionRequest(**version))  # 6
    await failure_of(register(stub, BREAKING))  # 7
    settings = compatibility_pb2.CompatibilitySettings(
        mode=compatibility_pb2.COMPATIBILITY_MODE_FULL
    )
    await stub.SetCompatibility(
        pb.SetCompatibilityRequest(subject="ticks.trades", settings=settings)
    )  # 8
    return stub


def crossings(events: list[change_pb2.ChangeEvent]) -> list[tuple[int, int]]:
    return [(event.revision, event.transition) for event in events]


async def test_w12_what_crosses_a_filter_of_states_is_marked(life: Stub) -> None:
    live = await watched(life, filter=pb.WatchFilter(states=[ACTIVE, DEPRECATED]))
    assert crossings(live) == [
        (1, ENTERED),
        (2, ENTERED),
        (3, NONE),
        (4, NONE),
        (5, LEFT),
        (6, ENTERED),
        (7, NONE),
        (8, NONE),
    ]
    deprecated = await watched(life, filter=pb.WatchFilter(states=[DEPRECATED]))
    assert crossings(deprecated) == [(3, ENTERED), (4, NONE), (5, LEFT), (7, NONE), (8, NONE)]
    left = deprecated[2]
    assert left.schema.state == DELETED
    assert left.schema.text == TRADES


async def test_w12_labels_never_change_so_versions_only_enter(life: Stub) -> None:
    events = await watched(life, filter=pb.WatchFilter(labels={"team": "rates"}))
    assert crossings(events) == [(2, ENTERED), (7, NONE), (8, NONE)]
    both = pb.WatchFilter(labels={"team": "equities"}, states=[DELETED])
    assert crossings(await watched(life, filter=both))[:2] == [(5, ENTERED), (6, LEFT)]


async def test_w12_kinds_and_verdicts_have_no_transitions(life: Stub) -> None:
    incompatible = pb.WatchFilter(verdicts=[compatibility_pb2.VERDICT_INCOMPATIBLE])
    events = await watched(life, filter=incompatible)
    assert crossings(events) == [(revision, NONE) for revision in range(3, 9)]
    assert [event.kind for event in events][4:] == [REJECTED, POLICY]
    compatible = pb.WatchFilter(
        verdicts=[compatibility_pb2.VERDICT_COMPATIBLE], kinds=[REGISTERED, REJECTED]
    )
    assert crossings(await watched(life, filter=compatible)) == [(1, NONE), (2, NONE)]


async def test_w12_an_unfiltered_watch_marks_nothing(life: Stub) -> None:
    for event in await watched(life, filter=pb.WatchFilter(subjects=["ticks.trades"])):
        assert event.transition == NONE


async def test_w12_transitions_are_the_same_live_and_from_the_log(life: Stub) -> None:
    """A watch that resumes before a change hears of it as the one that was there."""
    wanted = pb.WatchFilter(states=[ACTIVE])
    whole = await watched(life, filter=wanted)
    for after in range(8):
        rest = await watched(life, filter=wanted, after_revision=after)
        assert rest == [event for event in whole if event.revision > after]


async def test_w7_a_snapshot_honours_states_and_labels(life: Stub) -> None:
    async def versions(**wanted: Any) -> list[int]:
        events = await watched(life, snapshot=pb.StartSnapshot(), filter=pb.WatchFilter(**wanted))
        return [event.schema.version for event in events]

    assert await versions() == [1, 2]
    assert await versions(labels={"team": "rates"}) == [2]
    assert await versions(states=[DELETED]) == []
    await life.DeleteVersion(life_cycle_pb2.DeleteVersionRequest(subject="ticks.trades", version=2))
    assert await versions(states=[ACTIVE]) == [1]
    assert await versions(states=[DELETED], labels={"team": "rates"}) == [2]
    assert await versions() == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"states": [99]}, "filter.states"),
        ({"verdicts": [99]}, "filter.verdicts"),
        ({"labels": {"": "x"}}, "filter.labels"),
        ({"labels": {f"k{n}": "" for n in range(65)}}, "filter.labels"),
    ],
)
async def test_a_filter_out_of_bounds_names_its_field(
    stub: Stub, wanted: dict[str, Any], field: str
) -> None:
    error = await failure_of(watched(stub, filter=pb.WatchFilter(**wanted)))
    assert (error.reason, error.violations[0].field) == ("INVALID_ARGUMENT", field)
