"""Numbers: from text by JSON's grammar, from typed columns without loss, scaled exactly."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import all_true, any_true, nulls, pc
from tickmesh.decoding.conversion import cells, grammar
from tickmesh.decoding.conversion.cells import Converted, Outcome, convert_the_rest
from tickmesh.decoding.conversion.proofs import plain_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.decoding.arrow import Array

LARGEST_EXPONENT: Final = 400
"""No Arrow number is beyond 10^±400; writing out more digits would only cost memory."""

_EXACT_IN_DOUBLE: Final = 1 << 53
_SURE_DIGITS: Final = 15
"""A decimal of at most 15 digits survives the way through a double and back."""


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers."""
    return pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)


def from_text(column: Array, target: pa.DataType) -> Converted:
    """Read text as numbers of the target type.

    Args:
        column: utf8; each value must be a JSON number, whole for integer targets.
        target: An integer, floating-point or decimal type.
    """
    exact = exactly(target)
    if pt.is_integer(target):
        return _integers_from_text(column, target, exact)
    proof = plain_numbers(column)
    if pt.is_decimal(target):
        return _decimals_from_text(column, target, exact, plain=proof is not None)
    if proof is not None and target == pa.float64() and proof.longest <= _SURE_DIGITS:
        return Converted(column.cast(target))
    sure = pc.match_substring_regex(column, grammar.whole(grammar.NUMBER))
    values = _cast_where(column, sure, pa.float64())
    sure = pc.and_kleene(sure, pc.is_finite(values))
    rounded = _count_rounded(column, sure, values)
    if target != pa.float64():
        values = values.cast(target, safe=False)
        sure = pc.and_kleene(sure, pc.is_finite(values))
    values = pc.if_else(sure.fill_null(False), values, pa.scalar(None, target))
    converted = convert_the_rest(column, values, sure, exact)
    if rounded:
        converted.coercions[cells.ROUNDED_TO_DOUBLE] += rounded
    return converted


def _decimals_from_text(
    column: Array, target: Any, exact: Callable[[Any], Outcome], *, plain: bool
) -> Converted:
    if plain:
        with contextlib.suppress(pa.ArrowInvalid):  # a digit too many
            return Converted(column.cast(target))
    digits = target.precision - target.scale
    pattern = rf"-?(0|[1-9][0-9]{{0,{max(digits - 1, 0)}}})"
    if target.scale > 0:
        pattern += rf"(\.[0-9]{{1,{target.scale}}})?"
    sure = pc.match_substring_regex(column, grammar.whole(pattern if digits > 0 else "0"))
    return convert_the_rest(column, _cast_where(column, sure, target), sure, exact)


def _integers_from_text(
    column: Array, target: pa.DataType, exact: Callable[[Any], Outcome]
) -> Converted:
    sure: Array | None = None
    values: Array | None = None
    proof = plain_numbers(column)
    if proof is not None and not proof.fractions:
        with contextlib.suppress(pa.ArrowInvalid):  # 19 digits may be beyond int64
            values = column.cast(pa.int64())
    if values is None:
        sure = pc.match_substring_regex(column, grammar.whole(grammar.SHORT_INTEGER))
        values = _cast_where(column, sure, pa.int64())
    if target != pa.int64():
        try:
            values = values.cast(target)
        except pa.ArrowInvalid:
            return convert_the_rest(column, nulls(len(column), target), None, exact)
    return Converted(values) if sure is None else convert_the_rest(column, values, sure, exact)


def _cast_where(column: Array, sure: Array | None, target: pa.DataType) -> Array:
    if sure is not None and not all_true(sure):
        column = pc.if_else(sure.fill_null(False), column, pa.scalar(None, column.type))
    return column.cast(target)


def _count_rounded(column: Array, sure: Array, values: Array) -> int:
    """How many numbers in text are not kept digit by digit in the doubles nearest to them."""
    doubtful = pc.or_(
        pc.greater(pc.binary_length(column), _SURE_DIGITS),
        pc.match_substring(column, "e", ignore_case=True),
    )
    long = pc.and_kleene(sure, doubtful)
    if not any_true(long):
        return 0
    # Most long numbers are doubles that were written out: the shortest text that gives the double.
    long = pc.and_kleene(long, pc.not_equal(values.cast(pa.string()), column))
    if not any_true(long):
        return 0
    counted = column.filter(long).value_counts()
    return sum(
        count
        for text, count in zip(
            counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
        )
        if _is_rounded(text)
    )


def _is_rounded(text: str) -> bool:
    number = _decimal(text)
    return number is not None and number != Decimal(repr(float(text)))


def from_numbers(column: Array, target: pa.DataType) -> Converted:
    """Change the type of a number column where that loses nothing; other cells fail.

    Args:
        column: Integers, floats or decimals.
        target: An integer, floating-point or decimal type.
    """
    exact = exactly(target)
    if pt.is_floating(column.type):
        return _from_floats(column, target, exact)
    if column.type == target:
        return Converted(column)
    if pt.is_decimal(column.type) and pt.is_floating(target):
        # A double nearest to a decimal: exact for prices, and what reading the text would give.
        return convert_the_rest(column, nulls(len(column), target), None, exact)
    try:
        return Converted(column.cast(target))
    except pa.ArrowInvalid:
        return convert_the_rest(column, nulls(len(column), target), None, exact)


def _from_floats(column: Array, target: pa.DataType, exact: Callable[[Any], Outcome]) -> Converted:
    if column.type != pa.float64():
        column = column.cast(pa.float64())
    finite = pc.is_finite(column)
    if pt.is_floating(target):
        if all_true(finite) and target == pa.float64():
            return Converted(column)
        values = column.cast(target, safe=False)
        finite = pc.and_kleene(finite, pc.is_finite(values))
        values = pc.if_else(finite.fill_null(False), values, pa.scalar(None, target))
        return convert_the_rest(column, values, finite, exact)
    if pt.is_integer(target):
        sure = pc.and_kleene(
            pc.equal(pc.floor(column), column),
            pc.less_equal(pc.abs(column), float(_EXACT_IN_DOUBLE)),
        )
        values = pc.if_else(sure.fill_null(False), column, pa.scalar(None, pa.float64()))
        try:
            whole = values.cast(target)
        except pa.ArrowInvalid:
            return convert_the_rest(column, nulls(len(column), target), None, exact)
        converted = convert_the_rest(column, whole, sure, exact)
        converted.coercions[cells.INTEGRAL_NUMBER] += sure.true_count
        return converted
    return convert_the_rest(column, nulls(len(column), target), None, exact)


def exactly(target: pa.DataType, *, factor: Fraction = Fraction(1)) -> Callable[[Any], Outcome]:
    """A converter of one value (text, int, float or Decimal), times a factor, to the target."""

    def convert(value: Any) -> Outcome:
        number = value
        if isinstance(value, str):
            if grammar.NONFINITE_PATTERN.fullmatch(value):
                return Outcome(failure=cells.NONFINITE)
            if not grammar.NUMBER_PATTERN.fullmatch(value):
                return Outcome(failure=cells.NOT_A_NUMBER)
            number = _decimal(value)
            if number is None:
                return Outcome(failure=cells.REPR_OVERFLOW)
        elif isinstance(value, float):
            if not math.isfinite(value):
                return Outcome(failure=cells.NONFINITE)
            # Beyond 2^53 a double is a whole number, but its shortest decimal is another one.
            number = int(value) if value.is_integer() else Decimal(repr(value))
        elif isinstance(value, bool) or not isinstance(value, int | Decimal):
            return Outcome(failure=cells.NOT_A_NUMBER)
        return _fit(Fraction(number) * factor, value, target)

    return convert


def _decimal(text: str) -> Decimal | None:
    """The number, or None when it is beyond every Arrow type."""
    _, _, exponent = text.lower().partition("e")
    if len(exponent) > 6 or len(text) > 10_000:
        return None
    number = Decimal(text)
    if not number:
        return Decimal(0)
    return number if abs(number.adjusted()) <= LARGEST_EXPONENT else None


def _fit(number: Fraction, value: Any, target: pa.DataType) -> Outcome:
    if pt.is_integer(target):
        if number.denominator != 1:
            return Outcome(failure=cells.NOT_AN_INTEGER)
        signed = pt.is_signed_integer(target)
        least = -(1 << (target.bit_width - 1)) if signed else 0
        most = (1 << (target.bit_width - signed)) - 1
        if not least <= number.numerator <= most:
            return Outcome(failure=cells.REPR_OVERFLOW)
        written_whole = isinstance(value, int) or (
            isinstance(value, str) and value.lstrip("-").isdigit()
        )
        return Outcome(number.numerator, coercion=None if written_whole else cells.INTEGRAL_NUMBER)
    if pt.is_decimal(target):
        unscaled = number * 10**target.scale if target.scale >= 0 else number / 10**-target.scale
        if unscaled.denominator != 1:
            return Outcome(failure=cells.REPR_PRECISION)
        if abs(unscaled.numerator) >= 10**target.precision:
            return Outcome(failure=cells.REPR_OVERFLOW)
        sign, digits = int(unscaled < 0), tuple(map(int, str(abs(unscaled.numerator))))
        return Outcome(Decimal((sign, digits, -target.scale)))
    try:
        nearest = number.numerator / number.denominator
    except OverflowError:
        return Outcome(failure=cells.REPR_OVERFLOW)
    if pt.is_float32(target) and abs(nearest) > 3.4028235677973366e38:
        return Outcome(failure=cells.REPR_OVERFLOW)
    if pt.is_float16(target) and abs(nearest) >= 65520:
        return Outcome(failure=cells.REPR_OVERFLOW)
    return Outcome(
        nearest,
        coercion=None
        if isinstance(value, float) or Fraction(Decimal(repr(nearest))) == number
        else cells.ROUNDED_TO_DOUBLE,
    )
