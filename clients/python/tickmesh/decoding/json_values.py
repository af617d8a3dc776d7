"""Single JSON values as values of a wanted Arrow type, exactly or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.conversion import cells, numbers
from tickmesh.decoding.conversion.cells import Outcome
from tickmesh.decoding.json_documents import NumberToken

Fit: TypeAlias = Callable[[Any], Any]
"""Gives the fitted value itself; an ``Outcome`` only to tell a failure or a coercion."""


def fitting(kind: Any, *, number_text: bool) -> Fit:
    """A function that fits values to a type; null fits every type.

    Args:
        kind: The wanted Arrow type.
        number_text: Where text is wanted, a number's token is text enough.
    """
    if pt.is_string(kind):
        return _number_or_text if number_text else _text
    if pt.is_integer(kind) and kind.bit_width == 64:
        return _integers(numbers.exactly(kind))
    if pt.is_floating(kind):
        return _doubles(numbers.exactly(kind))
    if numbers.is_number(kind):
        exact = numbers.exactly(kind)
        return _numbers(exact)
    if pt.is_boolean(kind):
        return _boolean
    if pt.is_list(kind):
        return _lists(fitting(kind.value_type, number_text=number_text))
    if pt.is_struct(kind):
        members = {child.name: fitting(child.type, number_text=number_text) for child in kind}
        return _structs(members)
    if pt.is_map(kind):
        return _maps(fitting(kind.item_type, number_text=number_text))
    return lambda _: Outcome(failure=cells.NOT_THE_TYPE)


def _text(value: Any) -> Any:
    return value if type(value) is str or value is None else Outcome(failure=cells.NOT_A_STRING)


def _number_or_text(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    return Outcome(failure=cells.NOT_A_STRING)


def _boolean(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return Outcome(failure=cells.NOT_A_BOOLEAN)


def _numbers(exact: Callable[[Any], Outcome]) -> Fit:
    def fit(value: Any) -> Any:
        if isinstance(value, NumberToken):
            return exact(str(value))
        return None if value is None else Outcome(failure=cells.NOT_A_NUMBER)

    return fit


def _integers(exact: Callable[[Any], Outcome]) -> Fit:
    slowly = _numbers(exact)

    def fit(value: Any) -> Any:
        if type(value) is NumberToken and value.isdigit() and len(value) < 19:
            return int(value)
        return slowly(value)

    return fit


def _doubles(exact: Callable[[Any], Outcome]) -> Fit:
    slowly = _numbers(exact)

    def fit(value: Any) -> Any:
        if type(value) is NumberToken:
            # As in Arrow's reader, a JSON number is the double nearest to it (RFC 8259, section 6).
            number = float(value)
            if math.isfinite(number):
                return number
        return slowly(value)

    return fit


def _lists(item: Fit) -> Fit:
    def fit(value: Any) -> Any:
        if isinstance(value, list):
            return _together([item(each) for each in value], list)
        return None if value is None else Outcome(failure=cells.NOT_THE_TYPE)

    return fit


def _structs(members: dict[str, Fit]) -> Fit:
    def fit(value: Any) -> Any:
        if isinstance(value, dict):
            parts = [member(value.get(name)) for name, member in members.items()]
            return _together(parts, lambda values: dict(zip(members, values, strict=True)))
        return None if value is None else Outcome(failure=cells.NOT_THE_TYPE)

    return fit


def _maps(item: Fit) -> Fit:
    def fit(value: Any) -> Any:
        if isinstance(value, dict):
            parts = [item(each) for each in value.values()]
            return _together(parts, lambda values: list(zip(value, values, strict=True)))
        return None if value is None else Outcome(failure=cells.NOT_THE_TYPE)

    return fit


def _together(parts: list[Any], build: Callable[[list[Any]], Any]) -> Any:
    """A value built of fitted parts; the first part that failed fails it, a coercion is told."""
    told = [part for part in parts if isinstance(part, Outcome)]
    if not told:
        return build(parts)
    failed = next((part for part in told if part.failure), None)
    if failed is not None:
        return Outcome(failure=failed.failure)
    values = [part.value if isinstance(part, Outcome) else part for part in parts]
    coercion = next((part.coercion for part in told if part.coercion), None)
    return Outcome(build(values), coercion=coercion)


def has_map(kind: pa.DataType) -> bool:
    """Whether a type has a map in it, which Arrow's JSON reader cannot fill."""
    if pt.is_map(kind):
        return True
    return any(has_map(kind.field(place).type) for place in range(kind.num_fields))
