"""Spans of time as people give them, in nanoseconds."""

from __future__ import annotations

import datetime as dt
import operator
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Duration: TypeAlias = int | str | dt.timedelta | pd.Timedelta | np.timedelta64

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_PART = r"\d+(?:ns|us|ms|s|m|h|d)"
_TEXT = re.compile(rf"(?:{_PART})+")
_LONGEST_NS = 2**63 - 1


def duration_ns(value: Duration, *, name: str) -> int:
    """Turn a span of time into nanoseconds.

    Args:
        value: An int (nanoseconds), text of whole numbers and units (`"250ms"`, `"1h30m"`; units
            ns, us, ms, s, m, h, d of 24 hours), a timedelta, a pandas Timedelta or a numpy
            timedelta64.
        name: The argument's name, for messages.

    Raises:
        InvalidArgumentError: it cannot be read, is negative, or is longer than 292 years.
    """
    if isinstance(value, str):
        nanoseconds = _from_text(value, name)
    elif isinstance(value, dt.timedelta):
        # A pandas Timedelta is a timedelta that also knows nanoseconds.
        whole = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
        nanoseconds = whole * 1_000 + int(getattr(value, "nanoseconds", 0))
    elif getattr(getattr(value, "dtype", None), "kind", "") == "m":
        nanoseconds = int(value.astype("timedelta64[ns]").astype("int64"))  # type: ignore[union-attr]  # a numpy scalar, told by its dtype
    else:
        nanoseconds = _from_integer(value, name)
    if not 0 <= nanoseconds <= _LONGEST_NS:
        raise InvalidArgumentError(f"{name} must be 0 to 292 years; it was {value!r}.")
    return nanoseconds


def duration_text(nanoseconds: int) -> str:
    """The shortest text of a span in one unit: `"90s"`, `"250ms"`."""
    unit = next(unit for unit, factor in reversed(_UNITS_NS.items()) if nanoseconds % factor == 0)
    return f"{nanoseconds // _UNITS_NS[unit]}{unit}"


def _from_text(text: str, name: str) -> int:
    written = text.replace(" ", "").replace("µ", "u")
    if not _TEXT.fullmatch(written):
        raise InvalidArgumentError(
            f'{name}={text!r} is no span of time; write "1s", "250ms", "5m", "1h30m" or "1d", or '
            "give a timedelta or int nanoseconds."
        )
    parts = re.findall(r"(\d+)([a-z]+)", written)
    return sum(int(number) * _UNITS_NS[unit] for number, unit in parts)


def _from_integer(value: Any, name: str) -> int:
    if isinstance(value, bool):
        value = None
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidArgumentError(
            f'{name} must be text such as "1m", a timedelta or int nanoseconds; it was '
            f"{type(value).__name__}."
        ) from None
