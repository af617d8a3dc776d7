"""What is read of JSON texts before it is converted: which paths, as which Arrow types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.conversion import numbers
from tickmesh.decoding.conversion.composition import EachConverter
from tickmesh.decoding.conversion.fields import FieldConverter, Target
from tickmesh.decoding.json_columns import JsonReader
from tickmesh.decoding.source_spec import (
    Cast,
    Explode,
    Extras,
    FieldMapping,
    SourceSpec,
    SourceSpecError,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.rows import Part

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")


def open_reader(
    parts: Sequence[Part],
    explode: Sequence[Explode],
    spec: SourceSpec,
    *,
    prefix: frozenset[str],
) -> JsonReader:
    """A reader of everything that a kind of record needs.

    Args:
        parts: What fills the fields.
        explode: Arrays whose elements become rows.
        spec: The source spec.
        prefix: Paths that are no part of the JSON.

    Raises:
        SourceSpecError: Two fields read the same path differently, or one within another.
    """
    found = _Wanted(prefix)
    converters = [part for part in parts if isinstance(part, FieldConverter)]
    for part in parts:
        if isinstance(part, EachConverter):
            assert part.mapping.path is not None
            found.add_array(part.mapping.path, part.parts)
    for converter in converters:
        found.add(converter)
    elements = [each for each in converters if each.mapping.element is not None]
    for array in explode:
        found.add_array(array.path, elements)
    found.refuse_overlaps()
    for condition in spec.conditions:
        if condition is None or condition.present or condition.path in prefix:
            continue
        if not any(_within(condition.path, path) for path in found.types):
            whole = isinstance(condition.equals, int)
            found.types[condition.path] = pa.int64() if whole else pa.string()
    return JsonReader(
        found.types,
        number_texts=frozenset(found.number_texts),
        json_texts=frozenset(found.json_texts),
        ignore=frozenset(spec.ignore),
        extras="locate" if spec.extras is Extras.QUARANTINE else "count",
    )


class _Wanted:
    """The paths wanted so far."""

    def __init__(self, prefix: frozenset[str]) -> None:
        self.types: dict[str, pa.DataType] = {}
        self.number_texts: set[str] = set()
        self.json_texts: set[str] = set()
        self._prefix = prefix

    def add(self, converter: FieldConverter) -> None:
        """Want what a field reads."""
        mapping = converter.mapping
        path = mapping.path
        if path is not None and path not in self._prefix:
            kind = _reading_type(mapping, converter.target)
            if self.types.setdefault(path, kind) != kind:
                raise SourceSpecError(
                    f"{path!r} is read as {self.types[path]} by another field and as {kind} here",
                    key=f"fields.{mapping.target}",
                )
            if mapping.cast is Cast.NUMBER:
                self.number_texts.add(path)
            if converter.target.json_text:
                self.json_texts.add(path)
        if mapping.day_path is not None:
            self.types.setdefault(mapping.day_path, pa.string())

    def add_array(self, path: str, elements: Sequence[FieldConverter]) -> None:
        """Want an array by what reads its elements."""
        self.types[path] = pa.list_(_element_type(elements))
        if any(each.mapping.cast is Cast.NUMBER for each in elements):
            self.number_texts.add(path)

    def refuse_overlaps(self) -> None:
        """Refuse paths of which one lies within another."""
        for path in self.types:
            outer = [other for other in self.types if other != path and _within(path, other)]
            if outer:
                raise SourceSpecError(
                    f"{path!r} and {outer[0]!r} cannot both be read: one lies within the other",
                    key="records",
                )


def _element_type(converters: Sequence[FieldConverter]) -> pa.DataType:
    """The type that the elements of an array are read as, from what reads them or parts of them."""
    parts = {
        converter.mapping.element: _reading_type(converter.mapping, converter.target)
        for converter in converters
    }
    if None in parts:
        return parts[None]
    if all(isinstance(element, str) for element in parts):
        return pa.struct([pa.field(str(name), kind) for name, kind in parts.items()])
    kinds = set(parts.values())
    if len(kinds) != 1 or any(isinstance(element, str) for element in parts):
        raise SourceSpecError(
            "the parts of an array's elements must be read alike, got "
            + ", ".join(sorted(map(str, kinds))),
            key="explode",
        )
    return pa.list_(kinds.pop())


def _reading_type(mapping: FieldMapping, target: Target) -> pa.DataType:
    """The Arrow type that JSON values of a mapped field are read as, before they are converted."""
    if target.json_text or mapping.cast is Cast.NUMBER:
        return pa.string()
    if mapping.values:
        return _type_of_keys([raw for raw, _ in mapping.values])
    if mapping.cast is Cast.TEXT:
        return pa.int64()
    time = mapping.time
    if time is not None and time.unit is not None:
        if time.unit is TimeUnit.SECOND:
            return pa.decimal128(38, 9)
        return pa.int64()
    if mapping.divide_by is not None or mapping.multiply_by is not None:
        return pa.decimal128(38, 9)
    return _plain_reading_type(target.number_type, integer=target.integer)


def _plain_reading_type(kind: pa.DataType, *, integer: bool = False) -> pa.DataType:
    if pt.is_timestamp(kind):
        return pa.int64() if integer else pa.string()
    if pt.is_integer(kind) or pt.is_duration(kind):
        return pa.uint64() if pt.is_uint64(kind) else pa.int64()
    if pt.is_floating(kind):
        return pa.float64()
    if numbers.is_number(kind) or pt.is_boolean(kind):
        return kind
    if pt.is_list(kind):
        return pa.list_(_reading_type_of(kind.value_field))
    if pt.is_struct(kind):
        return pa.struct([field.with_type(_reading_type_of(field)) for field in kind])
    if pt.is_map(kind):
        return pa.map_(kind.key_type, _reading_type_of(kind.item_field))
    return pa.string()


def _reading_type_of(field: pa.Field[Any]) -> pa.DataType:
    """The reading type of a nested field, a scaled integer's being that of its number."""
    return _plain_reading_type(Target.of(field, integer=False).number_type)


def _type_of_keys(keys: list[str]) -> pa.DataType:
    if all(key in ("true", "false") for key in keys):
        return pa.bool_()
    return pa.int64() if all(map(_INTEGER.fullmatch, keys)) else pa.string()


def _within(path: str, other: str) -> bool:
    """Whether one path is, or lies within, the other."""
    return path == other or path.startswith(other + ".") or other.startswith(path + ".")
