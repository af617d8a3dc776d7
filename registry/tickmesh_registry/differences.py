"""What changes between two schemas, registered or not, and what becomes of every column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .domain.bounds import require_references
from .domain.errors import InvalidArgumentError, InvalidSchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh.schema import SchemaDifference

    from .domain.versions import Reference
    from .formats import Document
    from .lookup import Lookup, Selector
    from .store import SchemaStore
    from .workbench import Workbench


@dataclass(frozen=True, slots=True)
class UnregisteredSchema:
    """A schema text that need not be registered."""

    text: str
    format: str
    references: tuple[Reference, ...]


ComparedSchema: TypeAlias = "Selector | UnregisteredSchema"


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes and the column plans, and the revision they reflect.

    Attributes:
        content: Changes and plans.
        field_ids: The ids of fields by their path, where the schemas belong to a subject.
        revision: The revision of the answer.
    """

    content: SchemaDifference
    field_ids: Mapping[str, int]
    revision: int


@dataclass(frozen=True, slots=True)
class _Side:
    document: Document
    format: str
    subject: str


class Differences:
    """Compares schemas off the event loop."""

    def __init__(self, store: SchemaStore, lookup: Lookup, workbench: Workbench) -> None:
        self._store = store
        self._lookup = lookup
        self._workbench = workbench

    async def between(
        self, before: ComparedSchema, after: ComparedSchema, *, deadline_ns: int | None = None
    ) -> Difference:
        """Compare two schemas.

        Raises:
            InvalidArgumentError: A selector is malformed, or the languages differ.
            InvalidSchemaError: A text is no schema of rows.
            SubjectNotFoundError, VersionNotFoundError, SchemaNotFoundError: One is not there.
        """
        old = await self._side("before", before, deadline_ns)
        new = await self._side("after", after, deadline_ns)
        if old.format != new.format:
            raise InvalidArgumentError.of(
                "after", f"expected the language of before ({old.format}), got {new.format}"
            )
        language = self._workbench.formats.named(new.format)
        content = await self._workbench.run(language.difference, old.document, new.document)
        async with self._store.snapshot() as reader:
            texts = [
                (await reader.subject(side.subject)).field_ids
                for side in (old, new)
                if side.subject
            ]
            revision = reader.head.revision
        ids: dict[str, int] = {}
        for text in texts:
            ids |= language.field_ids_of(text)
        return Difference(content, ids, revision)

    async def _side(self, field: str, schema: ComparedSchema, deadline_ns: int | None) -> _Side:
        if not isinstance(schema, UnregisteredSchema):
            version = (await self._lookup.get(schema, deadline_ns=deadline_ns)).version
            document = await self._workbench.document(version)
            return _Side(document, version.format, version.subject)
        require_references(schema.references)
        try:
            parsed = await self._workbench.parse(schema.format, schema.text, schema.references)
        except InvalidSchemaError as error:
            raise _of_field(error, field) from error
        return _Side(parsed, schema.format, "")


def _of_field(error: InvalidSchemaError, field: str) -> InvalidSchemaError:
    """The refusal of a text, named as the request names it."""
    return InvalidSchemaError(
        f"{field}: {error.message}",
        metadata={**error.metadata, "field": field},
        violations=[(f"{field}.unregistered.{place}", text) for place, text in error.violations],
    )
