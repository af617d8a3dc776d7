"""Kernels for the numeric keywords, exact for every number type.

Bounds are converted to the column's own type when the schema is compiled: an int64 column is never
compared with a double, which would round beyond 2^53.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.masks import INVALID, UNDECIDED, VALID, Mask
from tickmesh.schema.validation.plan import Fixed, Kernel, row_by_row

if TYPE_CHECKING:
    from tickmesh.schema.validation.cells import Cells

_COMPARISONS: dict[str, Any] = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
_DECIMAL_COMPARISONS = {
    "greater_equal": kernels.greater_equal,
    "less_equal": kernels.less_equal,
}

# Every decimal of at most 15 digits has a double of its own.
_EXACT_DIGITS = 1e15
_EXACT_POWER = 22


def fraction(number: float | Decimal) -> Fraction:
    """A schema's number, exactly; a float stands for its shortest decimal form."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def bound(keyword: str, limit: Fraction, data_type: pa.DataType) -> Kernel:
    """`minimum`, `maximum`, `exclusiveMinimum` or `exclusiveMaximum`."""
    lower, exclusive = keyword.endswith("inimum"), keyword.startswith("exclusive")
    if pt.is_floating(data_type):
        return _float_bound(limit, lower=lower, exclusive=exclusive)
    scale = data_type.scale if pt.is_decimal(data_type) else 0
    steps = limit * Fraction(10) ** scale
    # The first or last step of the column's grid that the bound admits.
    if lower:
        step = math.floor(steps) + 1 if exclusive else math.ceil(steps)
    else:
        step = math.ceil(steps) - 1 if exclusive else math.floor(steps)
    low, high = _grid(data_type)
    if (lower and step > high) or (not lower and step < low):
        return Fixed(INVALID)
    if (lower and step <= low) or (not lower and step >= high):
        return Fixed(VALID)
    comparison = "greater_equal" if lower else "less_equal"
    if pt.is_decimal(data_type):
        return _DecimalBound(comparison, _grid_scalar(step, data_type))
    return _Bound(comparison, step)


def multiple_of(divisor: Fraction, data_type: pa.DataType) -> Kernel:
    """`multipleOf`, for floats on their shortest decimal form."""
    if pt.is_floating(data_type):
        return _float_multiple_of(divisor)
    scale = data_type.scale if pt.is_decimal(data_type) else 0
    # x is a multiple of p/q (in lowest terms) just when the integer x is a multiple of p.
    step = (divisor * Fraction(10) ** scale).numerator
    if step == 1:
        return Fixed(VALID)
    _, high = _grid(data_type)
    if pt.is_decimal(data_type):
        zero = _grid_scalar(0, data_type)
        return (
            _DecimalEqual(zero) if step > high else _DecimalMultiple(_grid_scalar(step, data_type))
        )
    return _IntegerEqual(0) if step > high else _IntegerMultiple(step)


def integral(data_type: pa.DataType) -> Kernel:
    """`type: integer` on a number column: 1.0 is an integer."""
    if pt.is_floating(data_type):
        return _is_integral
    if pt.is_decimal(data_type) and data_type.scale > 0:
        return multiple_of(Fraction(1), data_type)
    return Fixed(VALID)


def _float_bound(limit: Fraction, *, lower: bool, exclusive: bool) -> Kernel:
    try:
        nearest = float(limit)
    except OverflowError:
        nearest = math.inf if limit > 0 else -math.inf
    if math.isinf(nearest):
        return Fixed(VALID if (nearest < 0) is lower else INVALID)
    # Doubles below the nearest one are below the limit, those above are above; the nearest one
    # itself is compared as the decimal it prints as.
    itself = fraction(nearest)
    admitted = (itself > limit if lower else itself < limit) or (itself == limit and not exclusive)
    name = ("greater" if lower else "less") + ("_equal" if admitted else "")
    return _Bound(name, nearest)


class _Bound:
    """A comparison with a prepared number, proven by the extremes where no null cell hides them."""

    def __init__(self, comparison: str, limit: float) -> None:
        self.detail = f"{comparison} {limit}"
        lower = comparison.startswith("greater")
        self.proof = f"the {'least' if lower else 'greatest'} value of a batch without nulls"
        self._compare = _COMPARISONS[comparison]
        self._limit = limit
        self._extreme = 0 if lower else 1

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        extremes = cells.extremes
        if extremes is not None and self._compare(extremes[self._extreme], self._limit):
            return VALID
        return cells.verdict(self._compare(cells.numbers, self._limit))


class _DecimalBound:
    """A comparison with a prepared scalar."""

    def __init__(self, comparison: str, scalar: pa.Scalar[Any]) -> None:
        self.detail = f"{comparison} {scalar}"
        self._compare = _DECIMAL_COMPARISONS[comparison]
        self._scalar = scalar

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(self._compare([cells.array, self._scalar]), cells.missing)


class _DecimalEqual:
    def __init__(self, scalar: pa.Scalar[Any]) -> None:
        self.detail = f"equal {scalar}"
        self._scalar = scalar

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.equal([cells.array, self._scalar]), cells.missing)


class _IntegerEqual:
    def __init__(self, number: int) -> None:
        self.detail = f"equal {number}"
        self._number = number

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return cells.verdict(cells.numbers == self._number)


class _IntegerMultiple:
    def __init__(self, step: int) -> None:
        self.detail = f"multiple of {step}"
        self._step = step

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return cells.verdict(cells.numbers % self._step == 0)


class _DecimalMultiple:
    """Remainder of decimals; declines where this Arrow has no such kernel."""

    def __init__(self, step: pa.Scalar[Any]) -> None:
        self.detail = f"multiple of {step}"
        self._step = step
        self._zero = pa.scalar(Decimal(0), step.type)
        known = "modulo" in pc.list_functions()
        self._modulo = pc.get_function("modulo").call if known else None

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        if self._modulo is None:
            return UNDECIDED
        remainder = self._modulo([cells.array, self._step])
        zero = self._zero.cast(remainder.type)
        return masks.settle(kernels.equal([remainder, zero]), cells.missing)


class _FloatMultiple:
    """x is a multiple of p·10^-k when x is the double nearest to n·10^-k and p divides n.

    Exact while |n| < 10^15, where each decimal of at most 15 digits has a double of its own, so
    that n·10^-k is what x prints as; larger magnitudes are left undecided.
    """

    def __init__(self, power: int, step: int) -> None:
        self.detail = f"nearest double of a multiple of {step}e-{power}"
        self._power = float(10**power)
        self._step = step

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        with np.errstate(all="ignore"):
            steps = numbers * self._power
            np.rint(steps, out=steps)
            valid = steps / self._power == numbers
            small = None if self._all_small(cells) else np.abs(steps) < _EXACT_DIGITS
            if self._step > 1:
                exact = steps if small is None else np.where(small, steps, 0.0)
                valid &= exact.astype(np.int64) % self._step == 0
            if small is not None and cells.missing:
                small |= cells.absent
        if small is None or small.all():
            return cells.verdict(valid)
        unsure: Any = pa.array(valid, mask=~small)
        mask: Mask = unsure
        return mask

    def _all_small(self, cells: Cells) -> bool:
        if cells.extremes is None:
            return False
        low, high = cells.extremes
        return bool(max(-low, high) * self._power < _EXACT_DIGITS - 1)


def _float_multiple_of(divisor: Fraction) -> Kernel:
    power = _decimals(divisor)
    step = divisor * 10**power
    if power > _EXACT_POWER or step >= _EXACT_DIGITS:
        return row_by_row("the divisor has more decimals than doubles tell apart")
    return _FloatMultiple(power, int(step))


def _decimals(number: Fraction) -> int:
    """How many digits stand after the point of a finite decimal."""
    denominator, twos, fives = number.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives)


def _is_integral(cells: Cells) -> Mask:
    return cells.verdict(np.floor(cells.numbers) == cells.numbers)


def _grid(data_type: pa.DataType) -> tuple[int, int]:
    """The least and the greatest value of an integer or decimal type, in its smallest steps."""
    if pt.is_decimal(data_type):
        high = 10**data_type.precision - 1
        return -high, high
    if pt.is_unsigned_integer(data_type):
        return 0, 2**data_type.bit_width - 1
    width = data_type.bit_width if pt.is_integer(data_type) else 64
    return -(2 ** (width - 1)), 2 ** (width - 1) - 1


def _grid_scalar(step: int, data_type: pa.DataType) -> pa.Scalar[Any]:
    if pt.is_decimal(data_type):
        digits = tuple(int(digit) for digit in str(abs(step)))
        return pa.scalar(Decimal((int(step < 0), digits, -data_type.scale)), data_type)
    return pa.scalar(step, data_type if pt.is_integer(data_type) else pa.int64())


def on_grid(number: Fraction, data_type: pa.DataType) -> pa.Scalar[Any] | None:
    """A number as a scalar of an integer or decimal type, None when the type cannot hold it."""
    scale = data_type.scale if pt.is_decimal(data_type) else 0
    steps = number * Fraction(10) ** scale
    low, high = _grid(data_type)
    if steps.denominator != 1 or not low <= steps <= high:
        return None
    return _grid_scalar(int(steps), data_type)
