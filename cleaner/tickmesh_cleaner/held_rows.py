"""Rows that are held back, in columns: what a quarantine file and its index are made of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import pc, whole
from tickmesh_cleaner.quarantine_files import RECORD_SCHEMA, record_of, table_of_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tickmesh_cleaner.domain.quarantine import QuarantineRecord


class HeldRows:
    """The bad rows of one batch, in the order of its quarantine file.

    Attributes:
        table: One row each (`RECORD_SCHEMA`).
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def of(cls, records: Sequence[QuarantineRecord]) -> HeldRows:
        """Rows made one by one."""
        return cls(table_of_records(records)) if records else NONE_HELD

    @classmethod
    def joined(cls, parts: Sequence[HeldRows]) -> HeldRows:
        """The rows of several, one after the other."""
        filled = [part for part in parts if len(part)]
        if len(filled) < 2:
            return filled[0] if filled else NONE_HELD
        return cls(pa.concat_tables([part.table for part in filled]))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def records(self) -> tuple[QuarantineRecord, ...]:
        """The rows one by one: for people and tests, not for many."""
        return tuple(record_of(row) for row in self.table.to_pylist())

    def in_source_order(self) -> HeldRows:
        """The rows by the place of their records in the source."""
        if len(self) < 2:
            return self
        order = [("offset", "ascending"), ("row_in_record", "ascending")]
        return HeldRows(self.table.take(pc.sort_indices(self.table, order)))

    def rows_by_reason(self) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
        """For each reason, by code and place in the row: the rows that have it, each once."""
        reasons = whole(self.table.column("reasons"))
        rows = np.asarray(pc.list_parent_indices(reasons))
        found = reasons.flatten()
        codes, paths = (found.field(name).dictionary_encode() for name in ("code", "instance_path"))
        pairs = np.asarray(codes.indices).astype(np.int64) * len(paths.dictionary)
        pairs += np.asarray(paths.indices)
        for pair in np.unique(pairs).tolist():
            code, path = divmod(pair, len(paths.dictionary))
            yield (
                codes.dictionary[code].as_py(),
                paths.dictionary[path].as_py(),
                np.unique(rows[pairs == pair]),
            )


NONE_HELD = HeldRows(RECORD_SCHEMA.empty_table())
"""A batch without bad rows."""
