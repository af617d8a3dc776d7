"""The newest rows of each symbol, looked for where the newest times are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.queries.symbol_codes import SymbolCodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["LatestRows", "UnreadRows"]


@dataclass(frozen=True, slots=True)
class UnreadRows:
    """Some consecutive rows that may hold the newest of a symbol.

    Attributes:
        newest_time_ns: The greatest event time they can have; `None` when that is not known.
        read: Reads them, in order of arrival.
    """

    newest_time_ns: int | None
    read: Callable[[], Iterable[pa.RecordBatch]]


class LatestRows:
    """Finds the newest rows of each symbol: by event time; of one instant those committed last.

    Rows without an event time or without a symbol are no symbol's latest and are left out. Only
    rows that may still be among the newest are held.
    """

    def __init__(
        self,
        schema: pa.Schema,
        *,
        event_time: str,
        symbol: str,
        rows_per_symbol: int,
        most_rows: int,
    ) -> None:
        """Begins without rows.

        Args:
            schema: The schema of the rows to come.
            event_time: Name of the event time column.
            symbol: Name of the symbol column.
            rows_per_symbol: How many of each symbol.
            most_rows: How many rows may be held.
        """
        self._event_time = event_time
        self._symbol = symbol
        self._rows_per_symbol = rows_per_symbol
        self._most_rows = most_rows
        self._codes = SymbolCodes()
        self._held = schema.empty_table()
        self._parts = np.empty(0, np.int64)

    def search(
        self, unread: Sequence[UnreadRows], *, unit_ns: int, symbols: Sequence[str] | None
    ) -> None:
        """Reads rows, those with the newest times first, until nothing newer can come.

        Args:
            unread: All rows in order of arrival, in parts.
            unit_ns: Nanoseconds in one unit of the event time column.
            symbols: The symbols there can be, where they are known: with the newest rows of all of
                them found, older rows are not read.

        Raises:
            LimitExceededError: More rows would have to be held.
        """
        places = sorted(
            range(len(unread)), key=lambda place: _newest_first(unread[place].newest_time_ns)
        )
        for place in places:
            newest_ns = unread[place].newest_time_ns
            if (
                symbols is not None
                and newest_ns is not None
                and self._settled(symbols, newest_ns // unit_ns)
            ):
                return
            for batch in unread[place].read():
                self._add(batch, place)

    def rows(self) -> pa.Table:
        """What was found, by symbol, then by event time, then as committed."""
        ranks = np.empty(len(self._codes), np.int64)
        ranks[pc.sort_indices(self._codes.symbols).to_numpy()] = np.arange(len(self._codes))
        codes, times = self._keys(self._held)
        return self._held.take(np.lexsort((times, ranks[codes])))

    def _add(self, batch: pa.RecordBatch, part: int) -> None:
        new = pa.Table.from_batches([batch])
        new = new.take(self._newest_of(new))
        together = pa.concat_tables([self._held, new]).unify_dictionaries().combine_chunks()
        parts = np.concatenate([self._parts, np.full(new.num_rows, part)])
        if len(self._parts) and part < self._parts.max():
            # Ties go by order of arrival, whatever the order of reading.
            arrived = np.argsort(parts, kind="stable")
            together, parts = together.take(arrived), parts[arrived]
        newest = self._newest_of(together)
        self._held, self._parts = together.take(newest), parts[newest]
        if self._held.num_rows > self._most_rows:
            raise LimitExceededError(
                f"the newest {self._rows_per_symbol} rows of {len(self._codes)} symbols are more "
                f"than the {self._most_rows} that may be held: name symbols, or ask for fewer rows "
                "of each",
                metadata={"symbols": str(len(self._codes)), "limit": str(self._most_rows)},
            )

    def _newest_of(self, table: pa.Table) -> NDArray[np.int64]:
        """The places of the newest rows of each symbol of a table in order of arrival."""
        codes, times = self._keys(table)
        by_time = None
        if not np.all(times[:-1] <= times[1:]):
            by_time = np.argsort(times, kind="stable")
            codes = codes[by_time]
        # Arrow counts where there are few values, and keeps the order within one.
        order = pc.array_sort_indices(pa.array(codes)).to_numpy().view(np.int64)
        codes = codes[order]
        # How many rows of its symbol stand behind each row, with it.
        behind = np.searchsorted(codes, codes, side="right") - np.arange(len(codes))
        chosen = order[(behind <= self._rows_per_symbol) & (codes >= 0)]
        return np.sort(chosen if by_time is None else by_time[chosen])

    def _settled(self, symbols: Sequence[str], newest: int) -> bool:
        """Whether no row up to a time can be among the newest of these symbols."""
        # No symbol has more rows than asked for: so many are held only if each has all of them.
        if self._held.num_rows < len(set(symbols)) * self._rows_per_symbol:
            return False
        _, times = self._keys(self._held)
        return not len(times) or bool(times.min() > newest)

    def _keys(self, table: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Of every row its symbol's code, -1 where it is no symbol's, and its event time."""
        instants: Any = table.column(self._event_time).cast(pa.int64())
        codes = [self._codes.of(chunk) for chunk in table.column(self._symbol).chunks]
        places = np.concatenate([np.empty(0, np.int32), *codes])
        if instants.null_count:
            timed = instants.is_valid().to_numpy()
            places = np.where(timed, places, np.int32(-1))
            instants = instants.fill_null(0)
        return places, instants.to_numpy()


def _newest_first(time_ns: int | None) -> tuple[int, int]:
    return (0, 0) if time_ns is None else (1, -time_ns)
