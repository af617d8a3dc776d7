"""SQLite holds what it can hold exactly, and refuses the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tickmesh.settings import SecretUrl
from tickmesh_cleaner.config import DatabaseConfig
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.databases.engine import (
    DatabaseRefusedError,
    DatabaseSession,
    TableName,
    UnheldTypeError,
    quoted,
)
from tickmesh_cleaner.databases.sqlite import SqliteTypes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPES = SqliteTypes()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[DatabaseSession]:
    url = SecretUrl(f"sqlite:///{tmp_path / 'sea.db'}")
    opened = Connections({"sea": DatabaseConfig(url)}).database("sea").connect()
    yield opened
    opened.close()


def test_every_digit_of_every_value_is_kept(session: DatabaseSession) -> None:
    instant = pa.scalar(1_700_000_000_123_456_789, pa.timestamp("ns", "UTC"))
    columns: dict[str, tuple[pa.Array[Any], object]] = {
        "whole": (pa.array([2**63 - 1], pa.int64()), 2**63 - 1),
        "small": (pa.array([255], pa.uint8()), 255),
        "price": (pa.array([0.1]), 0.1),
        "exact": (
            pa.array([Decimal("12345678901234567890.10")], pa.decimal128(30, 2)),
            "12345678901234567890.10",
        ),
        "venue": (pa.array(["XNYS"]).dictionary_encode(), "XNYS"),
        "text": (pa.array(["a\0é"]), "a\0é"),
        "raw": (pa.array([b"\0\xff"]), b"\0\xff"),
        "flag": (pa.array([True]), 1),
        "at": (pa.array([instant]), "2023-11-14T22:13:20.123456789Z"),
        "local": (
            pa.array([datetime(2023, 1, 2, 3, 4, 5)], pa.timestamp("us")),  # noqa: DTZ001 - a local time
            "2023-01-02T03:04:05.000000",
        ),
        "day": (pa.array([date(2023, 1, 2)]), "2023-01-02"),
        "clock": (pa.array([time(1, 2, 3, 4)], pa.time64("ns")), "01:02:03.000004000"),
        "nothing": (pa.array([None], pa.int32()), None),
    }
    rows = pa.RecordBatch.from_pydict({name: column for name, (column, _) in columns.items()})
    table = TableName("kept")
    held = TYPES.columns(rows.schema)
    made = ", ".join(f"{quoted(name)} {kind}" for name, kind in held.items())
    session.execute(f"CREATE TABLE kept ({made})")
    session.insert(table, TYPES.encode(rows))
    session.commit()
    assert session.query("SELECT * FROM kept") == [tuple(value for _, value in columns.values())]
    assert session.columns(table) == dict(held)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pa.uint64(), "uint64"),
        (pa.list_(pa.int64()), "list"),
        (pa.struct([pa.field("x", pa.int64())]), "struct"),
        (pa.duration("ns"), "duration"),
    ],
)
def test_a_type_it_cannot_hold_is_refused_by_name(kind: pa.DataType, message: str) -> None:
    with pytest.raises(UnheldTypeError, match=message) as caught:
        TYPES.columns(pa.schema([pa.field("x", kind)]))
    assert caught.value.column == "x"


def test_names_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(UnheldTypeError, match="same name"):
        TYPES.columns(pa.schema([pa.field("Price", pa.int64()), pa.field("price", pa.int64())]))


def test_nan_is_refused_since_it_would_become_null() -> None:
    with pytest.raises(UnheldTypeError, match="NaN"):
        TYPES.encode(pa.RecordBatch.from_pydict({"x": [1.0, float("nan")]}))


def test_an_answer_that_mixes_types_in_a_column_is_refused(session: DatabaseSession) -> None:
    with pytest.raises(DatabaseRefusedError, match="CAST"):
        list(session.stream("SELECT 1 AS x UNION ALL SELECT 1.5 UNION ALL SELECT 'a'"))


def test_reading_changes_nothing(session: DatabaseSession) -> None:
    session.execute("CREATE TABLE kept (x INTEGER)")
    session.commit()
    session.begin_reading()
    with pytest.raises(DatabaseRefusedError, match="readonly"):
        list(session.stream("INSERT INTO kept VALUES (1) RETURNING x"))


def test_instants_in_any_zone_are_written_in_utc() -> None:
    zoned = pa.array([datetime(2023, 1, 2, 12, tzinfo=UTC)], pa.timestamp("s", "America/New_York"))
    (text,) = TYPES.encode(pa.RecordBatch.from_pydict({"x": zoned})).column("x").to_pylist()
    assert text == "2023-01-02T12:00:00Z"
