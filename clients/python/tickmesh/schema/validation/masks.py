"""Three-valued masks over the rows of a batch, and their algebra.

A mask says of every row: surely valid (true), surely invalid (false) or undecided (null).
A mask that says the same of every row is one of three constants, so that keywords an Arrow type
settles by itself cost nothing per row.  A mask that refuses few rows names them (`AllBut`): market
data are nearly all good, and in small batches every call of a kernel counts.  Kleene logic makes
the algebra exact: ``false AND undecided`` is false, ``true OR undecided`` is true.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from tickmesh.schema.validation import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


class Constant(Enum):
    """The same verdict for every row."""

    VALID = True
    INVALID = False
    UNDECIDED = None


VALID, INVALID, UNDECIDED = Constant.VALID, Constant.INVALID, Constant.UNDECIDED

TruthValue: TypeAlias = bool | None
"""Yes, no, or not settled."""


class AllBut:
    """Valid for every row but a few, which are surely invalid.

    Args:
        rows: The invalid rows, at least one, in any order, perhaps repeated.
        length: How many rows there are.
    """

    __slots__ = ("length", "rows")

    def __init__(self, rows: NDArray[np.int64], length: int) -> None:
        self.rows = rows
        self.length = length


Mask: TypeAlias = Constant | AllBut | pa.BooleanArray

# Up to this many rows, or this share of them, invalid rows are named one by one.
_SMALL_BATCH = 8192
_FEW = 8

_SCALARS: dict[Constant, Any] = {
    VALID: pa.scalar(True),
    INVALID: pa.scalar(False),
    UNDECIDED: pa.scalar(None, pa.bool_()),
}
_NO = _SCALARS[INVALID]


def constant(verdict: TruthValue) -> Constant:
    """The constant mask of one verdict."""
    return Constant(verdict)


def settle(mask: pa.BooleanArray, missing: int = 0) -> Mask:
    """Replace a mask that found little or nothing wrong by a cheaper one.

    Args:
        mask: A leaf kernel's answer; rows whose cell is null answer null or false.
        missing: How many rows have a null cell; the caller overrides those.
    """
    if mask.true_count + missing == len(mask):
        return VALID
    return mask if mask.null_count else of_flags(flags_of(mask))


def of_flags(valid: NDArray[np.bool_]) -> Mask:
    """The mask of one boolean a row: whether it is surely valid, else it is surely invalid."""
    length = len(valid)
    failing = length - np.count_nonzero(valid)
    if not failing:
        return VALID
    if length <= _SMALL_BATCH or failing * _FEW <= length:
        return AllBut((~valid).nonzero()[0], length)
    return packed(valid)


def all_but(rows: NDArray[np.int64], length: int) -> Mask:
    """Valid for every row but these, of which there may be none."""
    return AllBut(rows, length) if len(rows) else VALID


def flags_of(mask: pa.BooleanArray) -> NDArray[np.bool_]:
    """One boolean a row, of any value where the mask is undecided."""
    if not len(mask):
        return np.empty(0, np.bool_)
    return unpacked(mask.buffers()[1], mask.offset, len(mask))


def unpacked(bits: Any, offset: int, length: int) -> NDArray[np.bool_]:
    """One boolean for each bit of a buffer, from an offset on."""
    flags = np.unpackbits(np.frombuffer(bits, np.uint8), count=offset + length, bitorder="little")
    return flags[offset:].view(np.bool_)


def packed(flags: NDArray[np.bool_]) -> pa.BooleanArray:
    """The Arrow array of one boolean a row."""
    bytes_: Any = np.packbits(flags, bitorder="little")
    bits: Any = pa.py_buffer(bytes_)
    array: Any = pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits], 0)
    mask: pa.BooleanArray = array
    return mask


def expand(mask: Mask, length: int) -> pa.BooleanArray:
    """The mask as an array of ``length`` rows."""
    if isinstance(mask, Constant):
        return _repeated(mask, length)
    return _dense(mask)


def conjunction(masks: Iterable[Mask]) -> Mask:
    """Valid where all are valid, invalid where one is invalid."""
    result: Mask = VALID
    few: list[AllBut] = []
    for mask in masks:
        if mask is VALID:
            continue
        if mask is INVALID:
            return INVALID
        if isinstance(mask, AllBut):
            few.append(mask)
        elif result is VALID:
            result = mask
        elif result is not mask:
            result = kernels.and_kleene([_operand(result), _operand(mask)])
    if not few:
        return result
    together = few[0]
    if len(few) > 1:
        together = AllBut(np.concatenate([mask.rows for mask in few]), together.length)
    return together if result is VALID else kernels.and_kleene([_operand(result), _dense(together)])


def disjunction(masks: Iterable[Mask]) -> Mask:
    """Valid where one is valid, invalid where all are invalid."""
    result: Mask = INVALID
    for mask in masks:
        if mask is INVALID:
            continue
        if mask is VALID:
            return VALID
        if result is INVALID:
            result = mask
        elif result is not mask:
            result = kernels.or_kleene([_operand(result), _operand(mask)])
    return result


def negation(mask: Mask) -> Mask:
    """Swap valid and invalid; what is undecided stays so."""
    if isinstance(mask, Constant):
        return constant(None if mask.value is None else not mask.value)
    return kernels.invert([_dense(mask)])


def exactly_one(masks: Iterable[Mask]) -> Mask:
    """Valid where exactly one is valid.

    Folds "one so far" and "two or more so far" through the branches, so that an undecided branch
    spoils only the rows it could decide.
    """
    one: Mask = INVALID
    more: Mask = INVALID
    for mask in masks:
        more = disjunction([more, conjunction([one, mask])])
        one = disjunction([one, mask])
    return conjunction([one, negation(more)])


def choose(condition: Mask, then: Mask, otherwise: Mask) -> Mask:
    """``then`` where the condition holds, ``otherwise`` where it does not.

    The third operand follows from the first two; in Kleene logic it also decides the rows whose
    condition is undecided while both branches fail.
    """
    return conjunction(
        [
            disjunction([negation(condition), then]),
            disjunction([condition, otherwise]),
            disjunction([then, otherwise]),
        ]
    )


def override(missing: NDArray[np.bool_], verdict: Mask, mask: Mask) -> Mask:
    """``verdict`` where ``missing``, ``mask`` elsewhere."""
    if mask is verdict:
        return mask
    if isinstance(mask, AllBut) and verdict is VALID:
        return all_but(mask.rows[~missing[mask.rows]], mask.length)
    if mask is VALID and verdict is INVALID:
        return of_flags(~missing)
    return kernels.if_else_mask([packed(missing), _operand(verdict), _operand(mask)])


def failing_rows(mask: Mask, length: int) -> NDArray[np.int64]:
    """The rows that are surely invalid, in any order, perhaps repeated."""
    if isinstance(mask, AllBut):
        return mask.rows
    if isinstance(mask, Constant):
        return np.arange(length if mask is INVALID else 0)
    return np.flatnonzero(flags_of(kernels.coalesce_mask([kernels.invert([mask]), _NO])))


def undecided(mask: Mask, length: int) -> pa.BooleanArray:
    """The rows that are undecided, without nulls."""
    if isinstance(mask, Constant):
        return _repeated(constant(mask is UNDECIDED), length)
    if isinstance(mask, AllBut):
        return _repeated(INVALID, length)
    return kernels.is_null([mask])


def has_failures(mask: Mask) -> bool:
    """Whether some row is surely invalid."""
    if isinstance(mask, Constant):
        return mask is INVALID
    return isinstance(mask, AllBut) or mask.false_count > 0


def has_undecided(mask: Mask) -> bool:
    """Whether some row is undecided."""
    if isinstance(mask, Constant):
        return mask is UNDECIDED
    return not isinstance(mask, AllBut) and mask.null_count > 0


def is_clean(mask: Mask) -> bool:
    """Whether every row is surely valid."""
    if isinstance(mask, Constant):
        return mask is VALID
    return not isinstance(mask, AllBut) and mask.true_count == len(mask)


def joined(masks: Sequence[Mask], lengths: Sequence[int]) -> Mask:
    """The mask over the rows of several batches, one after another."""
    if all(mask is VALID or isinstance(mask, AllBut) for mask in masks):
        starts = np.cumsum([0, *lengths])
        rows = [
            mask.rows + start
            for mask, start in zip(masks, starts, strict=False)
            if isinstance(mask, AllBut)
        ]
        return all_but(np.concatenate(rows), sum(lengths)) if rows else VALID
    return pa.concat_arrays([expand(*each) for each in zip(masks, lengths, strict=True)])


def _dense(mask: AllBut | pa.BooleanArray) -> pa.BooleanArray:
    if not isinstance(mask, AllBut):
        return mask
    flags = np.ones(mask.length, np.bool_)
    flags[mask.rows] = False
    return packed(flags)


def _repeated(verdict: Constant, length: int) -> pa.BooleanArray:
    array: pa.BooleanArray = pa.repeat(_SCALARS[verdict], length)
    return array


def _operand(mask: Mask) -> object:
    return _SCALARS[mask] if isinstance(mask, Constant) else _dense(mask)
