"""The manifest: which segments, up to which revision, with which producers. One SQLite file.

A log's sealing is one transaction: its segments appear, the position behind which logs still count
moves on, and the producers' records follow. `synchronous=FULL`: in WAL mode `NORMAL` loses
committed transactions at a power cut.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import StaticPool

from tickmesh_tickstore.domain.errors import DiskFullError, StoreFailedError
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.producers import ProducerRecord
from tickmesh_tickstore.domain.snapshots import Snapshot
from tickmesh_tickstore.domain.stamps import Stamp
from tickmesh_tickstore.engine.columns import RowLayout
from tickmesh_tickstore.engine.disk.segment import SegmentRecord, Tier
from tickmesh_tickstore.engine.dropped import GoneRange, Trim
from tickmesh_tickstore.engine.field_rules import FieldRules

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = ["DroppedSegment", "Manifest", "StoredDataset"]

_log = logging.getLogger(__name__)
_metadata = sa.MetaData()
_store = sa.Table(
    "store",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("incarnation", sa.Integer, nullable=False),
)
_datasets = sa.Table(
    "datasets",
    _metadata,
    sa.Column("dataset_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("sealed_revision", sa.Integer, nullable=False),
    sa.Column("sealed_log", sa.Integer, nullable=False),
    sa.Column("kept_from", sa.String, nullable=False),
)
_versions = sa.Table(
    "versions",
    _metadata,
    sa.Column("dataset_id", sa.ForeignKey("datasets.dataset_id"), primary_key=True),
    sa.Column("schema_version", sa.Integer, primary_key=True),
    sa.Column("schema_id", sa.String, nullable=False),
    sa.Column("arrow_schema", sa.LargeBinary, nullable=False),
    sa.Column("field_rules", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
)
_segments = sa.Table(
    "segments",
    _metadata,
    sa.Column("dataset_id", sa.ForeignKey("datasets.dataset_id"), primary_key=True),
    sa.Column("segment_id", sa.String, primary_key=True),
    sa.Column("log_number", sa.Integer, nullable=False),
    sa.Column("schema_id", sa.String, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("first_revision", sa.Integer, nullable=False),
    sa.Column("last_revision", sa.Integer, nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("byte_count", sa.Integer, nullable=False),
    sa.Column("min_time_ns", sa.Integer),
    sa.Column("max_time_ns", sa.Integer),
    sa.Column("uploaded_at_ns", sa.Integer),
    sa.Column("first_row", sa.Integer, nullable=False),
    sa.Column("tier", sa.String, nullable=False),
    sa.Column("dropped_at_revision", sa.Integer),
    sa.Column("dropped_at_ns", sa.Integer),
)
_gone_ranges = sa.Table(
    "gone_ranges",
    _metadata,
    sa.Column("dataset_id", sa.ForeignKey("datasets.dataset_id"), primary_key=True),
    sa.Column("first_revision", sa.Integer, primary_key=True),
    sa.Column("last_revision", sa.Integer, nullable=False),
    sa.Column("dropped_at_revision", sa.Integer, nullable=False),
)
_producers = sa.Table(
    "producers",
    _metadata,
    sa.Column("dataset_id", sa.ForeignKey("datasets.dataset_id"), primary_key=True),
    sa.Column("producer_id", sa.String, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("last_sequence", sa.Integer, nullable=False),
    sa.Column("recent", sa.LargeBinary, nullable=False),
)
_snapshots = sa.Table(
    "snapshots",
    _metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("created_at_ns", sa.Integer, nullable=False),
)
_snapshot_revisions = sa.Table(
    "snapshot_revisions",
    _metadata,
    sa.Column("snapshot", sa.ForeignKey("snapshots.name"), primary_key=True),
    sa.Column("dataset_id", sa.ForeignKey("datasets.dataset_id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)

_FORMAT = 3
"""Raised whenever older code would misread, or cut, what newer code wrote, or the reverse."""


@dataclass(frozen=True, slots=True)
class DroppedSegment:
    """A segment that retention dropped and whose file is still there; see `DroppedPart`."""

    record: SegmentRecord
    dropped_at_revision: int
    dropped_at_ns: int


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """What the manifest knows of a dataset.

    Attributes:
        dataset_id: Its id.
        name: Its name.
        sealed_revision: The revision up to which rows live in segments.
        sealed_log: Logs count only behind this number.
        layouts: Its schema versions.
        segments: Its segments in arrival order.
        producers: Its producers as of `sealed_revision`.
        dropped: Segments that retention dropped, in arrival order, as of `sealed_revision`.
        gone: See `DroppedRows.gone`.
        kept_from: See `DroppedRows.kept_from`, as of `sealed_revision`.
    """

    dataset_id: str
    name: str
    sealed_revision: int
    sealed_log: int
    layouts: tuple[RowLayout, ...]
    segments: tuple[SegmentRecord, ...]
    producers: tuple[tuple[str, ProducerRecord], ...]
    dropped: tuple[DroppedSegment, ...] = ()
    gone: tuple[GoneRange, ...] = ()
    kept_from: Position = START


class Manifest:
    """The manifest of one store. Every method is one transaction, durable on return.

    Where the disk fails, each raises DiskFullError or StoreFailedError and has changed nothing.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
        sa.event.listen(self._engine, "handle_error", _storage_error)
        with self._engine.connect() as connection:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
        _metadata.create_all(self._engine)

    def begin_incarnation(self) -> int:
        """Count a start of the engine.

        Raises:
            StoreFailedError: Another version of the engine wrote the store; nothing was changed.
        """
        statement = insert(_store).values(id=1, format=_FORMAT, incarnation=1)
        counted = statement.on_conflict_do_update(
            index_elements=["id"], set_={"incarnation": _store.c.incarnation + 1}
        ).returning(_store.c.incarnation)
        with self._lock, self._engine.begin() as connection:
            found = connection.execute(sa.select(_store.c.format)).scalar_one_or_none()
            if found not in {None, _FORMAT}:
                raise StoreFailedError(
                    f"the store has format {found}, this engine reads format {_FORMAT}: open it "
                    "with the version that wrote it, or use another directory",
                    metadata={"format": str(found), "expected": str(_FORMAT)},
                )
            return int(connection.execute(counted).scalar_one())

    def add_dataset(self, dataset_id: str, name: str, layout: RowLayout) -> None:
        """Add a dataset with its first version."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(
                sa.insert(_datasets).values(
                    dataset_id=dataset_id,
                    name=name,
                    sealed_revision=0,
                    sealed_log=0,
                    kept_from=START.token(),
                )
            )
            connection.execute(sa.insert(_versions).values(_version_row(dataset_id, layout)))

    def add_version(self, dataset_id: str, layout: RowLayout) -> None:
        """Add a version to a dataset."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(sa.insert(_versions).values(_version_row(dataset_id, layout)))

    def seal(
        self,
        dataset_id: str,
        *,
        through_revision: int,
        through_log: int,
        segments: Sequence[SegmentRecord],
        producers: Sequence[tuple[str, ProducerRecord]],
        trims: Sequence[Trim] = (),
    ) -> None:
        """A log's rows live in segments now, and what it says of retention lives here."""
        upsert = insert(_producers)
        upsert = upsert.on_conflict_do_update(
            index_elements=["dataset_id", "producer_id"],
            set_={name: upsert.excluded[name] for name in ("epoch", "last_sequence", "recent")},
        )
        with self._lock, self._engine.begin() as connection:
            if segments:
                connection.execute(
                    sa.insert(_segments), [_segment_row(dataset_id, each) for each in segments]
                )
            if producers:
                connection.execute(
                    upsert,
                    [
                        {
                            "dataset_id": dataset_id,
                            "producer_id": name,
                            "epoch": record.epoch,
                            "last_sequence": record.last_sequence,
                            "recent": record.pack_recent(),
                        }
                        for name, record in producers
                    ],
                )
            connection.execute(
                sa.update(_datasets)
                .where(_datasets.c.dataset_id == dataset_id)
                .values(sealed_revision=through_revision, sealed_log=through_log)
            )
            for trim in trims:
                _drop(connection, dataset_id, trim)

    def reclaim(
        self, dataset_id: str, *, segment_ids: Collection[str], gone: Sequence[GoneRange]
    ) -> None:
        """Forget dropped segments, whose files go; `gone` are all ranges from now on."""
        with self._lock, self._engine.begin() as connection:
            for segment_id in segment_ids:
                connection.execute(
                    sa.delete(_segments).where(
                        _segments.c.dataset_id == dataset_id,
                        _segments.c.segment_id == segment_id,
                    )
                )
            connection.execute(
                sa.delete(_gone_ranges).where(_gone_ranges.c.dataset_id == dataset_id)
            )
            connection.execute(
                sa.insert(_gone_ranges),
                [{"dataset_id": dataset_id, **asdict(each)} for each in gone],
            )

    def delete_dataset(self, dataset_id: str) -> None:
        """Forget a dataset and everything of it."""
        with self._lock, self._engine.begin() as connection:
            for table in (_segments, _gone_ranges, _producers, _versions, _datasets):
                connection.execute(sa.delete(table).where(table.c.dataset_id == dataset_id))

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Remember a named snapshot."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(
                sa.insert(_snapshots).values(
                    name=snapshot.name, created_at_ns=snapshot.created_at_ns
                )
            )
            for dataset, revision in snapshot.revisions.items():
                dataset_id = sa.select(_datasets.c.dataset_id).where(_datasets.c.name == dataset)
                connection.execute(
                    sa.insert(_snapshot_revisions).values(
                        snapshot=snapshot.name,
                        dataset_id=dataset_id.scalar_subquery(),
                        revision=revision,
                    )
                )

    def delete_snapshot(self, name: str) -> None:
        """Forget a named snapshot."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(
                sa.delete(_snapshot_revisions).where(_snapshot_revisions.c.snapshot == name)
            )
            connection.execute(sa.delete(_snapshots).where(_snapshots.c.name == name))

    def load_snapshots(self) -> list[Snapshot]:
        """Every named snapshot."""
        with self._lock, self._engine.connect() as connection:
            revisions: dict[str, dict[str, int]] = {}
            for row in connection.execute(
                sa.select(
                    _snapshot_revisions.c.snapshot,
                    _datasets.c.name,
                    _snapshot_revisions.c.revision,
                ).join(_datasets, _datasets.c.dataset_id == _snapshot_revisions.c.dataset_id)
            ):
                revisions.setdefault(row.snapshot, {})[row.name] = row.revision
            return [
                Snapshot(row.name, row.created_at_ns, revisions.get(row.name, {}))
                for row in connection.execute(sa.select(_snapshots))
            ]

    def replace_segments(
        self, dataset_id: str, *, replaced: Sequence[str], segments: Sequence[SegmentRecord]
    ) -> None:
        """The rows of some segments live in others now.

        Raises:
            StoreFailedError: Not all of the former are known; nothing was changed.
        """
        with self._lock, self._engine.begin() as connection:
            gone = connection.execute(
                sa.delete(_segments).where(
                    _segments.c.dataset_id == dataset_id,
                    _segments.c.segment_id.in_(replaced),
                    _segments.c.dropped_at_revision.is_(None),
                )
            )
            if gone.rowcount != len(replaced):
                raise StoreFailedError(
                    "the manifest has other segments than the store reads: restart the store"
                )
            connection.execute(
                sa.insert(_segments), [_segment_row(dataset_id, each) for each in segments]
            )

    def load(self) -> list[StoredDataset]:
        """Every dataset."""
        with self._lock, self._engine.connect() as connection:
            rows = connection.execute(sa.select(_datasets).order_by(_datasets.c.name)).all()
            return [
                StoredDataset(
                    row.dataset_id,
                    row.name,
                    row.sealed_revision,
                    row.sealed_log,
                    _load_layouts(connection, row.dataset_id),
                    _load_segments(connection, row.dataset_id),
                    _load_producers(connection, row.dataset_id),
                    _load_dropped(connection, row.dataset_id),
                    _load_gone(connection, row.dataset_id),
                    Position.parse(row.kept_from),
                )
                for row in rows
            ]

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._engine.dispose()


def _storage_error(context: sa.engine.ExceptionContext) -> Exception | None:
    """What to raise where the disk failed; our own mistakes are raised as they are."""
    error = context.original_exception
    if not isinstance(error, sqlite3.DatabaseError):
        return None
    # The low byte is the kind of error, the others tell its kinds apart.
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        return DiskFullError(
            "no space left on the store's disk; nothing was changed: make room, then try again"
        )
    if kind in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        _log.critical("the manifest could not be read or written: %s", error)
        return StoreFailedError(
            f"stable storage failed ({error.sqlite_errorname}); what was acknowledged as durable "
            "is safe: mend the disk and restart the store"
        )
    if kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        _log.critical("the manifest is damaged: %s", error)
        return StoreFailedError(
            f"the store's manifest is damaged ({error.sqlite_errorname}): stop the store, restore "
            "its directory from a copy, and start it again"
        )
    return None


def _version_row(dataset_id: str, layout: RowLayout) -> dict[str, object]:
    return {
        "dataset_id": dataset_id,
        "schema_version": layout.stamp.schema_version,
        "schema_id": layout.stamp.schema_id,
        "arrow_schema": layout.schema.serialize().to_pybytes(),
        "field_rules": layout.rules.to_json(),
        "generation": layout.generation,
    }


def _segment_row(dataset_id: str, record: SegmentRecord) -> dict[str, object]:
    low, high = record.time_span or (None, None)
    return {
        "dataset_id": dataset_id,
        "segment_id": record.segment_id,
        "log_number": record.log_number,
        "schema_id": record.stamp.schema_id,
        "schema_version": record.stamp.schema_version,
        "first_revision": record.first_revision,
        "last_revision": record.last_revision,
        "row_count": record.row_count,
        "byte_count": record.byte_count,
        "min_time_ns": low,
        "max_time_ns": high,
        "uploaded_at_ns": record.uploaded_at_ns,
        "first_row": record.first_row,
        "tier": record.tier.value,
    }


def _load_layouts(connection: sa.Connection, dataset_id: str) -> tuple[RowLayout, ...]:
    rows = connection.execute(
        sa.select(_versions)
        .where(_versions.c.dataset_id == dataset_id)
        .order_by(_versions.c.schema_version)
    )
    return tuple(
        RowLayout.of(
            Stamp(row.schema_id, row.schema_version),
            pa.ipc.read_schema(pa.py_buffer(row.arrow_schema)),
            rules=FieldRules.from_json(row.field_rules),
            generation=row.generation,
        )
        for row in rows
    )


def _load_segments(connection: sa.Connection, dataset_id: str) -> tuple[SegmentRecord, ...]:
    rows = connection.execute(
        sa.select(_segments)
        .where(_segments.c.dataset_id == dataset_id, _segments.c.dropped_at_revision.is_(None))
        .order_by(_segments.c.first_revision, _segments.c.first_row)
    )
    return tuple(map(_segment_record, rows))


def _load_dropped(connection: sa.Connection, dataset_id: str) -> tuple[DroppedSegment, ...]:
    rows = connection.execute(
        sa.select(_segments)
        .where(_segments.c.dataset_id == dataset_id, _segments.c.dropped_at_revision.is_not(None))
        .order_by(_segments.c.first_revision, _segments.c.first_row)
    )
    return tuple(
        DroppedSegment(_segment_record(row), row.dropped_at_revision, row.dropped_at_ns)
        for row in rows
    )


def _load_gone(connection: sa.Connection, dataset_id: str) -> tuple[GoneRange, ...]:
    rows = connection.execute(
        sa.select(_gone_ranges)
        .where(_gone_ranges.c.dataset_id == dataset_id)
        .order_by(_gone_ranges.c.first_revision)
    )
    return tuple(
        GoneRange(row.first_revision, row.last_revision, row.dropped_at_revision) for row in rows
    )


def _drop(connection: sa.Connection, dataset_id: str, trim: Trim) -> None:
    connection.execute(
        sa.update(_segments)
        .where(
            _segments.c.dataset_id == dataset_id,
            _segments.c.dropped_at_revision.is_(None),
            _segments.c.last_revision <= trim.kept_from.revision,
        )
        .values(dropped_at_revision=trim.revision, dropped_at_ns=trim.dropped_at_ns)
    )
    connection.execute(
        sa.update(_datasets)
        .where(_datasets.c.dataset_id == dataset_id)
        .values(kept_from=trim.kept_from.token())
    )


def _segment_record(row: sa.Row[Any]) -> SegmentRecord:
    return SegmentRecord(
        row.segment_id,
        row.log_number,
        Stamp(row.schema_id, row.schema_version),
        row.first_revision,
        row.last_revision,
        row.row_count,
        row.byte_count,
        None if row.min_time_ns is None else (row.min_time_ns, row.max_time_ns),
        row.uploaded_at_ns,
        row.first_row,
        Tier(row.tier),
    )


def _load_producers(
    connection: sa.Connection, dataset_id: str
) -> tuple[tuple[str, ProducerRecord], ...]:
    rows = connection.execute(sa.select(_producers).where(_producers.c.dataset_id == dataset_id))
    return tuple(
        (
            row.producer_id,
            ProducerRecord(row.epoch, row.last_sequence, ProducerRecord.unpack_recent(row.recent)),
        )
        for row in rows
    )
