"""Kernels for `format`: the formats that are regular languages, exactly; the others row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.keywords import Dialect
from tickmesh.schema.validation import kernels
from tickmesh.schema.validation.logical import Kind
from tickmesh.schema.validation.masks import VALID, Mask
from tickmesh.schema.validation.plan import Fixed, Kernel, row_by_row

if TYPE_CHECKING:
    from tickmesh.schema.validation.cells import Cells

_LEAP_CENTURIES = "(?:[02468][048]|[13579][26])00"
_LEAP_YEARS = "[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
_DATE = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|(?:{_LEAP_CENTURIES}|{_LEAP_YEARS})-02-29)"
)
_OFFSET = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_HOUR_MINUTE}:[0-5][0-9](?:\.[0-9]+)?{_OFFSET}"
# A leap second is valid only at 23:59:60 UTC, which no regular language says: undecided.
_LEAP_TIME = rf"{_HOUR_MINUTE}:60(?:\.[0-9]+)?{_OFFSET}"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = "[0-9A-Fa-f]"

# The language of each format, and the part of it that is left undecided.
_LANGUAGES = {
    "date": (_DATE, None),
    "time": (_TIME, _LEAP_TIME),
    "date-time": (f"{_DATE}[Tt]{_TIME}", f"{_DATE}[Tt]{_LEAP_TIME}"),
    "ipv4": (rf"{_OCTET}(?:\.{_OCTET}){{3}}", None),
    "uuid": (f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}", None),
    "json-pointer": ("(?s:(?:/(?:[^~/]|~[01])*)*)", None),
}
_ROW_BY_ROW = frozenset(
    {
        "duration",
        "email",
        "hostname",
        "idn-email",
        "idn-hostname",
        "ipv6",
        "iri",
        "iri-reference",
        "regex",
        "relative-json-pointer",
        "uri",
        "uri-reference",
        "uri-template",
    }
)
_NEW_IN_2019 = frozenset({"duration", "uuid"})

_NO_VERDICT = pa.scalar(None, pa.bool_())

# The years RFC 3339 can write, as instants of each unit.
_FIRST_SECOND, _LAST_SECOND = -62135596800, 253402300799
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6}


def assertion(name: str, kind: Kind, data_type: pa.DataType, dialect: Dialect) -> Kernel:
    """The kernel of a format; an unknown format asserts nothing."""
    if dialect is Dialect.DRAFT_07 and name in _NEW_IN_2019:
        return Fixed(VALID, "the format is unknown to draft-07: it asserts nothing")
    if name in _LANGUAGES:
        if kind is Kind.STRING:
            return _Language(*_LANGUAGES[name])
        if kind is Kind.TEMPORAL:
            return _temporal(name, data_type)
        return row_by_row(f"a {data_type} is written as text only for the row oracle")
    if name in _ROW_BY_ROW:
        return row_by_row(f"{name} is no regular language")
    return Fixed(VALID, "the format is unknown: it asserts nothing")


class _Language:
    def __init__(self, language: str, undecided: str | None) -> None:
        self.detail = f"RE2 {language}"
        self._options = pc.MatchSubstringOptions(rf"\A(?:{language})\z")
        self._undecided = undecided and pc.MatchSubstringOptions(rf"\A(?:{undecided})\z")

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        mask = kernels.match_regex([cells.array], self._options)
        if mask.true_count + cells.missing == cells.length:
            return VALID
        if not self._undecided:
            return mask
        unsure = kernels.match_regex([cells.array], self._undecided)
        return kernels.if_else_mask([unsure, _NO_VERDICT, mask])


def _temporal(name: str, data_type: pa.DataType) -> Kernel:
    """Timestamps, dates and times are well formed by type, as far as their text has a year."""
    if name == "date-time" and pt.is_timestamp(data_type) and data_type.tz is not None:
        if data_type.unit == "ns":
            return Fixed(VALID)
        scale = _UNITS[data_type.unit]
        return _Years(_FIRST_SECOND * scale, (_LAST_SECOND + 1) * scale - 1)
    if name == "date" and pt.is_date32(data_type):
        return _Years(_FIRST_SECOND // 86400, _LAST_SECOND // 86400)
    if name == "time" and pt.is_time(data_type):
        return Fixed(VALID)
    return row_by_row(f"a {data_type} is written as text only for the row oracle")


class _Years:
    """Years of four digits; what the text of another year is, the oracle says."""

    proof = "the least and the greatest instant of a batch without nulls"

    def __init__(self, first: int, last: int) -> None:
        self.detail = f"within [{first}, {last}]"
        self._first, self._last = first, last

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        extremes = cells.extremes
        if extremes is not None and extremes[0] >= self._first and extremes[1] <= self._last:
            return VALID
        numbers = cells.numbers
        written = (numbers >= self._first) & (numbers <= self._last)
        if cells.missing:
            written |= cells.absent
        return VALID if written.all() else pa.array(written, mask=~written)
