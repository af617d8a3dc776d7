"""Dialects of delimited text: escapes, comments, lines before the header, decimal commas."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.decoding import decode, lines, map_all, schema_of
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import CsvDialect, Format, SourceSpec, SourceSpecError


def spec(**dialect: object) -> SourceSpec:
    return SourceSpec(format=Format.CSV, csv=CsvDialect(**dialect))  # type: ignore[arg-type]


NAMES = ("a", "b")
CELLS = st.text(alphabet='a,"\\\n#é', max_size=5)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.integers(1, 4))
@example([("#", "a"), ('"', "\\")], 1)
def test_what_is_written_with_escapes_is_read_back(
    rows: list[tuple[str, str]], batch_records: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(
        text, escapechar="\\", doublequote=False, quoting=csv.QUOTE_ALL, lineterminator="\n"
    )
    writer.writerows(rows)
    content = text.getvalue().encode()
    dialect = spec(names=NAMES, escape="\\")
    batches = decode(content, dialect, batch_records=batch_records)
    assert [tuple(row.values()) for batch in batches for row in batch.columns.to_pylist()] == rows
    raws = [raw for batch in batches for raw in batch.raw(range(batch.columns.num_rows))]
    assert b"\n".join(raws) + b"\n" == content
    for batch in batches:
        (again,) = decode(
            content, dialect, start=batch.start, end=batch.end, batch_records=batch_records
        )
        assert again.columns.equals(batch.columns)


def test_an_escape_makes_the_next_character_ordinary_without_quotes_too() -> None:
    (batch,) = decode(b"1\\,2,3\n4,5\\\n6\n7,8\n", spec(names=NAMES, escape="\\"))
    assert batch.columns.to_pylist() == [
        {"a": "1,2", "b": "3"},
        {"a": "4", "b": "5\n6"},
        {"a": "7", "b": "8"},
    ]
    assert batch.lines.to_pylist() == [1, 2, 4]


def test_comments_are_no_records_and_keep_their_lines() -> None:
    content = lines(
        "# made by x", "a,b", '# an "open quote, "', "1,x", "", "#", '2,"y', '#z"', "3,#"
    )
    found = decode(content, spec(comment="#"), batch_records=2)
    assert [row for batch in found for row in batch.columns.to_pylist()] == [
        {"a": "1", "b": "x"},
        {"a": "2", "b": "y\n#z"},
        {"a": "3", "b": "#"},
    ]
    assert [line for batch in found for line in batch.lines.to_pylist()] == [4, 7, 9]
    assert [raw for batch in found for raw in batch.raw(range(batch.columns.num_rows))] == [
        b"1,x",
        b'2,"y\n#z"',
        b"3,#",
    ]
    for batch in found:
        (again,) = decode(
            content, spec(comment="#"), start=batch.start, end=batch.end, batch_records=2
        )
        assert again.columns.equals(batch.columns)
        assert again.offsets.equals(batch.offsets)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("names", [(), NAMES], ids=["header", "headerless"])
def test_lines_before_the_header_are_left_out(pack: type[bytes], names: tuple[str, ...]) -> None:
    head = () if names else ("a,b",)
    content = lines("Report of,2024", '"', *head, "1,x", "2,y")
    dialect = spec(names=names, skip_lines=2)
    (batch,) = decode(pack(content), dialect)
    assert batch.columns.to_pylist() == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert batch.lines.to_pylist() == [4 - bool(names), 5 - bool(names)]
    (again,) = decode(pack(content), dialect, start=batch.start, end=batch.end)
    assert again.columns.equals(batch.columns)


def test_a_source_of_nothing_but_skipped_lines_is_empty() -> None:
    with pytest.raises(DecodeError, match="EMPTY"):
        decode(lines("only", "these"), spec(skip_lines=2))


def test_a_decimal_comma_is_read_exactly_and_counted_and_a_point_is_no_number() -> None:
    document = schema_of(
        {"p": {"type": "number", "arrow": "decimal128(18, 2)"}, "n": {"type": "integer"}}
    )
    content = lines("p;n", "1,50;1", "2.50;2", "-0,05;3", "1.234,5;4", "7;5,0")
    found = map_all(content, spec(delimiter=";", decimal=","), document)
    prices = found.table.column("p").to_pylist()
    assert prices == [Decimal("1.50"), None, Decimal("-0.05"), None, Decimal("7.00")]
    assert found.failed == {"p NOT_A_NUMBER": 2}
    assert [raw for each in found.mapped[0].failures for raw in each.raw.to_pylist()] == [
        "2.50",
        "1.234,5",
    ]
    assert found.table.column("n").to_pylist() == [1, 2, 3, 4, 5]
    assert found.coercions["DECIMAL_COMMA"] == 3
    assert found.coercions["INTEGRAL_NUMBER"] == 1


@pytest.mark.parametrize(
    ("dialect", "key"),
    [
        ({"escape": '"'}, "csv.escape"),
        ({"escape": "ab"}, "csv.escape"),
        ({"comment": ","}, "csv.comment"),
        ({"comment": "\n"}, "csv.comment"),
        ({"decimal": ","}, "csv.decimal"),
        ({"decimal": "·"}, "csv.decimal"),
        ({"skip_lines": -1}, "csv.skip_lines"),
    ],
)
def test_marks_of_two_meanings_are_refused(dialect: dict[str, object], key: str) -> None:
    with pytest.raises(SourceSpecError) as caught:
        spec(**dialect)
    assert caught.value.key == key


def test_a_dialect_survives_its_toml() -> None:
    written = spec(delimiter=";", escape="\\", comment="#", skip_lines=3, decimal=",")
    assert SourceSpec.from_toml(written.to_toml()) == written
