"""The recorded market data, read by the source specs under examples/sources and judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.decoding import EXAMPLES, Summary, decode, map_all
from tests.support.shared_data import shared_folder
from tickmesh.decoding.arrow import pc
from tickmesh.decoding.inference import infer
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.source_spec import SourceSpec
from tickmesh.schema.document import SchemaDocument, parse_schema
from tickmesh.schema.projection import project
from tickmesh.schema.validation import compile_schema

if TYPE_CHECKING:
    from pathlib import Path
from typing import Any

pytestmark = pytest.mark.real_data


@dataclass(frozen=True)
class Recorded:
    """A recorded file, its spec, and what is known of its content."""

    spec: str
    file: str
    records: int
    rows: int
    first_ts: str
    last_ts: str
    skipped: dict[str, int] = field(default_factory=dict)
    extras: dict[str, int] = field(default_factory=dict)


STREAM = "binance_usdm_btcusdt_stream_20240808.log.gz"
SOURCES = [
    Recorded(
        "ticks.us_equity.quotes",
        "us_equity_aig_quotes_20131009.csv.gz",
        1_424_012,
        1_424_012,
        "2013-10-09T08:00:00.521",
        "2013-10-10T00:00:00.149",
    ),
    Recorded(
        "ticks.us_equity.trades",
        "us_equity_aig_trades_20131009.csv.gz",
        52_008,
        52_008,
        "2013-10-09T11:25:59.879",
        "2013-10-09T22:20:17.716",
    ),
    Recorded(
        "ticks.crypto.quotes.tardis",
        "tardis_binance_futures_btcusdt_quotes_20200222.csv",
        9_999,
        9_999,
        "2020-02-22T00:00:01.096",
        "2020-02-22T00:03:47.061",
    ),
    Recorded(
        "ticks.crypto.trades.tardis",
        "tardis_binance_futures_btcusdt_trades_20200222.csv",
        9_999,
        9_999,
        "2020-02-22T00:00:02.111",
        "2020-02-22T02:05:47.728",
    ),
    Recorded(
        "ticks.crypto.quotes.binance_stream",
        STREAM,
        93_954,
        66_089,
        "2024-08-08T23:54:16.313",
        "2024-08-09T00:00:00.709",
        {"trade": 21_313, "depth_update": 6_551, "snapshot": 1},
    ),
    Recorded(
        "ticks.crypto.trades.binance_stream",
        STREAM,
        93_954,
        21_313,
        "2024-08-08T23:54:16.322",
        "2024-08-08T23:59:59.643",
        {"book_ticker": 66_089, "depth_update": 6_551, "snapshot": 1},
    ),
    Recorded(
        "ticks.crypto.book.binance_stream",
        STREAM,
        93_954,
        445_521,
        "2024-08-08T23:54:16.298",
        "2024-08-09T00:00:01.054",
        {"book_ticker": 66_089, "trade": 21_313},
    ),
    Recorded(
        "ticks.fx.quotes",
        "fx_eurusd_quotes_20200130_31.parquet",
        99_308,
        99_308,
        "2020-01-30T10:27:51.336",
        "2020-01-31T16:59:56.198",
    ),
]


def load(name: str) -> tuple[SourceSpec, SchemaDocument]:
    spec = SourceSpec.from_toml((EXAMPLES / f"{name}.source.toml").read_text())
    assert spec.subject is not None
    return spec, parse_schema((EXAMPLES / f"{spec.subject}.schema.json").read_text())


@pytest.fixture(name="folder")
def market_data() -> Path:
    return shared_folder("market-data")


@pytest.fixture(params=SOURCES, ids=lambda source: source.spec)
def source(request: pytest.FixtureRequest) -> Recorded:
    assert isinstance(request.param, Recorded)
    return request.param


def read(source: Recorded, folder: Path) -> tuple[Summary, SchemaDocument]:
    spec, document = load(source.spec)
    return map_all(folder / source.file, spec, document, file_name=source.file), document


def milliseconds(value: Any) -> str:
    text = value.cast(pa.timestamp("ms", "UTC")).as_py().isoformat(timespec="milliseconds")
    return str(text.removesuffix("+00:00"))


def test_every_record_is_accounted_for_and_every_row_is_good(
    source: Recorded, folder: Path
) -> None:
    found, document = read(source, folder)
    assert found.records == source.records
    assert found.rows == source.rows
    assert found.skipped == source.skipped
    assert found.extras == source.extras
    assert not found.rejects
    assert not found.failed
    validator = compile_schema(document, project(document))
    assert sum(validator.check(batch).bad_count for batch in found.batches) == 0
    times = pc.min_max(found.table.column("ts"))
    assert milliseconds(times["min"]) == source.first_ts
    assert milliseconds(times["max"]) == source.last_ts


def test_any_batch_can_be_decoded_again(source: Recorded, folder: Path) -> None:
    spec, document = load(source.spec)
    mapper = RowMapper(spec, document, project(document), file_name=source.file)
    batches = decode(folder / source.file, spec, batch_records=20_000)
    for batch in (batches[0], batches[len(batches) // 2], batches[-1]):
        (again,) = decode(
            folder / source.file, spec, start=batch.start, end=batch.end, batch_records=20_000
        )
        assert again.columns.equals(batch.columns)
        assert again.offsets.equals(batch.offsets)
        assert (again.start, again.end) == (batch.start, batch.end)
        assert mapper.map(again).batch.equals(mapper.map(batch).batch)


def test_prices_of_us_equities_are_exact(folder: Path) -> None:
    found, _ = read(SOURCES[0], folder)
    table = found.table
    assert table.column("bid_price").null_count == 712_006
    assert table.column("ask_price").null_count == 712_006
    first = table.slice(0, 2).select(["bid_price", "bid_size", "ask_price", "ask_size"])
    assert [{name: str(value) for name, value in row.items()} for row in first.to_pylist()] == [
        {"bid_price": "47.5000", "bid_size": "200", "ask_price": "None", "ask_size": "None"},
        {"bid_price": "None", "bid_size": "None", "ask_price": "48.4800", "ask_size": "3000"},
    ]
    assert table.column("symbol").unique().to_pylist() == ["AIG"]
    conditions = Counter(table.column("condition").to_pylist())
    assert (conditions["8"], conditions["800"]) == (2, 2)


def test_the_aggressor_sells_when_the_buyer_is_the_maker(folder: Path) -> None:
    found, _ = read(SOURCES[5], folder)
    (first,) = found.table.slice(0, 1).to_pylist()
    assert (first["trade_id"], first["side"], str(first["price"])) == (
        5_266_583_935,
        "buy",
        "61800.30000000",
    )
    identifiers = found.table.column("trade_id")
    assert pc.all(
        pc.greater(identifiers.slice(1), identifiers.slice(0, len(identifiers) - 1))
    ).as_py()


def test_book_levels_stay_in_the_order_of_their_messages(folder: Path) -> None:
    found, _ = read(SOURCES[6], folder)
    table = found.table
    snapshot = table.filter(pc.equal(table.column("action").cast(pa.string()), "snapshot"))
    sides = snapshot.column("side").cast(pa.string()).to_pylist()
    assert sides == ["bid"] * 1_000 + ["ask"] * 1_000
    received = table.column("received").cast(pa.int64())
    assert pc.all(pc.greater_equal(received.slice(1), received.slice(0, len(received) - 1))).as_py()
    assert (
        pc.sum(pc.equal(table.column("size"), pa.scalar(0, table.column("size").type))).as_py() > 0
    )


@pytest.mark.parametrize("file", sorted({source.file for source in SOURCES}))
def test_a_sample_of_every_file_is_good_under_its_own_inference(file: str, folder: Path) -> None:
    found = infer(folder / file, subject="ticks.inferred", sample_records=5_000)
    spec = SourceSpec.from_toml(found.spec_text)
    document = parse_schema(found.schema_text)
    mapper = RowMapper(spec, document, project(document), file_name=file)
    sample = decode(folder / file, spec, batch_records=5_000)[0]
    mapped = mapper.map(sample)
    assert not mapped.failures
    assert not mapped.rejects
    assert mapped.batch.num_rows + sum(mapped.skipped.values()) == sample.record_count
    assert compile_schema(document, project(document)).check(mapped.batch).all_good
    times = [each for each in spec.records[0].fields if each.time is not None]
    assert times
    assert all("CONFIRM" in each.comment for each in found.spec.records[0].fields if each.time)
