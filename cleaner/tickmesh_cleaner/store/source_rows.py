"""Sources, sinks and events of jobs as JSON, as the database keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tickmesh_cleaner.domain.job_event import JobEvent
from tickmesh_cleaner.domain.job_sink import TICK_STORE, DatabaseSink, ParquetSink
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
from tickmesh_cleaner.domain.quarantine import QuarantineFilter, QuarantineState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.domain.job_sink import JobSink
    from tickmesh_cleaner.domain.job_source import JobSource


def text_of(value: JobSource | JobSink) -> str:
    """A source or a sink, named by its kind."""
    return json.dumps({"kind": type(value).__name__, **asdict(value)})


def source_from_text(text: str) -> JobSource:
    """The inverse of `text_of` for sources."""
    values: dict[str, Any] = json.loads(text)
    match values.pop("kind"):
        case FileSource.__name__:
            return FileSource(**values)
        case FilesSource.__name__:
            return FilesSource(**values)
        case FollowedSource.__name__:
            return FollowedSource(values["path"], StartAt(values["start_at"]))
        case UploadedSource.__name__:
            return UploadedSource(**values)
        case HttpFeedSource.__name__:
            return HttpFeedSource(**values | {"paging": HttpPaging(values["paging"])})
        case WebSocketFeedSource.__name__:
            return WebSocketFeedSource(**values | {"subscribe": tuple(values["subscribe"])})
        case DatabaseSource.__name__:
            return DatabaseSource(**values)
        case _:
            selected = values.pop("filter")
            selected["state"] = QuarantineState(selected["state"])
            selected["row_ids"] = tuple(selected["row_ids"])
            return QuarantineSource(filter=QuarantineFilter(**selected), **values)


def sink_from_text(text: str) -> JobSink:
    """The inverse of `text_of` for sinks."""
    values: dict[str, Any] = json.loads(text)
    match values.pop("kind"):
        case ParquetSink.__name__:
            return ParquetSink(values["directory"], tuple(values["partition_by"]))
        case DatabaseSink.__name__:
            return DatabaseSink(**values)
        case _:
            return TICK_STORE


def text_of_events(events: Sequence[JobEvent]) -> str:
    """Events, oldest first."""
    return json.dumps([asdict(event) for event in events])


def events_from_text(text: str) -> tuple[JobEvent, ...]:
    """The inverse of `text_of_events`."""
    return tuple(JobEvent(**event) for event in json.loads(text))
