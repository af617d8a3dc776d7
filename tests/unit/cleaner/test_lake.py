"""A Parquet dataset is partitioned as asked and read by programs nobody here wrote."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from tests.unit.cleaner.parts import schema_version
from tickmesh_cleaner.domain.errors import InvalidSinkError
from tickmesh_cleaner.sinks.lake import LakeRoots
from tickmesh_cleaner.sinks.parquet import ParquetSink
from tickmesh_cleaner.sinks.partitioning import MOST_PARTITIONS, Partitioning

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh.registered import RegisteredSchema

FIRST = """{"type": "object", "required": ["ts", "symbol"], "properties": {
    "ts": {"type": "string", "format": "date-time"}, "symbol": {"type": "string"},
    "price": {"type": "number"}}}"""
SECOND = FIRST.replace('"price"', '"venue": {"enum": ["XNYS"]}, "price"')
NIGHT = 1_700_006_399_999_999_999
"""One nanosecond before a midnight of UTC."""


def sink_of(root: Path, *columns: str, subject: str = "ticks") -> ParquetSink:
    return ParquetSink(
        LakeRoots([root]).place("trades"),
        partitioning=Partitioning(columns),
        subject=subject,
        source="digest",
    )


def rows_of(schema: RegisteredSchema, symbols: list[str]) -> pa.RecordBatch:
    values: dict[str, Any] = {
        "ts": pa.array([NIGHT + n for n in range(len(symbols))], pa.timestamp("ns", "UTC")),
        "symbol": symbols,
        "price": [float(n) for n in range(len(symbols))],
        "venue": ["XNYS"] * len(symbols),
    }
    return pa.RecordBatch.from_pydict({name: values[name] for name in schema.arrow_schema.names})


def write(sink: ParquetSink, n: int, schema: RegisteredSchema, symbols: list[str]) -> None:
    answer = sink.write(n, rows_of(schema, symbols), schema=schema, start=f"{n}", end=f"{n + 1}")
    answer.result(30)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two versions of rows on both sides of midnight, partitioned by day and symbol."""
    sink = sink_of(tmp_path, "ts", "symbol")
    sink.open("producer")
    write(sink, 1, schema_version(FIRST, 1, subject="ticks"), ["A/B", "007", "A/B"])
    write(sink, 2, schema_version(SECOND, 2, subject="ticks"), ["007"])
    sink.close()
    return tmp_path


def test_directories_are_days_and_values_and_the_order_of_rows_is_kept(lake: Path) -> None:
    found = {str(path.relative_to(lake / "trades")) for path in lake.glob("trades/**/*.parquet")}
    assert found == {
        "ts_day=2023-11-14/symbol=A%2FB/producer-0000000001.parquet",
        "ts_day=2023-11-15/symbol=007/producer-0000000001.parquet",
        "ts_day=2023-11-15/symbol=A%2FB/producer-0000000001.parquet",
        "ts_day=2023-11-14/symbol=007/producer-0000000002.parquet",
    }
    flat = sink_of(lake / "flat")
    (lake / "flat").mkdir()
    flat.open("producer")
    write(flat, 1, schema_version(FIRST, 1, subject="ticks"), ["c", "a", "b"])
    flat.close()
    (path,) = (lake / "flat").glob("trades/*.parquet")
    assert pq.ParquetFile(path).read()["symbol"].to_pylist() == ["c", "a", "b"]


def test_every_file_says_what_it_holds_and_every_row_whence_it_came(lake: Path) -> None:
    (path,) = lake.glob("trades/**/producer-0000000002.parquet")
    file = pq.ParquetFile(path)
    metadata = file.schema_arrow.metadata
    assert metadata[b"tickmesh.subject"] == b"ticks"
    assert metadata[b"tickmesh.version"] == b"2"
    assert (metadata[b"tickmesh.producer_id"], metadata[b"tickmesh.sequence"]) == (
        b"producer",
        b"2",
    )
    assert (metadata[b"tickmesh.source_start"], metadata[b"tickmesh.source_end"]) == (b"2", b"3")
    (row,) = file.read().to_pylist()
    assert (row["_schema_version"], row["_producer_id"], row["_sequence"]) == (2, "producer", 2)


def test_pyarrow_reads_both_versions_under_the_common_schema(lake: Path) -> None:
    schema = pq.read_schema(lake / ".tickmesh" / "trades" / "_common_metadata")
    columns = pa.schema([*schema, pa.field("symbol", pa.string())])
    table = pa.dataset.dataset(lake / "trades", schema=columns, partitioning="hive").to_table()
    rows = sorted(zip(table["_sequence"].to_pylist(), table["symbol"].to_pylist(), strict=True))
    assert rows == [(1, "007"), (1, "A/B"), (1, "A/B"), (2, "007")]
    assert table["venue"].drop_null().to_pylist() == ["XNYS"]
    assert table["ts"].type == pa.timestamp("ns", "UTC")


def test_duckdb_and_polars_read_the_dataset_as_it_lies_there(lake: Path) -> None:
    files = f"{lake}/trades/**/*.parquet"
    query = (
        "SELECT symbol, ts_day, count(*), max(venue) "
        f"FROM read_parquet('{files}', hive_partitioning = true, union_by_name = true, "
        "hive_types = {'symbol': VARCHAR, 'ts_day': DATE}) GROUP BY ALL ORDER BY ALL"
    )
    with duckdb.connect() as connection:
        assert connection.execute(query).fetchall() == [
            ("007", date(2023, 11, 14), 1, "XNYS"),
            ("007", date(2023, 11, 15), 1, None),
            ("A/B", date(2023, 11, 14), 1, None),
            ("A/B", date(2023, 11, 15), 1, None),
        ]
    frame = pl.scan_parquet(
        lake / "trades", hive_partitioning=True, missing_columns="insert", extra_columns="ignore"
    ).collect()
    assert sorted(frame["symbol"].to_list()) == ["007", "007", "A/B", "A/B"]
    assert frame["ts"].dtype == pl.Datetime("ns", "UTC")
    assert frame["ts"].min() == datetime(2023, 11, 14, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_batch_cut_off_halfway_is_written_again_over_itself(tmp_path: Path) -> None:
    """Whatever stands there of a batch that the producer's state does not know is the same."""
    schema = schema_version(FIRST, 1, subject="ticks")
    sink = sink_of(tmp_path, "symbol")
    sink.open("producer")
    write(sink, 1, schema, ["a", "b"])
    state = tmp_path / ".tickmesh" / "trades" / "producer.json"
    before = state.read_bytes()
    write(sink, 2, schema, ["a", "b"])
    sink.close()
    state.write_bytes(before)
    next(tmp_path.glob("trades/symbol=b/producer-0000000002.parquet")).unlink()
    successor = sink_of(tmp_path, "symbol")
    assert successor.open("producer").last_n == 1
    write(successor, 2, schema, ["a", "b"])
    successor.close()
    assert pa.dataset.dataset(tmp_path / "trades").count_rows() == 4


def test_what_would_spoil_a_dataset_is_refused(lake: Path) -> None:
    schema = schema_version(FIRST, 1, subject="ticks")
    for other in (sink_of(lake, "symbol"), sink_of(lake, "ts", "symbol", subject="quotes")):
        with pytest.raises(InvalidSinkError, match="use another directory"):
            other.open("producer")
    with pytest.raises(InvalidSinkError, match="inside another"):
        LakeRoots([lake]).place("trades/ts_day=2023-11-14")
    crowded = sink_of(lake, "ts", "symbol")
    crowded.open("other")
    with pytest.raises(InvalidSinkError, match="partitions"):
        write(crowded, 1, schema, [f"s{n}" for n in range(MOST_PARTITIONS + 1)])
    crowded.close()
    (lake / "mine").mkdir()
    (lake / "mine" / "notes.txt").write_text("mine")
    foreign = ParquetSink(
        LakeRoots([lake]).place("mine"), partitioning=Partitioning(()), subject="s", source="d"
    )
    with pytest.raises(InvalidSinkError, match="not the cleaner's"):
        foreign.open("producer")


def test_a_link_leads_no_dataset_out_of_its_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    for directory in ("link/x", "../outside/x", "/etc/x", ".", ".tickmesh/x"):
        with pytest.raises(InvalidSinkError) as caught:
            LakeRoots([root]).place(directory)
        assert str(tmp_path) not in caught.value.message
