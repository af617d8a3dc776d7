"""Nodes for arrays: keywords on the items of list columns, without nulls among the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import masks
from tickmesh.schema.validation.cells import Cells
from tickmesh.schema.validation.masks import UNDECIDED, VALID, Constant, Mask
from tickmesh.schema.validation.plan import Findings, Node

_is_in = pc.get_function("is_in").call
_greater_equal = pc.get_function("greater_equal").call
_less_equal = pc.get_function("less_equal").call


@dataclass(slots=True)
class Items:
    """A schema at every item from position ``start`` on (up to ``stop``)."""

    node: Node
    start: int = 0
    stop: int | None = None

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        elements, parents = cells.elements, cells.parents
        if self.start or self.stop is not None:
            position = cells.positions
            chosen = pc.greater_equal(position, self.start)
            if self.stop is not None:
                chosen = pc.and_(chosen, pc.less(position, self.stop))
            elements, parents = Cells(elements.array.filter(chosen)), parents.filter(chosen)
        found: Findings = []
        mask = self.node.judge(elements, found)
        findings += [(site, _every(each, parents, cells.length)) for site, each in found]
        return _every(mask, parents, cells.length)


class Length:
    """`minItems` and `maxItems`."""

    def __init__(self, limit: int, *, at_least: bool) -> None:
        self._limit = pa.scalar(limit, pa.int64())
        self._compare = _greater_equal if at_least else _less_equal

    def __call__(self, cells: Cells) -> Mask:
        lengths = cells.lengths.cast(pa.int64())
        return masks.settle(self._compare([lengths, self._limit]))


class Contains:
    """`contains`: between ``least`` and ``most`` items are valid."""

    def __init__(self, node: Node, least: int, most: int | None) -> None:
        self._node = node
        self._least = least
        self._most = most

    def __call__(self, cells: Cells) -> Mask:
        elements = cells.elements
        mask = masks.expand(self._node.judge(elements, []), elements.length)
        surely = _count(pc.fill_null(mask, False), cells)
        perhaps = _count(pc.fill_null(mask, True), cells)
        enough = pc.if_else(
            pc.greater_equal(surely, self._least),
            True,
            pc.if_else(pc.less(perhaps, self._least), False, None),
        )
        if self._most is None:
            return enough
        few = pc.if_else(
            pc.less_equal(perhaps, self._most),
            True,
            pc.if_else(pc.greater(surely, self._most), False, None),
        )
        return masks.conjunction([enough, few])


def unique(cells: Cells) -> Mask:
    """`uniqueItems` on lists of scalars; nested items have no kernel for equality."""
    elements = cells.elements.decoded
    data_type = elements.array.type
    if pt.is_nested(data_type):
        return UNDECIDED
    values = elements.array
    if pt.is_floating(data_type):
        # -0.0 and 0.0 are the same number.
        values = pc.add(elements.numbers.array, 0.0)
    table = pa.table({"parent": cells.parents, "value": values})
    groups = table.group_by(["parent", "value"], use_threads=False).aggregate([([], "count_all")])
    repeated = groups.filter(pc.greater(groups["count_all"], 1))["parent"].combine_chunks()
    if not len(repeated):
        return VALID
    return pc.invert(_is_in([_ordinals(cells.length)], pc.SetLookupOptions(repeated)))


def _every(mask: Mask, parents: pa.Array, length: int) -> Mask:
    """Fold a mask over items to their lists: every item must be valid."""
    if mask is VALID:
        return VALID
    whole = masks.expand(mask, len(parents)) if isinstance(mask, Constant) else mask
    rows = _ordinals(length)

    def holds_one(chosen: Any) -> Any:
        return _is_in([rows], pc.SetLookupOptions(parents.filter(chosen)))

    failed = holds_one(masks.failures(whole, len(parents)))
    if not whole.null_count:
        return pc.invert(failed)
    unsure = holds_one(masks.undecided(whole, len(parents)))
    return pc.if_else(failed, False, pc.if_else(unsure, None, True))


def _count(mask: pa.BooleanArray, cells: Cells) -> pa.Array:
    """How many items of each list are true."""
    zero = pa.array([0], pa.int64())
    running = pa.concat_arrays([zero, pc.cumulative_sum(mask.cast(pa.int64()))])
    ends = pc.cumulative_sum(cells.lengths.cast(pa.int64()))
    starts = pc.subtract(ends, cells.lengths.cast(pa.int64()))
    return pc.subtract(running.take(ends), running.take(starts))


def _ordinals(length: int) -> pa.Array:
    return pa.arange(0, length)
