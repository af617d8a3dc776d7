"""Objects and lists built of parts that come from several raw columns, or from an array."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import int64_array, nulls, pc
from tickmesh.decoding.conversion.cells import NOT_THE_TYPE, Converted, Failures, all_failed
from tickmesh.decoding.conversion.fields import FieldConverter, Target
from tickmesh.decoding.source_spec import FieldMapping, SourceSpecError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array

Leaf = TypeVar("Leaf")


@dataclass(frozen=True, slots=True)
class Composed(Generic[Leaf]):
    """A field, or a part of one, and what it is built of.

    Attributes:
        type: Its Arrow type.
        leaf: What fills it, where it has no parts.
        names: Names of the parts of an object; empty for a list.
        parts: The parts of an object, or the items of a list.
        is_read: Whether something of it is read from the record, so that it can lack a value.
    """

    type: Any
    leaf: Leaf | None = None
    is_read: bool = True
    names: tuple[str, ...] = ()
    parts: tuple[Composed[Leaf], ...] = ()

    @classmethod
    def of(
        cls, mapping: FieldMapping, target: Target, make: Callable[[FieldMapping, Target], Leaf]
    ) -> Composed[Leaf]:
        """What a mapping describes.

        Args:
            mapping: The mapping.
            target: The field.
            make: Makes what fills a leaf.

        Raises:
            SourceSpecError: The field is of a type that the mapping cannot build.
        """
        kind = target.type
        read = any(leaf.path is not None or leaf.element is not None for leaf in mapping.leaves)
        if mapping.fields:
            _expect(pt.is_struct(kind), "fields", "an object", target)
            parts = tuple(cls.of(part, _part_target(part, target), make) for part in mapping.fields)
            names = tuple(part.target for part in mapping.fields)
            return cls(kind, is_read=read, names=names, parts=parts)
        if mapping.items:
            _expect(pt.is_list(kind), "items", "a list", target)
            item = Target.of(kind.value_field, integer=False)
            items = tuple(cls.of(each, item, make) for each in mapping.items)
            return cls(kind, is_read=read, parts=items)
        return cls(kind, is_read=read, leaf=make(mapping, target))

    @property
    def leaves(self) -> list[Leaf]:
        """What fills the leaves."""
        own = [] if self.leaf is None else [self.leaf]
        return own + [leaf for part in self.parts for leaf in part.leaves]

    def convert(self, fill: Callable[[Leaf], Converted]) -> Converted:
        """The column, built of what ``fill`` gives for each leaf."""
        if self.leaf is not None:
            return fill(self.leaf)
        parts = [part.convert(fill) for part in self.parts]
        if not self.names:
            return _lists(parts, self.type)
        by_name = dict(zip(self.names, parts, strict=True))
        length = len(parts[0].values)
        columns = [
            by_name[field.name].values if field.name in by_name else nulls(length, field.type)
            for field in self.type
        ]
        missing = np.full(length, any(part.is_read for part in self.parts))
        for part, converted in zip(self.parts, parts, strict=True):
            if part.is_read:
                missing &= _mask(converted.values.is_null())
        values = pa.StructArray.from_arrays(columns, fields=list(self.type), mask=pa.array(missing))
        return _whole(values, list(zip(self.names, parts, strict=True)))


class EachConverter:
    """Converts the elements of an array to the items of a list."""

    def __init__(self, mapping: FieldMapping, target: Target, *, lexical: bool) -> None:
        """Prepare the conversion.

        Raises:
            SourceSpecError: The field is no list, or its items lack a part.
        """
        assert mapping.each is not None
        _expect(pt.is_list(target.type), "each", "a list", target)
        self.mapping = mapping
        self.target = target
        item = Target.of(target.type.value_field, integer=False)
        self._names = tuple(part.target for part in mapping.each.fields)
        if self._names:
            _expect(pt.is_struct(item.type), "fields", "an object", item)
        self.parts = [
            FieldConverter(part, _part_target(part, item) if self._names else item, lexical=lexical)
            for part in mapping.each.fields or (mapping.each,)
        ]

    def convert(self, column: Array) -> Converted:
        """Convert a column of arrays."""
        kind: Any = self.target.type
        if not (pt.is_list(column.type) or pt.is_large_list(column.type)):
            return all_failed(column, NOT_THE_TYPE, kind)
        column = column.cast(pa.list_(column.type.value_type))
        elements = column.flatten()
        found = []
        for converter in self.parts:
            element = converter.mapping.element
            raw = elements if element is None else element_part(elements, element)
            found.append(converter.convert(raw))
        items = found[0].values
        if self._names:
            by_name = dict(zip(self._names, found, strict=True))
            items = pa.StructArray.from_arrays(
                [
                    by_name[field.name].values
                    if field.name in by_name
                    else nulls(len(elements), field.type)
                    for field in kind.value_type
                ],
                fields=list(kind.value_type),
                mask=elements.is_null(),
            )
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        offsets: Any = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        built = pa.ListArray.from_arrays(offsets, items, mask=column.is_null()).cast(kind)
        parents = np.asarray(pc.list_parent_indices(column), dtype=np.int64)
        firsts = np.asarray(offsets, dtype=np.int64)[:-1]
        names = self._names or ("",)
        told = [
            (name, _of_parents(each, parents, firsts))
            for name, each in zip(names, found, strict=True)
        ]
        return _whole(built, told)


@dataclass(frozen=True, slots=True)
class _Told:
    """Failures of the parts of rows: places within the row, besides code, row and raw."""

    failures: Sequence[Failures]
    places: Sequence[Sequence[int | None]]
    coercions: Counter[str]


def _expect(holds: bool, key: str, what: str, target: Target) -> None:  # noqa: FBT001 - a verdict
    if not holds:
        raise SourceSpecError(
            f"{key} builds {what}; the schema's field has the type {target.type}",
            key=f"fields.{target.name}",
        )


def _part_target(part: FieldMapping, target: Target) -> Target:
    place = target.type.get_field_index(part.target)
    if place < 0:
        names = ", ".join(field.name for field in target.type)
        raise SourceSpecError(
            f"the schema's field has no part {part.target!r}; it has {names}",
            key=f"fields.{target.name}",
        )
    return Target.of(target.type.field(place), integer=False)


def _lists(items: Sequence[Converted], kind: Any) -> Converted:
    """Lists of the items side by side that have a value, in their order."""
    length = len(items[0].values)
    valid = np.column_stack([_mask(item.values.is_valid()) for item in items])
    places = np.arange(length)[:, None] + np.arange(len(items)) * length
    values = pa.concat_arrays([item.values for item in items]).take(int64_array(places[valid]))
    offsets: Any = pa.array(np.append(0, np.cumsum(valid.sum(axis=1))).astype(np.int32))
    built = pa.ListArray.from_arrays(offsets, values).cast(kind)
    return _whole(built, [(str(number), item) for number, item in enumerate(items)])


def _whole(values: Array, parts: Sequence[tuple[str, Converted | _Told]]) -> Converted:
    """A column of which the rows fail that have a part that fails."""
    converted = Converted(values)
    raws: dict[int, dict[str, Any]] = {}
    codes: dict[int, str] = {}
    for name, part in parts:
        converted.coercions.update(part.coercions)
        for number, failures in enumerate(part.failures):
            rows, texts = failures.rows.to_pylist(), failures.raw.to_pylist()
            places = part.places[number] if isinstance(part, _Told) else [None] * len(rows)
            for row, raw, place in zip(rows, texts, places, strict=True):
                codes.setdefault(row, failures.code)
                steps = [str(step) for step in (place, name) if step not in (None, "")]
                prefix = "/".join(steps)
                if failures.parts:
                    for inner, value in json.loads(raw).items():
                        raws.setdefault(row, {})[f"{prefix}/{inner}"] = value
                else:
                    raws.setdefault(row, {})[prefix] = raw
    if not raws:
        return converted
    broken = np.zeros(len(values), dtype=bool)
    broken[list(raws)] = True
    converted.values = pc.if_else(pa.array(~broken), values, pa.scalar(None, values.type))
    for code in sorted(set(codes.values())):
        rows = sorted(row for row, each in codes.items() if each == code)
        raw = pa.array([json.dumps(raws[row], ensure_ascii=False) for row in rows], pa.string())
        converted.failures.append(Failures(code, pa.array(rows, pa.int64()), raw, parts=True))
    return converted


def _of_parents(
    converted: Converted, parents: NDArray[np.int64], firsts: NDArray[np.int64]
) -> _Told:
    """Failures of elements as failures of the rows they are in."""
    failures, places = [], []
    for item in converted.failures:
        elements = np.asarray(item.rows)
        rows = parents[elements]
        failures.append(Failures(item.code, int64_array(rows), item.raw))
        places.append((elements - firsts[rows]).tolist())
    return _Told(failures, places, converted.coercions)


def _mask(mask: Array) -> NDArray[np.bool_]:
    return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=bool)


def element_part(elements: Array, element: int | str) -> Array:
    """One part of each element; null where the element has none."""
    if isinstance(element, str):
        return pc.struct_field(elements, element)
    long_enough = pc.greater(pc.list_value_length(elements), element)
    if not pc.all(long_enough, min_count=0).as_py() or long_enough.null_count:
        elements = pc.if_else(
            long_enough.fill_null(False), elements, pa.scalar(None, elements.type)
        )
    return (
        pc.list_element(elements, element) if len(elements) else nulls(0, elements.type.value_type)
    )
