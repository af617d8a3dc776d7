"""What a source spec says: how raw records become the fields of one subject's schema."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_NAMES: Final = 4_096
MAX_SKIPPED_LINES: Final = 1_000
MAX_ITEMS: Final = 1_000


class SourceSpecError(ValueError):
    """A source spec that cannot be used.

    Attributes:
        message: What was expected, what came, what to do.
        key: Dotted path of the offending key, such as ``records[0].fields.ts.unit``.
        reason: Always ``SOURCE_SPEC_INVALID``.
    """

    reason: Final = "SOURCE_SPEC_INVALID"

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.message = message
        self.key = key


class Format(StrEnum):
    """How the bytes of a source are laid out.

    TYPED_ROWS is how the quarantine keeps rows of Parquet and Arrow sources, one a line.
    """

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"
    TYPED_ROWS = "typed_rows"


class Compression(StrEnum):
    """How the whole file is packed; AUTO looks at the first bytes."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class Extras(StrEnum):
    """What happens to source fields that no mapping reads."""

    COUNT = "count"
    QUARANTINE = "quarantine"


class TimeUnit(StrEnum):
    """Unit of a time given as a number."""

    SECOND = "s"
    MILLISECOND = "ms"
    MICROSECOND = "us"
    NANOSECOND = "ns"

    @property
    def nanoseconds(self) -> int:
        """Length of one unit in nanoseconds."""
        return {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}[self.value]


class Since(StrEnum):
    """What a time given as a number counts from."""

    EPOCH = "epoch"
    MIDNIGHT = "midnight"


class Cast(StrEnum):
    """A change of JSON type that the spec asks for; everything else must already fit."""

    NUMBER = "number"
    TEXT = "text"


class LocalTime(StrEnum):
    """What becomes of a local time that the clock shows twice, or skips."""

    REFUSE = "refuse"
    EARLIEST = "earliest"
    LATEST = "latest"


class Case(StrEnum):
    """A change of letter case that the spec asks for."""

    UPPER = "upper"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMapping:
    """How a raw value becomes an instant.

    Attributes:
        unit: Unit of a number; None means the value is text such as ``2024-01-31T09:30:00.5Z``.
        since: What a number counts from.
        zone: IANA name of the zone of local times; required for MIDNIGHT and for text without
            an offset.
        date: For MIDNIGHT, the local date: ``2013-10-09``, or ``file:GROUP`` for a group of
            ``file_name`` holding ``YYYYMMDD`` or ``YYYY-MM-DD``, or ``field:PATH`` for a raw
            field.
        ambiguous: What becomes of a local time that the clock shows twice: it fails, or it is the
            earlier or the later of the two instants, which is counted.
        nonexistent: What becomes of a local time that the clock skips: it fails, or it is the last
            instant before the gap or the first one after it, which is counted.
    """

    unit: TimeUnit | None = None
    since: Since = Since.EPOCH
    zone: str | None = None
    date: str | None = None
    ambiguous: LocalTime = LocalTime.REFUSE
    nonexistent: LocalTime = LocalTime.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """One field of the schema and where its value comes from: exactly one origin.

    Attributes:
        target: Name of the schema's field, or of a part of it.
        path: Raw column or JSON path (``data.p``; ``prefix.NAME`` for a part of a log line's
            prefix).
        element: Part of one exploded element: an index for arrays, a name for objects.
        constant: The same value in every row.
        file_group: Named group of the spec's ``file_name`` expression.
        fields: The parts of an object, each with an origin of its own. An object whose parts all
            lack a value is no value.
        items: The items of a list, each with an origin of its own. Items without a value are left
            out.
        each: How the elements of the array at ``path`` become the items of a list; it takes an
            element whole, or its parts by ``element``.
        separator: The value is one part of the raw text, cut at this text; with ``part``.
        part: Which part, from 0; from the end when negative.
        extract: The value is what the group ``value`` of this RE2 expression finds in the raw text.
        time: How the value becomes an instant.
        divide_by: The raw number is this many times too large (prices x 10,000); exact.
        multiply_by: The raw number is this many times too small; exact.
        null_values: Raw values that mean "no value here", such as a price of 0.
        values: Raw value to field value, such as ``true`` to ``sell``; a value not listed fails.
        cast: A change of JSON type asked for on purpose.
        case: A change of letter case asked for on purpose.
        comment: A remark for readers; no part of the spec's meaning.
    """

    target: str
    path: str | None = None
    element: int | str | None = None
    constant: str | int | float | bool | None = None
    file_group: str | None = None
    fields: tuple[FieldMapping, ...] = ()
    items: tuple[FieldMapping, ...] = ()
    each: FieldMapping | None = None
    separator: str | None = None
    part: int | None = None
    extract: str | None = None
    time: TimeMapping | None = None
    divide_by: int | None = None
    multiply_by: int | None = None
    null_values: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    cast: Cast | None = None
    case: Case | None = None
    comment: str = field(default="", compare=False)

    @property
    def is_composed(self) -> bool:
        """Whether the value is built of parts."""
        return bool(self.fields or self.items or self.each is not None)

    @property
    def leaves(self) -> tuple[FieldMapping, ...]:
        """The mapping itself, or those of all parts that have an origin in the record."""
        parts = (*self.fields, *self.items)
        if not parts:
            return (self,)
        return tuple(leaf for part in parts for leaf in part.leaves)

    @property
    def day_path(self) -> str | None:
        """The raw field that holds the local date of a time since midnight."""
        stated = self.time.date if self.time else None
        return stated[6:] if stated and stated.startswith("field:") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Which records a kind takes: those whose value at ``path`` passes the one test given.

    Attributes:
        path: Raw column or JSON path.
        equals: The value must be this text or whole number.
        matches: The value must be text in which this RE2 expression is found.
        present: The path must be there, whatever its value (null included).
    """

    path: str
    equals: str | int | None = None
    matches: str | None = None
    present: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explode:
    """An array of a record whose elements become rows of their own.

    Attributes:
        path: JSON path of the array.
        constants: Values the rows of this array all have, such as ``side = "bid"``.
    """

    path: str
    constants: tuple[tuple[str, str | int | float | bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """One shape of record and the rows it makes.

    Attributes:
        name: What reports call it.
        when: Which records it takes; None takes every record not taken by an earlier kind.
        fields: How the schema's fields are filled.
        explode: Arrays whose elements become rows; none means one row a record.
        rows: Where a record holds several rows side by side, the fields that each has besides
            ``fields``. A row none of whose raw values is there is left out.
        comment: A remark for readers.
    """

    name: str
    fields: tuple[FieldMapping, ...]
    when: Condition | None = None
    explode: tuple[Explode, ...] = ()
    rows: tuple[tuple[FieldMapping, ...], ...] = ()
    comment: str = field(default="", compare=False)

    @property
    def leaves(self) -> tuple[FieldMapping, ...]:
        """The mappings of all fields and parts of fields, of every row."""
        mappings = (*self.fields, *(mapping for row in self.rows for mapping in row))
        return tuple(leaf for mapping in mappings for leaf in mapping.leaves)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipKind:
    """Records that are known and not wanted: counted by name, never rows.

    Attributes:
        name: What reports call it.
        when: Which records it takes.
        comment: A remark for readers.
    """

    name: str
    when: Condition
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvDialect:
    """How a delimited text file is written.

    Attributes:
        delimiter: One character between fields.
        quote: The quote character, doubled inside quotes; empty when quotes are ordinary text.
        names: Column names of a file without a header; empty when the first record is the header.
        escape: The character that makes the next one ordinary text; empty for none.
        comment: The character that begins a line which is no record; empty for none.
        skip_lines: Lines at the beginning of the file that are neither header nor records.
        decimal: What stands before the fraction of a number: a point or a comma.
    """

    delimiter: str = ","
    quote: str = '"'
    names: tuple[str, ...] = ()
    escape: str = ""
    comment: str = ""
    skip_lines: int = 0
    decimal: str = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """What stands before the JSON on each line of a log.

    Attributes:
        names: One name for each part; the parts are reached as ``prefix.NAME``.
        separator: What ends each part.
    """

    names: tuple[str, ...]
    separator: str = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """How the records of a source become rows of one subject.

    Attributes:
        format: Layout of the bytes.
        subject: The subject it was written for; for readers.
        compression: Packing of the whole file.
        csv: Dialect, read for CSV only.
        prefix: Log prefix, read for JSONL only.
        file_name: Regular expression with named groups, matched against the whole file name.
        records: Kinds of record in the order they are tried; empty when raw names are the schema's.
        skip: Kinds known and not wanted, tried after ``records``.
        extras: What happens to raw fields that nothing reads.
        ignore: Raw fields that are known and not wanted: no extras.
        comment: Remarks for readers, one a line.
    """

    format: Format
    subject: str | None = None
    compression: Compression = Compression.AUTO
    csv: CsvDialect = CsvDialect()
    prefix: Prefix | None = None
    file_name: str | None = None
    records: tuple[RecordKind, ...] = ()
    skip: tuple[SkipKind, ...] = ()
    extras: Extras = Extras.COUNT
    ignore: tuple[str, ...] = ()
    comment: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def conditions(self) -> tuple[Condition | None, ...]:
        """The conditions of all kinds in the order they are tried; None takes every record."""
        return (*(kind.when for kind in self.records), *(kind.when for kind in self.skip))

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits; equal for specs that mean the same (comments set apart)."""
        text = json.dumps(_meaning(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_toml(cls, text: str) -> SourceSpec:
        """Read a spec.

        Raises:
            SourceSpecError: With the key that is wrong, what was expected and what came.
        """
        from tickmesh.decoding.spec_toml import parse

        return parse(text)

    def to_toml(self) -> str:
        """Write the spec with its comments; ``from_toml`` reads it back equal."""
        from tickmesh.decoding.spec_toml import render

        return render(self)


def identity_spec(format: Format | str) -> SourceSpec:  # noqa: A002 - the field's own word
    """The spec of a source whose column names are the schema's."""
    return SourceSpec(format=Format(format))


def _meaning(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: _meaning(getattr(value, item.name)) for item in fields(value) if item.compare
        }
    if isinstance(value, tuple):
        return [_meaning(item) for item in value]
    return value


def _check(spec: SourceSpec) -> None:
    _check_dialect(spec)
    groups: set[str] = set()
    if spec.file_name is not None:
        groups = set(_compiled(spec.file_name, key="file_name").groupindex)
    names: set[str] = set()
    for index, kind in enumerate(spec.records):
        _check_name(kind.name, names, key=f"records[{index}].name")
        _check_kind(spec, kind, groups=groups, key=f"records[{index}]")
    for index, skipped in enumerate(spec.skip):
        _check_name(skipped.name, names, key=f"skip[{index}].name")
        _check_condition(skipped.when, key=f"skip[{index}].when")
    for index, kind in enumerate(spec.records[:-1]):
        if kind.when is None:
            raise SourceSpecError(
                "a kind without `when` takes every record and must be the last",
                key=f"records[{index}].when",
            )
    if spec.skip and spec.records and spec.records[-1].when is None:
        raise SourceSpecError(
            "nothing is left to skip after a kind without `when`: give that kind a condition",
            key="skip",
        )


def _check_name(name: str, names: set[str], *, key: str) -> None:
    if name in names:
        raise SourceSpecError(f"the kind name {name!r} is used twice", key=key)
    names.add(name)


def _check_dialect(spec: SourceSpec) -> None:
    dialect = spec.csv
    if (
        len(dialect.delimiter) != 1
        or not dialect.delimiter.isascii()
        or dialect.delimiter in "\r\n"
    ):
        raise SourceSpecError(
            f"expected one ASCII character, got {dialect.delimiter!r}", key="csv.delimiter"
        )
    if len(dialect.quote) > 1 or not dialect.quote.isascii() or dialect.quote == dialect.delimiter:
        raise SourceSpecError(
            f"expected one ASCII character other than the delimiter, or '', got {dialect.quote!r}",
            key="csv.quote",
        )
    taken = {dialect.delimiter, dialect.quote}
    for name, mark in (("escape", dialect.escape), ("comment", dialect.comment)):
        if mark and (len(mark) > 1 or not mark.isascii() or mark in "\r\n" or mark in taken):
            raise SourceSpecError(
                f"expected one ASCII character of no other meaning, or '', got {mark!r}",
                key=f"csv.{name}",
            )
        taken.add(mark)
    if dialect.decimal not in (".", ",") or dialect.decimal == dialect.delimiter:
        raise SourceSpecError(
            f"expected '.' or ',' and not the delimiter, got {dialect.decimal!r}",
            key="csv.decimal",
        )
    if not 0 <= dialect.skip_lines <= MAX_SKIPPED_LINES:
        raise SourceSpecError(
            f"expected 0 to {MAX_SKIPPED_LINES}, got {dialect.skip_lines}", key="csv.skip_lines"
        )
    if len(set(dialect.names)) != len(dialect.names):
        raise SourceSpecError("a column name is given twice", key="csv.names")
    if len(dialect.names) > MAX_NAMES:
        raise SourceSpecError(f"more than {MAX_NAMES} columns", key="csv.names")
    if spec.prefix is not None:
        if spec.format is not Format.JSONL:
            raise SourceSpecError("only JSONL sources have a prefix", key="prefix")
        if not spec.prefix.names or not spec.prefix.separator:
            raise SourceSpecError("needs at least one name and a separator", key="prefix")


def _check_condition(condition: Condition, *, key: str) -> None:
    given = (
        (condition.equals is not None) + (condition.matches is not None) + int(condition.present)
    )
    if given != 1:
        raise SourceSpecError(
            f"expected exactly one of equals, matches, present = true; got {given}", key=key
        )
    if condition.matches is not None:
        _compiled(condition.matches, key=f"{key}.matches")


def _check_kind(spec: SourceSpec, kind: RecordKind, *, groups: set[str], key: str) -> None:
    if kind.explode and spec.format is not Format.JSONL:
        raise SourceSpecError("only arrays of JSON records are exploded", key=f"{key}.explode")
    if kind.when is not None:
        _check_condition(kind.when, key=f"{key}.when")
    if kind.explode and kind.rows:
        raise SourceSpecError("explode and rows exclude each other", key=f"{key}.rows")
    targets = _check_fields(kind.fields, kind=kind, groups=groups, key=f"{key}.fields")
    for index, row in enumerate(kind.rows):
        place = f"{key}.rows[{index}]"
        for target in _check_fields(row, kind=kind, groups=groups, key=place) & targets:
            raise SourceSpecError("the field is also mapped under fields", key=f"{place}.{target}")
        if not any(leaf.path is not None for mapping in row for leaf in mapping.leaves):
            raise SourceSpecError("needs a field that is read from the record", key=place)
    for index, explode in enumerate(kind.explode):
        for name, _ in explode.constants:
            if name in targets:
                raise SourceSpecError(
                    f"{name!r} is also mapped under fields",
                    key=f"{key}.explode[{index}].constants",
                )


def _check_fields(
    mappings: tuple[FieldMapping, ...], *, kind: RecordKind, groups: set[str], key: str
) -> set[str]:
    targets: set[str] = set()
    for mapping in mappings:
        place = f"{key}.{mapping.target}"
        if mapping.target in targets:
            raise SourceSpecError("the field is mapped twice", key=place)
        targets.add(mapping.target)
        _check_field(mapping, kind=kind, groups=groups, key=place)
    return targets


def _check_parts(mapping: FieldMapping, *, kind: RecordKind, groups: set[str], key: str) -> None:
    """Check a mapping that is built of parts."""
    plain = FieldMapping(
        target=mapping.target,
        path=mapping.path if mapping.each is not None else None,
        fields=mapping.fields,
        items=mapping.items,
        each=mapping.each,
    )
    if mapping != plain:
        raise SourceSpecError("a value built of parts takes nothing but its parts", key=key)
    if len(mapping.items) > MAX_ITEMS:
        raise SourceSpecError(f"more than {MAX_ITEMS} items", key=f"{key}.items")
    _check_fields(mapping.fields, kind=kind, groups=groups, key=f"{key}.fields")
    for index, item in enumerate(mapping.items):
        _check_field(item, kind=kind, groups=groups, key=f"{key}.items[{index}]")
    if mapping.each is None:
        return
    if mapping.path is None:
        raise SourceSpecError("needs `from`, the array", key=key)
    for part in mapping.each.fields or (mapping.each,):
        own = (part.path, part.constant, part.file_group)
        if part.is_composed or any(value is not None for value in own):
            raise SourceSpecError("takes the elements of the array alone", key=f"{key}.each")
        if (part.element is None) == bool(mapping.each.fields):
            raise SourceSpecError(
                "expected `element` in each of the fields, and only there", key=f"{key}.each"
            )


def _check_field(mapping: FieldMapping, *, kind: RecordKind, groups: set[str], key: str) -> None:
    origins = [
        name
        for name, value in (
            ("from", mapping.path),
            ("element", mapping.element),
            ("constant", mapping.constant),
            ("file_name", mapping.file_group),
            ("fields", mapping.fields or None),
            ("items", mapping.items or None),
        )
        if value is not None
    ]
    if len(origins) != 1:
        raise SourceSpecError(
            "expected exactly one of from, element, constant, file_name, fields, items; got "
            + (", ".join(origins) or "none"),
            key=key,
        )
    if mapping.is_composed:
        _check_parts(mapping, kind=kind, groups=groups, key=key)
        return
    _check_cutting(mapping, key=key)
    if mapping.element is not None and not kind.explode:
        raise SourceSpecError("element needs an `explode` in this kind", key=f"{key}.element")
    if mapping.file_group is not None and mapping.file_group not in groups:
        raise SourceSpecError(
            f"the expression `file_name` has no group {mapping.file_group!r}",
            key=f"{key}.file_name",
        )
    for name, factor in (("divide_by", mapping.divide_by), ("multiply_by", mapping.multiply_by)):
        if factor is not None and not 1 <= factor <= 10**18:
            raise SourceSpecError(f"expected 1 to 10^18, got {factor}", key=f"{key}.{name}")
    exclusive = {
        "divide_by": mapping.divide_by,
        "multiply_by": mapping.multiply_by,
        "values": mapping.values or None,
        "unit or zone": mapping.time,
        "case": mapping.case,
    }
    chosen = [name for name, value in exclusive.items() if value is not None]
    if len(chosen) > 1:
        raise SourceSpecError(f"{' and '.join(chosen)} exclude each other", key=key)
    if mapping.time is not None:
        _check_time(mapping.time, groups=groups, key=key)


def _check_cutting(mapping: FieldMapping, *, key: str) -> None:
    if (mapping.separator is None) != (mapping.part is None):
        raise SourceSpecError("separator and part need each other", key=key)
    if mapping.separator == "":
        raise SourceSpecError("expected at least one character", key=f"{key}.separator")
    if mapping.separator is not None and mapping.extract is not None:
        raise SourceSpecError("separator and extract exclude each other", key=key)
    if mapping.extract is not None:
        pattern = _compiled(mapping.extract, key=f"{key}.extract")
        if list(pattern.groupindex) != ["value"] or pattern.groups != 1:
            raise SourceSpecError("expected exactly one group, (?P<value>…)", key=f"{key}.extract")


def _check_time(time: TimeMapping, *, groups: set[str], key: str) -> None:
    if time.zone is not None:
        try:
            ZoneInfo(time.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SourceSpecError(
                f"no such time zone {time.zone!r}: expected a name such as America/New_York",
                key=f"{key}.zone",
            ) from None
    for name, choice in (("ambiguous", time.ambiguous), ("nonexistent", time.nonexistent)):
        if choice is not LocalTime.REFUSE and time.zone is None:
            raise SourceSpecError("is read only with a zone", key=f"{key}.{name}")
    if time.since is Since.EPOCH:
        if time.date is not None:
            raise SourceSpecError('date is read only with since = "midnight"', key=f"{key}.date")
        return
    for name, value in (("unit", time.unit), ("zone", time.zone), ("date", time.date)):
        if value is None:
            raise SourceSpecError(
                f'since = "midnight" needs unit, zone and date; {name} is missing', key=key
            )
    assert time.date is not None
    if time.date.startswith("file:"):
        if time.date[5:] not in groups:
            raise SourceSpecError(
                f"the expression `file_name` has no group {time.date[5:]!r}", key=f"{key}.date"
            )
    elif not time.date.startswith("field:"):
        try:
            date.fromisoformat(time.date)
        except ValueError:
            raise SourceSpecError(
                f"expected YYYY-MM-DD, file:GROUP or field:PATH, got {time.date!r}",
                key=f"{key}.date",
            ) from None


def _compiled(pattern: str, *, key: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SourceSpecError(f"not a regular expression: {error}", key=key) from None
