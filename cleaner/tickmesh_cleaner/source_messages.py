"""Sources and sinks of jobs as messages of the contract, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from google.protobuf.duration_pb2 import Duration

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh_cleaner.domain.errors import InvalidArgumentError
from tickmesh_cleaner.domain.job_sink import TICK_STORE, DatabaseSink, ParquetSink, TickStoreSink
from tickmesh_cleaner.domain.job_source import (
    DatabaseSource,
    FileSource,
    FilesSource,
    FollowedSource,
    HttpFeedSource,
    HttpPaging,
    QuarantineSource,
    StartAt,
    UploadedSource,
    WebSocketFeedSource,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

    from tickmesh_cleaner.domain.job_sink import JobSink
    from tickmesh_cleaner.domain.job_source import JobSource

    Choice = TypeVar("Choice", bound=StrEnum)

_POLL_SECONDS = (0.1, 1.0, 3_600.0)
_STALL_SECONDS = (1.0, 30.0, 3_600.0)

_START_AT: dict[int, StartAt] = {
    job_pb2.START_AT_UNSPECIFIED: StartAt.BEGINNING,
    job_pb2.START_AT_BEGINNING: StartAt.BEGINNING,
    job_pb2.START_AT_END: StartAt.END,
}
_PAGING: dict[int, HttpPaging] = {
    job_pb2.HTTP_PAGING_UNSPECIFIED: HttpPaging.NONE,
    job_pb2.HTTP_PAGING_NONE: HttpPaging.NONE,
    job_pb2.HTTP_PAGING_LINK: HttpPaging.LINK,
    job_pb2.HTTP_PAGING_CURSOR: HttpPaging.CURSOR,
}


def duration(seconds: float) -> Duration:
    """A length of time as the contract has it."""
    whole, nanos = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(seconds=whole, nanos=nanos)


def seconds_of(message: Duration, *, shortest: float, longest: float) -> float:
    """The length of time a message gives, clamped."""
    asked: float = message.seconds + message.nanos / 1e9
    return min(max(asked, shortest), longest)


def source_of(message: job_pb2.JobSource) -> JobSource:
    """The source a CreateJob names.

    Raises:
        InvalidArgumentError: It names none, or a replay, or a choice that is not offered.
    """
    match message.WhichOneof("source"):
        case "file":
            return FileSource(message.file.path)
        case "files":
            return FilesSource(message.files.pattern)
        case "followed":
            start_at = _choice(_START_AT, message.followed.start_at, "source.followed.start_at")
            return FollowedSource(message.followed.path, start_at)
        case "upload":
            return UploadedSource(message.upload.upload_id)
        case "http":
            return _http_feed_of(message.http)
        case "websocket":
            return _websocket_feed_of(message.websocket)
        case "database":
            return _database_source_of(message.database)
        case "quarantine":
            raise InvalidArgumentError(
                "source.quarantine", "quarantined rows are judged again by ReplayQuarantine"
            )
        case _:
            raise InvalidArgumentError("source", "expected a source, it named none")


def source_message(source: JobSource) -> job_pb2.JobSource:
    """A source."""
    match source:
        case FileSource(path):
            return job_pb2.JobSource(file=job_pb2.FileSource(path=path))
        case FilesSource(pattern):
            return job_pb2.JobSource(files=job_pb2.FilesSource(pattern=pattern))
        case FollowedSource(path, start_at):
            return job_pb2.JobSource(
                followed=job_pb2.FollowedSource(
                    path=path, start_at=job_pb2.StartAt.Value(f"START_AT_{start_at.name}")
                )
            )
        case UploadedSource(upload_id):
            return job_pb2.JobSource(upload=job_pb2.UploadedSource(upload_id=upload_id))
        case HttpFeedSource():
            return job_pb2.JobSource(http=_http_feed_message(source))
        case WebSocketFeedSource():
            return job_pb2.JobSource(
                websocket=job_pb2.WebSocketFeedSource(
                    url=source.url,
                    subscribe=source.subscribe,
                    sequence_path=source.sequence_path,
                    stall_timeout=duration(source.stall_timeout_seconds),
                )
            )
        case DatabaseSource():
            polls = source.poll_interval_seconds
            return job_pb2.JobSource(
                database=job_pb2.DatabaseSource(
                    connection=source.connection,
                    query=source.query,
                    key_column=source.key_column,
                    watermark_column=source.watermark_column,
                    overlap=source.overlap,
                    poll_interval=duration(polls) if polls else None,
                )
            )
        case QuarantineSource(filter=selected):
            return job_pb2.JobSource(
                quarantine=job_pb2.QuarantineSource(
                    filter=job_pb2.QuarantineFilter(
                        job_id=selected.job_id,
                        subject=selected.subject,
                        reason=selected.reason,
                        state=job_pb2.QuarantineState.Value(
                            f"QUARANTINE_STATE_{selected.state.name}"
                        ),
                        row_ids=selected.row_ids,
                    )
                )
            )


def sink_of(message: job_pb2.JobSink) -> JobSink:
    """The sink a CreateJob names; the tick store when it names none."""
    match message.WhichOneof("sink"):
        case "parquet":
            if not message.parquet.directory:
                raise InvalidArgumentError("sink.parquet.directory", "expected a directory")
            return ParquetSink(message.parquet.directory, tuple(message.parquet.partition_by))
        case "database":
            _expect_all(
                "sink.database",
                {"connection": message.database.connection, "table": message.database.table},
            )
            return DatabaseSink(message.database.connection, message.database.table)
        case _:
            return TICK_STORE


def sink_message(sink: JobSink) -> job_pb2.JobSink:
    """A sink."""
    match sink:
        case TickStoreSink():
            return job_pb2.JobSink(tick_store=job_pb2.TickStoreSink())
        case ParquetSink(directory, partition_by):
            return job_pb2.JobSink(
                parquet=job_pb2.ParquetSink(directory=directory, partition_by=partition_by)
            )
        case DatabaseSink(connection, table):
            return job_pb2.JobSink(
                database=job_pb2.DatabaseSink(connection=connection, table=table)
            )


def _http_feed_of(message: job_pb2.HttpFeedSource) -> HttpFeedSource:
    paging = _choice(_PAGING, message.paging, "source.http.paging")
    if paging is HttpPaging.CURSOR:
        _expect_all(
            "source.http",
            {
                "cursor_path": message.cursor_path,
                "cursor_parameter": message.cursor_parameter,
            },
        )
    if message.max_answers < 0:
        raise InvalidArgumentError("source.http.max_answers", "expected 0 or more")
    return HttpFeedSource(
        url=message.url,
        poll_interval_seconds=_seconds(message, "poll_interval", _POLL_SECONDS),
        paging=paging,
        cursor_path=message.cursor_path,
        cursor_parameter=message.cursor_parameter,
        records_path=message.records_path,
        max_answers=message.max_answers,
    )


def _http_feed_message(source: HttpFeedSource) -> job_pb2.HttpFeedSource:
    return job_pb2.HttpFeedSource(
        url=source.url,
        poll_interval=duration(source.poll_interval_seconds),
        paging=job_pb2.HttpPaging.Value(f"HTTP_PAGING_{source.paging.name}"),
        cursor_path=source.cursor_path,
        cursor_parameter=source.cursor_parameter,
        records_path=source.records_path,
        max_answers=source.max_answers,
    )


def _websocket_feed_of(message: job_pb2.WebSocketFeedSource) -> WebSocketFeedSource:
    return WebSocketFeedSource(
        url=message.url,
        subscribe=tuple(message.subscribe),
        sequence_path=message.sequence_path,
        stall_timeout_seconds=_seconds(message, "stall_timeout", _STALL_SECONDS),
    )


def _database_source_of(message: job_pb2.DatabaseSource) -> DatabaseSource:
    _expect_all("source.database", {"connection": message.connection, "query": message.query})
    polls = message.HasField("poll_interval")
    if polls and not message.key_column:
        raise InvalidArgumentError(
            "source.database.key_column", "a query that is polled needs a key column"
        )
    if message.overlap < 0:
        raise InvalidArgumentError("source.database.overlap", "expected 0 or more")
    return DatabaseSource(
        connection=message.connection,
        query=message.query,
        key_column=message.key_column,
        watermark_column=message.watermark_column,
        overlap=message.overlap,
        poll_interval_seconds=_seconds(message, "poll_interval", _POLL_SECONDS) if polls else 0.0,
    )


def _seconds(
    message: job_pb2.HttpFeedSource | job_pb2.WebSocketFeedSource | job_pb2.DatabaseSource,
    field: str,
    bounds: tuple[float, float, float],
) -> float:
    shortest, usual, longest = bounds
    if not message.HasField(field):  # type: ignore[arg-type]  # each call names a field it has
        return usual
    return seconds_of(getattr(message, field), shortest=shortest, longest=longest)


def _choice(choices: Mapping[int, Choice], number: int, field: str) -> Choice:
    chosen = choices.get(number)
    if chosen is None:
        raise InvalidArgumentError(field, f"{number} is no choice that is offered")
    return chosen


def _expect_all(parent: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if not value:
            raise InvalidArgumentError(f"{parent}.{name}", "expected a value, it was empty")
