"""A document as plain resources in which every reference is absolute.

Two versions of one subject usually share their ``$id``. To reason about both at once each gets
URIs of its own, so that no reference of one can ever be answered by the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tickmesh.schema.keywords import Dialect, JsonSchema, children, effective
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_IDENTITIES = ("$id", "$anchor", "$dynamicAnchor", "$schema", "$vocabulary")


class Standalone:
    """The resources of a document and of its pinned references.

    Attributes:
        resources: URI and schema of each, references absolute.
        faithful: False when a dynamic reference stands in the way of rewriting.
    """

    def __init__(self, document: SchemaDocument, *, name: str) -> None:
        """Rewrites a document; ``name`` keeps its URIs apart from those of others."""
        self.faithful = True
        self._documents: list[SchemaDocument] = []
        self._collect(document)
        self._uris = [f"urn:tickmesh:{name}:{place}" for place in range(len(self._documents))]
        self.resources = [
            (uri, plain(self._rewrite(each.root, each.dialect)))
            for uri, each in zip(self._uris, self._documents, strict=True)
        ]

    def refer(self, schema: JsonSchema) -> JsonSchema:
        """Returns a schema that refers to a subschema of the document from anywhere."""
        if isinstance(schema, bool):
            return schema
        for uri, document in zip(self._uris, self._documents, strict=True):
            pointer = document.index.pointer_to(schema)
            if pointer is not None:
                return {"$ref": f"{uri}#{quote(pointer, safe='/~')}"}
        raise AssertionError("the schema object belongs to no document of the pair")

    def _collect(self, document: SchemaDocument) -> None:
        if document not in self._documents:
            self._documents.append(document)
            for referenced in document.references.values():
                self._collect(referenced)

    def _rewrite(self, schema: JsonSchema, dialect: Dialect) -> Any:
        if isinstance(schema, bool):
            return schema
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            self.faithful = False
        result = {key: value for key, value in schema.items() if key not in _IDENTITIES}
        for path, child in children(schema, dialect):
            keyword = str(path[0])
            if len(path) == 1:
                result[keyword] = self._rewrite(child, dialect)
            else:
                if result[keyword] is schema[keyword]:
                    held = schema[keyword]
                    result[keyword] = list(held) if isinstance(held, list) else dict(held)
                result[keyword][path[1]] = self._rewrite(child, dialect)
        if "$ref" in effective(schema, dialect):
            target = self._target(schema)
            if isinstance(target, bool):
                result.pop("$ref")
                result["allOf"] = [*result.get("allOf", ()), target]
            else:
                result["$ref"] = target["$ref"]
        return result

    def _target(self, schema: dict[str, Any]) -> JsonSchema:
        for document in self._documents:
            if id(schema) in document.index.targets:
                return self.refer(document.index.targets[id(schema)])
        raise AssertionError("every reference has a target")
