"""Matches what a producer sends to the columns of a schema version, by name and without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh_tickstore.errors import ColumnsRefusedError, InvalidRowsError, NaiveTimestampError

if TYPE_CHECKING:
    from collections.abc import Callable

# The stubs know what a type or an array has by its class; here it is known by a predicate.
AnyArray: TypeAlias = Any
AnyType: TypeAlias = Any

_CONVERSION_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError)
_COUNTED_ROWS = 1_000
"""Rows that cannot be changed without loss are counted up to here."""


@dataclass(frozen=True)
class ColumnChange:
    """One lossless change made to a column on its way in.

    Attributes:
        column: The column's name.
        change: What is done, for people: `int32 → int64`, `reordered`, `absent → null`.
    """

    column: str
    change: str


@dataclass(frozen=True)
class ColumnMatching:
    """How batches of one incoming schema become batches of a schema version.

    Attributes:
        projection: The columns of the schema version, in its order.
        changes: What `apply` changes, for people; empty when no value is touched.
        identical: Whether batches are of the schema version as they come.
    """

    projection: pa.Schema
    changes: tuple[ColumnChange, ...]
    identical: bool
    _sources: tuple[int | None, ...]
    _converters: tuple[Callable[[AnyArray], AnyArray] | None, ...]

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns the batch under the projection, copying only the columns that change.

        Raises:
            InvalidRowsError: a value does not fit the column's type without loss.
        """
        if self.identical:
            return batch
        if not self.changes:
            # Nullability alone differs; whether there are nulls is the judge's question.
            return pa.RecordBatch.from_arrays(batch.columns, schema=self.projection)
        columns: list[AnyArray] = []
        for field, source, converter in zip(
            self.projection, self._sources, self._converters, strict=True
        ):
            if source is None:
                columns.append(pa.nulls(batch.num_rows, field.type))
                continue
            column = batch.column(source)
            if converter is not None:
                try:
                    column = converter(column)
                except _CONVERSION_ERRORS as error:
                    raise _does_not_fit(field, column, converter) from error
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=self.projection)


def match_columns(
    incoming: pa.Schema, projection: pa.Schema, *, label: str, naive_time_zone: str = ""
) -> ColumnMatching:
    """Decides once per stream how its columns become those of a schema version.

    Args:
        incoming: The schema of the stream.
        projection: The schema version's columns.
        label: The version as people name it, for messages: `ticks.trades version 3`.
        naive_time_zone: The IANA zone that zone-less timestamps are read in; refused when empty.

    Raises:
        NaiveTimestampError: the only fault is timestamps without a zone.
        ColumnsRefusedError: columns are missing, unknown, twice there, or of other types.
    """
    faults: list[tuple[str, str]] = []
    naive: list[tuple[str, str]] = []
    positions: dict[str, int] = {}
    for position, field in enumerate(incoming):
        if field.name in positions:
            faults.append((field.name, f"Column '{field.name}' is there twice; send it once."))
        positions.setdefault(field.name, position)
    faults.extend(
        (name, _unknown(name, label)) for name in positions if projection.get_field_index(name) < 0
    )
    changes: list[ColumnChange] = []
    sources: list[int | None] = []
    converters: list[Callable[[AnyArray], AnyArray] | None] = []
    for place, field in enumerate(projection):
        source = positions.get(field.name)
        sources.append(source)
        converter: Callable[[AnyArray], AnyArray] | None = None
        if source is None:
            if not field.nullable:
                faults.append((field.name, _missing(field, label)))
            changes.append(ColumnChange(field.name, "absent → null"))
        else:
            came = incoming.field(source).type
            if came.equals(field.type):
                if source != place:
                    changes.append(ColumnChange(field.name, "reordered"))
            elif _is_naive(came) and _is_instant(field.type):
                if naive_time_zone:
                    converter = _localiser(field.type, naive_time_zone)
                    changes.append(
                        ColumnChange(field.name, f"{came} in {naive_time_zone} → {field.type}")
                    )
                else:
                    naive.append((field.name, _naive(field.name, came)))
            elif (converter := lossless_converter(came, field.type)) is not None:
                changes.append(ColumnChange(field.name, f"{came} → {field.type}"))
            else:
                faults.append((field.name, _lossy(field, came, label)))
        converters.append(converter)
    if faults or naive:
        _refuse(faults, naive, label)
    return ColumnMatching(
        projection=projection,
        changes=tuple(changes),
        identical=incoming.equals(projection),
        _sources=tuple(sources),
        _converters=tuple(converters),
    )


def lossless_converter(came: AnyType, wanted: AnyType) -> Callable[[AnyArray], AnyArray] | None:
    """The conversion between two different types that keeps every value, or None.

    Where the types alone do not decide (int64 into int8), the conversion itself refuses a batch
    that holds a value which would change.
    """
    if pt.is_dictionary(wanted):
        return _to_dictionary(came, wanted)
    if pt.is_dictionary(came):
        if came.value_type.equals(wanted) or lossless_converter(came.value_type, wanted):
            return _decoder(wanted)
        return None
    if pt.is_struct(wanted):
        return _to_struct(came, wanted)
    if _casts_exactly(came, wanted):
        return _caster(wanted)
    return None


def _casts_exactly(came: AnyType, wanted: AnyType) -> bool:
    """Whether Arrow's checked cast between the types keeps every value or fails."""
    if pt.is_null(came) or came.equals(wanted):
        return True
    if _is_list(came) and _is_list(wanted):
        return _casts_exactly(came.value_type, wanted.value_type)
    if pt.is_decimal(wanted):
        if pt.is_integer(came):
            return True
        # A decimal may gain digits on either side of the point but lose none.
        return (
            pt.is_decimal(came)
            and came.scale <= wanted.scale
            and came.precision - came.scale <= wanted.precision - wanted.scale
        )
    if pt.is_floating(wanted):
        return pt.is_integer(came) or (pt.is_floating(came) and came.bit_width < wanted.bit_width)
    families: tuple[Callable[[AnyType], bool], ...] = (
        _is_text,
        _is_bytes,
        pt.is_integer,
        _is_instant,
        pt.is_date,
        pt.is_time,
        pt.is_duration,
    )
    return any(family(came) and family(wanted) for family in families)


def _is_text(data_type: AnyType) -> bool:
    return bool(
        pt.is_string(data_type) or pt.is_large_string(data_type) or pt.is_string_view(data_type)
    )


def _is_bytes(data_type: AnyType) -> bool:
    return bool(
        pt.is_binary(data_type) or pt.is_large_binary(data_type) or pt.is_binary_view(data_type)
    )


def _is_list(data_type: AnyType) -> bool:
    return bool(pt.is_list(data_type) or pt.is_large_list(data_type))


def _is_instant(data_type: AnyType) -> bool:
    return bool(pt.is_timestamp(data_type)) and data_type.tz is not None


def _is_naive(data_type: AnyType) -> bool:
    return bool(pt.is_timestamp(data_type)) and data_type.tz is None


def _caster(wanted: AnyType) -> Callable[[AnyArray], AnyArray]:
    def convert(array: AnyArray) -> AnyArray:
        return array.cast(wanted)

    return convert


def _decoder(wanted: AnyType) -> Callable[[AnyArray], AnyArray]:
    def convert(array: AnyArray) -> AnyArray:
        decoded = array.dictionary_decode()
        return decoded if decoded.type.equals(wanted) else decoded.cast(wanted)

    return convert


def _localiser(wanted: AnyType, zone: str) -> Callable[[AnyArray], AnyArray]:
    def convert(array: AnyArray) -> AnyArray:
        localised: AnyArray = pc.assume_timezone(array.cast(pa.timestamp(wanted.unit)), zone)
        return localised.cast(wanted)

    return convert


def _to_dictionary(came: AnyType, wanted: AnyType) -> Callable[[AnyArray], AnyArray] | None:
    values = came.value_type if pt.is_dictionary(came) else came
    if not _casts_exactly(values, wanted.value_type):
        return None

    def convert(array: AnyArray) -> AnyArray:
        encoded = array if pt.is_dictionary(array.type) else array.dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            encoded.indices.cast(wanted.index_type),
            encoded.dictionary.cast(wanted.value_type),
            ordered=wanted.ordered,
        )

    return convert


def _to_struct(came: AnyType, wanted: AnyType) -> Callable[[AnyArray], AnyArray] | None:
    if pt.is_null(came):
        return _caster(wanted)
    if not pt.is_struct(came):
        return None
    inner = pa.schema(list(came))
    if {field.name for field in came} - {field.name for field in wanted}:
        return None
    plan: list[tuple[int, AnyType, Callable[[AnyArray], AnyArray] | None]] = []
    for field in wanted:
        position = inner.get_field_index(field.name)
        if position < 0:
            if not field.nullable:
                return None
            plan.append((position, field.type, None))
            continue
        converter = None
        if not inner.field(position).type.equals(field.type):
            converter = lossless_converter(inner.field(position).type, field.type)
            if converter is None:
                return None
        plan.append((position, field.type, converter))

    def convert(array: AnyArray) -> AnyArray:
        children: list[AnyArray] = []
        for position, data_type, converter in plan:
            if position < 0:
                children.append(pa.nulls(len(array), data_type))
                continue
            child = array.field(position)
            children.append(child if converter is None else converter(child))
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())

    return convert


def _unknown(name: str, label: str) -> str:
    if name.startswith("__index_level_"):
        return (
            f"Column '{name}' is a pandas index, not data; "
            "send pa.Table.from_pandas(df, preserve_index=False)."
        )
    return (
        f"Column '{name}' is not in {label}; drop it: table.drop_columns([{name!r}]), "
        "or register a version that has it: tickmesh schema register."
    )


def _missing(field: Any, label: str) -> str:
    return (
        f"Column '{field.name}' ({field.type}) is required by {label} and missing; add it, or name "
        'the version the rows were made for: schema.with_metadata({"tickmesh.version": "…"}).'
    )


def _naive(name: str, came: AnyType) -> str:
    return (
        f"Column '{name}' is {came} without a time zone; localise it: "
        f'df["{name}"] = df["{name}"].dt.tz_localize("UTC") in pandas, '
        f'.dt.replace_time_zone("UTC") in polars, pc.assume_timezone(table["{name}"], "UTC") '
        "in pyarrow; or create the dataset with a naive_time_zone."
    )


def _lossy(field: Any, came: AnyType, label: str) -> str:
    return (
        f"Column '{field.name}' came as {came}; {label} wants {field.type}, and the change would "
        f"not keep every value. Send {field.type}: cast it where it is made."
    )


def _refuse(faults: list[tuple[str, str]], naive: list[tuple[str, str]], label: str) -> None:
    violations = [*faults, *naive]
    more = f" ({len(violations) - 1} more columns at fault.)" if len(violations) > 1 else ""
    raised = ColumnsRefusedError if faults else NaiveTimestampError
    raise raised(
        violations[0][1] + more,
        metadata={"columns": ",".join(name for name, _ in violations), "schema": label},
        violations=violations,
    )


def _does_not_fit(
    field: Any, column: AnyArray, converter: Callable[[AnyArray], AnyArray]
) -> InvalidRowsError:
    rows = _failing_rows(column, converter)
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    if len(rows) == _COUNTED_ROWS:
        count = f"at least {count}"
    message = (
        f"Column '{field.name}': {count} cannot become {field.type} from {column.type} without "
        f"loss (first: row {rows[0]}). Correct the values, or send the column as it is declared."
    )
    return InvalidRowsError(
        message,
        metadata={
            "column": field.name,
            "rule": "LOSSLESS_CHANGE",
            "rows": str(len(rows)),
            "firstBadRow": str(rows[0]),
        },
        violations=[(field.name, message)],
    )


def _failing_rows(column: AnyArray, converter: Callable[[AnyArray], AnyArray]) -> list[int]:
    """The rows a conversion fails on, found by halving: only for columns known to fail."""
    found: list[int] = []
    parts = [(0, len(column))]
    while parts and len(found) < _COUNTED_ROWS:
        start, stop = parts.pop()
        try:
            converter(column.slice(start, stop - start))
        except _CONVERSION_ERRORS:
            if stop - start == 1:
                found.append(start)
            else:
                middle = (start + stop) // 2
                parts += [(middle, stop), (start, middle)]
    return found or [0]
