"""Kernels for `enum` and `const`: members are sorted by JSON type before Arrow sees them.

Arrow finds True in [1] and does not find -0.0 in [0.0]; JSON Schema says the opposite of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.logical import Kind
from tickmesh.schema.validation.masks import INVALID, UNDECIDED, VALID, Mask
from tickmesh.schema.validation.numeric import fraction, on_grid
from tickmesh.schema.validation.plan import Fixed, Kernel

if TYPE_CHECKING:
    from fractions import Fraction

    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.kernels import Array


def one_of(members: Sequence[Any], kind: Kind, data_type: pa.DataType) -> Kernel:
    """The cell equals one of the members."""
    alike = [member for member in members if _json_type(member) == kind.json_type]
    if not alike:
        return Fixed(INVALID)
    if kind is Kind.BOOLEAN:
        return _booleans(set(alike))
    if kind is Kind.STRING:
        return _Member(pa.array(alike, pa.large_string()).cast(_text_type(data_type)))
    if kind is Kind.FLOAT:
        return _floats([fraction(member) for member in alike])
    if kind.is_number:
        scalars = [on_grid(fraction(member), data_type) for member in alike]
        found = [scalar.as_py() for scalar in scalars if scalar is not None]
        column = data_type if kind is Kind.DECIMAL or pt.is_integer(data_type) else pa.int64()
        return _Member(pa.array(found, column)) if found else Fixed(INVALID)
    # Rendered text, objects and arrays have no kernel for equality.
    return Fixed(UNDECIDED)


class _Member:
    """Membership in a prepared set; equality when the set has one member."""

    def __init__(self, members: Array, *, signed_zero: bool = False) -> None:
        self.detail = f"one of {members.to_pylist()}"
        self._options = pc.SetLookupOptions(value_set=members)
        self._single = members[0] if len(members) == 1 else None
        self._zero = pa.scalar(0.0) if signed_zero else None

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        if not pt.is_string(cells.array.type) and not pt.is_large_string(cells.array.type):
            cells = cells.numbers
        if self._single is not None:
            mask = kernels.equal([cells.array, self._single])
        elif self._zero is not None:
            mask = kernels.is_in([kernels.add([cells.array, self._zero])], self._options)
        else:
            mask = kernels.is_in([cells.array], self._options)
        return masks.settle(mask, cells.missing)


def _booleans(members: set[bool]) -> Kernel:
    if len(members) == 2:
        return Fixed(VALID)
    wanted = pa.scalar(members.pop())

    def judge(cells: Cells) -> Mask:
        return masks.settle(kernels.equal([cells.array, wanted]), cells.missing)

    return judge


def _floats(members: list[Fraction]) -> Kernel:
    # A cell equals a member when it prints as it: a member no double prints as is never equal.
    doubles = []
    for member in members:
        try:
            nearest = float(member)
        except OverflowError:
            continue
        if fraction(nearest) == member:
            doubles.append(nearest + 0.0)
    if not doubles:
        return Fixed(INVALID)
    return _Member(pa.array(doubles, pa.float64()), signed_zero=0.0 in doubles)


def _json_type(member: Any) -> str:
    if isinstance(member, bool):
        return "boolean"
    if isinstance(member, int | float | Decimal):
        return "number"
    if isinstance(member, str):
        return "string"
    if isinstance(member, Mapping):
        return "object"
    return "null" if member is None else "array"


def _text_type(data_type: pa.DataType) -> pa.DataType:
    return pa.string() if pt.is_string(data_type) else pa.large_string()
