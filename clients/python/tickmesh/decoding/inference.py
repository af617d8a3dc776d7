"""A first schema and source spec from a sample of a source; nothing is registered."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.decoded import DecodedBatch, DecodeError
from tickmesh.decoding.json_documents import (
    NotARecordError,
    NumberToken,
    join_path,
    read_record,
)
from tickmesh.decoding.jsonl import JSON_COLUMN
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.market_shapes import Ladder, ladders_of, record_name, role_of
from tickmesh.decoding.opening import open_decoder
from tickmesh.decoding.profiles import ABSENT, FieldGuess, anything, guess
from tickmesh.decoding.shapes import Shape, leaves_of, shapes_of
from tickmesh.decoding.sniffing import SNIFFED_BYTES, DetectedFormat, detect_format
from tickmesh.decoding.source_spec import (
    FieldMapping,
    Format,
    RecordKind,
    SkipKind,
    SourceSpec,
    TimeMapping,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_SAMPLE_RECORDS: Final = 10_000
_FILE_DATE: Final = re.compile(
    r"(?<![0-9])(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])(?![0-9])"
)
_FILE_DATE_EXPRESSION: Final = r".*?(?P<date>(?:19|20)[0-9]{6}).*"


@dataclass(frozen=True, slots=True)
class InferredSource:
    """What a sample suggests.

    Attributes:
        schema: A JSON Schema under which every row of the sample is good.
        spec: A source spec for the file.
        notes: What a person should confirm or know.
    """

    schema: dict[str, Any]
    spec: SourceSpec
    notes: tuple[str, ...]

    @property
    def schema_text(self) -> str:
        """The schema as JSON, indented."""
        return json.dumps(self.schema, indent=2, ensure_ascii=False) + "\n"

    @property
    def spec_text(self) -> str:
        """The source spec as TOML with comments."""
        return self.spec.to_toml()


def infer(
    source: str | Path | bytes,
    *,
    subject: str,
    sample_records: int = DEFAULT_SAMPLE_RECORDS,
    file_name: str | None = None,
) -> InferredSource:
    """Infer a schema and a source spec from the first records of a source.

    Types follow the exact grammar of the values: ``007`` is text, ``1.0`` is no integer. Every row
    of the sample is good under what is inferred; a field that could not be made so is left
    as it is.

    Args:
        source: A file's path, or its content.
        subject: The subject to write the schema for.
        sample_records: How many records to look at.
        file_name: The file's name, when ``source`` is content.

    Raises:
        DecodeError: The source is empty or cannot be read.
        OSError: The path cannot be read.
    """
    name = file_name or ("" if isinstance(source, bytes) else Path(source).name)
    detected = detect_format(name, _first_bytes(source))
    sample = _sample(source, detected.spec(), sample_records)
    file_date = _FILE_DATE.search(name) is not None
    notes = _layout_notes(detected)
    shapes: list[Shape] = []
    if detected.format is Format.JSONL:
        guesses, shapes = _from_json(sample, file_date=file_date)
        notes += _shape_notes(shapes)
    else:
        guesses = _from_columns(sample, detected, file_date=file_date)
    while True:
        inferred = _assemble(guesses, shapes, detected, subject=subject, sample=sample)
        failing = _failing_fields(inferred, sample, file_name=name)
        if not failing:
            break
        lexical = detected.format is Format.CSV
        guesses = [
            left
            for each in guesses
            for left in (
                [each]
                if each.mapping.target not in failing
                else each.members or [anything(each, lexical=lexical)]
            )
        ]
        notes += tuple(f"{target}: left as it is" for target in sorted(failing))
    notes += tuple(note for each in guesses for note in each.notes)
    return InferredSource(inferred.schema, inferred.spec, notes)


def _first_bytes(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:SNIFFED_BYTES]
    with Path(source).open("rb") as stream:
        return stream.read(SNIFFED_BYTES)


def _sample(source: str | Path | bytes, spec: SourceSpec, records: int) -> DecodedBatch:
    opened: str | Path | BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    batch = next(open_decoder(opened, spec, batch_records=records), None)
    if batch is None or not batch.columns.num_rows:
        raise DecodeError("EMPTY", "the source has no record to infer from")
    return batch


def _from_columns(
    sample: DecodedBatch, detected: DetectedFormat, *, file_date: bool
) -> list[FieldGuess]:
    lexical = detected.format is Format.CSV
    guesses = []
    values_of: dict[str, list[Any]] = {}
    for field, column in zip(sample.columns.schema, sample.columns.columns, strict=True):
        name = field.name
        if pt.is_timestamp(field.type):
            guesses.append(_from_timestamps(field, column.null_count))
            continue
        values = [_raw_value(value) for value in column.to_pylist()]
        if lexical:
            values = [ABSENT if value is None else value for value in values]
        values_of[name] = values
        each = guess(values, target=name, path=name, lexical=lexical, file_date=file_date)
        guesses.append(each)
    for ladder in ladders_of(sample.columns.schema.names):
        guesses = _with_ladder(guesses, ladder, values_of, lexical=lexical)
    return guesses


def _with_ladder(
    guesses: Sequence[FieldGuess],
    ladder: Ladder,
    values_of: Mapping[str, list[Any]],
    *,
    lexical: bool,
) -> list[FieldGuess]:
    """The guesses with the columns of a book's side as one list of levels."""
    columns = {name for level in ladder.levels for name in level.values()}
    members = tuple(each for each in guesses if each.mapping.path in columns)
    if any(each.mapping.target == ladder.name for each in guesses) or not all(
        name in values_of for name in columns
    ):
        return list(guesses)
    parts = {}
    for part in ladder.levels[0]:
        values = [value for level in ladder.levels for value in values_of[level[part]]]
        parts[part] = guess(values, target=part, path=part, lexical=lexical, file_date=False)
    if not all(each.schema.get("type") in ("number", "integer") for each in parts.values()):
        return list(guesses)
    items = tuple(
        FieldMapping(
            target="item",
            fields=tuple(
                replace(parts[part].mapping, path=name, comment="") for part, name in level.items()
            ),
        )
        for level in ladder.levels
    )
    schema = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {part: each.schema for part, each in parts.items()},
        },
    }
    comment = f"{len(ladder.levels)} levels"
    mapping = FieldMapping(target=ladder.name, items=items, comment=comment)
    built = FieldGuess(schema, mapping, required=True, members=members)
    place = guesses.index(members[0])
    others = [each for each in guesses if each.mapping.path not in columns]
    return [*others[:place], built, *others[place:]]


def _from_timestamps(field: pa.Field[Any], null_count: int) -> FieldGuess:
    kind: Any = field.type
    zone = TimeMapping(zone="UTC") if kind.tz is None else None
    comment = "CONFIRM the zone: the file names none" if zone else ""
    mapping = FieldMapping(target=field.name, path=field.name, time=zone, comment=comment)
    notes = (f"{field.name}: times without a zone are taken as UTC; confirm",) if zone else ()
    schema = {"type": "string", "format": "date-time"}
    return FieldGuess(schema, mapping, required=not null_count, notes=notes)


def _raw_value(value: Any) -> Any:
    """A value of a typed column as JSON reading would have it."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return NumberToken(json.dumps(value)) if value == value else None  # noqa: PLR0124 - NaN
    if isinstance(value, list):
        return [_raw_value(item) for item in value]
    if isinstance(value, dict):
        return {name: _raw_value(item) for name, item in value.items()}
    return str(value)


def _from_json(sample: DecodedBatch, *, file_date: bool) -> tuple[list[FieldGuess], list[Shape]]:
    documents, places = [], []
    for place, text in enumerate(sample.columns.column(JSON_COLUMN).to_pylist()):
        try:
            documents.append(read_record(text or ""))
            places.append(place)
        except NotARecordError:
            continue
    if not documents:
        raise DecodeError("MALFORMED", "no line of the sample is a JSON object")
    shapes = shapes_of(documents)
    members = shapes[0].documents
    chosen = [dict(leaves_of(documents[index])) for index in members]
    guesses = []
    for name in sample.columns.schema.names:
        if name != JSON_COLUMN:
            column = sample.columns.column(name).to_pylist()
            values = [column[places[index]] for index in members]
            target = name.rpartition(".")[2]
            guesses.append(
                guess(values, target=target, path=name, lexical=True, file_date=file_date)
            )
    when = shapes[0].when
    found = dict.fromkeys(path for leaves in chosen for path in leaves)
    # What is an object in other records cannot be read as a value too.
    outer = {path[:size] for path in found for size in range(1, len(path))}
    paths = [path for path in found if path not in outer]
    names = _target_names(paths, taken=[each.mapping.target for each in guesses])
    for path in paths:
        if when is not None and when.equals is not None and join_path(path) == when.path:
            continue
        values = [leaves.get(path, ABSENT) for leaves in chosen]
        guesses.append(
            guess(
                values,
                target=names[path],
                path=join_path(path),
                lexical=False,
                file_date=file_date,
            )
        )
    return guesses, shapes


def _target_names(
    paths: Sequence[tuple[str, ...]], *, taken: Sequence[str]
) -> Mapping[tuple[str, ...], str]:
    """A short name for each path: its last part, unless others end the same."""
    last = Counter(path[-1] for path in paths) + Counter(taken)
    return {path: path[-1] if last[path[-1]] == 1 else "_".join(path) for path in paths}


def _assemble(
    guesses: Sequence[FieldGuess],
    shapes: Sequence[Shape],
    detected: DetectedFormat,
    *,
    subject: str,
    sample: DecodedBatch,
) -> InferredSource:
    count = sample.columns.num_rows
    properties = {}
    for each in guesses:
        note = each.mapping.comment
        properties[each.mapping.target] = {**each.schema, **({"$comment": note} if note else {})}
        role = role_of(each.mapping.target)
        if role is not None and each.required and _is_text(each.schema):
            properties[each.mapping.target]["x-tick-role"] = role
    told = record_name(each.mapping.target for each in guesses)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": subject,
        "$comment": f"Inferred from {count} records; read it before you register it.",
        "type": "object",
        "properties": properties,
        "required": [each.mapping.target for each in guesses if each.required],
    }
    times = [each.mapping.time for each in guesses if each.mapping.time is not None]
    needs_date = any(time.date is not None for time in times)
    main = shapes[0] if shapes else Shape("record", None, ())
    spec = SourceSpec(
        format=detected.format,
        subject=subject,
        csv=detected.csv,
        prefix=detected.prefix,
        file_name=_FILE_DATE_EXPRESSION if needs_date else None,
        records=(
            RecordKind(
                name=main.name if main.when is not None or told is None else told,
                when=main.when,
                fields=tuple(each.mapping for each in guesses),
                comment=f"{len(main.documents)} of {count} records" if main.when else "",
            ),
        ),
        skip=tuple(
            SkipKind(
                name=shape.name,
                when=shape.when,
                comment=f"{len(shape.documents)} of {count} records",
            )
            for shape in shapes[1:]
            if shape.when is not None
        ),
        comment=(f"Inferred from {count} records. Lines marked CONFIRM are guesses.",),
    )
    return InferredSource(schema, spec, ())


def _is_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string" and "format" not in schema


def _failing_fields(inferred: InferredSource, sample: DecodedBatch, *, file_name: str) -> set[str]:
    """Fields of which some value of the sample is bad under what was inferred."""
    from tickmesh.schema.document import parse_schema
    from tickmesh.schema.projection import project
    from tickmesh.schema.validation import compile_schema

    document = parse_schema(json.dumps(inferred.schema))
    arrow_schema = project(document)
    mapper = RowMapper(inferred.spec, document, arrow_schema, file_name=file_name)
    mapped = mapper.map(sample)
    failing = {failure.column for failure in mapped.failures}
    verdicts = compile_schema(document, arrow_schema).check(mapped.batch)
    if not failing and not verdicts.all_good:
        for row in map(int, np.asarray(verdicts.bad_indices)[:100]):
            for reason in verdicts.reasons(row):
                failing.add(reason.instance_path.split("/")[1] if reason.instance_path else "")
    properties = inferred.schema["properties"]
    left = {name for name in properties if properties[name] in ({}, {"type": "string"})}
    return failing - left - {""}


def _layout_notes(detected: DetectedFormat) -> tuple[str, ...]:
    if detected.prefix is not None:
        count = len(detected.prefix.names)
        return (f"each line has {count} part(s) before its JSON, named part_1 …; rename them",)
    if detected.format is Format.CSV and not detected.has_header:
        return ("there is no header: the columns are named column_1 …; rename them",)
    return ()


def _shape_notes(shapes: Sequence[Shape]) -> tuple[str, ...]:
    if len(shapes) < 2:
        return ()
    total = sum(len(shape.documents) for shape in shapes)
    others = ", ".join(f"{shape.name} ({len(shape.documents)})" for shape in shapes[1:])
    return (
        (
            f"the records are of {len(shapes)} kinds; this is for the most frequent, "
            f"{shapes[0].name} ({len(shapes[0].documents)} of {total}); skipped: {others}"
        ),
    )
