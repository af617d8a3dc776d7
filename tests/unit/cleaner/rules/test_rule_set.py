"""The rules of a schema together: reasons, memory, flags, fingerprints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cleaner.rules.tables import Verdicts, at, table
from tickmesh.schema import parse_schema, project
from tickmesh_cleaner.rules import RuleError, RuleState, compile_rules, memory

ALL_RULES: dict[str, Any] = {
    "x-tick-session": "24x7",
    "x-tick-crossed": True,
    "x-tick-order": True,
    "x-tick-duplicates": True,
    "x-tick-quote-bounds": True,
    "x-tick-spread": True,
    "x-tick-mid-deviation": True,
}


def test_a_row_has_all_the_reasons_of_the_rules_that_need_no_memory() -> None:
    rules = table(
        {"x-tick-session": "XNYS", "x-tick-crossed": True, "x-tick-order": True},
        price={"x-tick-size": 0.01},
    )
    night = 1_709_881_200_000_000_000
    ruling = rules.judge([{"ts": night, "price": 1.005, "bid": 2.0, "ask": 1.0}])
    assert [reason.code for reason in ruling.held[0]] == [
        "TICK_SESSION",
        "TICK_SIZE",
        "TICK_CROSSED",
    ]


def test_what_is_held_back_shapes_no_later_verdict() -> None:
    rules = table({"x-tick-order": True, "x-tick-crossed": True, "x-tick-duplicates": True})
    rows = [
        {"ts": at(1), "bid": 1.0, "ask": 2.0},
        # From the future and crossed: were it remembered, the next row would come too late.
        {"ts": at(99), "bid": 3.0, "ask": 2.0},
        {"ts": at(2), "bid": 1.0, "ask": 2.0},
        # Sent twice: left out, not late.
        {"ts": at(1), "bid": 1.0, "ask": 2.0},
    ]
    assert Verdicts.of(rules.judge(rows)) == Verdicts({1: ("TICK_CROSSED",)}, (3,), (0,) * 4)


def test_the_state_as_text_gives_the_same_state_and_the_same_text_again() -> None:
    rules = table(ALL_RULES, price={"x-tick-brownlees-gallo": {"granularity": 0.01}})
    rows = [
        {"ts": at(row), "symbol": "AB"[row % 2], "price": 1.0, "bid": 1.0, "ask": 2.0, "id": row}
        for row in range(100)
    ]
    text = rules.judge(rows).after.to_text()
    again = RuleState.from_text(text)
    assert again.to_text() == text
    assert (again.symbols, again.batches) == (("A", "B"), 1)
    assert RuleState.from_text("") == RuleState()
    assert rules.judge(rows).after.to_text() == text


def test_judging_changes_nothing_of_the_state_before() -> None:
    rules = table(ALL_RULES, price={"x-tick-brownlees-gallo": {"granularity": 0.01}})
    rows = [{"ts": at(row), "price": 1.0, "bid": 1.0, "ask": 2.0, "id": row} for row in range(50)]
    before = rules.judge(rows).after
    text = before.to_text()
    first = rules.rules.judge(rules.batch(rows), before)
    assert before.to_text() == text
    again = rules.rules.judge(rules.batch(rows), before)
    assert again.after.to_text() == first.after.to_text()


def test_beyond_the_bound_the_symbols_seen_longest_ago_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "SYMBOLS_KEPT", 3)
    rules = table({"x-tick-order": True})

    def judge(symbols: str, seconds: float, before: RuleState) -> Any:
        rows = [{"ts": at(seconds), "symbol": symbol} for symbol in symbols]
        return rules.rules.judge(rules.batch(rows), before)

    state = judge("ABC", 10, RuleState()).after
    state = judge("A", 11, state).after
    state = judge("DE", 12, state).after
    assert state.symbols == ("A", "D", "E")
    late = judge("AB", 5, state)
    assert list(late.held) == [0]


def test_a_rule_with_other_parameters_begins_anew_and_the_others_go_on() -> None:
    before = table({"x-tick-order": True, "x-tick-spread": {"window": 4}})
    rows = [{"ts": at(10), "symbol": "A", "bid": 1.0, "ask": 2.0}]
    state = before.judge(rows).after
    later = table({"x-tick-order": True, "x-tick-spread": {"window": 5}})
    assert before.rules.fingerprint != later.rules.fingerprint
    ruling = later.rules.judge(later.batch([{"ts": at(9), "symbol": "A"}]), state)
    assert list(ruling.held) == [0]


def test_fingerprints_cover_parameters_places_and_data() -> None:
    calendar: dict[str, Any] = {
        "zone": "UTC",
        "version": "1",
        "sessions": [{"days": ["mon"], "open": "00:00", "close": "24:00"}],
    }
    sets = [
        table(),
        table({"x-tick-session": {"calendar": calendar}}),
        table({"x-tick-session": {"calendar": {**calendar, "version": "2"}}}),
        table({"x-tick-session": {"calendar": calendar, "severity": "flag"}}),
        table(price={"x-tick-size": 0.01}),
        table(bid={"x-tick-size": 0.01}),
        table(bid={"x-tick-size": 0.010}),
    ]
    prints = [each.rules.fingerprint for each in sets]
    assert prints[0] == ""
    assert not sets[0].rules
    assert len(set(prints)) == len(prints) - 1
    assert prints[-1] == prints[-2]


def test_flags_are_stored_in_the_field_that_asks_for_them_beside_what_it_held() -> None:
    rules = table(
        {"x-tick-crossed": {"severity": "flag"}, "x-tick-order": True},
        quality={"type": "integer", "arrow": "int32", "x-tick-flags": True},
    )
    ruling = rules.judge(
        [
            {"ts": at(0), "bid": 2.0, "ask": 1.0},
            {"ts": at(1), "bid": 2.0, "ask": 1.0, "quality": 1 << 20},
            {"ts": at(2), "bid": 1.0, "ask": 2.0},
        ]
    )
    assert ruling.columns["quality"].to_pylist() == [4, 4 | 1 << 20, 0]
    assert str(ruling.columns["quality"].type) == "int32"
    assert ruling.flagged == {"TICK_CROSSED": 2}


def test_only_flagged_rows_that_stay_are_counted() -> None:
    rules = table(
        {"x-tick-crossed": {"severity": "flag"}, "x-tick-order": True},
        price={"x-tick-size": 0.01},
    )
    ruling = rules.judge([{"ts": at(0), "bid": 2.0, "ask": 1.0, "price": 1.005}])
    assert list(ruling.held) == [0]
    assert ruling.flagged == {}


def test_no_rows_are_judged_as_gladly_as_many() -> None:
    rules = table(ALL_RULES, price={"x-tick-brownlees-gallo": {"granularity": 0.01}})
    for ruling in (rules.judge([]), rules.judge_whole([])):
        assert Verdicts.of(ruling) == Verdicts({}, (), ())


WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("unknown rule", {"x-tick-sesion": "XNYS"}, {}, "/x-tick-sesion", "there is no rule"),
    (
        "unknown parameter",
        {"x-tick-order": {"strict": True}},
        {},
        "/x-tick-order/strict",
        "no para",
    ),
    ("no object", {"x-tick-order": 7}, {}, "/x-tick-order", "expected true or an object"),
    ("false", {"x-tick-order": False}, {}, "/x-tick-order", "expected true or an object"),
    ("severity", {"x-tick-order": {"severity": "repair"}}, {}, "/x-tick-order/severity", "one of"),
    ("no such field", {"x-tick-order": {"by": "time"}}, {}, "/x-tick-order/by", "no field 'time'"),
    ("field type", {"x-tick-crossed": {"bid": "symbol"}}, {}, "/x-tick-crossed/bid", "numbers"),
    ("calendar", {"x-tick-session": "XLON"}, {}, "/x-tick-session/calendar", "24x7, FX, XNYS"),
    (
        "calendar zone",
        {"x-tick-session": {"calendar": {"zone": "Mars/Base", "sessions": [{}]}}},
        {},
        "/x-tick-session/calendar/zone",
        "an IANA time zone",
    ),
    (
        "calendar session",
        {"x-tick-session": {"calendar": {"zone": "UTC", "sessions": [{}]}}},
        {},
        "/x-tick-session/calendar/sessions/0",
        "a session with days, open and close",
    ),
    (
        "calendar time",
        {
            "x-tick-session": {
                "calendar": {
                    "zone": "UTC",
                    "sessions": [{"days": ["mon"], "open": "9:30", "close": "16:00"}],
                }
            }
        },
        {},
        "/x-tick-session/calendar/sessions/0/open",
        "a time such as 09:30",
    ),
    (
        "calendar date",
        {
            "x-tick-session": {
                "calendar": {
                    "zone": "UTC",
                    "sessions": [{"days": ["mon"], "open": "09:30", "close": "16:00"}],
                    "closed": ["2024-02-30"],
                }
            }
        },
        {},
        "/x-tick-session/calendar/closed/0",
        "a date such as",
    ),
    ("place", {"x-tick-size": 0.01}, {}, "/x-tick-size", "stands at a field"),
    (
        "row rule",
        {},
        {"price": {"x-tick-order": True}},
        "/properties/price/x-tick-order",
        "the row",
    ),
    ("text", {}, {"symbol": {"x-tick-size": 1}}, "/properties/symbol/x-tick-size", "numbers"),
    ("tick", {}, {"price": {"x-tick-size": 0}}, "/properties/price/x-tick-size/tick", "above 0"),
    (
        "levels",
        {},
        {"price": {"x-tick-size": {"levels": [{"from": 1, "tick": 1}]}}},
        "/properties/price/x-tick-size/levels/0/from",
        "begin at 0",
    ),
    ("window", {"x-tick-spread": {"window": 1.5}}, {}, "/x-tick-spread/window", "of at least 4"),
    (
        "table",
        {},
        {"condition": {"x-tick-conditions": "cts"}},
        "/properties/condition/x-tick-conditions/table",
        "us-equity-sales",
    ),
    (
        "table code",
        {},
        {"condition": {"x-tick-conditions": {"table": {"codes": {"A": {"lst": True}}}}}},
        "/properties/condition/x-tick-conditions/table/codes/A/lst",
        "expected name, or one of",
    ),
    ("flags", {"x-tick-flags": True}, {}, "/x-tick-flags", "a field of integers"),
    ("ids", {"x-tick-duplicates": {"by": ["uid"]}}, {}, "/x-tick-duplicates/by/0", "no field"),
    (
        "nested",
        {},
        {"book": {"type": "object", "properties": {"p": {"type": "number", "x-tick-size": 1}}}},
        "/properties/book/properties/p/x-tick-size",
        "would never count here",
    ),
    ("conditional", {"if": {"x-tick-order": True}}, {}, "/if/x-tick-order", "would never count"),
]


@pytest.mark.parametrize(
    ("row_rules", "fields", "pointer", "message"),
    [case[1:] for case in WRONG],
    ids=[case[0] for case in WRONG],
)
def test_a_wrong_rule_is_refused_with_its_place(
    row_rules: dict[str, Any], fields: dict[str, Any], pointer: str, message: str
) -> None:
    with pytest.raises(RuleError) as refused:
        table(row_rules, **fields)
    assert refused.value.pointer == pointer
    assert message in refused.value.message


def test_rules_count_through_references_and_all_of() -> None:
    text = json.dumps(
        {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/$defs/price"},
                "b": {"allOf": [{"$ref": "#/$defs/price"}]},
            },
            "allOf": [{"x-tick-duplicates": {"by": ["a"], "severity": "reject"}}],
            "$defs": {"price": {"type": "number", "x-tick-size": 0.5}},
        }
    )
    document = parse_schema(text)
    rules = compile_rules(document, project(document, subject="ticks.test", version=1))
    found = [(rule.keyword, rule.schema_path, rule.instance_path) for rule in rules.rules]
    assert found == [
        ("x-tick-size", "/$defs/price/x-tick-size", "/a"),
        ("x-tick-size", "/$defs/price/x-tick-size", "/b"),
        ("x-tick-duplicates", "/allOf/0/x-tick-duplicates", ""),
    ]
