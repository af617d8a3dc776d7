"""The wanted values of lines that have a known layout, in columns from beginning to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import any_true, nulls, pc
from tickmesh.decoding.conversion import cells, numbers
from tickmesh.decoding.json_documents import join_path
from tickmesh.decoding.json_layouts import Layout, Lines, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.conversion.cells import Converted
    from tickmesh.decoding.json_found import JsonColumns

_LINES_AT_ONCE: Final = 8_192
_MOST_LAYOUTS: Final = 8
_TRIED_LINES: Final = 4
_WORTH_A_LAYOUT: Final = 256
_MOST_FAILURES: Final = 8


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a layout has what is wanted.

    Attributes:
        columns: Slot by wanted path; None where the layout has no value.
        extras: Slot by a path that is not read; None where every line has a value.
    """

    columns: Mapping[str, int | None]
    extras: Mapping[str, int | None]


class LayoutReader:
    """Reads the same paths of many texts, as far as their layouts are found to repeat."""

    def __init__(
        self,
        wanted: Mapping[str, tuple[tuple[str, ...], Any]],
        tree: Mapping[str, Any],
        *,
        number_texts: frozenset[str],
        ignore: frozenset[str],
        count_extras: bool,
        locate_extras: bool,
    ) -> None:
        """Prepare a reader.

        Args:
            wanted: By path, its names and the Arrow type wanted.
            tree: The same as names within names.
            number_texts: Paths wanted as text where a number's token is text enough.
            ignore: Paths that are known and not wanted.
            count_extras: Whether values under other paths are counted.
            locate_extras: Whether their rows are noted.
        """
        self._wanted = wanted
        self._tree = tree
        self._number_texts = number_texts
        self._ignore = ignore
        self._count_extras = count_extras
        self._locate_extras = locate_extras
        self._plans: dict[Layout, _Plan] = {}
        self._failures = 0

    def read(
        self,
        texts: Array,
        found: JsonColumns,
        parts: list[tuple[NDArray[np.int64], dict[str, Array]]],
    ) -> NDArray[np.int64]:
        """Read the texts of known or repeated layouts.

        Args:
            texts: Each with its line end.
            found: Where failures and extras are noted.
            parts: Rows and their columns are added here.

        Returns:
            The rows that are left.
        """
        left = []
        for first in range(0, len(texts), _LINES_AT_ONCE):
            some = texts.slice(first, _LINES_AT_ONCE)
            rest = np.arange(len(some), dtype=np.int64)
            if len(some) >= _WORTH_A_LAYOUT and self._failures < _MOST_FAILURES:
                rest = self._read(some, first, found, parts)
            left.append(rest + first)
        return np.concatenate(left) if left else np.zeros(0, dtype=np.int64)

    def _read(
        self,
        texts: Array,
        first: int,
        found: JsonColumns,
        parts: list[tuple[NDArray[np.int64], dict[str, Array]]],
    ) -> NDArray[np.int64]:
        lines = Lines(texts)
        remaining = np.ones(len(texts), dtype=bool)

        def take(layout: Layout, plan: _Plan) -> int:
            split = lines.of(layout, np.flatnonzero(remaining & lines.eligible))
            if split is None:
                return 0
            remaining[split.rows] = False
            rows = split.rows + first
            self._note_extras(plan, split, rows, found)
            parts.append((rows, self._columns(plan, split, rows, found)))
            return len(rows)

        for known, where in self._plans.items():
            take(known, where)
        tried = 0
        while tried < _TRIED_LINES and len(self._plans) < _MOST_LAYOUTS:
            candidates = np.flatnonzero(remaining & lines.eligible)
            if len(candidates) < max(_WORTH_A_LAYOUT, len(texts) // 16):
                break
            # Lines far apart, so that a rare kind of line at the front is not all that is tried.
            layout = Layout.of(lines.line(int(candidates[tried * len(candidates) // _TRIED_LINES])))
            plan = None if layout is None else self._plan(layout)
            tried += 1
            if layout is None or plan is None or layout in self._plans:
                continue
            if take(layout, plan) >= _WORTH_A_LAYOUT // 4:
                self._plans[layout] = plan
                tried = 0
        self._failures = self._failures + 1 if remaining.all() else 0
        return np.flatnonzero(remaining)

    def _plan(self, layout: Layout) -> _Plan | None:
        """Where the wanted values are; None where the layout has something else in their place."""
        places = {
            slot.path: number for number, slot in enumerate(layout.slots) if not slot.within_array
        }
        containers = {slot.path for slot in layout.slots if slot.within_array} | set(layout.empty)
        containers |= {
            path[:size] for path in [*places, *containers] for size in range(1, len(path))
        }
        columns: dict[str, int | None] = {}
        for path, (names, kind) in self._wanted.items():
            number = places.get(names)
            if names in containers or (
                number is not None and not self._readable(layout, number, kind)
            ):
                return None
            columns[path] = number
        extras: dict[str, int | None] = {}
        for names in [*places, *containers]:
            unread = self._unread(names)
            if unread is not None and join_path(unread) not in self._ignore:
                number = places.get(names) if names == unread else None
                bare = number is not None and not layout.slots[number].quoted
                extras[join_path(unread)] = number if bare else None
        return _Plan(columns, extras)

    @staticmethod
    def _readable(layout: Layout, number: int, kind: Any) -> bool:
        if pt.is_string(kind):
            return True
        return not layout.slots[number].quoted and (numbers.is_number(kind) or pt.is_boolean(kind))

    def _unread(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """The path, or the outermost part of it, that nothing reads."""
        node: Any = self._tree
        for size, name in enumerate(names, start=1):
            if not isinstance(node, dict):
                return None
            if name not in node:
                return names[:size]
            node = node[name]
        return None

    def _note_extras(
        self, plan: _Plan, split: Split, rows: NDArray[np.int64], found: JsonColumns
    ) -> None:
        if not self._count_extras:
            return
        for path, number in plan.extras.items():
            chosen = rows
            if number is not None:
                valued = pc.not_equal(split.tokens(number), "null")
                chosen = rows[np.asarray(valued.to_numpy(zero_copy_only=False), dtype=bool)]
            if len(chosen):
                located = chosen.tolist() if self._locate_extras else range(len(chosen))
                found.note_extra(path, located, locate=self._locate_extras)

    def _columns(
        self, plan: _Plan, split: Split, rows: NDArray[np.int64], found: JsonColumns
    ) -> dict[str, Array]:
        columns = {}
        for path, (_, kind) in self._wanted.items():
            number = plan.columns[path]
            if number is None:
                columns[path] = nulls(len(rows), kind)
                continue
            tokens = split.tokens(number)
            if split.layout.slots[number].quoted:
                columns[path] = tokens
                continue
            converted = _literals(tokens, kind, number_text=path in self._number_texts)
            columns[path] = converted.values
            for failed in converted.failures:
                places = rows[np.asarray(failed.rows)].tolist()
                noted = found.failures.setdefault(path, [])
                for row, raw in zip(places, failed.raw.to_pylist(), strict=True):
                    noted.append((row, failed.code, raw))
            for code, count in converted.coercions.items():
                # A JSON number is the double nearest to it, whichever way it is read.
                if code != cells.ROUNDED_TO_DOUBLE:
                    found.coercions[path, code] += count
        return columns


def _literals(tokens: Array, kind: Any, *, number_text: bool) -> Converted:
    """JSON's unquoted literals as values of a type."""
    void = pc.equal(tokens, "null")
    texts = pc.if_else(void, pa.scalar(None, pa.string()), tokens) if any_true(void) else tokens
    if numbers.is_number(kind):
        return numbers.from_text(texts, kind)
    boolean = pc.is_in(texts, value_set=pa.array(["true", "false"]))
    if pt.is_boolean(kind):
        wrong = pc.and_(texts.is_valid(), pc.invert(boolean))
        return cells.fail_where(texts, wrong, cells.NOT_A_BOOLEAN, pc.equal(texts, "true"))
    wrong = boolean if number_text else texts.is_valid()
    return cells.fail_where(texts, wrong, cells.NOT_A_STRING, texts)
