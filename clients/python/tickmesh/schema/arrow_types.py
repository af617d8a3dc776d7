"""The Arrow types that the ``arrow`` keyword may name, and which JSON values each can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGER = frozenset({"integer"})
_NUMBER = frozenset({"integer", "number"})
_STRING = frozenset({"string"})
_PLAIN = {
    **{f"{sign}int{bits}": _INTEGER for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float32": _NUMBER,
    "float64": _NUMBER,
    "bool": frozenset({"boolean"}),
    "utf8": _STRING,
    "large_utf8": _STRING,
    "binary": _STRING,
    "date32": _STRING,
    "dictionary<int32, utf8>": _STRING,
}
_FORMATS = {"date32": "date", "binary": "base64"}
_PARAMETRIC = re.compile(
    r"(?P<decimal>decimal128|decimal256)\((?P<precision>\d{1,2}), ?(?P<scale>\d{1,2})\)"
    r"|scaled_int64\((?P<digits>\d{1,2})\)"
    r"|timestamp\[(?P<instant>s|ms|us|ns)(?:, ?(?P<zone>[A-Za-z][\w/+-]*))?\]"
    r"|(?P<clock>time32\[(?:s|ms)\]|time64\[(?:us|ns)\]|duration\[(?:s|ms|us|ns)\])",
    re.ASCII,
)
_MOST_DIGITS = {"decimal128": 38, "decimal256": 76}
_MOST_SCALED_DIGITS = 18

TAKEN = (
    "int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, bool, utf8, "
    "large_utf8, binary, date32, dictionary<int32, utf8>, decimal128(precision, scale), "
    "decimal256(precision, scale), scaled_int64(scale), timestamp[unit], timestamp[unit, zone], "
    "time32[s or ms], time64[us or ns], duration[unit]"
)


@dataclass(frozen=True, slots=True)
class ArrowType:
    """What an ``arrow`` keyword asks for.

    Attributes:
        type: The Arrow type.
        holds: The JSON types whose values it can hold.
        scale: Digits after the point of a scaled integer, None for any other type.
        format: What the strings that it can hold are, None when any string may be held.
    """

    type: pa.DataType
    holds: frozenset[str]
    scale: int | None = None
    format: str | None = None


@lru_cache(maxsize=1024)
def parse_arrow_type(text: str) -> ArrowType:
    """Read the value of an ``arrow`` keyword.

    Args:
        text: For example ``decimal128(18, 4)``, ``timestamp[ns, UTC]`` or ``scaled_int64(4)``
            (the number times 10^4, kept as int64).

    Raises:
        SchemaError: INVALID_ARROW_TYPE.
    """
    import pyarrow as pa

    if text == "dictionary<int32, utf8>":
        return ArrowType(pa.dictionary(pa.int32(), pa.utf8()), _STRING)
    if text in _PLAIN:
        named: Any = pa.type_for_alias  # the stubs' literal overloads do not fit names from text
        return ArrowType(named(text), _PLAIN[text], format=_FORMATS.get(text))
    found = _PARAMETRIC.fullmatch(text)
    if found is None:
        raise SchemaError(
            "INVALID_ARROW_TYPE",
            f"{text[:80]!r} is no Arrow type taken here; taken are {TAKEN}",
        )
    if found["decimal"]:
        return _decimal(text, found["decimal"], int(found["precision"]), int(found["scale"]))
    if found["digits"]:
        digits = int(found["digits"])
        _require(
            digits <= _MOST_SCALED_DIGITS,
            f"{text!r}: an int64 has at most {_MOST_SCALED_DIGITS} digits after the point",
        )
        return ArrowType(pa.int64(), _NUMBER, scale=digits)
    if found["instant"]:
        return _timestamp(text, found["instant"], found["zone"])
    return _clock(found["clock"])


def _decimal(text: str, name: str, precision: int, scale: int) -> ArrowType:
    import pyarrow as pa

    most = _MOST_DIGITS[name]
    _require(
        1 <= precision <= most and scale <= precision,
        f"{text!r}: precision is 1 to {most}, and scale at most precision",
    )
    make = pa.decimal128 if name == "decimal128" else pa.decimal256
    return ArrowType(make(precision, scale), _NUMBER)


def _timestamp(text: str, unit: Any, zone: str | None) -> ArrowType:
    import pyarrow as pa

    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SchemaError(
                "INVALID_ARROW_TYPE", f"{text[:80]!r}: {zone[:40]!r} is no IANA time zone"
            ) from None
    return ArrowType(
        pa.timestamp(unit, zone),
        frozenset({"integer", "string"}),
        # A reading of a clock without a zone is no instant.
        format="date-time" if zone is not None else "a date and time without an offset",
    )


def _clock(text: str) -> ArrowType:
    import pyarrow as pa

    name, _, unit = text.rstrip("]").partition("[")
    makers: dict[str, Any] = {"time32": pa.time32, "time64": pa.time64, "duration": pa.duration}
    if name == "duration":
        return ArrowType(makers[name](unit), _INTEGER)
    return ArrowType(makers[name](unit), _STRING, format="time")


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - the condition itself
    if not holds:
        raise SchemaError("INVALID_ARROW_TYPE", message)
