"""Which rows are wanted, as a value: a tree of conditions on columns.

Three-valued logic as in SQL: comparing a null, or a row that is null in the column, is unknown; an
unknown condition stays unknown when it is negated, and rows for which the whole is not true are
not wanted. Floating-point numbers compare as in IEEE 754: NaN is unequal to everything, itself
included, and neither less nor greater; so `not (price < 5)` is true of NaN, `price >= 5` is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeAlias

from tickmesh_tickstore.domain.errors import InvalidArgumentError

__all__ = [
    "MOST_DEPTH",
    "MOST_NODES",
    "MOST_VALUES",
    "AllOf",
    "AnyOf",
    "Comparison",
    "Filter",
    "FilterInvalidError",
    "Instant",
    "IsNull",
    "Membership",
    "Not",
    "Operator",
    "Value",
    "filter_from_json",
    "filter_to_json",
    "require_bounded",
]

MOST_DEPTH = 32
"""Conditions inside of conditions."""

MOST_NODES = 1_000
"""Conditions of one filter."""

MOST_VALUES = 10_000
"""Values of one filter."""


class FilterInvalidError(InvalidArgumentError):
    """A filter that the dataset's columns cannot answer.

    Attributes:
        violations: `(field, description)` of the part at fault.
    """

    def __init__(self, message: str, *, field: str, wanted: str, **metadata: str) -> None:
        super().__init__(message, metadata={"field": field, **metadata})
        self.violations = ((field, wanted),)


class Operator(StrEnum):
    """How a column is compared with a value."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, nanoseconds since the epoch."""

    ns: int


Value: TypeAlias = bool | int | float | Decimal | str | bytes | Instant
"""What a column is compared with. A `Decimal` is finite."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a value."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """A column's value is equal to one of several; of none, this is false for every row."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column is null; never unknown."""

    column: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every operand is true."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Any operand is true."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand is false."""

    operand: Filter


Filter: TypeAlias = Comparison | Membership | IsNull | AllOf | AnyOf | Not


def require_bounded(condition: Filter) -> None:
    """See that a filter is not too large to be answered quickly.

    Raises:
        FilterInvalidError: It is too deep, or has too many conditions or values.
    """
    nodes = values = 0
    level: list[Filter] = [condition]
    depth = 0
    while level:
        depth += 1
        nodes += len(level)
        values += sum(len(each.values) for each in level if isinstance(each, Membership))
        below: list[Filter] = []
        for each in level:
            if isinstance(each, AllOf | AnyOf):
                below.extend(each.operands)
            elif isinstance(each, Not):
                below.append(each.operand)
        for what, count, most in (
            ("levels", depth, MOST_DEPTH),
            ("conditions", nodes, MOST_NODES),
            ("values", values, MOST_VALUES),
        ):
            if count > most:
                raise FilterInvalidError(
                    f"a filter has at most {most} {what}; this one has more: read more rows, and "
                    "choose among them where they arrive",
                    field="filter",
                    wanted=f"expected at most {most} {what}",
                    limit=str(most),
                )
        level = below


def filter_to_json(condition: Filter) -> list[Any]:
    """A filter as nested lists that JSON can hold."""
    match condition:
        case Comparison(column, operator, value):
            return ["compare", column, operator.value, _value_to_json(value)]
        case Membership(column, values):
            return ["in", column, [_value_to_json(value) for value in values]]
        case IsNull(column):
            return ["null", column]
        case AllOf(operands):
            return ["all", [filter_to_json(each) for each in operands]]
        case AnyOf(operands):
            return ["any", [filter_to_json(each) for each in operands]]
        case Not(operand):
            return ["not", filter_to_json(operand)]


def filter_from_json(raw: list[Any]) -> Filter:
    """Undo `filter_to_json`.

    Raises:
        ValueError: The lists are no filter.
    """
    match raw:
        case ["compare", str(column), operator, value]:
            return Comparison(column, Operator(operator), _value_from_json(value))
        case ["in", str(column), [*values]]:
            return Membership(column, tuple(map(_value_from_json, values)))
        case ["null", str(column)]:
            return IsNull(column)
        case ["all", [*operands]]:
            return AllOf(tuple(map(filter_from_json, operands)))
        case ["any", [*operands]]:
            return AnyOf(tuple(map(filter_from_json, operands)))
        case ["not", operand]:
            return Not(filter_from_json(operand))
    raise ValueError("no filter")


def _value_to_json(value: Value) -> Any:
    match value:
        case bool() | int() | str():
            return value
        case float():
            # JSON has neither NaN nor infinities; the hexadecimal form has, and is exact.
            return ["f", value.hex()]
        case Decimal():
            return ["d", str(value)]
        case bytes():
            return ["b", value.hex()]
        case Instant(ns):
            return ["t", ns]


def _value_from_json(raw: Any) -> Value:
    match raw:
        case bool() | int() | str():
            return raw
        case ["f", str(text)]:
            return float.fromhex(text)
        case ["d", str(text)]:
            try:
                return Decimal(text)
            except InvalidOperation:
                raise ValueError("no decimal number") from None
        case ["b", str(text)]:
            return bytes.fromhex(text)
        case ["t", int(ns)]:
            return Instant(ns)
    raise ValueError("no value")
