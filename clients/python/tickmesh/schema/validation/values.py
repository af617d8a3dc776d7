"""Kernels for `enum` and `const`: members are sorted by JSON type before Arrow sees them.

Arrow finds True in [1] and does not find -0.0 in [0.0]; JSON Schema says the opposite of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.logical import Kind
from tickmesh.schema.validation.masks import INVALID, VALID, Mask
from tickmesh.schema.validation.numeric import fraction, on_grid
from tickmesh.schema.validation.plan import Fixed, Kernel, row_by_row
from tickmesh.schema.validation.utf8 import KEY_BYTES, key_of

if TYPE_CHECKING:
    from fractions import Fraction

    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.kernels import Array

# So many comparisons cost less than one look-up.
_FEW_MEMBERS = 12


def one_of(members: Sequence[Any], kind: Kind, data_type: pa.DataType) -> Kernel:
    """The cell equals one of the members."""
    alike = [member for member in members if _json_type(member) == kind.json_type]
    if not alike:
        return Fixed(INVALID)
    if kind is Kind.BOOLEAN:
        return _booleans(set(alike))
    if kind is Kind.STRING:
        alike = [member for member in alike if _is_unicode(member)]
        if not alike:
            return Fixed(INVALID)
        return TextMember(alike, data_type)
    if kind is Kind.FLOAT:
        return _floats([fraction(member) for member in alike])
    if kind.is_number:
        scalars = [on_grid(fraction(member), data_type) for member in alike]
        found = [scalar.as_py() for scalar in scalars if scalar is not None]
        if not found:
            return Fixed(INVALID)
        if kind is Kind.DECIMAL:
            return _DecimalMember(pa.array(found, data_type))
        return _NumberMember(found)
    return row_by_row(f"a {data_type} is written as text only for the row oracle")


class _DecimalMember:
    """Membership in a prepared set of decimals."""

    def __init__(self, members: Array) -> None:
        self.detail = f"one of {members.to_pylist()}"
        self._options = pc.SetLookupOptions(value_set=members)

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.is_in([cells.array], self._options), cells.missing)


class _NumberMember:
    """Membership in a prepared set of machine numbers, where -0.0 is 0.0."""

    def __init__(self, members: Sequence[float]) -> None:
        self.detail = f"one of {sorted(members)}"
        self._members = members

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        if len(self._members) <= _FEW_MEMBERS:
            return cells.verdict(_equal_to_one(numbers, self._members))
        return cells.verdict(np.isin(numbers, np.array(self._members, numbers.dtype)))


class TextMember:
    """Membership in a prepared set of texts; short ones are compared as whole words."""

    def __init__(self, members: Sequence[str], data_type: pa.DataType) -> None:
        self.detail = f"one of {list(members)}"
        wanted = [member.encode() for member in members]
        self._options = pc.SetLookupOptions(
            value_set=pa.array(members, pa.large_string()).cast(_text_type(data_type))
        )
        self._words = {
            size: [int.from_bytes(text, "little") for text in wanted if len(text) == size]
            for size in (1, 2, 4, 8)
        }
        short = len(wanted) <= _FEW_MEMBERS and max(map(len, wanted)) <= KEY_BYTES
        self._keys = [key_of(text) for text in wanted] if short else None

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        if not cells.missing:
            words = cells.utf8.words()
            if words is not None and len(self._words[words[0]]) <= _FEW_MEMBERS:
                return cells.verdict(_equal_to_one(words[1], self._words[words[0]]))
        if self._keys is not None:
            return cells.verdict(_equal_to_one(cells.utf8.keys(), self._keys))
        return masks.settle(kernels.is_in([cells.array], self._options), cells.missing)


def _equal_to_one(numbers: Any, members: Sequence[float]) -> Any:
    found = np.zeros(len(numbers), np.bool_)
    for member in members:
        found |= numbers == member
    return found


def _booleans(members: set[bool]) -> Kernel:
    if len(members) == 2:
        return Fixed(VALID)
    return _Boolean(wanted=members.pop())


class _Boolean:
    def __init__(self, *, wanted: bool) -> None:
        self.detail = f"equal {str(wanted).lower()}"
        self._wanted = pa.scalar(wanted)

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.equal([cells.array, self._wanted]), cells.missing)


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
    return _NumberMember(doubles)


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


def _is_unicode(text: str) -> bool:
    # A lone surrogate, which JSON can escape, stands in no column.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text_type(data_type: pa.DataType) -> pa.DataType:
    return pa.string() if pt.is_string(data_type) else pa.large_string()
