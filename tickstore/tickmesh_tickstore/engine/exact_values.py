"""Values of a filter as scalars of a column's type: exactly, or not at all."""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh_tickstore.domain.filters import Instant

if TYPE_CHECKING:
    from tickmesh_tickstore.domain.filters import Value

__all__ = ["NotHeldError", "exact_scalar", "is_ordered"]

_NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?")
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


class NotHeldError(ValueError):
    """A type cannot hold a value; the text says what it can."""


def is_ordered(data_type: pa.DataType) -> bool:
    """Whether values of a type are less or greater than one another."""
    return not pt.is_boolean(data_type)


def exact_scalar(value: Value, data_type: pa.DataType) -> pa.Scalar[Any]:
    """A value as a scalar of a column's type; of a dictionary, of the type of its values.

    Dates are compared with text such as `2024-01-31`, times of day with text such as
    `09:30:00.000000001`, durations with the count of their unit, scaled integers with what they
    are stored as.

    Raises:
        NotHeldError: The type cannot hold exactly this value.
    """
    if pt.is_dictionary(data_type):
        data_type = data_type.value_type
    for is_kind, converted in _CONVERSIONS:
        if is_kind(data_type):
            scalar: pa.Scalar[Any] = converted(value, data_type)
            return scalar
    raise NotHeldError("expected no value: such a column can only be tested for null")


def _boolean(value: Value, data_type: Any) -> Any:
    if isinstance(value, bool):
        return pa.scalar(value, data_type)
    raise NotHeldError("expected truth: true or false")


def _integer(value: Value, data_type: Any) -> Any:
    signed = not pt.is_unsigned_integer(data_type)
    bits: int = data_type.bit_width
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    whole = _whole(value)
    if whole is None or not low <= whole <= high:
        raise NotHeldError(f"expected a whole number from {low} to {high}")
    if pt.is_duration(data_type):
        return pa.scalar(whole, pa.int64()).cast(data_type)
    return pa.scalar(whole, data_type)


def _floating(value: Value, data_type: Any) -> Any:
    expected = f"expected a number that {data_type} holds exactly"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NotHeldError(expected)
    try:
        near = float(value)
        if pt.is_float32(data_type):
            near = float(struct.unpack("f", struct.pack("f", near))[0])
        elif pt.is_float16(data_type):
            near = float(struct.unpack("e", struct.pack("e", near))[0])
    except OverflowError:
        raise NotHeldError(expected) from None
    if near != value and not math.isnan(near):
        raise NotHeldError(f"{expected}; the nearest one is {near!r}")
    return pa.scalar(near, data_type)


def _decimal(value: Value, data_type: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NotHeldError("expected a decimal number as text, such as 1.25")
    expected = (
        f"expected a number of at most {data_type.precision} digits, {data_type.scale} of them "
        "after the point; send it as decimal text"
    )
    try:
        return pa.scalar(Decimal(value), data_type)
    except (pa.ArrowInvalid, ValueError, ArithmeticError):
        raise NotHeldError(expected) from None


def _text(value: Value, data_type: Any) -> Any:
    if isinstance(value, str):
        return pa.scalar(value, data_type)
    raise NotHeldError("expected text")


def _binary(value: Value, data_type: Any) -> Any:
    if isinstance(value, bytes):
        return pa.scalar(value, data_type)
    raise NotHeldError("expected bytes")


def _instant(value: Value, data_type: Any) -> Any:
    unit = _NS_PER_UNIT[data_type.unit]
    if not isinstance(value, Instant):
        raise NotHeldError("expected instant_ns: nanoseconds since the epoch")
    if value.ns % unit:
        raise NotHeldError(f"expected a multiple of {unit} ns: the column counts {data_type.unit}")
    return pa.scalar(value.ns // unit, pa.int64()).cast(data_type)


def _date(value: Value, data_type: Any) -> Any:
    try:
        if isinstance(value, str) and len(value) == len("2024-01-31"):
            day = dt.date.fromisoformat(value).toordinal() - _EPOCH_DAY
            return pa.scalar(day, pa.int32()).cast(pa.date32()).cast(data_type)
    except ValueError:
        pass
    raise NotHeldError("expected a date as text, such as 2024-01-31")


def _time_of_day(value: Value, data_type: Any) -> Any:
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise NotHeldError("expected a time of day as text, such as 09:30:00.000000001")
    hours, minutes, seconds, fraction = match.groups()
    ns = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000_000
    ns += int((fraction or "").ljust(9, "0"))
    unit = _NS_PER_UNIT[data_type.unit]
    if ns % unit:
        raise NotHeldError(f"expected a time of day in whole {data_type.unit}")
    storage = pa.int32() if pt.is_time32(data_type) else pa.int64()
    return pa.scalar(ns // unit, storage).cast(data_type)


def _whole(value: Value) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if int(value) == value else None


def _is_text(data_type: pa.DataType) -> bool:
    return pt.is_string(data_type) or pt.is_large_string(data_type)


def _is_bytes(data_type: pa.DataType) -> bool:
    return pt.is_binary(data_type) or pt.is_large_binary(data_type)


_CONVERSIONS = (
    (pt.is_boolean, _boolean),
    (pt.is_integer, _integer),
    (pt.is_duration, _integer),
    (pt.is_floating, _floating),
    (pt.is_decimal, _decimal),
    (_is_text, _text),
    (_is_bytes, _binary),
    (pt.is_timestamp, _instant),
    (pt.is_date, _date),
    (pt.is_time, _time_of_day),
)
