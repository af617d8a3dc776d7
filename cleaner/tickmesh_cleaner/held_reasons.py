"""The reasons of many bad rows at once, in columns.

Rows that the same keywords refuse, and that lack the same fields, have the same reasons but for the
value each message begins with. So the row oracle words the reasons of two rows of such a group, and
where both agree, the other rows' are made by kernels. Rows of small groups, and of those whose
keywords are not about one cell alone, are all worded by the oracle.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, pc
from tickmesh_cleaner.quarantine_files import REASON_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.schema.validation import Site
    from tickmesh_cleaner.domain.quarantine import RowReason

_SMALL_GROUP = 4
_OTHER_BIT = 63
_MOST_COLUMNS = 63
_CELL_KEYWORDS = frozenset(
    {
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
    }
)

_FIELDS = list(REASON_TYPE)


@dataclass(frozen=True, slots=True)
class BadRows:
    """What is known of the bad rows of a batch before anything is worded.

    Attributes:
        words: The reason mask of each.
        cells: The text of their cells, by column.
        sites: What the bits of a word stand for.
        explain: The oracle: all reasons of some of them, by place among them.
    """

    words: NDArray[np.uint64]
    cells: Sequence[tuple[str, Array]]
    sites: Sequence[Site]
    explain: Callable[[Sequence[int]], Sequence[Sequence[RowReason]]]


class ReasonColumn:
    """Collects the reasons of rows, in any order of the rows."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int64]] = []
        self._parts: list[pa.StructArray] = []
        self._single_rows: list[int] = []
        self._single: list[RowReason] = []

    def add(self, row: int, reasons: Sequence[RowReason]) -> None:
        """The reasons of one row."""
        self._single_rows.extend([row] * len(reasons))
        self._single.extend(reasons)

    def add_alike(self, rows: NDArray[np.int64], reason: RowReason, messages: Array) -> None:
        """One reason of many rows, with the message of each."""
        parts = [pa.repeat(text, len(rows)) for text in astuple(reason)[:-1]]
        self._rows.append(rows)
        self._parts.append(pa.StructArray.from_arrays([*parts, messages], fields=_FIELDS))

    def finish(self, length: int) -> Array:
        """The lists of reasons of rows 0 to `length`; each row's in the order they were added."""
        columns = [
            pa.array([getattr(reason, item.name) for reason in self._single], pa.string())
            for item in _FIELDS
        ]
        single = pa.StructArray.from_arrays(columns, fields=_FIELDS)
        rows = np.concatenate([*self._rows, np.array(self._single_rows, dtype=np.int64)])
        reasons = pa.concat_arrays([*self._parts, single])
        if (np.diff(rows) < 0).any():
            order = np.argsort(rows, kind="stable")
            rows, reasons = rows[order], reasons.take(int64_array(order))
        ends: Array = int64_array(np.searchsorted(rows, np.arange(length + 1)))
        return pa.ListArray.from_arrays(ends.cast(pa.int32()), reasons)


def reasons_in_columns(bad: BadRows, places: NDArray[np.int64], into: ReasonColumn) -> None:
    """Add the reasons of the bad rows at some places."""
    left: list[int] = []
    for group in _groups(bad, places):
        if len(group) < _SMALL_GROUP or not _worded_alike(bad, group, into):
            left.extend(group.tolist())
    for place, reasons in zip(left, bad.explain(left) if left else (), strict=True):
        into.add(place, reasons)


def _groups(bad: BadRows, places: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Places of rows that the same keywords refuse and whose null cells are the same."""
    if len(bad.cells) > _MOST_COLUMNS:
        yield places
        return
    missing = np.zeros(len(bad.words), dtype=np.uint64)
    for bit, (_, column) in enumerate(bad.cells):
        if column.null_count:
            null = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
            missing |= null.astype(np.uint64) << np.uint64(bit)
    group_of = np.zeros(len(places), dtype=np.int64)
    for key in (bad.words[places], missing[places]):
        if len(key) and (key != key[0]).any():
            distinct, numbers = np.unique(key, return_inverse=True)
            group_of = group_of * len(distinct) + numbers
    for group in np.unique(group_of).tolist():
        yield places[group_of == group]


def _worded_alike(bad: BadRows, group: NDArray[np.int64], into: ReasonColumn) -> bool:
    """Add the reasons of a group, if two of its rows show how those of all read."""
    sites = _cell_sites(bad, int(bad.words[group[0]]))
    if sites is None:
        return False
    columns = dict(bad.cells)
    members = int64_array(group)
    texts = {site.instance_path: columns[site.instance_path[1:]].take(members) for site in sites}
    second = _row_unlike_first(texts, len(group))
    if second is None or any(text.null_count for text in texts.values()):
        return False
    samples = bad.explain([int(group[0]), int(group[second])])
    found = _wording(samples, sites, texts, second=second, length=len(group))
    for reason, messages in found:
        into.add_alike(group, reason, messages)
    return bool(found)


def _cell_sites(bad: BadRows, word: int) -> list[Site] | None:
    """The keywords of a word that are about one cell; None where another one is among them."""
    names = {name for name, _ in bad.cells}
    found = []
    for bit in range(_OTHER_BIT + 1):
        if not word >> bit & 1:
            continue
        if bit == _OTHER_BIT:
            return None
        site = bad.sites[bit]
        if site.code == "REQUIRED" and site.schema_path == "/required":
            continue
        name, _, keyword = site.schema_path.removeprefix("/properties/").partition("/")
        plain = (
            site.schema_path.startswith("/properties/")
            and site.instance_path == f"/{name}"
            and name in names
            and keyword in _CELL_KEYWORDS
        )
        if not plain:
            return None
        found.append(site)
    return found


def _row_unlike_first(texts: Mapping[str, Array], length: int) -> int | None:
    """A row that differs from the first in every column where any does; None if there is none."""
    unlike = np.ones(length, dtype=bool)
    for text in texts.values():
        differs = np.asarray(pc.not_equal(text, text[0]).to_numpy(zero_copy_only=False), dtype=bool)
        if differs.any():
            unlike &= differs
    found = np.flatnonzero(unlike)
    return int(found[-1]) if len(found) else None


def _wording(
    samples: Sequence[Sequence[RowReason]],
    sites: Sequence[Site],
    texts: Mapping[str, Array],
    *,
    second: int,
    length: int,
) -> list[tuple[RowReason, Array]]:
    """Each reason of the group with all messages; empty where the samples do not show them."""
    unseen = {(site.code, site.instance_path, site.schema_path) for site in sites}
    found: list[tuple[RowReason, Array]] = []
    for one, other in zip_longest(*samples):
        if one is None or other is None or astuple(one)[:-1] != astuple(other)[:-1]:
            return []
        text = texts.get(one.instance_path)
        if text is None and one.code != "REQUIRED":
            return []
        unseen.discard(astuple(one)[:-1])
        if one.message == other.message:
            # Its cells differ and it names none, or all of them are the same.
            found.append((one, pa.repeat(one.message, length)))
            continue
        if text is None:
            return []
        ending = one.message.removeprefix(text[0].as_py())
        if ending == one.message or other.message != text[second].as_py() + ending:
            return []
        found.append((one, pc.binary_join_element_wise(text, ending, "")))
    return [] if unseen else found
