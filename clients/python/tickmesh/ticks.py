"""The tick store from Python: put, read, follow."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self, Unpack

from tickmesh._ticks.administration import Limits, Retention, TickAdministration
from tickmesh._ticks.bars import TradingSession, bars_command
from tickmesh._ticks.commands import ReadOptions, put_command, read_command
from tickmesh._ticks.connection import TickConnection
from tickmesh._ticks.durations import duration_ns
from tickmesh._ticks.filter_text import parse_filter
from tickmesh._ticks.filters import Column, Filter, col
from tickmesh._ticks.frames import to_batches
from tickmesh._ticks.frames_out import pandas_frame, polars_frame, require
from tickmesh._ticks.put_stream import PutStream
from tickmesh._ticks.queries import Side, as_of_join_command, latest_command, sql_command
from tickmesh._ticks.reading import read_table, stream_batches
from tickmesh._ticks.selections import Selection
from tickmesh._ticks.tail import Tail, TailBatch
from tickmesh._ticks.time_arguments import instant_ns
from tickmesh._ticks.writer import Producer, PutReceipt, TickWriter
from tickmesh._wire.credentials import credentials_of
from tickmesh.api.tickstore.v1 import commands_pb2, tick_store_service_pb2
from tickmesh.config import load_client_config
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tickmesh._ticks.bars import FillName
    from tickmesh._ticks.commands import AcknowledgementName, OrderName
    from tickmesh._ticks.durations import Duration
    from tickmesh._ticks.frames import TickData
    from tickmesh._ticks.queries import AsOfDirectionName, ExactMatchesName, MatchingName
    from tickmesh._ticks.tail import TailBegin
    from tickmesh._ticks.time_arguments import Instant, TimeZone
    from tickmesh._ticks.values import ColumnValue
    from tickmesh._wire.credentials import ClientCredentials
    from tickmesh.api.tickstore.v1 import dataset_pb2
    from tickmesh.config import ClientConfig
    from tickmesh.errors import TickmeshError

__all__ = [
    "Column",
    "Filter",
    "Limits",
    "Producer",
    "PutReceipt",
    "Retention",
    "Selection",
    "Tail",
    "TailBatch",
    "TickClient",
    "TickWriter",
    "TradingSession",
    "col",
    "duration_ns",
    "instant_ns",
    "parse_filter",
]

_PAGE_SIZE = 1_000
_KEEP_EVERYTHING = Retention()
_NO_LIMITS = Limits()


class TickClient:
    """A client of the tick store; may be shared by threads. A context manager.

    Every method raises `tickmesh.errors.TickmeshError`s. Wherever an instant is taken, an int is
    nanoseconds since the epoch, a datetime, Timestamp or datetime64 is taken with its zone, and
    text such as `"2024-08-08T09:30"`, a date (its midnight) and naive values need `tz=`. Ranges are
    half-open: `start` belongs to them, `end` does not.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        flight_address: str | None = None,
        credentials: ClientCredentials | None = None,
        config: ClientConfig | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """Make a client; connects on first use.

        Args:
            address: `host:port` of the control service (gRPC); the configured one when None.
            flight_address: `host:port` of the data service (Flight); the configured one when None.
            credentials: TLS files and token; the configured ones when None.
            config: The client's settings; loaded when None.
            timeout_seconds: The deadline of control calls. Data moves without one.
        """
        config = config or load_client_config()
        self._connection = TickConnection(
            address=address or config.tickstore,
            flight_address=flight_address or config.tickstore_flight,
            credentials=credentials or credentials_of(config),
            call_attempts=config.call_attempts,
        )
        self._timeout_seconds = timeout_seconds
        self._administration = TickAdministration(self._connection, timeout_seconds=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._connection.close()

    # Writing ----------------------------------------------------------------------------------

    def put(
        self,
        subject: str,
        data: TickData,
        *,
        version: int | None = None,
        tz: TimeZone | None = None,
    ) -> PutReceipt:
        """Store all rows or none: they become visible together, durable, when this returns.

        Args:
            subject: The registry subject; the dataset of its name is created by the first put.
            data: A pyarrow Table, RecordBatch, RecordBatchReader or iterable of RecordBatches, or
                a pandas or polars DataFrame.
            version: The schema version the rows were made for; the one in force when None.
            tz: The zone of zone-less timestamp columns; without it such columns are refused.

        Raises:
            InvalidArgumentError: rows or columns are not valid; `violations` says which and why.
            NotFoundError: the registry knows no such subject or version.
            UnavailableError: the store is away. Nothing is stored, unless the connection was lost
                while the end of the upload was under way; `writer` retries without that doubt.
        """
        batches = iter(to_batches(data, tz=tz))
        first = next(batches, None)
        if first is None:
            return PutReceipt(rows=0, batches=0, duplicates=0, dataset_revision=0)
        stream = PutStream(
            self._connection, put_command(subject, version=version, atomic=True), first.schema
        )
        count = rows = 0
        try:
            batch: pa.RecordBatch | None = first
            while batch is not None:
                stream.write(batch, commands_pb2.PutMetadata())
                count += 1
                rows += batch.num_rows
                batch = next(batches, None)
            marker = commands_pb2.FinalMarker(batches=count, rows=rows)
            stream.write(first.slice(0, 0), commands_pb2.PutMetadata(final=marker))
        except BaseException:
            # Without its marker the upload is dropped.
            stream.abandon()
            raise
        stream.close()
        return PutReceipt(
            rows=stream.acknowledged.rows,
            batches=count,
            duplicates=stream.acknowledged.duplicates,
            dataset_revision=stream.acknowledged.dataset_revision,
        )

    def writer(
        self,
        subject: str,
        *,
        producer_id: str | None = None,
        version: int | None = None,
        ack: AcknowledgementName = "durable",
        on_behalf_of: str | None = None,
        retry_seconds: float = 60.0,
    ) -> TickWriter:
        """Open a writer that joins small puts and sends each message until it is stored once.

        Args:
            subject: The registry subject; its dataset is created when it is not there.
            producer_id: A stable id, so that a restarted producer goes on after `last_sequence` and
                its predecessor is fenced; a fresh one when None.
            version: The schema version the rows are made for; the one in force when None.
            ack: `durable`: acknowledged once synchronised to disk; `received`: once judged.
            on_behalf_of: The principal the caller writes for.
            retry_seconds: How long an unreachable store is tried again before the writer fails.
        """
        producer = self.open_producer(subject, producer_id or f"writer-{uuid.uuid4().hex}")
        return TickWriter(
            self._connection,
            subject,
            producer=producer,
            version=version,
            ack=ack,
            on_behalf_of=on_behalf_of,
            retry_seconds=retry_seconds,
        )

    def open_producer(self, subject: str, producer_id: str) -> Producer:
        """Open a new epoch of a producer: older ones are fenced, sequences go on."""
        answer = self._call(
            "OpenProducer",
            tick_store_service_pb2.OpenProducerRequest(dataset=subject, producer_id=producer_id),
        ).producer
        return Producer(
            producer_id=producer_id,
            epoch=answer.producer_epoch,
            last_sequence=answer.last_sequence,
        )

    # Reading ----------------------------------------------------------------------------------

    def read(
        self,
        dataset: str,
        *,
        start: Instant | None = None,
        end: Instant | None = None,
        symbols: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        where: Filter | str | None = None,
        tz: TimeZone | None = None,
        limit: int | None = None,
        order: OrderName = "arrival",
        as_of: int | None = None,
        snapshot: str | None = None,
        version: int | None = None,
        generation: int | None = None,
        stamps: bool = False,
    ) -> pa.Table:
        """Read one snapshot into a table; its parts come side by side, over several connections.

        Args:
            dataset: The dataset.
            start: Event times from here on.
            end: Event times before here.
            symbols: Only these symbols.
            columns: Only these columns, in this order.
            where: Only rows for which this is true: `col("price") > 100`, or `"price > 100"`.
            tz: The zone of `start` and `end` where they name none.
            limit: At most so many rows, the first in `order`.
            order: `arrival`, as committed, or `time`, by event time.
            as_of: The dataset revision to read; the newest when None.
            snapshot: The named snapshot to read; not together with `as_of`.
            version: The schema version to read under; the one in force when None.
            generation: Only rows of this generation, under its newest version.
            stamps: Adds `_schema_version`, `_ingest_time`, `_dataset_revision`, `_producer_id` and
                `_sequence`: under what, when and by whom each row was stored.

        Raises:
            NotFoundError: there is no such dataset, version or snapshot.
            InvalidArgumentError: a column, condition or instant does not fit.
            OutOfRangeError: the revision is not there yet, or no longer.
            FailedPreconditionError: rows cannot be had under that version; it says why.
        """
        command = read_command(
            dataset,
            start=start,
            end=end,
            symbols=symbols,
            columns=columns,
            where=where,
            tz=tz,
            limit=limit,
            order=order,
            as_of=as_of,
            snapshot=snapshot,
            version=version,
            generation=generation,
            stamps=stamps,
        )
        return read_table(self._connection, command)

    def stream(self, dataset: str, **options: Unpack[ReadOptions]) -> pa.RecordBatchReader:
        """Read one snapshot batch by batch, in bounded memory; arguments as for `read`."""
        return stream_batches(self._connection, read_command(dataset, **options))

    def to_pandas(self, dataset: str, **options: Unpack[ReadOptions]) -> pd.DataFrame:
        """Read into a pandas DataFrame without loss; arguments as for `read`.

        Integer and boolean columns that may hold nulls become pandas' nullable types (`Int64`,
        `boolean`), decimals Python's, text of few values categories.

        Raises:
            ImportError: pandas is not installed; the message is the pip line.
        """
        require("pandas")
        return pandas_frame(self.read(dataset, **options))

    def to_polars(self, dataset: str, **options: Unpack[ReadOptions]) -> pl.DataFrame:
        """Read into a polars DataFrame without loss; arguments as for `read`.

        Raises:
            ImportError: polars is not installed; the message is the pip line.
        """
        require("polars")
        return polars_frame(self.read(dataset, **options))

    def tail(
        self,
        dataset: str,
        *,
        after: str | None = None,
        begin: TailBegin = "first",
        symbols: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        where: Filter | str | None = None,
        version: int | None = None,
        generation: int | None = None,
        on_interruption: Callable[[TickmeshError], None] | None = None,
    ) -> Tail:
        """Follow a dataset: everything after a position, then rows as they are committed (T8).

        A tail keeps the version it was opened with. Where rows come that cannot be read under it,
        as after a breaking change, it ends in front of them: FailedPreconditionError with reason
        GENERATION_NOT_READABLE or VERSION_NOT_READABLE, and `positionToken` in its metadata, to go
        on after under another version.

        Args:
            dataset: The dataset.
            after: A position of an earlier tail.
            begin: Where to begin without `after`: at the `first` row, or behind the `newest` one.
            symbols: Only these symbols.
            columns: Only these columns.
            where: Only rows for which this is true.
            version: The schema version to read under.
            generation: Only rows of this generation, under its newest version; those of others are
                passed over.
            on_interruption: Told why a stream ended, before it is resumed where it ended; without
                it a warning is logged under `tickmesh.ticks`.
        """
        command = read_command(
            dataset,
            symbols=symbols,
            columns=columns,
            where=where,
            version=version,
            generation=generation,
        )
        if begin not in {"first", "newest"}:
            raise InvalidArgumentError(f'begin must be "first" or "newest"; it was {begin!r}.')
        command.follow = True
        command.resume_token = after or ""
        if begin == "newest" and not after:
            command.resume_token = self.dataset(dataset).end_position
        return Tail(self._connection, command, on_interruption=on_interruption)

    # Asking -----------------------------------------------------------------------------------

    def latest(
        self,
        dataset: str,
        *,
        at: Instant | None = None,
        symbols: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        where: Filter | str | None = None,
        tz: TimeZone | None = None,
        rows_per_symbol: int = 1,
        as_of: int | None = None,
        snapshot: str | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """The newest rows of each symbol by event time; of one instant, the last committed.

        Args:
            dataset: The dataset; it needs an event time and a symbol column.
            at: Only rows up to this instant, itself included: what was known then.
            symbols: Only these symbols.
            columns: Only these columns, in this order.
            where: The newest of the rows for which this is true.
            tz: The zone of `at` where it names none.
            rows_per_symbol: How many rows of each symbol.
            as_of: As for `read`.
            snapshot: As for `read`.
            version: As for `read`.

        Raises:
            FailedPreconditionError: the schema names no event time or symbol; it says how to.
        """
        command = latest_command(
            dataset,
            at=at,
            symbols=symbols,
            columns=columns,
            where=where,
            tz=tz,
            rows_per_symbol=rows_per_symbol,
            as_of=as_of,
            snapshot=snapshot,
            version=version,
        )
        return read_table(self._connection, command)

    def asof_join(
        self,
        left: Side,
        right: Side,
        *,
        start: Instant | None = None,
        end: Instant | None = None,
        right_start: Instant | None = None,
        symbols: Sequence[str] | str | None = None,
        tz: TimeZone | None = None,
        tolerance: Duration | None = None,
        direction: AsOfDirectionName = "backward",
        exact: ExactMatchesName = "allowed",
        by: MatchingName = "auto",
        suffix: str = "_right",
        right_event_time: bool = False,
    ) -> pa.Table:
        """Every left row in order of event time, with the right row in force then: a left join.

        Of right rows of one instant the last committed counts. Where none matches there are nulls.

        Args:
            left: The rows to keep: a dataset, or a `Selection` of one.
            right: The rows to look up: a dataset, or a `Selection` of one.
            start: Left rows from here on.
            end: Left rows before here.
            right_start: Right rows from here on. When None, as early as `tolerance` lets a match
                be, else from the first row: give it to look at less.
            symbols: Only these symbols, on both sides.
            tz: The zone of instants that name none.
            tolerance: How far apart event times may be, itself included; any distance when None.
            direction: `backward`: the last right row at or before the left one; `forward`: the
                first at or after it; `nearest`: the nearer of both, the earlier of two as near.
            exact: Whether equal event times match: `allowed` or `excluded`.
            by: Match within a `symbol`, or among all (`none`); `auto` is symbol where both have it.
            suffix: Appended to right columns whose names the left has too.
            right_event_time: Adds the right rows' event time, under its name and `suffix`.
        """
        command = as_of_join_command(
            left,
            right,
            start=start,
            end=end,
            right_start=right_start,
            symbols=symbols,
            tz=tz,
            tolerance=tolerance,
            direction=direction,
            exact=exact,
            by=by,
            suffix=suffix,
            right_event_time=right_event_time,
        )
        return read_table(self._connection, command)

    def bars(  # noqa: PLR0913 — each is a choice of its own
        self,
        dataset: str,
        *,
        every: Duration | None = None,
        ticks: int | None = None,
        volume: float | None = None,
        dollars: float | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        symbols: Sequence[str] | str | None = None,
        where: Filter | str | None = None,
        tz: TimeZone | None = None,
        fill: FillName = "omit",
        session: TradingSession | None = None,
        price: str | None = None,
        size: str | None = None,
        as_of: int | None = None,
        snapshot: str | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Bars of each symbol: open, high, low, close, volume, vwap and trades.

        Exactly one of `every`, `ticks`, `volume` and `dollars` says how wide a bar is. The event
        time of a bar is its first instant, `[t, t + every)`; open and close are its first and last
        row by event time and commit.

        Args:
            dataset: The dataset; it needs an event time.
            every: Time bars of this width, aligned to 1970 UTC, or to a session's opening.
            ticks: Bars of so many rows.
            volume: Bars closed by the row that brings their volume to this.
            dollars: Bars closed by the row that brings their sum of price times size to this.
            start: Rows from here on.
            end: Rows before here.
            symbols: Only these symbols.
            where: Only rows for which this is true.
            tz: The zone of `start` and `end` where they name none.
            fill: Time bars without a row: left out (`omit`), with nulls (`null`), or with the close
                before as their prices (`previous`), from each symbol's first bar to its last.
            session: Only rows within sessions; a bar never spans two of them.
            price: The price column; the one whose role is price when None.
            size: The size column; the one whose role is size when None.
            as_of: As for `read`.
            snapshot: As for `read`.
            version: As for `read`.
        """
        command = bars_command(
            dataset,
            every=every,
            ticks=ticks,
            volume=volume,
            dollars=dollars,
            fill=fill,
            session=session,
            price=price,
            size=size,
            read={
                "start": start,
                "end": end,
                "symbols": symbols,
                "where": where,
                "tz": tz,
                "as_of": as_of,
                "snapshot": snapshot,
                "version": version,
            },
        )
        return read_table(self._connection, command)

    def sql(
        self,
        query: str,
        *,
        tables: Mapping[str, Side] | None = None,
        parameters: Sequence[ColumnValue] = (),
    ) -> pa.Table:
        """Run one read-only statement of SQL; it sees datasets and nothing else.

        Args:
            query: The statement. Datasets are tables under their quoted names:
                `select * from "ticks.trades"`.
            tables: Other names for datasets or a `Selection` of one, so that only that part is
                read; a name given here hides the dataset of that name.
            parameters: Values of the statement's `$1`, `$2`, …

        Raises:
            InvalidArgumentError: the statement is wrong, or does more than read.
            ResourceExhaustedError: it needs more memory or time than the store gives one.
        """
        command = sql_command(query, tables=tables, parameters=parameters)
        return read_table(self._connection, command)

    # Knowing ----------------------------------------------------------------------------------

    def dataset(self, name: str) -> dataset_pb2.Dataset:
        """One dataset: its settings, what it holds and in which form.

        Raises:
            NotFoundError: there is none of that name.
        """
        return self._administration.dataset(name)

    def datasets(self, *, prefix: str = "") -> list[dataset_pb2.Dataset]:
        """Every dataset whose name begins with `prefix`, in order of names."""
        found: list[dataset_pb2.Dataset] = []
        request = tick_store_service_pb2.ListDatasetsRequest(page_size=_PAGE_SIZE, prefix=prefix)
        while True:
            answer = self._call("ListDatasets", request)
            found.extend(answer.datasets)
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def statistics(self, dataset: str | None = None) -> tick_store_service_pb2.GetStatsResponse:
        """What a dataset, or the whole store, holds and how it is doing."""
        answer: tick_store_service_pb2.GetStatsResponse = self._call(
            "GetStats", tick_store_service_pb2.GetStatsRequest(dataset=dataset or "")
        )
        return answer

    # Administering ----------------------------------------------------------------------------

    def create_dataset(
        self,
        subject: str,
        *,
        naive_time_zone: str = "",
        retention: Retention = _KEEP_EVERYTHING,
        limits: Limits = _NO_LIMITS,
    ) -> dataset_pb2.Dataset:
        """Create the dataset of a registered subject before its first put.

        Args:
            subject: The registry subject.
            naive_time_zone: The IANA zone in which zone-less timestamps of puts are read; refused
                when empty.
            retention: How long and how much is kept.
            limits: What its producers may use.

        Raises:
            InvalidArgumentError: the dataset exists with other settings.
        """
        return self._administration.create_dataset(
            subject, naive_time_zone=naive_time_zone, retention=retention, limits=limits
        )

    def update_dataset(
        self,
        dataset: str,
        *,
        naive_time_zone: str | None = None,
        retention: Retention | None = None,
        limits: Limits | None = None,
    ) -> dataset_pb2.Dataset:
        """Change settings of a dataset; what is None stays as it is.

        Args:
            dataset: The dataset.
            naive_time_zone: As for `create_dataset`; counts for streams opened from now on.
            retention: How long and how much is kept; `Retention()` keeps everything.
            limits: What its producers may use; `Limits()` sets none.
        """
        return self._administration.update_dataset(
            dataset, naive_time_zone=naive_time_zone, retention=retention, limits=limits
        )

    def delete_dataset(self, dataset: str) -> int:
        """Delete a dataset with all its rows, for good; returns how many there were.

        Raises:
            FailedPreconditionError: named snapshots hold it.
        """
        return self._administration.delete_dataset(dataset)

    def create_snapshot(self, name: str, *, datasets: Sequence[str] = ()) -> dataset_pb2.Snapshot:
        """Give the present revisions of some datasets a name, and keep what they show (T7).

        Args:
            name: The snapshot's name, for `snapshot=` of every read.
            datasets: The datasets; all when empty.

        Raises:
            AlreadyExistsError: there is a snapshot of that name.
        """
        return self._administration.create_snapshot(name, datasets=datasets)

    def snapshots(self, *, dataset: str | None = None) -> list[dataset_pb2.Snapshot]:
        """Every named snapshot, or those that hold a dataset, in order of names."""
        return self._administration.snapshots(dataset=dataset or "")

    def delete_snapshot(self, name: str) -> None:
        """Delete a named snapshot; its rows stay as long as the datasets keep them."""
        self._administration.delete_snapshot(name)

    def flush(self, dataset: str, *, timeout_seconds: float = 30.0) -> dataset_pb2.Dataset:
        """Move everything acknowledged out of the write-ahead log into segments.

        Raises:
            DeadlineExceededError: it goes on in the background.
        """
        return self._administration.flush(dataset, timeout_seconds=timeout_seconds)

    def compact(self, dataset: str, *, timeout_seconds: float = 30.0) -> dataset_pb2.Dataset:
        """Settle every segment, which is done in the background anyway, and merge small ones.

        Raises:
            DeadlineExceededError: it goes on in the background.
        """
        return self._administration.compact(dataset, timeout_seconds=timeout_seconds)

    def _call(self, method: str, request: object) -> Any:
        return self._connection.call(method, request, timeout_seconds=self._timeout_seconds)
