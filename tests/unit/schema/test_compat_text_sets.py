"""Languages of strings: what the automata say is what the row oracle does."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickmesh.schema import parse_document
from tickmesh.schema.compatibility.automata import PatternWalker
from tickmesh.schema.compatibility.budget import Budget
from tickmesh.schema.compatibility.pattern_syntax import NotRegularError
from tickmesh.schema.compatibility.text_sets import NONE, TextSets, formula_of, matching
from tickmesh.schema.oracle import validator_of, with_pattern_engine
from tickmesh.schema.patterns import for_oracle

_ATOM = st.sampled_from(
    ["a", "b", "A", "0", ".", r"\d", r"\w", r"\s", r"\S", r"\W", "[ab]", "[^a]", "[a-c0-9]", r"\.",
     r"[^\s]", "é", r"\u2028", r"[\w-]", "^", "$", "-", "/"]
)  # fmt: skip
_COUNT = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])
_TEXT = st.text(alphabet="abcA0 .\n\r\u2028é-/_", max_size=6)


def _repeated(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("({}){}".format, inner, _COUNT)
    choice = st.builds("(?:{}|{})".format, inner, inner)
    return st.one_of(group, choice, st.builds("{}{}".format, inner, inner))


_SINGLE = st.one_of(
    _ATOM, st.builds("{}{}".format, _ATOM.filter(lambda atom: atom not in "^$"), _COUNT)
)
_PATTERN = st.recursive(_SINGLE, _repeated, max_leaves=5)


def _accepts(pattern: str, text: str) -> bool:
    walker = PatternWalker(pattern)
    budget = Budget(steps=100_000, seconds=60)
    state = walker.start
    for character in text:
        settled = walker.settled(state)
        state = walker.step(state, ord(character), budget)
        assert settled is None or walker.accepts(state) is settled
    return walker.accepts(state)


def _matches(pattern: str, text: str) -> bool:
    matched: bool = with_pattern_engine(
        lambda engine: jsonschema_rs.Draft202012Validator(
            {"pattern": for_oracle(pattern)}, pattern_options=engine
        )
    ).is_valid(text)
    return matched


def test_the_oracle_reads_a_repeated_character_around_others_right() -> None:
    """The engine with look-around merges the two runs: it takes one character for both."""
    assert not _matches("0+a*0+", "0")
    assert _matches("0+a*0+", "00")
    assert not validator_of(parse_document('{"pattern": "0+a*0+"}')).is_valid("0")


@settings(max_examples=400, deadline=None)
@given(_PATTERN, st.lists(_TEXT, min_size=5, max_size=10))
def test_an_automaton_accepts_what_the_oracle_matches(pattern: str, texts: list[str]) -> None:
    for text in texts:
        assert _accepts(pattern, text) is _matches(pattern, text), (pattern, text)


@settings(max_examples=300, deadline=None)
@given(_PATTERN, _PATTERN, st.lists(_TEXT, min_size=5, max_size=10))
def test_containment_holds_of_every_text_and_an_example_refutes_it(
    narrow: str, wide: str, texts: list[str]
) -> None:
    answer = TextSets().within(matching(narrow), matching(wide))
    if answer.contained:
        assert all(_matches(wide, text) for text in texts if _matches(narrow, text))
    if answer.example is not None:
        assert _matches(narrow, answer.example)
        assert not _matches(wide, answer.example)


@pytest.mark.parametrize(
    ("narrow", "wide", "contained"),
    [
        ("^[A-Z]{1,4}$", "^[A-Z]{1,5}$", True),
        ("^[A-Z]{1,5}$", "^[A-Z]{1,4}$", False),
        ("^[0-9]+$", r"^\d\d*$", True),
        ("^ab$", "ab", True),
        ("ab", "^ab$", False),
        ("^(?:a|b)*$", "^[ab]*$", True),
        ("^$", "", True),
        (".", r"[\s\S]", True),
        (r"[\s\S]", ".", False),
        ("a^", "b", True),
    ],
)
def test_patterns_are_compared_by_what_they_match(narrow: str, wide: str, contained: bool) -> None:
    answer = TextSets().within(matching(narrow), matching(wide))
    assert answer.contained is contained
    assert (answer.example is None) is contained


@pytest.mark.parametrize(
    "pattern",
    [r"(?=a)b", r"(a)\1", r"\bword", r"\p{L}", "(?!x)", "[a&&b]", "[[a]]", "a**", "a{1,5000}",
     "((a{1,50}){1,50}){1,50}", "(a", "a)", "[z-a]", "[]", "*a"],
)  # fmt: skip
def test_what_is_no_plain_regular_language_is_declined(pattern: str) -> None:
    with pytest.raises(NotRegularError):
        PatternWalker(pattern)


def _formula(schema: Any) -> Any:
    document = parse_document(json.dumps(schema))
    return formula_of([document.root], document, annotate_formats=False)


@pytest.mark.parametrize(
    ("narrow", "wide", "contained"),
    [
        ({"pattern": "^[A-Z]{1,4}$"}, {"maxLength": 4, "minLength": 1}, True),
        ({"pattern": "^[A-Z]+$", "maxLength": 2}, {"pattern": "^[A-Z]{1,2}$"}, True),
        ({"anyOf": [{"pattern": "^a$"}, {"const": "b"}]}, {"enum": ["a", "b", 3]}, True),
        ({"oneOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, {"not": {"pattern": "^a.*b$"}}, True),
        ({"format": "date", "maxLength": 10}, {"format": "date"}, True),
        ({"format": "date"}, {"format": "time"}, False),
        ({"format": "date"}, {"anyOf": [{"format": "date"}, {"type": "integer"}]}, True),
        ({"pattern": "(?=a)b", "minLength": 3}, {"pattern": "(?=a)b", "minLength": 2}, True),
        ({"if": {"minLength": 2}, "then": {"pattern": "^a"}}, {"maxLength": 1}, False),
        ({"if": {"minLength": 2}, "then": {"pattern": "^aa$"}}, {"maxLength": 2}, True),
        ({"type": "integer"}, {"pattern": "^z$"}, True),
        ({"minLength": 400}, {"minLength": 399}, False),
    ],
)
def test_all_that_is_said_of_strings_is_compared(narrow: Any, wide: Any, contained: bool) -> None:
    """`False` where formats or lengths out of reach leave it open, or a string refutes it."""
    assert TextSets().within(_formula(narrow), _formula(wide)).contained is contained


def test_the_library_of_the_oracle_reads_patterns_as_ecma_262_does() -> None:
    r"""``.`` matches no line end, neither in ``pattern`` nor in ``patternProperties``."""
    document = parse_document(json.dumps({"pattern": "^.$", "patternProperties": {"^.$": False}}))
    validator = validator_of(document)
    for character in "\n\r\u2028\u2029":
        assert not validator.is_valid(character)
        assert validator.is_valid({character: 1})
    assert validator.is_valid("a")
    assert not validator.is_valid({"a": 1})


def test_a_set_that_no_string_is_in_lies_within_nothing() -> None:
    assert TextSets().within(_formula({"pattern": "^a$", "minLength": 2}), NONE).contained
