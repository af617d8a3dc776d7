"""Nodes for arrays: keywords on the items of list columns, without nulls among the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.cells import Cells
from tickmesh.schema.validation.masks import INVALID, UNDECIDED, VALID, Mask

if TYPE_CHECKING:
    from tickmesh.schema.validation.kernels import Array, MaskKernel
    from tickmesh.schema.validation.plan import Findings, Node


@dataclass(slots=True)
class Items:
    """A schema at every item from position ``start`` on, up to ``stop``."""

    node: Node
    start: int = 0
    stop: int | None = None

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        elements, parents = cells.elements, cells.parents
        if self.start or self.stop is not None:
            chosen = _compared(kernels.greater_equal, cells.positions, self.start)
            if self.stop is not None:
                before = _compared(kernels.less, cells.positions, self.stop)
                chosen = kernels.both([chosen, before])
            elements, parents = Cells(elements.array.filter(chosen)), parents.filter(chosen)
        found: Findings = []
        mask = self.node.judge(elements, found)
        findings += [(site, _every(each, parents, cells.length)) for site, each in found]
        return _every(mask, parents, cells.length)


class Length:
    """`minItems` and `maxItems`."""

    def __init__(self, limit: int, *, at_least: bool) -> None:
        self._limit = limit
        self._compare = kernels.greater_equal if at_least else kernels.less_equal

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(_compared(self._compare, cells.lengths, self._limit))


class Contains:
    """`contains`: between ``least`` and ``most`` items are valid."""

    def __init__(self, node: Node, least: int, most: int | None) -> None:
        self._node = node
        self._least = least
        self._most = most

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        elements = cells.elements
        mask = masks.expand(self._node.judge(elements, []), elements.length)
        surely = _count(kernels.coalesce_mask([mask, pa.scalar(False)]), cells)
        perhaps = _count(kernels.coalesce_mask([mask, pa.scalar(True)]), cells)
        verdict = _between(
            _compared(kernels.greater_equal, surely, self._least),
            _compared(kernels.less, perhaps, self._least),
        )
        if self._most is None:
            return verdict
        few = _between(
            _compared(kernels.less_equal, perhaps, self._most),
            _compared(kernels.greater, surely, self._most),
        )
        return masks.conjunction([verdict, few])


def unique(cells: Cells) -> Mask:
    """`uniqueItems` on lists of scalars; nested items have no kernel for equality."""
    elements = cells.elements.decoded
    values = elements.array
    if pt.is_nested(values.type):
        return UNDECIDED
    if pt.is_floating(values.type):
        # -0.0 and 0.0 are the same number.
        values = pa.array(elements.numbers + 0.0, mask=elements.absent)
    table = pa.table({"parent": cells.parents, "value": values})
    groups = table.group_by(["parent", "value"], use_threads=False).aggregate([([], "count_all")])
    counts = groups["count_all"].combine_chunks()
    repeated = groups["parent"].combine_chunks().filter(_compared(kernels.greater, counts, 1))
    return masks.all_but(repeated.to_numpy(), cells.length)


def _every(mask: Mask, parents: Array, length: int) -> Mask:
    """Fold a mask over items to their lists: every item must be valid."""
    if mask is VALID:
        return VALID
    owners: Any = parents.to_numpy(zero_copy_only=False)
    failed = masks.all_but(owners[masks.failing(mask, len(parents))], length)
    if not masks.has_undecided(mask):
        return failed
    unsure = np.zeros(length, np.bool_)
    unsure[owners[masks.undecided(mask, len(parents))]] = True
    return masks.conjunction([failed, masks.override(unsure, UNDECIDED, VALID)])


def _between(surely: pa.BooleanArray, never: pa.BooleanArray) -> Mask:
    """True where surely, false where never, undecided elsewhere."""
    refused = masks.override(masks.flags_of(never), INVALID, UNDECIDED)
    return masks.override(masks.flags_of(surely), VALID, refused)


def _compared(compare: MaskKernel, numbers: Array, limit: int) -> pa.BooleanArray:
    return compare([numbers, pa.scalar(limit, pa.int64())])


def _count(mask: pa.BooleanArray, cells: Cells) -> Array:
    """How many items of each list are true."""
    zero = pa.array([0], pa.int64())
    running = pa.concat_arrays([zero, kernels.running_sum([mask.cast(pa.int64())])])
    ends = kernels.running_sum([cells.lengths])
    starts = kernels.subtract([ends, cells.lengths])
    return kernels.subtract([running.take(ends), running.take(starts)])
