"""A document as plain resources in which every reference is absolute.

Two versions of one subject usually share their ``$id``. To reason about both at once each gets
URIs of its own, so that no reference of one can ever be answered by the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.keywords import Dialect, JsonSchema, Path, children, effective
from tickmesh.schema.patterns import for_oracle

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_IDENTITIES = ("$id", "$anchor", "$dynamicAnchor", "$schema", "$vocabulary")


_LARGEST_INLINE = 50
"""Subschemas up to this size, without references, are repeated instead of referred to."""


class Standalone:
    """The resources of a document and of its pinned references.

    Attributes:
        resources: URI and schema of each, references absolute.
        faithful: False when a dynamic reference stands in the way of rewriting.
    """

    def __init__(self, document: SchemaDocument, *, name: str) -> None:
        """Rewrite a document; ``name`` keeps its URIs apart from those of others."""
        self.faithful = True
        self._documents: list[SchemaDocument] = []
        self._inline: dict[int, Any] = {}
        self._collect(document)
        self._uris = [f"urn:tickmesh:{name}:{place}" for place in range(len(self._documents))]
        self.resources = [
            (uri, self._rewrite(each.root, each.dialect)[0])
            for uri, each in zip(self._uris, self._documents, strict=True)
        ]

    def refer(self, schema: JsonSchema) -> JsonSchema:
        """Return a schema that refers to a subschema of the document from anywhere."""
        if isinstance(schema, bool):
            return schema
        if id(schema) in self._inline:
            inline: JsonSchema = self._inline[id(schema)]
            return inline
        return self._by_place(schema)

    def _by_place(self, schema: JsonSchema) -> JsonSchema:
        if isinstance(schema, bool):
            return schema
        for uri, document in zip(self._uris, self._documents, strict=True):
            pointer = document.index.pointer_to(schema)
            if pointer is not None:
                return {"$ref": f"{uri}#{quote(_rewritten(pointer), safe='/~')}"}
        raise AssertionError("the schema object belongs to no document of the pair")

    def _collect(self, document: SchemaDocument) -> None:
        if document not in self._documents:
            self._documents.append(document)
            for referenced in document.references.values():
                self._collect(referenced)

    def _rewrite(self, schema: JsonSchema, dialect: Dialect) -> tuple[Any, int]:
        """Return a schema with absolute references, and its size; 0 when it has references."""
        if isinstance(schema, bool):
            return schema, 1
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            self.faithful = False
        nested: dict[str, list[tuple[Path, Any]]] = {}
        size = 1
        for path, child in children(schema, dialect):
            rewritten, inner = self._rewrite(child, dialect)
            size = size + inner if size and inner else 0
            nested.setdefault(str(path[0]), []).append((path, rewritten))
        result = {
            key: _assembled(value, nested[key]) if key in nested else value
            for key, value in schema.items()
            if key not in _IDENTITIES
        }
        _rewrite_patterns(result)
        if "$ref" in effective(schema, dialect):
            size = 0
            target = self._target(schema)
            if isinstance(target, bool):
                result.pop("$ref")
                result["allOf"] = [*result.get("allOf", ()), target]
            else:
                result["$ref"] = target["$ref"]
        if 0 < size <= _LARGEST_INLINE:
            self._inline[id(schema)] = result
        return result, size

    def _target(self, schema: dict[str, Any]) -> JsonSchema:
        for document in self._documents:
            if id(schema) in document.index.targets:
                return self._by_place(document.index.targets[id(schema)])
        raise AssertionError("every reference has a target")


def _rewrite_patterns(schema: dict[str, Any]) -> None:
    """Bring the patterns of one schema object into the form that the library reads right."""
    if "pattern" in schema:
        schema["pattern"] = for_oracle(schema["pattern"])
    if "patternProperties" in schema:
        schema["patternProperties"] = {
            for_oracle(pattern): member for pattern, member in schema["patternProperties"].items()
        }


def _rewritten(pointer: str) -> str:
    if "/patternProperties/" not in pointer:
        return pointer
    steps = pointer.split("/")
    for place in range(1, len(steps)):
        if steps[place - 1] == "patternProperties":
            pattern = steps[place].replace("~1", "/").replace("~0", "~")
            steps[place] = pointer_of([for_oracle(pattern)])[1:]
    return "/".join(steps)


def _assembled(value: Any, members: list[tuple[Path, Any]]) -> Any:
    if len(members[0][0]) == 1:
        return members[0][1]
    if isinstance(value, list):
        return [rewritten for _, rewritten in members]
    held = dict(value)
    held.update({path[1]: rewritten for path, rewritten in members})
    return held
