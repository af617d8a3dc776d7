"""Exact multiplication and division of raw numbers: prices x 10,000 and their like."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.decoding.conversion import cells, numbers
from tickmesh.decoding.conversion.cells import Converted, convert_the_rest

if TYPE_CHECKING:
    from tickmesh.decoding.arrow import Array

_EXACT_IN_DOUBLE = 1 << 53


def scaled(column: Array, target: pa.DataType, *, factor: Fraction) -> Converted:
    """Multiply raw numbers by a factor, exactly, into the target type.

    A double target holds the double nearest to the exact quotient, which is what reading the
    decimal text would give.

    Args:
        column: Text in JSON's number grammar, or numbers.
        target: An integer, floating-point or decimal type.
        factor: Above 0.
    """
    exact = numbers.exactly(target, factor=factor)
    values = whole_products(column, target, factor=factor)
    converted = convert_the_rest(column, values, values.is_valid(), exact)
    converted.coercions[cells.SCALED] += len(column) - converted.values.null_count
    return converted


def whole_products(column: Array, target: pa.DataType, *, factor: Fraction) -> Array:
    """The products of whole numbers that kernels give exactly; null elsewhere."""
    whole = _whole_numbers(column)
    return nulls(len(column), target) if whole is None else _multiply(whole, target, factor)


def _whole_numbers(column: Array) -> Array | None:
    """The values as int64, null where they are not; None when none is expected to be."""
    if pt.is_string(column.type):
        return numbers.from_text(column, pa.int64()).values
    if pt.is_integer(column.type):
        return numbers.from_numbers(column, pa.int64()).values
    return None


def _multiply(whole: Array, target: pa.DataType, factor: Fraction) -> Array:
    """The products that kernels give exactly; null elsewhere."""
    if pt.is_floating(target):
        if max(factor.numerator, factor.denominator) >= _EXACT_IN_DOUBLE:
            return nulls(len(whole), target)
        small = _within(whole, (_EXACT_IN_DOUBLE - 1) // factor.numerator)
        product = pc.multiply(small, factor.numerator) if factor.numerator > 1 else small
        # Both operands are exact doubles, so IEEE division gives the nearest double.
        return pc.divide(product.cast(pa.float64()), float(factor.denominator)).cast(target)
    scale = getattr(target, "scale", 0)
    step = factor * Fraction(10) ** scale
    if step.numerator >= 1 << 62:
        return nulls(len(whole), target)
    most = ((1 << 62) - 1) // step.numerator
    product = _within(whole, most)
    if step.numerator > 1:
        product = pc.multiply(product, step.numerator)
    if step.denominator > 1:
        quotient = pc.divide(product, step.denominator)
        fits = pc.equal(pc.multiply(quotient, step.denominator), product)
        product = pc.if_else(fits, quotient, pa.scalar(None, pa.int64()))
    if not pt.is_decimal(target):
        least, top = _bounds(target)
        return pc.if_else(
            pc.and_(pc.greater_equal(product, least), pc.less_equal(product, top)),
            product,
            pa.scalar(None, pa.int64()),
        ).cast(target)
    product = _within(product, 10 ** min(target.precision, 18) - 1)
    return unscaled(product, target)


def unscaled(whole: Array, target: pa.DataType) -> Array:
    """Integers taken as the digits of decimals: 475000 with scale 4 is 47.5000."""
    plain = whole.cast(pa.decimal128(19, 0))
    scale: int = getattr(target, "scale", 0)
    same = pa.Array.from_buffers(pa.decimal128(max(19, scale), scale), len(plain), plain.buffers())
    return same.cast(target)


def digits(column: Array) -> Array:
    """The digits of decimals as integers: 47.5000 is 475000; what a scaled integer column holds."""
    plain = pa.Array.from_buffers(
        pa.decimal128(column.type.precision, 0), len(column), column.buffers(), offset=column.offset
    )
    return plain.cast(pa.int64())


def _within(whole: Array, most: int) -> Array:
    extremes = pc.min_max(whole).as_py()
    if extremes["min"] is None or (extremes["min"] >= -most and extremes["max"] <= most):
        return whole
    fits = pc.and_(pc.greater_equal(whole, -most), pc.less_equal(whole, most))
    return pc.if_else(fits, whole, pa.scalar(None, whole.type))


def _bounds(target: pa.DataType) -> tuple[int, int]:
    signed = pt.is_signed_integer(target)
    width = min(target.bit_width, 63 + signed)
    return (-(1 << (width - 1)) if signed else 0), (1 << (width - signed)) - 1


def factor_of(*, divide_by: int | None, multiply_by: int | None) -> Fraction:
    """The factor that a field mapping states."""
    return Fraction(multiply_by or 1, divide_by or 1)
