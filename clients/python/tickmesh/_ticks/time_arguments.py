"""Instants as people give them, turned into nanoseconds since the epoch without rounding."""

from __future__ import annotations

import datetime as dt
import operator
import re
import zoneinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Instant: TypeAlias = int | str | dt.datetime | dt.date | pd.Timestamp | np.datetime64
    TimeZone: TypeAlias = str | dt.tzinfo

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NANOSECONDS_PER_SECOND = 1_000_000_000
_MIN_NS, _MAX_NS = -(2**63), 2**63 - 1
_TEXT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)


def instant_ns(value: Instant, *, tz: TimeZone | None = None, name: str = "start") -> int:
    """Turn an instant into nanoseconds since the epoch, UTC.

    Args:
        value: An int (nanoseconds since the epoch), a datetime or pandas Timestamp, a date (its
            midnight in `tz`), a numpy datetime64, or ISO 8601 text with up to nine decimals.
        tz: The zone of values that name none: an IANA name or a tzinfo.
        name: The argument's name, for messages.

    Raises:
        InvalidArgumentError: the value names no zone and `tz` is missing, cannot be read, does not
            exist or exists twice in its zone, or lies outside 1677 to 2262.
    """
    zone = time_zone(tz)
    if isinstance(value, str):
        nanoseconds = _from_text(value, zone, name)
    elif isinstance(value, dt.datetime):
        nanoseconds = _from_datetime(value, zone, name)
    elif isinstance(value, dt.date):
        nanoseconds = _localised(dt.datetime.combine(value, dt.time()), zone, name, value)
    elif hasattr(value, "dtype") and getattr(value.dtype, "kind", "") == "M":
        nanoseconds = _from_datetime64(value, zone, name)
    else:
        nanoseconds = _from_integer(value, name)
    if not _MIN_NS <= nanoseconds <= _MAX_NS:
        raise InvalidArgumentError(
            f"{name}={value!r} does not fit nanoseconds since 1970 in 64 bits (1677 to 2262)."
        )
    return nanoseconds


def time_zone(tz: TimeZone | None) -> dt.tzinfo | None:
    """The zone of an IANA name or tzinfo.

    Raises:
        InvalidArgumentError: there is no such zone.
    """
    if not isinstance(tz, str):
        return tz
    try:
        return zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidArgumentError(
            f'tz={tz!r} is no time zone; give an IANA name such as "America/New_York" or "UTC".'
        ) from None


def _from_integer(value: Any, name: str) -> int:
    if isinstance(value, bool):
        value = None
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidArgumentError(
            f"{name} must be int nanoseconds, a datetime, a date or text; it was "
            f"{type(value).__name__}."
        ) from None


def _from_text(text: str, zone: dt.tzinfo | None, name: str) -> int:
    match = _TEXT.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        moment = dt.datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
        if match["zone"]:
            offset = dt.datetime.fromisoformat(f"2000-01-01T00:00{match['zone']}").tzinfo
            moment = moment.replace(tzinfo=offset)
    except ValueError:
        raise InvalidArgumentError(
            f"{name}={text!r} is no time; write 2024-08-08, 2024-08-08T09:30 or "
            "2024-08-08T09:30:00.123456789Z."
        ) from None
    whole = _exact(moment) if moment.tzinfo else _localised(moment, zone, name, text)
    return whole + int((match["fraction"] or "").ljust(9, "0"))


def _from_datetime(value: dt.datetime, zone: dt.tzinfo | None, name: str) -> int:
    # A pandas Timestamp is a datetime that also knows nanoseconds.
    nanosecond = int(getattr(value, "nanosecond", 0))
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if value.tzinfo is None:
        return _localised(value, zone, name, value) + nanosecond
    return _exact(value) + nanosecond


def _from_datetime64(value: Any, zone: dt.tzinfo | None, name: str) -> int:
    nanoseconds = int(value.astype("datetime64[ns]").astype("int64"))
    if nanoseconds == _MIN_NS:
        raise InvalidArgumentError(f"{name} is NaT, which is no time.")
    seconds, rest = divmod(nanoseconds, _NANOSECONDS_PER_SECOND)
    naive = _EPOCH.replace(tzinfo=None) + dt.timedelta(seconds=seconds)
    return _localised(naive, zone, name, value) + rest


def _localised(naive: dt.datetime, zone: dt.tzinfo | None, name: str, given: object) -> int:
    if zone is None:
        raise InvalidArgumentError(
            f"{name}={str(given)!r} names no time zone; pass tz=, as in "
            'tz="America/New_York" or tz="UTC", or int nanoseconds.'
        )
    early = naive.replace(tzinfo=zone, fold=naive.fold)
    if early.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None, fold=0) != naive.replace(
        fold=0
    ):
        raise InvalidArgumentError(
            f"{name}={str(given)!r} does not exist in {zone}: the clock was put forward over it. "
            "Give the instant with an offset."
        )
    if early.replace(fold=0).utcoffset() != early.replace(fold=1).utcoffset():
        raise InvalidArgumentError(
            f"{name}={str(given)!r} happened twice in {zone}: the clock was put back over it. "
            "Give the instant with an offset."
        )
    return _exact(early)


def _exact(moment: dt.datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _NANOSECONDS_PER_SECOND + (
        since.microseconds * 1_000
    )
