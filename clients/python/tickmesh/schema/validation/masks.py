"""Three-valued masks over the rows of a batch, and their algebra.

A mask says of every row: surely valid (true), surely invalid (false) or undecided (null).
A mask that says the same of every row is one of three constants, so that keywords an Arrow type
settles by itself cost nothing per row.  A mask without anything undecided is an array of bytes,
which costs little to make and to combine even in small batches; only where rows are undecided it
is an Arrow array.  Kleene logic makes the algebra exact: ``false AND undecided`` is false,
``true OR undecided`` is true.
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

Flags: TypeAlias = "NDArray[np.bool_]"
"""One boolean a row."""

Mask: TypeAlias = "Constant | Flags | pa.BooleanArray"

_SCALARS: dict[Constant, Any] = {
    VALID: pa.scalar(True),
    INVALID: pa.scalar(False),
    UNDECIDED: pa.scalar(None, pa.bool_()),
}


def constant(verdict: TruthValue) -> Constant:
    """The constant mask of one verdict."""
    return Constant(verdict)


def settle(mask: pa.BooleanArray, missing: int = 0) -> Mask:
    """Replace a kernel's answer by the cheapest mask that says the same.

    Args:
        mask: A leaf kernel's answer; rows whose cell is null answer null or false.
        missing: How many rows have a null cell; the caller overrides those.
    """
    if mask.true_count + missing == len(mask):
        return VALID
    return mask if mask.null_count else flags_of(mask)


def of_flags(valid: Flags) -> Mask:
    """The mask of one boolean a row: whether it is surely valid, else it is surely invalid."""
    return VALID if np.count_nonzero(valid) == len(valid) else valid


def all_but(rows: NDArray[np.int64], length: int) -> Mask:
    """Valid for every row but these, of which there may be none."""
    if not len(rows):
        return VALID
    flags = np.ones(length, np.bool_)
    flags[rows] = False
    return flags


def flags_of(mask: pa.BooleanArray) -> Flags:
    """One boolean a row, of any value where the mask is undecided."""
    if not len(mask):
        return np.empty(0, np.bool_)
    return unpacked(mask.buffers()[1], mask.offset, len(mask))


def unpacked(bits: Any, offset: int, length: int) -> Flags:
    """One boolean for each bit of a buffer, from an offset on."""
    flags = np.unpackbits(np.frombuffer(bits, np.uint8), count=offset + length, bitorder="little")
    return flags[offset:].view(np.bool_)


def packed(flags: Flags) -> pa.BooleanArray:
    """The Arrow array of one boolean a row."""
    held: Any = np.packbits(flags, bitorder="little")
    bits: Any = pa.py_buffer(held)
    array: Any = pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits], 0)
    mask: pa.BooleanArray = array
    return mask


def expand(mask: Mask, length: int) -> pa.BooleanArray:
    """The mask as an Arrow array of ``length`` rows."""
    if isinstance(mask, Constant):
        return _repeated(mask, length)
    return packed(mask) if isinstance(mask, np.ndarray) else mask


def conjunction(masks: Iterable[Mask]) -> Mask:
    """Valid where all are valid, invalid where one is invalid."""
    result: Mask = VALID
    flags: Flags | None = None
    for mask in masks:
        if mask is VALID:
            continue
        if mask is INVALID:
            return INVALID
        if isinstance(mask, np.ndarray):
            flags = mask if flags is None else flags & mask
        elif result is VALID:
            result = mask
        elif result is not mask:
            result = kernels.and_kleene([_operand(result), _operand(mask)])
    if flags is None or result is VALID:
        return result if flags is None else flags
    return kernels.and_kleene([_operand(result), _operand(flags)])


def disjunction(masks: Iterable[Mask]) -> Mask:
    """Valid where one is valid, invalid where all are invalid."""
    result: Mask = INVALID
    flags: Flags | None = None
    for mask in masks:
        if mask is INVALID:
            continue
        if mask is VALID:
            return VALID
        if isinstance(mask, np.ndarray):
            flags = mask if flags is None else flags | mask
        elif result is INVALID:
            result = mask
        elif result is not mask:
            result = kernels.or_kleene([_operand(result), _operand(mask)])
    if flags is None or result is INVALID:
        return result if flags is None else of_flags(flags)
    return kernels.or_kleene([_operand(result), _operand(flags)])


def negation(mask: Mask) -> Mask:
    """Swap valid and invalid; what is undecided stays so."""
    if isinstance(mask, Constant):
        return constant(None if mask.value is None else not mask.value)
    return of_flags(~mask) if isinstance(mask, np.ndarray) else kernels.invert([mask])


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


def override(missing: Flags, verdict: Mask, mask: Mask) -> Mask:
    """``verdict`` where ``missing``, ``mask`` elsewhere."""
    if mask is verdict:
        return mask
    if verdict is VALID and isinstance(mask, np.ndarray):
        return of_flags(mask | missing)
    if verdict is INVALID and mask is VALID:
        return of_flags(~missing)
    if verdict is INVALID and isinstance(mask, np.ndarray):
        return mask & ~missing
    return _settled(kernels.if_else_mask([packed(missing), _operand(verdict), _operand(mask)]))


def failing(mask: Mask, length: int) -> Flags:
    """The rows that are surely invalid."""
    if isinstance(mask, np.ndarray):
        return ~mask
    if isinstance(mask, Constant):
        return np.full(length, mask is INVALID)
    return ~flags_of(kernels.coalesce_mask([mask, _SCALARS[VALID]]))


def undecided(mask: Mask, length: int) -> Flags:
    """The rows that are undecided."""
    if isinstance(mask, pa.BooleanArray):
        return flags_of(kernels.is_null([mask]))
    return np.full(length, mask is UNDECIDED)


def has_failures(mask: Mask) -> bool:
    """Whether some row is surely invalid; flags without one are VALID (`of_flags`)."""
    if isinstance(mask, Constant):
        return mask is INVALID
    return isinstance(mask, np.ndarray) or mask.false_count > 0


def has_undecided(mask: Mask) -> bool:
    """Whether some row is undecided."""
    if isinstance(mask, Constant):
        return mask is UNDECIDED
    return not isinstance(mask, np.ndarray) and mask.null_count > 0


def is_clean(mask: Mask) -> bool:
    """Whether every row is surely valid."""
    if isinstance(mask, Constant):
        return mask is VALID
    return not isinstance(mask, np.ndarray) and mask.true_count == len(mask)


def joined(masks: Sequence[Mask], lengths: Sequence[int]) -> Mask:
    """The mask over the rows of several batches, one after another."""
    if all(mask is VALID for mask in masks):
        return VALID
    if not any(has_undecided(mask) for mask in masks):
        return np.concatenate([~failing(*each) for each in zip(masks, lengths, strict=True)])
    return pa.concat_arrays([expand(*each) for each in zip(masks, lengths, strict=True)])


def _settled(mask: pa.BooleanArray) -> Mask:
    return mask if mask.null_count else of_flags(flags_of(mask))


def _repeated(verdict: Constant, length: int) -> pa.BooleanArray:
    array: pa.BooleanArray = pa.repeat(_SCALARS[verdict], length)
    return array


def _operand(mask: Mask) -> object:
    if isinstance(mask, Constant):
        return _SCALARS[mask]
    return packed(mask) if isinstance(mask, np.ndarray) else mask
