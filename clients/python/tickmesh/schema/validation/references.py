"""Where a `$ref` leads: an index of the schemas inside a document and the documents it pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin

from tickmesh.schema.keywords import Dialect
from tickmesh.schema.validation.dialects import (
    Pointer,
    UnsupportedSchemaError,
    dialect_of,
    pointer_tokens,
    subschemas,
)

# A name for the document itself; nothing is ever fetched, and `.invalid` never resolves.
_DOCUMENT_URI = "http://document.invalid/schema"


@dataclass(frozen=True, slots=True)
class Target:
    """A schema and where it stands.

    Attributes:
        schema: The schema itself.
        document: The URI of the document it stands in.
        pointer: Its place in that document.
        base: The URI its references are relative to.
        dialect: The dialect it is read in.
    """

    schema: Any
    document: str
    pointer: Pointer
    base: str
    dialect: Dialect

    def child(self, schema: Any, *tokens: str) -> Target:
        """A subschema of this schema."""
        base = _base(schema, self.base, self.dialect)
        return Target(schema, self.document, self.pointer + tokens, base, self.dialect)


class SchemaIndex:
    """Resolves references without fetching anything.

    Args:
        root: The schema document.
        dialect: The dialect of all documents.
        references: Further documents by the URI they are referred to by.
    """

    def __init__(
        self, root: Any, dialect: Dialect, references: Mapping[str, Any] | None = None
    ) -> None:
        self.dialect = dialect
        self.root = Target(root, "", (), _base(root, _DOCUMENT_URI, dialect), dialect)
        self._resources: dict[str, Target] = {}
        self._anchors: dict[tuple[str, str], Target] = {}
        self._add(self.root, _DOCUMENT_URI)
        for uri, document in (references or {}).items():
            if _speaks(document, dialect):
                target = Target(document, uri, (), _base(document, uri, dialect), dialect)
                self._add(target, uri)

    def resolve(self, reference: str, base: str) -> Target | None:
        """The schema a reference names, or None when it is not in the index."""
        uri, _, fragment = _join(base, reference).partition("#")
        resource = self._resources.get(uri)
        if resource is None:
            return None
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((uri, fragment))
        target = resource
        for token in pointer_tokens(fragment):
            step = _step(target.schema, token)
            if step is None:
                return None
            target = target.child(step[0], token)
        return target if isinstance(target.schema, Mapping | bool) else None

    def _add(self, document: Target, uri: str) -> None:
        self._resources.setdefault(uri, document)
        pending = [document]
        while pending:
            target = pending.pop()
            self._name(target)
            pending += [
                target.child(schema, *tokens)
                for tokens, schema in subschemas(target.schema, self.dialect)
            ]

    def _name(self, target: Target) -> None:
        if not isinstance(target.schema, Mapping):
            return
        if self.dialect is Dialect.DRAFT_07 and "$ref" in target.schema:
            return
        uri, _, fragment = target.base.partition("#")
        if isinstance(target.schema.get("$id"), str):
            if fragment:
                self._anchors.setdefault((uri, fragment), target)
            else:
                self._resources.setdefault(uri, target)
        for keyword in ("$anchor", "$dynamicAnchor"):
            anchor = target.schema.get(keyword)
            if isinstance(anchor, str) and self.dialect is not Dialect.DRAFT_07:
                self._anchors.setdefault((uri, anchor), target)


def _join(base: str, reference: str) -> str:
    # urljoin knows hierarchical schemes only; a bare fragment must work on a urn: too.
    if reference.startswith("#"):
        return base.partition("#")[0] + reference
    return urljoin(base, reference)


def _base(schema: Any, base: str, dialect: Dialect) -> str:
    if not isinstance(schema, Mapping) or (dialect is Dialect.DRAFT_07 and "$ref" in schema):
        return base
    if isinstance(schema.get("$id"), str):
        return _join(base, schema["$id"])
    return base


def _speaks(document: Any, dialect: Dialect) -> bool:
    # A document in another dialect is left to the oracle.
    try:
        return "$schema" not in document or dialect_of(document) is dialect
    except (TypeError, UnsupportedSchemaError):
        return isinstance(document, bool)


def _step(schema: Any, token: str) -> tuple[Any] | None:
    if isinstance(schema, Mapping) and token in schema:
        return (schema[token],)
    if isinstance(schema, list) and token.isdecimal() and int(token) < len(schema):
        return (schema[int(token)],)
    return None
