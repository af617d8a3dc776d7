"""Named snapshots (T7), and the end of datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, integers, put, sizes, ticks
from tickmesh_tickstore.domain.errors import (
    DatasetHeldError,
    DatasetNotFoundError,
    InvalidArgumentError,
    SnapshotExistsError,
    SnapshotGoneError,
    SnapshotNotFoundError,
)
from tickmesh_tickstore.domain.requests import ScanRequest

if TYPE_CHECKING:
    from tickmesh_tickstore.engine import TickEngine

OTHER = "ticks.other"


def test_a_snapshot_holds_one_revision_of_each_dataset(engine: TickEngine) -> None:
    engine.create_dataset(OTHER, stamp=VERSION_1, schema=SCHEMA)
    put(engine, ticks(3))
    made = engine.create_snapshot("all")
    assert made.revisions == {DATASET: 1, OTHER: 0}
    alone = engine.create_snapshot("alone", datasets=[OTHER])
    assert alone.revisions == {OTHER: 0}
    put(engine, ticks(3, first=3))
    assert engine.snapshots() == (made, alone) or engine.snapshots() == (alone, made)
    assert [each.name for each in engine.snapshots()] == ["all", "alone"]
    as_of = engine.snapshot("all").revision_of(DATASET)
    assert sizes(engine, ScanRequest(dataset=DATASET, as_of_revision=as_of)) == [0, 1, 2]
    nothing = ScanRequest(dataset=OTHER, as_of_revision=alone.revision_of(OTHER))
    assert engine.scan(nothing).read_all().num_rows == 0
    with pytest.raises(SnapshotNotFoundError):
        alone.revision_of(DATASET)


def test_a_snapshots_name_is_taken_once_and_can_be_given_again(engine: TickEngine) -> None:
    engine.create_snapshot("a")
    with pytest.raises(SnapshotExistsError):
        engine.create_snapshot("a")
    engine.delete_snapshot("a")
    for call in (engine.snapshot, engine.delete_snapshot):
        with pytest.raises(SnapshotNotFoundError) as caught:
            call("a")
        assert caught.value.metadata == {"snapshot": "a"}
    put(engine, ticks(1))
    assert engine.create_snapshot("a").revisions == {DATASET: 1}


@pytest.mark.parametrize("name", ["", "n" * 256, "line\nbreak"])
def test_a_snapshots_name_has_bounds(engine: TickEngine, name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        engine.create_snapshot(name)


def test_a_snapshot_of_an_unknown_dataset_is_not_made(engine: TickEngine) -> None:
    with pytest.raises(DatasetNotFoundError):
        engine.create_snapshot("a", datasets=[DATASET, "nobody"])
    assert engine.snapshots() == ()


def test_a_dataset_is_deleted_with_its_rows_and_begins_anew(engine: TickEngine) -> None:
    put(engine, ticks(5))
    (planned,) = engine.plan(ScanRequest(dataset=DATASET)).ranges
    dataset_id = engine.dataset(DATASET).dataset_id
    assert engine.delete_dataset(DATASET) == 5
    for call in (engine.dataset, engine.statistics, engine.delete_dataset, engine.follow):
        with pytest.raises(DatasetNotFoundError):
            call(DATASET)
    with pytest.raises(DatasetNotFoundError):
        engine.scan(planned.payload)
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    assert engine.dataset(DATASET).dataset_id != dataset_id
    assert (engine.dataset(DATASET).revision, sizes(engine)) == (0, [])
    # A ticket of the old one never reads the new one's rows.
    put(engine, ticks(2))
    with pytest.raises(SnapshotGoneError):
        engine.scan(planned.payload)


def test_a_dataset_is_not_deleted_while_a_snapshot_holds_it(engine: TickEngine) -> None:
    put(engine, ticks(5))
    engine.create_snapshot("kept")
    with pytest.raises(DatasetHeldError) as caught:
        engine.delete_dataset(DATASET)
    assert caught.value.metadata["snapshot"] == "kept"
    assert sizes(engine) == [0, 1, 2, 3, 4]
    put(engine, ticks(1, first=5))
    engine.delete_snapshot("kept")
    assert engine.delete_dataset(DATASET) == 6


def test_reads_under_way_finish_and_tails_are_told_when_their_dataset_is_deleted(
    engine: TickEngine,
) -> None:
    put(engine, ticks(5))
    engine.flush(DATASET, timeout_seconds=30)
    put(engine, ticks(5, first=5))
    reader = engine.scan(ScanRequest(dataset=DATASET))
    follower = engine.follow(DATASET)
    seen = 0
    while seen < 10:
        followed = follower.wait(30)
        assert followed is not None
        seen += followed.batch.num_rows
    engine.delete_dataset(DATASET)
    assert integers(reader.read_all(), "size") == list(range(10))
    with pytest.raises(DatasetNotFoundError):
        follower.wait(30)


def test_writers_are_told_when_their_dataset_is_deleted(engine: TickEngine) -> None:
    upload = engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit)
    upload.append(ticks(3))
    engine.delete_dataset(DATASET)
    with pytest.raises(DatasetNotFoundError):
        put(engine, ticks(1))
    with pytest.raises(DatasetNotFoundError):
        upload.commit(batches=1, rows=3).result(30)
    # Nothing of it is left in the way of a new one.
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(engine, ticks(1))
    assert sizes(engine) == [0]
