"""Lines split by their layout give what reading each line exactly gives, value for value."""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickmesh.decoding.json_columns import JsonReader
from tickmesh.decoding.json_found import JsonColumns
from tickmesh.decoding.json_layouts import Layout, Lines

WANTED: dict[str, pa.DataType] = {
    "i": pa.int64(),
    "f": pa.float64(),
    "d": pa.decimal128(18, 2),
    "t": pa.string(),
    "n": pa.string(),
    "b": pa.bool_(),
    "o.x": pa.int64(),
}
NUMBER_TEXTS = frozenset({"n"})
FEED = 300  # enough lines for a layout to be worth finding


def read(lines: list[str], **options: Any) -> JsonColumns:
    reader = JsonReader(WANTED, number_texts=NUMBER_TEXTS, extras="locate", **options)
    return reader.read(pa.array([line + "\n" for line in lines], pa.string()))


@functools.lru_cache(maxsize=4_096)
def alone(line: str) -> JsonColumns:
    return read([line])


def one_by_one(lines: list[str]) -> JsonColumns:
    """The same, each line alone: too few for anything but the exact reader."""
    found = JsonColumns({})
    parts = [alone(line) for line in lines]
    for path, kind in WANTED.items():
        found.columns[path] = pa.concat_arrays([part.columns[path] for part in parts]).cast(kind)
    for row, part in enumerate(parts):
        found.rejects += [(row, code, message) for _, code, message in part.rejects]
        for path, failures in part.failures.items():
            found.failures.setdefault(path, []).extend(
                (row, code, raw) for _, code, raw in failures
            )
        found.coercions.update(part.coercions)
        found.extras.update(part.extras)
        found.extra_rows.update([row] if part.extra_rows else [])
    return found


def comparable(found: JsonColumns) -> dict[str, Any]:
    return {
        "columns": {path: column.to_pylist() for path, column in found.columns.items()},
        "rejects": sorted(found.rejects),
        "failures": {path: sorted(rows) for path, rows in found.failures.items() if rows},
        "coercions": +Counter(found.coercions),
        "extras": +Counter(found.extras),
        "extra rows": found.extra_rows,
    }


def good(number: int) -> dict[str, Any]:
    return {
        "i": number,
        "f": number / 4,
        "d": 1.25,
        "t": f"é text {number}",
        "n": str(number),
        "b": number % 2 == 0,
        "o": {"x": -number, "y": "unread"},
        "a name longer than a word": None if number % 3 else number,
    }


FEED_LINES = [json.dumps(good(number), ensure_ascii=False) for number in range(FEED)]

VALUES = st.sampled_from(
    [
        *("0", "-0", "1", "-7", "007", "+1", "1.", ".5", "1.0", "1.5", "1.2.3", "1e3", "1E400"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "1.005", "-0.0"),
        *("12345678901234567.25", "99999999999999999.99", "0.1234567890123456789", "1e-3"),
        *("true", "false", "null", "nul", "NaN", "-Infinity", "0x1F", "1_0", "- 1", "1 2", ""),
        *(
            '""',
            '"x"',
            '"1"',
            '"1.50"',
            '"null"',
            '"a,b"',
            '"{"',
            '"a\\"b"',
            '"\\u0041"',
            '"\\ud800"',
        ),
        *('"a\tb"', "[]", "[1]", "{}", '{"x":1}', '{"x":1,"x":2}', '"x":1', '1,"i":2', '"}', '"'),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, FEED - 1),
            st.sampled_from(
                ["i", "f", "d", "t", "n", "b", "a name longer than a word", "o", "q", "\\u0069"]
            ),
            VALUES,
        ),
        max_size=12,
    )
)
def test_a_spoiled_feed_is_read_as_if_line_by_line(changes: list[tuple[int, str, str]]) -> None:
    lines = list(FEED_LINES)
    for row, name, value in changes:
        document = {**good(row), name: "@"}
        text = json.dumps(document, ensure_ascii=False)
        lines[row] = text.replace('"@"', value)
    assert comparable(read(lines)) == comparable(one_by_one(lines))


@pytest.mark.parametrize("byte", list('",:{}[] \\0a\r\t'))
def test_a_line_with_any_byte_put_in_changed_or_left_out_is_read_as_if_alone(byte: str) -> None:
    line = FEED_LINES[2]
    spoiled = [line[:place] + byte + line[place:] for place in range(len(line) + 1)]
    spoiled += [line[:place] + byte + line[place + 1 :] for place in range(len(line))]
    spoiled += [line[:place] + line[place + 1 :] for place in range(len(line))]
    lines = [text for pair in zip(spoiled, FEED_LINES * 3, strict=False) for text in pair]
    assert comparable(read(lines)) == comparable(one_by_one(lines))


def test_several_layouts_and_layoutless_lines_stay_in_their_rows() -> None:
    kinds = [
        lambda n: json.dumps({"i": n, "t": "a"}),
        lambda n: json.dumps({"t": "b", "i": n}),
        lambda n: json.dumps({"i": n, "l": list(range(n % 5))}),
        lambda n: json.dumps({"i": n, "t": 'say "hi"'}),
    ]
    lines = [kinds[number % 4](number) for number in range(4 * FEED)]
    found = read(lines)
    assert found.columns["i"].to_pylist() == list(range(4 * FEED))
    assert comparable(found) == comparable(one_by_one(lines))


def test_what_was_read_before_changes_nothing() -> None:
    reader = JsonReader(WANTED, number_texts=NUMBER_TEXTS, extras="locate")
    texts = pa.array([line + "\n" for line in FEED_LINES], pa.string())
    other = pa.array([json.dumps({"i": n}) + "\n" for n in range(FEED)], pa.string())
    first = comparable(reader.read(texts))
    reader.read(other)
    assert comparable(reader.read(texts)) == first == comparable(read(FEED_LINES))


def test_most_lines_of_a_feed_need_no_parser() -> None:
    layout = Layout.of(FEED_LINES[1].encode() + b"\n")
    assert layout is not None
    lines = Lines(pa.array([line + "\n" for line in FEED_LINES], pa.string()))
    split = lines.of(layout, np.flatnonzero(lines.eligible))
    assert split is not None
    assert len(split.rows) == FEED


@pytest.mark.parametrize("line", ['{"a":[1,2]}', "{}", "[1]", '{"a":"\\n"}', '{"a":1,"a":2}', "{"])
def test_lines_whose_quotes_tell_nothing_have_no_layout(line: str) -> None:
    assert Layout.of(line.encode() + b"\n") is None
