"""What of a filter the database can decide; the rest is decided where the rows arrive."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from tickmesh_registry.domain.filtering import Comparator, FieldKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import ColumnElement

    from tickmesh_registry.domain.filtering import Restriction
    from tickmesh_registry.store import Demands

_COMPARED: Mapping[Comparator, Callable[[Any, Any], Any]] = {
    Comparator.EQUAL: operator.eq,
    Comparator.HAS: operator.eq,
    Comparator.NOT_EQUAL: operator.ne,
    Comparator.LESS: operator.lt,
    Comparator.LESS_OR_EQUAL: operator.le,
    Comparator.GREATER: operator.gt,
    Comparator.GREATER_OR_EQUAL: operator.ge,
}
_COMPARABLE = (FieldKind.INTEGER, FieldKind.INSTANT, FieldKind.CHOICE)


def fulfilled(
    demands: Demands, columns: Mapping[str, ColumnElement[Any]]
) -> Iterator[ColumnElement[bool]]:
    """Conditions that hold wherever the demands do; what SQL cannot say as cheaply is left out."""
    for demand in demands:
        column = columns.get(demand.field.name)
        if column is not None:
            yield from _condition(column, demand)


def _condition(
    column: ColumnElement[Any], demand: Restriction[Any]
) -> Iterator[ColumnElement[bool]]:
    if demand.field.kind in _COMPARABLE:
        yield _COMPARED[demand.comparator](column, demand.value)
    elif demand.field.kind is FieldKind.STRING and demand.comparator is Comparator.EQUAL:
        prefix = demand.value.pieces[0]
        if demand.value.literal is not None:
            yield column == prefix
        elif prefix.isascii():
            yield column >= prefix
            # The strings searched so are ASCII, as names are: DEL follows all of them.
            yield column < prefix + "\x7f"
