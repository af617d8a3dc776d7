"""Kernels for the numeric keywords, exact for every number type.

Bounds are converted to the column's own type when the schema is compiled: an int64 column is never
compared with a double, which would round beyond 2^53.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.masks import INVALID, UNDECIDED, VALID, Mask
from tickmesh.schema.validation.plan import Fixed, Kernel

if TYPE_CHECKING:
    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.kernels import Array, MaskKernel

_COMPARISONS: dict[str, MaskKernel] = {
    "greater": kernels.greater,
    "greater_equal": kernels.greater_equal,
    "less": kernels.less,
    "less_equal": kernels.less_equal,
}
_ROUND_TO_EVEN = pc.RoundOptions(0, "half_to_even")

# Below this many rows one comparison costs less than reading the extremes first.
_STATISTICS_ROWS = 8192

# Every decimal of at most 15 digits has a double of its own.
_EXACT_DIGITS = 1e15
_EXACT_POWER = 22

_NO_DOUBLE = pa.scalar(None, pa.float64())
_NO_VERDICT = pa.scalar(None, pa.bool_())


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
    return _Bound("greater_equal" if lower else "less_equal", _grid_scalar(step, data_type))


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
    if step > high:
        return _Equal(_grid_scalar(0, data_type))
    if pt.is_decimal(data_type):
        return _DecimalMultiple(_grid_scalar(step, data_type))
    return _IntegerMultiple(_grid_scalar(step, data_type))


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
    return _Bound(name, pa.scalar(nearest))


class _Bound:
    """A comparison with a prepared scalar, proven by the extremes where that is cheaper."""

    proven = True

    def __init__(self, comparison: str, scalar: pa.Scalar[Any]) -> None:
        self.detail = f"{comparison} {scalar}"
        self._compare = _COMPARISONS[comparison]
        self._scalar = scalar
        self._extreme = 0 if comparison.startswith("greater") else 1

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        if numbers.length >= _STATISTICS_ROWS:
            extremes = numbers.extremes
            worst = extremes[self._extreme]
            proven: Any = self._compare([worst, self._scalar])
            if not worst.is_valid or proven.as_py():
                return VALID
        mask = self._compare([numbers.array, self._scalar])
        return masks.settle(mask, numbers.missing)


class _Equal:
    def __init__(self, scalar: pa.Scalar[Any]) -> None:
        self.detail = f"equal {scalar}"
        self._scalar = scalar

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        return masks.settle(kernels.equal([numbers.array, self._scalar]), numbers.missing)


class _IntegerMultiple:
    def __init__(self, step: pa.Scalar[Any]) -> None:
        self.detail = f"multiple of {step}"
        self._step = step

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        quotient = kernels.divide([numbers.array, self._step])
        mask = kernels.equal([kernels.multiply([quotient, self._step]), numbers.array])
        return masks.settle(mask, numbers.missing)


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
        self._power = pa.scalar(float(10**power))
        self._step = pa.scalar(step)
        self._whole = step == 1
        self._limit = pa.scalar(_EXACT_DIGITS)

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        numbers = cells.numbers
        steps = kernels.rounded([kernels.multiply([numbers.array, self._power])], _ROUND_TO_EVEN)
        mask = kernels.equal([kernels.divide([steps, self._power]), numbers.array])
        small = self._all_small(numbers)
        if not self._whole:
            exact = steps if small else kernels.if_else([self._is_small(steps), steps, _NO_DOUBLE])
            integers = exact.cast(pa.int64())
            whole = kernels.multiply([kernels.divide([integers, self._step]), self._step])
            mask = kernels.both([mask, kernels.equal([whole, integers])])
        if small:
            return masks.settle(mask, numbers.missing)
        return kernels.if_else_mask([self._is_small(steps), mask, _NO_VERDICT])

    def _is_small(self, steps: Array) -> pa.BooleanArray:
        return kernels.less([kernels.absolute([steps]), self._limit])

    def _all_small(self, numbers: Cells) -> bool:
        low, high = (extreme.as_py() for extreme in numbers.extremes)
        power = self._power.as_py()
        return low is None or max(abs(low), abs(high)) * power < _EXACT_DIGITS - 1


def _float_multiple_of(divisor: Fraction) -> Kernel:
    power = _decimals(divisor)
    step = divisor * 10**power
    if power > _EXACT_POWER or step >= _EXACT_DIGITS:
        return Fixed(UNDECIDED)
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
    numbers = cells.numbers
    return masks.settle(
        kernels.equal([kernels.floor([numbers.array]), numbers.array]), numbers.missing
    )


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
