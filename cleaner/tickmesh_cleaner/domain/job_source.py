"""Where a job's records come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.quarantine import QuarantineFilter


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file below one of the source roots, as the caller named it."""

    path: str


@dataclass(frozen=True, slots=True)
class FilesSource:
    """The files of a directory, or those a pattern matches, below one of the source roots."""

    pattern: str


class StartAt(StrEnum):
    """Where a source that has no end begins."""

    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, slots=True)
class FollowedSource:
    """A file that is appended to while it is read."""

    path: str
    start_at: StartAt = StartAt.BEGINNING


@dataclass(frozen=True, slots=True)
class UploadedSource:
    """A file that was sent by UploadSource."""

    upload_id: str


@dataclass(frozen=True, slots=True)
class QuarantineSource:
    """Rows in quarantine, selected when the job was made.

    Attributes:
        filter: What selected them.
        schema_version: The version to judge under; the one in force when 0.
        mended_spec: The source spec to decode with, TOML; each row's own when empty.
    """

    filter: QuarantineFilter
    schema_version: int = 0
    mended_spec: str = ""


class HttpPaging(StrEnum):
    """How a feed over HTTP goes on from one answer to the next."""

    NONE = "none"
    LINK = "link"
    CURSOR = "cursor"


@dataclass(frozen=True, slots=True)
class HttpFeedSource:
    """A feed polled over HTTP.

    Attributes:
        url: Its URL, without user or password.
        poll_interval_seconds: Time between polls.
        paging: How to go on from one answer to the next.
        cursor_path: JSON Pointer to the next cursor in the answer's body.
        cursor_parameter: The query parameter it is sent back as.
        records_path: JSON Pointer to the array of records; empty when the body is the format.
        max_answers: Answers to take before the job ends; 0 for a feed without end.
    """

    url: str
    poll_interval_seconds: float = 1.0
    paging: HttpPaging = HttpPaging.NONE
    cursor_path: str = ""
    cursor_parameter: str = ""
    records_path: str = ""
    max_answers: int = 0


@dataclass(frozen=True, slots=True)
class WebSocketFeedSource:
    """A feed of messages over a WebSocket, each message one record.

    Attributes:
        url: Its URL, `ws` or `wss`.
        subscribe: Messages sent after every connect, in order.
        sequence_path: JSON Pointer to the feed's own number of a message.
        stall_timeout_seconds: Silence after which the connection is made anew.
    """

    url: str
    subscribe: tuple[str, ...] = ()
    sequence_path: str = ""
    stall_timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """The rows of a query against a configured database.

    Attributes:
        connection: The name of the connection.
        query: One SELECT.
        key_column: The column that tells new rows from known ones; empty to read once.
        watermark_column: A column that grows with time; empty when the key does.
        overlap: How far before the watermark a poll begins: its unit, seconds for times.
        poll_interval_seconds: Time between polls; 0 to read once and end.
    """

    connection: str
    query: str
    key_column: str = ""
    watermark_column: str = ""
    overlap: float = 0.0
    poll_interval_seconds: float = 0.0


JobSource = (
    FileSource
    | FilesSource
    | FollowedSource
    | UploadedSource
    | QuarantineSource
    | HttpFeedSource
    | WebSocketFeedSource
    | DatabaseSource
)


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What a source held when its job first read it.

    Attributes:
        digest: Hexadecimal SHA-256 of the content as it lies there (packed, if it is packed).
        signature: Device, inode, size and modification time: a cheap sign of change.
        size_bytes: Size of that content.
    """

    digest: str
    signature: str
    size_bytes: int
