"""The watch promises on the hub itself, over the memory engine, without sockets."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.registry_values import register, rejected
from tickmesh_registry.domain.changes import Change, ChangeKind, WatchFilter
from tickmesh_registry.domain.compatibility import Action
from tickmesh_registry.domain.errors import (
    DeadlineExceededError,
    DrainingError,
    EpochChangedError,
    LimitExceededError,
    RevisionCompactedError,
    RevisionInFutureError,
)
from tickmesh_registry.domain.tokens import WatchToken
from tickmesh_registry.feed import Delivery, DeliveryKind, Start, WatchOrder
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.watch import WatchHub
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.principal import Principal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tickmesh_registry.store import Transaction

ADA = Principal("ada")


def encode(change: Change, *, include_previous: bool) -> bytes:
    """`revision.sequence kind subject/version` and the previous version where asked."""
    version = 0 if change.schema is None else change.schema.version
    previous = change.previous.version if include_previous and change.previous else 0
    text = (
        f"{change.revision}.{change.sequence} {change.kind} {change.subject}/{version}<{previous}"
    )
    padding = " " * len(change.rejected_text or "")
    return (text + padding).encode()


async def open_hub(
    store: MemoryStore | None = None, *, ring_revisions: int = 4_096, max_watchers: int = 100
) -> tuple[MemoryStore, WatchHub]:
    store = store or MemoryStore(epoch="epoch-1")
    hub = WatchHub(
        store,
        encode=encode,
        clock=SystemClock(),
        ring_revisions=ring_revisions,
        max_watchers=max_watchers,
    )
    store.on_commit(hub.publish)
    await hub.start()
    return store, hub


async def reject(store: MemoryStore, subject: str, *, count: int = 1, size: int = 2) -> None:
    async def body(transaction: Transaction) -> None:
        for _ in range(count):
            transaction.add_change(replace(rejected(subject), rejected_text=" " * size))

    await store.transact(body)


async def collect(hub: WatchHub, order: WatchOrder, *, through: int) -> list[Delivery]:
    """Everything up to the first delivery that reaches a revision whole."""
    seen: list[Delivery] = []
    async with aclosing(hub.watch(order, ADA)) as deliveries:
        async for delivery in deliveries:
            seen.append(delivery)
            if delivery.revision >= through and not delivery.fragment:
                break
    return seen


def events_of(deliveries: list[Delivery]) -> list[str]:
    return [event.decode().strip() for d in deliveries for event in d.events]


def revisions_of(deliveries: list[Delivery]) -> list[int]:
    return [int(event.split(".", 1)[0]) for event in events_of(deliveries)]


async def test_w1_w2_w3_resumes_at_any_revision_yield_exactly_the_rest_of_the_log() -> None:
    store, hub = await open_hub(ring_revisions=10)
    for number in range(40):
        await register(store, f"s{number % 3}")
    for start in range(41):
        deliveries = await collect(hub, WatchOrder(start), through=40)
        assert revisions_of(deliveries) == list(range(start + 1, 41))
        assert deliveries[0].kind is DeliveryKind.PROGRESS
        assert [d.prev_revision for d in deliveries] == [0] + [d.revision for d in deliveries[:-1]]
    assert hub.log_reads > 0


async def test_w3_w5_concurrent_writers_and_resuming_watchers_lose_and_repeat_nothing() -> None:
    store, hub = await open_hub(ring_revisions=16)
    rng = random.Random(7)
    total = 300

    async def writer(name: str) -> None:
        for _ in range(total // 3):
            await register(store, name)
            if rng.random() < 0.3:
                await asyncio.sleep(0)

    async def watcher() -> list[int]:
        seen: list[int] = []
        cursor = 0
        while cursor < total:
            stop_at = min(total, cursor + rng.randrange(1, 60))
            deliveries = await collect(hub, WatchOrder(cursor), through=stop_at)
            seen += revisions_of(deliveries)
            cursor = deliveries[-1].revision
            for _ in range(rng.randrange(40)):
                await asyncio.sleep(0)
        return seen

    results = await asyncio.gather(
        *(watcher() for _ in range(8)), *(writer(name) for name in ("a", "b", "c"))
    )
    for seen in results[:8]:
        assert seen == list(range(1, total + 1))


async def test_w4_a_revision_comes_whole_in_one_delivery() -> None:
    store, hub = await open_hub()
    await reject(store, "a", count=3)
    deliveries = await collect(hub, WatchOrder(0), through=1)
    assert len(deliveries[-1].events) == 3
    assert not deliveries[-1].fragment


async def test_w4_a_revision_too_long_for_one_delivery_is_flagged_and_not_resumable_inside() -> (
    None
):
    store, hub = await open_hub()
    await reject(store, "a", count=3, size=600_000)
    deliveries = await collect(hub, WatchOrder(0), through=1)
    parts = [d for d in deliveries if d.kind is DeliveryKind.EVENTS]
    assert [part.fragment for part in parts] == [True, True, False]
    assert [bool(part.token) for part in parts] == [False, False, True]
    assert [event.split()[0] for event in events_of(parts)] == ["1.0", "1.1", "1.2"]


async def test_w6_progress_comes_only_after_every_matching_event_up_to_it() -> None:
    store, hub = await open_hub()
    order = WatchOrder(0, WatchFilter(subjects=frozenset({"a"})), progress_seconds=0.02)
    seen: list[Delivery] = []

    async def watch() -> None:
        async with aclosing(hub.watch(order, ADA)) as deliveries:
            async for delivery in deliveries:
                seen.append(delivery)
                if delivery.kind is DeliveryKind.PROGRESS and delivery.revision == 60:
                    return

    watching = asyncio.create_task(watch())
    for number in range(60):
        await register(store, "a" if number % 4 == 0 else "b")
        await asyncio.sleep(0.001)
    await watching
    delivered: list[int] = []
    marks = 0
    for delivery in seen:
        delivered += revisions_of([delivery])
        if delivery.kind is DeliveryKind.PROGRESS:
            marks += 1
            assert delivered == [r for r in range(1, delivery.revision + 1) if r % 4 == 1]
    assert marks > 2


async def test_w7_a_snapshot_followed_has_no_gap_and_no_duplicate_under_writers() -> None:
    store, hub = await open_hub()
    for number in range(200):
        await register(store, f"s{number % 70}")
    order = WatchOrder(Start.SNAPSHOT)

    async def write() -> None:
        for number in range(100):
            await register(store, f"s{number % 90}")

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    deliveries = await collect(hub, order, through=300)
    await writing
    ends = [i for i, d in enumerate(deliveries) if d.kind is DeliveryKind.SNAPSHOT_END]
    assert len(ends) == 1
    parts, rest = deliveries[: ends[0]], deliveries[ends[0] + 1 :]
    base = deliveries[ends[0]].revision
    assert all(d.kind is DeliveryKind.SNAPSHOT_PART and not d.token for d in parts)
    assert len(parts) > 2
    assert sorted(revisions_of(parts)) == list(range(1, base + 1))
    assert revisions_of(rest) == list(range(base + 1, 301))


async def test_w7_a_snapshot_honours_subjects_and_prefix() -> None:
    store, hub = await open_hub()
    for subject in ("a.x", "a.y", "a.z", "b.x", "a.x"):
        await register(store, subject)

    async def snapshot(wanted: WatchFilter) -> list[str]:
        deliveries = await collect(hub, WatchOrder(Start.SNAPSHOT, wanted), through=5)
        parts = [d for d in deliveries if d.kind is DeliveryKind.SNAPSHOT_PART]
        return [event.split()[2].split("<")[0] for event in events_of(parts)]

    assert await snapshot(WatchFilter(subject_prefix="a.")) == ["a.x/1", "a.x/2", "a.y/1", "a.z/1"]
    named = frozenset({"b.x", "a.x", "c"})
    assert await snapshot(WatchFilter(subjects=named)) == ["a.x/1", "a.x/2", "b.x/1"]
    both = WatchFilter(subjects=named, subject_prefix="b")
    assert await snapshot(both) == ["b.x/1"]
    assert await snapshot(WatchFilter(subjects=named, subject_prefix="z")) == []


async def test_w8_a_compacted_start_says_so_with_both_revisions() -> None:
    store, hub = await open_hub()
    for _ in range(5):
        await register(store, "a")
    await store.compact(3, forget_before_ns=0)
    with pytest.raises(RevisionCompactedError) as caught:
        await collect(hub, WatchOrder(2), through=5)
    assert caught.value.metadata == {
        "askedRevision": "2",
        "compactRevision": "3",
        "currentRevision": "5",
    }
    assert revisions_of(await collect(hub, WatchOrder(3), through=5)) == [4, 5]


async def test_w8_a_watcher_that_compaction_overtakes_is_told() -> None:
    store, hub = await open_hub(ring_revisions=2)
    for _ in range(400):
        await register(store, "a")
    async with aclosing(hub.watch(WatchOrder(0), ADA)) as deliveries:
        for _ in range(5):
            await anext(deliveries)
        await store.compact(390, forget_before_ns=0)
        with pytest.raises(RevisionCompactedError):
            await _reach(deliveries, 400)


async def _reach(deliveries: AsyncIterator[Delivery], revision: int) -> None:
    async for delivery in deliveries:
        if delivery.revision >= revision:
            return


async def test_w8_a_future_start_is_judged_against_the_store() -> None:
    store, hub = await open_hub()
    await register(store, "a")
    with pytest.raises(RevisionInFutureError) as caught:
        await collect(hub, WatchOrder(2), through=2)
    assert caught.value.metadata["currentRevision"] == "1"


async def test_w9_a_token_of_another_store_is_refused() -> None:
    _, hub = await open_hub()
    with pytest.raises(EpochChangedError):
        await collect(hub, WatchOrder(WatchToken("epoch-0", 0)), through=0)
    assert await collect(hub, WatchOrder(WatchToken("epoch-1", 0)), through=0)


async def test_w11_a_read_waits_for_its_revision_and_says_when_it_does_not_come() -> None:
    store, hub = await open_hub()
    waiting = asyncio.create_task(hub.wait_for(1, deadline_ns=None))
    await asyncio.sleep(0)
    assert not waiting.done()
    await register(store, "a")
    await waiting
    with pytest.raises(DeadlineExceededError):
        await hub.wait_for(2, deadline_ns=SystemClock().now_ns() + 1_000_000)


async def test_w12_kind_and_action_filters_choose_changes() -> None:
    store, hub = await open_hub()
    await register(store, "a")
    await register(store, "a")
    await reject(store, "a")
    kinds = frozenset({ChangeKind.REGISTRATION_REJECTED})
    assert revisions_of(await _quiet(hub, WatchFilter(kinds=kinds))) == [3]
    actions = frozenset({Action.COMPATIBLE_CHANGE})
    assert revisions_of(await _quiet(hub, WatchFilter(actions=actions))) == [2]


async def _quiet(hub: WatchHub, wanted: WatchFilter) -> list[Delivery]:
    """What a filtered watch delivers up to the head, seen by its next progress mark."""
    order = WatchOrder(0, wanted, progress_seconds=0.01)
    return await collect(hub, order, through=hub.revision)


async def test_w13_a_watcher_that_takes_nothing_holds_no_events_of_its_own() -> None:
    store, hub = await open_hub(ring_revisions=8)
    async with aclosing(hub.watch(WatchOrder(0), ADA)) as stuck:
        await anext(stuck)
        for _ in range(50):
            await register(store, "a")
        assert revisions_of(await collect(hub, WatchOrder(45), through=50)) == list(range(46, 51))
        assert hub.ring.head - hub.ring.floor == 8
        seen = [await anext(stuck) for _ in range(50)]
        assert revisions_of(seen) == list(range(1, 51))


async def test_w14_progress_comes_within_the_interval_while_nothing_happens() -> None:
    _, hub = await open_hub()
    async with aclosing(hub.watch(WatchOrder(0, progress_seconds=0.02), ADA)) as deliveries:
        loop = asyncio.get_running_loop()
        came_at = []
        for _ in range(8):
            assert (await anext(deliveries)).kind is DeliveryKind.PROGRESS
            came_at.append(loop.time())
    # The shortest: a busy machine may be late. The interval is 10 s where none is asked for.
    assert min(later - earlier for earlier, later in itertools.pairwise(came_at)) < 0.5


async def test_w15_the_authorizer_is_asked_for_every_change_also_after_its_answer_changes() -> None:
    store = MemoryStore(epoch="e")
    hidden = {"secret"}
    hub = WatchHub(
        store,
        encode=encode,
        clock=SystemClock(),
        may_see=lambda principal, change: principal == ADA and change.subject not in hidden,
    )
    store.on_commit(hub.publish)
    await hub.start()
    async with aclosing(hub.watch(WatchOrder(0), ADA)) as deliveries:
        await anext(deliveries)
        await register(store, "secret")
        await register(store, "open")
        assert revisions_of([await anext(deliveries)]) == [2]
        hidden.clear()
        hidden.add("open")
        await register(store, "open")
        await register(store, "secret")
        assert revisions_of([await anext(deliveries)]) == [4]
    snapshot = await collect(hub, WatchOrder(Start.SNAPSHOT), through=4)
    assert [event.split()[2] for event in events_of(snapshot)] == ["secret/1<0", "secret/2<0"]


async def test_w16_a_drain_tells_where_to_resume_and_a_new_watch_is_sent_away() -> None:
    store, hub = await open_hub()
    async with aclosing(hub.watch(WatchOrder(0), ADA)) as deliveries:
        await anext(deliveries)
        await register(store, "a")
        last = await anext(deliveries)
        await hub.drain()
        draining = await anext(deliveries)
        assert (draining.kind, draining.revision) == (DeliveryKind.DRAINING, 1)
        assert draining.token == last.token
        with pytest.raises(DrainingError) as caught:
            await anext(deliveries)
        assert caught.value.retry_after_seconds is not None
    with pytest.raises(DrainingError):
        await collect(hub, WatchOrder(0), through=1)


async def test_previous_versions_come_only_where_asked() -> None:
    store, hub = await open_hub()
    await register(store, "a")
    await register(store, "a")
    plain = await collect(hub, WatchOrder(1), through=2)
    full = await collect(hub, WatchOrder(1, include_previous=True), through=2)
    assert events_of(plain)[0].endswith("a/2<0")
    assert events_of(full)[0].endswith("a/2<1")


async def test_watchers_are_bounded_and_counted_down_when_they_leave() -> None:
    _, hub = await open_hub(max_watchers=1)
    async with aclosing(hub.watch(WatchOrder(0), ADA)) as deliveries:
        await anext(deliveries)
        with pytest.raises(LimitExceededError):
            await collect(hub, WatchOrder(0), through=0)
    assert hub.watchers == 0
    assert await collect(hub, WatchOrder(0), through=0)


async def test_a_hub_that_starts_late_serves_the_end_of_the_log_from_memory() -> None:
    store, _ = await open_hub()
    for _ in range(20):
        await register(store, "a")
    _, late = await open_hub(store, ring_revisions=5)
    assert (late.revision, late.ring.floor) == (20, 15)
    assert revisions_of(await collect(late, WatchOrder(0), through=20)) == list(range(1, 21))


async def test_a_gap_in_what_is_published_is_filled_from_the_log() -> None:
    store = MemoryStore(epoch="e")
    hub = WatchHub(store, encode=encode, clock=SystemClock())
    await hub.start()
    await register(store, "a")
    await register(store, "a")
    store.on_commit(hub.publish)
    await register(store, "a")
    assert hub.ring.floor == 2
    assert revisions_of(await collect(hub, WatchOrder(0), through=3)) == [1, 2, 3]


async def test_watchers_that_left_while_they_waited_leave_nothing_behind() -> None:
    _, hub = await open_hub()

    async def wait_in_vain() -> None:
        async with aclosing(hub.watch(WatchOrder(0), ADA)) as deliveries:
            await anext(deliveries)
            await anext(deliveries)

    waiting = [asyncio.create_task(wait_in_vain()) for _ in range(20)]
    while hub.waiting < len(waiting):  # noqa: ASYNC110 - the hub tells nobody who waits
        await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (hub.waiting, hub.watchers) == (0, 0)


async def test_w3_w15_watchers_who_share_a_place_share_only_what_is_theirs() -> None:
    store = MemoryStore(epoch="e")
    hub = WatchHub(store, encode=encode, clock=SystemClock())
    store.on_commit(hub.publish)
    await hub.start()
    for _ in range(3):
        await register(store, "a")
        await register(store, "b")
    only_a = WatchFilter(subjects=frozenset({"a"}))
    for _ in range(2):
        whole = await collect(hub, WatchOrder(0), through=6)
        assert revisions_of(whole) == [1, 2, 3, 4, 5, 6]
        assert revisions_of(await collect(hub, WatchOrder(0, only_a), through=5)) == [1, 3, 5]
        assert revisions_of(await collect(hub, WatchOrder(2), through=6)) == [3, 4, 5, 6]
        full = await collect(hub, WatchOrder(0, include_previous=True), through=6)
        assert [event.rsplit("<", 1)[1] for event in events_of(full)] == list("001122")
        again = await collect(hub, WatchOrder(0), through=6)
        assert again == whole
        assert all(one is other for one, other in zip(whole[1:], again[1:], strict=True))
