"""JSON texts to typed columns: Arrow's reader for clean lines, one line at a time for the rest.

Arrow's reader is exact on what it accepts, with exceptions that are kept from it: it takes NaN and
Infinity, several values on a line, a null at the top level (which can crash it) and very deep
nesting (which does), and it shifts values after a null in a list of objects. Lines that could be
any of these, and pieces in which a single line is ill-typed, are read by
``tickmesh.decoding.json_documents`` instead.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from tickmesh.decoding.arrow import all_true, any_true, int64_array, nulls, pc, whole
from tickmesh.decoding.conversion.cells import Outcome
from tickmesh.decoding.json_by_layout import LayoutReader
from tickmesh.decoding.json_documents import (
    NotARecordError,
    join_path,
    json_text,
    read_record,
    split_path,
    unread_paths,
    value_at,
)
from tickmesh.decoding.json_found import JsonColumns
from tickmesh.decoding.json_values import fitting, has_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array

_PIECE_LINES: Final = 1_024
_PIECE_BYTES: Final = 256 << 10
_FEW_LINES: Final = 16
_ROW_OF_ERROR: Final = re.compile(r"in row ([0-9]+)")
_DEEP: Final = 4_096

Part: TypeAlias = "tuple[NDArray[np.int64], dict[str, Array]]"
"""Some rows, and a column of their values by path."""

_DOUBTFUL_NULL: Final = r"[\[{},]\s*null"
_DOUBTFUL_NUMBER: Final = r"[:\[,]\s*[-+]?(NaN|Inf)"
_DOUBTFUL: Final = {
    b"null": re.compile(_DOUBTFUL_NULL.encode()),
    b"NaN": re.compile(_DOUBTFUL_NUMBER.encode()),
    b"Inf": re.compile(_DOUBTFUL_NUMBER.encode()),
}


class JsonReader:
    """Reads the same paths of many texts."""

    def __init__(
        self,
        wanted: Mapping[str, pa.DataType],
        *,
        number_texts: frozenset[str] = frozenset(),
        json_texts: frozenset[str] = frozenset(),
        ignore: frozenset[str] = frozenset(),
        extras: Literal["ignore", "count", "locate"] = "count",
    ) -> None:
        """Prepare a reader.

        Args:
            wanted: Arrow type by dotted path; a path may not lie within another.
            number_texts: Paths wanted as text where a number's token is text enough.
            json_texts: Paths wanted as JSON text of whatever value is there.
            ignore: Dotted paths that are known and not wanted.
            extras: Whether values under other paths are counted, and their rows noted.
        """
        self._wanted = {path: (split_path(path), kind) for path, kind in wanted.items()}
        self._fits = {
            path: None if path in json_texts else fitting(kind, number_text=path in number_texts)
            for path, kind in wanted.items()
        }
        self._always_slow = bool(json_texts) or any(map(has_map, wanted.values()))
        self._ignore = ignore
        self._count_extras = extras != "ignore"
        self._locate_extras = extras == "locate"
        self._tree: dict[str, Any] = {}
        for names, kind in self._wanted.values():
            node = self._tree
            for name in names[:-1]:
                node = node.setdefault(name, {})
            node[names[-1]] = kind
        self._by_layout = LayoutReader(
            self._wanted,
            self._tree,
            number_texts=number_texts,
            ignore=ignore,
            count_extras=self._count_extras,
            locate_extras=self._locate_extras,
        )
        self._options = arrow_json.ParseOptions(
            explicit_schema=pa.schema(_fields(self._tree)),
            unexpected_field_behavior="infer" if self._count_extras else "ignore",
        )

    def read(self, texts: Array) -> JsonColumns:
        """Read texts, each with its line end."""
        found = JsonColumns({})
        parts: list[Part] = []
        if self._always_slow:
            rows = np.arange(len(texts), dtype=np.int64)
            parts.append((rows, self._slow(texts, rows.tolist(), found)))
        else:
            rows = self._by_layout.read(texts, found, parts)
            rest = texts if len(rows) == len(texts) else texts.take(int64_array(rows))
            for first, last in _pieces(rest):
                self._read_piece(rest.slice(first, last - first), rows[first:last], found, parts)
        order = np.concatenate([rows for rows, _ in parts]) if parts else np.zeros(0, np.int64)
        sorted_already = bool((order[1:] > order[:-1]).all())
        place_of = int64_array(np.argsort(order))
        for path, (_, kind) in self._wanted.items():
            arrays = [columns[path] for _, columns in parts]
            column = pa.concat_arrays(arrays) if arrays else nulls(0, kind)
            found.columns[path] = column if sorted_already else column.take(place_of)
        return found

    def _read_piece(
        self, texts: Array, rows: NDArray[np.int64], found: JsonColumns, parts: list[Part]
    ) -> None:
        """Read lines fast but for those that are doubtful, which are read one by one."""
        doubtful = _doubtful(texts)
        if doubtful is not None:
            slow = np.flatnonzero(doubtful.to_numpy(zero_copy_only=False))
            self._one_by_one(texts.take(int64_array(slow)), rows[slow], found, parts)
            texts, rows = texts.filter(pc.invert(doubtful)), np.delete(rows, slow)
        self._read_run(texts, rows, found, parts)

    def _read_run(
        self, texts: Array, rows: NDArray[np.int64], found: JsonColumns, parts: list[Part]
    ) -> None:
        """Read lines fast, and around those that the fast reader refuses."""
        while len(texts) > _FEW_LINES:
            table, line = self._fast(texts)
            if table is not None:
                parts.append((rows, self._columns_of(table)))
                if self._count_extras:
                    self._note_extras(table, rows, found)
                return
            if line is None:  # it does not say which: look in either half
                line = len(texts) // 2
                self._read_run(texts.slice(0, line), rows[:line], found, parts)
            elif line > _FEW_LINES:
                self._read_run(texts.slice(0, line), rows[:line], found, parts)
                self._one_by_one(texts.slice(line, 1), rows[line : line + 1], found, parts)
                line += 1
            else:
                # Where every other line is bad, an attempt a line would cost more than it saves.
                line = _FEW_LINES
                self._one_by_one(texts.slice(0, line), rows[:line], found, parts)
            texts, rows = texts.slice(line), rows[line:]
        self._one_by_one(texts, rows, found, parts)

    def _one_by_one(
        self, texts: Array, rows: NDArray[np.int64], found: JsonColumns, parts: list[Part]
    ) -> None:
        if len(rows):
            parts.append((rows, self._slow(texts, rows.tolist(), found)))

    def _fast(self, texts: Array) -> tuple[pa.Table | None, int | None]:
        """The table of the texts, or else the line that could not be read, if that is known."""
        data = _joined(texts)
        source: Any = pa.BufferReader(data)  # the stubs name no stream of Arrow's own
        options = arrow_json.ReadOptions(use_threads=False, block_size=max(len(data), 1) + 1)
        try:
            table = arrow_json.read_json(source, read_options=options, parse_options=self._options)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
            row = _ROW_OF_ERROR.search(str(error))
            line = int(row[1]) if row else None
            return None, line if line is not None and line < len(texts) else None
        return (table, None) if table.num_rows == len(texts) else (None, None)

    def _columns_of(self, table: pa.Table) -> dict[str, Array]:
        columns = {}
        for path, (names, _) in self._wanted.items():
            column = whole(table.column(names[0]))
            for name in names[1:]:
                column = pc.struct_field(column, name)
            columns[path] = column
        return columns

    def _slow(self, texts: Array, rows: Sequence[int], found: JsonColumns) -> dict[str, Array]:
        values: dict[str, list[object]] = {path: [] for path in self._wanted}
        for row, text in zip(rows, texts.to_pylist(), strict=True):
            try:
                document = read_record(text)
            except NotARecordError as error:
                found.rejects.append((row, error.code, error.message))
                document = {}
            for path, (names, _) in self._wanted.items():
                present, value = value_at(document, names)
                fit = self._fits[path]
                fitted = (json_text(value) if present else None) if fit is None else fit(value)
                if isinstance(fitted, Outcome):
                    if fitted.coercion:
                        found.coercions[path, fitted.coercion] += 1
                    if fitted.failure:
                        noted = found.failures.setdefault(path, [])
                        noted.append((row, fitted.failure, json_text(value)))
                    fitted = fitted.value
                values[path].append(fitted)
            if self._count_extras:
                for names in unread_paths(document, self._tree):
                    self._note_extra(join_path(names), [row], found)
        return {path: pa.array(values[path], type=kind) for path, (_, kind) in self._wanted.items()}

    def _note_extras(self, table: pa.Table, rows: NDArray[np.int64], found: JsonColumns) -> None:
        for names, column in _extra_columns(table, self._tree):
            if column.null_count < len(column):
                valid = np.flatnonzero(np.asarray(column.is_valid()))
                self._note_extra(join_path(names), rows[valid].tolist(), found)

    def _note_extra(self, path: str, rows: Sequence[int], found: JsonColumns) -> None:
        if path not in self._ignore:
            found.note_extra(path, rows, locate=self._locate_extras)


def _fields(tree: Mapping[str, Any]) -> list[pa.Field[Any]]:
    return [
        pa.field(name, pa.struct(_fields(node)) if isinstance(node, dict) else node)
        for name, node in tree.items()
    ]


def _extra_columns(
    table: pa.Table, tree: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Array]]:
    for name in table.column_names:
        yield from _extra_below(whole(table.column(name)), tree, (name,))


def _extra_below(
    column: Array, tree: Mapping[str, Any], names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Array]]:
    node = tree.get(names[-1])
    if node is None:
        yield names, column
    elif isinstance(node, dict):
        for child in column.type:
            part = pc.struct_field(column, child.name)
            yield from _extra_below(part, node, (*names, child.name))


def _pieces(texts: Array) -> Iterator[tuple[int, int]]:
    """Runs of lines that are few and short: what a reader makes of them is bounded by both."""
    bounds = np.frombuffer(texts.buffers()[1], dtype=np.int32)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(bounds, int(bounds[first]) + _PIECE_BYTES, side="right")) - 1
        last = min(max(last, first + 1), first + _PIECE_LINES, len(texts))
        yield first, last
        first = last


def _joined(texts: Array) -> Any:
    """The bytes of consecutive texts, without a copy."""
    bounds = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    begin, end = int(bounds[texts.offset]), int(bounds[texts.offset + len(texts)])
    data = texts.buffers()[2]
    return data.slice(begin, end - begin)


def _doubtful(texts: Array) -> Array | None:
    """Which lines Arrow's reader might misread; None when none is."""
    data = memoryview(_joined(texts)).tobytes()
    masks = [
        pc.match_substring_regex(texts, pattern.pattern.decode())
        for mark, pattern in _DOUBTFUL.items()
        if mark in data and pattern.search(data)
    ]
    masks.append(pc.invert(pc.starts_with(texts, "{")))
    if not all_true(pc.ends_with(texts, "}\n")):
        masks.append(pc.invert(pc.match_substring_regex(texts, r"\}\s*\z")))
    if any_true(pc.greater(pc.binary_length(texts), _DEEP)):
        openings = pc.add(pc.count_substring(texts, "["), pc.count_substring(texts, "{"))
        masks.append(pc.greater(openings, _DEEP))
    doubtful = functools.reduce(pc.or_, masks)
    return doubtful if any_true(doubtful) else None
