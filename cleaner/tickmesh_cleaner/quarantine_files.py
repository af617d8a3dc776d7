"""Quarantine files: the bad rows of one batch, as one Parquet file named by (job, n).

Writing one again writes the same rows under the same name, so the effect may be repeated. Any
Parquet reader opens them; docs/quarantine.md shows a few.
"""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tickmesh_cleaner.domain.job_file import batch_of_part
from tickmesh_cleaner.domain.quarantine import (
    QuarantinedRow,
    QuarantineEntry,
    QuarantineRecord,
    RowReason,
)
from tickmesh_cleaner.durable_files import publish_table
from tickmesh_cleaner.repair_files import RepairFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tickmesh_cleaner.domain.repair import Repair
    from tickmesh_cleaner.held_rows import HeldRows

REASON_TYPE = pa.struct(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("instance_path", pa.string(), nullable=False),
        pa.field("schema_path", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)

_RECORD_FIELDS: list[pa.Field[Any]] = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("line", pa.int64(), nullable=False),
    pa.field("row_in_record", pa.int32(), nullable=False),
    pa.field("raw", pa.binary(), nullable=False),
    pa.field("document", pa.string(), nullable=False),
    pa.field("reasons", pa.list_(REASON_TYPE), nullable=False),
    pa.field("schema_id", pa.int32(), nullable=False),
    pa.field("schema_version", pa.int32(), nullable=False),
    pa.field("rule_set_fingerprint", pa.string(), nullable=False),
    pa.field("engine", pa.string(), nullable=False),
    pa.field("first_seen_ns", pa.int64(), nullable=False),
]
RECORD_SCHEMA = pa.schema(_RECORD_FIELDS)
"""What a quarantine file holds of a row."""


@dataclass(frozen=True, slots=True)
class _FileName:
    job_id: str
    n: int


class QuarantineFiles:
    """The quarantine files below one directory."""

    def __init__(self, directory: Path) -> None:
        """Open the directory, before any job writes to it.

        Args:
            directory: Created when missing.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._part = 0
        self.repairs = RepairFiles(directory.with_name("repairs"))
        """What rules mended, in the directory `repairs` beside this one."""
        for unfinished in directory.glob("*/*.unfinished"):
            unfinished.unlink()
        for of_job in directory.iterdir():
            with contextlib.suppress(OSError):  # files stand there
                of_job.rmdir()

    def of_part(self, part: int) -> QuarantineFiles:
        """The same files, to write batches of one of the several files of a job."""
        files = copy.copy(self)
        files._part = part  # noqa: SLF001 - the copy is not shared yet
        return files

    def write(self, *, job_id: str, n: int, held: HeldRows, repairs: Sequence[Repair] = ()) -> None:
        """Write and synchronise the file of one batch; nothing when it has no bad rows.

        Args:
            job_id: The job.
            n: The batch.
            held: Its bad rows.
            repairs: What rules mended in its good rows; kept in a file beside the quarantine.
        """
        named = batch_of_part(self._part, n)
        self.repairs.write(job_id=job_id, n=named, repairs=repairs)
        if held:
            publish_table(self._path(_FileName(job_id, named)), held.table)

    def listed(self, *, job_id: str) -> list[tuple[int, int]]:
        """(batch, bytes) of each file of a job, in order of the batches."""
        found = []
        for path in (self._directory / job_id).glob("*.parquet"):
            with contextlib.suppress(FileNotFoundError):  # removed in between
                found.append((int(path.stem), path.stat().st_size))
        return sorted(found)

    def jobs(self) -> list[str]:
        """The jobs that have files here."""
        return sorted(path.name for path in self._directory.iterdir() if path.is_dir())

    def size_bytes(self) -> int:
        """The bytes of all files."""
        return sum(size for job_id in self.jobs() for _, size in self.listed(job_id=job_id))

    def remove(self, *, job_id: str, n: int) -> None:
        """Delete the file of a batch."""
        self._path(_FileName(job_id, n)).unlink(missing_ok=True)

    def count_rows(self, *, job_id: str, n: int) -> int:
        """How many rows the file of a batch holds; 0 when there is none."""
        path = self._path(_FileName(job_id, batch_of_part(self._part, n)))
        return int(pq.read_metadata(path).num_rows) if path.exists() else 0

    def read(self, entries: Sequence[QuarantineEntry]) -> list[QuarantinedRow]:
        """The rows of these entries, in their order; each file is read once."""
        tables: dict[_FileName, pa.Table] = {}
        rows = []
        for entry in entries:
            name = _FileName(entry.file_job_id, entry.file_n)
            if name not in tables:
                tables[name] = pq.read_table(self._path(name), schema=RECORD_SCHEMA)
            found = tables[name].slice(entry.file_row, 1).to_pylist()[0]
            rows.append(QuarantinedRow(entry, record_of(found)))
        return rows

    def table(self, entries: Sequence[QuarantineEntry]) -> pa.Table:
        """The rows of these entries as columns, in their order (`RECORD_SCHEMA`)."""
        parts = []
        start = 0
        while start < len(entries):
            name = _FileName(entries[start].file_job_id, entries[start].file_n)
            stop = start
            while stop < len(entries) and name == _FileName(
                entries[stop].file_job_id, entries[stop].file_n
            ):
                stop += 1
            held = pq.read_table(self._path(name), schema=RECORD_SCHEMA)
            parts.append(held.take(pa.array([entry.file_row for entry in entries[start:stop]])))
            start = stop
        return pa.concat_tables(parts) if parts else RECORD_SCHEMA.empty_table()

    def _path(self, name: _FileName) -> Path:
        return self._directory / name.job_id / f"{name.n:010d}.parquet"


def table_of_records(records: Sequence[QuarantineRecord]) -> pa.Table:
    """Records as columns (`RECORD_SCHEMA`)."""
    columns = {
        name: [getattr(record, name) for record in records]
        for name in RECORD_SCHEMA.names
        if name != "reasons"
    }
    columns["reasons"] = [
        [
            {
                "code": reason.code,
                "instance_path": reason.instance_path,
                "schema_path": reason.schema_path,
                "message": reason.message,
            }
            for reason in record.reasons
        ]
        for record in records
    ]
    return pa.table(columns, schema=RECORD_SCHEMA)


def record_of(found: dict[str, object]) -> QuarantineRecord:
    """The record a row of `RECORD_SCHEMA` holds."""
    reasons = found.pop("reasons")
    assert isinstance(reasons, list)
    return QuarantineRecord(
        reasons=tuple(RowReason(**reason) for reason in reasons),
        **found,  # type: ignore[arg-type]  # the file's schema is the record's
    )
