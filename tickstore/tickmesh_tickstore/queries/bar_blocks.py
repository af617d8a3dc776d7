"""Rows of a time-ordered stream as blocks of numpy columns, cut alike however they arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from tickmesh_tickstore.queries.numbers import Numbers, NumberType

__all__ = ["BlockReader", "Symbols", "TickBlock"]


@dataclass(frozen=True, slots=True)
class TickBlock:
    """Consecutive rows that count, in order.

    Attributes:
        times: Event times in units of their column; never fall.
        symbols: Numbers of the rows' symbols.
        prices: Prices.
        sizes: Sizes, 0 where a row has none; `None` without a size column.
    """

    times: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.int32]
    prices: Numbers
    sizes: Numbers | None

    def __len__(self) -> int:
        return len(self.times)

    def where(self, wanted: npt.NDArray[np.bool_]) -> TickBlock:
        """Some of the rows; itself where all are wanted."""
        if wanted.all():
            return self
        sizes = None if self.sizes is None else self.sizes[wanted]
        return TickBlock(self.times[wanted], self.symbols[wanted], self.prices[wanted], sizes)

    def rows(self, start: int, stop: int) -> TickBlock:
        """The rows from one place to another."""
        cut = slice(start, stop)
        sizes = None if self.sizes is None else self.sizes[cut]
        return TickBlock(self.times[cut], self.symbols[cut], self.prices[cut], sizes)


class Symbols:
    """Every symbol met so far has a number; null is a symbol of its own."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._numbers: dict[object, int] = {}
        self._dictionary: pa.Array[Any] | None = None
        self._by_code = np.empty(0, np.int32)
        self._ranks = np.empty(0, np.int64)
        self._names: pa.Array[Any] = pa.array([], kind)

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, column: pa.Array[Any]) -> npt.NDArray[np.int32]:
        """The numbers of the symbols of a column."""
        encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
        if self._dictionary is None or not encoded.dictionary.equals(self._dictionary):
            self._dictionary = encoded.dictionary
            # The symbols of one dictionary, not of rows; the last place is for null.
            known = [self._number(name) for name in self._dictionary.to_pylist()]
            self._by_code = np.array([*known, -1], np.int32)
        codes = encoded.indices
        if codes.null_count:
            self._by_code[-1] = self._number(None)
            codes = codes.fill_null(len(self._by_code) - 1)
        numbers: npt.NDArray[np.int32] = self._by_code[codes.to_numpy(zero_copy_only=False)]
        return numbers

    def names(self, numbers: npt.NDArray[np.int32]) -> pa.Array[Any]:
        """The symbols of numbers."""
        self._refresh()
        return self._names.take(numbers)

    def ranks(self) -> npt.NDArray[np.int64]:
        """The place of each number's symbol in the order of their text; null comes last."""
        self._refresh()
        return self._ranks

    def _number(self, name: object) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _refresh(self) -> None:
        if len(self._ranks) == len(self._numbers):
            return
        self._names = pa.array(list(self._numbers), self._kind)
        order = pc.sort_indices(self._names).to_numpy()
        self._ranks = np.empty(len(order), np.int64)
        self._ranks[order] = np.arange(len(order))


@dataclass(frozen=True, slots=True)
class BlockReader:
    """Turns record batches into blocks.

    Rows without an event time or without a price (null, or not a finite number) do not count; a
    size that is null or not finite counts as 0.

    Attributes:
        event_time: Name of the event time column.
        symbol: Name of the symbol column, if bars are made by symbol.
        price: Name and numbers of the price column.
        size: Name and numbers of the size column, if any.
        rows: Rows of a block; the last one may have fewer.
    """

    event_time: str
    symbol: str | None
    price: tuple[str, NumberType]
    size: tuple[str, NumberType] | None
    rows: int

    def blocks(self, batches: Iterable[pa.RecordBatch], symbols: Symbols) -> Iterator[TickBlock]:
        """The rows that count, in blocks of one size: sums round alike however rows arrive."""
        waiting: list[TickBlock] = []
        count = 0
        for batch in batches:
            read = self._block(batch, symbols)
            start = 0
            while count + len(read) - start >= self.rows:
                stop = start + self.rows - count
                yield _joined([*waiting, read.rows(start, stop)])
                waiting, count, start = [], 0, stop
            if start < len(read):
                waiting.append(read.rows(start, len(read)))
                count += len(read) - start
        if waiting:
            yield _joined(waiting)

    def _block(self, batch: pa.RecordBatch, symbols: Symbols) -> TickBlock:
        times = batch.column(self.event_time)
        prices = batch.column(self.price[0])
        counts = _present(times, prices)
        sizes = None
        if self.size is not None:
            column = batch.column(self.size[0])
            sizes = self.size[1].values(column)
            if sizes.dtype == np.float64:
                sizes = np.where(np.isfinite(sizes), sizes, 0.0)
        block = TickBlock(
            times.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False),
            np.zeros(batch.num_rows, np.int32)
            if self.symbol is None
            else symbols.numbers(batch.column(self.symbol)),
            self.price[1].values(prices),
            sizes,
        )
        if block.prices.dtype == np.float64:
            finite = np.isfinite(block.prices)
            counts = finite if counts is None else counts & finite
        return block if counts is None else block.where(counts)


def _present(*columns: pa.Array[Any]) -> npt.NDArray[np.bool_] | None:
    """Where no column is null; `None` where none is anywhere."""
    wanted = None
    for column in columns:
        if column.null_count:
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            wanted = valid if wanted is None else wanted & valid
    return wanted


def _joined(blocks: list[TickBlock]) -> TickBlock:
    if len(blocks) == 1:
        return blocks[0]
    sizes = [block.sizes for block in blocks if block.sizes is not None]
    return TickBlock(
        np.concatenate([block.times for block in blocks]),
        np.concatenate([block.symbols for block in blocks]),
        np.concatenate([block.prices for block in blocks]),
        np.concatenate(sizes) if sizes else None,
    )
