"""Rows of Parquet and Arrow sources as lines of text that lose nothing.

A line is a JSON object of the row's columns. Numbers, text, booleans and null stand for themselves;
every other value stands in an object that names its Arrow type:

    {"symbol": "X", "size": 5, "ts": {"timestamp[ns, tz=UTC]": 1580380071336000001},
     "price": {"decimal128(18, 4)": "47.5000"}, "flags": {"binary": "AAE="}}

Instants, dates, times and durations are counts of their unit; lists, objects and maps are Arrow
streams in base64 (``ipc``). Null is null of any type, which is all that mapping makes of it.
"""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import any_true, int64_array, pc
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position
from tickmesh.decoding.framing import frames
from tickmesh.decoding.json_texts import json_texts, object_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh.decoding.arrow import Array

_INT64: Final = 1 << 63
_TEMPORAL: Final = re.compile(
    r"(?P<kind>timestamp|duration|time32|time64|date32|date64)"
    r"\[(?P<unit>[a-z]+)(, tz=(?P<zone>[^\]]+))?\]"
)
_DECIMAL: Final = re.compile(
    r"(?P<kind>decimal(32|64|128|256))\((?P<digits>\d+), (?P<scale>-?\d+)\)"
)
_DECIMALS: Final[dict[str, Callable[[int, int], Any]]] = {
    "decimal32": pa.decimal32,
    "decimal64": pa.decimal64,
    "decimal128": pa.decimal128,
    "decimal256": pa.decimal256,
}


def rows_as_lines(batch: pa.RecordBatch, indices: Sequence[int]) -> list[bytes]:
    """Some rows of typed columns, each as a line without its line end."""
    chosen = batch.take(int64_array(np.asarray(indices, dtype=np.int64)))
    members = [
        (name, _texts(column))
        for name, column in zip(chosen.schema.names, chosen.columns, strict=True)
    ]
    whole = object_texts(members, chosen.num_rows, null_fields=chosen.schema.names)
    lines: list[bytes] = whole.cast(pa.binary()).to_pylist()
    return lines


def decode(
    content: Iterator[bytes], *, start: Position, end: Position | None, batch_records: int
) -> Iterator[DecodedBatch]:
    """Yield batches of the columns that the lines' rows had; see ``open_decoder``.

    Raises:
        DecodeError: MIXED_TYPES when rows hold values of several types under the same name.
    """
    for frame in frames(content, start=start, end=end, batch_records=batch_records):
        rows: list[dict[str, Any]] = []
        rejects = []
        for index in range(len(frame)):
            try:
                rows.append(_read(frame.record(index)))
            except (ValueError, TypeError, RecursionError, pa.ArrowException) as error:
                rejects.append((index, "MALFORMED", f"no row as it was kept: {str(error)[:200]}"))
        kept = frame.without(rejects)
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = [_column([row.get(name) for row in rows], name) for name in names]
        batch = pa.RecordBatch.from_arrays(columns, names=names)
        yield DecodedBatch(
            start=kept.start,
            end=kept.end,
            record_count=len(kept) + len(kept.rejects),
            columns=batch,
            offsets=int64_array(kept.offsets),
            lines=int64_array(kept.lines),
            rejects=kept.rejects,
            raw=kept.raw,
        )


def _texts(column: Array) -> Array:
    """The cells of a column as they are written; null where they are null."""
    kind = column.type
    if pt.is_dictionary(kind) or pt.is_string_view(kind):
        return _texts(column.cast(kind.value_type if pt.is_dictionary(kind) else pa.string()))
    if pt.is_unsigned_integer(kind) and kind.bit_width == 64:
        return _marked(column, pc.greater(column, pa.scalar(_INT64 - 1, kind)), "uint64")
    if pt.is_floating(kind):
        doubles = column.cast(pa.float64())
        return _marked(doubles, pc.invert(pc.is_finite(doubles)), "double")
    if pt.is_decimal(kind):
        digits = pa.array(
            [None if value is None else f'"{value}"' for value in column.to_pylist()], pa.string()
        )
        return _tagged(str(kind), digits)
    if pt.is_temporal(kind) and _TEMPORAL.fullmatch(str(kind)):
        counts = column.view(pa.int32() if kind.bit_width == 32 else pa.int64())
        return _tagged(str(kind), counts.cast(pa.string()))
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind):
        return _tagged("binary", _in_base64(column.to_pylist()))
    texts = json_texts(column)
    if texts is not None:
        return texts
    streams = [
        _stream(column.slice(row, 1)) if valid else None
        for row, valid in enumerate(column.is_valid().to_pylist())
    ]
    return _tagged("ipc", _in_base64(streams))


def _marked(column: Array, mask: Array, tag: str) -> Array:
    """Numbers as they are, but for some that JSON has no word for."""
    if not any_true(mask):
        return _texts_of_numbers(column)
    words = pa.array(
        [
            None if value is None else str(value) if tag == "uint64" else f'"{value}"'
            for value in column.to_pylist()
        ],
        pa.string(),
    )
    plain = pc.if_else(mask, pa.scalar(0, column.type), column)
    return pc.if_else(mask, _tagged(tag, words), _texts_of_numbers(plain))


def _texts_of_numbers(column: Array) -> Array:
    texts = json_texts(column)
    assert texts is not None
    return texts


def _tagged(tag: str, texts: Array) -> Array:
    label = pa.scalar("{" + json.dumps(tag) + ": ")
    return pc.binary_join_element_wise(label, texts, pa.scalar("}"), pa.scalar(""))


def _in_base64(values: Sequence[bytes | None]) -> Array:
    return pa.array(
        [None if each is None else f'"{base64.b64encode(each).decode()}"' for each in values],
        pa.string(),
    )


def _read(line: bytes) -> dict[str, Any]:
    """The cells of a row: Python values, or columns of one row for values of a named type."""
    row = json.loads(line)
    if not isinstance(row, dict):
        raise TypeError("expected an object")
    return {name: _cell(value) if isinstance(value, dict) else value for name, value in row.items()}


def _cell(tagged: dict[str, Any]) -> Any:
    ((tag, value),) = tagged.items()
    if tag == "uint64":
        return pa.array([value], pa.uint64())
    if tag == "double":
        return pa.array([float(value)], pa.float64())
    if tag == "binary":
        return pa.array([base64.b64decode(value, validate=True)], pa.binary())
    if tag == "ipc":
        with pa.ipc.open_stream(base64.b64decode(value, validate=True)) as stream:
            column: Any = stream.read_next_batch().column(0)
        column.validate(full=True)
        return column
    decimal = _DECIMAL.fullmatch(tag)
    if decimal is not None:
        kind = _DECIMALS[decimal["kind"]](int(decimal["digits"]), int(decimal["scale"]))
        return pa.array([Decimal(value)], kind)
    temporal = _TEMPORAL.fullmatch(tag)
    if temporal is None:
        raise ValueError(f"no such type: {tag[:80]}")
    kind = _temporal(temporal)
    return pa.array([value], pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def _temporal(match: re.Match[str]) -> Any:
    make: Any = getattr(pa, match["kind"])
    if match["kind"] in ("date32", "date64"):
        return make()
    return make(match["unit"], match["zone"]) if match["zone"] else make(match["unit"])


def _column(values: Sequence[Any], name: str) -> Array:
    """The cells of one column; all that are not null are of one type, or numbers."""
    kinds = {
        value.type if isinstance(value, pa.Array) else _plain_type(value)
        for value in values
        if value is not None
    }
    if kinds == {pa.int64(), pa.uint64()}:
        kinds = {pa.uint64()}
    kind = next(iter(kinds), pa.null())
    try:
        if len(kinds) <= 1 and not any(isinstance(value, pa.Array) for value in values):
            return pa.array(values, kind)
        if len(kinds) == 1:
            return pa.concat_arrays(
                [
                    value if isinstance(value, pa.Array) else pa.array([value], kind)
                    for value in values
                ]
            )
    except (pa.ArrowException, OverflowError):
        pass  # an integer that is negative, among some that are beyond int64
    raise DecodeError(
        "MIXED_TYPES",
        f"the rows hold {', '.join(sorted(map(str, kinds)))} under {name!r}: read them apart",
    )


def _plain_type(value: Any) -> Any:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, str):
        return pa.string()
    raise DecodeError("MIXED_TYPES", f"a {type(value).__name__} is no value of a row")


def _stream(cell: Array) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_arrays([cell], names=["value"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
