"""The kernels that read the bytes of text judge every text as the keyword's own definition does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickmesh.schema.validation import compile_schema
from tickmesh.schema.validation.sequences import matcher, pieces

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = [
    "A",
    "T",
    "-",
    "_",
    "[A-Z]",
    "[A-Z.]",
    "[0-9]",
    r"\d",
    r"\w",
    "[A-Za-z0-9_-]",
    r"[\d.]",
    r"\.",
]
COUNTS = ["", "", "{2}", "{3}", "{0,2}", "{1,6}", "{2,}", "+", "*", "?"]  # fmt: skip
ALPHABET = "AZTa09._-\n\0é😀"

patterns = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(COUNTS)), min_size=1, max_size=4
).map(lambda parts: "^" + "".join(atom + count for atom, count in parts) + "$")
texts = st.lists(st.none() | st.text(ALPHABET, max_size=9), max_size=12)
layouts = st.sampled_from(["string", "large_string", "sliced", "dictionary"])


def column(cells: list[str | None], layout: str) -> Any:
    if layout == "sliced":
        return pa.array(["é", None, *cells, "A"], pa.string())[2 : 2 + len(cells)]
    if layout == "dictionary":
        return pa.array(cells, pa.string()).dictionary_encode()
    return pa.array(cells, pa.large_string() if layout == "large_string" else pa.string())


def check(keyword: str, value: Any, cells: list[str | None], layout: str, /) -> list[bool]:
    batch = pa.record_batch({"x": column(cells, layout)})
    verdicts = compile_schema({"properties": {"x": {keyword: value}}}, batch.schema).check(batch)
    assert verdicts.oracle_rows == 0
    assert [word == 0 for word in verdicts.reason_mask.to_pylist()] == verdicts.good.to_pylist()
    found: list[Any] = verdicts.good.to_pylist()
    return found


def expected(cells: list[str | None], holds: Callable[[str], bool]) -> list[bool]:
    return [cell is None or holds(cell) for cell in cells]


@given(pattern=patterns, cells=texts, layout=layouts)
@example(pattern="^T[0-9]{2}$", cells=["T01", "T1", "X01", None, "T0é", "T012"], layout="sliced")
@example(pattern="^[A-Z.]{1,6}$", cells=["", "ABCDEFG", "é", "A\n"], layout="string")
def test_a_pattern_of_classes(pattern: str, cells: list[str | None], layout: str) -> None:
    whole = re.compile(pattern[1:-1], re.ASCII)
    judged = check("pattern", pattern, cells, layout)
    assert judged == expected(cells, lambda text: whole.fullmatch(text) is not None)


@given(cells=texts, layout=layouts, members=st.lists(st.text(ALPHABET, max_size=9), min_size=1))
@example(cells=["B", "S", "X"], layout="string", members=["B", "S"])
@example(cells=["buy", "sell", None, "", "b\0y"], layout="sliced", members=["buy", "sell", "b"])
@example(cells=["A\0", "A"], layout="string", members=["A"])
def test_membership(cells: list[str | None], layout: str, members: list[str]) -> None:
    assert check("enum", members, cells, layout) == expected(cells, lambda text: text in members)


@given(cells=texts, layout=layouts, limit=st.integers(0, 9))
def test_lengths_in_code_points(cells: list[str | None], layout: str, limit: int) -> None:
    longest = check("maxLength", limit, cells, layout)
    assert longest == expected(cells, lambda text: len(text) <= limit)
    shortest = check("minLength", limit, cells, layout)
    assert shortest == expected(cells, lambda text: len(text) >= limit)


@given(cells=texts, layout=layouts)
def test_alternatives_and_prefixes(cells: list[str | None], layout: str) -> None:
    judged = check("pattern", "^(A|AZ|T0)$", cells, layout)
    assert judged == expected(cells, lambda text: text in {"A", "AZ", "T0"})
    assert check("pattern", "^A", cells, layout) == expected(cells, lambda t: t.startswith("A"))


@pytest.mark.parametrize("rows", [20_000, 70_000])
def test_texts_beyond_one_tile(rows: int) -> None:
    cells = [f"T{row:010d}" for row in range(rows)]
    wrong = [0, 5957, 5958, rows // 2, rows - 1]
    for row in wrong:
        cells[row] = "T00000x0000"
    batch = pa.record_batch({"x": cells})
    schema = {"properties": {"x": {"pattern": "^T[0-9]{10}$"}}}
    verdicts = compile_schema(schema, batch.schema).check(batch)
    assert verdicts.bad_indices.to_pylist() == wrong


@pytest.mark.parametrize(
    ("pattern", "kernel"),
    [
        ("^T[0-9]{10}$", "FixedLength"),
        ("^[A-Z]{2}[A-Z0-9]{9}[0-9]$", "FixedLength"),
        ("^[A-Z.]{1,6}$", "HeadAndRun"),
        ("^T[0-9]+$", "HeadAndRun"),
    ],
)
def test_identifiers_need_no_automaton(pattern: str, kernel: str) -> None:
    found = pieces(pattern)
    assert found is not None
    assert type(matcher(found)).__name__ == kernel


@pytest.mark.parametrize(
    "pattern",
    ["[A-Z]", "^[A-Z]", "^[^A]$", "^é$", "^a|b$", "^.$", r"^\s$", "^(A)$",
     "^[a-]]$", r"^[\d-z]$", "^[z-a]$", "^a{3,2}$", r"^\u0041$", "^a??$"],
)  # fmt: skip
def test_other_patterns_are_left_to_others(pattern: str) -> None:
    found = pieces(pattern)
    assert found is None or matcher(found) is None
