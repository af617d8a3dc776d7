"""A value that a rule mended, with what stood there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """One value as its repair file keeps it.

    Attributes:
        offset: Byte offset of the row's record in the unpacked source; the row number for Parquet.
        line: Line number of its record from 1; 0 where there are no lines.
        row_in_record: Its place among the rows of its record.
        field: The field.
        before: The value that stood there, as exact text.
        after: The value that stands there now.
        code: The code of the rule.
        schema_path: JSON Pointer to the rule.
    """

    offset: int
    line: int
    row_in_record: int
    field: str
    before: str
    after: str
    code: str
    schema_path: str
