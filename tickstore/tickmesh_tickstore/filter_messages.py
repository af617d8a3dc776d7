"""Filters as they travel, read strictly."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import expression_pb2 as wire
from tickmesh_tickstore.domain.filters import (
    MOST_DEPTH,
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    FilterInvalidError,
    Instant,
    IsNull,
    Membership,
    Not,
    Operator,
    require_bounded,
)

if TYPE_CHECKING:
    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_tickstore.domain.filters import Value

__all__ = ["filter_of", "value_of"]

_MOST_BYTES = 1 << 20
_MOST_DIGITS = 100
_OPERATORS = {
    wire.COMPARISON_OPERATOR_EQUAL: Operator.EQUAL,
    wire.COMPARISON_OPERATOR_NOT_EQUAL: Operator.NOT_EQUAL,
    wire.COMPARISON_OPERATOR_LESS: Operator.LESS,
    wire.COMPARISON_OPERATOR_LESS_OR_EQUAL: Operator.LESS_OR_EQUAL,
    wire.COMPARISON_OPERATOR_GREATER: Operator.GREATER,
    wire.COMPARISON_OPERATOR_GREATER_OR_EQUAL: Operator.GREATER_OR_EQUAL,
}


def filter_of(command: commands_pb2.ReadCommand) -> Filter | None:
    """The filter of a read; None where it has none.

    Raises:
        FilterInvalidError: it is incomplete or too large.
    """
    if not command.HasField("filter"):
        return None
    size = command.filter.ByteSize()
    if size > _MOST_BYTES:
        raise FilterInvalidError(
            f"a filter has at most {_MOST_BYTES} bytes; this one has {size}",
            field="filter",
            wanted=f"expected at most {_MOST_BYTES} bytes",
        )
    found = _condition(command.filter, field="filter", depth=1)
    require_bounded(found)
    return found


def value_of(value: wire.Value, *, field: str) -> Value:
    """A value as it was meant.

    Raises:
        FilterInvalidError: it is of no kind, or no decimal number.
    """
    match value.WhichOneof("kind"):
        case "integer":
            return value.integer
        case "unsigned_integer":
            return value.unsigned_integer
        case "number":
            return value.number
        case "decimal":
            return _decimal(value.decimal, field=field)
        case "text":
            return value.text
        case "truth":
            return value.truth
        case "binary":
            return value.binary
        case "instant_ns":
            return Instant(value.instant_ns)
    raise _incomplete(field, "expected one kind of value to be set")


def _condition(expression: wire.Expression, *, field: str, depth: int) -> Filter:
    if depth > MOST_DEPTH:
        raise _incomplete("filter", f"expected at most {MOST_DEPTH} levels")
    match expression.WhichOneof("node"):
        case "comparison":
            return _comparison(expression.comparison, field=f"{field}.comparison")
        case "membership":
            membership = expression.membership
            return Membership(
                membership.column,
                tuple(
                    value_of(value, field=f"{field}.membership.values[{place}]")
                    for place, value in enumerate(membership.values)
                ),
            )
        case "is_null":
            return IsNull(expression.is_null.column)
        case "all_of":
            return AllOf(_operands(expression.all_of, field=f"{field}.all_of", depth=depth))
        case "any_of":
            return AnyOf(_operands(expression.any_of, field=f"{field}.any_of", depth=depth))
        case "negation":
            return Not(_condition(expression.negation, field=f"{field}.negation", depth=depth + 1))
    raise _incomplete(field, "expected one kind of condition to be set")


def _operands(junction: wire.Junction, *, field: str, depth: int) -> tuple[Filter, ...]:
    if not junction.operands:
        raise _incomplete(f"{field}.operands", "expected one condition or more")
    return tuple(
        _condition(operand, field=f"{field}.operands[{place}]", depth=depth + 1)
        for place, operand in enumerate(junction.operands)
    )


def _comparison(comparison: wire.Comparison, *, field: str) -> Comparison:
    operator = _OPERATORS.get(comparison.operator)
    if operator is None:
        raise _incomplete(f"{field}.operator", "expected one of the comparison operators")
    value = value_of(comparison.value, field=f"{field}.value")
    return Comparison(comparison.column, operator, value)


def _decimal(text: str, *, field: str) -> Decimal:
    try:
        if len(text) <= _MOST_DIGITS:
            found = Decimal(text)
            if found.is_finite() and abs(found.adjusted()) <= _MOST_DIGITS:
                return found
    except InvalidOperation:
        pass
    raise _incomplete(field, "expected a finite decimal number as text, such as 1.25")


def _incomplete(field: str, wanted: str) -> FilterInvalidError:
    return FilterInvalidError(
        f"the filter cannot be understood at {field}: {wanted}", field=field, wanted=wanted
    )
