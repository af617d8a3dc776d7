"""What every engine of the registry's store promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.registry_values import ACTOR, new_version, register, registered, rejected
from tickmesh_registry.domain.changes import ChangeKind, Revision
from tickmesh_registry.domain.compatibility import (
    DEFAULTS,
    Mode,
    Policy,
    Settings,
    SettingsOverride,
)
from tickmesh_registry.domain.errors import VersionConflictError
from tickmesh_registry.domain.filtering import parse_filter
from tickmesh_registry.domain.ordering import Order
from tickmesh_registry.domain.versions import Version
from tickmesh_registry.filter_fields import SUBJECT_FIELDS, VERSION_FIELDS
from tickmesh_registry.store import (
    CompletedRequest,
    Head,
    NewChange,
    Refusal,
    RegisteredOutcome,
    SchemaStore,
    SettingsOutcome,
    SubjectState,
    Transaction,
    VersionScope,
)


async def test_a_new_store_stands_at_revision_zero_with_its_epoch(store: SchemaStore) -> None:
    assert await store.head() == Head("epoch-1", 0, 0, 0)


async def test_what_is_registered_reads_back_whole(store: SchemaStore) -> None:
    version = await register(store, "ticks.trades", text='{"é": 1}')
    assert (version.version, version.schema_id, version.revision) == (1, 1, 1)
    assert version.labels == {"team": "equities"}
    assert version.actor == ACTOR
    async with store.snapshot() as reader:
        assert await reader.version("ticks.trades", 1) == version
        assert await reader.version("ticks.trades", 2) is None
        assert await reader.version("ticks.quotes", 1) is None
        assert await reader.versions("ticks.trades", after=0, limit=10) == (version,)
        assert await reader.subject("ticks.trades") == SubjectState(
            "ticks.trades",
            latest_version=1,
            version_count=1,
            revision=1,
            field_ids='{"price": 1}',
        )
        assert reader.head == Head("epoch-1", 1, 0, 1_000)


async def test_schema_ids_are_dense_and_shared_by_equal_fingerprints(store: SchemaStore) -> None:
    first = await register(store, "a", fingerprint="f1")
    again = await register(store, "b", fingerprint="f1")
    other = await register(store, "c", fingerprint="f2")
    assert [v.schema_id for v in (first, again, other)] == [1, 1, 2]
    async with store.snapshot() as reader:
        assert await reader.version_with_schema_id(1) == first
        assert await reader.version_with_fingerprint("f1") == first
        assert await reader.version_with_schema_id(2) == other
        assert await reader.version_with_schema_id(3) is None
        assert await reader.version_with_fingerprint("f3") is None


async def test_a_failed_transaction_leaves_nothing_and_takes_no_revision(
    store: SchemaStore,
) -> None:
    async def body(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("a"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.transact(body)
    assert (await store.head()).revision == 0
    assert (await register(store, "a")).revision == 1


async def test_a_version_number_that_is_not_next_is_refused(store: SchemaStore) -> None:
    stale = new_version(SubjectState("a"))
    await register(store, "a")

    async def body(transaction: Transaction) -> None:
        transaction.add_version(stale)
        transaction.add_change(registered(stale))

    with pytest.raises(VersionConflictError):
        await store.transact(body)
    assert (await store.head()).revision == 1


async def test_racing_writers_get_dense_revisions_in_the_order_the_listener_hears(
    store: SchemaStore,
) -> None:
    heard: list[tuple[Revision, Head]] = []
    store.on_commit(lambda revision, head: heard.append((revision, head)))
    versions = await asyncio.gather(*(register(store, f"s{i % 3}") for i in range(30)))
    assert sorted(v.revision for v in versions) == list(range(1, 31))
    assert [revision.revision for revision, _ in heard] == list(range(1, 31))
    assert [head.revision for _, head in heard] == list(range(1, 31))
    for subject in ("s0", "s1", "s2"):
        numbers = [v.version for v in versions if v.subject == subject]
        assert sorted(numbers) == list(range(1, 11))


async def test_writes_that_waited_together_succeed_and_fail_each_for_itself(
    store: SchemaStore,
) -> None:
    """They may be committed in one go: what one of them cannot do is no other's failure."""
    heard: list[int] = []
    store.on_commit(lambda revision, _head: heard.append(revision.revision))
    stale = new_version(SubjectState("s0"))
    await register(store, "s0")
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def hold(transaction: Transaction) -> None:
        begun.set()
        await go_on.wait()

    async def fail(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("s1"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        raise ZeroDivisionError

    async def conflict(transaction: Transaction) -> None:
        transaction.add_version(stale)
        transaction.add_change(registered(stale))

    holding = asyncio.create_task(store.transact(hold))
    await begun.wait()
    waiting = asyncio.gather(
        *(register(store, f"s{n % 2}") for n in range(3)),
        store.transact(fail),
        *(register(store, f"s{n % 2}") for n in range(3)),
        store.transact(conflict),
        *(register(store, f"s{n % 2}") for n in range(3)),
        return_exceptions=True,
    )
    go_on.set()
    await holding
    outcomes = await waiting
    failures = [type(o) for o in outcomes if isinstance(o, BaseException)]
    assert failures == [ZeroDivisionError, VersionConflictError]
    versions = [o for o in outcomes if isinstance(o, Version)]
    assert [v.revision for v in versions] == list(range(2, 11))
    assert [v.version for v in versions if v.subject == "s0"] == [2, 3, 4, 5, 6, 7]
    assert [v.version for v in versions if v.subject == "s1"] == [1, 2, 3]
    assert heard == list(range(1, 11))
    log = (await store.changes_after(0, limit=100)).revisions
    assert [revision.revision for revision in log] == heard
    assert sorted({v.schema_id for v in versions}) == list(range(2, 11))


async def test_a_cancelled_caller_does_not_cancel_a_commit(store: SchemaStore) -> None:
    heard: list[int] = []
    store.on_commit(lambda revision, _head: heard.append(revision.revision))
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def body(transaction: Transaction) -> None:
        begun.set()
        await go_on.wait()
        new = new_version(await transaction.subject("a"))
        transaction.add_version(new)
        transaction.add_change(registered(new))

    caller = asyncio.create_task(store.transact(body))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    assert (await register(store, "b")).revision == 2
    assert heard == [1, 2]


async def test_the_log_reads_back_what_the_listener_heard(store: SchemaStore) -> None:
    heard: list[Revision] = []
    store.on_commit(lambda revision, _head: heard.append(revision))
    await register(store, "a")
    await register(store, "a", text='{"title": "second"}')

    async def body(transaction: Transaction) -> None:
        transaction.add_change(rejected("a", at_ns=1_002))
        transaction.set_settings("a", SettingsOverride(mode=Mode.FULL))
        transaction.add_change(
            NewChange(
                kind=ChangeKind.POLICY_CHANGED,
                subject="a",
                version=None,
                previous=None,
                action=None,
                report=None,
                settings=Settings(mode=Mode.FULL, policy=Policy.CONTAINMENT),
                rejected_text=None,
                actor=ACTOR,
                changed_at_ns=1_002,
            )
        )

    await store.transact(body)
    page = await store.changes_after(0, limit=100)
    assert page.revisions == tuple(heard)
    assert page.head == Head("epoch-1", 3, 0, 1_002)
    second = page.revisions[1].changes[0]
    assert second.previous is not None
    assert second.previous.version == 1
    assert [c.sequence for c in page.revisions[2].changes] == [0, 1]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_a_log_page_holds_whole_revisions(store: SchemaStore, limit: int) -> None:
    async def body(transaction: Transaction) -> None:
        for _ in range(3):
            transaction.add_change(rejected("a"))

    for _ in range(3):
        await store.transact(body)
    seen: list[tuple[int, int]] = []
    after = 0
    while (page := await store.changes_after(after, limit=limit)).revisions:
        changes = [c for r in page.revisions for c in r.changes]
        assert len(changes) < limit + 3
        seen += [(c.revision, c.sequence) for c in changes]
        after = page.revisions[-1].revision
    assert seen == [(r, s) for r in (1, 2, 3) for s in (0, 1, 2)]


async def test_compaction_drops_the_log_and_keeps_the_versions(store: SchemaStore) -> None:
    for _ in range(5):
        await register(store, "a")
    head = await store.compact(3, forget_before_ns=0)
    assert (head.revision, head.compact_revision) == (5, 3)
    assert await store.head() == head
    page = await store.changes_after(0, limit=10)
    assert [r.revision for r in page.revisions] == [4, 5]
    assert page.head.compact_revision == 3
    assert (await store.compact(2, forget_before_ns=0)).compact_revision == 3
    assert (await store.compact(99, forget_before_ns=0)).compact_revision == 5
    async with store.snapshot() as reader:
        assert len(await reader.versions("a", after=0, limit=10)) == 5
    assert (await register(store, "a")).revision == 6


async def test_idempotency_records_belong_to_their_principal_and_are_forgotten_in_time(
    store: SchemaStore,
) -> None:
    request = CompletedRequest(
        principal="ada",
        request_id="r1",
        digest="d",
        outcomes=(RegisteredOutcome("a", 1, False, "{}"), SettingsOutcome(DEFAULTS)),
        completed_at_ns=50,
    )

    async def body(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("a"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        transaction.set_completed_request(request)

    await store.transact(body)
    async with store.snapshot() as reader:
        found = await reader.completed_request("ada", "r1")
        assert found is not None
        assert found == replace(request, revision=1)
        assert await reader.completed_request("bob", "r1") is None
    await store.compact(0, forget_before_ns=50)
    async with store.snapshot() as reader:
        assert await reader.completed_request("ada", "r1") is not None
    await store.compact(0, forget_before_ns=51)
    async with store.snapshot() as reader:
        assert await reader.completed_request("ada", "r1") is None


async def test_the_last_refusal_is_kept_for_each_subject_fingerprint_and_principal(
    store: SchemaStore,
) -> None:
    for at_ns in (10, 20):

        async def body(transaction: Transaction, at_ns: int = at_ns) -> None:
            transaction.set_refusal(Refusal("a", "f", "ada", at_ns))

        committed = await store.transact(body)
        assert committed.revision is None
    async with store.snapshot() as reader:
        assert await reader.refusal("a", "f", "ada") == Refusal("a", "f", "ada", 20)
        assert await reader.refusal("a", "f", "bob") is None
    assert (await store.head()).revision == 0


async def test_settings_need_no_versions_and_do_not_list_the_subject(store: SchemaStore) -> None:
    async def body(transaction: Transaction) -> None:
        transaction.set_settings("new", SettingsOverride(policy=Policy.CONTAINMENT))
        transaction.set_settings("", SettingsOverride(mode=Mode.NONE))
        transaction.add_change(rejected("new"))

    await store.transact(body)
    async with store.snapshot() as reader:
        state = await reader.subject("new")
        assert state.settings == SettingsOverride(policy=Policy.CONTAINMENT)
        assert state.revision == 1
        assert (await reader.subject("")).settings.mode is Mode.NONE
        assert await reader.subjects(prefix="", limit=10) == ()
    version = await register(store, "new")
    assert version.version == 1
    async with store.snapshot() as reader:
        assert (await reader.subject("new")).settings.policy is Policy.CONTAINMENT


async def test_subjects_list_by_prefix_in_order_of_names(store: SchemaStore) -> None:
    names = ["ticks.trades", "ticks.quotes", "Ticks", "ticks", "ticks_a", "bars.1m"]
    for name in names:
        await register(store, name)
    async with store.snapshot() as reader:

        async def listed(prefix: str, after: str = "", limit: int = 10) -> list[str]:
            found = await reader.subjects(prefix=prefix, after=(after, after), limit=limit)
            return [state.name for state in found]

        assert await listed("") == sorted(names)
        assert await listed("ticks.") == ["ticks.quotes", "ticks.trades"]
        assert await listed("ticks", after="ticks.quotes") == ["ticks.trades", "ticks_a"]
        assert await listed("", limit=2) == sorted(names)[:2]
        assert await listed("ü") == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", ["name", "revision", "version_count"])
async def test_subjects_list_in_any_order_a_page_at_a_time(
    store: SchemaStore, field: str, descending: bool
) -> None:
    for name in ("b", "a", "c", "b", "d", "a", "B"):
        await register(store, name)
    order = Order(field, descending=descending)
    async with store.snapshot() as reader:
        whole = await reader.subjects(prefix="", limit=10, order=order)
        keys = [(getattr(state, field), state.name) for state in whole]
        assert keys == sorted(keys, reverse=descending)
        assert len(keys) == 5
        paged: list[SubjectState] = []
        while page := await reader.subjects(
            prefix="", limit=2, order=order, after=keys[len(paged) - 1] if paged else None
        ):
            paged.extend(page)
        assert paged == list(whole)


async def test_what_a_store_leaves_out_does_not_fulfil_the_demands(store: SchemaStore) -> None:
    """An engine may use a filter to read less, never to answer something else."""
    for name in ("a", "ab", "b", "ab"):
        await register(store, name)
    text = 'subject = "a*" AND version < 2 AND state = active AND labels.team = equities'
    wanted = parse_filter(text, VERSION_FIELDS)
    async with store.snapshot() as reader:
        keys = await reader.version_keys(after=("", 0), limit=10, demands=wanted.demands)
        found = await reader.outlines_at([key[:2] for key in keys])
        assert [(v.subject, v.version) for v in found if wanted.matches(v)] == [("a", 1), ("ab", 1)]
        named = parse_filter('name = "a*" AND version_count > 1', SUBJECT_FIELDS)
        subjects = await reader.subjects(prefix="", limit=10, demands=named.demands)
        assert [state.name for state in subjects if named.matches(state)] == ["ab"]


async def test_version_keys_go_through_all_subjects_in_order(store: SchemaStore) -> None:
    for subject in ("b", "a", "b", "a", "B"):
        await register(store, subject)
    async with store.snapshot() as reader:
        every = await reader.version_keys(after=("", 0), limit=10)
        assert [key[:2] for key in every] == [("B", 1), ("a", 1), ("a", 2), ("b", 1), ("b", 2)]
        assert await reader.version_keys(after=("a", 1), limit=2) == every[2:4]
        latest = await reader.version_keys(after=("", 0), limit=10, scope=VersionScope.LATEST)
        assert [key[:2] for key in latest] == [("B", 1), ("a", 2), ("b", 2)]


async def test_versions_are_read_at_once_by_their_names(store: SchemaStore) -> None:
    for subject in ("b", "a", "b"):
        await register(store, subject, text='{"title": "x"}')
    async with store.snapshot() as reader:
        keys = [("b", 2), ("a", 9), ("a", 1)]
        whole = await reader.versions_at(keys)
        assert whole == (await reader.version("b", 2), await reader.version("a", 1))
        outlines = await reader.outlines_at(keys)
        for outline, version in zip(outlines, whole, strict=True):
            assert version is not None
            assert outline == replace(version, text="", canonical_text="", arrow_schema=b"")
        assert await reader.versions_at([]) == ()


async def test_versions_through_a_revision_leave_out_what_came_later(store: SchemaStore) -> None:
    for subject in ("b", "a", "b", "a"):
        await register(store, subject)
    async with store.snapshot() as reader:
        found = await reader.versions_through(3, after=("", 0), limit=10)
        assert [(v.subject, v.version) for v in found] == [("a", 1), ("b", 1), ("b", 2)]
        rest = await reader.versions_through(4, after=("a", 2), limit=1)
        assert [(v.subject, v.version) for v in rest] == [("b", 1)]


async def test_a_snapshot_does_not_move_while_it_is_read(store: SchemaStore) -> None:
    await register(store, "a")
    async with store.snapshot() as reader:
        await register(store, "a")
        assert reader.head.revision == 1
        assert len(await reader.version_times("a")) == 1
        assert (await reader.subject("a")).latest_version == 1
