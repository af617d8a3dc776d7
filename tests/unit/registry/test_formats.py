"""The schema languages the registry speaks, and how one more plugs in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tickmesh.schema import FieldFacts, SchemaDifference
from tickmesh.schema.compatibility import CompatibilityReport
from tickmesh_registry.application import Candidate, RegistryApplication
from tickmesh_registry.domain.compatibility import Action, Mode, Policy, Verdict
from tickmesh_registry.domain.errors import (
    IncompatibleSchemaError,
    InvalidArgumentError,
    InvalidSchemaError,
)
from tickmesh_registry.formats import FORMATS, Document, Judgement, Projection, SchemaFormats
from tickmesh_registry.lookup import Latest
from tickmesh_registry.proposal import Proposal
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.watch import WatchHub
from tickmesh_registry.wire import encode_change
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

CALL = CallContext.internal("ada")


@dataclass(frozen=True)
class Columns:
    """A list of column names."""

    names: tuple[str, ...]

    @property
    def canonical_text(self) -> str:
        return ",".join(sorted(self.names))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.canonical_text.encode()).hexdigest()


class ColumnsFormat:
    """A toy language: names between commas, all texts; a name may be added and never leave."""

    def parse(self, text: str, references: Mapping[str, Document]) -> Columns:
        names = tuple(text.split(","))
        if not all(name.isidentifier() for name in names):
            raise InvalidSchemaError("expected names between commas")
        return Columns(names)

    def project(
        self, document: Document, *, subject: str, version: int, field_ids: str
    ) -> Projection:
        columns = document.canonical_text.split(",")
        schema = pa.schema([pa.field(name, pa.string()) for name in columns])
        return Projection(schema.serialize().to_pybytes(), field_ids)

    def difference(self, before: Document, after: Document) -> SchemaDifference:
        return SchemaDifference(())

    def fields(self, document: Document) -> tuple[FieldFacts, ...]:
        assert isinstance(document, Columns)
        return tuple(
            FieldFacts((name,), f"/{name}", ("string",), "string", required=True, role="")
            for name in document.names
        )

    def field_ids_in(self, arrow_schema: bytes) -> dict[tuple[str, ...], int]:
        return {}

    def field_ids_of(self, field_ids: str) -> dict[str, int]:
        return {}

    def judge(
        self,
        history: Sequence[tuple[int, Document]],
        candidate: Document,
        *,
        mode: Mode,
        policy: Policy,
    ) -> Judgement:
        kept = set(candidate.canonical_text.split(","))
        broken = any(not kept.issuperset(old.canonical_text.split(",")) for _, old in history)
        verdict = Verdict.INCOMPATIBLE if broken else Verdict.COMPATIBLE
        report = CompatibilityReport(verdict, mode, policy, comparisons=(), engine="columns")
        return Judgement(verdict, report.to_json())

    def action(self, previous: Document | None, candidate: Document) -> Action:
        return Action.FIRST if previous is None else Action.COMPATIBLE_CHANGE


@pytest.fixture
async def registry() -> AsyncIterator[RegistryApplication]:
    store, clock = MemoryStore(epoch="e"), SystemClock()
    hub = WatchHub(store, encode=encode_change, clock=clock)
    store.on_commit(hub.publish)
    formats = SchemaFormats({"columns": ColumnsFormat()})
    application = RegistryApplication(store, hub, clock=clock, formats=formats)
    yield application
    application.close()


def test_a_schema_language_that_is_not_spoken_is_refused_with_those_that_are() -> None:
    assert FORMATS.named("json-schema").parse('{"type": "object"}', {}).canonical_text
    with pytest.raises(InvalidArgumentError, match="json-schema"):
        FORMATS.named("columns")


async def test_another_language_is_parsed_made_canonical_projected_and_compared(
    registry: RegistryApplication,
) -> None:
    first = await registry.register(Proposal("s", "b,a", format="columns"), CALL)
    assert first.version.canonical_text == "a,b"
    found = await registry.get(Latest("s"), CALL)
    projected = pa.ipc.read_schema(pa.py_buffer(found.version.arrow_schema))
    assert projected.names == ["a", "b"]

    wider = await registry.register(Proposal("s", "a,b,c", format="columns"), CALL)
    assert (wider.version.version, wider.version.action) == (2, Action.COMPATIBLE_CHANGE)
    with pytest.raises(IncompatibleSchemaError):
        await registry.register(Proposal("s", "a", format="columns"), CALL)
    report = await registry.check(Candidate("s", "a", format="columns"), CALL)
    assert '"incompatible"' in report.report

    with pytest.raises(InvalidSchemaError):
        await registry.register(Proposal("s", "not a name", format="columns"), CALL)
    with pytest.raises(InvalidArgumentError, match="expected one of columns"):
        await registry.register(Proposal("s", '{"type": "object"}'), CALL)
