"""Source specs: strict to read, readable to write, equal when they mean the same."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.decoding import EXAMPLES
from tickmesh.decoding.source_spec import (
    Case,
    Cast,
    Condition,
    CsvDialect,
    Explode,
    FieldMapping,
    Format,
    Prefix,
    RecordKind,
    Since,
    SkipKind,
    SourceSpec,
    SourceSpecError,
    TimeMapping,
    TimeUnit,
    identity_spec,
)

FULL = SourceSpec(
    format=Format.JSONL,
    subject="ticks.trades",
    prefix=Prefix(names=("day", "time"), separator="\t"),
    file_name=r"(?P<symbol>[a-z]+)_(?P<date>\d{8})\.log",
    records=(
        RecordKind(
            name='odd "name"',
            when=Condition(path="data.e", equals=5),
            explode=(Explode(path="levels", constants=(("side", "bid"), ("depth", 2))),),
            fields=(
                FieldMapping(
                    target="ts",
                    path="ms",
                    time=TimeMapping(
                        unit=TimeUnit.MILLISECOND,
                        since=Since.MIDNIGHT,
                        zone="America/New_York",
                        date="file:date",
                    ),
                    comment="local clock",
                ),
                FieldMapping(target="price", element=0, cast=Cast.NUMBER, divide_by=10_000),
                FieldMapping(target="symbol", file_group="symbol", case=Case.UPPER),
                FieldMapping(target="flag", path="f", values=(("true", "yes"), ("false", "no"))),
                FieldMapping(target="size", element=1, null_values=("0", "")),
                FieldMapping(target="venue name", constant="X\\Y'\"\n\x7f"),
            ),
        ),
        RecordKind(
            name="rest",
            fields=(FieldMapping(target="a", path="a"),),
            when=Condition(path="x", matches="^a.b$"),
        ),
    ),
    skip=(SkipKind(name="noise", when=Condition(path="n", present=True), comment="3 of 9"),),
    ignore=("data.E",),
    comment=("Written by hand.",),
)


def test_a_spec_is_read_back_as_it_was_written() -> None:
    text = FULL.to_toml()
    assert SourceSpec.from_toml(text) == FULL
    assert "# local clock" in text
    assert text.startswith("# Written by hand.")


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_goes_through_toml(constant: str, path: str, name: str) -> None:
    spec = SourceSpec(
        format=Format.PARQUET,
        records=(
            RecordKind(
                name=name or "r",
                fields=(
                    FieldMapping(target="a", constant=constant),
                    FieldMapping(target="b" + name, path=path),
                ),
            ),
        ),
    )
    assert SourceSpec.from_toml(spec.to_toml()) == spec


def test_the_fingerprint_tells_meanings_apart_and_leaves_comments_out() -> None:
    assert len(FULL.fingerprint) == 64
    assert replace(FULL, comment=()).fingerprint == FULL.fingerprint
    assert replace(FULL, ignore=()).fingerprint != FULL.fingerprint
    assert SourceSpec.from_toml(FULL.to_toml()).fingerprint == FULL.fingerprint


def test_the_examples_are_read_and_written() -> None:
    files = sorted(EXAMPLES.glob("*.source.toml"))
    assert len(files) == 8
    for file in files:
        spec = SourceSpec.from_toml(file.read_text())
        assert SourceSpec.from_toml(spec.to_toml()) == spec
        assert (EXAMPLES / f"{spec.subject}.schema.json").exists()


def test_an_identity_spec_maps_nothing() -> None:
    assert identity_spec("csv") == SourceSpec.from_toml('format = "csv"')


def record(fields: str, *, head: str = "") -> str:
    return f'format = "csv"\n{head}\n[[records]]\nname = "r"\n[records.fields]\n{fields}\n'


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("", "format", "is missing; expected one of csv, jsonl, parquet, arrow"),
        (
            'format = "xml"',
            "format",
            "expected one of csv, jsonl, parquet, arrow, typed_rows; got 'xml'",
        ),
        ("format = ", "", "not TOML"),
        ('format = "csv"\ndelimeter = ";"', "delimeter", "unknown key"),
        (
            'format = "csv"\n[csv]\ndelimeter = ";"',
            "csv.delimeter",
            "unknown key; did you mean 'delimiter'?",
        ),
        ('format = "csv"\n[csv]\ndelimiter = ";;"', "csv.delimiter", "one ASCII character"),
        ('format = "csv"\n[csv]\nnames = ["a", "a"]', "csv.names", "given twice"),
        ('format = "csv"\n[prefix]\nnames = ["a"]', "prefix", "only JSONL"),
        (record("a = {}"), "records[0].fields.a", "got none"),
        (record('a = { from = "x", constant = 1 }'), "records[0].fields.a", "got from, constant"),
        (record('a = { from = "x", unit = "h" }'), "records[0].fields.a.unit", "s, ms, us, ns"),
        (record('a = { from = "x", zone = "Mars/X" }'), "records[0].fields.a.zone", "Mars/X"),
        (
            record('a = { from = "x", unit = "ms", since = "midnight", zone = "UTC" }'),
            "records[0].fields.a",
            "date is missing",
        ),
        (
            record(
                'a = { from = "x", unit = "ms", since = "midnight", zone = "UTC", date = "file:d" }'
            ),
            "records[0].fields.a.date",
            "no group 'd'",
        ),
        (record('a = { file_name = "s" }'), "records[0].fields.a.file_name", "no group 's'"),
        (record('a = { from = "x", divide_by = 0 }'), "records[0].fields.a.divide_by", "got 0"),
        (record('a = { from = "x", divide_by = 2, unit = "s" }'), "records[0].fields.a", "exclude"),
        (record("a = { element = 0 }"), "records[0].fields.a.element", "explode"),
        (record("a = { from = 1 }"), "records[0].fields.a.from", "expected a string, got 1"),
        (record("", head="file_name = '('"), "file_name", "not a regular expression"),
        (
            record('a = { from = "x" }')
            + '[[skip]]\nname = "s"\nwhen = { path = "k", equals = 1 }',
            "skip",
            "nothing is left to skip",
        ),
        (
            'format = "csv"\n[[skip]]\nname = "s"\nwhen = { path = "k" }',
            "skip[0].when",
            "exactly one of equals, matches, present",
        ),
    ],
)
def test_a_wrong_spec_names_the_key_and_what_was_expected(
    text: str, key: str, message: str
) -> None:
    with pytest.raises(SourceSpecError) as caught:
        SourceSpec.from_toml(text)
    assert caught.value.key == key
    assert message in caught.value.message
    assert caught.value.reason == "SOURCE_SPEC_INVALID"


def test_no_separate_tables_are_needed_for_a_dialect() -> None:
    spec = SourceSpec.from_toml('format = "csv"\ncsv = { delimiter = "\\t", quote = "" }')
    assert spec.csv == CsvDialect(delimiter="\t", quote="")
    assert tomllib.loads(spec.to_toml())["csv"] == {"delimiter": "\t", "quote": ""}
