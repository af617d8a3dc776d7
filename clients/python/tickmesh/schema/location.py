"""Locations: all the subschemas that speak about one place in a row, taken together.

A schema says things about a field in many ways: under ``properties``, through ``$ref`` and
``allOf`` (always), through ``anyOf``, ``oneOf``, ``then``, ``else`` and ``dependentSchemas``
(under a condition). A location gathers them and answers what the row rules need: which names
are declared, whether it is a struct, what a missing field defaults to, whether null is admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.errors import SchemaError
from tickmesh.schema.keywords import ANNOTATIONS, Dialect, JsonSchema, effective
from tickmesh.schema.lazy_attribute import lazy_attribute
from tickmesh.schema.patterns import for_oracle

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One subschema at a location.

    Attributes:
        source: The schema object as it stands in the document.
        keywords: The keywords that count under the document's dialect.
        conditional: Whether it applies only when some condition holds.
    """

    source: Mapping[str, Any]
    keywords: Mapping[str, Any]
    conditional: bool


MERE_REFERENCE = ANNOTATIONS | {"$ref"}
"""A schema with these keywords only says what its target says."""


_ITEM_BY_ITEM = (
    {"type", "$ref", "allOf", "items", "prefixItems", "additionalItems", "minItems", "maxItems"}
    | {"$defs", "definitions", "default", "arrow", "properties", "required"}
    | ANNOTATIONS
)


class _Missing:
    """No default; None is a default like any other."""


MISSING: Final = _Missing()

Applied: TypeAlias = tuple[tuple[JsonSchema, bool], ...]
Key: TypeAlias = tuple[frozenset[tuple[int, bool]], object]


class Location:
    """Everything a document says about one place in a row."""

    def __init__(
        self, document: SchemaDocument, applied: Applied, *, refines: Location | None = None
    ) -> None:
        """Gather the parts reached in place from the schemas applied, each maybe conditional.

        Args:
            document: The document the schemas belong to.
            applied: The schemas, and whether each applies only under a condition.
            refines: The location as it stands in the document, when this one assumes more. What
                is declared and which cells may be null is then read there: assuming a
                condition does not change how rows are resolved.
        """
        self.document = document
        self.applied = applied
        self.refines = refines
        self._children: dict[str, Location] = {}
        self._items: dict[int, Location] = {}
        self._stated_parts: dict[str, tuple[Part, ...]] = {}
        parts: dict[tuple[int, bool], Part] = {}
        self.never = False
        """Whether an unconditional ``false`` stands here: no value fits."""
        for schema, conditional in applied:
            self._gather(schema, parts, conditional=conditional)
        self.parts: tuple[Part, ...] = tuple(parts.values())

    @classmethod
    def root(cls, document: SchemaDocument) -> Location:
        """Return the location of whole rows, one for each document."""
        root = document.memo.get(cls)
        if root is None:
            root = document.memo[cls] = cls(document, ((document.root, False),))
        assert isinstance(root, cls)
        return root

    @lazy_attribute
    def key(self) -> Key:
        """Equal for two locations of one document at which the same subschemas apply."""
        members = {
            (id(part.source), part.conditional)
            for part in self.parts
            if not part.keywords.keys() <= MERE_REFERENCE
        }
        own = frozenset(members | {(0, True)} if self.never else members)
        return own, None if self.refines is None else self.refines.key

    @lazy_attribute
    def always(self) -> tuple[Part, ...]:
        """The parts under no condition."""
        return tuple(part for part in self.parts if not part.conditional)

    @lazy_attribute
    def declared(self) -> tuple[str, ...]:
        """The names declared here, in the order of the text."""
        if self.refines is not None:
            return self.refines.declared
        names: dict[str, None] = {}
        for part in self.parts:
            names.update(dict.fromkeys(part.keywords.get("properties", ())))
        for part in self.parts:
            names.update(dict.fromkeys(part.keywords.get("required", ())))
            names.update(dict.fromkeys(self._dependent_names(part)))
        return tuple(names)

    @lazy_attribute
    def is_struct(self) -> bool:
        """Whether an object here has exactly its declared names; else it is a map or opaque."""
        if self.refines is not None:
            return self.refines.is_struct
        return any(part.keywords.get("properties") for part in self.parts)

    @lazy_attribute
    def required(self) -> frozenset[str]:
        """The names required under no condition."""
        return frozenset(name for part in self.always for name in part.keywords.get("required", ()))

    def child(self, name: str) -> Location:
        """Return the location of the member called ``name`` of an object here."""
        known = self._children.get(name)
        if known is None:
            applied = tuple(
                (schema, part.conditional)
                for part in self._speaking_of(name)
                for schema in members_for(part.keywords, name)
            )
            refines = None if self.refines is None else self.refines.child(name)
            known = self._children[name] = Location(self.document, applied, refines=refines)
        return known

    def _speaking_of(self, name: str) -> Iterator[Part]:
        naming, open_parts = self._by_name
        for place in sorted({*naming.get(name, ()), *open_parts}):
            yield self.parts[place]

    @lazy_attribute
    def _by_name(self) -> tuple[dict[str, list[int]], list[int]]:
        """The parts that name each member, and those that speak of members unnamed."""
        naming: dict[str, list[int]] = {}
        open_parts = []
        for place, part in enumerate(self.parts):
            for name in part.keywords.get("properties", ()):
                naming.setdefault(name, []).append(place)
            if "patternProperties" in part.keywords or "additionalProperties" in part.keywords:
                open_parts.append(place)
        return naming, open_parts

    def item(self, index: int) -> Location:
        """Return the location of the item at ``index`` of an array here; -1 for the rest."""
        known = self._items.get(index)
        if known is None:
            applied = tuple(
                (schema, part.conditional)
                for part in self.parts
                for schema in item_for(part.keywords, index)
            )
            refines = None if self.refines is None else self.refines.item_at(index)
            known = self._items[index] = Location(self.document, applied, refines=refines)
        return known

    @lazy_attribute
    def rest(self) -> Location:
        """The location of the members of a map that no pattern and no property names."""
        return Location(
            self.document,
            tuple(
                (part.keywords["additionalProperties"], part.conditional)
                for part in self.parts
                if "additionalProperties" in part.keywords
            ),
            refines=None if self.refines is None else self.refines.rest,
        )

    def path_to(self, name: str) -> tuple[str, ...]:
        """Return the path in the document's text to the property ``name``, () when undeclared."""
        for part in self.parts:
            if name in part.keywords.get("properties", ()):
                return (*self.own_path(part), "properties", name)
        return ()

    def own_path(self, part: Part) -> tuple[str, ...]:
        """Return the path in the document's text to a part, () when it stands elsewhere."""
        pointer = self.document.index.pointer_to(dict_of(part.source))
        steps = pointer.split("/")[1:] if pointer else []
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)

    @lazy_attribute
    def prefix_length(self) -> int:
        """How many leading items have subschemas of their own."""
        return max((len(prefix_items(part.keywords)) for part in self.parts), default=0)

    def item_at(self, index: int) -> Location:
        """Return the location of one item, sharing one location for all beyond the prefix."""
        return self.item(index if 0 <= index < self.prefix_length else -1)

    def default_of(self, name: str) -> Any:
        """Return the default a reader fills in for ``name``, `MISSING` when there is none.

        It is found at the property or through ``$ref`` and ``allOf``, never behind a condition.

        Raises:
            SchemaError: DEFAULT_CONFLICT when two differ.
        """
        stated = [part.source["default"] for part in self._stating(name, "default")]
        if len({canonical_json(value) for value in stated}) > 1:
            raise SchemaError(
                "DEFAULT_CONFLICT", f"two different defaults for {name!r}; keep one of them"
            )
        return stated[0] if stated else MISSING

    def _stating(self, name: str, keyword: str) -> Iterator[Part]:
        if not self._by_name[1]:
            # Nothing but `properties` speaks of the member, so its parts are those that state.
            return (part for part in self.child(name).always if keyword in part.source)
        parts = self._stated_parts.get(name)
        if parts is None:
            naming = (self.parts[place] for place in self._by_name[0].get(name, ()))
            schemas = tuple(
                (part.keywords["properties"][name], False)
                for part in naming
                if not part.conditional
            )
            parts = self._stated_parts[name] = Location(self.document, schemas).always
        return (part for part in parts if keyword in part.source)

    def admits_null(self, name: str) -> bool:
        """Whether a null cell of the field ``name`` may stand for JSON null."""
        return self.child(name).accepts_null

    @lazy_attribute
    def tied(self) -> frozenset[str] | None:
        """The members that some condition here looks at, None when all of them are."""
        from tickmesh.schema.conditions import names_tied

        return names_tied(self)

    @lazy_attribute
    def compares_items(self) -> bool:
        """Whether a keyword here looks at items beyond judging each by its place."""
        return any(not part.keywords.keys() <= _ITEM_BY_ITEM for part in self.parts)

    @lazy_attribute
    def accepts_null(self) -> bool:
        """Whether null is valid here; what stands behind conditions counts when it is alone."""
        if self.refines is not None:
            return self.refines.accepts_null
        if self.never:
            return False
        always = [schema for schema, conditional in self.applied if not conditional]
        if always:
            return all(accepts_null(schema, self.document) for schema in always)
        return not self.applied or any(
            accepts_null(schema, self.document) for schema, _ in self.applied
        )

    @lazy_attribute
    def types(self) -> frozenset[str]:
        """The JSON types that values here may have (never too few); integer is not number."""
        kinds = ALL_TYPES
        for schema, conditional in self.applied:
            if not conditional:
                kinds &= types_of(schema, self.document)
        if not any(not conditional for _, conditional in self.applied) and self.applied:
            kinds = frozenset().union(
                *(types_of(schema, self.document) for schema, _ in self.applied)
            )
        return kinds

    def _dependent_names(self, part: Part) -> Iterator[str]:
        keyword = (
            "dependencies" if self.document.dialect is Dialect.DRAFT_07 else "dependentRequired"
        )
        for name, needed in part.keywords.get(keyword, {}).items():
            if isinstance(needed, list):
                yield name
                yield from needed

    def _gather(
        self,
        schema: JsonSchema,
        parts: dict[tuple[int, bool], Part],
        *,
        conditional: bool,
    ) -> None:
        if isinstance(schema, bool):
            self.never = self.never or not (schema or conditional)
            return
        key = (id(schema), conditional)
        if key in parts:
            return
        dialect = self.document.dialect
        keywords = effective(schema, dialect)
        parts[key] = Part(schema, keywords, conditional)
        if "$ref" in keywords:
            self._gather(self.document.target_of(schema), parts, conditional=conditional)
        for member in keywords.get("allOf", ()):
            self._gather(member, parts, conditional=conditional)
        for member in declaring_branches(keywords, dialect):
            self._gather(member, parts, conditional=True)


def dict_of(source: Mapping[str, Any]) -> dict[str, Any]:
    """Narrow a schema object's type; parts always hold the document's own objects."""
    assert isinstance(source, dict)
    return source


_BRANCHING = frozenset({"anyOf", "oneOf", "if", "dependentSchemas", "dependencies"})


def declaring_branches(keywords: Mapping[str, Any], dialect: Dialect) -> Iterator[JsonSchema]:
    """Yield the subschemas that apply in place under a condition, and declare names there."""
    if keywords.keys().isdisjoint(_BRANCHING):
        return
    yield from keywords.get("anyOf", ())
    yield from keywords.get("oneOf", ())
    if "if" in keywords:
        yield from (keywords[name] for name in ("then", "else") if name in keywords)
    dependent = "dependencies" if dialect is Dialect.DRAFT_07 else "dependentSchemas"
    for member in keywords.get(dependent, {}).values():
        if not isinstance(member, list):
            yield member


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], bool]:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"pattern": for_oracle(pattern)}).is_valid


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern of ``patternProperties``, as the row oracle sees it."""
    return _matcher(pattern)(name)


def members_for(keywords: Mapping[str, Any], name: str) -> list[JsonSchema]:
    """Return the subschemas that one schema object applies to the member ``name``."""
    found: list[JsonSchema] = []
    if name in keywords.get("properties", ()):
        found.append(keywords["properties"][name])
    for pattern, schema in keywords.get("patternProperties", {}).items():
        if matches(pattern, name):
            found.append(schema)
    if not found and "additionalProperties" in keywords:
        found.append(keywords["additionalProperties"])
    return found


def prefix_items(keywords: Mapping[str, Any]) -> list[JsonSchema]:
    """Return the subschemas of the leading items (both drafts' spelling)."""
    items = keywords.get("items")
    prefix = items if isinstance(items, list) else keywords.get("prefixItems", [])
    return list(prefix)


def item_for(keywords: Mapping[str, Any], index: int) -> list[JsonSchema]:
    """Return the subschemas that one schema object applies to an item; index -1 is the rest."""
    prefix = prefix_items(keywords)
    if 0 <= index < len(prefix):
        return [prefix[index]]
    rest = "additionalItems" if isinstance(keywords.get("items"), list) else "items"
    return [keywords[rest]] if rest in keywords else []


ALL_TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


_ONE_TYPE: Final = {
    kind: frozenset({"number", "integer"} if kind == "number" else {kind}) for kind in ALL_TYPES
}


def json_type(value: Any) -> str:
    """Return the type of an exact JSON value; ``number`` means: not integral."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, (list, tuple)) else "number"


def stated_types(kinds: str | Iterable[str]) -> frozenset[str]:
    """Return the types a ``type`` keyword admits; ``number`` admits integers too."""
    if isinstance(kinds, str):
        return _ONE_TYPE[kinds]
    named = frozenset(kinds)
    return named | {"integer"} if "number" in named else named


_Answer = TypeVar("_Answer")


def _remembered(
    question: Callable[[Mapping[str, Any], SchemaDocument], _Answer],
    schema: Mapping[str, Any],
    document: SchemaDocument,
) -> _Answer:
    """The answer about a schema object, worked out once for those that the document keeps."""
    answers = document.memo.setdefault(question, {})
    assert isinstance(answers, dict)
    found: _Answer | None = answers.get(id(schema))
    if found is None:
        found = question(schema, document)
        if document.index.owns(schema):
            answers[id(schema)] = found
    return found


def types_of(schema: JsonSchema, document: SchemaDocument) -> frozenset[str]:
    """Return the JSON types that values of a schema may have; never too few."""
    if isinstance(schema, bool):
        return ALL_TYPES if schema else frozenset()
    return _remembered(_types_of, schema, document)


def _types_of(schema: Mapping[str, Any], document: SchemaDocument) -> frozenset[str]:
    keywords = effective(schema, document.dialect)
    kinds = ALL_TYPES
    if "type" in keywords:
        kinds = stated_types(keywords["type"])
    if "const" in keywords:
        kinds &= {json_type(keywords["const"])}
    if "enum" in keywords:
        kinds &= {json_type(value) for value in keywords["enum"]}
    if "$ref" in keywords:
        kinds &= types_of(document.target_of(schema), document)
    for member in keywords.get("allOf", ()):
        kinds &= types_of(member, document)
    for choice in ("anyOf", "oneOf"):
        if choice in keywords:
            kinds &= frozenset().union(*(types_of(each, document) for each in keywords[choice]))
    return kinds


def accepts_null(schema: JsonSchema, document: SchemaDocument) -> bool:
    """Whether null is valid under a schema; exact, no keyword for other types can matter."""
    if isinstance(schema, bool):
        return schema
    return _remembered(_accepts_null, schema, document)


def _accepts_null(schema: Mapping[str, Any], document: SchemaDocument) -> bool:
    keywords = effective(schema, document.dialect)

    def accepts(member: JsonSchema) -> bool:
        return accepts_null(member, document)

    verdicts = [
        "type" not in keywords or "null" in stated_types(keywords["type"]),
        "const" not in keywords or keywords["const"] is None,
        "enum" not in keywords or None in keywords["enum"],
        "$ref" not in keywords or accepts(document.target_of(schema)),
        all(map(accepts, keywords.get("allOf", ()))),
        "anyOf" not in keywords or any(map(accepts, keywords["anyOf"])),
        "oneOf" not in keywords or sum(map(accepts, keywords["oneOf"])) == 1,
        "not" not in keywords or not accepts(keywords["not"]),
    ]
    if "if" in keywords:
        verdicts.append(accepts(keywords.get("then" if accepts(keywords["if"]) else "else", True)))
    return all(verdicts)
