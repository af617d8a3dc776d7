"""Filters made ready for a dataset's columns: as masks of batches and as Arrow expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh_tickstore.domain.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    FilterInvalidError,
    IsNull,
    Membership,
    Not,
    Operator,
)
from tickmesh_tickstore.engine.exact_values import (
    NotHeldError,
    exact_scalar,
    is_ordered,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_tickstore.domain.filters import Value

__all__ = ["Condition", "condition_of"]

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: pc.equal,
    Operator.NOT_EQUAL: pc.not_equal,
    Operator.LESS: pc.less,
    Operator.LESS_OR_EQUAL: pc.less_equal,
    Operator.GREATER: pc.greater,
    Operator.GREATER_OR_EQUAL: pc.greater_equal,
}
_OPPOSITE = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter checked against the columns it speaks of.

    Attributes:
        columns: The columns it needs.
        expression: True of the wanted rows, for readers that prune by statistics; of others too
            where statistics cannot tell, so that what is read has to pass the mask as well.
        mask: Of a batch with these columns, true for exactly the wanted rows; elsewhere false or
            null.
    """

    columns: frozenset[str]
    expression: pc.Expression
    mask: Callable[[pa.RecordBatch], pa.Array[Any]]


def condition_of(wanted: Filter, schema: pa.Schema, *, field: str = "filter") -> Condition:
    """Make a filter ready.

    Negations are carried down to single columns, where an unknown that becomes false changes
    nothing: above them there are only "and" and "or", and in the end only what is true counts.

    Args:
        wanted: The filter.
        schema: The reader's columns.
        field: Where the filter stands in the request, for refusals.

    Raises:
        FilterInvalidError: A column is unknown or cannot be compared so, or cannot hold a value.
    """
    return _Compiler(schema).compile(wanted, negated=False, field=field)


class _Compiler:
    """Turns a filter into conditions on the columns of one schema."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def compile(self, wanted: Filter, *, negated: bool, field: str) -> Condition:
        match wanted:
            case Comparison():
                return self._comparison(wanted, negated=negated, field=f"{field}.comparison")
            case Membership():
                return self._membership(wanted, negated=negated, field=f"{field}.membership")
            case IsNull(column):
                self._column_type(column, field=f"{field}.is_null")
                return _leaf(column, pc.is_valid if negated else pc.is_null, on_null=not negated)
            case Not(operand):
                return self.compile(operand, negated=not negated, field=f"{field}.negation")
            case AllOf(operands):
                return self._junction(
                    operands, every=not negated, negated=negated, field=f"{field}.all_of"
                )
            case AnyOf(operands):
                return self._junction(
                    operands, every=negated, negated=negated, field=f"{field}.any_of"
                )

    def _junction(
        self, operands: tuple[Filter, ...], *, every: bool, negated: bool, field: str
    ) -> Condition:
        parts = [
            self.compile(each, negated=negated, field=f"{field}.operands[{place}]")
            for place, each in enumerate(operands)
        ]
        if not parts:
            raise FilterInvalidError(
                "a junction of no conditions is neither true nor false: leave it out",
                field=f"{field}.operands",
                wanted="expected one condition or more",
            )
        combine = pc.and_kleene if every else pc.or_kleene
        whole = parts[0].expression
        for part in parts[1:]:
            whole = whole & part.expression if every else whole | part.expression

        def mask(batch: pa.RecordBatch) -> pa.Array[Any]:
            found = parts[0].mask(batch)
            for part in parts[1:]:
                found = combine(found, part.mask(batch))
            return found

        columns = frozenset[str]().union(*(part.columns for part in parts))
        return Condition(columns, whole, mask)

    def _comparison(self, wanted: Comparison, *, negated: bool, field: str) -> Condition:
        data_type = self._column_type(wanted.column, field=field)
        operator = wanted.operator
        if operator not in {Operator.EQUAL, Operator.NOT_EQUAL} and not is_ordered(data_type):
            raise FilterInvalidError(
                f"column {wanted.column!r} is {data_type}, which has no order: ask whether it is "
                "equal",
                field=f"{field}.operator",
                wanted="expected EQUAL or NOT_EQUAL",
                column=wanted.column,
            )
        value = self._value(wanted.column, wanted.value, data_type, field=f"{field}.value")
        if negated and not pt.is_floating(data_type):
            # Said so, statistics can rule rows out; NaN alone is neither less nor not less.
            operator, negated = _OPPOSITE[operator], False
        compare = _COMPARE[operator]
        true_of_nan = pt.is_floating(data_type) and negated != (operator is Operator.NOT_EQUAL)
        if negated:
            return _leaf(
                wanted.column,
                lambda column: pc.invert(compare(column, value)),
                true_of_nan=true_of_nan,
            )
        return _leaf(wanted.column, lambda column: compare(column, value), true_of_nan=true_of_nan)

    def _membership(self, wanted: Membership, *, negated: bool, field: str) -> Condition:
        data_type = self._column_type(wanted.column, field=field)
        values = [
            self._value(wanted.column, value, data_type, field=f"{field}.values[{place}]")
            for place, value in enumerate(wanted.values)
        ]
        if pt.is_dictionary(data_type):
            data_type = data_type.value_type
        if not values:
            # Equal to none of no values is every row, null or not.
            return _constant(value=negated)
        members = pa.array(_told_apart(values), data_type)
        if negated:
            return _leaf(
                wanted.column,
                lambda column: pc.and_kleene(
                    pc.is_valid(column), pc.invert(pc.is_in(column, value_set=members))
                ),
                true_of_nan=pt.is_floating(data_type),
            )
        return _leaf(wanted.column, lambda column: pc.is_in(column, value_set=members))

    def _column_type(self, column: str, *, field: str) -> pa.DataType:
        index = self._schema.get_field_index(column)
        if index < 0:
            names = ", ".join(self._schema.names)
            raise FilterInvalidError(
                f"a filter asks for column {column!r:.100}; there are {names}",
                field=f"{field}.column",
                wanted="expected a column of the reader's schema",
                column=column[:100],
            )
        data_type: pa.DataType = self._schema.field(index).type
        return data_type

    def _value(
        self, column: str, value: Value, data_type: pa.DataType, *, field: str
    ) -> pa.Scalar[Any]:
        try:
            return exact_scalar(value, data_type)
        except NotHeldError as error:
            raise FilterInvalidError(
                f"column {column!r} is {data_type}, which does not hold the value of the filter: "
                f"{error}",
                field=field,
                wanted=str(error),
                column=column,
                type=str(data_type),
            ) from None


def _leaf(
    column: str,
    test: Callable[[Any], Any],
    *,
    on_null: bool | None = None,
    true_of_nan: bool = False,
) -> Condition:
    """A condition on one column; `test` takes an array or an expression alike."""
    # Statistics know nothing of NaN: where it is wanted they must not rule out any row.
    expression = pc.scalar(True) if true_of_nan else test(pc.field(column))

    def mask(batch: pa.RecordBatch) -> pa.Array[Any]:
        values = batch.column(column)
        found: pa.Array[Any]
        if not isinstance(values, pa.DictionaryArray):
            found = test(values)
        elif len(values.dictionary) > len(values):
            found = test(values.dictionary.take(values.indices))
        else:
            found = test(values.dictionary).take(values.indices)
            if on_null is not None:
                found = found.fill_null(on_null)
        return found

    return Condition(frozenset((column,)), expression, mask)


def _constant(*, value: bool) -> Condition:
    return Condition(
        frozenset(),
        pc.scalar(value),
        lambda batch: pa.repeat(pa.scalar(value), batch.num_rows),
    )


def _told_apart(values: list[pa.Scalar[Any]]) -> list[pa.Scalar[Any]]:
    """The values as a set looks them up: it takes NaN for NaN, and the two zeros for different."""
    found: list[pa.Scalar[Any]] = []
    for value in values:
        if pt.is_floating(value.type):
            number = value.as_py()
            if math.isnan(number):
                continue
            if number == 0:
                found.append(pa.scalar(-number, value.type))
        found.append(value)
    return found
