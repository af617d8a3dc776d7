"""Datasets, settings and snapshots as the wire says them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import dataset_pb2
from tickmesh_tickstore.domain.retention import UNLIMITED, DatasetLimits, Retention
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from tickmesh_tickstore.administration import DatasetView
    from tickmesh_tickstore.domain.snapshots import Snapshot
    from tickmesh_tickstore.engine.interface import DatasetStatistics

_DEFAULT_TIMEOUT_SECONDS, _MAX_TIMEOUT_SECONDS = 30.0, 600.0
_MAX_AGE_NS = 2**63 - 1
_NS = 1_000_000_000


def dataset_message(view: DatasetView) -> dataset_pb2.Dataset:
    """A dataset as the wire says it."""
    info, statistics, settings = view.info, view.statistics, view.settings
    message = dataset_pb2.Dataset(
        name=info.name,
        subject=info.name,
        revision=statistics.revision,
        row_count=statistics.rows,
        size_bytes=statistics.log_bytes + statistics.segment_bytes + statistics.dropped_bytes,
        schema_version=info.versions[-1][0].schema_version,
        schema_versions=[stamp.schema_version for stamp, _ in info.versions],
        min_event_time_ns=statistics.min_time_ns,
        max_event_time_ns=statistics.max_time_ns,
        naive_time_zone=settings.naive_time_zone,
        failure=statistics.failure,
        damaged=bool(info.damage),
        retained_from_revision=statistics.retained_from_revision,
        tiers=_tiers(statistics),
    )
    message.generations.extend(_generations(view))
    if settings.created_at_ns:
        message.created_at.FromNanoseconds(settings.created_at_ns)
    if not settings.retention.keeps_everything:
        message.retention.max_bytes = settings.retention.max_bytes
        if settings.retention.max_age_ns:
            message.retention.max_age.FromNanoseconds(settings.retention.max_age_ns)
    if settings.limits != UNLIMITED:
        message.limits.max_bytes = settings.limits.max_bytes
        message.limits.max_put_streams = settings.limits.max_put_streams
    return message


def _generations(view: DatasetView) -> list[dataset_pb2.Generation]:
    """Oldest first, each with its versions and their rows."""
    found: dict[int, dataset_pb2.Generation] = {}
    for (stamp, _), number in zip(view.info.versions, view.info.generations, strict=True):
        generation = found.setdefault(number, dataset_pb2.Generation(number=number))
        generation.schema_versions.append(stamp.schema_version)
        generation.row_count += view.statistics.version_rows.get(stamp.schema_version, 0)
    return [found[number] for number in sorted(found)]


def _tiers(statistics: DatasetStatistics) -> list[dataset_pb2.Tier]:
    sealed = statistics.rows - statistics.unsealed_rows
    return [
        dataset_pb2.Tier(
            name="log",
            segments=statistics.logs,
            row_count=statistics.unsealed_rows,
            size_bytes=statistics.log_bytes,
        ),
        dataset_pb2.Tier(
            name="recent",
            segments=statistics.segments - statistics.settled_segments,
            row_count=sealed - statistics.settled_rows,
            size_bytes=statistics.segment_bytes - statistics.settled_bytes,
        ),
        dataset_pb2.Tier(
            name="settled",
            segments=statistics.settled_segments,
            row_count=statistics.settled_rows,
            size_bytes=statistics.settled_bytes,
        ),
    ]


def snapshot_message(snapshot: Snapshot) -> dataset_pb2.Snapshot:
    """A named snapshot as the wire says it."""
    message = dataset_pb2.Snapshot(name=snapshot.name, revisions=snapshot.revisions)
    message.created_at.FromNanoseconds(snapshot.created_at_ns)
    return message


def retention_of(message: dataset_pb2.Retention) -> Retention:
    """What a request says is kept.

    Raises:
        InvalidRequestError: a bound is negative, or an age is none.
    """
    age_ns = 0
    if message.HasField("max_age"):
        age_ns = message.max_age.seconds * _NS + message.max_age.nanos
        if not 0 < age_ns <= _MAX_AGE_NS:
            raise InvalidRequestError(
                "retention.max_age must be longer than 0 and shorter than 292 years; leave it "
                "unset to keep rows of any age.",
                violations=[("retention.max_age", "expected a positive duration, or none")],
            )
    _require_natural(message, "retention", "max_bytes")
    return Retention(max_age_ns=age_ns, max_bytes=message.max_bytes)


def limits_of(message: dataset_pb2.DatasetLimits) -> DatasetLimits:
    """What a request lets producers use.

    Raises:
        InvalidRequestError: a bound is negative.
    """
    _require_natural(message, "limits", "max_bytes")
    _require_natural(message, "limits", "max_put_streams")
    return DatasetLimits(max_bytes=message.max_bytes, max_put_streams=message.max_put_streams)


def timeout_seconds_of(timeout: Duration, *, given: bool) -> float:
    """How long a request lets the store work.

    Raises:
        InvalidRequestError: it is out of bounds.
    """
    if not given:
        return _DEFAULT_TIMEOUT_SECONDS
    seconds = timeout.seconds + timeout.nanos / _NS
    if not 0 < seconds <= _MAX_TIMEOUT_SECONDS:
        raise InvalidRequestError(
            f"timeout must be longer than 0 and at most 600 seconds; it was {seconds:g}.",
            metadata={"timeoutSeconds": f"{seconds:g}"},
            violations=[("timeout", "expected up to 600 seconds, or none for 30")],
        )
    return seconds


def _require_natural(message: Message, name: str, field: str) -> None:
    value: int = getattr(message, field)
    if value < 0:
        raise InvalidRequestError(
            f"{name}.{field} must be 0 for no bound, or more; it was {value}.",
            metadata={"came": str(value)},
            violations=[(f"{name}.{field}", "expected 0 or more")],
        )
