"""How null cells and timestamps of each column read under a schema.

A null cell of a field stands for null or for absent, and a row is valid if one of the readings is.
For nearly every field one reading dominates: a required field that admits null is best read as
null, an optional one that does not as absent.  This walk collects, per column, what each keyword
prefers and in which polarity it stands, and so proves the dominance.  Only columns where two
keywords pull in different directions are *open*: their rows are tried in every reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.keywords import Dialect
from tickmesh.schema.validation.documents import NullMeans, Path, Rendering
from tickmesh.schema.validation.logical import Kind, decoded_type, fields_of, item_field, kind_of

if TYPE_CHECKING:
    from tickmesh.schema.validation.masks import TruthValue
    from tickmesh.schema.validation.names import NameMatcher
    from tickmesh.schema.validation.references import SchemaIndex, Target


class Context(Enum):
    """What a subschema's verdict does to the row's."""

    CONJUNCT = auto()
    """The row is invalid when this is."""
    POSITIVE = auto()
    NEGATIVE = auto()
    MIXED = auto()

    @property
    def weak(self) -> Context:
        """The same direction, no longer deciding alone."""
        return Context.POSITIVE if self is Context.CONJUNCT else self

    @property
    def flipped(self) -> Context:
        """Under ``not``."""
        if self is Context.MIXED:
            return self
        return Context.POSITIVE if self is Context.NEGATIVE else Context.NEGATIVE


@dataclass(slots=True)
class _Evidence:
    null_forbidden: bool = False
    absent_forbidden: bool = False
    prefers_null: bool = False
    prefers_absent: bool = False
    types: set[str] = field(default_factory=set)

    def add(self, context: Context, *, null: bool | None, absent: bool) -> None:
        if null is absent:
            return
        if null is None or context is Context.MIXED:
            self.prefers_null = self.prefers_absent = True
        elif context is Context.CONJUNCT:
            self.null_forbidden |= not null
            self.absent_forbidden |= not absent
        elif null is (context is Context.POSITIVE):
            self.prefers_null = True
        else:
            self.prefers_absent = True

    @property
    def reads_null(self) -> bool:
        if self.null_forbidden or self.absent_forbidden:
            return not self.null_forbidden
        return self.prefers_null and not self.prefers_absent

    @property
    def is_open(self) -> bool:
        decided = self.null_forbidden or self.absent_forbidden
        return not decided and self.prefers_null and self.prefers_absent

    @property
    def as_integer(self) -> bool:
        return bool(self.types & {"integer", "number"}) and "string" not in self.types


def null_verdict(
    target: Target, index: SchemaIndex, seen: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
) -> bool | None:
    """Whether JSON null is valid under a schema; None when that is not settled here."""
    schema = target.schema
    if isinstance(schema, bool):
        return schema
    place = (target.document, target.pointer)
    if place in seen:
        return None
    seen |= {place}

    def inner(value: Any, *tokens: str) -> bool | None:
        return null_verdict(target.child(value, *tokens), index, seen)

    verdicts: list[bool | None] = []
    if "$ref" in schema:
        resolved = index.resolve(schema["$ref"], target.base)
        verdicts.append(None if resolved is None else null_verdict(resolved, index, seen))
        if index.dialect is Dialect.DRAFT_07:
            return verdicts[0]
    if "$dynamicRef" in schema:
        verdicts.append(None)
    if "type" in schema:
        verdicts.append("null" in type_names(schema))
    if "const" in schema:
        verdicts.append(schema["const"] is None)
    if "enum" in schema:
        verdicts.append(any(member is None for member in schema["enum"]))
    for keyword, fold in (("allOf", _all), ("anyOf", _any), ("oneOf", _one)):
        branches = [
            inner(branch, keyword, str(i)) for i, branch in enumerate(schema.get(keyword, ()))
        ]
        if keyword in schema:
            verdicts.append(fold(branches))
    if "not" in schema:
        verdicts.append(_not(inner(schema["not"], "not")))
    if "if" in schema:
        condition = inner(schema["if"], "if")
        then = inner(schema.get("then", True), "then")
        otherwise = inner(schema.get("else", True), "else")
        verdicts += [
            _any([_not(condition), then]),
            _any([condition, otherwise]),
            _any([then, otherwise]),
        ]
    return _all(verdicts)


def type_names(schema: Mapping[str, Any]) -> frozenset[str]:
    """The names a ``type`` keyword lists."""
    declared = schema["type"]
    return frozenset([declared] if isinstance(declared, str) else declared)


def readings(
    index: SchemaIndex, decoded: pa.Schema, null_means: NullMeans, names: NameMatcher
) -> Rendering:
    """The reading of every column of a decoded Arrow schema under a JSON Schema."""
    walk = _Walk(index, names)
    walk.visit(index.root, pa.struct(list(decoded)), (), Context.CONJUNCT)
    evidence = walk.evidence.items()
    integers = frozenset(path for path, found in evidence if found.as_integer)
    if null_means is NullMeans.EITHER:
        return Rendering(
            null_paths=frozenset(path for path, found in evidence if found.reads_null),
            open_paths=frozenset(path for path, found in evidence if found.is_open),
            integer_paths=integers,
            decoded=decoded,
        )
    return Rendering(all_null=null_means is NullMeans.NULL, integer_paths=integers, decoded=decoded)


class _Walk:
    def __init__(self, index: SchemaIndex, names: NameMatcher) -> None:
        self.evidence: dict[Path, _Evidence] = {}
        self._index = index
        self._names = names
        self._stack: set[tuple[str, tuple[str, ...], Path]] = set()

    def visit(self, target: Target, data_type: pa.DataType, path: Path, context: Context) -> None:
        schema = target.schema
        place = (target.document, target.pointer, path)
        if not isinstance(schema, Mapping) or place in self._stack:
            return
        self._stack.add(place)
        data_type = decoded_type(data_type)
        if "$ref" in schema:
            resolved = self._index.resolve(schema["$ref"], target.base)
            if resolved is None:
                self._all_mixed(data_type, path)
            else:
                self.visit(resolved, data_type, path, context)
        if "$ref" not in schema or self._index.dialect is not Dialect.DRAFT_07:
            self._keywords(target, data_type, path, context)
        self._stack.remove(place)

    def _keywords(
        self, target: Target, data_type: pa.DataType, path: Path, context: Context
    ) -> None:
        schema = target.schema
        if "type" in schema and path:
            self._at(path).types |= type_names(schema)
        for keyword, inner in (
            ("allOf", context),
            ("anyOf", context.weak),
            ("oneOf", Context.MIXED),
        ):
            for i, branch in enumerate(schema.get(keyword, ())):
                self.visit(target.child(branch, keyword, str(i)), data_type, path, inner)
        for keyword, inner in (
            ("not", context.flipped),
            ("if", Context.MIXED),
            ("then", context.weak),
            ("else", context.weak),
        ):
            if keyword in schema:
                self.visit(target.child(schema[keyword], keyword), data_type, path, inner)
        compares = any(
            isinstance(member, Mapping | list)
            for member in [schema.get("const"), *schema.get("enum", ())]
        )
        if compares or not schema.keys().isdisjoint(
            {"$dynamicRef", "unevaluatedItems", "uniqueItems"}
        ):
            self._all_mixed(data_type, path)
        kind = kind_of(data_type)
        if kind is Kind.OBJECT:
            self._object(target, data_type, path, context)
        elif kind is Kind.MAP:
            self._all_mixed(data_type, path)
        elif kind is Kind.ARRAY:
            self._array(target, data_type, path, context)

    def _object(self, target: Target, data_type: pa.DataType, path: Path, context: Context) -> None:
        schema = target.schema
        fields = {field.name: field.type for field in fields_of(data_type)}
        applicable = list(self._names.applicable(target, fields))
        if "unevaluatedProperties" in schema:
            further = self._names.unevaluated(target, fields, self._index)
            if further is None:
                self._all_mixed(data_type, path)
            applicable += further or ()
        for name, subschema in applicable:
            null = null_verdict(subschema, self._index)
            self._at((*path, name)).add(context, null=null, absent=True)
            self.visit(subschema, fields[name], (*path, name), context)
        for name in fields:
            here = self._at((*path, name))
            if name in schema.get("required", ()):
                here.add(context, null=True, absent=False)
            if "minProperties" in schema:
                here.add(context.weak, null=True, absent=False)
            if "maxProperties" in schema:
                here.add(context.weak, null=False, absent=True)
            if "propertyNames" in schema:
                valid = self._names.is_valid_name(target, name)
                here.add(context, null=valid, absent=True)
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, dependency in schema.get(keyword, {}).items():
                if name in fields:
                    self._at((*path, name)).add(context.weak, null=False, absent=True)
                if isinstance(dependency, list):
                    for other in fields.keys() & set(dependency):
                        self._at((*path, other)).add(context.weak, null=True, absent=False)
                else:
                    inner = target.child(dependency, keyword, name)
                    self.visit(inner, data_type, path, context.weak)

    def _array(self, target: Target, data_type: pa.DataType, path: Path, context: Context) -> None:
        schema, item = target.schema, (*path, None)
        # An item at another position does not stand under `items`, so it never decides alone then.
        rest = context.weak if "prefixItems" in schema else context
        for keyword, inner_context in (("items", rest), ("additionalItems", context.weak)):
            if isinstance(schema.get(keyword), Mapping):
                inner = target.child(schema[keyword], keyword)
                self.visit(inner, item_field(data_type).type, item, inner_context)
        for keyword in ("prefixItems", "items"):
            if isinstance(schema.get(keyword), list):
                for i, branch in enumerate(schema[keyword]):
                    inner = target.child(branch, keyword, str(i))
                    self.visit(inner, item_field(data_type).type, item, context.weak)
        if "contains" in schema:
            inner = target.child(schema["contains"], "contains")
            self.visit(inner, item_field(data_type).type, item, Context.MIXED)

    def _all_mixed(self, data_type: pa.DataType, path: Path) -> None:
        for inner in _fields_below(decoded_type(data_type), path):
            self._at(inner).add(Context.MIXED, null=None, absent=True)

    def _at(self, path: Path) -> _Evidence:
        return self.evidence.setdefault(path, _Evidence())


def _fields_below(data_type: pa.DataType, path: Path) -> Iterator[Path]:
    if pt.is_struct(data_type):
        for field in fields_of(data_type):
            here = (*path, field.name)
            yield here
            yield from _fields_below(decoded_type(field.type), here)
    elif kind_of(data_type) in {Kind.ARRAY, Kind.MAP}:
        yield from _fields_below(decoded_type(item_field(data_type).type), (*path, None))


def _all(verdicts: list[TruthValue]) -> TruthValue:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _any(verdicts: list[TruthValue]) -> TruthValue:
    if True in verdicts:
        return True
    return None if None in verdicts else False


def _one(verdicts: list[TruthValue]) -> TruthValue:
    if verdicts.count(True) > 1:
        return False
    return None if None in verdicts else verdicts.count(True) == 1


def _not(verdict: TruthValue) -> TruthValue:
    return None if verdict is None else not verdict
