"""Single values as queries carry them: exactly, or not at all."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from tickmesh._ticks.time_arguments import instant_ns
from tickmesh.api.tickstore.v1 import expression_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    ColumnValue: TypeAlias = (
        bool
        | int
        | float
        | Decimal
        | str
        | bytes
        | dt.datetime
        | pd.Timestamp
        | np.generic
        | "ExactInstant"
    )

_INTEGERS = range(-(2**63), 2**63)
_UNSIGNED = range(2**63, 2**64)


@dataclass(frozen=True, slots=True)
class ExactInstant:
    """An instant to the nanosecond, which a datetime cannot hold.

    Attributes:
        ns: Nanoseconds since the epoch, UTC.
    """

    ns: int


def plain_value(value: Any, *, name: str) -> Any:
    """The value as Python holds it; instants stay what they are.

    Args:
        value: A bool, int, float, Decimal, str, bytes, an instant with its zone, or a numpy scalar
            of one of these.
        name: What it is for, for messages.

    Raises:
        InvalidArgumentError: it is none of these, no number, or an instant without a zone.
    """
    if isinstance(value, ExactInstant):
        return value
    if isinstance(value, dt.date) or getattr(getattr(value, "dtype", None), "kind", "") == "M":
        return _instant(value, name)
    if hasattr(value, "dtype") and hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        raise InvalidArgumentError(
            f"{name} is NaN, which equals nothing; for missing values ask is_null()."
        )
    if isinstance(value, Decimal) and not value.is_finite():
        raise InvalidArgumentError(f"{name} must be a finite number; it was {value}.")
    if value is None:
        raise InvalidArgumentError(
            f"{name} is None, which nothing equals; for missing values ask is_null()."
        )
    if not isinstance(value, bool | int | float | Decimal | str | bytes):
        raise InvalidArgumentError(
            f"{name} must be a bool, int, float, Decimal, str, bytes or an instant with its zone; "
            f"it was {type(value).__name__}."
        )
    return value


def value_message(value: Any, *, name: str) -> expression_pb2.Value:
    """The message that carries a value; arguments and errors as for `plain_value`."""
    value = plain_value(value, name=name)
    match value:
        case ExactInstant():
            return expression_pb2.Value(instant_ns=value.ns)
        case bool():
            return expression_pb2.Value(truth=value)
        case int():
            return _integer(value)
        case float():
            return expression_pb2.Value(number=value)
        case Decimal():
            return expression_pb2.Value(decimal=f"{value:f}")
        case str():
            return expression_pb2.Value(text=value)
        case _:
            return expression_pb2.Value(binary=value)


def _instant(value: Any, name: str) -> ExactInstant:
    if getattr(value, "tzinfo", None) is None:
        raise InvalidArgumentError(
            f"{name} is {value}, which names no time zone; give a datetime with one, as in "
            'datetime(2026, 11, 20, 9, 30, tzinfo=ZoneInfo("America/New_York")), or select by '
            "start=, end= and tz=."
        )
    return ExactInstant(instant_ns(value, name=name))


def _integer(number: int) -> expression_pb2.Value:
    if number in _INTEGERS:
        return expression_pb2.Value(integer=number)
    if number in _UNSIGNED:
        return expression_pb2.Value(unsigned_integer=number)
    return expression_pb2.Value(decimal=str(number))
