"""Where a cleaning job's records come from: the `source` of `CleanerClient.create_job`.

    from tickmesh.cleaning import CleanerClient
    from tickmesh.cleaning_sources import Files

    with CleanerClient() as cleaner:
        job = cleaner.create_job("ticks.trades", source=Files("/data/trades/*.csv.gz"))

Paths, hosts and connections are those of the cleaner, as its configuration allows them.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from google.protobuf.duration_pb2 import Duration

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "File",
    "Files",
    "Followed",
    "HttpFeed",
    "JobSource",
    "Query",
    "Upload",
    "WebSocketFeed",
    "source_message",
]


@dataclass(frozen=True, slots=True)
class File:
    """A file below one of the cleaner's source roots.

    Attributes:
        path: Its absolute path, as the cleaner sees it.
    """

    path: str | Path


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent by `CleanerClient.upload`.

    Attributes:
        upload_id: What `upload` answered.
    """

    upload_id: str


@dataclass(frozen=True, slots=True)
class Files:
    """Several files below a source root, cleaned one after the other in order of their paths.

    Attributes:
        pattern: A directory (its files, not those of directories below), or an absolute pattern
            with `*`, `?`, `[…]` and `**` for any number of directories.
    """

    pattern: str | Path


@dataclass(frozen=True, slots=True)
class Followed:
    """A file that is appended to while it is read. The job ends only when it is cancelled.

    Attributes:
        path: Its absolute path, as the cleaner sees it; it need not exist yet.
        start_at: "beginning" with what is there already, or "end" with what comes after.
    """

    path: str | Path
    _: KW_ONLY
    start_at: Literal["beginning", "end"] = "beginning"


@dataclass(frozen=True, slots=True)
class HttpFeed:
    """A feed polled over HTTP.

    Attributes:
        url: The URL, on a host the cleaner is configured for, without user or password.
        poll_interval_seconds: Time between polls; the cleaner's default when None.
        paging: How to go on from one answer to the next: "none", by the "link" header, or by a
            "cursor" in the answer.
        cursor_path: JSON Pointer to the next cursor in the answer's body.
        cursor_parameter: The query parameter it is sent back as.
        records_path: JSON Pointer to the array of records; empty when the body is the source's
            format itself.
        max_answers: Answers to take before the job ends; 0 for a feed without end.
    """

    url: str
    _: KW_ONLY
    poll_interval_seconds: float | None = None
    paging: Literal["none", "link", "cursor"] = "none"
    cursor_path: str = ""
    cursor_parameter: str = ""
    records_path: str = ""
    max_answers: int = 0


@dataclass(frozen=True, slots=True)
class WebSocketFeed:
    """A feed of messages over a WebSocket, each message one record.

    Attributes:
        url: The URL, `ws` or `wss`, on a host the cleaner is configured for.
        subscribe: Messages sent after every connect, in order.
        sequence_path: JSON Pointer to the feed's own number of a message; a jump is reported as a
            gap.
        stall_timeout_seconds: Silence after which the connection is made anew; the cleaner's
            default when None.
    """

    url: str
    _: KW_ONLY
    subscribe: tuple[str, ...] = ()
    sequence_path: str = ""
    stall_timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The rows of a query against a database the cleaner is configured for.

    Attributes:
        connection: The name of the connection in the cleaner's configuration.
        query: One SELECT.
        key_column: The column that tells new rows from known ones; unique and never null. Empty:
            the whole answer is read once.
        watermark_column: A column that only grows with time; empty when the key itself grows.
        overlap: How far before the watermark a poll begins, in units of that column (seconds for
            times).
        poll_interval_seconds: Time between polls; None to read once and end the job.
    """

    connection: str
    query: str
    _: KW_ONLY
    key_column: str = ""
    watermark_column: str = ""
    overlap: float = 0.0
    poll_interval_seconds: float | None = None


JobSource = File | Upload | Files | Followed | HttpFeed | WebSocketFeed | Query
"""What `CleanerClient.create_job` takes as `source`."""


def source_message(source: JobSource) -> job_pb2.JobSource:
    """The source as the contract has it.

    Raises:
        InvalidArgumentError: A word is none of those a field takes.
    """
    match source:
        case File(path):
            return job_pb2.JobSource(file=job_pb2.FileSource(path=str(path)))
        case Upload(upload_id):
            return job_pb2.JobSource(upload=job_pb2.UploadedSource(upload_id=upload_id))
        case Files(pattern):
            return job_pb2.JobSource(files=job_pb2.FilesSource(pattern=str(pattern)))
        case Followed():
            return job_pb2.JobSource(followed=_followed(source))
        case HttpFeed():
            return job_pb2.JobSource(http=_http(source))
        case WebSocketFeed():
            return job_pb2.JobSource(websocket=_websocket(source))
        case Query():
            return job_pb2.JobSource(database=_database(source))


def _followed(source: Followed) -> job_pb2.FollowedSource:
    try:
        start_at = job_pb2.StartAt.Value(f"START_AT_{source.start_at.upper()}")
    except ValueError:
        raise InvalidArgumentError(
            f'start_at must be "beginning" or "end"; it was {source.start_at!r}'
        ) from None
    return job_pb2.FollowedSource(path=str(source.path), start_at=start_at)


def _http(source: HttpFeed) -> job_pb2.HttpFeedSource:
    try:
        paging = job_pb2.HttpPaging.Value(f"HTTP_PAGING_{source.paging.upper()}")
    except ValueError:
        raise InvalidArgumentError(
            f'paging must be "none", "link" or "cursor"; it was {source.paging!r}'
        ) from None
    return job_pb2.HttpFeedSource(
        url=source.url,
        poll_interval=_duration(source.poll_interval_seconds),
        paging=paging,
        cursor_path=source.cursor_path,
        cursor_parameter=source.cursor_parameter,
        records_path=source.records_path,
        max_answers=source.max_answers,
    )


def _websocket(source: WebSocketFeed) -> job_pb2.WebSocketFeedSource:
    return job_pb2.WebSocketFeedSource(
        url=source.url,
        subscribe=source.subscribe,
        sequence_path=source.sequence_path,
        stall_timeout=_duration(source.stall_timeout_seconds),
    )


def _database(source: Query) -> job_pb2.DatabaseSource:
    return job_pb2.DatabaseSource(
        connection=source.connection,
        query=source.query,
        key_column=source.key_column,
        watermark_column=source.watermark_column,
        overlap=source.overlap,
        poll_interval=_duration(source.poll_interval_seconds),
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    whole, rest = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(seconds=whole, nanos=rest)
