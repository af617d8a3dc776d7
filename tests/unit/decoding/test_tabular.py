"""Parquet and Arrow: typed columns, cut by row, checked before anything trusts them."""

from __future__ import annotations

import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.decoding import decode, map_all, schema_of
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import SourceSpec, identity_spec

TABLE = pa.table(
    {"a": pa.array(range(1_000)), "b": pa.array([str(number) for number in range(1_000)])}
)
INSTANT = {"type": "string", "format": "date-time"}


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)  # type: ignore[arg-type]
    return sink.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=130)
    return sink.getvalue().to_pybytes()


def arrow_stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=130)
    return sink.getvalue().to_pybytes()


SOURCES = {
    "parquet": lambda table: parquet(table, row_group_size=130),
    "arrow": arrow_file,
    "arrow stream": arrow_stream,
}


def one_field(form: str, mapping: str) -> SourceSpec:
    return SourceSpec.from_toml(
        f'format = "{form}"\n[[records]]\nname = "r"\n[records.fields]\n{mapping}\n'
    )


@pytest.mark.parametrize("name", SOURCES)
def test_batches_are_cut_by_row_and_come_out_the_same_again(name: str) -> None:
    content = SOURCES[name](TABLE)
    spec = identity_spec(name.split(maxsplit=1)[0])
    found = decode(content, spec, batch_records=300)
    assert [batch.record_count for batch in found] == [300, 300, 300, 100]
    assert pa.Table.from_batches([batch.columns for batch in found]).equals(TABLE)
    for batch in found:
        (again,) = decode(content, spec, start=batch.start, end=batch.end, batch_records=300)
        assert again.columns.equals(batch.columns)
        assert again.offsets.to_pylist() == batch.offsets.to_pylist()
    assert found[1].raw([2]) == [b'{"a": 302, "b": "302"}']


@pytest.mark.parametrize("name", SOURCES)
def test_a_truncated_file_is_corrupt(name: str) -> None:
    content = SOURCES[name](TABLE)
    with pytest.raises(DecodeError) as caught:
        decode(content[: len(content) // 2], identity_spec(name.split(maxsplit=1)[0]))
    assert caught.value.code == "CORRUPT"


def test_buffers_from_outside_are_checked() -> None:
    text = pa.StringArray.from_buffers(
        1, pa.py_buffer(b"\x00\x00\x00\x00\x01\x00\x00\x00"), pa.py_buffer(b"\xff")
    )
    with pytest.raises(DecodeError, match="CORRUPT"):
        decode(arrow_stream(pa.table({"a": text})), identity_spec("arrow"))


def test_values_become_the_schemas_types_only_where_nothing_is_lost() -> None:
    table = pa.table(
        {
            "i": pa.array([1.0, 1.5, float("nan"), None]),
            "f": pa.array([1, 2**53 + 1, 3, None]),
            "d": pa.array([0.1, 1.05, 1.005, None]),
            "t": pa.array([1, 2, 3, None], pa.timestamp("us", "America/New_York")),
            "s": pa.array(["a", "b", None, "a"]).dictionary_encode(),
            "n": pa.array(["1", "2", "3", "4"]),
        }
    )
    document = schema_of(
        {
            "i": {"type": "integer"},
            "f": {"type": "number"},
            "d": {"type": "number", "arrow": "decimal128(10, 2)"},
            "t": INSTANT,
            "s": {"type": "string"},
            "n": {"type": "integer"},
        }
    )
    found = map_all(parquet(table), identity_spec("parquet"), document)
    rows = found.table
    assert rows.column("i").to_pylist() == [1, None, None, None]
    assert rows.column("f").to_pylist() == [1.0, float(2**53), 3.0, None]
    assert rows.column("d").to_pylist() == [Decimal("0.10"), Decimal("1.05"), None, None]
    assert rows.column("t").cast(pa.int64()).to_pylist() == [1_000, 2_000, 3_000, None]
    assert rows.column("s").to_pylist() == ["a", "b", None, "a"]
    assert rows.column("n").to_pylist() == [None] * 4
    assert found.failed == {
        "i NOT_AN_INTEGER": 1,
        "i NONFINITE": 1,
        "d REPR_PRECISION": 1,
        "n NOT_A_NUMBER": 4,
    }
    assert found.coercions["INTEGRAL_NUMBER"] == 1
    assert found.coercions["ROUNDED_TO_DOUBLE"] == 1
    assert found.mapped[0].documents([0])[0]["n"] == "1"


def test_times_without_a_zone_are_refused_until_the_spec_names_one() -> None:
    table = pa.table({"t": pa.array([0], pa.timestamp("ms"))})
    document = schema_of({"t": INSTANT})
    found = map_all(parquet(table), identity_spec("parquet"), document)
    assert found.failed == {"t NOT_A_TIME": 1}
    spec = one_field("parquet", 't = { from = "t", zone = "America/New_York" }')
    found = map_all(parquet(table), spec, document)
    assert found.table.column("t").cast(pa.int64()).to_pylist() == [5 * 3600 * 10**9]


def test_unsigned_nanoseconds_that_no_timestamp_can_hold_fail_alone() -> None:
    table = pa.table({"t": pa.array([1, 2**63], pa.uint64())})
    spec = one_field("parquet", 't = { from = "t", unit = "ns" }')
    found = map_all(parquet(table), spec, schema_of({"t": INSTANT}))
    assert found.failed == {"t REPR_OVERFLOW": 1}
    assert found.table.column("t").null_count == 1


def test_a_column_the_spec_reads_must_be_there() -> None:
    spec = one_field("parquet", 't = { from = "nope" }')
    with pytest.raises(DecodeError, match="reads 'nope'; the file has a, b") as caught:
        decode(parquet(TABLE), spec)
    assert caught.value.code == "MISSING_COLUMN"


def nested(depth: int) -> pa.DataType:
    kind: pa.DataType = pa.int8()
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ([(f"c{number}", pa.int8()) for number in range(4_097)], "TOO_MANY_COLUMNS"),
        ([("s", pa.struct([(str(n), pa.int8()) for n in range(20_000)]))], "TOO_MANY_COLUMNS"),
        ([("deep", nested(40))], "TOO_DEEP"),
        ([("a", pa.int8()), ("a", pa.int8())], "DUPLICATE_COLUMN"),
    ],
)
def test_schemas_without_bounds_are_refused_before_anything_is_read(
    columns: list[tuple[str, pa.DataType]], code: str
) -> None:
    schema = pa.schema(columns)
    with pytest.raises(DecodeError) as caught:
        decode(arrow_stream(schema.empty_table()), identity_spec("arrow"))
    assert caught.value.code == code


def test_encodings_are_undone_without_changing_a_value_and_counted() -> None:
    table = pa.table(
        {
            "v": pa.array(["a", None], pa.string_view()),
            "d": pa.array(["a", "b"]).dictionary_encode(),
            "plain": ["x", "y"],
        }
    )
    document = schema_of({name: {"type": "string"} for name in ("v", "d", "plain")})
    found = map_all(arrow_stream(table), identity_spec("arrow"), document)
    assert found.table.to_pylist() == [
        {"v": "a", "d": "a", "plain": "x"},
        {"v": None, "d": "b", "plain": "y"},
    ]
    assert found.coercions["ENCODING_UNDONE"] == 3
