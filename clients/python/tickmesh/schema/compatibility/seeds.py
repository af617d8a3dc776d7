"""Values worth trying at one place: the edges that both versions draw there."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.compatibility.sample_strings import sample_strings
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tickmesh.schema.location import Location

_LONGEST_STRING = 10_000
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_FORMATS = {
    "date-time": ("2024-01-02T03:04:05Z", "2024-02-29T23:59:59.123456789+01:00"),
    "date": ("2024-01-02", "2024-02-29"),
    "time": ("03:04:05Z", "23:59:59.5+02:00"),
    "duration": ("P1D", "PT1H"),
    "email": ("a@example.com",),
    "hostname": ("example.com",),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1",),
    "uri": ("https://example.com/a",),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000",),
    "json-pointer": ("/a/0",),
    "regex": ("^a$",),
}
_STRINGS = ("a", "A", "0", "", "é", "AAPL", "x y", "1", "-", "2024-01-02", "a" * 64)
_NUMBERS = (1, 0, -1, 2, 100, 1.5, 0.25, -0.5, 10**6, 1e-9, 2**53 + 1, -(2**63), 2**64, 1e300)


_FACTORS = (1, 2, 3, 7, 11, 1000, -1, Decimal("0.5"), Decimal("1.1"))
ATOMS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 2, 3, 10, "", "a", "foo", "bar", [], {}, [1], [[]]),
    *({"a": 1}, {"foo": "bar"}, [1, 1], [1, "a"], "a" * 30, 1e300, -5, 100, "é", [{}], [None]),
)
"""Values of every type, for places about which the schemas say little."""


def hints(locations: Iterable[Location]) -> Iterator[Mapping[str, Any]]:
    """Yield the keywords that speak about values of a place, also inside ``not`` and ``if``."""
    for location in locations:
        for part in location.parts:
            yield part.keywords
            for keyword in ("not", "if"):
                inner = part.keywords.get(keyword)
                if isinstance(inner, dict):
                    nested = type(location)(location.document, ((inner, True),))
                    yield from hints([nested])


def stated_values(locations: Iterable[Location]) -> list[Any]:
    """Return the constants that locations name: enums, consts, defaults and examples."""
    found: list[Any] = []
    for keywords in hints(locations):
        found += keywords.get("enum", ())
        found += keywords.get("examples", ()) if isinstance(keywords.get("examples"), list) else ()
        found += [keywords[name] for name in ("const", "default") if name in keywords]
    return [plain(value) for value in unique(found)]


def unique(values: Iterable[Any]) -> list[Any]:
    """Return the values without repetition, in order; 1 and 1.0 are one value."""
    return list({canonical_json(value): value for value in values}.values())


def numbers(locations: Iterable[Location]) -> Iterator[Any]:
    """Yield numbers at and around every bound and multiple named, as JSON readers have them."""
    for number in _exact_numbers(locations):
        usual = plain(number)
        if not isinstance(usual, float) or math.isfinite(usual):
            yield usual


def _exact_numbers(locations: Iterable[Location]) -> Iterator[Any]:
    for keywords in hints(locations):
        for bound in _BOUNDS:
            if bound in keywords:
                yield from _around(keywords[bound])
        step = keywords.get("multipleOf")
        if step is not None:
            yield from (step * factor for factor in _FACTORS)
    yield from _NUMBERS


def matching_names(patterns: Iterable[str]) -> list[str]:
    """Return a few names for each pattern of ``patternProperties``."""
    return [name for pattern in patterns for name in sample_strings(pattern)[:2]]


def _around(bound: int | Decimal) -> Iterator[Any]:
    yield bound
    for step in (1, -1, 10, -10):
        yield bound + step
    for fraction in (Decimal("0.5"), Decimal("-0.5"), Decimal("0.01"), Decimal("-0.01")):
        yield bound + fraction


def strings(locations: Iterable[Location]) -> Iterator[str]:
    """Yield strings of every length, pattern and format named."""
    for keywords in hints(locations):
        yield from _FORMATS.get(keywords.get("format", ""), ())
        if "pattern" in keywords:
            yield from sample_strings(keywords["pattern"])
        for bound in ("minLength", "maxLength"):
            if bound in keywords:
                length = keywords[bound]
                for each in (length, length - 1, length + 1):
                    if 0 <= each <= _LONGEST_STRING:
                        yield "a" * each
    yield from _STRINGS
