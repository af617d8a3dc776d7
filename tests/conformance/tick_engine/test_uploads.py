"""Atomic uploads: T3 all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    VERSION_1,
    admit,
    put,
    refuse_negative_size,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    InvalidArgumentError,
    LimitExceededError,
    ProducerFencedError,
    RowsRefusedError,
    UploadIncompleteError,
    WrongColumnsError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest, StampColumn
from tickmesh_tickstore.domain.stamps import Origin
from tickmesh_tickstore.engine import Appended, TickEngine, Upload

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine


def test_t3_nothing_is_visible_before_the_marker_and_everything_after_it(
    engine: TickEngine,
) -> None:
    put(engine, ticks(1))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(2, first=1, symbols=("A", "B")))
        upload.append(ticks(0))
        upload.append(ticks(3, first=3, symbols=("C", "A", "D")))
        assert sizes(engine) == [0]
        answer = upload.commit(batches=3, rows=5).result(30)
    assert answer == Appended(2, 0, 5)
    put(engine, ticks(1, first=6))
    table = engine.scan(
        ScanRequest(dataset=DATASET, stamps=(StampColumn.DATASET_REVISION,))
    ).read_all()
    assert table.column("size").to_pylist() == [0, 1, 2, 3, 4, 5, 6]
    assert table.column("_dataset_revision").to_pylist() == [1, 2, 2, 2, 2, 2, 3]
    symbols = table.column("symbol").cast(pa.string()).to_pylist()
    assert symbols == ["AAPL", "B", "A", "C", "A", "D", "AAPL"]


def test_t3_leaving_without_the_marker_leaves_nothing(engine: TickEngine) -> None:
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(5))
    assert sizes(engine) == []
    assert engine.dataset(DATASET).revision == 0


@pytest.mark.parametrize(("batches", "rows"), [(1, 5), (2, 4), (3, 5)])
def test_t3_a_marker_that_disagrees_stores_nothing(
    engine: TickEngine, batches: int, rows: int
) -> None:
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(2))
        upload.append(ticks(3, first=2))
        with pytest.raises(UploadIncompleteError) as caught:
            upload.commit(batches=batches, rows=rows)
        assert caught.value.metadata["rows"] == "5"
        with pytest.raises(InvalidArgumentError):
            upload.commit(batches=2, rows=5)
    assert sizes(engine) == []


def test_t3_one_refused_batch_drops_the_whole_upload(engine: TickEngine) -> None:
    upload = engine.begin_upload(DATASET, stamp=VERSION_1, judge=refuse_negative_size)
    upload.append(ticks(2))
    with pytest.raises(RowsRefusedError):
        upload.append(ticks(2, first=-1))
    with pytest.raises(InvalidArgumentError):
        upload.append(ticks(1))
    assert sizes(engine) == []


def test_t3_wrong_columns_drop_the_upload(engine: TickEngine) -> None:
    upload = engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit)
    with pytest.raises(WrongColumnsError):
        upload.append(ticks(2).select(["ts", "size"]))
    assert sizes(engine) == []


def test_t3_an_empty_upload_is_committed(engine: TickEngine) -> None:
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        assert upload.commit(batches=0, rows=0).result(30).rows == 0
    put(engine, ticks(1))
    assert sizes(engine) == [0]


def test_t4_an_upload_sent_again_is_stored_once(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "loader").epoch
    answers = []
    for _ in range(2):
        producer = ProducerSequence("loader", epoch, 1)
        with engine.begin_upload(
            DATASET, stamp=VERSION_1, judge=admit, producer=producer
        ) as upload:
            upload.append(ticks(4))
            answers.append(upload.commit(batches=1, rows=4).result(30))
    assert [answer.duplicate for answer in answers] == [False, True]
    assert answers[0].dataset_revision == answers[1].dataset_revision
    assert sizes(engine) == [0, 1, 2, 3]


def test_t4_a_fenced_upload_stores_nothing(engine: TickEngine) -> None:
    engine.open_producer(DATASET, "loader")
    producer = ProducerSequence("loader", 1, 1)
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit, producer=producer) as upload:
        upload.append(ticks(4))
        engine.open_producer(DATASET, "loader")
        with pytest.raises(ProducerFencedError):
            upload.commit(batches=1, rows=4).result(30)
    assert sizes(engine) == []


def test_t11_staged_bytes_are_bounded_and_given_back(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(staged_bytes=20_000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    for _ in range(3):
        with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
            upload.append(ticks(400))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(400))
        with pytest.raises(LimitExceededError):
            upload.append(ticks(400))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(400))
        upload.commit(batches=1, rows=400).result(30)
    assert len(sizes(engine)) == 400


def test_t11_staged_bytes_of_one_principal_are_bounded(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(staged_bytes_per_principal=20_000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)

    def begin(principal: str) -> Upload:
        origin = Origin(principal)
        return engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit, origin=origin)

    with begin("ada") as first, begin("bob") as other:
        first.append(ticks(400))
        other.append(ticks(400))
        with begin("ada") as second, pytest.raises(LimitExceededError) as caught:
            second.append(ticks(400))
        assert caught.value.metadata == {"limit": "20000", "what": "staged_bytes"}
    with begin("ada") as third:
        third.append(ticks(400))
