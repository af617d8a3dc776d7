"""Where every ``$ref`` of a schema leads; nothing is ever fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urldefrag, urljoin

from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.keywords import (
    SUBSCHEMA_KEYWORDS,
    Dialect,
    JsonSchema,
    Path,
    children,
    effective,
    in_place_children,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DEEPEST_EXPANSION = 400
_NAMING = frozenset({"$id", "$anchor", "$dynamicAnchor"})
_REFERRING = frozenset({"$ref", "$dynamicRef"})
_OF_THE_OTHER_DRAFT = {
    Dialect.DRAFT_07: {
        **dict.fromkeys(("$defs", "dependentSchemas"), "definitions"),
        **dict.fromkeys(("contentSchema", "unevaluatedItems", "unevaluatedProperties"), "not"),
        "prefixItems": "allOf",
        "dependentRequired": "dependencies",
    },
    Dialect.DRAFT_2020_12: {"additionalItems": "not"},
}
"""Keywords that a draft's meta-schema passes over, though references lead into them; and a keyword
of the draft that holds the same."""


class ReferencedDocument(Protocol):
    """What a pinned reference offers: its own, already indexed schema."""

    @property
    def root(self) -> JsonSchema:
        """The parsed schema."""
        ...

    @property
    def index(self) -> ReferenceIndex:
        """Its own index."""
        ...


class ReferenceIndex:
    """The subschemas of one document, their places, and the targets of their references.

    Subschemas are identified by object identity: the document keeps them alive and unchanged.
    """

    def __init__(
        self,
        root: JsonSchema,
        *,
        dialect: Dialect,
        references: Mapping[str, ReferencedDocument],
        max_expansions: int,
        max_subschemas: int,
    ) -> None:
        """Index a document.

        Raises:
            SchemaError: REFERENCE_NOT_FOUND, REFERENCE_LOOP, TOO_MANY_REFERENCES,
                TOO_MANY_SUBSCHEMAS, DUPLICATE_IDENTIFIER or INVALID_SCHEMA.
        """
        self._max_subschemas = max_subschemas
        self._dialect = dialect
        self._references = references
        self._paths: dict[int, Path] = {}
        self._schemas: dict[int, dict[str, Any]] = {}
        self._bases: dict[int, str] = {}
        self._resources: dict[str, JsonSchema] = {"": root}
        self._anchors: dict[str, JsonSchema] = {}
        self._targets: dict[int, JsonSchema] = {}
        self.pinned: dict[int, tuple[str, str]] = {}
        """Schemas whose ``$ref`` leads to another document: reference name and fragment."""
        self._within: dict[int, ReferenceIndex] = {}
        for document in references.values():
            self._within |= {id(document.index): document.index, **document.index.within}
        for index in self._within.values():
            self._targets.update(index.targets)
        self._places = 0
        self._walk(root, (), "")
        self._connect()
        if self._targets or self._places > max_expansions or self._is_deep():
            _Expansion(self, dialect, max_expansions).check(root)

    @property
    def targets(self) -> Mapping[int, JsonSchema]:
        """Target of each ``$ref``, by the identity of the schema object that holds it."""
        return self._targets

    def target_of(self, schema: Mapping[str, Any]) -> JsonSchema:
        """Return the schema that the ``$ref`` of a schema object of this document leads to."""
        return self._targets[id(schema)]

    def owns(self, schema: Mapping[str, Any]) -> bool:
        """Whether a schema object is one of this document's or of a pinned one's."""
        return id(schema) in self._paths or any(
            id(schema) in index.places for index in self._within.values()
        )

    @property
    def within(self) -> Mapping[int, ReferenceIndex]:
        """The indexes of all pinned documents, those that pinned ones pin included."""
        return self._within

    @property
    def places(self) -> Mapping[int, Path]:
        """The path of each schema object of this document, by its identity."""
        return self._paths

    def pointer_to(self, schema: JsonSchema) -> str | None:
        """Return the JSON Pointer of a schema object, None when it is not of this document."""
        path = self._paths.get(id(schema))
        return None if path is None else pointer_of(path)

    def subschemas(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield every schema object of the document with its path, parents first."""
        return zip(self._paths.values(), self._schemas.values(), strict=True)

    def resolve(self, reference: str, *, base: str = "") -> JsonSchema:
        """Return the schema a reference leads to.

        Raises:
            SchemaError: REFERENCE_NOT_FOUND.
        """
        uri, fragment = urldefrag(urljoin(base, reference) if reference[:1] != "#" else reference)
        name = urldefrag(reference)[0]
        if name and name in self._references:
            return self._references[name].index.resolve("#" + fragment)
        if reference[:1] == "#":
            uri = base
        if uri and uri in self._references:
            return self._references[uri].index.resolve("#" + fragment)
        if fragment and not fragment.startswith("/"):
            anchored = self._anchors.get(f"{uri}#{fragment}")
            if anchored is not None:
                return anchored
        elif uri in self._resources:
            return self._at(self._resources[uri], fragment, base=uri)
        raise SchemaError(
            "REFERENCE_NOT_FOUND",
            f"the reference {reference[:200]!r} leads nowhere; references to other subjects are "
            "pinned at registration and nothing is fetched",
        )

    def _at(self, resource: JsonSchema, fragment: str, *, base: str) -> JsonSchema:
        node: Any = resource
        for raw in fragment.split("/")[1:] if fragment else ():
            part = unquote(raw).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and part in node:
                node = node[part]
            elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            else:
                raise SchemaError(
                    "REFERENCE_NOT_FOUND",
                    f"there is no {part[:80]!r} at '#{fragment[:200]}'; define it",
                )
        if not isinstance(node, (dict, bool)):
            raise SchemaError("REFERENCE_NOT_FOUND", f"'#{fragment[:200]}' is not a schema")
        if isinstance(node, dict) and id(node) not in self._bases:
            path = tuple(unquote(part) for part in fragment.split("/")[1:])
            self._check_stray(node, path)
            self._walk(node, path, base)
            self._connect()
        found: JsonSchema = node
        return found

    def _check_stray(self, node: dict[str, Any], path: Path) -> None:
        """Check a target that stands under an unknown keyword, where no meta-schema looks."""
        import jsonschema_rs

        if not jsonschema_rs.meta.is_valid({**node, "$schema": str(self._dialect)}):
            raise SchemaError(
                "INVALID_SCHEMA", "a reference leads to no valid schema", pointer=pointer_of(path)
            )

    def _check_other_draft(self, schema: dict[str, Any], path: Path) -> None:
        """Check what the keywords of the other draft hold, which is of this one."""
        import jsonschema_rs

        for keyword, alike in _OF_THE_OTHER_DRAFT[self._dialect].items():
            if keyword not in schema:
                continue
            try:
                jsonschema_rs.meta.validate({alike: schema[keyword], "$schema": str(self._dialect)})
            except jsonschema_rs.ValidationError as error:
                raise SchemaError(
                    "INVALID_SCHEMA",
                    f"no valid schema of {self._dialect}: {error.message}"[:500],
                    pointer=pointer_of((*path, keyword, *error.instance_path[1:])),
                ) from None

    def _is_deep(self) -> bool:
        return max(map(len, self._paths.values()), default=0) > _DEEPEST_EXPANSION

    def _walk(self, schema: JsonSchema, path: Path, base: str) -> None:
        self._places += 1
        if isinstance(schema, bool) or id(schema) in self._bases:
            return
        if not _NAMING.isdisjoint(schema):
            base = self._name(schema, path, base)
        if not _OF_THE_OTHER_DRAFT[self._dialect].keys().isdisjoint(schema):
            self._check_other_draft(schema, path)
        self._paths[id(schema)] = path
        self._schemas[id(schema)] = schema
        self._bases[id(schema)] = base
        if len(self._paths) > self._max_subschemas:
            raise SchemaError(
                "TOO_MANY_SUBSCHEMAS",
                f"the text holds more than {self._max_subschemas} schemas; split it",
                pointer=pointer_of(path),
            )
        if SUBSCHEMA_KEYWORDS.isdisjoint(schema):
            return
        for relative, child in children(schema, self._dialect):
            self._walk(child, (*path, *relative), base)

    def _name(self, schema: dict[str, Any], path: Path, base: str) -> str:
        """Take up what a schema object is called; return the base of what is inside it."""
        identifier = effective(schema, self._dialect).get("$id")
        if isinstance(identifier, str):
            base = self._identify(schema, identifier, base, (*path, "$id"))
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(keyword), str):
                self._claim(self._anchors, f"{base}#{schema[keyword]}", schema, (*path, keyword))
        return base

    def _identify(self, schema: JsonSchema, identifier: str, base: str, path: Path) -> str:
        try:
            uri, fragment = urldefrag(urljoin(base, identifier))
        except ValueError:
            raise SchemaError(
                "INVALID_SCHEMA", "$id is no URI reference", pointer=pointer_of(path)
            ) from None
        if fragment:
            self._claim(self._anchors, f"{uri}#{fragment}", schema, path)
        if identifier.startswith("#"):
            return base
        self._claim(self._resources, uri, schema, path)
        return uri

    def _claim(
        self, names: dict[str, JsonSchema], name: str, schema: JsonSchema, path: Path
    ) -> None:
        if names.setdefault(name, schema) is not schema:
            raise SchemaError(
                "DUPLICATE_IDENTIFIER",
                f"two schemas are called {name[:200]!r}; a reference could mean either",
                pointer=pointer_of(path),
            )

    def _connect(self) -> None:
        """Find the target of every ``$ref``; targets may themselves bring new subschemas."""
        for key, path in list(self._paths.items()):
            if key in self._targets:
                continue
            schema = self._schemas[key]
            if _REFERRING.isdisjoint(schema):
                continue
            dynamic = schema.get("$dynamicRef")
            if isinstance(dynamic, str) and self._dialect is Dialect.DRAFT_2020_12:
                self._resolve_at((*path, "$dynamicRef"), dynamic, self._bases[key])
            reference = schema.get("$ref")
            if reference is None:
                continue
            self._targets[key] = True
            self._targets[key] = self._resolve_at((*path, "$ref"), reference, self._bases[key])
            name = urldefrag(reference)[0]
            joined = urldefrag(urljoin(self._bases[key], reference))[0]
            for candidate in (name, joined):
                if candidate and candidate in self._references:
                    self.pinned[key] = (candidate, urldefrag(reference)[1])
                    break

    def _resolve_at(self, path: Path, reference: str, base: str) -> JsonSchema:
        try:
            return self.resolve(reference, base=base)
        except SchemaError as error:
            raise SchemaError(error.reason, error.message, pointer=pointer_of(path)) from None


class _Expansion:
    """Bounds what a schema unfolds to, and finds references that never reach a keyword."""

    def __init__(self, index: ReferenceIndex, dialect: Dialect, limit: int) -> None:
        self._index = index
        self._dialect = dialect
        self._limit = limit
        self._sizes: dict[int, int] = {}
        self._looping: set[int] = set()
        self._settled: set[int] = set()

    def check(self, root: JsonSchema) -> None:
        for path, schema in self._index.subschemas():
            self._check_loop(schema, path)
        if self._size(root, 0) > self._limit:
            raise SchemaError(
                "TOO_MANY_REFERENCES",
                f"following every $ref unfolds to more than {self._limit} subschemas; "
                "nest fewer references inside each other",
            )

    def _size(self, schema: JsonSchema, depth: int) -> int:
        if isinstance(schema, bool):
            return 1
        known = self._sizes.get(id(schema))
        if known is not None:
            return known
        if depth > _DEEPEST_EXPANSION:
            raise SchemaError(
                "TOO_DEEP", f"references nest deeper than {_DEEPEST_EXPANSION} levels"
            )
        self._sizes[id(schema)] = 1
        size = 1
        if "$ref" in schema:
            size += self._size(self._index.target_of(schema), depth + 1)
        counted = effective(schema, self._dialect)
        for path, child in children(counted, self._dialect):
            if path[0] not in ("$defs", "definitions"):
                size += self._size(child, depth + 1)
        self._sizes[id(schema)] = min(size, self._limit + 1)
        return self._sizes[id(schema)]

    def _check_loop(self, schema: JsonSchema, path: Path, depth: int = 0) -> None:
        if isinstance(schema, bool) or id(schema) in self._settled:
            return
        if id(schema) in self._looping:
            raise SchemaError(
                "REFERENCE_LOOP",
                "a reference leads back to itself without reaching a property or an item",
                pointer=pointer_of(path),
            )
        if depth > _DEEPEST_EXPANSION:
            raise SchemaError("TOO_DEEP", "references nest too deeply", pointer=pointer_of(path))
        self._looping.add(id(schema))
        if "$ref" in schema:
            self._check_loop(self._index.target_of(schema), path, depth + 1)
        for _, child in in_place_children(schema, self._dialect):
            self._check_loop(child, path, depth + 1)
        self._looping.discard(id(schema))
        self._settled.add(id(schema))
