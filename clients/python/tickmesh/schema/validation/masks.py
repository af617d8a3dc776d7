"""Three-valued masks over the rows of a batch, and their algebra.

A mask says of every row: surely valid (true), surely invalid (false) or undecided (null).
A mask that says the same of every row is one of three constants, so that keywords an Arrow type
settles by itself cost nothing per row.  Kleene logic makes the algebra exact: ``false AND
undecided`` is false, ``true OR undecided`` is true.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from tickmesh.schema.validation import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.schema.validation.kernels import Array


class Constant(Enum):
    """The same verdict for every row."""

    VALID = True
    INVALID = False
    UNDECIDED = None


VALID, INVALID, UNDECIDED = Constant.VALID, Constant.INVALID, Constant.UNDECIDED

TruthValue: TypeAlias = bool | None
"""Yes, no, or not settled."""

Mask: TypeAlias = Constant | pa.BooleanArray

_SCALARS: dict[Constant, Any] = {
    VALID: pa.scalar(True),
    INVALID: pa.scalar(False),
    UNDECIDED: pa.scalar(None, pa.bool_()),
}


def constant(verdict: TruthValue) -> Constant:
    """The constant mask of one verdict."""
    return Constant(verdict)


def settle(mask: pa.BooleanArray, missing: int = 0) -> Mask:
    """Replace a mask that found nothing wrong by the constant.

    Args:
        mask: A leaf kernel's answer; rows whose cell is null answer null or false.
        missing: How many rows have a null cell; the caller overrides those.
    """
    return VALID if mask.true_count + missing == len(mask) else mask


def expand(mask: Mask, length: int) -> pa.BooleanArray:
    """The mask as an array of ``length`` rows."""
    if isinstance(mask, Constant):
        return _repeated(mask, length)
    return mask


def conjunction(masks: Iterable[Mask]) -> Mask:
    """Valid where all are valid, invalid where one is invalid."""
    result: Mask = VALID
    for mask in masks:
        if mask is VALID:
            continue
        if mask is INVALID:
            return INVALID
        if result is VALID:
            result = mask
        elif result is not mask:
            result = kernels.and_kleene([_operand(result), _operand(mask)])
    return result


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
    return kernels.invert([mask])


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


def override(missing: pa.BooleanArray, verdict: Mask, mask: Mask) -> Mask:
    """``verdict`` where ``missing``, ``mask`` elsewhere; ``missing`` holds no nulls."""
    if mask is verdict:
        return mask
    return kernels.if_else_mask([missing, _operand(verdict), _operand(mask)])


def failures(mask: Mask, length: int) -> pa.BooleanArray:
    """The rows that are surely invalid, without nulls."""
    if isinstance(mask, Constant):
        return _repeated(constant(mask is INVALID), length)
    return kernels.coalesce_mask([kernels.invert([mask]), _SCALARS[INVALID]])


def bits_of_failures(mask: Mask, bit: int, length: int) -> Array:
    """``bit`` in every row that is surely invalid, 0 in the others, as 64-bit words."""
    if isinstance(mask, Constant) or mask.null_count:
        return kernels.if_else([failures(mask, length), _word(bit), _word(0)])
    return kernels.if_else([mask, _word(0), _word(bit)])


def undecided(mask: Mask, length: int) -> pa.BooleanArray:
    """The rows that are undecided, without nulls."""
    if isinstance(mask, Constant):
        return _repeated(constant(mask is UNDECIDED), length)
    return kernels.is_null([mask])


def has_failures(mask: Mask) -> bool:
    """Whether some row is surely invalid."""
    if isinstance(mask, Constant):
        return mask is INVALID
    return mask.false_count > 0


def has_undecided(mask: Mask) -> bool:
    """Whether some row is undecided."""
    if isinstance(mask, Constant):
        return mask is UNDECIDED
    return mask.null_count > 0


def is_clean(mask: Mask) -> bool:
    """Whether every row is surely valid."""
    if isinstance(mask, Constant):
        return mask is VALID
    return mask.true_count == len(mask)


@cache
def _word(bits: int) -> pa.Scalar[Any]:
    return pa.scalar(bits, pa.uint64())


def _repeated(verdict: Constant, length: int) -> pa.BooleanArray:
    array: pa.BooleanArray = pa.repeat(_SCALARS[verdict], length)
    return array


def _operand(mask: Mask) -> object:
    return _SCALARS[mask] if isinstance(mask, Constant) else mask
