"""Columns of a pandas frame as Arrow columns: the values as they are, or a refusal by row.

Arrow guesses the type of a column of Python objects from its values, and some guesses lose: the
nanoseconds of Timestamps, the time of datetimes that follow a date, the zone of some datetimes
among others. Such columns are looked at first.
"""

from __future__ import annotations

import datetime as dt
import numbers
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd

    ArrowColumn: TypeAlias = pa.Array[Any] | pa.ChunkedArray[Any]

_UNIFORM = frozenset({"string", "bytes", "floating", "boolean", "decimal", "empty"})
_WHOLE = "integer"
_EXTENSIONS = {
    "period": ".dt.to_timestamp()",
    "interval": "two columns, .array.left and .array.right",
    "complex": "two columns, .real and .imag",
}


def table_of_pandas(frame: pd.DataFrame) -> pa.Table:
    """The columns of a frame, and the named levels of its index before them.

    An index without a name numbers the rows and is left out.

    Raises:
        InvalidArgumentError: a column mixes types or has one that Arrow lacks, two have one name,
            or times stand in an index without a name.
    """
    columns: dict[str, Any] = {}
    for name, column in (*_index_columns(frame), *frame.items()):
        if str(name) in columns:
            raise InvalidArgumentError(
                f"two columns are named '{name}'; give each a name of its own.",
                metadata={"column": str(name)},
            )
        columns[str(name)] = _arrow_column(str(name), column)
    return pa.table(columns)


def _index_columns(frame: pd.DataFrame) -> list[tuple[Any, pd.Series[Any]]]:
    named = []
    for level, name in enumerate(frame.index.names):
        values = frame.index.get_level_values(level)
        if name is not None:
            named.append((name, values.to_series(index=frame.index)))
        elif values.dtype.kind == "M":
            raise InvalidArgumentError(
                "the index holds times and has no name; name it after its column, as in "
                'df.index.name = "ts", or leave it out with df.reset_index(drop=True).'
            )
    return [(name, values) for name, values in named if name not in frame.columns]


def _arrow_column(name: str, column: pd.Series[Any]) -> ArrowColumn:
    kind = str(column.dtype)
    for beginning, instead in _EXTENSIONS.items():
        if kind.startswith(beginning):
            raise InvalidArgumentError(
                f"column '{name}' is of pandas' type {kind}, which has no counterpart; make it "
                f"{instead}.",
                metadata={"column": name},
            )
    if kind.startswith("Sparse"):
        sparse: Any = column.sparse  # the stubs do not know its accessor
        column = sparse.to_dense()
    try:
        if kind == "object":
            return _of_objects(name, column)
        found: Any = _array(column)
    except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
        raise InvalidArgumentError(
            f"column '{name}' ({kind}) cannot become an Arrow column: {error}",
            metadata={"column": name},
        ) from error
    if pt.is_dictionary(found.type) and not _is_text(found.type.value_type):
        found = found.cast(found.type.value_type)
    arrow: ArrowColumn = found
    return arrow


def _array(values: Any, kind: pa.DataType | None = None) -> ArrowColumn:
    found: ArrowColumn = pa.array(values, kind, from_pandas=True)
    return found


def _is_text(kind: pa.DataType) -> bool:
    return pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind)


def _of_objects(name: str, column: pd.Series[Any]) -> ArrowColumn:
    import pandas as pd

    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred == _WHOLE:
        return _integers(column)
    if inferred not in _UNIFORM:
        _refuse_mixed(name, column)
    if inferred in {"datetime", "datetime64"}:
        # Arrow reads Timestamps among objects to the microsecond.
        return _array(pd.to_datetime(column))
    return _array(column)


def _integers(column: pd.Series[Any]) -> ArrowColumn:
    try:
        return _array(column, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        return _array(column, pa.uint64())


def _refuse_mixed(name: str, column: pd.Series[Any]) -> None:
    """Raise for the first value of another kind than the column's first; a slow path."""
    import pandas as pd

    first: tuple[str, int] | None = None
    for row, value in enumerate(column):
        if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 — the test for NaN
            continue
        kind = _kind(value)
        if first is None:
            first = kind, row
        elif kind != first[0]:
            raise InvalidArgumentError(
                f"column '{name}' mixes types: {first[0]} in row {first[1]}, {kind} "
                f"({value!r:.60}) in row {row}. Make it one type: "
                f'df["{name}"] = df["{name}"].astype(...).',
                metadata={"column": name, "row": str(row)},
            )


def _kind(value: object) -> str:
    """What a value is, in words; values of one kind become one Arrow type without loss."""
    match value:
        case dt.datetime():
            return "datetime without a zone" if value.tzinfo is None else "datetime with a zone"
        case bool():
            return "bool"
        case Decimal():
            return "Decimal"
        case numbers.Real():
            return "number"
        case _:
            return type(value).__name__
