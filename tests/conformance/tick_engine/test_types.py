"""T6 faithful: whatever the projection allows comes back equal."""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    NS,
    SCHEMA,
    SYMBOLS,
    VERSION_1,
    admit,
    decoded,
    put,
    ticks,
)
from tickmesh_tickstore.domain.requests import ScanRequest

if TYPE_CHECKING:
    from tickmesh_tickstore.engine import TickEngine

COLUMNS: dict[str, pa.Array[Any]] = {
    "ns": pa.array([0, 1, 1_700_000_000_123_456_789, -1, None], pa.int64()).cast(NS),
    "zoneless": pa.array([1, 2, 3, 4, None], pa.int64()).cast(pa.timestamp("us")),
    "uint64": pa.array([0, 1, 2**64 - 1, 2**63, None], pa.uint64()),
    "int8": pa.array([-128, 127, 0, None, 1], pa.int8()),
    "float32": pa.array([0.5, float("inf"), -0.0, None, 1.5], pa.float32()),
    "decimal": pa.array(
        [decimal.Decimal("12345678901234.5678"), decimal.Decimal("-0.0001"), None, None, None],
        pa.decimal128(18, 4),
    ),
    "wide": pa.array([decimal.Decimal(10) ** 37, None, None, None, None], pa.decimal128(38, 0)),
    "text": pa.array(["", "a", "Zürich 東京", None, "x" * 10_000], pa.string()),
    "bytes": pa.array([b"", b"\x00\xff", None, b"a", b"b"], pa.binary()),
    "flag": pa.array([True, False, None, True, False]),
    "day": pa.array([0, 1, None, -1, 20_000], pa.int32()).cast(pa.date32()),
    "symbol": pa.array(["A", None, "B", "A", "A"]).dictionary_encode().cast(SYMBOLS),
    "levels": pa.array([[1.0, 2.0], [], None, [None], [3.0]], pa.list_(pa.float64())),
    "book": pa.array(
        [{"bid": 1, "ask": None}, None, {"bid": None, "ask": "x"}, None, {"bid": 2, "ask": "y"}],
        pa.struct([("bid", pa.int64()), ("ask", pa.string())]),
    ),
}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_t6_every_type_comes_back_equal(engine: TickEngine, name: str) -> None:
    column = COLUMNS[name]
    schema = pa.schema([pa.field(name, column.type)])
    engine.create_dataset("types", stamp=VERSION_1, schema=schema)
    whole = pa.record_batch([column], schema=schema)
    # Slices carry offsets, which is where bitmaps and lists go wrong.
    sent = [whole, whole.slice(1, 3), whole.slice(0, 0), whole.slice(4)]
    for batch in sent:
        engine.append("types", batch, stamp=VERSION_1, judge=admit).result(30)
    back = engine.scan(ScanRequest(dataset="types")).read_all()
    assert back.schema.equals(schema, check_metadata=True)
    expected = pa.Table.from_batches(sent, schema)
    assert decoded(back).equals(decoded(expected))


def test_t6_dictionaries_of_100k_symbols_and_their_replacement(engine: TickEngine) -> None:
    universe = [f"SYM{number:06d}" for number in range(100_000)]
    sent = [
        ticks(100_000, symbols=universe),
        ticks(10, first=5, symbols=universe[50_000:]),
        with_dictionary(["Z", "SYM000001", "Y"], first=15),
        ticks(100_000, first=20, symbols=list(reversed(universe))),
        with_dictionary(universe, first=30),
    ]
    for batch in sent:
        put(engine, batch)
    back = engine.scan(ScanRequest(dataset=DATASET)).read_all()
    assert decoded(back).equals(decoded(pa.Table.from_batches(sent)))
    assert back.schema.field("symbol").type.equals(SYMBOLS)
    request = ScanRequest(dataset=DATASET, symbols=("SYM000001",), columns=("symbol",))
    found = engine.scan(request).read_all().column("symbol").to_pylist()
    assert set(found) == {"SYM000001"}
    assert len(found) == sum(
        batch.column("symbol").to_pylist().count("SYM000001") for batch in sent
    )


def with_dictionary(values: list[str], *, first: int) -> pa.RecordBatch:
    """Three rows that use little of a dictionary."""
    codes = pa.array([0, len(values) - 1, 1], pa.int32())
    column = pa.DictionaryArray.from_arrays(codes, pa.array(values))
    return ticks(3, first=first).set_column(1, SCHEMA.field("symbol"), column)


def test_t6_an_uploads_dictionaries_may_change_from_batch_to_batch(engine: TickEngine) -> None:
    sent = [
        ticks(3, symbols=("A", "B")),
        ticks(3, symbols=("C", "B", "A")),
        with_dictionary(["Q", "A", "A"], first=0),
        ticks(2, symbols=("A", "B")),
    ]
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        for batch in sent:
            upload.append(batch)
        upload.commit(batches=4, rows=11).result(30)
    back = engine.scan(ScanRequest(dataset=DATASET)).read_all()
    assert decoded(back).equals(decoded(pa.Table.from_batches(sent)))
