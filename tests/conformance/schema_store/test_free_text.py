"""What callers write freely is kept as it is or refused, alike on every engine: no engine fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tickmesh_registry.application import RegistryApplication
from tickmesh_registry.domain.errors import InvalidArgumentError, InvalidSchemaError
from tickmesh_registry.domain.evidence import DataReport, FailingRows
from tickmesh_registry.domain.tokens import decode_token, encode_token
from tickmesh_registry.domain.versions import Reference
from tickmesh_registry.listing import PageRequest
from tickmesh_registry.lookup import ByFingerprint, ByNumber
from tickmesh_registry.proposal import Proposal
from tickmesh_registry.watch import WatchHub
from tickmesh_registry.wire import encode_change
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tickmesh_registry.store import SchemaStore

CALL = CallContext.internal("ada", request_id="r")
RECORD = '{"type": "object", "properties": {"size": {"type": "integer"}}}'
NUL_INSIDE = {
    "type": "object",
    "title": "a\0b",
    "properties": {
        "side": {"type": "string", "enum": ["x\0", "y"], "default": "x\0"},
    },
    "required": ["side"],
}


@pytest.fixture
async def application(store: SchemaStore) -> AsyncIterator[RegistryApplication]:
    clock = SystemClock()
    hub = WatchHub(store, encode=encode_change, clock=clock)
    store.on_commit(hub.publish)
    store.on_head(hub.move_to)
    await hub.start()
    made = RegistryApplication(store, hub, clock=clock)
    yield made
    made.close()
    await hub.drain()


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("request_id", {"request_id": "a\0b"}),
        ("labels", {"labels": {"a\0b": "x"}}),
        ("labels[team]", {"labels": {"team": "a\0b"}}),
        ("references[0].name", {"references": (Reference("a\0b", "part", 1),)}),
        ("subject", {"subject": "a\0b"}),
    ],
)
async def test_nul_in_a_registration_is_refused_with_its_field(
    application: RegistryApplication, field: str, given: dict[str, Any]
) -> None:
    proposal = {"subject": "trades", "text": RECORD} | given
    with pytest.raises(InvalidArgumentError) as caught:
        await application.register(Proposal(**proposal), CALL)
    assert caught.value.metadata["field"] == field


async def test_nul_in_a_note_is_refused_with_its_field(application: RegistryApplication) -> None:
    await application.register(Proposal("trades", RECORD), CALL)
    with pytest.raises(InvalidArgumentError) as caught:
        await application.life_cycle.deprecate("trades", 1, "a\0b", CALL)
    assert caught.value.metadata["field"] == "note"


async def test_a_schema_text_with_a_bare_nul_is_no_json(application: RegistryApplication) -> None:
    with pytest.raises(InvalidSchemaError):
        await application.register(Proposal("trades", '{"title": "a\0b"}'), CALL)


async def test_escaped_nul_in_a_schema_and_its_evidence_comes_back(
    application: RegistryApplication, store: SchemaStore
) -> None:
    text = json.dumps(NUL_INSIDE)
    evidence = DataReport(
        source="a\0b",
        rows_checked=2,
        rows_rejected=1,
        reasons=(FailingRows(reason="enum", path="/a\0b", rows=1),),
    )
    made = await application.register(Proposal("trades", text, data_report=evidence), CALL)
    async with store.snapshot() as reader:
        kept = await reader.version("trades", 1)
    assert kept is not None
    assert (kept.text, kept.data_report) == (text, evidence)
    assert made.version.arrow_schema == kept.arrow_schema
    assert made.version.canonical_text == kept.canonical_text
    narrower = {**NUL_INSIDE, "properties": {"side": {"type": "string", "enum": ["y"]}}}
    changed = Proposal("trades", json.dumps(narrower), allow_breaking=True)
    second = await application.register(changed, CALL)
    assert "\\u0000" in second.report
    found = await application.get(ByNumber("trades", 2), CALL)
    assert found.version.text == json.dumps(narrower)


async def test_nul_in_a_question_is_refused(application: RegistryApplication) -> None:
    with pytest.raises(InvalidArgumentError, match="fingerprint"):
        await application.get(ByFingerprint("a\0b"), CALL)
    with pytest.raises(InvalidArgumentError, match="filter"):
        await application.listings.subjects(filter_text='name = "a\0b"')
    with pytest.raises(InvalidArgumentError, match="prefix"):
        await application.listings.subjects(prefix="a\0b")


async def test_a_page_token_that_was_tampered_with_is_refused(
    application: RegistryApplication,
) -> None:
    for subject in ("a", "b", "c"):
        await application.register(Proposal(subject, RECORD), CALL)
    first = await application.listings.subjects(page=PageRequest(size=1))
    *listing, _, _ = decode_token(first.next_page_token)
    for name in ("a\0b", "\ud800"):
        forged = PageRequest(size=1, token=encode_token([*listing, name, name]))
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await application.listings.subjects(page=forged)
