"""Numbers: the exact grammar decides, and no digit is lost without a word."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh.decoding.conversion import numbers, scaling

if TYPE_CHECKING:
    from tickmesh.decoding.conversion.cells import Converted

JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
TOKENS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.floats().map(repr),
    st.text(alphabet="0123456789.-+eE x", max_size=6),
    st.sampled_from(["007", "-0", "1.0", "1e3", "0x1F", "nan", "-Infinity", "1e400", "1e-400", ""]),
)


def codes(converted: Converted) -> dict[int, str]:
    return {row: item.code for item in converted.failures for row in item.rows.to_pylist()}


def exact(token: str) -> Fraction | None:
    return Fraction(token) if JSON_NUMBER.fullmatch(token) else None


@given(st.lists(TOKENS, max_size=8))
def test_text_becomes_an_integer_exactly_when_it_is_a_whole_json_number(tokens: list[str]) -> None:
    converted = numbers.from_text(pa.array(tokens, pa.string()), pa.int64())
    failed = codes(converted)
    for row, (token, value) in enumerate(zip(tokens, converted.values.to_pylist(), strict=True)):
        number = exact(token)
        fits = number is not None and number.denominator == 1 and abs(number) < 2**63
        assert value == (int(number) if fits and number is not None else None)
        assert (row in failed) == (value is None)


@given(st.lists(TOKENS, max_size=8))
def test_text_becomes_the_nearest_double_and_rounding_is_counted(tokens: list[str]) -> None:
    converted = numbers.from_text(pa.array(tokens, pa.string()), pa.float64())
    rounded = 0
    for token, value in zip(tokens, converted.values.to_pylist(), strict=True):
        number = exact(token)
        nearest = None if number is None else float(token)
        if nearest in (float("inf"), float("-inf")):
            nearest = None
        assert value == nearest
        if number is not None and nearest is not None:
            rounded += Decimal(repr(nearest)) != Decimal(token)
    assert converted.coercions["ROUNDED_TO_DOUBLE"] == rounded


@given(st.lists(TOKENS, max_size=8), st.integers(1, 18), st.integers(0, 6))
def test_text_becomes_a_decimal_only_with_every_digit(
    tokens: list[str], precision: int, scale: int
) -> None:
    target = pa.decimal128(max(precision, scale), scale)
    converted = numbers.from_text(pa.array(tokens, pa.string()), target)
    failed = codes(converted)
    for row, (token, value) in enumerate(zip(tokens, converted.values.to_pylist(), strict=True)):
        number = exact(token)
        digits = None if number is None else number * 10**scale
        fits = digits is not None and digits.denominator == 1
        fits = fits and digits is not None and abs(digits) < 10**target.precision
        assert (value is not None) == fits
        assert (row in failed) == (not fits)
        if value is not None:
            assert Fraction(value) == number


@given(
    st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.none()), max_size=8),
    st.sampled_from([1, 3, 10, 32, 100, 10_000, 10**9]),
    st.sampled_from([1, 7, 100]),
)
def test_scaling_is_exact_for_every_target(
    values: list[int | None], divide_by: int, multiply_by: int
) -> None:
    factor = Fraction(multiply_by, divide_by)
    for column in (
        pa.array(values, pa.int64()),
        pa.array([None if value is None else str(value) for value in values], pa.string()),
    ):
        for target in (pa.float64(), pa.int64(), pa.decimal128(18, 4)):
            found = scaling.scaled(column, target, factor=factor).values.to_pylist()
            for value, got in zip(values, found, strict=True):
                assert got == (None if value is None else expected(value * factor, target))


def expected(number: Fraction, target: pa.DataType) -> object:
    if target == pa.float64():
        return number.numerator / number.denominator
    if target == pa.int64():
        fits = number.denominator == 1 and -(2**63) <= number < 2**63
        return int(number) if fits else None
    digits = number * 10_000
    if digits.denominator != 1 or abs(digits) >= 10**18:
        return None
    return Decimal(int(digits)).scaleb(-4)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("nan", "NONFINITE"),
        ("-Infinity", "NONFINITE"),
        ("007", "NOT_A_NUMBER"),
        ("0x1F", "NOT_A_NUMBER"),
        (" 1", "NOT_A_NUMBER"),
        ("", "NOT_A_NUMBER"),
        ("1.5", "NOT_AN_INTEGER"),
        ("9223372036854775808", "REPR_OVERFLOW"),
        ("1e999999999999", "REPR_OVERFLOW"),
    ],
)
def test_what_is_no_integer_says_why(token: str, code: str) -> None:
    converted = numbers.from_text(pa.array([token], pa.string()), pa.int64())
    assert [(item.code, item.raw.to_pylist()) for item in converted.failures] == [(code, [token])]


@given(st.lists(st.one_of(st.floats(), st.none()), max_size=6))
def test_doubles_become_integers_only_when_whole_and_finite(values: list[float | None]) -> None:
    converted = numbers.from_numbers(pa.array(values, pa.float64()), pa.int64())
    for value, got in zip(values, converted.values.to_pylist(), strict=True):
        whole = value is not None and value.is_integer() and -(2**63) <= value < 2**63
        assert got == (int(value) if whole and value is not None else None)


@pytest.mark.parametrize("target", [pa.int8(), pa.uint16(), pa.uint64(), pa.int32()])
def test_narrow_integers_refuse_what_they_cannot_hold(target: pa.DataType) -> None:
    tokens = ["0", "-1", "127", "128", "65535", "65536", "18446744073709551615"]
    converted = numbers.from_text(pa.array(tokens), target)
    for token, value in zip(tokens, converted.values.to_pylist(), strict=True):
        try:
            pa.array([int(token)], target)
        except (pa.ArrowInvalid, OverflowError):
            assert value is None
        else:
            assert value == int(token)
