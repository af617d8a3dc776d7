"""Instants: numbers of a unit since the epoch or since local midnight, and ISO 8601 text.

All instants come out as ``timestamp[ns, UTC]`` and are cast to the field's unit at the end, where
a lossy cast fails the cell. Nothing is ever rounded: a time finer than a nanosecond fails too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import all_true, nulls, pc
from tickmesh.decoding.conversion import cells, grammar, numbers, scaling
from tickmesh.decoding.conversion.cells import Converted, Failures, Outcome, convert_the_rest
from tickmesh.decoding.conversion.proofs import outline
from tickmesh.decoding.source_spec import LocalTime, TimeUnit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.decoding.arrow import Array

INSTANT: Final = pa.timestamp("ns", "UTC")
TIME_OF_DAY: Final = pa.time64("ns")
_LOCAL: Final = pa.timestamp("ns")
_DAY_NS: Final = 86_400_000_000_000
_TEXT: Final = re.compile(
    rf"({grammar.DATE})[Tt ]([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Clock:
    """A local clock.

    Attributes:
        zone: IANA name of its zone.
        ambiguous: What becomes of a time it shows twice.
        nonexistent: What becomes of a time it skips.
    """

    zone: str
    ambiguous: LocalTime = LocalTime.REFUSE
    nonexistent: LocalTime = LocalTime.REFUSE


def since_epoch(column: Array, unit: TimeUnit) -> Converted:
    """Numbers of a unit since 1970-01-01T00:00Z."""
    counted = _nanoseconds(column, unit)
    counted.values = counted.values.cast(pa.timestamp("ns")).cast(INSTANT)
    counted.coercions = _converted(counted.values)
    return counted


def since_midnight(column: Array, unit: TimeUnit, *, day: Array, clock: Clock) -> Converted:
    """Numbers of a unit on the local clock since 00:00 of a local day.

    Args:
        column: The numbers.
        unit: Their unit.
        day: ``date32``, one for each row; where null, so is the instant.
        clock: The clock; daylight saving is applied.
    """
    counted = _nanoseconds(column, unit)
    outside = pc.or_(pc.less(counted.values, 0), pc.greater_equal(counted.values, _DAY_NS))
    counted = counted.then(
        lambda values: cells.fail_where(column, outside, cells.NOT_A_TIME, values)
    )
    midnight = day.cast(_LOCAL).cast(pa.int64())
    local = pc.add(counted.values, midnight).cast(_LOCAL)
    return _counted(counted.then(lambda _: localise(local, clock, column)))


def localise(local: Array, clock: Clock, raw: Array) -> Converted:
    """Local clock times to instants.

    Args:
        local: Zone-less timestamps.
        clock: The clock that showed them, and what becomes of those it shows twice or never.
        raw: What is shown for times that fail.
    """
    local = local if local.type == _LOCAL else local.cast(_LOCAL)
    try:
        return Converted(pc.assume_timezone(local, clock.zone).cast(INSTANT))
    except pa.ArrowInvalid:
        early, late = (
            pc.assume_timezone(local, clock.zone, ambiguous=choice, nonexistent=choice)
            for choice in ("earliest", "latest")
        )
    doubtful = pc.not_equal(early, late)
    shown = pc.equal(pc.local_timestamp(early), local)
    converted = Converted(early.cast(INSTANT))
    for choice, mask, code in (
        (clock.ambiguous, pc.and_(doubtful, shown), cells.AMBIGUOUS_TIME),
        (clock.nonexistent, pc.and_(doubtful, pc.invert(shown)), cells.NONEXISTENT_TIME),
    ):
        if choice is LocalTime.REFUSE:
            refused = cells.fail_where(raw, mask, code, converted.values)
            converted = Converted(
                refused.values, converted.failures + refused.failures, converted.coercions
            )
            continue
        converted.coercions[cells.LOCAL_TIME_RESOLVED] += mask.true_count
        if choice is LocalTime.LATEST:
            converted.values = pc.if_else(mask, late.cast(INSTANT), converted.values)
    return converted


def from_text(column: Array, *, clock: Clock | None) -> Converted:
    """ISO 8601 text, such as ``2024-01-31T09:30:00.5Z`` or ``2024-01-31 09:30:00.5-05:00``.

    Args:
        column: utf8.
        clock: The clock of times without an offset; None refuses them.
    """
    form = rf"{grammar.DATE}[T ]{grammar.TIME}"
    pattern = form if clock else form + grammar.OFFSET
    look = outline(column)
    if look is not None and re.fullmatch(pattern, look):
        sure, plain = column.is_valid(), column
    else:
        sure = pc.match_substring_regex(column, grammar.whole(pattern))
        plain = (
            column
            if all_true(sure)
            else pc.if_else(sure.fill_null(False), column, pa.scalar(None, column.type))
        )
    try:
        if clock is None:
            return convert_the_rest(column, plain.cast(INSTANT), sure, _exactly(clock))
        local = plain.cast(_LOCAL)
    except pa.ArrowInvalid:  # a 31st of February, or a year that nanoseconds cannot hold
        return convert_the_rest(column, nulls(len(column), INSTANT), None, _exactly(clock))
    return _counted(
        localise(local, clock, column).then(
            lambda values: convert_the_rest(column, values, sure, _exactly(clock))
        )
    )


def from_timestamps(column: Array, *, clock: Clock | None) -> Converted:
    """Arrow timestamps; those without a zone need one."""
    if column.type.tz is None and clock is None:
        return cells.all_failed(column, cells.NOT_A_TIME, INSTANT)
    try:
        if column.type.tz is not None:
            return Converted(column.cast(INSTANT))
        local = column.cast(_LOCAL)
    except pa.ArrowInvalid:
        return _timestamps_one_by_one(column, clock=clock)
    assert clock is not None
    return _counted(localise(local, clock, column))


def _timestamps_one_by_one(column: Array, *, clock: Clock | None) -> Converted:
    """Timestamps of which some are beyond what nanoseconds since the epoch can hold."""
    counts = column.cast(pa.int64())
    counted = _nanoseconds(counts, TimeUnit(column.type.unit))
    fits = pc.and_(counted.values.is_valid(), column.is_valid())
    inside = pc.if_else(fits, column, pa.scalar(None, column.type))
    return counted.then(lambda _: from_timestamps(inside, clock=clock))


def to_unit(instants: Array, target: pa.DataType, *, raw: Array) -> Converted:
    """Instants in the field's own unit and zone; what that unit cannot hold fails."""
    if instants.type == target:
        return Converted(instants)
    try:
        return Converted(instants.cast(target))
    except pa.ArrowInvalid:
        cut = instants.cast(target, safe=False)
        lost = pc.not_equal(cut.cast(instants.type), instants)
        return cells.fail_where(raw, lost, cells.REPR_PRECISION, cut)


def dates_from_text(column: Array) -> Converted:
    """Text ``YYYY-MM-DD`` as ``date32``."""
    return convert_the_rest(column, nulls(len(column), pa.date32()), None, _date)


def times_of_day_from_text(column: Array) -> Converted:
    """Text such as ``09:30:00.5-05:00``, a time of day with its offset, as that in UTC."""
    dated = pc.binary_join_element_wise("1970-01-01T", column, "")
    converted = from_text(dated, clock=None)
    days = pc.floor_temporal(converted.values, unit="day")
    converted.values = pc.subtract(converted.values, days).cast(pa.int64()).cast(TIME_OF_DAY)
    converted.failures = [
        Failures(failure.code, failure.rows, column.take(failure.rows))
        for failure in converted.failures
    ]
    return converted


def _date(text: Any) -> Outcome:
    if isinstance(text, str) and re.fullmatch(grammar.DATE, text):
        try:
            return Outcome(date.fromisoformat(text))
        except ValueError:
            pass
    return Outcome(failure=cells.NOT_A_DATE)


def _nanoseconds(column: Array, unit: TimeUnit) -> Converted:
    """Numbers of a unit as whole nanoseconds; finer ones and those beyond int64 fail."""
    exact = numbers.exactly(pa.int64(), factor=Fraction(unit.nanoseconds))

    def convert(value: Any) -> Outcome:
        outcome = exact(value)
        if outcome.failure == cells.NOT_AN_INTEGER:
            return Outcome(failure=cells.REPR_PRECISION)
        return Outcome(outcome.value, outcome.failure)

    if pt.is_string(column.type) or pt.is_integer(column.type):
        done = scaling.whole_products(column, pa.int64(), factor=Fraction(unit.nanoseconds))
        if pt.is_string(column.type) and done.null_count > column.null_count:
            done = pc.coalesce(done, _fractions(column, unit))
    else:
        done = nulls(len(column), pa.int64())
    return convert_the_rest(column, done, done.is_valid(), convert)


def _fractions(column: Array, unit: TimeUnit) -> Array:
    """Text such as ``1582329601.096`` as nanoseconds; null where a kernel cannot tell."""
    places = len(str(unit.nanoseconds)) - 1
    fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    pattern = rf"-?(0|[1-9][0-9]{{0,{17 - places}}}){fraction}"
    sure = pc.match_substring_regex(column, grammar.whole(pattern))
    kept = pc.if_else(sure.fill_null(False), column, pa.scalar(None, column.type))
    return scaling.digits(kept.cast(pa.decimal128(18, places)))


def _converted(values: Array) -> Counter[str]:
    return Counter({cells.TIME_CONVERTED: len(values) - values.null_count})


def _counted(localised: Converted) -> Converted:
    localised.coercions = localised.coercions + _converted(localised.values)
    return localised


def _exactly(clock: Clock | None) -> Callable[[Any], Outcome]:
    """A converter of one ISO 8601 text."""

    def convert(text: Any) -> Outcome:
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return Outcome(failure=cells.NOT_A_TIME)
        day, hour, minute, second, fraction, offset = match.groups()
        if offset is None and clock is None:
            return Outcome(failure=cells.NOT_A_TIME)
        fraction = (fraction or "").rstrip("0")
        try:
            # A leap second is a time that happened, but no count of seconds can hold it.
            if second == "60":
                datetime.fromisoformat(f"{day}T{hour}:{minute}:59")
                return Outcome(failure=cells.REPR_OVERFLOW)
            moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}")
        except ValueError:
            return Outcome(failure=cells.NOT_A_TIME)
        if len(fraction) > 9:
            return Outcome(failure=cells.REPR_PRECISION)
        shift = _offset(offset) if offset else timedelta()
        if shift is None:
            return Outcome(failure=cells.NOT_A_TIME)
        elapsed = moment - datetime(1970, 1, 1) - shift  # noqa: DTZ001 - clock readings, no zone
        count = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000_000
        count += int(fraction.ljust(9, "0"))
        margin = 0 if offset else _DAY_NS
        if not -(1 << 63) + margin <= count < (1 << 63) - margin:
            return Outcome(failure=cells.REPR_OVERFLOW)
        return Outcome(count) if offset or clock is None else _localised(count, clock, text)

    return convert


def _localised(count: int, clock: Clock, text: str) -> Outcome:
    """A local time, as nanoseconds on its clock since 1970, as an instant."""
    found = localise(pa.array([count], _LOCAL), clock, pa.array([text]))
    if found.failures:
        return Outcome(failure=found.failures[0].code)
    coercion = cells.LOCAL_TIME_RESOLVED if +found.coercions else None
    return Outcome(found.values.cast(pa.int64())[0].as_py(), coercion=coercion)


def _offset(text: str) -> timedelta | None:
    if text in "Zz":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        return None
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)
