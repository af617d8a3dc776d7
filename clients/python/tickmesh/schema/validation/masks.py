"""Three-valued masks over the rows of a batch, and their algebra.

A mask says of every row: surely valid (true), surely invalid (false) or undecided (null).
A mask that says the same of every row is one of three constants, so that keywords an Arrow type
settles by itself cost nothing per row.  Kleene logic makes the algebra exact: ``false AND
undecided`` is false, ``true OR undecided`` is true.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc


class Constant(Enum):
    """The same verdict for every row."""

    VALID = True
    INVALID = False
    UNDECIDED = None


VALID, INVALID, UNDECIDED = Constant.VALID, Constant.INVALID, Constant.UNDECIDED

Mask: TypeAlias = Constant | pa.BooleanArray

# Kernels looked up once: `pc.<name>` pays for argument handling that a prepared call does not need.
_and_kleene = pc.get_function("and_kleene").call
_or_kleene = pc.get_function("or_kleene").call
_xor = pc.get_function("xor").call
_invert = pc.get_function("invert").call
_if_else = pc.get_function("if_else").call
_is_null = pc.get_function("is_null").call
_coalesce = pc.get_function("coalesce").call

_SCALARS: dict[Constant, Any] = {
    VALID: pa.scalar(True),
    INVALID: pa.scalar(False),
    UNDECIDED: pa.scalar(None, pa.bool_()),
}


def constant(verdict: bool | None) -> Constant:
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
        return pa.repeat(_SCALARS[mask], length)
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
            result = _and_kleene([_operand(result), _operand(mask)])
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
            result = _or_kleene([_operand(result), _operand(mask)])
    return result


def negation(mask: Mask) -> Mask:
    """Swap valid and invalid; what is undecided stays so."""
    if isinstance(mask, Constant):
        return constant(None if mask.value is None else not mask.value)
    return _invert([mask])


def exactly_one(masks: list[Mask]) -> Mask:
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
    return _if_else([missing, _operand(verdict), _operand(mask)])


def failures(mask: Mask, length: int) -> pa.BooleanArray:
    """The rows that are surely invalid, without nulls."""
    if isinstance(mask, Constant):
        return pa.repeat(pa.scalar(mask is INVALID), length)
    return _coalesce([_invert([mask]), _SCALARS[INVALID]])


def undecided(mask: Mask, length: int) -> pa.BooleanArray:
    """The rows that are undecided, without nulls."""
    if isinstance(mask, Constant):
        return pa.repeat(pa.scalar(mask is UNDECIDED), length)
    return _is_null([mask])


def has_failures(mask: Mask) -> bool:
    """Whether some row is surely invalid."""
    if isinstance(mask, Constant):
        return mask is INVALID
    return mask.false_count > 0


def is_clean(mask: Mask) -> bool:
    """Whether every row is surely valid."""
    return mask is VALID or (not isinstance(mask, Constant) and mask.true_count == len(mask))


def _operand(mask: Mask) -> Any:
    return _SCALARS[mask] if isinstance(mask, Constant) else mask
