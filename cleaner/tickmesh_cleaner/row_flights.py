"""Rows over Arrow Flight: `do_put` cleans and forwards them, `do_exchange` judges them.

A batch that is put is acknowledged once its good rows are durable in the tick store and its bad
rows in quarantine. Rows that are exchanged come back with their verdicts; nothing is stored.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from pyarrow import flight

from tickmesh.api.cleaner.v1 import flight_pb2
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_cleaner.candidates import Candidate, schema_of
from tickmesh_cleaner.domain.errors import (
    DrainingError,
    InvalidArgumentError,
    SequenceGapError,
)
from tickmesh_cleaner.flight_commands import unpack
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.puts.putting import PutOrder
from tickmesh_cleaner.quarantine_files import REASON_TYPE
from tickmesh_cleaner.sources.layout import put_spec
from tickmesh_cleaner.sources.put import decoded_batches
from tickmesh_cleaner.sources.source import SourceBatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.puts.desk import PutDesk
    from tickmesh_cleaner.puts.live_put import LivePut
    from tickmesh_cleaner.puts.position import PutPosition
    from tickmesh_serving.flight import FlightCall

GOOD_COLUMN = "_good"
REASONS_COLUMN = "_reasons"

_HEARTBEAT_SECONDS = 1.0
_VERDICT_FIELDS: list[pa.Field[Any]] = [
    pa.field(GOOD_COLUMN, pa.bool_(), nullable=False),
    pa.field(REASONS_COLUMN, pa.list_(REASON_TYPE)),
]
_NOTHING_HELD: Any = pa.array([[]], pa.list_(REASON_TYPE))


class RowFlights:
    """The handlers of `do_put` and `do_exchange`."""

    def __init__(self, desk: PutDesk) -> None:
        self._desk = desk

    def put(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Clean, forward and acknowledge a stream of batches."""
        order = _order(descriptor)
        live = self._desk.open(call, order)
        acknowledger = _Acknowledger(call, self._desk, live, writer)
        try:
            begun = live.await_begin()
            acknowledger.start()
            _take(call, reader, live, begun, acknowledger, numbered=bool(order.producer_id))
        finally:
            live.end()
            while not (live.job_ended or call.cancelled):
                live.await_job(timeout_seconds=_HEARTBEAT_SECONDS)
            # A sender that has gone is not waited for; the job goes on by itself.
            acknowledger.finish()
        if live.failure is not None:
            raise live.failure

    def exchange(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Send batches back with the columns `_good` and `_reasons`; nothing is stored."""
        order = _order(descriptor)
        self._desk.check(order)
        workshop = self._desk.workshop
        schema = schema_of(
            Candidate(version=order.schema_version),
            subject=order.subject,
            schemas=workshop.schemas,
        )
        spec = put_spec(order.source_spec)
        judge = BatchJudge(
            source_name="",
            rule_set_fingerprint="",
            engine=workshop.engine,
            clock=workshop.clock,
        )
        taken = {GOOD_COLUMN, REASONS_COLUMN} & set(reader.schema.names)
        if taken:
            raise InvalidArgumentError(
                "schema", f"expected no column {min(taken)!r}: verdicts stand there"
            )
        answered: pa.Schema | None = None
        for batch, metadata in _chunks(call, reader):
            if call.draining:
                raise DrainingError("send the rest again in a moment")
            if batch is None:
                continue
            verdicts = _with_verdicts(_plain(batch), schema, spec, judge)
            if answered is None:
                answered = verdicts.schema
                writer.begin(answered)
            if metadata is None:
                writer.write_batch(verdicts)
            else:
                writer.write_with_metadata(verdicts, metadata)


def _order(descriptor: flight.FlightDescriptor) -> PutOrder:
    if descriptor.descriptor_type == flight.DescriptorType.CMD:
        command = unpack(descriptor.command or b"", flight_pb2.CleanCommand)
        return PutOrder(
            subject=command.subject,
            producer_id=command.producer_id,
            schema_version=command.schema_version,
            source_spec=command.source_spec,
        )
    path = list(descriptor.path or ())
    if len(path) != 1:
        raise InvalidArgumentError(
            "descriptor",
            f"expected a path of one part, the subject, or a CleanCommand; it had {len(path)}",
        )
    return PutOrder(subject=path[0].decode("utf-8", "replace"))


def _chunks(
    call: FlightCall,
    reader: flight.MetadataRecordBatchReader,
) -> Iterator[tuple[pa.RecordBatch | None, pa.Buffer | None]]:
    while True:
        try:
            chunk = reader.read_chunk()
            if chunk.data is not None:
                chunk.data.validate(full=True)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            if call.cancelled or isinstance(error, flight.FlightError):
                raise
            raise InvalidArgumentError(
                "data",
                "the Arrow data of a batch cannot be read; send it as an Arrow stream of the "
                "schema it began with",
            ) from error
        yield chunk.data, chunk.app_metadata


def _take(
    call: FlightCall,
    reader: flight.MetadataRecordBatchReader,
    live: LivePut,
    begun: PutPosition,
    acknowledger: _Acknowledger,
    *,
    numbered: bool,
) -> None:
    """Spool what comes, in the producer's order; what came before is passed over."""
    expected = begun.sequence
    for batch, raw in _chunks(call, reader):
        if live.failure is not None:
            return
        if batch is None:
            continue
        metadata = _metadata(raw)
        if metadata.traceparent:
            call.link_trace(metadata.traceparent, {"tickmesh.sequence": str(metadata.sequence)})
        sequence = metadata.sequence if numbered else expected
        if sequence <= 0:
            raise InvalidArgumentError(
                "app_metadata.sequence",
                "every batch of a producer carries its sequence, from 1, as PutMetadata",
            )
        if sequence < expected:
            acknowledger.duplicates += batch.num_rows
        elif sequence > expected:
            raise SequenceGapError(expected=expected, got=sequence)
        else:
            live.add(sequence, batch)
            expected += 1
        if call.draining:
            raise DrainingError("send what is not acknowledged again in a moment")


def _metadata(raw: pa.Buffer | None) -> commands_pb2.PutMetadata:
    try:
        return commands_pb2.PutMetadata.FromString(b"" if raw is None else raw.to_pybytes())
    except DecodeError:
        raise InvalidArgumentError(
            "app_metadata", "expected a serialized PutMetadata, or nothing"
        ) from None


class _Acknowledger:
    """Tells the sender how far its stream has come, from a thread of its own.

    The handler's thread is blocked in reading, so it cannot.
    """

    def __init__(
        self,
        call: FlightCall,
        desk: PutDesk,
        live: LivePut,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        self.duplicates = 0
        self._call = call
        self._desk = desk
        self._live = live
        self._writer = writer
        self._sent = b""
        self._broken = self._over = self._told_end = False
        self._thread = threading.Thread(target=self._run, name="put-acknowledger", daemon=True)
        self.start = self._thread.start

    def finish(self) -> None:
        """Tell the last of it, once the job has ended or the sender has gone."""
        self._over = True
        if self._thread.ident is not None:
            self._thread.join()
            self._tell(self._live.await_news(None, timeout_seconds=0.0))

    def _run(self) -> None:
        known: PutPosition | None = None
        while not (self._over or (self._live.job_ended and (self._told_end or not self._ends))):
            news = self._live.await_news(
                known, end_is_known=self._told_end, timeout_seconds=_HEARTBEAT_SECONDS
            )
            if news != known:
                known = news
                self._tell(news)
            elif self._ends and not self._told_end:
                # The handler cannot end the stream while it reads: the sender is asked to.
                self._told_end = True
                self._tell(news)
            elif self._call.draining and self._live.idle:
                # All it sent is accounted for and told: only the sender could end the stream.
                self._call.settle()

    @property
    def _ends(self) -> bool:
        return self._live.failure is not None or self._call.draining

    def _tell(self, reached: PutPosition | None) -> None:
        if self._broken:
            return
        job, revision = self._desk.account(self._live)
        text = flight_pb2.CleanAcknowledgement(
            through_sequence=reached.through_sequence if reached else 0,
            stored=job.balance.stored,
            quarantined=job.balance.quarantined,
            duplicates=job.balance.duplicates + self.duplicates,
            dataset_revision=revision,
            job_id=job.id,
            ended=self._told_end,
        ).SerializeToString()
        if text == self._sent:
            return
        self._sent = text
        try:
            self._writer.write(pa.py_buffer(text))
        except (pa.ArrowException, OSError):
            # The sender is gone; what it sent is cleaned all the same.
            self._broken = True


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without dictionaries, which a stream of answers could not replace."""
    columns: list[pa.Array[Any]] = []
    fields: list[pa.Field[Any]] = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        flat = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
        columns.append(flat)
        fields.append(field.with_type(flat.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _with_verdicts(
    batch: pa.RecordBatch, schema: RegisteredSchema, spec: SourceSpec, judge: BatchJudge
) -> pa.RecordBatch:
    """The rows with whether each is good, and all the reasons where it is not."""
    place = np.full(batch.num_rows, -1, dtype=np.int64)
    reasons: list[Any] = []
    held = 0
    for decoded in decoded_batches(batch, 0, batch.num_rows, batch_records=1 << 30):
        judged = judge.judge(SourceBatch("", "", decoded, spec, ""), schema)
        table = judged.held.table
        if not table.num_rows:
            continue
        offsets = table.column("offset").to_numpy()
        place[offsets] = np.arange(held, held + len(offsets))
        held += len(offsets)
        reasons.extend(table.column("reasons").chunks)
    found = pa.concat_arrays(reasons) if reasons else _NOTHING_HELD
    bad = place >= 0
    columns = [
        *batch.columns,
        pa.array(~bad),
        found.take(pa.array(place, pa.int64(), mask=~bad)),
    ]
    fields = [*batch.schema, *_VERDICT_FIELDS]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
