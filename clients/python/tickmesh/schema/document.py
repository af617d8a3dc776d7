"""A JSON Schema document: parsed exactly, checked within bounds, immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tickmesh.schema.canonical import canonical_text, fingerprint
from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.keywords import Dialect, JsonSchema
from tickmesh.schema.lazy_attribute import lazy_attribute
from tickmesh.schema.pattern_weights import pattern_weight
from tickmesh.schema.patterns import check_pattern
from tickmesh.schema.references import ReferenceIndex
from tickmesh.schema.strict_json import parse_json, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jsonschema_rs

__all__ = [
    "Dialect",
    "JsonSchema",
    "SchemaDocument",
    "SchemaError",
    "SchemaLimits",
    "parse_document",
    "parse_schema",
]

_STANDARD_VOCABULARIES = "https://json-schema.org/draft/2020-12/vocab/"


@dataclass(frozen=True)
class SchemaLimits:
    """Bounds on what is taken as a schema.

    Attributes:
        max_bytes: Longest text, in bytes.
        max_depth: Deepest nesting of objects and arrays in the text.
        max_ref_expansions: Most subschemas that following every ``$ref`` may unfold to.
        max_pinned: Most pinned documents, those that pinned ones pin included.
        max_subschemas: Most schema objects in the text.
        max_pattern_length: Longest regular expression, in characters.
        max_pattern_weight: Most states that all regular expressions together compile to.
        max_name_patterns: Most patterns under one ``patternProperties``.
        max_fields: Most names under one ``properties``.
    """

    max_bytes: int = 1 << 20
    max_depth: int = 64
    max_ref_expansions: int = 100_000
    max_pinned: int = 256
    max_subschemas: int = 10_000
    max_pattern_length: int = 1024
    max_pattern_weight: int = 1_000_000
    max_name_patterns: int = 100
    max_fields: int = 4096


_CHECKED = frozenset(
    {"$schema", "$vocabulary", "$id", "properties", "pattern", "patternProperties"}
)
"""Keywords that are checked beyond what the meta-schema says."""

_DEFAULT_LIMITS = SchemaLimits()
_NO_REFERENCES: Mapping[str, SchemaDocument] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class SchemaDocument:
    """A parsed schema. Nobody changes ``root``: its objects are compared by identity.

    Attributes:
        text: The text as given.
        root: The parsed schema; integral numbers are ``int``, other numbers ``Decimal``.
        dialect: The draft it is written in.
        references: Pinned documents by the name this schema's ``$ref`` use.
        index: The subschemas, their places and the targets of their references.
        memo: What modules work out about this document once, kept as long as it lives.
    """

    text: str
    root: JsonSchema
    dialect: Dialect
    references: Mapping[str, SchemaDocument] = field(repr=False)
    index: ReferenceIndex = field(repr=False)
    memo: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @lazy_attribute
    def canonical_text(self) -> str:
        """Sorted keys, exact numbers, no annotations: equal for schemas that mean the same."""
        return canonical_text(self.root, self.dialect)

    @lazy_attribute
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the canonical text and the pinned references."""
        pinned = {name: document.fingerprint for name, document in self.references.items()}
        return fingerprint(self.canonical_text, pinned)

    @lazy_attribute
    def plain(self) -> dict[str, Any] | bool:
        """The ordinary ``json.loads`` form for validators, pinned references bundled in.

        Without references it equals the text. With them every pinned document is embedded
        under a name of its own, and the ``$ref`` that lead there are rewritten.
        """
        if not self.references:
            whole = plain(self.root)
            return whole if isinstance(whole, dict) else bool(whole)
        uris: dict[str, str] = {}
        for document in self.pinned_documents:
            uri = _uri_of(document)
            taken = uri in uris.values()
            uris[document.fingerprint] = _urn_of(document) if taken else uri
        result = self.with_absolute_references(uris)
        definitions = "definitions" if self.dialect is Dialect.DRAFT_07 else "$defs"
        embedded = result.setdefault(definitions, {})
        for document in self.pinned_documents:
            uri = uris[document.fingerprint]
            body = document.with_absolute_references(uris)
            embedded[uri] = {**body, "$schema": str(self.dialect), "$id": uri}
        return result

    @lazy_attribute
    def pinned_documents(self) -> tuple[SchemaDocument, ...]:
        """Every pinned document, those that pinned ones pin included, each meaning once."""
        found: dict[str, SchemaDocument] = {}
        for document in self.references.values():
            for each in (document, *document.pinned_documents):
                found.setdefault(each.fingerprint, each)
        return tuple(found.values())

    def with_absolute_references(self, uris: Mapping[str, str]) -> dict[str, Any]:
        """Return the ordinary form, with references to pinned documents led to URIs.

        Args:
            uris: The URI of each pinned document, by its fingerprint.
        """
        result = plain(self.root)
        if not isinstance(result, dict):
            return {} if result else {"not": {}}
        for key, (name, fragment) in self.index.pinned.items():
            target = _follow(result, self.index.places[key])
            uri = uris[self.references[name].fingerprint]
            target["$ref"] = uri + (fragment and "#" + fragment)
        return result

    def resolve(self, reference: str) -> JsonSchema:
        """Return the schema that a reference (``#/...``, ``#anchor``, a pinned name) leads to.

        Raises:
            SchemaError: REFERENCE_NOT_FOUND.
        """
        return self.index.resolve(reference if reference[:1] != "/" else "#" + reference)

    def target_of(self, schema: Mapping[str, Any]) -> JsonSchema:
        """Return where the ``$ref`` of one of this document's own schema objects leads."""
        return self.index.target_of(schema)


def _follow(node: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    for part in path:
        node = node[int(part)] if isinstance(node, list) else node[part]
    assert isinstance(node, dict)
    return node


def _uri_of(document: SchemaDocument) -> str:
    identifier = document.root.get("$id") if isinstance(document.root, dict) else None
    if isinstance(identifier, str) and urlsplit(identifier).scheme:
        return identifier.rstrip("#")
    return _urn_of(document)


def _urn_of(document: SchemaDocument) -> str:
    return f"urn:tickmesh:schema:{document.fingerprint}"


def parse_schema(
    text: str | bytes,
    *,
    references: Mapping[str, SchemaDocument] = _NO_REFERENCES,
    limits: SchemaLimits = _DEFAULT_LIMITS,
) -> SchemaDocument:
    """Parse and check the schema of a subject that holds rows.

    Beyond `parse_document`: some row must be able to exist under it, and its defaults must be
    single and valid, because readers fill them in.

    Args:
        text: The schema, UTF-8 when bytes.
        references: Pinned documents by the name that this schema's ``$ref`` use.
        limits: Bounds.

    Raises:
        SchemaError: With the JSON Pointer of the first thing wrong.
    """
    document = parse_document(text, references=references, limits=limits)
    from tickmesh.schema.rows import check_rows

    check_rows(document)
    return document


def parse_document(
    text: str | bytes,
    *,
    references: Mapping[str, SchemaDocument] = _NO_REFERENCES,
    limits: SchemaLimits = _DEFAULT_LIMITS,
) -> SchemaDocument:
    """Parse and check any JSON Schema, for whole documents or as a target of references.

    Args:
        text: The schema, UTF-8 when bytes.
        references: Pinned documents by the name that this schema's ``$ref`` use.
        limits: Bounds.

    Raises:
        SchemaError: With the JSON Pointer of the first thing wrong.
    """
    root = parse_json(text, max_bytes=limits.max_bytes, max_depth=limits.max_depth)
    if not isinstance(root, (dict, bool)):
        raise SchemaError("NOT_A_SCHEMA", "a schema is a JSON object (or true, false); write one")
    dialect = _dialect_of(root)
    for name, document in references.items():
        if document.dialect is not dialect:
            raise SchemaError(
                "MIXED_DIALECTS",
                f"the referenced schema {name!r} is written in {document.dialect}, "
                f"this one in {dialect}; use one draft",
            )
    if _pinned_count(references) > limits.max_pinned:
        raise SchemaError(
            "TOO_MANY_REFERENCES",
            f"with those that they refer to, more than {limits.max_pinned} schemas are "
            "referenced; refer to fewer",
        )
    _check_meta_schema(root, dialect)
    index = ReferenceIndex(
        root,
        dialect=dialect,
        references=references,
        max_expansions=limits.max_ref_expansions,
        max_subschemas=limits.max_subschemas,
    )
    patterns = _Patterns(limits)
    for path, schema in index.subschemas():
        if _CHECKED.isdisjoint(schema):
            continue
        _check_subschema(path, schema, dialect, limits)
        patterns.check(path, schema)
    document = SchemaDocument(
        text=text if isinstance(text, str) else text.decode(),
        root=root,
        dialect=dialect,
        references=MappingProxyType(dict(references)),
        index=index,
    )
    _check_compiles(document)
    return document


def _pinned_count(references: Mapping[str, SchemaDocument]) -> int:
    return len(
        {
            each.fingerprint
            for document in references.values()
            for each in (document, *document.pinned_documents)
        }
    )


def _dialect_of(root: JsonSchema, *, pointer: str = "/$schema") -> Dialect:
    named = root.get("$schema", Dialect.DRAFT_2020_12) if isinstance(root, dict) else None
    if named is None:
        return Dialect.DRAFT_2020_12
    for dialect in Dialect:
        if isinstance(named, str) and named.rstrip("#") == dialect:
            return dialect
    raise SchemaError(
        "UNKNOWN_DIALECT",
        f"$schema is {str(named)[:200]!r}; taken are {' and '.join(Dialect)} "
        "(the first when absent)",
        pointer=pointer,
    )


def _check_meta_schema(root: JsonSchema, dialect: Dialect) -> None:
    import jsonschema_rs

    try:
        jsonschema_rs.meta.validate(root)
    except jsonschema_rs.ValidationError as error:
        if _is_pattern(error):
            reason, message = "INVALID_PATTERN", "the pattern is no regular expression"
        else:
            reason, message = "INVALID_SCHEMA", f"no valid schema of {dialect}: {error.message}"
        raise SchemaError(reason, message[:500], pointer=pointer_of(error.instance_path)) from None


def _is_pattern(error: jsonschema_rs.ValidationError) -> bool:
    return bool(error.instance_path) and error.instance_path[-1] == "pattern"


def _check_subschema(
    path: tuple[str | int, ...], schema: dict[str, Any], dialect: Dialect, limits: SchemaLimits
) -> None:
    if path and "$schema" in schema:
        pointer = pointer_of((*path, "$schema"))
        if _dialect_of(schema, pointer=pointer) is not dialect:
            raise SchemaError(
                "MIXED_DIALECTS",
                "an embedded schema is written in another draft; use one",
                pointer=pointer,
            )
    vocabularies = schema.get("$vocabulary")
    for uri, needed in vocabularies.items() if isinstance(vocabularies, dict) else ():
        if needed and not uri.startswith(_STANDARD_VOCABULARIES):
            raise SchemaError(
                "UNKNOWN_VOCABULARY",
                f"the vocabulary {uri!r} is required but not known here",
                pointer=pointer_of((*path, "$vocabulary", uri)),
            )
    if "$id" in schema and not _uri_references().is_valid(schema["$id"]):
        raise SchemaError(
            "INVALID_SCHEMA",
            f"$id is no URI reference: {str(schema['$id'])[:200]!r}",
            pointer=pointer_of((*path, "$id")),
        )
    if len(schema.get("properties", {})) > limits.max_fields:
        raise SchemaError(
            "TOO_MANY_FIELDS",
            f"more than {limits.max_fields} names under one properties; split the schema",
            pointer=pointer_of((*path, "properties")),
        )


@cache
def _uri_references() -> jsonschema_rs.Validator:
    import jsonschema_rs

    return jsonschema_rs.validator_for({"format": "uri-reference"}, validate_formats=True)


@lru_cache(maxsize=4096)
def _fault_of(pattern: str, longest: int) -> tuple[str, str] | None:
    """What is wrong with a pattern: reason and message; versions of a subject share most."""
    try:
        check_pattern(pattern, max_length=longest, pointer="")
    except SchemaError as error:
        return error.reason, error.message
    return None


class _Patterns:
    """Checks the patterns of a document, each distinct one once, and bounds what they weigh."""

    def __init__(self, limits: SchemaLimits) -> None:
        self._limits = limits
        self._checked: set[str] = set()
        self._weight = 0

    def check(self, path: tuple[str | int, ...], schema: dict[str, Any]) -> None:
        by_name = schema.get("patternProperties", {})
        if len(by_name) > self._limits.max_name_patterns:
            raise SchemaError(
                "TOO_MANY_PATTERNS",
                f"more than {self._limits.max_name_patterns} patterns under one "
                "patternProperties; use fewer",
                pointer=pointer_of((*path, "patternProperties")),
            )
        for pattern in by_name:
            self._check_one(pattern, (*path, "patternProperties", pattern))
        if isinstance(schema.get("pattern"), str):
            self._check_one(schema["pattern"], (*path, "pattern"))

    def _check_one(self, pattern: str, path: tuple[str | int, ...]) -> None:
        if pattern in self._checked:
            return
        longest = self._limits.max_pattern_length
        fault = _fault_of(pattern, longest)
        if fault is not None:
            raise SchemaError(*fault, pointer=pointer_of(path))
        self._checked.add(pattern)
        self._weight += pattern_weight(pattern)
        if self._weight > self._limits.max_pattern_weight:
            raise SchemaError(
                "TOO_MANY_PATTERNS",
                "the regular expressions of the schema compile to too many states; use fewer, or "
                "smaller counts in {…}",
                pointer=pointer_of(path),
            )


def _check_compiles(document: SchemaDocument) -> None:
    from tickmesh.schema.oracle import validator_of

    try:
        validator_of(document)
    except ValueError as error:
        message = str(error).split("\n", 1)[0][:300]
        raise SchemaError("INVALID_SCHEMA", f"the schema does not compile: {message}") from None
