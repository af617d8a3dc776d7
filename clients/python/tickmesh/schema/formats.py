"""The seam for schema languages: what a format offers so that the registry can keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from tickmesh.schema.compatibility import CompatibilityReport, Mode, Policy
    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.projection import FieldIds


class SchemaFormatPlugin(Protocol):
    """A schema language: parse, canonicalise, project to Arrow, compare."""

    @property
    def name(self) -> str:
        """The name by which registrations choose the language, in upper snake case."""
        ...

    def parse(
        self, text: str | bytes, *, references: Mapping[str, SchemaDocument]
    ) -> SchemaDocument:
        """Parses and checks a text.

        Raises:
            SchemaError: With the place of the first thing wrong.
        """
        ...

    def canonicalise(self, document: SchemaDocument) -> str:
        """Returns the text that equal schemas share."""
        ...

    def project(
        self,
        document: SchemaDocument,
        *,
        subject: str | None,
        version: int | None,
        field_ids: FieldIds | None,
    ) -> pa.Schema:
        """Projects a schema onto Arrow."""
        ...

    def compare(
        self, old: SchemaDocument, new: SchemaDocument, *, policy: Policy, mode: Mode
    ) -> CompatibilityReport:
        """Decides whether one version may follow another."""
        ...


class _JsonSchemaFormat:
    """JSON Schema, draft 2020-12 and draft-07."""

    name = "JSON_SCHEMA"

    def parse(
        self, text: str | bytes, *, references: Mapping[str, SchemaDocument]
    ) -> SchemaDocument:
        from tickmesh.schema.document import parse_schema

        return parse_schema(text, references=references)

    def canonicalise(self, document: SchemaDocument) -> str:
        return document.canonical_text

    def project(
        self,
        document: SchemaDocument,
        *,
        subject: str | None,
        version: int | None,
        field_ids: FieldIds | None,
    ) -> pa.Schema:
        from tickmesh.schema.projection import project

        return project(document, subject=subject, version=version, field_ids=field_ids)

    def compare(
        self, old: SchemaDocument, new: SchemaDocument, *, policy: Policy, mode: Mode
    ) -> CompatibilityReport:
        from tickmesh.schema.compatibility import compare

        return compare(old, new, policy=policy, mode=mode)


JSON_SCHEMA: SchemaFormatPlugin = _JsonSchemaFormat()

_PLUGINS = {JSON_SCHEMA.name: JSON_SCHEMA}


def format_plugin(name: str) -> SchemaFormatPlugin:
    """Returns the plug-in of a schema language.

    Raises:
        SchemaError: UNKNOWN_FORMAT.
    """
    plugin = _PLUGINS.get(name)
    if plugin is None:
        raise SchemaError(
            "UNKNOWN_FORMAT", f"{name!r} is no schema format; known are {', '.join(_PLUGINS)}"
        )
    return plugin
