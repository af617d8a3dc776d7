"""One read's view of rows of many versions: all under one reader, or a refusal that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import GenerationNotReadableError, VersionNotReadableError
from tickmesh_tickstore.engine.resolution import Resolution, UnfitRowsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.resolution import ColumnRefusal

__all__ = ["Resolver"]

_MOST_NAMED = 20
"""Versions and columns that one message lists."""


class Resolver:
    """Turns batches of any version of a dataset into batches under one of them."""

    def __init__(
        self,
        reader: RowLayout,
        columns: Iterable[str],
        layout_of: Callable[[Stamp], RowLayout],
        *,
        dataset: str,
    ) -> None:
        """Prepare to read.

        Args:
            reader: The version to read under.
            columns: Its columns that are wanted.
            layout_of: The columns of the version that a stamp names.
            dataset: The dataset's name, for messages.
        """
        self.reader = reader
        wanted = list(columns)
        self.schema: pa.Schema = _selected(reader.schema, wanted)
        self._dataset = dataset
        self._layout_of = layout_of
        self._resolutions: dict[Stamp, Resolution] = {}
        self._needed: dict[Stamp, tuple[str, ...]] = {}

    def resolve(self, batch: pa.RecordBatch, stamp: Stamp) -> pa.RecordBatch:
        """A batch of a version's columns under the reader's; columns that agree are not copied.

        Raises:
            VersionNotReadableError: A value, or a whole column, cannot be had.
            GenerationNotReadableError: The same, of rows of another generation.
        """
        if not self.schema.names:
            return batch.select([])  # which knows how many rows there are
        resolution = self.resolution(stamp)
        if resolution.is_identity and batch.schema.equals(self.schema, check_metadata=True):
            return batch
        self.require([stamp])
        try:
            return resolution.resolve(batch, self.schema)
        except UnfitRowsError as error:
            raise self._refused([(stamp, error.refusal, error.example)], {}) from None

    def needs(self, stamp: Stamp) -> tuple[str, ...]:
        """The columns of a written version that `resolve` wants to see: one or more.

        Raises:
            VersionNotReadableError, GenerationNotReadableError: As `require`.
        """
        needed = self._needed.get(stamp)
        if needed is None:
            self.require([stamp])
            found = self.resolution(stamp).sources(self.schema.names)
            # Without any column nobody could tell how many rows there are.
            needed = tuple(found or self._layout_of(stamp).schema.names[:1])
            self._needed[stamp] = needed
        return needed

    def is_same(self, stamp: Stamp) -> bool:
        """Whether every column is read as it was written."""
        return all(map(self.resolution(stamp).is_unchanged, self.schema.names))

    def moves_columns(self, stamp: Stamp) -> bool:
        """Whether a column is read from one of another name, or from none."""
        resolution = self.resolution(stamp)
        return any(resolution.source(name) != name for name in self.schema.names)

    def resolution(self, stamp: Stamp) -> Resolution:
        """How rows of a version are read."""
        found = self._resolutions.get(stamp)
        if found is None:
            found = self._resolutions[stamp] = Resolution(self._layout_of(stamp), self.reader)
        return found

    def keeps_event_time(self, writer: RowLayout) -> bool:
        """Whether a version's rows keep, as the reader's event time, what was theirs."""
        name = self.reader.event_time
        if name is None:
            return writer.event_time is None
        resolution = self.resolution(writer.stamp)
        return resolution.keeps_instants(name) and resolution.source(name) == writer.event_time

    def require(
        self, stamps: Iterable[Stamp], *, rows: Callable[[], Mapping[Stamp, int]] | None = None
    ) -> None:
        """See that rows of some versions can be read, before any is.

        Args:
            stamps: The versions.
            rows: Counts their rows, for the message.

        Raises:
            VersionNotReadableError: A wanted column cannot be had.
            GenerationNotReadableError: The same, of rows of another generation.
        """
        refused = [
            (stamp, refusal, "")
            for stamp in stamps
            for refusal in (self._first_refusal(stamp),)
            if refusal is not None
        ]
        if refused:
            raise self._refused(refused, {} if rows is None else rows())

    def _first_refusal(self, stamp: Stamp) -> ColumnRefusal | None:
        refusals = self.resolution(stamp).refusals
        if not refusals:
            return None
        return next((refusals[name] for name in self.schema.names if name in refusals), None)

    def _refused(
        self,
        refused: Sequence[tuple[Stamp, ColumnRefusal, str]],
        rows: Mapping[Stamp, int],
    ) -> VersionNotReadableError:
        reader = self.reader
        version = reader.stamp.schema_version
        stamp, refusal, example = refused[0]
        generations = sorted({self._layout_of(stamp).generation for stamp, _, _ in refused})
        versions = sorted({stamp.schema_version for stamp, _, _ in refused})
        shared = self._shared_columns([stamp for stamp, _, _ in refused])
        counted = sum(rows.get(stamp, 0) for stamp, _, _ in refused)
        is_other = generations != [reader.generation]
        what = _listed("generation", generations) if is_other else "rows"
        of = f"{_listed('version', versions)}{f', {counted:,} rows' if counted else ''}"
        written = f"{refusal.written_type} in version {stamp.schema_version}"
        if refusal.written_type is None:
            written = f"not in version {stamp.schema_version}"
        such = f" (one is {example})" if example else ""
        select = (
            f"or select columns that all of them have: {', '.join(shared[:_MOST_NAMED])}"
            if shared
            else "no column can be had of all of them"
        )
        way_out = (
            f"Read each generation by itself (generation {generations[0]}, and so on)"
            if is_other
            else f"Read under a version that has it (reader_version {versions[-1]})"
        )
        message = (
            f"{what} ({of}) of dataset {self._dataset!r} cannot be read under version {version}: "
            f"column {refusal.path!r} is {refusal.reader_type} and was {written}: "
            f"{refusal.reason}{such}. {way_out}, {select}"
        )
        metadata = {
            "dataset": self._dataset,
            "readerVersion": str(version),
            "generations": _joined(generations),
            "schemaVersions": _joined(versions),
            "column": refusal.path,
            "readerType": refusal.reader_type,
            "writtenType": refusal.written_type or "",
            "readableColumns": ",".join(shared[:_MOST_NAMED]),
        }
        if counted:
            metadata["rows"] = str(counted)
        return (GenerationNotReadableError if is_other else VersionNotReadableError)(
            message, metadata=metadata
        )

    def _shared_columns(self, stamps: Iterable[Stamp]) -> list[str]:
        refusals = [self.resolution(stamp).refusals for stamp in stamps]
        return [
            name
            for name in self.reader.schema.names
            if not any(name in refused for refused in refusals)
        ]


def _selected(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    fields = [schema.field(name) for name in names]
    return pa.schema(fields).with_metadata(schema.metadata)


def _listed(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {_joined(numbers)}"


def _joined(numbers: Sequence[int]) -> str:
    shown = ",".join(map(str, numbers[:_MOST_NAMED]))
    return shown if len(numbers) <= _MOST_NAMED else f"{shown},…"
