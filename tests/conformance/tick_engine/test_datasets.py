"""Datasets and their schema versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, VERSION_2, admit, put, sizes, ticks
from tickmesh_tickstore.domain.errors import (
    DatasetAlreadyExistsError,
    DatasetNotFoundError,
    InvalidArgumentError,
    RowsRefusedError,
    SchemaVersionNotFoundError,
    StoreClosedError,
    WrongColumnsError,
)
from tickmesh_tickstore.domain.requests import ScanRequest

if TYPE_CHECKING:
    from tickmesh_tickstore.engine import TickEngine


def test_a_new_dataset_is_empty_and_has_its_schema(engine: TickEngine) -> None:
    info = engine.dataset(DATASET)
    assert (info.revision, info.event_time, info.symbol) == (0, "ts", "symbol")
    assert info.schema.equals(SCHEMA, check_metadata=True)
    table = engine.scan(ScanRequest(dataset=DATASET)).read_all()
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA, check_metadata=True)


def test_datasets_are_listed_by_name(engine: TickEngine) -> None:
    engine.create_dataset("a.first", stamp=VERSION_1, schema=SCHEMA)
    assert [info.name for info in engine.datasets()] == ["a.first", DATASET]


def test_a_name_is_taken_once(engine: TickEngine) -> None:
    with pytest.raises(DatasetAlreadyExistsError):
        engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)


@pytest.mark.parametrize("name", ["", "n" * 256])
def test_a_name_has_bounds(engine: TickEngine, name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        engine.create_dataset(name, stamp=VERSION_1, schema=SCHEMA)


def test_an_unknown_dataset_is_named(engine: TickEngine) -> None:
    for call in (
        lambda: engine.dataset("nobody"),
        lambda: engine.append("nobody", ticks(1), stamp=VERSION_1, judge=lambda _: None),
        lambda: engine.scan(ScanRequest(dataset="nobody")),
        lambda: engine.follow("nobody"),
        lambda: engine.statistics("nobody"),
    ):
        with pytest.raises(DatasetNotFoundError) as caught:
            call()
        assert caught.value.metadata == {"dataset": "nobody"}


def test_versions_are_immutable_and_adding_one_again_changes_nothing(engine: TickEngine) -> None:
    assert engine.add_version(DATASET, stamp=VERSION_1, schema=SCHEMA) == engine.dataset(DATASET)
    with pytest.raises(WrongColumnsError):
        engine.add_version(DATASET, stamp=VERSION_1, schema=SCHEMA.remove(3))
    engine.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA.remove(3))
    assert [stamp for stamp, _ in engine.dataset(DATASET).versions] == [VERSION_1, VERSION_2]


def test_rows_of_an_unknown_version_are_refused(engine: TickEngine) -> None:
    with pytest.raises(SchemaVersionNotFoundError):
        engine.append(DATASET, ticks(1), stamp=VERSION_2, judge=lambda _: None)


def test_other_columns_than_the_version_has_are_refused_by_name(engine: TickEngine) -> None:
    batch = pa.record_batch({"ts": ticks(1).column("ts"), "volume": pa.array([1.0])})
    with pytest.raises(WrongColumnsError) as caught:
        engine.append(DATASET, batch, stamp=VERSION_1, judge=lambda _: None)
    assert caught.value.metadata["missing"] == "symbol,price,size"
    assert caught.value.metadata["unknown"] == "volume"


@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([pa.field("a", pa.int64()), pa.field("a", pa.int64())]),
        pa.schema([pa.field("_dataset_revision", pa.int64())]),
        pa.schema([pa.field("a", pa.dictionary(pa.int8(), pa.string()))]),
        pa.schema([pa.field("a", pa.list_(pa.dictionary(pa.int32(), pa.string())))]),
    ],
)
def test_a_schema_that_cannot_be_kept_faithfully_is_refused(
    engine: TickEngine, schema: pa.Schema
) -> None:
    with pytest.raises(InvalidArgumentError):
        engine.create_dataset("strange", stamp=VERSION_1, schema=schema)


def test_a_closed_engine_says_so(engine: TickEngine) -> None:
    put(engine, ticks(1))
    engine.close()
    engine.close()
    with pytest.raises(StoreClosedError):
        engine.append(DATASET, ticks(1), stamp=VERSION_1, judge=lambda _: None)
    with pytest.raises(StoreClosedError):
        engine.create_dataset("late", stamp=VERSION_1, schema=SCHEMA)


def test_statistics_count_rows_and_revisions(engine: TickEngine) -> None:
    put(engine, ticks(3))
    put(engine, ticks(4, first=3))
    statistics = engine.statistics(DATASET)
    assert (statistics.rows, statistics.revision, statistics.failure) == (7, 2, "")


def test_flushing_changes_no_row(engine: TickEngine) -> None:
    engine.flush(DATASET, timeout_seconds=30)
    for number in range(5):
        put(engine, ticks(3, first=3 * number))
        engine.flush(DATASET, timeout_seconds=30)
    assert sizes(engine) == list(range(15))
    with pytest.raises(DatasetNotFoundError):
        engine.flush("nobody", timeout_seconds=30)


def test_statistics_count_commit_groups(engine: TickEngine) -> None:
    assert engine.statistics(DATASET).commit_groups == 0
    for number in range(3):
        put(engine, ticks(2, first=2 * number))
    assert engine.statistics(DATASET).commit_groups == 3
    futures = [engine.append(DATASET, ticks(1), stamp=VERSION_1, judge=admit) for _ in range(200)]
    for future in futures:
        future.result(30)
    assert 3 < engine.statistics(DATASET).commit_groups <= 203
    engine.flush(DATASET, timeout_seconds=30)
    before = engine.statistics(DATASET).commit_groups
    with pytest.raises(RowsRefusedError):
        engine.append(DATASET, ticks(1), stamp=VERSION_1, judge=lambda _: "no").result(30)
    assert engine.statistics(DATASET).commit_groups == before


def test_statistics_know_the_times_of_rows_wherever_they_live(engine: TickEngine) -> None:
    assert engine.statistics(DATASET).min_time_ns is None
    put(engine, ticks(3, first=5))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(2, first=20))
        upload.commit(batches=1, rows=2).result(30)
    put(engine, ticks(1, first=1))
    for _ in range(2):
        statistics = engine.statistics(DATASET)
        assert (statistics.min_time_ns, statistics.max_time_ns) == (10, 210)
        engine.flush(DATASET, timeout_seconds=30)
