"""The compiled plan: nodes that judge the cells of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.cells import Cells
from tickmesh.schema.validation.masks import UNDECIDED, VALID, Constant, Mask

if TYPE_CHECKING:
    from tickmesh.schema.validation.kernels import Array

Finding = tuple[int, Mask]
"""A site and the mask of its keyword, aligned with the rows of the node that recorded it."""

Findings = list[Finding]

NullSites = tuple[tuple[int, Constant], ...]
"""The keywords that refuse null, or leave it undecided."""

Kernel = Callable[[Cells], Mask]


class Node(Protocol):
    """Judges cells that are not null; what it answers for null cells is overridden."""

    def judge(self, cells: Cells, findings: Findings, /) -> Mask:
        """The mask of the cells; keywords that alone decide a row add what they found."""


@dataclass(slots=True)
class Check:
    """One keyword.

    Attributes:
        kernel: Its kernel.
        site: Its bit's site, None inside an applicator, which answers for it.
    """

    kernel: Kernel
    site: int | None

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        mask = self.kernel(cells)
        if mask is not VALID and self.site is not None:
            findings.append((self.site, mask))
        return mask


@dataclass(slots=True)
class All:
    """Every node must hold."""

    nodes: Sequence[Node]

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        return masks.conjunction([node.judge(cells, findings) for node in self.nodes])


@dataclass(slots=True)
class Applicator:
    """Mask algebra over branches; the branches record nothing."""

    branches: Sequence[Node]
    combine: Callable[[list[Mask]], Mask]

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return self.combine([branch.judge(cells, []) for branch in self.branches])


@dataclass(slots=True)
class Fixed:
    """The same verdict for every cell.

    Attributes:
        verdict: The verdict.
        detail: Why, where it is not the type of the column that settles it.
    """

    verdict: Constant
    detail: str = ""

    def __call__(self, _cells: Cells) -> Mask:
        """The mask of the cells."""
        return self.verdict


def row_by_row(why: str) -> Fixed:
    """What no kernel decides: its cells go to the row oracle."""
    return Fixed(UNDECIDED, why)


@dataclass(slots=True)
class Field:
    """A schema at a field of a row or of a struct.

    Attributes:
        position: The field's place.
        node: Judges the field's cells.
    """

    position: int
    node: Node

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        return self.node.judge(cells.child(self.position), findings)


@dataclass(slots=True)
class Scalar:
    """A schema at a column of scalars: fixes up null cells and non-finite ones.

    Attributes:
        node: Judges the cells that are not null.
        null: The verdict of a null cell under the reading of this column.
        null_sites: The keywords that refuse a null cell.
        floating: Whether the cells may be no numbers at all.
        dictionary: Whether the cells are indices into a dictionary.
    """

    node: Node
    null: Constant
    null_sites: NullSites
    floating: bool
    dictionary: bool

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        if self.dictionary and isinstance(cells.array, pa.DictionaryArray):
            return self._judge_dictionary(cells, cells.array, findings)
        cells = cells.decoded
        if not cells.missing and not (self.floating and cells.nonfinite is not None):
            return self.node.judge(cells, findings)
        found: Findings = []
        mask = self.node.judge(cells, found)
        if self.floating and cells.nonfinite is not None:
            # Not a number at all: the row is bad by NONFINITE, and no keyword is to blame.
            mask = masks.override(cells.nonfinite, VALID, mask)
            found = [(site, masks.override(cells.nonfinite, VALID, each)) for site, each in found]
        return self._with_nulls(cells, mask, found, findings)

    def _with_nulls(self, cells: Cells, mask: Mask, found: Findings, findings: Findings) -> Mask:
        if cells.missing:
            mask = masks.override(cells.absent, self.null, mask)
            found = [(site, masks.override(cells.absent, VALID, each)) for site, each in found]
            found += _refused_nulls(cells, self.null_sites)
        findings += found
        return mask

    def _judge_dictionary(
        self, cells: Cells, array: pa.DictionaryArray[Any, Any], findings: Findings
    ) -> Mask:
        dictionary = array.dictionary
        if dictionary.null_count or len(dictionary) > cells.length:
            return self.judge(cells.decoded, findings)
        found: Findings = []
        values = Cells(dictionary).decoded
        mask = self.node.judge(values, found)
        if self.floating and values.nonfinite is not None:
            return self.judge(cells.decoded, findings)
        found = [(site, _take(each, values, array.indices)) for site, each in found]
        return self._with_nulls(cells, _take(mask, values, array.indices), found, findings)


@dataclass(slots=True)
class Nested:
    """A schema at a column of structs, lists or maps: judges the rows that are not null."""

    node: Node
    null: Constant
    null_sites: NullSites

    def judge(self, cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        cells = cells.decoded
        if not cells.missing:
            return self.node.judge(cells, findings)
        found: Findings = []
        mask = self.node.judge(cells.present, found)
        findings += [(site, scatter(cells, VALID, each)) for site, each in found]
        findings += _refused_nulls(cells, self.null_sites)
        return scatter(cells, self.null, mask)


@dataclass(slots=True)
class NullColumn:
    """A column of Arrow's null type: every cell is null."""

    null: Constant
    null_sites: NullSites

    def judge(self, _cells: Cells, findings: Findings) -> Mask:
        """The mask of the cells."""
        findings += self.null_sites
        return self.null


def scatter(cells: Cells, null: Constant, mask: Mask) -> Mask:
    """A mask over the present cells, as a mask over all cells."""
    if mask is null:
        return mask
    if isinstance(mask, Constant):
        return masks.override(cells.absent, null, mask)
    base = masks.expand(null, cells.length)
    present = masks.expand(mask, cells.present.length)
    return masks.settle(kernels.replace_mask([base, masks.packed(~cells.absent), present]))


def _refused_nulls(cells: Cells, null_sites: NullSites) -> Findings:
    return [(site, masks.override(cells.absent, verdict, VALID)) for site, verdict in null_sites]


def _take(mask: Mask, dictionary: Cells, indices: Array) -> Mask:
    if isinstance(mask, Constant):
        return mask
    return masks.settle(masks.expand(mask, dictionary.length).take(indices), indices.null_count)
