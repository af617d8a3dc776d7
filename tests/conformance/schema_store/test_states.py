"""What every engine promises about versions whose state changes, and what a judgement reads."""

from __future__ import annotations

import json

import pytest

from tests.support.registry_values import (
    ACTOR,
    DATA_REPORT,
    new_version,
    register,
    registered,
    rejected,
    set_standing,
)
from tickmesh_registry.domain.changes import ChangeKind, Revision
from tickmesh_registry.domain.compatibility import Mode, SettingsOverride
from tickmesh_registry.domain.versions import Reference, VersionStanding, VersionState
from tickmesh_registry.store import (
    BasisQuestion,
    CompletedRequest,
    RegisteredOutcome,
    RegistrationBasis,
    SchemaStore,
    SubjectState,
    Transaction,
)

ACTIVE, DEPRECATED = VersionState.ACTIVE, VersionState.DEPRECATED
DELETED, REMOVED = VersionState.DELETED, VersionState.REMOVED


def quoting(*versions: int) -> str:
    """A report that compares with versions, quoting them."""
    comparisons = [{"version": number, "changes": [f"quotes {number}"]} for number in versions]
    return json.dumps({"verdict": "compatible", "comparisons": comparisons})


async def test_a_data_report_reads_back_with_its_version(store: SchemaStore) -> None:
    version = await register(store, "a")
    assert version.data_report == DATA_REPORT
    async with store.snapshot() as reader:
        assert await reader.version("a", 1) == version


async def test_a_state_and_its_note_read_back_and_move_the_latest_version(
    store: SchemaStore,
) -> None:
    await register(store, "a")
    await register(store, "a")
    for state, note, latest in (
        (DEPRECATED, "use b", 2),
        (DELETED, "use b", 1),
        (ACTIVE, "", 2),
    ):
        version = await set_standing(store, "a", 2, state, note=note)
        assert (version.state, version.deprecation_note) == (state, note)
        async with store.snapshot() as reader:
            assert await reader.version("a", 2) == version
            subject = await reader.subject("a")
            assert (subject.latest_version, subject.version_count) == (latest, 2)
            assert subject.revision == reader.head.revision
            assert [t.state for t in await reader.version_times("a")] == [ACTIVE, state]


async def test_numbers_go_on_when_every_version_is_gone(store: SchemaStore) -> None:
    await register(store, "a")
    await set_standing(store, "a", 1, DELETED)
    await set_standing(store, "a", 1, REMOVED)
    async with store.snapshot() as reader:
        subject = await reader.subject("a")
        assert (subject.latest_version, subject.version_count) == (0, 1)
    assert (await register(store, "a")).version == 2


async def test_the_log_tells_of_versions_as_they_stood_at_each_revision(
    store: SchemaStore,
) -> None:
    heard: list[Revision] = []
    store.on_commit(lambda revision, _head: heard.append(revision))
    await register(store, "a")
    await set_standing(store, "a", 1, DEPRECATED, note="old")
    await register(store, "a")
    await set_standing(store, "a", 1, DELETED, note="old")
    await set_standing(store, "a", 1, ACTIVE)
    page = await store.changes_after(0, limit=100)
    assert page.revisions == tuple(heard)
    told = [revision.changes[0] for revision in page.revisions]
    assert [change.kind for change in told] == [
        ChangeKind.VERSION_REGISTERED,
        ChangeKind.VERSION_DEPRECATED,
        ChangeKind.VERSION_REGISTERED,
        ChangeKind.VERSION_DELETED,
        ChangeKind.VERSION_RESTORED,
    ]
    after = [change.schema and change.schema.state for change in told]
    assert after == [ACTIVE, DEPRECATED, ACTIVE, DELETED, ACTIVE]
    before = [change.previous and change.previous.state for change in told]
    assert before == [None, ACTIVE, DEPRECATED, DEPRECATED, DELETED]
    assert [change.actor for change in told] == [ACTOR] * 5


async def test_a_removed_version_leaves_a_tombstone_and_no_text_anywhere(
    store: SchemaStore,
) -> None:
    heard: list[Revision] = []
    store.on_commit(lambda revision, _head: heard.append(revision))
    request = CompletedRequest(
        principal="ada",
        request_id="r1",
        digest="d",
        outcomes=(
            RegisteredOutcome("a", 1, False, quoting(7)),
            RegisteredOutcome("a", 2, False, quoting(1, 7)),
            RegisteredOutcome("b", 1, False, quoting(1)),
        ),
        completed_at_ns=50,
    )

    async def body(transaction: Transaction) -> None:
        transaction.set_completed_request(request)

    await store.transact(body)
    first = await register(store, "a", text='{"title": "secret"}', report=quoting(7))
    await register(store, "a", report=quoting(1, 7))
    await set_standing(store, "a", 1, DELETED)
    tombstone = await set_standing(store, "a", 1, REMOVED)
    assert (tombstone.text, tombstone.canonical_text, tombstone.arrow_schema) == ("", "", b"")
    assert tombstone.data_report is None
    assert (tombstone.schema_id, tombstone.fingerprint) == (first.schema_id, first.fingerprint)
    async with store.snapshot() as reader:
        assert await reader.version("a", 1) == tombstone
        assert await reader.version_with_schema_id(first.schema_id) == tombstone
        answered = await reader.completed_request("ada", "r1")
    assert answered is not None
    reports = [each.report for each in answered.outcomes if isinstance(each, RegisteredOutcome)]
    assert reports == [quoting(), quoting(7), quoting(1)]
    told = [r.changes[0] for r in (await store.changes_after(0, limit=100)).revisions]
    assert "secret" not in repr(told)
    assert [change.report for change in told] == [quoting(), quoting(7), None, None]
    states = [change.schema.state for change in told if change.schema is not None]
    assert states == [ACTIVE, ACTIVE, DELETED, REMOVED]
    assert heard[-1].changes == (told[-1],)


async def test_a_schema_keeps_its_canonical_text_while_a_version_shares_it(
    store: SchemaStore,
) -> None:
    first = await register(store, "a", fingerprint="f", text='{"shared": 1}')
    await register(store, "b", fingerprint="f", text='{"shared": 1}')
    await set_standing(store, "a", 1, REMOVED)
    async with store.snapshot() as reader:
        sharing = await reader.version("b", 1)
        assert sharing is not None
        assert sharing.canonical_text == '{"shared": 1}'
        assert await reader.version_with_fingerprint("f") == sharing
        assert await reader.version_with_schema_id(first.schema_id) == sharing
        removed = await reader.version("a", 1)
        assert removed is not None
        assert removed.canonical_text == ""
    await set_standing(store, "b", 1, REMOVED)
    again = await register(store, "c", fingerprint="f", text='{"shared": 1}')
    assert again.schema_id == first.schema_id
    async with store.snapshot() as reader:
        assert await reader.version_with_fingerprint("f") == again


async def test_referrers_are_versions_with_texts(store: SchemaStore) -> None:
    await register(store, "a")
    pinned = (Reference("x", "a", 1), Reference("y", "a", 1))
    await register(store, "c", references=pinned)
    await register(store, "b", references=pinned)
    async with store.snapshot() as reader:
        assert await reader.referrers("a", 1, limit=10) == (("b", 1), ("c", 1))
        assert await reader.referrers("a", 1, limit=1) == (("b", 1),)
        assert await reader.referrers("a", 2, limit=10) == ()
    await set_standing(store, "b", 1, DELETED)
    async with store.snapshot() as reader:
        assert await reader.referrers("a", 1, limit=10) == (("b", 1), ("c", 1))
    await set_standing(store, "b", 1, REMOVED)
    async with store.snapshot() as reader:
        assert await reader.referrers("a", 1, limit=10) == (("c", 1),)


async def test_standings_are_those_of_a_prefix_that_are_not_plainly_active(
    store: SchemaStore,
) -> None:
    for subject in ("a", "ab", "b"):
        await register(store, subject)
        await register(store, subject)
    await set_standing(store, "a", 1, DEPRECATED, note="n")
    await set_standing(store, "ab", 2, REMOVED)
    await set_standing(store, "b", 1, DELETED)
    async with store.snapshot() as reader:
        found = await reader.standings(prefix="a")
        assert set(found) == {
            VersionStanding("a", 1, DEPRECATED, "n"),
            VersionStanding("ab", 2, REMOVED, ""),
        }
        assert len(await reader.standings(prefix="")) == 3


async def basis_of(store: SchemaStore, question: BasisQuestion) -> RegistrationBasis:
    async with store.snapshot() as reader:
        return await reader.registration_basis(question)


async def test_a_basis_holds_everything_a_judgement_needs_of_one_revision(
    store: SchemaStore,
) -> None:
    for _ in range(4):
        await register(store, "a")
    await set_standing(store, "a", 1, DELETED)
    await set_standing(store, "a", 2, REMOVED)
    await set_standing(store, "a", 4, DELETED)
    await register(store, "b")
    question = BasisQuestion(("a", "new"), (("b", 1), ("b", 2), ("a", 2)))
    basis = await basis_of(store, question)
    async with store.snapshot() as reader:
        assert basis.head == reader.head
        assert basis.subjects["a"].state == await reader.subject("a")
        assert basis.subjects["a"].latest == await reader.version("a", 3)
    assert basis.subjects["a"].deleted == {1, 4}
    assert basis.subjects["a"].removed == {2}
    assert basis.subjects["new"].state == SubjectState("new")
    assert basis.subjects["new"].latest is None
    assert basis.root.name == ""
    assert basis.referenced == {("b", 1): ACTIVE, ("a", 2): REMOVED}
    assert basis.completed is None


@pytest.mark.parametrize(
    ("name", "moves"), [("a", True), ("referenced", True), ("", True), ("other", False)]
)
async def test_a_basis_has_moved_when_a_subject_that_matters_has(
    store: SchemaStore, name: str, moves: bool
) -> None:
    await register(store, "a")
    await register(store, "referenced")
    basis = await basis_of(store, BasisQuestion(("a",), (("referenced", 1),)))

    async def has_moved(transaction: Transaction) -> bool:
        return await transaction.moved_since(basis)

    assert (await store.transact(has_moved)).result is False

    async def body(transaction: Transaction) -> None:
        transaction.set_settings(name, SettingsOverride(mode=Mode.NONE))
        transaction.add_change(rejected(name))

    await store.transact(body)
    assert (await store.transact(has_moved)).result is moves


async def test_a_new_state_moves_a_basis(store: SchemaStore) -> None:
    await register(store, "a")
    basis = await basis_of(store, BasisQuestion(("a",)))
    await set_standing(store, "a", 1, DEPRECATED)

    async def has_moved(transaction: Transaction) -> bool:
        return await transaction.moved_since(basis)

    assert (await store.transact(has_moved)).result is True


async def test_an_answered_request_is_in_the_basis_and_moves_an_older_one(
    store: SchemaStore,
) -> None:
    question = BasisQuestion(("a",), principal="ada", request_id="r1")
    basis = await basis_of(store, question)

    async def answer(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("b"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        transaction.set_completed_request(
            CompletedRequest("ada", "r1", "d", (RegisteredOutcome("b", 1, False, "{}"),), 50)
        )

    await store.transact(answer)

    async def has_moved(transaction: Transaction) -> bool:
        return await transaction.moved_since(basis)

    assert (await store.transact(has_moved)).result is True
    completed = (await basis_of(store, question)).completed
    assert completed is not None
    assert completed.revision == 1
    for other in (BasisQuestion(("a",), principal="bob", request_id="r1"), BasisQuestion(("a",))):
        assert (await basis_of(store, other)).completed is None
