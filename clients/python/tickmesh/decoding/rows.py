"""What the kinds of record have in common: constants, and the rows a kind makes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import nulls
from tickmesh.decoding.conversion.cells import Converted
from tickmesh.decoding.conversion.fields import FieldConverter, Target
from tickmesh.decoding.source_spec import (
    FieldMapping,
    RecordKind,
    SourceSpec,
    SourceSpecError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.conversion.composition import EachConverter
    from tickmesh.decoding.schema_facts import SchemaFacts


Part: TypeAlias = "Constant | FieldConverter | EachConverter"
"""What fills a field, or a part of one."""


@dataclass(slots=True)
class KindRows:
    """The rows that records of one kind make.

    Attributes:
        columns: By field; fields that are not there are null.
        records: For each row, its record.
        rejects: Records that make no rows: (record, code, message).
        extras: Values under raw fields that nothing reads.
        extra_records: Records that have such values, if the spec refuses them.
    """

    columns: dict[str, Converted]
    records: NDArray[np.int64]
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    extras: Counter[str] = field(default_factory=Counter)
    extra_records: set[int] = field(default_factory=set)

    def without_records(self, refused: set[int]) -> KindRows:
        """The rows of the other records."""
        if not refused:
            return self
        return self.chosen(~np.isin(self.records, np.fromiter(refused, dtype=np.int64)))

    def chosen(self, keep: NDArray[np.bool_]) -> KindRows:
        """Some of the rows."""
        columns = {name: column.filtered(keep) for name, column in self.columns.items()}
        return KindRows(columns, self.records[keep], self.rejects, self.extras, self.extra_records)


class FileName:
    """What a spec's expression finds in a file name."""

    def __init__(self, spec: SourceSpec, file_name: str) -> None:
        self._groups: dict[str, str | None] = {}
        if spec.file_name is None:
            return
        match = re.fullmatch(spec.file_name, file_name)
        if match is None:
            raise SourceSpecError(
                f"the file is named {file_name!r}, which does not match {spec.file_name!r}; "
                "rename it or mend the expression",
                key="file_name",
            )
        self._groups = match.groupdict()

    def group(self, name: str) -> str | None:
        """The text of a named group."""
        return self._groups.get(name)

    def day(self, text: str) -> date:
        """The local date that ``file:GROUP`` or ``YYYY-MM-DD`` states."""
        stated = self.group(text[5:]) if text.startswith("file:") else text
        try:
            return date.fromisoformat(stated or "")
        except ValueError:
            raise SourceSpecError(
                f"expected YYYYMMDD or YYYY-MM-DD in the file name, got {stated!r}", key=text
            ) from None


class Constant:
    """A field that has the same value in every row."""

    def __init__(self, mapping: FieldMapping, target: Target, name: FileName) -> None:
        value: Any = mapping.constant
        if mapping.file_group is not None:
            value = name.group(mapping.file_group)
        elif isinstance(value, bool):
            value = "true" if value else "false"
        elif value is not None:
            value = str(value)
        converter = FieldConverter(mapping, target, lexical=True)
        converted = converter.convert(pa.array([value], pa.string()))
        if converted.failures:
            raise SourceSpecError(
                f"{value!r} is no value of the type {target.type}: {converted.failures[0].code}",
                key=f"fields.{target.name}",
            )
        self._value = converted.values

    def column(self, length: int) -> Converted:
        """The value in every row."""
        if self._value.null_count:
            return Converted(nulls(length, self._value.type))
        return Converted(self._value.take(pa.repeat(0, length)))


def targets_of(kind: RecordKind, schema: pa.Schema, facts: SchemaFacts) -> dict[str, Target]:
    """The schema's fields that a kind fills, by name.

    Raises:
        SourceSpecError: The schema has no such field.
    """
    names = [mapping.target for mapping in kind.fields]
    names += [name for explode in kind.explode for name, _ in explode.constants]
    targets = {}
    for name in names:
        place = schema.get_field_index(name)
        if place < 0:
            raise SourceSpecError(
                f"the schema has no field {name!r}; it has {', '.join(schema.names)}",
                key=f"{kind.name}.fields.{name}",
            )
        targets[name] = Target.of(schema.field(place), integer=facts.is_integer(name))
    return targets


def days(mapping: FieldMapping, name: FileName, length: int) -> Array | None:
    """The same local date for every row, if the mapping states one."""
    if mapping.time is None or mapping.time.date is None or mapping.day_path is not None:
        return None
    return pa.array([name.day(mapping.time.date)], pa.date32()).take(pa.repeat(0, length))


def one_after_another(parts: Sequence[KindRows]) -> KindRows:
    """The rows of all parts; fields that one part lacks are null there."""
    names = {name for part in parts for name in part.columns}
    columns: dict[str, Converted] = {}
    for name in names:
        kind = next(part.columns[name].values.type for part in parts if name in part.columns)
        joined = Converted(nulls(0, kind))
        for part in parts:
            following = part.columns.get(name) or Converted(nulls(len(part.records), kind))
            joined = joined.followed_by(following)
        columns[name] = joined
    return KindRows(columns, np.concatenate([part.records for part in parts]))
