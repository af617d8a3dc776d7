"""ECMA-262 patterns become RE2 with the same matches, or are declined."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tickmesh.schema.patterns import for_oracle
from tickmesh.schema.validation import compile_schema, reasons_of_document
from tickmesh.schema.validation.patterns import to_re2


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^a$", ["a"], ["a\n", "ba"]),
        ("a|b$", ["ax", "b"], ["c", "bx"]),
        (".", ["a", "😀"], ["\n", "\r", "\u2028", ""]),
        (r"^\S$", ["a"], ["\ufeff", "\u3000", " "]),
        (r"^[\s]$", ["\u2003"], ["a"]),
        (r"^[^\S]$", ["\u2003"], ["a"]),
        (r"^[\W]$", ["é", "-"], ["_", "a"]),
        (r"^\w\b", ["a", "a b"], ["é", "ab"]),
        (r"^\u00e9\u{1F600}\uD83D\uDE00$", ["é😀😀"], ["e"]),
        (r"^\cJ\x41\0$", ["\nA\0"], ["A"]),
        (r"^[a\-z]$", ["-", "a", "z"], ["b"]),
        (r"^[-a]$", ["-", "a"], ["b"]),
        (r"^[a-]$", ["-", "a"], ["b"]),
        (r"^[[&]$", ["[", "&"], ["]"]),
        (r"^[\b]$", ["\b"], ["b"]),
        ("^[^]$", ["\n", "a"], ["", "ab"]),
        ("^[]$", [], ["", "a"]),
        (r"^(?<year>[0-9]{4})(?:-x)??$", ["2024", "2024-x"], ["24"]),
        ("^a{2,}?$", ["aa", "aaa"], ["a"]),
        (r"^\/\.\$$", ["/.$"], ["/x$"]),
        ("^é$", ["é"], ["e\u0301"]),
    ],
)
def test_translated_pattern(pattern: str, matching: list[str], other: list[str]) -> None:
    translated = to_re2(pattern)
    assert translated is not None
    found = pc.match_substring_regex(pa.array(matching + other, pa.string()), translated)
    assert found.to_pylist() == [True] * len(matching) + [False] * len(other)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", r"(a)\1", r"(?<n>a)\k<n>", r"\p{L}", r"\P{Lu}",
        "(?i)a", "(?i:a)", r"\Aa", r"a\z", r"\Qa\E", "a++", "a**", "*a", "a{", "a{1001}", "}", "]",
        "(a", "a)", "[a", "[b-a]", r"[\d-x]", r"\q", r"\ud800", "\\", r"\u{110000}", r"\x4",
        "(?P<n>a)", "((a{100}){100}){100}",
    ],
)  # fmt: skip
def test_declined_pattern(pattern: str) -> None:
    assert to_re2(pattern) is None


def test_the_oracle_reads_a_dot_as_the_kernel_does() -> None:
    schema = {"properties": {"x": {"anyOf": [{"pattern": "^.[.]$"}]}}}
    texts = ["a.", "\r.", "\u2028.", "\n.", "ab"]
    batch = pa.record_batch({"x": texts})
    verdicts = compile_schema(schema, batch.schema).check(batch)
    assert verdicts.good.to_pylist() == [True, False, False, False, False]
    assert [not reasons_of_document(schema, {"x": text}) for text in texts] == [
        True,
        *[False] * 4,
    ]


def test_a_message_shows_the_pattern_as_written() -> None:
    (reason,) = reasons_of_document({"pattern": r"^.\uD83D\uDE00$"}, "x")
    assert reason.message == r'"x" does not match "^.\uD83D\uDE00$"'


@pytest.mark.parametrize("pattern", ["^a[.]$", r"\.", r"\\.", "a", r"[\].]"])
def test_a_dot_that_is_none_stays(pattern: str) -> None:
    assert (for_oracle(pattern) == pattern) is (pattern != r"\\.")
