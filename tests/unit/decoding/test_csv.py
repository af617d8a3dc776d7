"""CSV: every value is the text that stands in the file."""

from __future__ import annotations

import pytest

from tests.support.decoding import decode, lines
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import CsvDialect, Format, SourceSpec, identity_spec


def spec(**dialect: object) -> SourceSpec:
    return SourceSpec(format=Format.CSV, csv=CsvDialect(**dialect))  # type: ignore[arg-type]


def test_nothing_is_guessed_and_nothing_is_trimmed() -> None:
    values = ["007", " 1", "0x1F", "nan", "NA", "null", "1.10", "+1", "1e5", "true"]
    (batch,) = decode(lines("a", *values), identity_spec("csv"))
    assert batch.columns.column("a").to_pylist() == values


def test_an_empty_field_is_null_and_a_quoted_empty_field_is_text() -> None:
    (batch,) = decode(lines("a,b", ',""', "1,2"), identity_spec("csv"))
    assert batch.columns.to_pylist() == [{"a": None, "b": ""}, {"a": "1", "b": "2"}]


def test_quotes_hold_delimiters_quotes_and_line_ends() -> None:
    content = b'a,b\r\n"x,1","say ""hi"""\r\n"two\nlines",2\r\nplain,3\r\n'
    (batch,) = decode(content, identity_spec("csv"))
    assert batch.columns.to_pylist() == [
        {"a": "x,1", "b": 'say "hi"'},
        {"a": "two\nlines", "b": "2"},
        {"a": "plain", "b": "3"},
    ]
    assert batch.lines.to_pylist() == [2, 3, 5]
    assert batch.raw([1]) == [b'"two\nlines",2']


def test_ragged_rows_are_rejected_with_their_text_and_place_and_the_others_stay_aligned() -> None:
    content = lines("1,2", "3", "4,5,6", "", "7,8")
    (batch,) = decode(content, spec(names=("a", "b")))
    assert batch.columns.to_pylist() == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    assert batch.lines.to_pylist() == [1, 5]
    assert batch.raw([1]) == [b"7,8"]
    found = [(reject.code, reject.line, reject.offset, reject.raw) for reject in batch.rejects]
    assert found == [("RAGGED", 2, 4, b"3"), ("RAGGED", 3, 6, b"4,5,6")]
    assert batch.rejects[1].message == "expected 2 columns, got 3"
    assert batch.record_count == 4


def test_a_carriage_return_within_a_row_cannot_shift_the_rows_after_it() -> None:
    content = b"1,2\n3\r4,5\n6,7\n8,9\r10,11\n12,13\n"
    (batch,) = decode(content, spec(names=("a", "b")))
    assert batch.columns.column("a").to_pylist() == ["1", "6", "12"]
    assert batch.lines.to_pylist() == [1, 3, 5]
    assert [reject.line for reject in batch.rejects] == [2, 4]


def test_quotes_can_be_ordinary_text() -> None:
    (batch,) = decode(lines('5" pipe,x', 'a"b,y'), spec(names=("a", "b"), quote=""))
    assert batch.columns.column("a").to_pylist() == ['5" pipe', 'a"b']


def test_a_wrong_delimiter_says_what_was_found_and_what_to_set() -> None:
    with pytest.raises(DecodeError) as header:
        decode(lines("time;price;size", "1;2;3"), identity_spec("csv"))
    assert header.value.code == "WRONG_DELIMITER"
    assert "time;price;size" in header.value.message
    assert 'set `delimiter = ";"`' in header.value.message
    with pytest.raises(DecodeError) as rows:
        decode(lines("1\t2\t3", "4\t5\t6"), spec(names=("a", "b", "c")))
    assert (rows.value.code, rows.value.offset) == ("WRONG_DELIMITER", 0)
    assert 'set `delimiter = "\\t"`' in rows.value.message


def test_a_file_of_another_shape_is_refused_as_a_whole() -> None:
    with pytest.raises(DecodeError, match="expected 3 columns, got 2") as caught:
        decode(lines("1,2", "3,4"), spec(names=("a", "b", "c")))
    assert caught.value.code == "COLUMN_COUNT"


def test_headers_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(DecodeError, match="DUPLICATE_COLUMN"):
        decode(lines("a,b,a", "1,2,3"), identity_spec("csv"))
    wanting = SourceSpec.from_toml(
        'format = "csv"\n[[records]]\nname = "r"\n[records.fields]\nx = { from = "nope" }\n'
    )
    with pytest.raises(DecodeError, match="reads 'nope'; the header has a, b") as caught:
        decode(lines("a,b", "1,2"), wanting)
    assert caught.value.code == "MISSING_COLUMN"


@pytest.mark.parametrize("dialect", [{}, {"names": ("a", "b")}])
def test_an_empty_file_is_an_error_of_its_own(dialect: dict[str, object]) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(b"", spec(**dialect))
    assert (caught.value.code, caught.value.offset) == ("EMPTY", 0)


def test_a_header_without_rows_is_no_error() -> None:
    assert decode(lines("a,b"), identity_spec("csv")) == []


def test_decoding_begins_again_after_the_header() -> None:
    content = lines("a,b", *(f"{number},x" for number in range(10)))
    whole = decode(content, identity_spec("csv"), batch_records=3)
    assert [batch.record_count for batch in whole] == [3, 3, 3, 1]
    for batch in whole:
        (again,) = decode(
            content, identity_spec("csv"), start=batch.start, end=batch.end, batch_records=3
        )
        assert again.columns.equals(batch.columns)
        assert again.offsets.equals(batch.offsets)
        assert again.lines.equals(batch.lines)
        assert (again.start, again.end) == (batch.start, batch.end)
