"""Records that hold several rows side by side, such as the bid and the ask of one quote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tickmesh.decoding.rows import KindRows, one_after_another

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from tickmesh.decoding.source_spec import RecordKind, SourceSpec


class Kind(Protocol):
    """Makes rows of the records of one kind."""

    def rows(self, columns: pa.RecordBatch) -> KindRows:
        """The rows of some records."""


class SideBySide:
    """Makes each of a record's rows by itself; rows without any value of their own are left out."""

    def __init__(
        self,
        kind: RecordKind,
        spec: SourceSpec,
        open_kind: Callable[[RecordKind, SourceSpec], Kind],
    ) -> None:
        """Prepare the mapping.

        Args:
            kind: A kind with ``rows``.
            spec: The whole source spec.
            open_kind: Makes the mapping of a kind without ``rows``.
        """
        self._sides = []
        for own in kind.rows:
            side = replace(kind, fields=(*kind.fields, *own), rows=())
            others = {leaf.path for leaf in kind.leaves} - {leaf.path for leaf in side.leaves}
            known = replace(spec, ignore=(*spec.ignore, *sorted(filter(None, others))))
            read = [
                mapping.target
                for mapping in own
                if any(leaf.path is not None for leaf in mapping.leaves)
            ]
            self._sides.append((open_kind(side, known), read))

    def rows(self, columns: pa.RecordBatch) -> KindRows:
        """The rows of some records."""
        sides = []
        for kind, read in self._sides:
            found = kind.rows(columns)
            sides.append((found, found.chosen(_with_values(found, read))))
        rows = one_after_another([chosen for _, chosen in sides])
        first = sides[0][0]
        rows.rejects, rows.extras = first.rejects, first.extras
        rows.extra_records = first.extra_records
        return rows


def _with_values(rows: KindRows, targets: list[str]) -> NDArray[np.bool_]:
    """Rows in which one of the fields has a value, readable or not."""
    found = np.zeros(len(rows.records), dtype=bool)
    for target in targets:
        converted = rows.columns[target]
        found |= np.asarray(converted.values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        for failures in converted.failures:
            found[np.asarray(failures.rows)] = True
    return found
