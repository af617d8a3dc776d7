"""JSON texts to typed columns: Arrow's reader for clean lines, one line at a time for the rest.

Arrow's reader is exact on what it accepts, with exceptions that are kept from it: it takes NaN and
Infinity, several values on a line, a null at the top level (which can crash it) and very deep
nesting (which does), and it shifts values after a null in a list of objects. Lines that could be
any of these, and pieces in which a single line is ill-typed, are read by
``tickmesh.decoding.json_documents`` instead.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from pyarrow import json as arrow_json

from tickmesh.decoding.arrow import all_true, any_true, nulls, pc, whole
from tickmesh.decoding.conversion import cells, numbers
from tickmesh.decoding.conversion.cells import Outcome
from tickmesh.decoding.json_documents import (
    NotARecordError,
    NumberToken,
    json_text,
    read_record,
    split_path,
    unread_paths,
    value_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tickmesh.decoding.arrow import Array

_PIECE_LINES: Final = 1_024
_PIECE_BYTES: Final = 256 << 10
_SMALL_LINES: Final = 32
_DEEP: Final = 4_096
MAX_EXTRA_NAMES: Final = 1_000
OTHER_EXTRAS: Final = "(others)"

_DOUBTFUL_NULL: Final = r"[\[{},]\s*null"
_DOUBTFUL_NUMBER: Final = r"[:\[,]\s*[-+]?(NaN|Inf)"
_DOUBTFUL: Final = {
    b"null": re.compile(_DOUBTFUL_NULL.encode()),
    b"NaN": re.compile(_DOUBTFUL_NUMBER.encode()),
    b"Inf": re.compile(_DOUBTFUL_NUMBER.encode()),
}


@dataclass(slots=True)
class JsonColumns:
    """Columns read from JSON texts, one row a text.

    Attributes:
        columns: Column by path; null where absent, null or failed.
        rejects: Texts that are no records: (row, code, message).
        failures: By path, values not of the wanted type: (row, code, JSON text).
        coercions: How many values were changed to fit, by path and code.
        extras: Values under paths that are not read, by dotted path.
        extra_rows: Rows that have such values.
    """

    columns: dict[str, Array]
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    failures: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    coercions: Counter[tuple[str, str]] = field(default_factory=Counter)
    extras: Counter[str] = field(default_factory=Counter)
    extra_rows: set[int] = field(default_factory=set)


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
        self._number_texts = number_texts
        self._json_texts = json_texts
        self._always_slow = bool(json_texts) or any(map(_has_map, wanted.values()))
        self._ignore = ignore
        self._count_extras = extras != "ignore"
        self._locate_extras = extras == "locate"
        self._tree: dict[str, Any] = {}
        for names, kind in self._wanted.values():
            node = self._tree
            for name in names[:-1]:
                node = node.setdefault(name, {})
            node[names[-1]] = kind
        self._options = arrow_json.ParseOptions(
            explicit_schema=pa.schema(_fields(self._tree)),
            unexpected_field_behavior="infer" if self._count_extras else "ignore",
        )

    def read(self, texts: Array) -> JsonColumns:
        """Read texts, each with its line end."""
        found = JsonColumns({})
        parts: list[dict[str, Array]] = []
        for first, last in _pieces(texts):
            self._read_piece(texts.slice(first, last - first), first, found, parts)
        for path, (_, kind) in self._wanted.items():
            arrays = [part[path] for part in parts]
            found.columns[path] = pa.concat_arrays(arrays) if arrays else nulls(0, kind)
        return found

    def _read_piece(
        self, texts: Array, first: int, found: JsonColumns, parts: list[dict[str, Array]]
    ) -> None:
        slow = self._always_slow or _doubtful(texts)
        table = None if slow else self._fast(texts)
        if table is not None:
            parts.append(self._columns_of(table))
            if self._count_extras:
                self._note_extras(table, first, found)
            return
        if len(texts) > _SMALL_LINES and not self._always_slow:
            for place in range(0, len(texts), _SMALL_LINES):
                piece = texts.slice(place, _SMALL_LINES)
                self._read_piece(piece, first + place, found, parts)
            return
        parts.append(self._slow(texts, first, found))

    def _fast(self, texts: Array) -> pa.Table | None:
        data = _joined(texts)
        options = arrow_json.ReadOptions(use_threads=False, block_size=max(len(data), 1) + 1)
        pa.BufferReader(data)  # the stubs name no stream of Arrow's own
        try:
            source: Any = pa.BufferReader(data)  # the stubs name no stream of Arrow's own
            table = arrow_json.read_json(
                source,
                read_options=options,
                parse_options=self._options,
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
            return None
        return table if table.num_rows == len(texts) else None

    def _columns_of(self, table: pa.Table) -> dict[str, Array]:
        columns = {}
        for path, (names, _) in self._wanted.items():
            column = whole(table.column(names[0]))
            for name in names[1:]:
                column = pc.struct_field(column, name)
            columns[path] = column
        return columns

    def _slow(self, texts: Array, first: int, found: JsonColumns) -> dict[str, Array]:
        values: dict[str, list[object]] = {path: [] for path in self._wanted}
        for place, text in enumerate(texts.to_pylist()):
            row = first + place
            try:
                document = read_record(text)
            except NotARecordError as error:
                found.rejects.append((row, error.code, error.message))
                document = {}
            for path, (names, kind) in self._wanted.items():
                present, value = value_at(document, names)
                if path in self._json_texts:
                    values[path].append(json_text(value) if present else None)
                    continue
                outcome = _fit(value, kind, number_text=path in self._number_texts)
                values[path].append(outcome.value)
                if outcome.coercion:
                    found.coercions[path, outcome.coercion] += 1
                if outcome.failure:
                    noted = found.failures.setdefault(path, [])
                    noted.append((row, outcome.failure, json_text(value)))
            if self._count_extras:
                for names in unread_paths(document, self._tree):
                    self._note_extra(".".join(names), 1, found)
                    if ".".join(names) not in self._ignore:
                        found.extra_rows.add(row)
        return {path: pa.array(values[path], type=kind) for path, (_, kind) in self._wanted.items()}

    def _note_extras(self, table: pa.Table, first: int, found: JsonColumns) -> None:
        for path, column in _extra_columns(table, self._tree):
            count = len(column) - column.null_count
            if count and path not in self._ignore:
                self._note_extra(path, count, found)
                if self._locate_extras:
                    rows = pc.indices_nonzero(column.is_valid()).to_pylist()
                    found.extra_rows.update(first + row for row in rows)

    def _note_extra(self, path: str, count: int, found: JsonColumns) -> None:
        if path in self._ignore:
            return
        known = path in found.extras or len(found.extras) < MAX_EXTRA_NAMES
        found.extras[path if known else OTHER_EXTRAS] += count


def _fields(tree: Mapping[str, Any]) -> list[pa.Field[Any]]:
    return [
        pa.field(name, pa.struct(_fields(node)) if isinstance(node, dict) else node)
        for name, node in tree.items()
    ]


def _extra_columns(table: pa.Table, tree: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    for name in table.column_names:
        yield from _extra_below(whole(table.column(name)), tree, name, name)


def _extra_below(
    column: Array, tree: Mapping[str, Any], name: str, path: str
) -> Iterator[tuple[str, Array]]:
    node = tree.get(name)
    if node is None:
        yield path, column
    elif isinstance(node, dict):
        for child in column.type:
            part = pc.struct_field(column, child.name)
            yield from _extra_below(part, node, child.name, f"{path}.{child.name}")


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


def _doubtful(texts: Array) -> bool:
    """Whether there are lines that Arrow's reader might misread."""
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
    return any(map(any_true, masks))


def _fit(value: object, kind: pa.DataType, *, number_text: bool) -> Outcome:
    """A value of a document as a value of the wanted type."""
    if value is None:
        return Outcome()
    if pt.is_string(kind):
        if isinstance(value, NumberToken):
            return Outcome(str(value)) if number_text else Outcome(failure=cells.NOT_A_STRING)
        return Outcome(value) if isinstance(value, str) else Outcome(failure=cells.NOT_A_STRING)
    if numbers.is_number(kind):
        if not isinstance(value, NumberToken):
            return Outcome(failure=cells.NOT_A_NUMBER)
        return numbers.exactly(kind)(str(value))
    if pt.is_boolean(kind):
        ok = isinstance(value, bool)
        return Outcome(value) if ok else Outcome(failure=cells.NOT_A_BOOLEAN)
    if pt.is_list(kind) and isinstance(value, list):
        items = [_fit(item, kind.value_type, number_text=number_text) for item in value]
        return _together(items, [item.value for item in items])
    if pt.is_struct(kind) and isinstance(value, dict):
        members = {
            child.name: _fit(value.get(child.name), child.type, number_text=number_text)
            for child in kind
        }
        return _together(
            list(members.values()), {name: member.value for name, member in members.items()}
        )
    if pt.is_map(kind) and isinstance(value, dict):
        entries = {
            name: _fit(item, kind.item_type, number_text=number_text)
            for name, item in value.items()
        }
        return _together(
            list(entries.values()), [(name, entry.value) for name, entry in entries.items()]
        )
    return Outcome(failure=cells.NOT_THE_TYPE)


def _has_map(kind: pa.DataType) -> bool:
    """Whether a type has a map in it, which Arrow's reader cannot fill."""
    if pt.is_map(kind):
        return True
    return any(_has_map(kind.field(place).type) for place in range(kind.num_fields))


def _together(parts: Sequence[Outcome], value: object) -> Outcome:
    failed = next((part.failure for part in parts if part.failure), None)
    return Outcome(failure=failed) if failed else Outcome(value)
