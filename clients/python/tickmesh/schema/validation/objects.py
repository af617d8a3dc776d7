"""Nodes for objects: keywords on the presence of fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.masks import VALID, Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.kernels import Array
    from tickmesh.schema.validation.plan import Kernel, Node


@dataclass(frozen=True, slots=True)
class Presence:
    """A field and whether its null cells are present (they read as null) or absent."""

    position: int
    reads_null: bool

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        column = cells.child(self.position)
        return VALID if self.reads_null or not column.missing else column.presence


class Required:
    """`required`: every listed field is present."""

    proof = "the null counts of the columns are 0"

    def __init__(self, fields: Sequence[Presence]) -> None:
        self._fields = fields

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.conjunction([field(cells) for field in self._fields])


class PropertyCount:
    """`minProperties` and `maxProperties`."""

    proof = "the null counts of the columns are 0"

    def __init__(self, fields: Sequence[Presence], limit: int, *, at_least: bool) -> None:
        self._fields = fields
        self._limit = limit
        self._at_least = at_least

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        surely = 0
        count: Array | None = None
        for field in self._fields:
            present = field(cells)
            if present is VALID:
                surely += 1
                continue
            ones = masks.expand(present, cells.length).cast(pa.int64())
            count = ones if count is None else kernels.add([count, ones])
        if count is None:
            enough = surely >= self._limit if self._at_least else surely <= self._limit
            return masks.constant(enough)
        compare = kernels.greater_equal if self._at_least else kernels.less_equal
        return masks.settle(compare([count, pa.scalar(self._limit - surely, pa.int64())]))


class Dependent:
    """Where a field is present, a further schema or further fields must hold."""

    def __init__(self, trigger: Presence, consequence: Node | Kernel) -> None:
        self._trigger = trigger
        self._consequence = consequence

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        unless = masks.negation(self._trigger(cells))
        if callable(self._consequence):
            return masks.disjunction([unless, self._consequence(cells)])
        return masks.disjunction([unless, self._consequence.judge(cells, [])])


class ForbiddenNames:
    """`additionalProperties: false` and `propertyNames`: none of these fields may be present."""

    def __init__(self, fields: Sequence[Presence]) -> None:
        self._fields = fields

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.conjunction([masks.negation(field(cells)) for field in self._fields])
