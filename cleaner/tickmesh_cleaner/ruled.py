"""Tick rules asked of the rows a batch made, after the schema: what they change in the outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh_cleaner.domain.repair import Repair
from tickmesh_cleaner.rules import RuleState, count_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh_cleaner.judging import RowsOfBatch
    from tickmesh_cleaner.rules import RepairedValue, RuleSet, Ruling


@dataclass(frozen=True)
class Ruled:
    """Rows after the rules.

    Attributes:
        rows: The rows: those refused are held, those left out dropped, mended values in place.
        after: What the rules remember now.
    """

    rows: RowsOfBatch
    after: RuleState
    _flags: NDArray[np.int64] | None = None
    _repaired: Mapping[int, Sequence[RepairedValue]] = field(default_factory=dict)

    def flagged(self, stored: Sequence[int] | NDArray[Any]) -> dict[str, int]:
        """How many of some rows are flagged, by code."""
        return {} if self._flags is None else count_flags(self._flags[stored])

    def repairs(self, stored: Sequence[int]) -> tuple[Repair, ...]:
        """What was mended in some rows."""
        found: list[Repair] = []
        for row in stored:
            record = self.rows.record_of_row[row].item()
            found.extend(
                Repair(
                    offset=self.rows.decoded.offsets[record].as_py(),
                    line=self.rows.decoded.lines[record].as_py(),
                    row_in_record=self.rows.row_in_record[row].item(),
                    field=value.field,
                    before=str(value.before),
                    after=str(value.after),
                    code=value.code,
                    schema_path=value.schema_path,
                )
                for value in self._repaired.get(row, ())
            )
        return tuple(found)

    @property
    def mended_rows(self) -> Sequence[int]:
        """The rows that hold a mended value, ascending; none of them is held or dropped."""
        return sorted(self._repaired)


def count_repairs(repairs: Sequence[Repair]) -> dict[str, int]:
    """How many values were mended, by code."""
    return dict(sorted(Counter(repair.code for repair in repairs).items()))


def not_ruled(rows: RowsOfBatch) -> Ruled:
    """Rows of a schema without rules."""
    return Ruled(rows, RuleState())


def rule(rows: RowsOfBatch, rules: RuleSet, before: RuleState) -> Ruled:
    """Ask the rules of the rows the schema accepts, in the order of their source."""
    return _ruled(rows, lambda batch: rules.judge(batch, before))


def rule_alone(rows: RowsOfBatch, rules: RuleSet) -> Ruled:
    """Ask the rules of rows that are out of their order: those without memory only."""
    return _ruled(rows, rules.judge_alone)


def _ruled(rows: RowsOfBatch, judge: Callable[[pa.RecordBatch], Ruling]) -> Ruled:
    index = np.flatnonzero(rows.good)
    ruling = judge(rows.good_batch())
    batch = rows.mapped.batch
    for name, column in ruling.columns.items():
        place = batch.schema.get_field_index(name)
        whole = _spread(batch.column(place), index, column)
        batch = batch.set_column(place, batch.schema.field(name), whole)
    flags = None
    if ruling.flags.any():
        flags = np.zeros(batch.num_rows, dtype=np.int64)
        flags[index] = ruling.flags
    repaired: dict[int, list[RepairedValue]] = {}
    for value in ruling.repaired:
        repaired.setdefault(int(index[value.row]), []).append(value)
    judged = replace(
        rows,
        mapped=replace(rows.mapped, batch=batch),
        held={int(index[row]): reasons for row, reasons in ruling.held.items()},
        dropped=tuple(int(index[row]) for row in ruling.dropped),
    )
    return Ruled(judged, ruling.after, flags, repaired)


def _spread(column: pa.Array[Any], index: NDArray[Any], changed: pa.Array[Any]) -> pa.Array[Any]:
    """A column of the good rows as one of all rows; the others keep what they held."""
    if len(index) == len(column):
        return changed
    places = np.arange(len(column))
    places[index] = len(column) + np.arange(len(index))
    return pa.concat_arrays([column, changed]).take(pa.array(places, pa.int64()))
