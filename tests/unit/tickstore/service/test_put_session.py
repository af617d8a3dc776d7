"""T1, T3, T4 of one stream: what is stored, refused, acknowledged, told."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tickmesh.api.tickstore.v1.commands_pb2 import FinalMarker, PutMetadata
from tickmesh_tickstore.commands import PutRequest
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.errors import InvalidRequestError, InvalidRowsError

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore
    from tickmesh_tickstore.put_session import Progress, PutSession

SUBJECT = "ticks.trades"


def batch(rows: int, *, price: float | None = None) -> pa.RecordBatch:
    table = trades(rows)
    if price is not None:
        table = table.set_column(2, "price", pa.array([price] * rows))
    (only,) = table.combine_chunks().to_batches()
    return only


def stored_rows(store: TickStore) -> int:
    return store.engine.scan(ScanRequest(dataset=SUBJECT)).read_all().num_rows


def finish(session: PutSession) -> Progress:
    session.end()
    while not session.drained:
        session.wait(0.1)
    return session.close()


def test_the_first_put_creates_the_dataset(store: TickStore, call: CallContext) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    session.add(batch(3), None)
    progress = finish(session)
    assert (progress.through_sequence, progress.rows, progress.durable) == (1, 3, True)
    assert stored_rows(store) == 3


def test_acknowledgements_are_cumulative(store: TickStore, call: CallContext) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    for rows in (1, 2, 3):
        session.add(batch(rows), None)
    seen = []
    session.end()
    while not session.drained:
        if (progress := session.wait(1.0)) is not None:
            seen.append(progress)
    assert seen[-1].through_sequence == 3
    assert seen[-1].rows == 6
    assert [each.rows for each in seen] == sorted(each.rows for each in seen)


def test_a_bad_row_refuses_its_message_whole_and_the_ones_behind_it(
    store: TickStore, call: CallContext
) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    session.add(batch(3), None)
    session.add(batch(2, price=-1.0), None)
    # The refusal may be known already.
    with contextlib.suppress(domain.RowsRefusedError):
        session.add(batch(1), None)
    with pytest.raises(InvalidRowsError) as refused:
        finish(session)
    assert refused.value.metadata["rowsStored"] == "3"
    assert refused.value.metadata["batchesStored"] == "1"
    assert refused.value.metadata["column"] == "price"
    assert stored_rows(store) == 3
    assert store.counters.refused_batches == 1


def test_nothing_is_taken_behind_a_refusal(store: TickStore, call: CallContext) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    session.add(batch(2, price=-1.0), None)
    while not session.failed:
        session.wait(1.0)
    with pytest.raises(domain.RowsRefusedError):
        session.add(batch(1), None)


def test_a_null_where_a_value_is_required_is_refused(store: TickStore, call: CallContext) -> None:
    table = trades(3).set_column(2, "price", pa.array([1.0, None, 2.0]))
    session = store.open_put(call, PutRequest(dataset=SUBJECT), table.schema)
    session.add(table.to_batches()[0], None)
    with pytest.raises(InvalidRowsError) as refused:
        finish(session)
    told = refused.value.metadata
    assert (told["column"], told["rule"], told["rows"]) == ("price", "REQUIRED", "1")


def test_a_refusal_is_known_to_the_thread_that_acknowledges(
    store: TickStore, call: CallContext
) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    session.add(batch(2, price=-1.0), None)
    while not session.failed:
        assert session.wait(1.0) is None


def test_a_repeated_sequence_is_a_duplicate_with_its_revision(
    store: TickStore, call: CallContext
) -> None:
    epoch = store.open_producer(call, SUBJECT, "feed").epoch
    request = PutRequest(dataset=SUBJECT, producer_id="feed", producer_epoch=epoch)
    revisions = []
    for _ in range(2):
        session = store.open_put(call, request, trades(1).schema)
        session.add(batch(3), PutMetadata(sequence=1))
        progress = finish(session)
        revisions.append(progress.dataset_revision)
    assert (progress.rows, progress.duplicates) == (0, 1)
    assert revisions[0] == revisions[1]
    assert stored_rows(store) == 3


def test_a_repeat_on_the_same_stream_is_counted_and_takes_no_progress_back(
    store: TickStore, call: CallContext
) -> None:
    epoch = store.open_producer(call, SUBJECT, "feed").epoch
    request = PutRequest(dataset=SUBJECT, producer_id="feed", producer_epoch=epoch)
    session = store.open_put(call, request, trades(1).schema)
    seen = []
    for sequence in (1, 2, 1):
        session.add(batch(3), PutMetadata(sequence=sequence))
        seen.append(session.wait(30.0))
    progress = finish(session)
    assert all(seen)
    assert [each.through_sequence for each in seen if each] == [1, 2, 2]
    assert (progress.through_sequence, progress.rows, progress.duplicates) == (2, 6, 1)
    assert [each.dataset_revision for each in seen if each][1:] == [progress.dataset_revision] * 2


def test_an_older_epoch_is_fenced(store: TickStore, call: CallContext) -> None:
    old = store.open_producer(call, SUBJECT, "feed").epoch
    store.open_producer(call, SUBJECT, "feed")
    request = PutRequest(dataset=SUBJECT, producer_id="feed", producer_epoch=old)
    session = store.open_put(call, request, trades(1).schema)
    session.add(batch(1), PutMetadata(sequence=1))
    with pytest.raises(domain.ProducerFencedError):
        finish(session)
    assert stored_rows(store) == 0


def test_a_skipped_sequence_is_told_with_the_expected_one(
    store: TickStore, call: CallContext
) -> None:
    epoch = store.open_producer(call, SUBJECT, "feed").epoch
    request = PutRequest(dataset=SUBJECT, producer_id="feed", producer_epoch=epoch)
    session = store.open_put(call, request, trades(1).schema)
    session.add(batch(1), PutMetadata(sequence=2))
    with pytest.raises(domain.SequenceGapError) as refused:
        finish(session)
    assert refused.value.metadata["expected"] == "1"


def test_a_producers_batch_without_a_sequence_is_refused(
    store: TickStore, call: CallContext
) -> None:
    epoch = store.open_producer(call, SUBJECT, "feed").epoch
    request = PutRequest(dataset=SUBJECT, producer_id="feed", producer_epoch=epoch)
    session = store.open_put(call, request, trades(1).schema)
    with pytest.raises(InvalidRequestError, match="sequence"):
        session.add(batch(1), None)


@pytest.fixture
def upload(store: TickStore, call: CallContext) -> PutSession:
    return store.open_put(call, PutRequest(dataset=SUBJECT, atomic=True), trades(1).schema)


def test_an_upload_is_visible_as_a_whole_on_its_marker(
    store: TickStore, upload: PutSession
) -> None:
    upload.add(batch(3), None)
    upload.add(batch(4), None)
    assert stored_rows(store) == 0
    upload.add(None, PutMetadata(final=FinalMarker(batches=2, rows=7)))
    assert stored_rows(store) == 7
    assert finish(upload).rows == 7


def test_an_upload_without_its_marker_leaves_nothing(store: TickStore, upload: PutSession) -> None:
    upload.add(batch(3), None)
    with pytest.raises(domain.UploadIncompleteError, match="marker"):
        finish(upload)
    assert stored_rows(store) == 0


def test_a_marker_that_counts_otherwise_leaves_nothing(
    store: TickStore, upload: PutSession
) -> None:
    upload.add(batch(3), None)
    with pytest.raises(domain.UploadIncompleteError) as refused:
        upload.add(None, PutMetadata(final=FinalMarker(batches=1, rows=4)))
    with pytest.raises(domain.UploadIncompleteError):
        upload.close(refused.value)
    assert stored_rows(store) == 0


def test_a_bad_row_drops_the_whole_upload(store: TickStore, upload: PutSession) -> None:
    upload.add(batch(3), None)
    with pytest.raises(domain.RowsRefusedError) as refused:
        upload.add(batch(1, price=-1.0), None)
    with pytest.raises(InvalidRowsError) as told:
        upload.close(refused.value)
    assert told.value.metadata["rowsStored"] == "0"
    assert stored_rows(store) == 0


def test_two_versions_are_written_side_by_side(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    old = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    schemas.register(SUBJECT, trades_schema(venue={"type": "string"}))
    new = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    old.add(batch(1), None)
    new.add(batch(2), None)
    assert finish(old).rows + finish(new).rows == 3
    versions = store.dataset(call, SUBJECT).info.versions
    assert [stamp.schema_version for stamp, _ in versions] == [1, 2]


def test_a_stream_whose_dataset_is_deleted_is_told(store: TickStore, call: CallContext) -> None:
    session = store.open_put(call, PutRequest(dataset=SUBJECT), trades(1).schema)
    session.add(batch(3), None)
    while session.wait(1.0) is None:
        pass
    store.administration.delete_dataset(call, SUBJECT)
    with pytest.raises(domain.DatasetNotFoundError) as told:
        session.add(batch(2), None)
    session.end()
    while not session.drained:
        session.wait(0.1)
    with pytest.raises(domain.DatasetNotFoundError):
        session.close(told.value)
    with pytest.raises(domain.DatasetNotFoundError):
        stored_rows(store)
