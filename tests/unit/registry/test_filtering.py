"""The filter language: what it means, what it refuses, and that nothing makes it hang."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_registry.domain.errors import InvalidArgumentError
from tickmesh_registry.domain.filtering import FieldKind, FilterField, parse_filter
from tickmesh_registry.domain.filtering.parser import MAX_NESTING, MAX_RESTRICTIONS
from tickmesh_registry.domain.filtering.pattern import Pattern
from tickmesh_registry.domain.filtering.tokens import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Thing:
    name: str = "ticks.trades"
    version: int = 3
    state: str = "active"
    at_ns: int = 1_000_000_000
    labels: dict[str, str] = field(default_factory=dict)


FIELDS: tuple[FilterField[Thing], ...] = (
    FilterField("name", FieldKind.STRING, lambda thing: thing.name),
    FilterField("version", FieldKind.INTEGER, lambda thing: thing.version),
    FilterField("state", FieldKind.CHOICE, lambda thing: thing.state, ("active", "deleted")),
    FilterField("at", FieldKind.INSTANT, lambda thing: thing.at_ns),
    FilterField("labels", FieldKind.MAP, lambda thing: thing.labels),
)


def matches(text: str, **values: Any) -> bool:
    return parse_filter(text, FIELDS).matches(Thing(**values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("   ", True),
        ('name = "ticks.trades"', True),
        ("name = ticks.trades", True),
        ("name=ticks.*", True),
        ("name = *.quotes", False),
        ("name != *.quotes", True),
        (r'name = "ticks\*"', False),
        ("name:TRADE", True),
        ("name:*", True),
        ("name > ticks.quotes", True),
        ("version = 3 AND state = active", True),
        ("version = 3 state = ACTIVE", True),
        ("version >= 4 OR version < 3", False),
        ("version != -3", True),
        ("NOT version = 3", False),
        ("-version = 3", False),
        ("- (version = 4)", True),
        ("-(version = 4 OR state = deleted)", True),
        ("state : active", True),
        ("at = 1970-01-01T00:00:01Z", True),
        ('at = "1970-01-01T01:00:01+01:00"', True),
        ("at < 1970-01-01T00:00:01.000000001z", True),
        ("at >= 1969-12-31T23:59:59.5Z", True),
        ("labels:team", True),
        ("labels:te*", True),
        ("labels:other", False),
        ("labels.team = equities", True),
        ("labels.team:EQUIT", True),
        ("labels.team:*", True),
        ("labels.other:*", False),
        ("labels.other = x", False),
        ("labels.other != x", True),
        ('labels."odd key" = 1', True),
    ],
)
def test_a_filter_means_what_the_page_says(text: str, *, expected: bool) -> None:
    labels = {"team": "equities", "odd key": "1"}
    assert matches(text, labels=labels) is expected


def test_or_binds_tighter_than_and() -> None:
    """AIP-160: `a AND b OR c` is `a AND (b OR c)`."""
    assert not matches("version = 4 AND state = deleted OR state = active")
    assert matches("version = 3 AND state = deleted OR state = active")


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("price = 1", 0, "there is no field 'price' here; there are name, version, state"),
        ("version = high", 10, "version is an integer, got 'high'"),
        ("version = 1.5", 10, "an integer"),
        ("version = 99999999999999999999", 10, "an integer"),
        ("version = 9999999999999999999", 10, "64 bits"),
        ("state = gone", 8, "one of active, deleted"),
        ("state < active", 8, "no order"),
        ("at = 2026-01-31", 5, "RFC 3339"),
        ("at = 2026-01-31T09:30:00", 5, "offset"),
        ("at = 2026-02-30T09:30:00Z", 5, "RFC 3339"),
        ("at = 9999-01-01T00:00:00Z", 5, "2262"),
        ("at = 5", 5, "RFC 3339"),
        ("labels = x", 9, "labels.KEY"),
        ("labels. = x", 7, "expected a key"),
        ("labels.k < a*", 11, "wildcards"),
        ("trades", 0, "no field"),
        ("name", 4, "a value on its own is not searched for"),
        ('"trades"', 0, "expected a field"),
        ("name =", 6, "expected a value"),
        ("name = AND version = 1", 7, "expected a value"),
        ("AND", 0, "expected a field"),
        ("name = a AND", 12, "expected a field"),
        ("name = a)", 8, "expected AND or the end"),
        ("(name = a", 9, "expected ')' for the '(' at position 0"),
        ('name = "a', 7, "does not end"),
        ("name = a, version = 1", 8, "no place in a filter"),
        ("()", 1, "expected a field"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_position(
    text: str, position: int, says: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_filter(text, FIELDS)
    assert caught.value.metadata == {"field": "filter", "position": str(position)}
    assert says in caught.value.message
    assert caught.value.violations[0][0] == "filter"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4_000,
        "(" * 1_000 + "version = 3" + ")" * 1_000,
        "NOT " * 1_000,
        "x" * (MAX_LENGTH + 1),
        "(" * (MAX_NESTING + 1) + "version = 3" + ")" * (MAX_NESTING + 1),
        " ".join(["version = 3"] * (MAX_RESTRICTIONS + 1)),
    ],
)
def test_a_hostile_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_filter(text, FIELDS)


def test_the_bounds_themselves_are_good() -> None:
    assert matches("(" * MAX_NESTING + "version = 3" + ")" * MAX_NESTING)
    assert matches(" ".join(["version = 3"] * MAX_RESTRICTIONS))
    assert matches("NOT " * 1_000 + "version = 3")


def test_a_pattern_of_many_wildcards_takes_linear_time() -> None:
    """What would take a backtracking matcher longer than the age of the universe."""
    assert not Pattern.of("*a" * 40 + "b").matches("a" * 100_000)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        answer = parse_filter(text, FIELDS).matches(Thing())
    except InvalidArgumentError as error:
        answer = 0 <= int(error.metadata["position"]) <= len(text)
        assert answer
    assert answer in (True, False)


THINGS = st.builds(
    Thing,
    name=st.sampled_from(["a", "ab", "b"]),
    version=st.integers(1, 3),
    state=st.sampled_from(["active", "deleted"]),
    at_ns=st.sampled_from([0, 1, 1_500_000_000]),
    labels=st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["x", "y"]), max_size=2),
)
Meaning = tuple[str, "Callable[[Thing], bool]"]


def compared(operator: str, left: Any, right: Any) -> bool:
    return bool(
        {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[operator]
    )


def instant_text(at_ns: int) -> str:
    seconds, nanos = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def leaf(operator: str, name: str, version: int, at_ns: int, key: str, *, which: int) -> Meaning:
    return [
        (f"name {operator} {json.dumps(name)}", lambda t: compared(operator, t.name, name)),
        (f"version{operator}{version}", lambda t: compared(operator, t.version, version)),
        (f"at {operator} {instant_text(at_ns)}", lambda t: compared(operator, t.at_ns, at_ns)),
        ("state = deleted", lambda t: t.state == "deleted"),
        (f"labels.{key} != x", lambda t: t.labels.get(key) != "x"),
        (f"labels:{key}", lambda t: key in t.labels),
    ][which]


LEAVES: st.SearchStrategy[Meaning] = st.builds(
    leaf,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["a", "ab", "b"]),
    st.integers(1, 3),
    st.sampled_from([0, 1, 1_500_000_000]),
    st.sampled_from(["k", "l"]),
    which=st.integers(0, 5),
)


def joined(word: str, left: Meaning, right: Meaning) -> Meaning:
    if word == "OR":
        return f"({left[0]}) OR ({right[0]})", lambda t: left[1](t) or right[1](t)
    return f"({left[0]}){word}({right[0]})", lambda t: left[1](t) and right[1](t)


def negated(sign: str, inner: Meaning) -> Meaning:
    return f"{sign}({inner[0]})", lambda t: not inner[1](t)


EXPRESSIONS: st.SearchStrategy[Meaning] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from([" AND ", "OR", " "]), inner, inner),
        st.builds(negated, st.sampled_from(["NOT ", "-", "- "]), inner),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.lists(THINGS, max_size=8))
def test_filters_agree_with_their_meaning(expression: Meaning, things: list[Thing]) -> None:
    text, meaning = expression
    found = parse_filter(text, FIELDS)
    for thing in things:
        assert found.matches(thing) is meaning(thing)
        if found.matches(thing):
            assert all(demand.test()(thing) for demand in found.demands)
