"""Inference: a first schema and spec under which every row of the sample is good."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.decoding import lines, map_all
from tests.unit.decoding.test_tabular import TABLE, arrow_stream, parquet
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.inference import InferredSource, infer
from tickmesh.decoding.sniffing import detect_format
from tickmesh.decoding.source_spec import (
    Cast,
    Compression,
    Condition,
    Format,
    Since,
    SourceSpec,
    TimeUnit,
)
from tickmesh.schema.document import parse_schema
from tickmesh.schema.projection import project
from tickmesh.schema.validation import compile_schema


def infer_checked(
    content: bytes, *, file_name: str = "", rejected: int = 0, **options: Any
) -> InferredSource:
    """Infer, write, read back, and judge the whole content."""
    found = infer(content, subject="ticks.x", file_name=file_name, **options)
    spec = SourceSpec.from_toml(found.spec_text)
    assert spec == found.spec
    document = parse_schema(found.schema_text)
    mapped = map_all(content, spec, document, file_name=file_name)
    assert not mapped.failed
    assert sum(mapped.rejects.values()) == rejected
    validator = compile_schema(document, project(document))
    assert sum(validator.check(batch).bad_count for batch in mapped.batches) == 0
    return found


def properties(found: InferredSource) -> dict[str, Any]:
    return {
        name: {key: value for key, value in schema.items() if key != "$comment"}
        for name, schema in found.schema["properties"].items()
    }


def mapping(found: InferredSource, target: str) -> Any:
    (kind,) = found.spec.records
    return next(each for each in kind.fields if each.target == target)


def test_types_follow_the_exact_grammar() -> None:
    names = "whole,code,price,free,ratio,flag,side,sometimes,when,day"
    rows = [
        f"{number},00{number},{number}.5,text {number},1e{number % 3},true,"
        f"{'buy' if number % 2 else 'sell'},"
        f"{'' if number % 2 else 1},2024-01-31T09:30:{number % 60:02}Z,2024-01-31"
        for number in range(100)
    ]
    found = infer_checked(lines(names, *rows))
    assert properties(found) == {
        "whole": {"type": "integer"},
        "code": {"type": "string"},
        "price": {"type": "number", "arrow": "decimal128(18, 1)"},
        "free": {"type": "string"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "side": {"type": "string", "enum": ["buy", "sell"]},
        "sometimes": {"type": "integer"},
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
    }
    assert set(found.schema["required"]) == set(properties(found)) - {"sometimes"}
    assert "# observed 0 to 99" in found.spec_text


@pytest.mark.parametrize(
    ("first", "step", "unit"),
    [
        (1_582_329_601, 1, TimeUnit.SECOND),
        (1_582_329_601_096, 7, TimeUnit.MILLISECOND),
        (1_582_329_601_096_000, 7_000, TimeUnit.MICROSECOND),
        (1_582_329_601_096_000_000, 7_001, TimeUnit.NANOSECOND),
    ],
)
def test_times_are_found_with_their_unit_and_marked_to_confirm(
    first: int, step: int, unit: TimeUnit
) -> None:
    rows = [f"{first + number * step},{number}" for number in range(50)]
    found = infer_checked(lines("ts,n", *rows))
    assert mapping(found, "ts").time.unit is unit
    assert properties(found)["ts"] == {"type": "string", "format": "date-time"}
    assert properties(found)["n"] == {"type": "integer"}
    assert "CONFIRM" in found.spec_text
    assert any(note.startswith("ts:") for note in found.notes)


def test_a_headerless_file_gets_column_names_and_a_date_from_its_name() -> None:
    rows = [f"{34_200_000 + number * 500},4750{number},P" for number in range(50)]
    found = infer_checked(lines(*rows), file_name="aig_20131009.csv")
    assert found.spec.csv.names == ("column_1", "column_2", "column_3")
    time = mapping(found, "column_1").time
    assert (time.since, time.unit, time.date) == (Since.MIDNIGHT, TimeUnit.MILLISECOND, "file:date")
    assert any("no header" in note for note in found.notes)


def test_consecutive_ids_are_no_times() -> None:
    rows = [f"{42_377_944 + number},{number}" for number in range(50)]
    found = infer_checked(lines(*rows), file_name="aig_20131009.csv")
    assert properties(found)["column_1"] == {"type": "integer"}


def test_numbers_in_json_strings_are_cast_on_purpose() -> None:
    texts = [f'{{"p":"{number}.25","id":"{number}"}}' for number in range(20)]
    found = infer_checked(lines(*texts))
    assert mapping(found, "p").cast is Cast.NUMBER
    assert properties(found)["p"]["type"] == "number"
    assert properties(found)["id"] == {"type": "string"}


def test_nulls_and_absent_fields_are_told_apart() -> None:
    found = infer_checked(lines('{"a":1,"b":null}', '{"a":null,"b":2}', '{"a":3,"b":4,"c":true}'))
    assert properties(found) == {
        "a": {"type": ["integer", "null"]},
        "b": {"type": ["integer", "null"]},
        "c": {"type": "boolean"},
    }
    assert found.schema["required"] == ["a", "b"]


def test_the_most_frequent_kind_is_mapped_and_the_others_are_skipped_by_name() -> None:
    trade = '{"stream":"trade","data":{"p":"1.5","q":"2.5"}}'
    book = '{"stream":"book","data":{"b":[["1","2"]],"a":[]}}'
    snapshot = '{"lastUpdateId":5,"bids":[],"asks":[]}'
    content = lines(*[trade] * 6, *[book] * 3, snapshot)
    found = infer_checked(lines(*(f"17 {line.decode()}" for line in content.splitlines())))
    (kind,) = found.spec.records
    assert kind.when == Condition(path="stream", equals="trade")
    assert [each.target for each in kind.fields] == ["part_1", "p", "q"]
    assert [(each.name, each.when) for each in found.spec.skip] == [
        ("book", Condition(path="stream", equals="book")),
        ("with lastUpdateId", Condition(path="lastUpdateId", present=True)),
    ]
    assert any("3 kinds" in note for note in found.notes)


def test_fields_of_mixed_types_are_left_as_they_are() -> None:
    found = infer_checked(lines('{"a":1,"b":1}', '{"a":"x","b":2}', '{"a":[1],"b":3}'))
    assert properties(found) == {"a": {}, "b": {"type": "integer"}}


def test_bad_lines_do_not_spoil_the_guess() -> None:
    found = infer_checked(lines("a,b", *["1,2"] * 50, "1,2,3"), rejected=1)
    assert properties(found)["a"] == {"type": "integer"}


def test_parquet_and_arrow_keep_their_types() -> None:
    for content in (parquet(TABLE), arrow_stream(TABLE)):
        found = infer_checked(content)
        assert properties(found) == {"a": {"type": "integer"}, "b": {"type": "string"}}


def test_layouts_are_told_by_the_first_bytes() -> None:
    semicolons = lines("a;b", "1;2", "3;4")
    found = detect_format("x.csv", semicolons)
    assert (found.format, found.csv.delimiter, found.has_header) == (Format.CSV, ";", True)
    assert detect_format("", gzip.compress(semicolons)).compression is Compression.GZIP
    assert detect_format("", lines('{"a":1}')).format is Format.JSONL
    prefixed = detect_format("", lines('2024-01-01 10:00 {"a":1}', '2024-01-01 10:01 {"a":2}'))
    assert prefixed.prefix is not None
    assert prefixed.prefix.names == ("part_1", "part_2")
    assert detect_format("", parquet(TABLE)).format is Format.PARQUET
    assert detect_format("", arrow_stream(TABLE)).format is Format.ARROW


def test_nothing_to_infer_from_is_said_so() -> None:
    with pytest.raises(DecodeError, match="EMPTY"):
        infer(b"", subject="x")
    with pytest.raises(DecodeError, match="ENCODING"):
        infer(bytes(range(128, 256)) * 10, subject="x")


def test_the_schema_is_json_with_what_was_seen() -> None:
    found = infer(lines("a", "1", "5"), subject="ticks.x", sample_records=1)
    schema = json.loads(found.schema_text)
    assert schema["title"] == "ticks.x"
    assert "1 record" in schema["$comment"]
    assert schema["properties"]["a"]["$comment"] == "observed 1 to 1"


def test_levels_of_a_book_in_columns_become_lists() -> None:
    names = "ts,symbol," + ",".join(
        f"{side}_{part}_{level:02}"
        for level in range(3)
        for side in ("bid", "ask")
        for part in ("px", "sz", "ct")
    )
    rows = []
    for number in range(40):
        cells = [f"1.{number:02}", "5", "1", f"2.{number:02}", "7", "2"] * 3
        if number % 2:
            cells[12:] = [""] * 6
        rows.append(f"{1_700_000_000_000 + number * 9},ES," + ",".join(cells))
    found = infer_checked(lines(names, *rows))
    (kind,) = found.spec.records
    assert kind.name == "book"
    assert [each.target for each in kind.fields] == ["ts", "symbol", "bids", "asks"]
    level = properties(found)["bids"]["items"]["properties"]
    assert {name: schema["type"] for name, schema in level.items()} == {
        "price": "number",
        "size": "integer",
        "count": "integer",
    }
    document = parse_schema(found.schema_text)
    mapped = map_all(lines(names, *rows), found.spec, document).mapped[0]
    assert [len(row["bids"]) for row in mapped.documents([0, 1])] == [3, 2]


@pytest.mark.parametrize(
    "columns",
    [
        ["asks[0].price", "asks[0].amount", "asks[1].price", "asks[1].amount"],
        ["askPrice1", "askSize1", "askPrice2", "askSize2"],
    ],
)
def test_levels_are_known_in_other_spellings(columns: list[str]) -> None:
    found = infer_checked(lines(",".join(columns), *["1.5,2,1.6,3"] * 5))
    (kind,) = found.spec.records
    assert [each.target for each in kind.fields] == ["asks"]
    assert len(kind.fields[0].items) == 2


def test_levels_of_a_book_in_arrays_become_lists_of_prices_and_sizes() -> None:
    texts = [
        f'{{"T":{1_700_000_000_000 + number * 7},"b":[["1.{number}","5"],["1.0","7"]],"a":[]}}'
        for number in range(20)
    ]
    found = infer_checked(lines(*texts))
    assert properties(found)["b"]["items"]["required"] == ["price", "size"]
    assert mapping(found, "b").each is not None


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ("time,bid,ask", "quote"),
        ("ts,bidPrice,bidSize,askPrice,askSize", "quote"),
        ("ts,price,size", "trade"),
        ("ts,px,qty", "trade"),
        ("a,b,c", "record"),
    ],
)
def test_quotes_and_trades_are_known_by_their_names(names: str, kind: str) -> None:
    row = ",".join(["1"] * len(names.split(",")))
    found = infer_checked(lines(names, *[row] * 5))
    assert found.spec.records[0].name == kind


def test_the_zone_is_guessed_from_the_hours_of_trading_with_its_evidence() -> None:
    opening = [f"{34_200_100 + number * 200_000},{number}" for number in range(100)]
    found = infer_checked(lines(*opening), file_name="x_20131009.csv")
    assert mapping(found, "column_1").time.zone == "UTC"  # New York and Hong Kong open alike
    early = [f"{14_400_521 + number * 2_000},{number}" for number in range(100)]
    found = infer_checked(lines(*early), file_name="x_20131009.csv")
    assert mapping(found, "column_1").time.zone == "America/New_York"
    assert "begins with trading at 04:00:00" in mapping(found, "column_1").comment
    busy = [27_000_000 + number * 100_000 for number in range(70)]
    busy += [34_200_000 + number * 1_000 for number in range(400)]
    found = infer_checked(
        lines(*(f"{count},x" for count in sorted(busy))), file_name="x_20131009.csv"
    )
    assert mapping(found, "column_1").time.zone == "America/New_York"
    assert "300 records in the five minutes after 09:30:00, 1 in those before" in found.spec_text


def test_local_times_in_text_and_instants_are_held_against_trading_hours() -> None:
    local = [f"2024-03-11 08:00:{second:02}.5,{second}" for second in range(60)]
    found = infer_checked(lines("time,n", *local))
    assert mapping(found, "time").time.zone == "Europe/London"
    first = 1_710_163_800  # 09:30 in New York on the first Monday of its summer time
    instants = [f"{(first + number) * 1_000},{number}" for number in range(60)]
    found = infer_checked(lines("ts,n", *instants))
    assert "on the clock of America/New_York, 09:30:00 to 09:30:59" in found.spec_text


def test_a_symbol_of_another_name_is_marked_as_one() -> None:
    found = infer_checked(lines("ticker,price,size", *["X,1.5,1", "Y,1.5,2"] * 5))
    assert found.schema["properties"]["ticker"]["x-tick-role"] == "symbol"


def test_a_recording_that_begins_at_midnight_tells_nothing_of_trading_hours() -> None:
    for first in (1_709_251_200, 1_709_397_000):  # 00:00 on a Friday; 09:30 in London, a Saturday
        instants = [f"{(first + number) * 1_000},{number}" for number in range(60)]
        found = infer_checked(lines("ts,n", *instants))
        assert "on the clock of" not in found.spec_text


NAMES = st.sampled_from(
    ["ts", "time", "price", "bid", "ask", "size", "id", "sym", "x", "bid_px_1", "bid_px_2", "a.b"]
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - clock readings
COLUMN = st.one_of(
    st.sampled_from(
        [
            st.integers(-(10**6), 10**6).map(str),
            st.integers(0, 2**70).map(str),
            st.integers(1_600_000_000_000, 1_600_000_900_000).map(str),
            st.decimals(-(10**9), 10**9, places=4).map(str),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
            st.sampled_from(["007", "1", "0x1F", "NaN", "true", "x"]),
            st.sampled_from(["true", "false"]),
            st.sampled_from(["buy", "sell"]),
            TIMES.map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z"),
            TIMES.map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"),
            TIMES.map(lambda moment: f"{moment:%Y-%m-%d}"),
            st.text(alphabet="ab é", max_size=4),
        ]
    )
)


@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(2, 30), st.booleans())
def test_whatever_the_columns_hold_the_sample_is_good_under_its_inference(
    data: st.DataObject,
    rows: int,
    gaps: bool,
) -> None:
    names = data.draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    columns = []
    for _ in names:
        values = data.draw(COLUMN)
        values = st.one_of(st.just(""), values) if gaps else values
        columns.append(data.draw(st.lists(values, min_size=rows, max_size=rows)))
    content = lines(
        ",".join([*names, "last"]), *map(",".join, zip(*columns, ["z"] * rows, strict=True))
    )
    infer_checked(content, file_name="x_20240131.csv")


def test_an_object_that_is_empty_in_some_records_is_no_value_of_its_own() -> None:
    found = infer_checked(
        lines('{"a":1,"data":{"T":1}}', '{"a":2,"data":{}}', '{"a":3,"data":null}')
    )
    assert set(properties(found)) == {"a", "T"}
