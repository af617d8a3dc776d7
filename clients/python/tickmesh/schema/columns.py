"""What a change of version does to stored columns: keep, cast, add, drop, or impossible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.field_ids import join_path
from tickmesh.schema.field_metadata import ENCODING_KEY, SCALE_KEY
from tickmesh.schema.fields import struct_inside
from tickmesh.schema.location import MISSING, Location
from tickmesh.schema.projection import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument

_LARGEST_EXACT_INT_IN_DOUBLE = 53
_UNITS = ("s", "ms", "us", "ns")


class ColumnAction(StrEnum):
    """What happens to one column when rows of the old version are read under the new."""

    KEEP = "keep"
    CAST_EXACT = "cast_exact"
    CAST_EXACT_IF = "cast_exact_if"
    ADD = "add"
    DROP = "drop"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True)
class ColumnPlan:
    """The plan for one column.

    Attributes:
        path: Path of names (`join_path`); a list's items add no step.
        action: What happens.
        old_type: The Arrow type before, None when added.
        new_type: The Arrow type after, None when dropped.
        note: What a conditional cast depends on, or why a cast is impossible; else empty.
        names: The path as a tuple of names.
        default: What fills an added column for old rows, as JSON text; empty for null.
    """

    path: str
    action: ColumnAction
    old_type: str | None
    new_type: str | None
    note: str
    names: tuple[str, ...]
    default: str = ""


def plan_columns(old: SchemaDocument, new: SchemaDocument) -> tuple[ColumnPlan, ...]:
    """Plan every column of a pair of versions, those of the new version first.

    Raises:
        SchemaError: A version has no projection.
    """
    return tuple(_plan_fields(fields_of(old), fields_of(new), Location.root(new), ()))


def _plan_fields(
    old: Sequence[pa.Field[Any]],
    new: Sequence[pa.Field[Any]],
    place: Location,
    path: tuple[str, ...],
) -> Iterator[ColumnPlan]:
    before = {field.name: field for field in old}
    after = {field.name: field for field in new}
    for name, field in after.items():
        names = (*path, name)
        if name not in before:
            yield _added(field, place, names)
        else:
            yield from _plan_pair(before[name], field, place, names)
    for name, field in before.items():
        if name not in after:
            names = (*path, name)
            yield ColumnPlan(join_path(names), ColumnAction.DROP, str(field.type), None, "", names)


def _added(field: pa.Field[Any], place: Location, names: tuple[str, ...]) -> ColumnPlan:
    default = place.default_of(field.name)
    filled = "" if default is MISSING or default is None else canonical_json(default)
    note = "" if filled or field.nullable else "old rows have no value to give"
    return ColumnPlan(
        join_path(names), ColumnAction.ADD, None, str(field.type), note, names, default=filled
    )


def _plan_pair(
    old: pa.Field[Any], new: pa.Field[Any], place: Location, names: tuple[str, ...]
) -> Iterator[ColumnPlan]:
    import pyarrow as pa

    old_inner, new_inner = _unwrapped(old), _unwrapped(new)
    if (
        pa.types.is_struct(old_inner.type)
        and pa.types.is_struct(new_inner.type)
        and (_wrapping(old) == _wrapping(new))
    ):
        types = str(old.type), str(new.type)
        yield ColumnPlan(join_path(names), ColumnAction.KEEP, *types, "", names)
        inside, fields = struct_inside(place.child(new.name), new.type)
        yield from _plan_fields(list(old_inner.type), fields, inside, names)
        return
    if _wrapping(old) == _wrapping(new):
        action, note = cast_of(old_inner, new_inner)
    else:
        action, note = cast_of(old, new)
    yield ColumnPlan(join_path(names), action, str(old.type), str(new.type), note, names)


def _unwrapped(field: pa.Field[Any]) -> pa.Field[Any]:
    import pyarrow as pa

    inner: Any = field
    while pa.types.is_list(inner.type) or pa.types.is_map(inner.type):
        inner = _inside(inner.type)
    result: pa.Field[Any] = inner
    return result


def _inside(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_field if pa.types.is_list(kind) else kind.item_field


def _wrapping(field: pa.Field[Any]) -> tuple[str, ...]:
    import pyarrow as pa

    kinds: list[str] = []
    inner: Any = field
    while pa.types.is_list(inner.type) or pa.types.is_map(inner.type):
        is_list = pa.types.is_list(inner.type)
        kinds.append("list" if is_list else "map")
        inner = _inside(inner.type)
    return tuple(kinds)


def cast_of(old: pa.Field[Any], new: pa.Field[Any]) -> tuple[ColumnAction, str]:
    """Return how values of one Arrow field become values of another, and on what it depends."""
    old_text, new_text = _is_json(old), _is_json(new)
    if old_text or new_text:
        if old_text and new_text:
            return ColumnAction.KEEP, ""
        if new_text:
            return ColumnAction.CAST_EXACT, "each value is rendered as JSON text"
        return ColumnAction.CAST_EXACT_IF, "if every JSON text holds a value of the new type"
    if _scale(old) != _scale(new):
        return _rescaled(old, new)
    if old.type == new.type:
        return ColumnAction.KEEP, ""
    return _cast(old.type, new.type)


def _is_json(field: pa.Field[Any]) -> bool:
    return (field.metadata or {}).get(ENCODING_KEY) == b"json"


def _scale(field: pa.Field[Any]) -> int | None:
    scale = (field.metadata or {}).get(SCALE_KEY)
    return None if scale is None else int(scale)


def _rescaled(old: pa.Field[Any], new: pa.Field[Any]) -> tuple[ColumnAction, str]:
    import pyarrow as pa

    for field in (old, new):
        kind = field.type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            return ColumnAction.IMPOSSIBLE, f"{old.type} is no number that could be scaled"
    return ColumnAction.CAST_EXACT_IF, "if every value fits the new scale without rounding"


def _cast(old: Any, new: Any) -> tuple[ColumnAction, str]:
    import pyarrow as pa

    types = pa.types
    if types.is_null(old):
        return ColumnAction.CAST_EXACT, ""
    if _is_text(old) and _is_text(new):
        return _cast_text(old, new)
    if _is_text(old) and types.is_binary(new):
        return ColumnAction.CAST_EXACT_IF, "if every text is base64"
    if types.is_binary(old) and _is_text(new):
        return ColumnAction.CAST_EXACT, "each value is written as base64"
    if _is_number(old) and _is_number(new):
        return _cast_number(old, new)
    if types.is_timestamp(old) and types.is_timestamp(new):
        return _cast_timestamp(old, new)
    if (types.is_time(old) and types.is_time(new)) or (
        types.is_duration(old) and types.is_duration(new)
    ):
        return _cast_clock(old, new)
    if (types.is_timestamp(old) or types.is_date(old)) and _is_text(new):
        return ColumnAction.CAST_EXACT_IF, "the instant is kept, as RFC 3339 text"
    if _is_text(old) and (types.is_timestamp(new) or types.is_date(new)):
        return ColumnAction.CAST_EXACT_IF, "if every text is an instant the type can hold"
    return ColumnAction.IMPOSSIBLE, f"{old} cannot become {new} without changing its meaning"


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _digits(kind: Any) -> tuple[int, int] | None:
    """Return the integral digits and the fraction digits a type surely holds or may hold."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    if pa.types.is_integer(kind):
        return len(str(2 ** (kind.bit_width - (not _is_unsigned(kind))))), 0
    return None


def _is_unsigned(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_unsigned_integer(kind))


def _cast_number(old: Any, new: Any) -> tuple[ColumnAction, str]:
    import pyarrow as pa

    types = pa.types
    if types.is_integer(old) and types.is_integer(new):
        wider = new.bit_width > old.bit_width
        if wider and (_is_unsigned(old) or not _is_unsigned(new)):
            return ColumnAction.CAST_EXACT, ""
        return ColumnAction.CAST_EXACT_IF, f"if every value fits {new}"
    if types.is_floating(old) and types.is_floating(new):
        if new.bit_width > old.bit_width:
            return ColumnAction.CAST_EXACT, ""
        return ColumnAction.CAST_EXACT_IF, f"if every value is exact in {new}"
    if types.is_integer(old) and types.is_floating(new):
        if old.bit_width < (32 if new.bit_width == 64 else 24) or (
            new.bit_width == 64 and old.bit_width == 32
        ):
            return ColumnAction.CAST_EXACT, ""
        bits = _LARGEST_EXACT_INT_IN_DOUBLE if new.bit_width == 64 else 24
        return ColumnAction.CAST_EXACT_IF, f"if every value lies within ±2^{bits}"
    before, after = _digits(old), _digits(new)
    if before and after and before[0] <= after[0] and before[1] <= after[1]:
        return ColumnAction.CAST_EXACT, ""
    return ColumnAction.CAST_EXACT_IF, f"if every value is exact in {new}"


def _cast_timestamp(old: Any, new: Any) -> tuple[ColumnAction, str]:
    if (old.tz is None) != (new.tz is None):
        return ColumnAction.IMPOSSIBLE, "one side has no time zone, so the instants are unknown"
    if old.unit == new.unit:
        return ColumnAction.CAST_EXACT, ""
    if _UNITS.index(new.unit) > _UNITS.index(old.unit):
        return ColumnAction.CAST_EXACT_IF, f"if every instant lies in the range of {new}"
    return ColumnAction.CAST_EXACT_IF, f"if every instant is a whole number of {new.unit}"


def _cast_clock(old: Any, new: Any) -> tuple[ColumnAction, str]:
    import pyarrow as pa

    if _UNITS.index(new.unit) < _UNITS.index(old.unit):
        return ColumnAction.CAST_EXACT_IF, f"if every value is a whole number of {new.unit}"
    if pa.types.is_time(new):
        return ColumnAction.CAST_EXACT, ""  # a day fits in every unit
    return ColumnAction.CAST_EXACT_IF, f"if every value lies in the range of {new}"


def _cast_text(old: Any, new: Any) -> tuple[ColumnAction, str]:
    import pyarrow as pa

    if not pa.types.is_dictionary(new):
        return ColumnAction.CAST_EXACT, ""
    bits = new.index_type.bit_width
    if bits >= 32 or (pa.types.is_dictionary(old) and old.index_type.bit_width <= bits):
        return ColumnAction.CAST_EXACT, ""
    return ColumnAction.CAST_EXACT_IF, f"if at most {2 ** (bits - 1)} different values occur"
