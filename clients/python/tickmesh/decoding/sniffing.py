"""What a source's name and first bytes tell about its layout."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Final

from tickmesh.decoding.arrow_ipc import FILE_MAGIC
from tickmesh.decoding.compression import chunks, detect_compression
from tickmesh.decoding.conversion import grammar
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.json_documents import NotARecordError, read_record
from tickmesh.decoding.source_spec import Compression, CsvDialect, Format, Prefix, SourceSpec

SNIFFED_BYTES: Final = 256 << 10
_SNIFFED_LINES: Final = 200
_DELIMITERS: Final = ",;\t|"
_PARQUET_MAGIC: Final = b"PAR1"
_STREAM_MAGIC: Final = b"\xff\xff\xff\xff"
_MOST_PREFIX_PARTS: Final = 4
_STANDARD_DIALECT: Final = CsvDialect()
_NAME: Final = re.compile(r"[^\W\d][\w .:/()\[\]%#-]*")


@dataclass(frozen=True, slots=True)
class DetectedFormat:
    """How a source seems to be laid out.

    Attributes:
        format: Layout of the bytes.
        compression: Packing of the whole file.
        csv: Dialect, with names ``column_1`` … when there is no header.
        prefix: What stands before the JSON on each line, with names ``part_1`` ….
        has_header: Whether the first record of a CSV file names the columns.
    """

    format: Format
    compression: Compression = Compression.NONE
    csv: CsvDialect = _STANDARD_DIALECT
    prefix: Prefix | None = None
    has_header: bool = False

    def spec(self) -> SourceSpec:
        """A spec that decodes the source and maps nothing."""
        return SourceSpec(
            format=self.format, compression=self.compression, csv=self.csv, prefix=self.prefix
        )


def detect_format(name: str, first_bytes: bytes) -> DetectedFormat:
    """Tell the layout of a source by its first bytes.

    Args:
        name: File name; one that ends in ``.csv`` or ``.tsv`` is believed.
        first_bytes: The beginning of the file as it lies there, 256 KiB or less.

    Raises:
        DecodeError: EMPTY, or ENCODING when it is no text in UTF-8 and no known binary layout.
    """
    if first_bytes.startswith(_PARQUET_MAGIC):
        return DetectedFormat(Format.PARQUET)
    if first_bytes.startswith((FILE_MAGIC, _STREAM_MAGIC)):
        return DetectedFormat(Format.ARROW)
    compression = detect_compression(first_bytes)
    lines = _lines(_unpacked(first_bytes, compression))
    if not lines:
        raise DecodeError("EMPTY", "the source is empty: there is nothing to infer from")
    plain_name = name.lower().removesuffix(".gz").removesuffix(".zst")
    delimited = plain_name.endswith((".csv", ".tsv"))
    prefix_parts = None if delimited else _json_prefix(lines)
    if prefix_parts is None:
        dialect, has_header = _dialect(lines)
        return DetectedFormat(Format.CSV, compression, csv=dialect, has_header=has_header)
    names = tuple(f"part_{number}" for number in range(1, prefix_parts + 1))
    prefix = Prefix(names=names) if names else None
    return DetectedFormat(Format.JSONL, compression, prefix=prefix)


def _unpacked(first_bytes: bytes, compression: Compression) -> bytes:
    content = b""
    try:
        for chunk in chunks(io.BytesIO(first_bytes), compression):
            content += chunk
            if len(content) >= SNIFFED_BYTES:
                break
    except DecodeError as error:
        if error.code != "TRUNCATED":  # the beginning of a packed file always is
            raise
    return content[:SNIFFED_BYTES]


def _lines(content: bytes) -> list[str]:
    cut = content.rfind(b"\n") + 1 if len(content) >= SNIFFED_BYTES else len(content)
    try:
        text = content[: cut or len(content)].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kept = content[: error.start]
        if b"\n" not in kept:
            raise DecodeError(
                "ENCODING",
                "neither UTF-8 text nor Parquet nor Arrow; convert the text to UTF-8",
                offset=error.start,
            ) from None
        text = kept[: kept.rfind(b"\n") + 1].decode("utf-8-sig")
    return [line for line in text.splitlines() if line.strip()][:_SNIFFED_LINES]


def _json_prefix(lines: list[str]) -> int | None:
    """How many parts stand before the JSON of each line; None when the lines are no JSON."""
    counts: dict[int, int] = {}
    for line in lines:
        head, brace, _ = line.partition("{")
        parts = head.split(" ")[:-1] if brace else []
        if not brace or len(parts) > _MOST_PREFIX_PARTS or (head and not head.endswith(" ")):
            continue
        try:
            read_record(line[len(head) :])
        except NotARecordError:
            continue
        count = 0 if not head.strip() else len(parts)
        counts[count] = counts.get(count, 0) + 1
    if sum(counts.values()) * 2 <= len(lines):
        return None
    return max(counts, key=lambda count: counts[count])


def _dialect(lines: list[str]) -> tuple[CsvDialect, bool]:
    delimiter = max(_DELIMITERS, key=lambda mark: _regularity(lines, mark))
    rows = list(csv.reader(lines, delimiter=delimiter))
    if _is_header(rows):
        return CsvDialect(delimiter=delimiter), True
    width = max({len(row) for row in rows}, key=lambda size: sum(len(row) == size for row in rows))
    names = tuple(f"column_{number}" for number in range(1, width + 1))
    return CsvDialect(delimiter=delimiter, names=names), False


def _regularity(lines: list[str], mark: str) -> tuple[float, int]:
    """Share of lines with the commonest number of fields, and that number; 0 for one field."""
    widths = [len(row) for row in csv.reader(lines, delimiter=mark)]
    common = max(set(widths), key=widths.count)
    return (widths.count(common) / len(widths), common) if common > 1 else (0.0, 1)


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: names only, and not of the kind of the values below."""
    first, rest = rows[0], rows[1:]
    if len(set(first)) != len(first) or not all(map(_NAME.fullmatch, first)):
        return False
    columns = [[row[place] for row in rest if place < len(row)] for place in range(len(first))]
    if any(
        column and all(grammar.NUMBER_PATTERN.fullmatch(value) for value in column)
        for column in columns
    ):
        return True
    return not any(name in column for name, column in zip(first, columns, strict=True))
