"""Which rows are wanted: comparisons of columns with values, joined by `&`, `|` and `~`.

    col("price") > 100
    (col("symbol") == "AAPL") & col("price").between(100, 200)
    ~col("venue").isin(["XNAS", "ARCX"]) | col("venue").is_null()

Nulls are SQL's: a comparison with a null is neither true nor false, its negation neither, and only
rows for which the whole is true are wanted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tickmesh._ticks.values import plain_value, value_message
from tickmesh.api.tickstore.v1 import expression_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from tickmesh._ticks.values import ColumnValue

    Operator = Literal["==", "!=", "<", "<=", ">", ">="]

_OPERATORS = {
    "==": expression_pb2.COMPARISON_OPERATOR_EQUAL,
    "!=": expression_pb2.COMPARISON_OPERATOR_NOT_EQUAL,
    "<": expression_pb2.COMPARISON_OPERATOR_LESS,
    "<=": expression_pb2.COMPARISON_OPERATOR_LESS_OR_EQUAL,
    ">": expression_pb2.COMPARISON_OPERATOR_GREATER,
    ">=": expression_pb2.COMPARISON_OPERATOR_GREATER_OR_EQUAL,
}


class Filter(ABC):
    """A condition on rows. Join conditions with `&` and `|`, turn one round with `~`.

    Python's `and`, `or`, `not` and chained comparisons cannot build one and raise TypeError.
    Two conditions are equal when they are written alike; `repr` is the Python that builds them.
    """

    __slots__ = ()

    @abstractmethod
    def message(self) -> expression_pb2.Expression:
        """The condition as a query carries it."""

    def __and__(self, other: Filter) -> Filter:
        return Junction.of("&", self, _condition(other))

    def __or__(self, other: Filter) -> Filter:
        return Junction.of("|", self, _condition(other))

    def __invert__(self) -> Filter:
        return Negation(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a condition on columns is neither true nor false in Python: join conditions with "
            "& | ~ instead of and, or, not, with parentheses around each comparison, and write "
            'col("x").between(low, high) for a chained comparison'
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Column:
    """A column by its name; compare it with a value to get a `Filter`.

    A value is a bool, int, float, Decimal, str, bytes, or an instant with its zone (a datetime, a
    pandas Timestamp); numpy scalars are taken as what they hold.
    """

    name: str

    def __repr__(self) -> str:
        return f"col({_text(self.name)})"

    # A comparison gives a condition, as in every library of expressions; `object` has bool.
    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return self.compared("==", value)

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return self.compared("!=", value)

    def __lt__(self, value: ColumnValue) -> Filter:
        return self.compared("<", value)

    def __le__(self, value: ColumnValue) -> Filter:
        return self.compared("<=", value)

    def __gt__(self, value: ColumnValue) -> Filter:
        return self.compared(">", value)

    def __ge__(self, value: ColumnValue) -> Filter:
        return self.compared(">=", value)

    def __hash__(self) -> int:
        return hash(self.name)

    def isin(self, values: Iterable[ColumnValue]) -> Filter:
        """True where the column's value is one of several; for none of them it is never true."""
        if isinstance(values, str | bytes):
            raise InvalidArgumentError(
                f"isin takes several values, as in [{values!r}]; it was {values!r}."
            )
        return Membership(self.name, tuple(self._value(value) for value in values))

    def between(self, low: ColumnValue, high: ColumnValue) -> Filter:
        """True from `low` to `high`, both included, as in SQL."""
        return (self >= low) & (self <= high)

    def is_null(self) -> Filter:
        """True where the column has no value."""
        return NullTest(self.name)

    def is_not_null(self) -> Filter:
        """True where the column has a value."""
        return ~NullTest(self.name)

    def compared(self, operator: Operator, value: object) -> Filter:
        """The condition that `operator` between column and value is."""
        if isinstance(value, Column):
            raise InvalidArgumentError(
                f"{self!r} {operator} {value!r}: a column is compared with a value; two columns "
                "are compared with SQL."
            )
        return Comparison(self.name, operator, self._value(value))

    def _value(self, value: object) -> Any:
        return plain_value(value, name=f"the value for column '{self.name}'")


def col(name: str) -> Column:
    """A column by its name, to be compared: `col("price") > 100`.

    Raises:
        InvalidArgumentError: it is no name.
    """
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError(f"a column is named by text; it was {name!r}.")
    return Column(name)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Filter):
    """A column compared with a value."""

    column: str
    operator: Operator
    value: Any

    def __repr__(self) -> str:
        return f"col({_text(self.column)}) {self.operator} {_text(self.value)}"

    def message(self) -> expression_pb2.Expression:
        return expression_pb2.Expression(
            comparison=expression_pb2.Comparison(
                column=self.column,
                operator=_OPERATORS[self.operator],
                value=value_message(self.value, name=self.column),
            )
        )


@dataclass(frozen=True, slots=True, repr=False)
class Membership(Filter):
    """A column's value is one of several."""

    column: str
    values: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"col({_text(self.column)}).isin([{', '.join(map(_text, self.values))}])"

    def message(self) -> expression_pb2.Expression:
        values = [value_message(value, name=self.column) for value in self.values]
        return expression_pb2.Expression(
            membership=expression_pb2.Membership(column=self.column, values=values)
        )


@dataclass(frozen=True, slots=True, repr=False)
class NullTest(Filter):
    """A column has no value."""

    column: str

    def __repr__(self) -> str:
        return f"col({_text(self.column)}).is_null()"

    def message(self) -> expression_pb2.Expression:
        return expression_pb2.Expression(is_null=expression_pb2.NullTest(column=self.column))


@dataclass(frozen=True, slots=True, repr=False)
class Junction(Filter):
    """Several conditions: all of them (`&`), or any (`|`)."""

    joint: Literal["&", "|"]
    operands: tuple[Filter, ...]

    @classmethod
    def of(cls, joint: Literal["&", "|"], left: Filter, right: Filter) -> Junction:
        """Two conditions joined; a junction of the same kind on the left grows instead."""
        if isinstance(left, Junction) and left.joint == joint:
            return cls(joint, (*left.operands, right))
        return cls(joint, (left, right))

    def __repr__(self) -> str:
        return f" {self.joint} ".join(map(_operand, self.operands))

    def message(self) -> expression_pb2.Expression:
        junction = expression_pb2.Junction(operands=[each.message() for each in self.operands])
        if self.joint == "&":
            return expression_pb2.Expression(all_of=junction)
        return expression_pb2.Expression(any_of=junction)


@dataclass(frozen=True, slots=True, repr=False)
class Negation(Filter):
    """The opposite of a condition."""

    operand: Filter

    def __repr__(self) -> str:
        return f"~{_operand(self.operand)}"

    def message(self) -> expression_pb2.Expression:
        return expression_pb2.Expression(negation=self.operand.message())


def _operand(condition: Filter) -> str:
    """A condition as part of another: in parentheses where Python would read it otherwise."""
    return f"({condition!r})" if isinstance(condition, Comparison | Junction) else repr(condition)


def _text(value: object) -> str:
    if isinstance(value, str) and '"' not in value and "\\" not in value and value.isprintable():
        return f'"{value}"'
    return repr(value)


def _condition(other: object) -> Filter:
    if not isinstance(other, Filter):
        raise TypeError(
            f"expected a condition such as col('price') > 100, was {other!r}; put parentheses "
            "around each comparison, since & and | bind tighter than < and =="
        )
    return other
