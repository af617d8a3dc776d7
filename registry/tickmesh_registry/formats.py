"""What the registry asks of a schema language, and the language it speaks.

Everything here is pure and may take long: callers run it off the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .domain.errors import InvalidArgumentError, InvalidSchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh.schema import FieldFacts, SchemaDifference, SchemaDocument

    from .domain.compatibility import Action, Mode, Policy, Verdict


class Document(Protocol):
    """A parsed schema."""

    @property
    def canonical_text(self) -> str:
        """Its canonical form."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the canonical form and of pinned references."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A schema as Arrow sees it.

    Attributes:
        arrow_schema: An encapsulated Arrow IPC schema message.
        field_ids: All field ids of the subject, old and new, as JSON text.
    """

    arrow_schema: bytes
    field_ids: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to "may this candidate follow?".

    Attributes:
        verdict: The verdict under mode and policy.
        content: The whole report, as `CompatibilityReport.to_json` makes it.
    """

    verdict: Verdict
    content: Mapping[str, Any]


class SchemaFormat(Protocol):
    """A schema language."""

    def parse(self, text: str, references: Mapping[str, Document]) -> Document:
        """Parse a text; raises InvalidSchemaError with a JSON Pointer."""

    def project(
        self, document: Document, *, subject: str, version: int, field_ids: str
    ) -> Projection:
        """Project a schema to Arrow, giving ids to fields that have none yet."""

    def judge(
        self,
        history: Sequence[tuple[int, Document]],
        candidate: Document,
        *,
        mode: Mode,
        policy: Policy,
    ) -> Judgement:
        """Compare a candidate with the versions the mode picks of an ascending history."""

    def action(self, previous: Document | None, candidate: Document) -> Action:
        """Say what registering the candidate after `previous` does, whatever the mode."""

    def difference(self, before: Document, after: Document) -> SchemaDifference:
        """Tell what changes between two schemas, and what becomes of every column."""

    def fields(self, document: Document) -> tuple[FieldFacts, ...]:
        """Describe every field, nested ones included."""

    def field_ids_in(self, arrow_schema: bytes) -> Mapping[tuple[str, ...], int]:
        """The field ids of a projection, by path of names."""

    def field_ids_of(self, field_ids: str) -> Mapping[str, int]:
        """The field ids of a subject, by the path that column plans use."""


class JsonSchemaFormat:
    """JSON Schema, by the core that clients run too."""

    def parse(self, text: str, references: Mapping[str, Document]) -> SchemaDocument:
        """Parse a text; raises InvalidSchemaError with a JSON Pointer."""
        from tickmesh.schema import SchemaDocument, SchemaError, parse_schema

        pinned = {
            name: document
            for name, document in references.items()
            if isinstance(document, SchemaDocument)
        }
        try:
            document = parse_schema(text, references=pinned)
            _ = document.fingerprint  # computed here, off the event loop
        except SchemaError as error:
            raise _invalid(error) from error
        return document

    def project(
        self, document: Document, *, subject: str, version: int, field_ids: str
    ) -> Projection:
        """Project a schema to Arrow, giving ids to fields that have none yet."""
        from tickmesh.schema import FieldIds, SchemaError, project

        try:
            ids = FieldIds.from_json(field_ids or "{}").extended(_own(document))
            schema = project(_own(document), subject=subject, version=version, field_ids=ids)
        except SchemaError as error:
            raise _invalid(error) from error
        return Projection(schema.serialize().to_pybytes(), ids.to_json())

    def judge(
        self,
        history: Sequence[tuple[int, Document]],
        candidate: Document,
        *,
        mode: Mode,
        policy: Policy,
    ) -> Judgement:
        """Compare a candidate with the versions the mode picks of an ascending history."""
        from tickmesh.schema.compatibility import compare_with_history

        report = compare_with_history(
            [(version, _own(document)) for version, document in history],
            _own(candidate),
            policy=policy,
            mode=mode,
        )
        return Judgement(report.verdict, report.to_json())

    def action(self, previous: Document | None, candidate: Document) -> Action:
        """Say what registering the candidate after `previous` does, whatever the mode."""
        from tickmesh.schema.compatibility import action_of

        return action_of(None if previous is None else _own(previous), _own(candidate))

    def difference(self, before: Document, after: Document) -> SchemaDifference:
        """Tell what changes between two schemas, and what becomes of every column."""
        from tickmesh.schema import SchemaError, diff

        try:
            return diff(_own(before), _own(after))
        except SchemaError as error:
            raise _invalid(error) from error

    def fields(self, document: Document) -> tuple[FieldFacts, ...]:
        """Describe every field, nested ones included."""
        from tickmesh.schema import SchemaError, describe_fields

        try:
            return describe_fields(_own(document))
        except SchemaError as error:
            raise _invalid(error) from error

    def field_ids_in(self, arrow_schema: bytes) -> Mapping[tuple[str, ...], int]:
        """The field ids of a projection, by path of names."""
        import pyarrow as pa

        from tickmesh.schema.field_ids import ids_in

        return ids_in(pa.ipc.read_schema(pa.py_buffer(arrow_schema)))

    def field_ids_of(self, field_ids: str) -> Mapping[str, int]:
        """The field ids of a subject, by the path that column plans use."""
        from tickmesh.schema import FieldIds

        return FieldIds.from_json(field_ids or "{}").ids


class SchemaFormats:
    """The schema languages a registry speaks, by the names that versions keep."""

    def __init__(self, languages: Mapping[str, SchemaFormat]) -> None:
        self._languages = dict(languages)

    def named(self, name: str) -> SchemaFormat:
        """The schema language of that name; raises InvalidArgumentError when there is none."""
        found = self._languages.get(name)
        if found is None:
            raise InvalidArgumentError.of(
                "format", f"expected one of {', '.join(self._languages)}, got {name!r}"
            )
        return found


FORMATS = SchemaFormats({"json-schema": JsonSchemaFormat()})
"""What a registry speaks unless it is told otherwise."""


def _own(document: Document) -> SchemaDocument:
    from tickmesh.schema import SchemaDocument

    assert isinstance(document, SchemaDocument)
    return document


def _invalid(error: Any) -> InvalidSchemaError:
    place = error.pointer or "the root"
    return InvalidSchemaError(
        f"the text is no schema that can be registered: {error.message} (at {place})",
        metadata={"schemaReason": error.reason, "pointer": error.pointer},
        violations=((f"text#{error.pointer}", error.message),),
    )
