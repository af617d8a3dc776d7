"""Repair files: what tick rules mended in the good rows of one batch, one Parquet file a batch.

Named by (job, n) like the quarantine file of the batch, and written under the same promise:
synchronised before the batch is committed, and the same again when it is carried out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tickmesh_cleaner.domain.repair import Repair
from tickmesh_cleaner.durable_files import publish_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FIELDS: list[pa.Field[Any]] = [
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("line", pa.int64(), nullable=False),
    pa.field("row_in_record", pa.int32(), nullable=False),
    pa.field("field", pa.string(), nullable=False),
    pa.field("before", pa.string(), nullable=False),
    pa.field("after", pa.string(), nullable=False),
    pa.field("code", pa.string(), nullable=False),
    pa.field("schema_path", pa.string(), nullable=False),
]
REPAIR_SCHEMA = pa.schema(_FIELDS)
"""What a repair file holds of a value."""


class RepairFiles:
    """The repair files below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, *, job_id: str, n: int, repairs: Sequence[Repair]) -> None:
        """Write and synchronise the file of one batch; nothing when nothing was mended."""
        if not repairs:
            return
        columns = {
            name: [getattr(repair, name) for repair in repairs] for name in REPAIR_SCHEMA.names
        }
        publish_table(self._path(job_id, n), pa.table(columns, schema=REPAIR_SCHEMA))

    def read(self, *, job_id: str, n: int) -> list[Repair]:
        """What was mended in a batch, in the order of its rows."""
        path = self._path(job_id, n)
        if not path.exists():
            return []
        return [Repair(**row) for row in pq.read_table(path, schema=REPAIR_SCHEMA).to_pylist()]

    def _path(self, job_id: str, n: int) -> Path:
        return self._directory / job_id / f"{n:010d}.parquet"
