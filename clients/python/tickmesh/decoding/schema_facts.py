"""The few facts about a schema's top-level fields that reading raw values depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class PlainDocument(Protocol):
    """A schema document, as far as mapping needs it."""

    @property
    def plain(self) -> dict[str, Any] | bool:
        """The schema as ordinary JSON."""


class SchemaFacts:
    """What the schema says of its fields where it says it plainly (also behind a local $ref)."""

    def __init__(self, document: PlainDocument) -> None:
        plain = document.plain
        self._root: Mapping[str, Any] = plain if isinstance(plain, Mapping) else {}
        properties = self._root.get("properties", {})
        self._properties = properties if isinstance(properties, Mapping) else {}

    def types(self, name: str) -> frozenset[str] | None:
        """The JSON types a field may have; None when that is not plain."""
        schema = self._followed(self._properties.get(name))
        if not isinstance(schema, Mapping):
            return None
        stated = schema.get("type")
        if isinstance(stated, str):
            return frozenset({stated})
        if isinstance(stated, list):
            return frozenset(map(str, stated))
        return None

    def is_integer(self, name: str) -> bool:
        """Whether the field is a JSON integer (or null)."""
        types = self.types(name)
        return types is not None and types - {"null"} == {"integer"}

    def refuses_null(self, name: str) -> bool:
        """Whether the field surely admits no null."""
        types = self.types(name)
        return types is not None and "null" not in types

    def needs_presence(self, name: str) -> bool:
        """Whether the field must be there although it may be null."""
        required = self._root.get("required", ())
        types = self.types(name)
        return name in required and types is not None and "null" in types

    def _followed(self, schema: object) -> object:
        for _ in range(16):
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            schema = self._root
            for step in reference[2:].split("/"):
                name = step.replace("~1", "/").replace("~0", "~")
                schema = schema.get(name) if isinstance(schema, Mapping) else None
        return None
