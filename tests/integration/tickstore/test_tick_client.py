"""The Python client against real processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.support.governed_ticks import decoded, trades
from tickmesh.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from tickmesh.registry import RegistryClient
    from tickmesh.ticks import TickClient

pytestmark = pytest.mark.integration


def test_put_then_read(ticks: TickClient, subject: str) -> None:
    receipt = ticks.put(subject, trades(1_000))
    assert receipt.rows == 1_000
    assert receipt.dataset_revision > 0
    assert decoded(ticks.read(subject)).equals(decoded(trades(1_000)))
    assert ticks.stream(subject, columns=["size"]).read_all().num_rows == 1_000


def test_t3_a_put_with_a_bad_row_anywhere_stores_nothing(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(1))
    batches = trades(10).to_batches() * 5
    spoiled = trades(10).set_column(2, "price", pa.array([0.0] * 10)).to_batches()
    with pytest.raises(InvalidArgumentError) as refused:
        ticks.put(subject, [*batches, *spoiled])
    assert refused.value.reason == "ROWS_REFUSED"
    assert [violation.field for violation in refused.value.violations] == ["price"]
    assert ticks.read(subject).num_rows == 1


def test_naive_frames_are_localised_in_tz(ticks: TickClient, subject: str) -> None:
    frame = pd.DataFrame(
        {
            "ts": pd.to_datetime(["2024-08-08T09:30:00.123456789"]),
            "symbol": ["IBM"],
            "price": [1.0],
            "size": [1],
        }
    )
    with pytest.raises(InvalidArgumentError) as refused:
        ticks.put(subject, frame)
    assert refused.value.reason == "NAIVE_TIMESTAMP"
    ticks.put(subject, frame, tz="America/New_York")
    rows = ticks.read(
        subject, start="2024-08-08T09:30", end="2024-08-08T09:31", tz="America/New_York"
    )
    assert rows.column("ts").cast(pa.int64()).to_pylist() == [1723123800123456789]


def test_frames_come_out_as_asked(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(10))
    assert isinstance(ticks.to_pandas(subject, limit=3), pd.DataFrame)
    assert ticks.to_polars(subject, symbols="IBM").height == 3
    assert isinstance(ticks.to_polars(subject), pl.DataFrame)


def test_t4_a_writer_stores_everything_once(ticks: TickClient, subject: str) -> None:
    with ticks.writer(subject, producer_id="feed") as writer:
        for start in range(0, 1_000, 7):
            writer.put(trades(1_000).slice(start, 7))
    assert writer.receipt.rows == 1_000
    assert (writer.lag_rows, writer.lag_seconds) == (0, 0.0)
    assert decoded(ticks.read(subject)).equals(decoded(trades(1_000)))


def test_t4_a_restarted_producer_goes_on_and_fences_its_predecessor(
    ticks: TickClient, subject: str
) -> None:
    first = ticks.writer(subject, producer_id="feed")
    first.put(trades(5))
    first.flush()
    second = ticks.writer(subject, producer_id="feed")
    assert second.producer.last_sequence == first.receipt.batches
    second.put(trades(5))
    second.close()
    first.put(trades(5))
    with pytest.raises(FailedPreconditionError) as fenced:
        first.flush(timeout_seconds=30)
    assert fenced.value.reason == "PRODUCER_FENCED"
    first.abandon()
    assert ticks.read(subject).num_rows == 10


def test_a_writer_tells_of_a_refused_message(ticks: TickClient, subject: str) -> None:
    writer = ticks.writer(subject)
    writer.put(trades(5).set_column(2, "price", pa.array([-1.0] * 5)))
    with pytest.raises(InvalidArgumentError) as refused:
        writer.flush(timeout_seconds=30)
    assert refused.value.reason == "ROWS_REFUSED"
    with pytest.raises(InvalidArgumentError):
        writer.put(trades(1))
    writer.abandon()


def test_differing_dictionaries_are_joined(ticks: TickClient, subject: str) -> None:
    with ticks.writer(subject) as writer:
        for symbol in ("IBM", "AAPL", "MSFT"):
            column = pa.array([symbol] * 4).dictionary_encode()
            writer.put(trades(4).set_column(1, "symbol", column))
    symbols = decoded(ticks.read(subject)).column("symbol").to_pylist()
    assert symbols == ["IBM"] * 4 + ["AAPL"] * 4 + ["MSFT"] * 4


def test_dictionaries_with_more_values_than_their_indices_tell_apart_go_one_by_one(
    ticks: TickClient, subject: str
) -> None:
    with ticks.writer(subject) as writer:
        for number in range(10):
            values = ["IBM", *(f"unused-{number}-{place}" for place in range(50))]
            column = pa.DictionaryArray.from_arrays(pa.array([0] * 5, pa.int8()), pa.array(values))
            writer.put(trades(5, start_ns=number).set_column(1, "symbol", column))
        assert writer.flush(timeout_seconds=60).rows == 50
    assert decoded(ticks.read(subject)).column("symbol").to_pylist() == ["IBM"] * 50


def test_a_writer_whose_thread_fails_tells_those_who_wait(
    ticks: TickClient, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise MemoryError("no room")

    writer = ticks.writer(subject)
    monkeypatch.setattr("tickmesh._ticks.writer._joined", broken)
    writer.put(trades(5))
    with pytest.raises(MemoryError, match="no room"):
        writer.flush(timeout_seconds=60)
    writer.abandon()


def test_t6_types_at_their_edges_come_back_equal(
    ticks: TickClient, registry: RegistryClient
) -> None:
    properties = {
        "ts": {"type": "string", "format": "date-time"},
        "id": {"type": "integer", "arrow": "uint64"},
        "amount": {"type": "number", "arrow": "decimal128(18, 4)"},
        "flag": {"type": ["boolean", "null"]},
    }
    registry.register("ticks.edges", json.dumps({"type": "object", "properties": properties}))
    table = pa.table(
        {
            "ts": pa.array([-(2**63) + 1, None, 1723123800123456789]).cast(
                pa.timestamp("ns", "UTC")
            ),
            "id": pa.array([2**64 - 1, 0, None], pa.uint64()),
            "amount": pa.array(["0.0001", None, "99999999999999.9999"]).cast(pa.decimal128(18, 4)),
            "flag": pa.array([True, None, False]),
        }
    )
    ticks.put("ticks.edges", table)
    assert decoded(ticks.read("ticks.edges")).equals(decoded(table))


def test_an_unknown_subject_is_named(ticks: TickClient) -> None:
    with pytest.raises(NotFoundError, match=r"ticks\.nobody"):
        ticks.put("ticks.nobody", trades(1))
    with pytest.raises(NotFoundError):
        ticks.writer("ticks.nobody")


def test_datasets_and_statistics(ticks: TickClient, subject: str) -> None:
    made = ticks.create_dataset(subject, naive_time_zone="UTC")
    assert made.created_at.seconds > 0
    ticks.put(subject, trades(10))
    (found,) = ticks.datasets(prefix=subject)
    assert (found.row_count, found.naive_time_zone) == (10, "UTC")
    assert ticks.statistics(subject).rows_committed >= 10
