"""Filters as they travel: understood exactly, refused at the very place that is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.governed_ticks import trades
from tests.unit.tickstore.service.test_application import SUBJECT, put, read
from tests.unit.tickstore.service.test_queries import ask, latest
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh.api.tickstore.v1.expression_pb2 import (
    COMPARISON_OPERATOR_EQUAL,
    COMPARISON_OPERATOR_GREATER,
    Comparison,
    Expression,
    Junction,
    Membership,
    NullTest,
    Value,
)
from tickmesh_tickstore.domain import filters as domain
from tickmesh_tickstore.filter_messages import filter_of

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore


def equal(column: str, value: Value) -> Expression:
    return Expression(
        comparison=Comparison(column=column, operator=COMPARISON_OPERATOR_EQUAL, value=value)
    )


def understood(expression: Expression) -> domain.Filter | None:
    return filter_of(ReadCommand(filter=expression))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Value(integer=-5), -5),
        (Value(unsigned_integer=2**64 - 1), 2**64 - 1),
        (Value(number=0.5), 0.5),
        (Value(decimal="-1.50"), Decimal("-1.50")),
        (Value(text=""), ""),
        (Value(truth=False), False),
        (Value(binary=b"\x00"), b"\x00"),
        (Value(instant_ns=-1), domain.Instant(-1)),
    ],
)
def test_every_kind_of_value_is_understood(value: Value, expected: domain.Value) -> None:
    assert understood(equal("x", value)) == domain.Comparison("x", domain.Operator.EQUAL, expected)


def test_every_kind_of_condition_is_understood() -> None:
    null = Expression(is_null=NullTest(column="x"))
    member = Expression(membership=Membership(column="x", values=[Value(integer=1)]))
    whole = Expression(
        negation=Expression(
            any_of=Junction(operands=[null, Expression(all_of=Junction(operands=[member, null]))])
        )
    )
    expected_null = domain.IsNull("x")
    expected_member = domain.Membership("x", (1,))
    assert understood(whole) == domain.Not(
        domain.AnyOf((expected_null, domain.AllOf((expected_member, expected_null))))
    )
    assert filter_of(ReadCommand()) is None


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        (Expression(), "filter"),
        (Expression(negation=Expression()), "filter.negation"),
        (equal("x", Value()), "filter.comparison.value"),
        (Expression(comparison=Comparison(column="x")), "filter.comparison.operator"),
        (Expression(all_of=Junction()), "filter.all_of.operands"),
        (
            Expression(any_of=Junction(operands=[equal("x", Value(decimal="1e9999"))])),
            "filter.any_of.operands[0].comparison.value",
        ),
        (equal("x", Value(decimal="NaN")), "filter.comparison.value"),
        (equal("x", Value(decimal="one")), "filter.comparison.value"),
        (
            Expression(membership=Membership(column="x", values=[Value(integer=1), Value()])),
            "filter.membership.values[1]",
        ),
        (equal("x", Value(text="x" * (1 << 20))), "filter"),
    ],
)
def test_what_is_incomplete_is_refused_where_it_is_wrong(
    expression: Expression, field: str
) -> None:
    with pytest.raises(domain.FilterInvalidError) as refused:
        understood(expression)
    assert refused.value.violations[0][0] == field


def test_t11_a_filter_too_deep_is_refused_before_it_is_walked() -> None:
    expression = Expression(is_null=NullTest(column="x"))
    for _ in range(domain.MOST_DEPTH):
        expression = Expression(negation=expression)
    with pytest.raises(domain.FilterInvalidError, match="levels"):
        understood(expression)


def test_reads_and_queries_take_filters(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(10))
    above = Expression(
        comparison=Comparison(
            column="price", operator=COMPARISON_OPERATOR_GREATER, value=Value(integer=8)
        )
    )
    rows = read(store, call, ReadCommand(dataset=SUBJECT, filter=above))
    assert rows.column("size").to_pylist() == [8, 9]
    assert store.plan_read(call, ReadCommand(dataset=SUBJECT, filter=above)).rows is None
    found = ask(store, call, latest(filter=equal("symbol", Value(text="IBM")), columns=["size"]))
    assert found.to_pylist() == [{"size": 7}]
