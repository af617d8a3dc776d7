"""From a schema and the Arrow type it meets to a plan of kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.keywords import ANNOTATIONS, Dialect
from tickmesh.schema.validation import formats, kernels, masks, numeric, text, values
from tickmesh.schema.validation.encodings import json_of, json_texts
from tickmesh.schema.validation.explanation import Step, Stopwatch
from tickmesh.schema.validation.lists import Contains, Items, Length, unique
from tickmesh.schema.validation.logical import Kind, decoded_type, fields_of, item_field, kind_of
from tickmesh.schema.validation.masks import INVALID, VALID, Constant, Mask
from tickmesh.schema.validation.objects import (
    Dependent,
    ForbiddenNames,
    Presence,
    PropertyCount,
    Required,
)
from tickmesh.schema.validation.oracle import FormatMode
from tickmesh.schema.validation.plan import (
    All,
    Applicator,
    Check,
    Field,
    Findings,
    Fixed,
    Kernel,
    Nested,
    Node,
    NullColumn,
    NullSites,
    Scalar,
    row_by_row,
)
from tickmesh.schema.validation.readings import null_verdict, type_names
from tickmesh.schema.validation.reasons import Site, code_of
from tickmesh.schema.validation.references import SchemaIndex, Target
from tickmesh.schema.validation.text import MaximumLength, MinimumLength

if TYPE_CHECKING:
    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.dialects import Pointer
    from tickmesh.schema.validation.documents import Path, Rendering
    from tickmesh.schema.validation.names import NameMatcher

_LENGTH_LIMIT = 2**31 - 1

_RENDERED = "the text of this type is written only for the row oracle"
_UNEVALUATED = "what other keywords evaluate differs from row to row"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a schema meets cells.

    Attributes:
        data_type: The decoded Arrow type of the cells.
        kind: What they are to JSON Schema.
        path: Their column.
        decides: Whether the schema alone decides the row; keywords that do have a site.
        distinct: Whether the cells are indices into a dictionary.
    """

    data_type: pa.DataType
    kind: Kind
    path: Path
    decides: bool
    distinct: bool = False

    @property
    def undeciding(self) -> Place:
        """The same cells under an applicator."""
        return replace(self, decides=False)


class Compiler:
    """Builds the plan of one schema over one Arrow schema.

    Args:
        index: The schema's references.
        rendering: How the null cells and timestamps of each column read.
        names: Matches field names.
        mode: Whether ``format`` is asserted.
        stopwatch: Measures every kernel; None to run them as they are.

    Attributes:
        sites: Every keyword that alone decides a row, in the order of its bit.
        steps: Every keyword compiled, for explanation.
    """

    def __init__(
        self,
        index: SchemaIndex,
        rendering: Rendering,
        names: NameMatcher,
        mode: FormatMode,
        stopwatch: Stopwatch | None,
    ) -> None:
        self.sites: list[Site] = []
        self.steps: list[Step] = []
        self._site_numbers: dict[Site, int] = {}
        self._index = index
        self._rendering = rendering
        self._names = names
        self._mode = mode
        self._stopwatch = stopwatch
        self._stack: set[tuple[str, Pointer, Path]] = set()

    def compile(self, arrow_schema: pa.Schema) -> Node:
        """The plan of a row: the schema itself, and that every cell is JSON at all."""
        row = pa.struct(list(arrow_schema))
        place = Place(row, Kind.OBJECT, (), decides=True)
        representable = self._representable(row, ())
        judged = self.schema(self._index.root, place)
        return judged if representable is None else All([representable, judged])

    def schema(self, target: Target, place: Place) -> Node:
        """The node of a schema over cells that are not null."""
        if isinstance(target.schema, bool):
            verdict = masks.constant(target.schema)
            if verdict is VALID:
                return All([])
            return self.check(target, place, "falseSchema", Fixed(verdict))
        if place.kind is Kind.JSON:
            # What type a cell has is known row by row.
            deciding = [keyword for keyword in target.schema if keyword not in ANNOTATIONS]
            return (
                self.declined(target, place, deciding[0], "JSON text holds a value of any type")
                if deciding
                else All([])
            )
        here = (target.document, target.pointer, place.path)
        if here in self._stack:
            return self.declined(target, place, "$ref", "the reference leads back to itself")
        self._stack.add(here)
        try:
            return _all(list(self._keywords(target, place)))
        finally:
            self._stack.remove(here)

    def unlisted(self, target: Target, place: Place) -> Node:
        """The node of a schema that stands for one keyword: its own keywords are not explained."""
        listed = len(self.steps)
        node = _all(list(self._keywords(target, place.undeciding)))
        del self.steps[listed:]
        return node

    def check(self, target: Target, place: Place, keyword: str, kernel: Kernel, *more: str) -> Node:
        """The node of one keyword."""
        site = self.site(target, place, keyword, kernel, *more)
        if self._stopwatch is not None and not isinstance(kernel, Fixed):
            kernel = self._stopwatch.around(kernel)
        return Check(kernel, site)

    def cell(self, target: Target, data_type: pa.DataType, path: Path, *, decides: bool) -> Node:
        """The node of a schema at a column, null cells included."""
        as_integer = path in self._rendering.integer_paths
        kind = kind_of(data_type, as_integer=as_integer)
        distinct = pt.is_dictionary(data_type)
        place = Place(decoded_type(data_type), kind, path, decides, distinct)
        null: Constant = VALID
        null_sites: NullSites = ()
        if self.reads_null(path):
            null = masks.constant(null_verdict(target, self._index))
            null_sites = self._null_sites(target, place) if decides and null is not VALID else ()
        if kind is Kind.NULL:
            return NullColumn(null, null_sites)
        node = self.schema(target, place)
        if null is VALID and isinstance(node, All) and not node.nodes:
            return node
        if kind in {Kind.OBJECT, Kind.ARRAY, Kind.MAP}:
            return Nested(node, null, null_sites)
        floating = kind is Kind.FLOAT
        return Scalar(node, null, null_sites, floating=floating, dictionary=distinct)

    def reads_null(self, path: Path) -> bool:
        """Whether a null cell of a column is present: as the value null."""
        return self._rendering.all_null or path[-1] is None or path in self._rendering.null_paths

    def _keywords(self, target: Target, place: Place) -> Iterable[Node]:
        schema = target.schema
        if "$ref" in schema:
            resolved = self._index.resolve(schema["$ref"], target.base)
            if resolved is None:
                yield self.declined(target, place, "$ref", "the reference leads outside the schema")
            else:
                yield self.schema(resolved, place)
            if self._index.dialect is Dialect.DRAFT_07:
                return
        for keyword, compile_keyword in _ANY_KIND.items():
            if keyword in schema:
                yield compile_keyword(self, target, place)
        if place.kind.is_number:
            yield from self._numeric(target, place)
        elif place.kind.json_type == "string":
            yield from self._textual(target, place)
        elif place.kind is Kind.ARRAY:
            yield from self._array(target, place)
        elif place.kind is Kind.OBJECT:
            yield from self._object(target, place)
        elif place.kind is Kind.MAP and not schema.keys().isdisjoint(_OBJECT_KEYWORDS):
            yield self.declined(
                target, place, "properties", "a map has keys of its own in each row"
            )

    def _numeric(self, target: Target, place: Place) -> Iterable[Node]:
        for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if keyword in target.schema:
                limit = numeric.fraction(target.schema[keyword])
                kernel = numeric.bound(keyword, limit, place.data_type)
                yield self.check(target, place, keyword, kernel)
        if "multipleOf" in target.schema:
            divisor = numeric.fraction(target.schema["multipleOf"])
            kernel = numeric.multiple_of(divisor, place.data_type)
            yield self.check(target, place, "multipleOf", kernel)

    def _textual(self, target: Target, place: Place) -> Iterable[Node]:
        schema, plain = target.schema, place.kind is Kind.STRING
        for keyword, length in (("minLength", MinimumLength), ("maxLength", MaximumLength)):
            if keyword in schema:
                limit = min(int(schema[keyword]), _LENGTH_LIMIT)
                yield self.check(
                    target, place, keyword, length(limit) if plain else row_by_row(_RENDERED)
                )
        if "pattern" in schema:
            kernel = (
                text.pattern(schema["pattern"], place.data_type) if plain else row_by_row(_RENDERED)
            )
            yield self.check(target, place, "pattern", kernel)
        if "format" in schema and self._mode is FormatMode.ASSERT:
            kernel = formats.assertion(
                schema["format"], place.kind, place.data_type, self._index.dialect
            )
            yield self.check(target, place, "format", kernel)

    def _array(self, target: Target, place: Place) -> Iterable[Node]:
        schema = target.schema
        item_type, item = item_field(place.data_type).type, (*place.path, None)

        def items(value: Any, *tokens: str, start: int = 0, stop: int | None = None) -> Node:
            inner = self.cell(target.child(value, *tokens), item_type, item, decides=place.decides)
            return Items(inner, start, stop)

        heads = "prefixItems" if "prefixItems" in schema else "items"
        rest = "items" if heads == "prefixItems" else "additionalItems"
        if isinstance(schema.get(heads), list):
            for i, branch in enumerate(schema[heads]):
                yield items(branch, heads, str(i), start=i, stop=i + 1)
            if rest in schema:
                yield items(schema[rest], rest, start=len(schema[heads]))
        elif "items" in schema:
            yield items(schema["items"], "items")
        for keyword, at_least in (("minItems", True), ("maxItems", False)):
            if keyword in schema:
                kernel = Length(min(int(schema[keyword]), 2**62), at_least=at_least)
                yield self.check(target, place, keyword, kernel)
        if "contains" in schema:
            yield from self._contains(target, place, item_type, item)
        if schema.get("uniqueItems") is True:
            yield self.check(target, place, "uniqueItems", unique)
        if "unevaluatedItems" in schema:
            yield self.declined(target, place, "unevaluatedItems", _UNEVALUATED)

    def _contains(
        self, target: Target, place: Place, item_type: pa.DataType, item: Path
    ) -> Iterable[Node]:
        schema = target.schema
        inner = target.child(schema["contains"], "contains")
        node = self.cell(inner, item_type, item, decides=False)
        counted = self._index.dialect is not Dialect.DRAFT_07
        least = int(schema.get("minContains", 1)) if counted else 1
        keyword = "minContains" if counted and "minContains" in schema else "contains"
        yield self.check(target, place, keyword, Contains(node, least, None))
        if counted and "maxContains" in schema:
            most = Contains(node, 0, int(schema["maxContains"]))
            yield self.check(target, place, "maxContains", most)

    def _object(self, target: Target, place: Place) -> Iterable[Node]:
        schema = target.schema
        types = {field.name: field.type for field in fields_of(place.data_type)}
        fields = {
            name: Presence(position, self.reads_null((*place.path, name)))
            for position, name in enumerate(types)
        }
        unwanted = []
        for name, subschema in self._names.applicable(target, types):
            if subschema.schema is False and subschema.pointer[-1] == "additionalProperties":
                unwanted.append(fields[name])
                continue
            path = (*place.path, name)
            node = self.cell(subschema, types[name], path, decides=place.decides)
            yield Field(fields[name].position, node)
        if unwanted:
            yield self.check(target, place, "additionalProperties", ForbiddenNames(unwanted))
        if "required" in schema:
            yield self.check(target, place, "required", _required(schema["required"], fields))
        for keyword, at_least in (("minProperties", True), ("maxProperties", False)):
            if keyword in schema:
                kernel = PropertyCount(
                    list(fields.values()), int(schema[keyword]), at_least=at_least
                )
                yield self.check(target, place, keyword, kernel)
        if "propertyNames" in schema:
            yield self._property_names(target, place, fields)
        yield from self._dependencies(target, place, fields)
        if "unevaluatedProperties" in schema:
            yield self.declined(target, place, "unevaluatedProperties", _UNEVALUATED)

    def _property_names(self, target: Target, place: Place, fields: Mapping[str, Presence]) -> Node:
        verdicts = {name: self._names.is_valid_name(target, name) for name in fields}
        if None in verdicts.values():
            return self.declined(target, place, "propertyNames", "it refers to another schema")
        refused = [fields[name] for name, valid in verdicts.items() if not valid]
        return self.check(target, place, "propertyNames", ForbiddenNames(refused))

    def _dependencies(
        self, target: Target, place: Place, fields: Mapping[str, Presence]
    ) -> Iterable[Node]:
        draft_07 = self._index.dialect is Dialect.DRAFT_07
        for keyword in ("dependencies",) if draft_07 else ("dependentRequired", "dependentSchemas"):
            for name, dependency in target.schema.get(keyword, {}).items():
                if name not in fields:
                    continue
                consequence: Node | Kernel
                if isinstance(dependency, list):
                    consequence = _required(dependency, fields)
                    tokens: tuple[str, ...] = ()
                else:
                    inner = target.child(dependency, keyword, name)
                    consequence = self.schema(inner, place.undeciding)
                    tokens = (name,)
                kernel = Dependent(fields[name], consequence)
                yield self.check(target, place, keyword, kernel, *tokens)

    def _null_sites(self, target: Target, place: Place) -> NullSites:
        """The keywords of a schema that refuse null or leave it undecided."""
        schema = target.schema
        if isinstance(schema, bool):
            kernel = Fixed(masks.constant(schema))
            site = self.site(target, place, "falseSchema", kernel)
            return () if schema or site is None else ((site, INVALID),)
        found: list[tuple[int, Constant]] = []
        if "$ref" in schema:
            resolved = self._index.resolve(schema["$ref"], target.base)
            here = (target.document, target.pointer, place.path)
            if resolved is not None and here not in self._stack:
                self._stack.add(here)
                found += self._null_sites(resolved, place)
                self._stack.remove(here)
            if self._index.dialect is Dialect.DRAFT_07:
                return tuple(found)
        for i, branch in enumerate(schema.get("allOf", ())):
            found += self._null_sites(target.child(branch, "allOf", str(i)), place)
        for keyword in ("type", "enum", "const", "anyOf", "oneOf", "not"):
            if keyword in schema:
                alone = target.child({keyword: schema[keyword]})
                verdict = masks.constant(null_verdict(alone, self._index))
                site = self.site(target, place, keyword, Fixed(verdict))
                if verdict is not VALID and site is not None:
                    found.append((site, verdict))
        return (*found, *self._null_branches(target, place))

    def _null_branches(self, target: Target, place: Place) -> NullSites:
        """As `_null_sites`, of `then` and `else`."""
        schema, found = target.schema, []
        for keyword, branch in (("then", "else"), ("else", "then")):
            if "if" in schema and keyword in schema:
                alone = {key: value for key, value in schema.items() if key in {"if", keyword}}
                verdict = masks.constant(
                    null_verdict(target.child({**alone, branch: True}), self._index)
                )
                site = self.site(target, place, keyword, Fixed(verdict))
                if verdict is not VALID and site is not None:
                    found.append((site, verdict))
        return tuple(found)

    def _representable(self, data_type: pa.DataType, path: Path) -> Node | None:
        """Refuse what no JSON document can hold, in declared columns or not."""
        data_type = decoded_type(data_type)
        kind = kind_of(data_type)
        pointer = _instance_pointer(path)
        if kind is Kind.FLOAT:
            return Check(_finite, self._number(Site("NONFINITE", pointer, "")))
        if kind is Kind.JSON:
            return Check(_json_texts, self._number(Site("INVALID_JSON", pointer, "")))
        if kind is Kind.MAP:
            site = self._number(Site("DUPLICATE_KEY", pointer, ""))
            return Nested(Check(row_by_row("keys may repeat"), site), VALID, ())
        if kind is Kind.ARRAY:
            item = self._representable(item_field(data_type).type, (*path, None))
            return None if item is None else Nested(Items(item), VALID, ())
        if kind is not Kind.OBJECT:
            return None
        nodes = []
        for position, field in enumerate(fields_of(data_type)):
            node = self._representable(field.type, (*path, field.name))
            if node is not None:
                nodes.append(Field(position, node))
        if not nodes:
            return None
        return Nested(All(nodes), VALID, ()) if path else All(nodes)

    def site(
        self, target: Target, place: Place, keyword: str, kernel: Kernel, *more: str
    ) -> int | None:
        """The site of a keyword that decides alone, None elsewhere; records the step."""
        tokens = target.pointer if keyword == "falseSchema" else (*target.pointer, keyword, *more)
        schema_path = target.document + pointer_of(tokens)
        instance_path = _instance_pointer(place.path)
        self.steps.append(
            Step(keyword, instance_path, schema_path, kernel, str(place.data_type), place.distinct)
        )
        never_fails = isinstance(kernel, Fixed) and kernel.verdict is VALID
        if never_fails or not place.decides:
            return None
        return self._number(Site(code_of(keyword), instance_path, schema_path))

    def _number(self, site: Site) -> int:
        if site not in self._site_numbers:
            self._site_numbers[site] = len(self.sites)
            self.sites.append(site)
        return self._site_numbers[site]

    def declined(self, target: Target, place: Place, keyword: str, why: str) -> Node:
        """The node of a keyword that is left to the row oracle."""
        return self.check(target, place, keyword, row_by_row(why))


@dataclass(slots=True)
class Conditional:
    """`if`, `then`, `else`: the branch that applies answers for the row."""

    condition: Node
    then: Node
    otherwise: Node
    then_site: int | None
    else_site: int | None

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        condition = self.condition.judge(cells, [])
        then = self.then.judge(cells, [])
        otherwise = self.otherwise.judge(cells, [])
        for site, mask in (
            (self.then_site, masks.disjunction([masks.negation(condition), then])),
            (self.else_site, masks.disjunction([condition, otherwise])),
        ):
            if site is not None and mask is not VALID:
                findings.append((site, mask))
        return masks.choose(condition, then, otherwise)


def _compile_type(compiler: Compiler, target: Target, place: Place) -> Node:
    names = type_names(target.schema)
    kernel: Kernel = Fixed(masks.constant(place.kind.json_type in names))
    if place.kind.is_number and "number" not in names and "integer" in names:
        kernel = numeric.integral(place.data_type)
    return compiler.check(target, place, "type", kernel)


def _compile_enum(compiler: Compiler, target: Target, place: Place) -> Node:
    kernel = _one_of(compiler, target, place, target.schema["enum"])
    return compiler.check(target, place, "enum", kernel)


def _compile_const(compiler: Compiler, target: Target, place: Place) -> Node:
    kernel = _one_of(compiler, target, place, [target.schema["const"]])
    return compiler.check(target, place, "const", kernel)


def _one_of(compiler: Compiler, target: Target, place: Place, members: list[Any]) -> Kernel:
    """Equality with one of the members; Arrow has no kernel for it on structs and lists."""
    if place.kind is Kind.OBJECT:
        nodes = [
            compiler.unlisted(target.child(_equal_object(member)), place)
            for member in members
            if isinstance(member, Mapping)
        ]
    elif place.kind is Kind.ARRAY:
        nodes = [
            compiler.unlisted(target.child(_equal_array(member, target.dialect)), place)
            for member in members
            if isinstance(member, list)
        ]
    else:
        return values.one_of(members, place.kind, place.data_type)
    return Applicator(nodes, masks.disjunction) if nodes else Fixed(INVALID)


def _equal_object(member: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that only this object fulfils."""
    return {
        "properties": {name: {"const": value} for name, value in member.items()},
        "required": list(member),
        "additionalProperties": False,
    }


def _equal_array(member: list[Any], dialect: Dialect) -> dict[str, Any]:
    """A schema that only this array fulfils."""
    heads = "items" if dialect is Dialect.DRAFT_07 else "prefixItems"
    return {
        heads: [{"const": value} for value in member],
        "minItems": len(member),
        "maxItems": len(member),
    }


def _compile_all_of(compiler: Compiler, target: Target, place: Place) -> Node:
    return _all(
        [
            compiler.schema(target.child(branch, "allOf", str(i)), place)
            for i, branch in enumerate(target.schema["allOf"])
        ]
    )


def _branches(keyword: str, combine: Callable[[list[Mask]], Mask]) -> _KeywordCompiler:
    def compile_keyword(compiler: Compiler, target: Target, place: Place) -> Node:
        nodes = [
            compiler.schema(target.child(branch, keyword, str(i)), place.undeciding)
            for i, branch in enumerate(target.schema[keyword])
        ]
        return compiler.check(target, place, keyword, Applicator(nodes, combine))

    return compile_keyword


def _compile_not(compiler: Compiler, target: Target, place: Place) -> Node:
    node = compiler.schema(target.child(target.schema["not"], "not"), place.undeciding)
    kernel = Applicator([node], lambda found: masks.negation(found[0]))
    return compiler.check(target, place, "not", kernel)


def _compile_if(compiler: Compiler, target: Target, place: Place) -> Node:
    def branch(keyword: str) -> Node:
        inner = target.child(target.schema.get(keyword, True), keyword)
        return compiler.schema(inner, place.undeciding)

    def site(keyword: str, node: Node) -> int | None:
        if keyword not in target.schema:
            return None
        return compiler.site(target, place, keyword, Applicator([node], masks.conjunction))

    then, otherwise = branch("then"), branch("else")
    return Conditional(branch("if"), then, otherwise, site("then", then), site("else", otherwise))


def _compile_dynamic_reference(compiler: Compiler, target: Target, place: Place) -> Node:
    return compiler.declined(target, place, "$dynamicRef", "it depends on the path to it")


_KeywordCompiler = Callable[[Compiler, Target, Place], Node]

# Keywords that apply to cells of every kind.
_ANY_KIND: dict[str, _KeywordCompiler] = {
    "$dynamicRef": _compile_dynamic_reference,
    "type": _compile_type,
    "enum": _compile_enum,
    "const": _compile_const,
    "allOf": _compile_all_of,
    "anyOf": _branches("anyOf", masks.disjunction),
    "oneOf": _branches("oneOf", masks.exactly_one),
    "not": _compile_not,
    "if": _compile_if,
}

_OBJECT_KEYWORDS = frozenset(
    {
        "additionalProperties",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "maxProperties",
        "minProperties",
        "patternProperties",
        "properties",
        "propertyNames",
        "required",
        "unevaluatedProperties",
    }
)


def _all(nodes: list[Node]) -> Node:
    """All nodes that can refuse anything."""
    working = [
        node
        for node in nodes
        if not (
            isinstance(node, Check)
            and isinstance(node.kernel, Fixed)
            and node.kernel.verdict is VALID
        )
        and not (isinstance(node, All) and not node.nodes)
    ]
    return working[0] if len(working) == 1 else All(working)


def _required(names: Iterable[str], fields: Mapping[str, Presence]) -> Kernel:
    wanted = list(names)
    if any(name not in fields for name in wanted):
        return Fixed(INVALID)
    return Required([fields[name] for name in wanted])


def _finite(cells: Cells) -> Mask:
    nonfinite = cells.decoded.nonfinite
    return VALID if nonfinite is None else masks.of_flags(~nonfinite)


def _json_texts(cells: Cells) -> Mask:
    """Which texts are JSON, each distinct one read once."""
    encoded = json_texts(cells.array).dictionary_encode()
    good = pa.array([_is_json(text) for text in encoded.dictionary.to_pylist()], pa.bool_())
    if good.true_count == len(good):
        return VALID
    return kernels.coalesce_mask([good.take(encoded.indices), pa.scalar(True)])


def _is_json(text: str | None) -> bool:
    try:
        json_of(text or "")
    except ValueError:
        return False
    return True


def _instance_pointer(path: Path) -> str:
    return pointer_of(tuple("*" if name is None else name for name in path))
