"""Sources that readers commonly read as something else, one trap each."""

from __future__ import annotations

import decimal
import json
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from tests.unit.decoding.test_tabular import arrow_stream, parquet

INTEGER: Final = {"type": "integer"}
NUMBER: Final = {"type": "number"}
TEXT: Final = {"type": "string"}
BOOLEAN: Final = {"type": "boolean"}
PRICE: Final = {"type": "number", "arrow": "decimal128(18, 2)"}
INSTANT: Final = {"type": "string", "format": "date-time"}
NULLABLE: Final = {"type": ["integer", "null"]}


@dataclass(frozen=True)
class Trap:
    """A source, the fields it is read into, and the promise that is easily broken.

    Attributes:
        name: Name of the golden file.
        promise: What is to happen, in words.
        source: The bytes, or the table of a Parquet or Arrow source.
        fields: The schema's fields.
        required: Which of them must be there.
        format: Layout of the bytes.
        spec: More of the source spec, TOML.
    """

    name: str
    promise: str
    source: bytes | pa.Table
    fields: dict[str, Any]
    required: tuple[str, ...] = ()
    format: str = "csv"
    spec: str = ""
    file_name: str = field(default="")

    @property
    def content(self) -> bytes:
        """The source's bytes."""
        if isinstance(self.source, bytes):
            return self.source
        return parquet(self.source) if self.format == "parquet" else arrow_stream(self.source)


def csv(name: str, promise: str, source: bytes, fields: dict[str, Any], **more: Any) -> Trap:
    return Trap(f"csv_{name}", promise, source, fields, **more)


def jsonl(name: str, promise: str, *lines: bytes, fields: dict[str, Any], **more: Any) -> Trap:
    source = b"".join(line + b"\n" for line in lines)
    return Trap(f"jsonl_{name}", promise, source, fields, format="jsonl", **more)


def table(name: str, promise: str, columns: dict[str, Any], **more: Any) -> Trap:
    return Trap(f"{more['format']}_{name}", promise, pa.table(columns), **more)


def column(*values: bytes) -> bytes:
    return b"v,w\n" + b"".join(value + b",x\n" for value in values)


_VW: Final = {"w": TEXT}

CSV_TRAPS: Final = (
    csv(
        "leading_zeros_into_integer",
        "007 is no JSON number: it is not read as 7",
        column(b"7", b"007", b"-07", b"0"),
        {"v": INTEGER, **_VW},
    ),
    csv(
        "leading_zeros_into_text",
        "007 stays 007 where the schema has text",
        column(b"007", b"00", b"0"),
        {"v": TEXT, **_VW},
    ),
    csv(
        "hexadecimal",
        "0x1F is no number, and stays text as text",
        column(b"0x1F", b"31"),
        {"v": INTEGER, **_VW},
    ),
    csv(
        "plus_sign_and_bare_point",
        "+1, 1. and .5 are not JSON's numbers",
        column(b"+1", b"1.", b".5", b"1e5", b"1E+5"),
        {"v": NUMBER, **_VW},
    ),
    csv(
        "spaces",
        "nothing is trimmed: ' 1' and '1 ' are no numbers, and keep their spaces as text",
        b"v,w\n 1, x\n1 ,x \n",
        {"v": INTEGER, "w": TEXT},
    ),
    csv(
        "words_for_nothing",
        "NA, null, NULL, #N/A, nan, None and - are text, never null",
        column(b"NA", b"null", b"NULL", b"#N/A", b"nan", b"None", b"-"),
        {"v": TEXT, **_VW},
    ),
    csv(
        "words_for_nothing_into_numbers",
        "NA and null are no numbers, nan and inf are not finite; none of them becomes null",
        column(b"NA", b"null", b"nan", b"-inf", b"Infinity"),
        {"v": NUMBER, **_VW},
    ),
    csv(
        "words_for_nothing_stated_by_the_spec",
        "what the spec says means nothing is no value, and is counted",
        column(b"NA", b"-", b"5"),
        {"v": INTEGER, **_VW},
        spec='[[records]]\nname = "r"\n[records.fields]\n'
        'v = { from = "v", null_values = ["NA", "-"] }\nw = { from = "w" }\n',
    ),
    csv(
        "empty_and_quoted_empty",
        'an empty field is no value, "" is a text of no characters',
        b'v,w\n,x\n"",x\n',
        {"v": TEXT, **_VW},
        required=("v",),
    ),
    csv(
        "empty_into_number",
        'an empty field is no value, "" is no number',
        b'v,w\n,x\n"",x\n',
        {"v": INTEGER, **_VW},
    ),
    csv(
        "beyond_doubles",
        "1e400 is not infinite and -0.0 keeps its sign",
        column(b"1e400", b"-1e400", b"1e-400", b"-0.0", b"1.7976931348623157e308"),
        {"v": NUMBER, **_VW},
    ),
    csv(
        "beyond_int64",
        "2^63 is an integer that the column cannot hold, 2^53+1 one that it can",
        column(b"9007199254740993", b"9223372036854775807", b"9223372036854775808"),
        {"v": INTEGER, **_VW},
    ),
    csv(
        "rounded_to_double",
        "a number of more digits than a double holds is the nearest double, and is counted",
        column(b"9007199254740993", b"0.1234567890123456789", b"0.1"),
        {"v": NUMBER, **_VW},
    ),
    csv(
        "digits_beyond_a_decimal",
        "a decimal drops no digit and adds none: 1.005 does not fit two, 1.100 does",
        column(b"1.005", b"1.100", b"1e2", b"12345678901234567.00", b"-0.00"),
        {"v": PRICE, **_VW},
    ),
    csv(
        "whole_numbers_written_otherwise",
        "1.0 and 1e3 are integers in JSON Schema; the change is counted",
        column(b"1.0", b"1e3", b"1.5"),
        {"v": INTEGER, **_VW},
    ),
    csv(
        "booleans",
        "true and false only: 1, 0, True and yes are no booleans",
        column(b"true", b"false", b"1", b"0", b"True", b"yes"),
        {"v": BOOLEAN, **_VW},
    ),
    csv(
        "dates_stay_text",
        "what looks like a date stays the text it is",
        column(b"2024-01-01", b"01/02/2024", b"2024-01-01T00:00:00Z"),
        {"v": TEXT, **_VW},
    ),
    csv(
        "instants",
        "an instant needs an offset, a real day, and no leap second; none is moved",
        column(
            *(b"2024-02-29T09:30:00Z", b"2023-02-29T09:30:00Z", b"2024-01-31T09:30:00"),
            *(b"2024-06-30T23:59:60Z", b"2024-01-31T09:30:00.1234567891Z", b"1700000000"),
        ),
        {"v": INSTANT, **_VW},
    ),
    csv(
        "ragged",
        "a row with a field too few or too many is held back with its bytes; the next row stays",
        b"v,w\n1,x\n2\n3,x,y\n4,x\n",
        {"v": INTEGER, **_VW},
    ),
    csv(
        "nul_bytes",
        "a NUL is a character like another: text keeps it, a number does not have it",
        column(b"a\0b", b"1\0"),
        {"v": TEXT, **_VW},
    ),
    csv(
        "bad_utf8",
        "a row that is not UTF-8 is held back with its bytes; nothing is replaced",
        column(b"ok", b"caf\xe9", "café".encode(), b"\xed\xa0\x80"),
        {"v": TEXT, **_VW},
    ),
    csv(
        "byte_order_mark_and_crlf",
        "a byte order mark is no part of the first name, a carriage return none of the last value",
        b"\xef\xbb\xbfv,w\r\n1,x\r\n2,y\r\n",
        {"v": INTEGER, **_VW},
    ),
    csv(
        "lone_carriage_return",
        "a carriage return within a row does not shift the rows after it",
        b"v,w\n1,x\n2\r3,x\n4,y\n",
        {"v": INTEGER, **_VW},
    ),
    csv(
        "quotes",
        "quotes hold delimiters, quotes and line ends; lines are counted on",
        b'v,w\n"1","a,b"\n2,"say ""hi"""\n3,"two\nlines"\n4,x\n',
        {"v": INTEGER, **_VW},
    ),
    csv(
        "quote_in_the_middle",
        "a quote within a field is a character of it",
        b'v,w\n1,5" pipe\n2,a"b"c\n3,x\n',
        {"v": INTEGER, **_VW},
    ),
    csv(
        "quote_never_closed",
        "a quote that is never closed costs its line, not the rest of the file",
        b'v,w\n1,x\n2,"y\n3,z\n',
        {"v": INTEGER, **_VW},
    ),
    csv(
        "no_line_end_at_the_end",
        "the last row counts without a line end; blank lines are no rows",
        b"v,w\n1,x\n\n\r\n2,y",
        {"v": INTEGER, **_VW},
    ),
    csv("empty", "an empty file is an error of its own", b"", {"v": INTEGER}),
    csv("header_only", "a header without rows is no error", b"v,w\n", {"v": INTEGER, **_VW}),
    csv("utf16", "UTF-16 is named, not guessed at", "v,w\n1,x\n".encode("utf-16"), {"v": INTEGER}),
    csv(
        "undeclared_column",
        "a column nobody asked for is counted by name",
        b"v,extra\n1,x\n2,\n",
        {"v": INTEGER},
    ),
    csv(
        "line_too_long",
        "a record of more than 1 MiB is held back whole",
        b"v,w\n1,x\n2," + b"y" * (1 << 20) + b"\n3,z\n",
        {"v": INTEGER, **_VW},
    ),
)

JSONL_TRAPS: Final = (
    jsonl(
        "null_and_absent",
        "null is not absence, where the schema tells them apart",
        b'{"v":1,"n":1}',
        b'{"v":null,"n":null}',
        b"{}",
        fields={"v": INTEGER, "n": NULLABLE},
        required=("n",),
    ),
    jsonl(
        "whole_numbers_written_otherwise",
        "1.0 and 1e3 are integers in JSON Schema; the change is counted",
        *(b'{"v":1.0}', b'{"v":1e3}', b'{"v":1.5}', b'{"v":-0}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "other_types",
        '"1", true, [1] and {} are no integers, and are shown as they were',
        *(b'{"v":"1"}', b'{"v":true}', b'{"v":[1]}', b'{"v":{"a":1}}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "numbers_into_text",
        "a number is no text unless the spec casts it",
        *(b'{"v":7}', b'{"v":"7"}', b'{"v":007}'),
        fields={"v": TEXT},
    ),
    jsonl(
        "beyond_int64",
        "2^63 is an integer that the column cannot hold; 2^53+1 keeps its last digit",
        *(b'{"v":9007199254740993}', b'{"v":9223372036854775807}', b'{"v":9223372036854775808}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "beyond_doubles",
        "1e400 is not infinite, -0.0 keeps its sign, a number is the double nearest to it",
        *(b'{"v":1e400}', b'{"v":-0.0}', b'{"v":9007199254740993}', b'{"v":0.1234567890123456789}'),
        fields={"v": NUMBER},
    ),
    jsonl(
        "digits_beyond_a_decimal",
        "a decimal drops no digit: 1.005 does not fit two",
        *(b'{"v":1.10}', b'{"v":1.005}', b'{"v":1e2}', b'{"v":1E-2}'),
        fields={"v": PRICE},
    ),
    jsonl(
        "nonfinite",
        "NaN and Infinity are not JSON, wherever they stand",
        *(b'{"v":NaN}', b'{"v":Infinity}', b'{"v":-Infinity}', b'{"v":1,"x":[NaN]}', b'{"v":2}'),
        fields={"v": NUMBER},
    ),
    jsonl(
        "duplicate_keys",
        "a key that stands twice is neither first nor last wins",
        *(b'{"v":1,"v":2}', b'{"v":1,"x":{"y":1,"y":1}}', b'{"v":3,"\\u0076":4}', b'{"v":5}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "two_documents_on_a_line",
        "a line is one document, not as many as a parser finds",
        *(b'{"v":1}{"v":2}', b'{"v":3} {"v":4}', b'{"v":5} null', b'{"v":6}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "one_document_over_two_lines",
        "a pretty-printed document is no line of JSON; the lines after it are read",
        *(b"{", b' "v": 1', b"}", b'{"v":2}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "lone_surrogates",
        "half of a surrogate pair is no character; a whole pair is one",
        *(b'{"v":"\\ud800"}', b'{"v":"\\ud83d\\ude00"}', b'{"v":"x","\\udc00":1}'),
        fields={"v": TEXT},
    ),
    jsonl(
        "control_characters",
        "an escaped NUL is a character; a bare tab or NUL within a string is not JSON",
        *(b'{"v":"a\\u0000b"}', b'{"v":"a\tb"}', b'{"v":"a\0b"}'),
        fields={"v": TEXT},
    ),
    jsonl(
        "bad_utf8",
        "a line that is not UTF-8 is held back with its bytes",
        *(b'{"v":"caf\xe9"}', '{"v":"café"}'.encode()),
        fields={"v": TEXT},
    ),
    jsonl(
        "dates_stay_text",
        'what looks like a date stays text: "2024-01-01" is no timestamp',
        *(b'{"v":"2024-01-01"}', b'{"v":"2024-01-01T00:00:00Z"}', b'{"v":"24:00"}'),
        fields={"v": TEXT},
    ),
    jsonl(
        "no_objects",
        "a line must be an object: null, a list or a number is none",
        *(b"null", b"[1]", b"1", b'"x"', b'{"v":1}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "malformed",
        "what is no JSON is held back alone: single quotes, comments, trailing commas, cut lines",
        *(b"{'v':1}", b'{"v":1,}', b'{"v":1} // x', b'{"v":1', b'{"v":2}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "undeclared_fields",
        "fields nobody asked for are counted by name, whatever they hold; null counts as nothing",
        *(b'{"v":1,"x":1}', b'{"v":2,"x":{"y":1}}', b'{"v":3,"x":null,"z":[]}'),
        fields={"v": INTEGER},
    ),
    jsonl(
        "blank_lines_and_crlf",
        "blank lines are no records; a carriage return at the end is white space",
        *(b'{"v":1}\r', b"", b"\r", b'  {"v":2}  ', b"  "),
        fields={"v": INTEGER},
    ),
)

_DAY: Final = 86_400_000_000_000

TABLE_TRAPS: Final = (
    table(
        "nan_and_infinity",
        "NaN is not null and no number, infinity neither",
        {"v": pa.array([1.5, float("nan"), float("inf"), None, -0.0])},
        fields={"v": NUMBER},
        format="parquet",
    ),
    table(
        "numbers_of_other_types",
        "types change only where nothing is lost",
        {
            "i": pa.array([1.0, 1.5, 2.0**53, None]),
            "f": pa.array([1, 2**53 + 1, None, 3]),
            "d": pa.array([0.1, 1.005, None, 1e20]),
            "u": pa.array([0, 2**63, None, 1], pa.uint64()),
        },
        fields={"i": INTEGER, "f": NUMBER, "d": PRICE, "u": INTEGER},
        format="parquet",
    ),
    table(
        "booleans_are_no_numbers",
        "a boolean column is no number column, and numbers are no booleans",
        {"b": pa.array([True, None]), "n": pa.array([1, 0])},
        fields={"b": INTEGER, "n": BOOLEAN},
        format="parquet",
    ),
    table(
        "instants",
        "instants keep every nanosecond; a time without a zone is no instant by itself",
        {
            "t": pa.array([1, 1_700_000_000_000_000_001, None], pa.timestamp("ns", "UTC")),
            "l": pa.array([0, 1, None], pa.timestamp("us")),
        },
        fields={"t": INSTANT, "l": INSTANT},
        format="parquet",
    ),
    table(
        "decimals",
        "decimals of another scale change only where no digit is lost",
        {"v": pa.array([decimal.Decimal("1.2500"), decimal.Decimal("1.2550"), None])},
        fields={"v": PRICE},
        format="parquet",
    ),
    table(
        "other_encodings",
        "views, dictionaries, run ends and half floats hold the same values as plain columns",
        {
            "s": pa.array(["a", None, "b"], pa.string_view()),
            "d": pa.array(["a", "b", "a"]).dictionary_encode(),
            "r": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([7, 8])),
            "h": pa.array([1.5, None, 0.1], pa.float16()),
        },
        fields={"s": TEXT, "d": TEXT, "r": INTEGER, "h": NUMBER},
        format="arrow",
    ),
)

TRAPS: Final = (*CSV_TRAPS, *JSONL_TRAPS, *TABLE_TRAPS)


def fields_text(trap: Trap) -> str:
    """The fields, one a line."""
    return "".join(
        f"  {name}: {json.dumps(schema)}{' (required)' if name in trap.required else ''}\n"
        for name, schema in trap.fields.items()
    )
