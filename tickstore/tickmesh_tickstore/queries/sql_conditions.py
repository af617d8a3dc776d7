"""The rows of a table that a statement can want, as far as its own words prove it.

Where a SELECT reads one table, and nothing else in the statement does, rows that its WHERE rejects
are in no answer and need not be sent. Conditions joined by AND are looked at one by one:
comparisons of a column with values, and lists of values. What is not understood narrows nothing,
and what is may be wider than the statement, never narrower: the engine still filters by itself.

SQL here compares as DuckDB does. NaN is greater than every number, which decides how comparisons of
floating-point columns are said; numbers are cast to the column's type or the other way round, so
their bounds are widened by more than a cast can change.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow.types as pt

from tickmesh_tickstore.domain.filters import (
    AllOf,
    AnyOf,
    Comparison,
    FilterInvalidError,
    Membership,
    Not,
    Operator,
    require_bounded,
)
from tickmesh_tickstore.engine.exact_values import NotHeldError, exact_scalar
from tickmesh_tickstore.queries.sql_statement import entries, nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from tickmesh_tickstore.domain.filters import Filter, Value

__all__ = ["wanted_rows"]

_SELECT_PARTS = frozenset(
    {
        "aggregate_handling",
        "cte_map",
        "from_table",
        "group_expressions",
        "group_sets",
        "having",
        "modifiers",
        "qualify",
        "select_list",
        "type",
        "where_clause",
    }
)
"""What else a SELECT may have, such as a sample, might look at rows before its WHERE."""

_TABLE_PARTS = frozenset(
    {
        "alias",
        "qualified_name",
        "query_location",
        "query_location_length",
        "table_name",
        "type",
    }
)
"""A sample, other names for columns or another time: the columns are not simply the table's."""

_OPERATORS = {
    "COMPARE_EQUAL": Operator.EQUAL,
    "COMPARE_NOTEQUAL": Operator.NOT_EQUAL,
    "COMPARE_LESSTHAN": Operator.LESS,
    "COMPARE_LESSTHANOREQUALTO": Operator.LESS_OR_EQUAL,
    "COMPARE_GREATERTHAN": Operator.GREATER,
    "COMPARE_GREATERTHANOREQUALTO": Operator.GREATER_OR_EQUAL,
}
_MIRRORED = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
_UNORDERED = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_MOST_DEPTH = 8
_MOST_DIGITS = 38


@dataclass(frozen=True, slots=True)
class _Literal:
    """A value as a statement holds it: its kind decides what it is compared as."""

    kind: str
    value: Value | None


def wanted_rows(
    parsed: str,
    *,
    table: str,
    columns: Mapping[str, pa.DataType],
    parameters: Sequence[tuple[str, Any]] = (),
) -> Filter | None:
    """A condition that is true of every row of a table that a statement can want.

    Args:
        parsed: What DuckDB's `json_serialize_sql` says of the statement.
        table: The table's name.
        columns: The columns that may be chosen by, and their types.
        parameters: Type and value of `$1`, `$2`, …

    Returns:
        The condition; None where nothing is known.
    """
    tree = json.loads(parsed)["statements"][0]
    selects = _selects(tree, table)
    if len(selects) != 1 or not selects[0].keys() <= _SELECT_PARTS:
        return None
    (select,) = selects
    source = select["from_table"]
    if not source.keys() <= _TABLE_PARTS or "where_clause" not in select:
        return None
    reader = _Reader(columns, alias=source.get("alias") or table, parameters=parameters)
    wanted = reader.condition(select["where_clause"], _MOST_DEPTH)
    if wanted is None:
        return None
    try:
        require_bounded(wanted)
    except FilterInvalidError:
        return None
    return wanted


def _selects(tree: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """The SELECTs directly from a table; none if it is named anywhere else as well."""
    selects: list[dict[str, Any]] = []
    named = 0
    for node in nodes(tree):
        named += _names(node, table)
        named += sum(
            entry["key"].lower() == table.lower() for entry in entries(node.get("cte_map"))
        )
        source = node.get("from_table")
        if node.get("type") == "SELECT_NODE" and isinstance(source, dict) and _names(source, table):
            selects.append(node)
    return selects if named == 1 else []


def _names(node: dict[str, Any], table: str) -> bool:
    return node.get("type") == "BASE_TABLE" and node["table_name"].lower() == table.lower()


class _Reader:
    """Understands conditions on the columns of one table."""

    def __init__(
        self,
        columns: Mapping[str, pa.DataType],
        *,
        alias: str,
        parameters: Sequence[tuple[str, Any]],
    ) -> None:
        # SQL does not tell capital letters from small ones.
        self._names = {name.lower(): name for name in columns}
        self._types = columns
        self._alias = alias.lower()
        self._parameters = parameters
        if len(self._names) != len(columns):
            self._names = {}

    def condition(self, term: dict[str, Any], depth: int) -> Filter | None:
        """What a condition implies; None for nothing that is understood."""
        if depth == 0:
            return None
        kind = term["type"]
        if kind == "CONJUNCTION_AND":
            parts = [self.condition(each, depth - 1) for each in term["children"]]
            return _all_of(part for part in parts if part is not None)
        if kind == "CONJUNCTION_OR":
            choices: list[Filter] = []
            for each in term["children"]:
                choice = self.condition(each, depth - 1)
                if choice is None:
                    return None
                choices.append(choice)
            return AnyOf(tuple(choices))
        if kind == "COMPARE_BETWEEN":
            return self._between(term)
        if kind == "COMPARE_IN":
            return self._membership(term["children"])
        operator = _OPERATORS.get(kind)
        return None if operator is None else self._comparison(term, operator)

    def _comparison(self, term: dict[str, Any], operator: Operator) -> Filter | None:
        column, literal = self._column(term["left"]), self._literal(term["right"])
        if column is None:
            column, literal = self._column(term["right"]), self._literal(term["left"])
            operator = _MIRRORED.get(operator, operator)
        if column is None or literal is None:
            return None
        return _compared(column, self._types[column], operator, literal)

    def _between(self, term: dict[str, Any]) -> Filter | None:
        column = self._column(term["input"])
        bounds = (self._literal(term["lower"]), self._literal(term["upper"]))
        if column is None or bounds[0] is None or bounds[1] is None:
            return None
        # Both are compared as one type: if only one is understood, neither is.
        low = _compared(column, self._types[column], Operator.GREATER_OR_EQUAL, bounds[0])
        high = _compared(column, self._types[column], Operator.LESS_OR_EQUAL, bounds[1])
        return None if low is None or high is None else AllOf((low, high))

    def _membership(self, children: Sequence[dict[str, Any]]) -> Filter | None:
        column = self._column(children[0])
        if column is None or pt.is_floating(self._types[column]):
            return None
        values: list[Value] = []
        for child in children[1:]:
            literal = self._literal(child)
            if literal is None:
                return None
            if literal.kind == "NULL_LITERAL":
                continue  # it is equal to nothing
            equal = _compared(column, self._types[column], Operator.EQUAL, literal)
            if not isinstance(equal, Comparison):
                return None
            values.append(equal.value)
        return Membership(column, tuple(values))

    def _column(self, expression: dict[str, Any]) -> str | None:
        """The table's column that an expression names, if it does nothing else."""
        if expression.get("type") != "COLUMN_REF":
            return None
        path = [part.lower() for part in expression["column_names"]]
        if len(path) == 2 and path[0] == self._alias and self._alias not in self._names:
            del path[0]
        return self._names.get(path[0]) if len(path) == 1 else None

    def _literal(self, expression: dict[str, Any]) -> _Literal | None:
        """A value that stands in the statement, or is a parameter's."""
        if expression.get("type") == "VALUE_PARAMETER":
            place = expression["identifier"]
            if not place.isdecimal() or not 0 < int(place) <= len(self._parameters):
                return None
            return _given(*self._parameters[int(place) - 1])
        if expression.get("type") != "VALUE_CONSTANT":
            return None
        literal = expression.get("literal", {})
        return _written(literal.get("kind", ""), literal.get("text", ""))


def _written(kind: str, text: str) -> _Literal | None:
    match kind:
        case "STRING":
            return _Literal("VARCHAR", text)
        case "INTEGER":
            return _Literal("INTEGER", int(text))
        case "BOOLEAN":
            return _Literal("BOOLEAN", text == "true")
        case "NULL_LITERAL":
            return _Literal(kind, None)
        case "NUMERIC" if "e" in text.lower():
            return _Literal("DOUBLE", float(text))
        case "NUMERIC":
            return _number(text)
    return None


def _given(kind: str, value: Any) -> _Literal | None:
    match kind:
        case "BIGINT" | "UBIGINT":
            return _Literal("INTEGER", value)
        case "VARCHAR" | "BOOLEAN" | "DOUBLE":
            return _Literal(kind, value)
        case "DECIMAL":
            return _number(value)
    return None


def _number(text: str) -> _Literal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # With more digits DuckDB takes it for a DOUBLE.
    kind = "DECIMAL" if len(number.as_tuple().digits) < _MOST_DIGITS else "DOUBLE"
    return _Literal(kind, number)


def _compared(
    column: str, data_type: pa.DataType, operator: Operator, literal: _Literal
) -> Filter | None:
    """A comparison, if column and value are compared as what they are."""
    kind, value = literal.kind, literal.value
    if pt.is_dictionary(data_type):
        data_type = data_type.value_type
    if pt.is_float64(data_type) or pt.is_float32(data_type):
        fits = kind in {"INTEGER", "DECIMAL", "DOUBLE"}
        return _compared_about(column, data_type, operator, value) if fits else None
    if pt.is_integer(data_type):
        fits = kind == "INTEGER"
    elif pt.is_decimal128(data_type):
        fits = kind == "INTEGER" or (kind == "DECIMAL" and _scale(value) <= data_type.scale)
    elif pt.is_string(data_type) or pt.is_large_string(data_type):
        fits = kind == "VARCHAR" and operator in _UNORDERED
    else:
        fits = pt.is_boolean(data_type) and kind == "BOOLEAN" and operator in _UNORDERED
    if not fits or value is None:
        return None
    try:
        exact_scalar(value, data_type)
    except NotHeldError:
        return None
    return Comparison(column, operator, value)


def _scale(value: Any) -> int:
    """Digits behind the point, as they were written."""
    return -int(value.as_tuple().exponent)


def _compared_about(
    column: str, data_type: pa.DataType, operator: Operator, value: Any
) -> Filter | None:
    """A comparison of a floating-point column, true of more rows rather than of fewer."""
    bounds = _around(value, single=pt.is_float32(data_type))
    if bounds is None:
        return None
    low, high = bounds
    # Said so, it is true of NaN, as in SQL it is greater than everything.
    above: Filter = Not(Comparison(column, Operator.LESS, low))
    below = Comparison(column, Operator.LESS_OR_EQUAL, high)
    match operator:
        case Operator.GREATER | Operator.GREATER_OR_EQUAL:
            return above
        case Operator.LESS | Operator.LESS_OR_EQUAL:
            return below
        case Operator.EQUAL:
            return AllOf((above, below))
    return None


def _around(value: Any, *, single: bool) -> tuple[float, float] | None:
    """Two numbers that a column holds exactly, beyond whatever a value is rounded to."""
    try:
        near = float(value)
    except OverflowError:
        return None
    if near == 0 and value == 0:
        return 0.0, 0.0
    least, margin = (1e-30, 2.0**-20) if single else (1e-300, 2.0**-45)
    if not math.isfinite(near) or not least < abs(near) < 1 / least:
        return None
    low, high = near - abs(near) * margin, near + abs(near) * margin
    if not single:
        return low, high
    rounded = struct.unpack("2f", struct.pack("2f", low, high))
    return rounded[0], rounded[1]


def _all_of(parts: Iterable[Filter]) -> Filter | None:
    operands = tuple(parts)
    if not operands:
        return None
    return operands[0] if len(operands) == 1 else AllOf(operands)
