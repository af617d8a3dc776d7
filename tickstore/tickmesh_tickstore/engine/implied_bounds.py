"""What a filter implies of event time and symbol, so that it prunes like a range and symbols do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.filters import AllOf, Comparison, Instant, Membership, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_tickstore.domain.filters import Filter

__all__ = ["Bounds", "bounds_of"]

_GREATEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """A half-open range of event times in ns and some symbols; `None` for no bound.

    Attributes:
        start_ns: First event time included.
        end_ns: First event time excluded.
        symbols: The only symbols.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    symbols: frozenset[str] | None = None

    def within(self, other: Bounds) -> Bounds:
        """What both allow."""
        starts = [each.start_ns for each in (self, other) if each.start_ns is not None]
        ends = [each.end_ns for each in (self, other) if each.end_ns is not None]
        symbols = self.symbols
        if other.symbols is not None:
            symbols = other.symbols if symbols is None else symbols & other.symbols
        return Bounds(max(starts, default=None), min(ends, default=None), symbols)


def bounds_of(wanted: Filter, *, event_time: str | None, symbol: str | None) -> Bounds:
    """Bounds that every row keeps of which a filter is true.

    Args:
        wanted: The filter.
        event_time: Name of the event time column, if there is one.
        symbol: Name of the symbol column, if there is one.
    """
    bounds = Bounds()
    for each in _conjuncts(wanted):
        match each:
            case Comparison(column, operator, Instant(ns)) if column == event_time:
                bounds = bounds.within(_range_of(operator, ns))
            case Comparison(column, Operator.EQUAL, str(name)) if column == symbol:
                bounds = bounds.within(Bounds(symbols=frozenset((name,))))
            case Membership(column, values) if column == symbol:
                names = frozenset(value for value in values if isinstance(value, str))
                bounds = bounds.within(Bounds(symbols=names))
            case _:
                pass
    return bounds


def _conjuncts(wanted: Filter) -> Iterator[Filter]:
    """The conditions all of which have to be true."""
    if isinstance(wanted, AllOf):
        for operand in wanted.operands:
            yield from _conjuncts(operand)
    else:
        yield wanted


def _range_of(operator: Operator, ns: int) -> Bounds:
    behind = ns + 1 if ns < _GREATEST else None
    match operator:
        case Operator.EQUAL:
            return Bounds(ns, behind)
        case Operator.LESS:
            return Bounds(None, ns)
        case Operator.LESS_OR_EQUAL:
            return Bounds(None, behind)
        case Operator.GREATER:
            return Bounds(behind, None)
        case Operator.GREATER_OR_EQUAL:
            return Bounds(ns, None)
        case Operator.NOT_EQUAL:
            return Bounds()
