"""Rows of typed sources survive being kept as lines: same types, same values, same verdicts."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.decoding import decode, lines, map_all, schema_of
from tests.unit.decoding.reader_traps import TABLE_TRAPS, Trap
from tests.unit.decoding.test_tabular import arrow_stream
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import SourceSpec, identity_spec

ROWS = identity_spec("typed_rows")


def kept(table: pa.Table) -> bytes:
    """The rows of a table as the quarantine would keep them."""
    (batch,) = decode(arrow_stream(table.combine_chunks()), identity_spec("arrow"))
    return b"".join(raw + b"\n" for raw in batch.raw(range(batch.columns.num_rows)))


def again(table: pa.Table) -> pa.RecordBatch:
    (batch,) = decode(kept(table), ROWS)
    return batch.columns


INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.timestamp("ns", "UTC"), INT64),
    (pa.timestamp("us"), INT64),
    (pa.timestamp("s", "America/New_York"), INT64),
    (pa.duration("ms"), INT64),
    (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    (pa.time32("s"), st.integers(0, 86_399)),
    (pa.date32(), st.integers(-100_000, 100_000)),
    (pa.decimal128(38, 10), st.decimals(-(10**20), 10**20, places=10)),
    (pa.decimal256(50, 2), st.decimals(-(10**40), 10**40, places=2)),
    (pa.binary(), st.binary(max_size=9)),
    (pa.string(), st.text(max_size=9)),
    (pa.bool_(), st.booleans()),
    (pa.int64(), INT64),
    (pa.uint64(), st.integers(0, (1 << 64) - 1)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.list_(pa.decimal128(9, 2)), st.lists(st.decimals(-99, 99, places=2), max_size=3)),
    (
        pa.struct([("t", pa.timestamp("ns")), ("b", pa.binary())]),
        st.fixed_dictionaries({"t": st.none(), "b": st.binary(max_size=3)}),
    ),
]


@pytest.mark.parametrize(("kind", "values"), COLUMNS, ids=[str(kind) for kind, _ in COLUMNS])
@settings(max_examples=40)
@given(st.data())
def test_every_value_of_every_type_survives(
    kind: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(st.none() | values, min_size=1, max_size=5))
    whole = pa.types.is_temporal(kind)
    integers = pa.int32() if whole and kind.bit_width == 32 else pa.int64()
    column: Any = pa.array(drawn, integers).view(kind) if whole else pa.array(drawn, kind)
    found = again(pa.table({"v": column})).column("v")
    if column.null_count == len(column):
        assert found.null_count == len(found)
    elif pa.types.is_unsigned_integer(kind):
        assert found.to_pylist() == column.to_pylist()
    else:
        assert found.type == kind
        assert found.equals(column)


def test_what_cannot_be_told_from_json_is_told_by_its_type() -> None:
    table = pa.table(
        {
            "nan": [float("nan"), -0.0],
            "s": ["2024-01-01", "7"],
            "d": [Decimal("1.50"), None],
            "day": [date(2024, 1, 1), None],
        }
    )
    first, second = (json.loads(line) for line in kept(table).splitlines())
    assert first == {
        "nan": {"double": "nan"},
        "s": "2024-01-01",
        "d": {"decimal128(3, 2)": "1.50"},
        "day": {"date32[day]": 19723},
    }
    assert second == {"nan": -0.0, "s": "7", "d": None, "day": None}
    found = again(table)
    assert str(found.column("nan").to_pylist()) == "[nan, -0.0]"


@pytest.mark.parametrize("trap", TABLE_TRAPS, ids=lambda trap: trap.name)
def test_rows_that_are_read_again_get_the_same_verdicts(trap: Trap) -> None:
    document = schema_of(trap.fields, required=trap.required)
    first = map_all(trap.content, identity_spec(trap.format), document)
    (batch,) = decode(trap.content, identity_spec(trap.format))
    lines_kept = b"".join(raw + b"\n" for raw in batch.raw(range(batch.columns.num_rows)))
    then = map_all(lines_kept, ROWS, document)
    assert then.table.to_pylist() == first.table.to_pylist()
    assert then.failed == first.failed
    rows = range(first.rows)
    assert str(then.mapped[0].documents(rows)) == str(first.mapped[0].documents(rows))


def test_null_stays_whatever_the_schema_takes_it_for() -> None:
    nullable = {"type": ["integer", "null"]}
    document = schema_of({"a": {"type": "integer"}, "b": nullable}, required=("b",))
    table = pa.table({"a": pa.array([None], pa.int64()), "b": pa.array([None], pa.int64())})
    found = map_all(kept(table), ROWS, document)
    assert not found.failed
    assert found.mapped[0].documents([0]) == [{"b": None}]


def test_a_spec_reads_typed_rows_as_it_read_their_source() -> None:
    table = pa.table({"t": pa.array([1, 2**63], pa.uint64()), "p": ["1.50", "x"]})
    text = (
        "[[records]]\nname = 'r'\n[records.fields]\n"
        't = { from = "t", unit = "ns" }\np = { from = "p", cast = "number" }\n'
    )
    document = schema_of({"t": {"type": "string", "format": "date-time"}, "p": {"type": "number"}})
    specs = [SourceSpec.from_toml(f'format = "{form}"\n{text}') for form in ("arrow", "typed_rows")]
    first = map_all(arrow_stream(table), specs[0], document)
    then = map_all(kept(table), specs[1], document)
    assert first.failed == then.failed == {"t REPR_OVERFLOW": 1, "p NOT_A_NUMBER": 1}
    assert first.table.equals(then.table)


def test_lines_that_are_no_rows_are_rejected_and_rows_of_other_types_are_told() -> None:
    content = lines('{"a":1}', "[1]", "{", '{"a":{"nope":1}}', '{"a":{"binary":"?"}}', '{"a":2}')
    (batch,) = decode(content, ROWS)
    assert batch.columns.column("a").to_pylist() == [1, 2]
    assert [reject.code for reject in batch.rejects] == ["MALFORMED"] * 4
    with pytest.raises(DecodeError, match="MIXED_TYPES"):
        decode(lines('{"a":1}', '{"a":"x"}'), ROWS)


def test_any_rows_are_written_in_the_order_asked_for() -> None:
    table = pa.table({"a": [1, 2, 3], "l": [[1], None, []]})
    (batch,) = decode(arrow_stream(table), identity_spec("arrow"))
    third, first = (json.loads(line) for line in batch.raw([2, 0]))
    assert (third["a"], first["a"]) == (3, 1)
    assert set(first["l"]) == {"ipc"}
    assert batch.raw([]) == []
