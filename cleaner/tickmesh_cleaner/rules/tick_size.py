"""`x-tick-size`: a price is a multiple of the tick of its level.

On decimals and integers the test is exact. A double is taken to stand for a multiple when it is
the double nearest to it, that is when printing the multiple and reading it back gives that double:
0.1 + 0.2 is not a multiple of 0.01, 0.3 is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh_cleaner.rules.rows import Breach, units_of
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Floats, Rows

_MOST_DIGITS = 12
_MOST_UNITS = 2**31
_EXACT_DOUBLES = 2.0**50
_LARGEST_PLACE = 2**63
_DECIMAL_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Level:
    """From which price on which tick holds."""

    start: Decimal
    tick: Decimal


class TickSize(Rule):
    """A price between two ticks. The level is that of the price's distance from 0."""

    keyword = "x-tick-size"
    stands_at = "field"
    shorthand = "tick"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._name = parameters.own_field(holds="numbers")
        self._levels = _levels_of(parameters)
        self.severity = parameters.severity(
            default=Severity.REJECT, allowed=(Severity.REJECT, Severity.REPAIR, Severity.FLAG)
        )
        digits = max(
            _digits(number) for level in self._levels for number in (level.start, level.tick)
        )
        ticks = [level.tick.scaleb(digits) for level in self._levels]
        if digits > _MOST_DIGITS or max(ticks) >= _MOST_UNITS:
            parameters.refuse(
                f"expected ticks of at most {_MOST_DIGITS} digits after the point, and below "
                f"{_MOST_UNITS} units of the smallest digit"
            )
        self._digits = digits
        kind = parameters.type_of(self._name)
        held = kind.scale if pt.is_decimal(kind) else 0 if pt.is_integer(kind) else _MOST_DIGITS
        if self.severity is Severity.REPAIR and digits > held:
            parameters.refuse(
                f"{kind} cannot hold every multiple of these ticks, so it cannot be repaired to "
                "one; reject or flag instead",
                "severity",
            )
        self._ticks = np.array([int(tick) for tick in ticks], dtype=np.int64)
        self._starts = [level.start for level in self._levels]

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - it keeps none
        """See `Rule.judge`."""
        column = rows.column(self._name)
        between = np.flatnonzero(self._between(column, rows))
        if not len(between):
            return ()
        repaired = None
        if self.severity is Severity.REPAIR:
            values = [self._nearest(column[row].as_py()) for row in between.tolist()]
            repaired = _as_column(values, column.type)
        return (
            Breach(
                "TICK_SIZE",
                between,
                lambda place: self._say(column[between[place]]),
                repaired=repaired,
            ),
        )

    def _between(self, column: Any, rows: Rows) -> Booleans:
        present = rows.present(self._name)
        if pt.is_floating(column.type):
            narrow = not pt.is_float64(column.type)
            return self._between_doubles(rows.floats(self._name), present, narrow=narrow)
        scale = column.type.scale if pt.is_decimal(column.type) else 0
        units = units_of(column)
        factor = 10 ** max(scale - self._digits, 0)
        if units is None or factor * int(self._ticks.max()) >= _LARGEST_PLACE:
            return self._one_by_one(column, present)
        level = self._level_of(np.abs(units), [start.scaleb(scale) for start in self._starts])
        ticks = self._ticks[level]
        if scale >= self._digits:
            remainder = units % (ticks * factor)
        else:
            # Modulo the tick first, so that no product leaves 64 bits.
            remainder = ((units % ticks) * (10 ** (self._digits - scale) % ticks)) % ticks
        between: Booleans = (remainder != 0) & present
        return between

    def _between_doubles(self, values: Floats, present: Booleans, *, narrow: bool) -> Booleans:
        power = 10.0**self._digits
        level = self._level_of(np.abs(values), [Decimal(float(start)) for start in self._starts])
        ticks = self._ticks[level].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            units = np.rint(values * power / ticks) * ticks
            # Both are whole numbers that doubles hold exactly, so the quotient is the double
            # nearest to the multiple.
            multiples = units / power
            if narrow:
                # A single-precision price stands for what its own printed form says.
                multiples = multiples.astype(np.float32)
            between: Booleans = (multiples != values) & present
            unsure = present & ~(np.abs(units) < _EXACT_DOUBLES)
        for row in np.flatnonzero(unsure).tolist():
            nearest = self._nearest(values[row].item())
            between[row] = (np.float32(nearest) if narrow else nearest) != values[row]
        return between

    def _one_by_one(self, column: Any, present: Booleans) -> Booleans:
        """For decimals that, or whose ticks, do not fit 64 bits."""
        values = column.to_pylist()
        return np.array(
            [
                there and self._nearest(value) != value
                for value, there in zip(values, present.tolist(), strict=True)
            ],
            dtype=np.bool_,
        )

    def _level_of(self, distances: Any, starts: Sequence[Decimal]) -> Any:
        if len(starts) == 1:
            return 0
        if distances.dtype.kind == "f":
            bounds = np.array([float(start) for start in starts])
        else:
            bounds = np.array([_ceiling(start) for start in starts], dtype=np.int64)
        found = np.searchsorted(bounds, distances, side="right") - 1
        # A null may hold anything, also NaN.
        return np.clip(found, 0, len(starts) - 1)

    def _tick_of(self, value: Any) -> Decimal:
        # abs() of a Decimal would round it to the context's precision.
        distance = value.copy_abs() if isinstance(value, Decimal) else abs(value)
        return next(
            level.tick for level in reversed(self._levels) if distance >= _comparable(level, value)
        )

    def _nearest(self, value: Any) -> Any:
        """The multiple nearest to a value, in the value's own type; itself when not finite."""
        if isinstance(value, float) and not np.isfinite(value):
            return value
        tick = Fraction(self._tick_of(value))
        nearest = round(Fraction(value) / tick) * tick
        if isinstance(value, float):
            return float(nearest)
        if isinstance(value, int):
            return int(nearest) if nearest.denominator == 1 else nearest
        with localcontext(prec=_DECIMAL_DIGITS):
            return Decimal(nearest.numerator) / Decimal(nearest.denominator)

    def _say(self, cell: Any) -> str:
        value = cell.as_py()
        return (
            f"expected a multiple of {self._tick_of(value)}, not {value}; "
            f"the nearest is {self._nearest(value)}"
        )


def _levels_of(parameters: Parameters) -> tuple[Level, ...]:
    levels = parameters.given("levels")
    if levels is None:
        return (Level(Decimal(0), parameters.decimal("tick")),)
    if parameters.given("tick") is not None:
        parameters.refuse("give either a tick or levels, not both")
    if not isinstance(levels, list) or not levels or len(levels) > 100:
        parameters.refuse("expected 1 to 100 levels, each with from and tick", "levels")
    found: list[Level] = []
    for place, each in enumerate(levels):
        if not isinstance(each, dict) or each.keys() != {"from", "tick"}:
            parameters.refuse("expected a level with from and tick", "levels", place)
        for name in ("from", "tick"):
            if isinstance(each[name], bool) or not isinstance(each[name], int | Decimal):
                parameters.refuse("expected a number", "levels", place, name)
        level = Level(Decimal(each["from"]), Decimal(each["tick"]))
        if level.tick <= 0:
            parameters.refuse("expected a tick above 0", "levels", place, "tick")
        if (level.start != 0) if place == 0 else (level.start <= found[-1].start):
            parameters.refuse("levels begin at 0 and rise", "levels", place, "from")
        found.append(level)
    return tuple(found)


def _as_column(values: list[Any], kind: Any) -> Any:
    if pt.is_decimal(kind):
        return pa.array(values, pa.decimal128(38, kind.scale)).cast(kind)
    return pa.array(values, kind)


def _comparable(level: Level, value: Any) -> Any:
    return float(level.start) if isinstance(value, float) else level.start


def _ceiling(number: Decimal) -> int:
    return min(-int(-number // 1), _LARGEST_PLACE - 1)


def _digits(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
