"""Bars of a time-ordered stream: open, high, low, close, volume, vwap and trades of each symbol.

Time bars hold the event times `[t, t + w)` and are labelled `t`, a multiple of `w` since the epoch
(UTC), or since the opening of their session. Tick, volume and dollar bars are ended by the row that
completes them, which belongs to them, and are labelled with the event time of their first row; the
last one of a symbol, or of its session, may be unfinished. No bar spans two sessions.

Memory holds one open bar a symbol and one block of rows, however long the stream is. The answer
depends on the rows and their order alone, never on how they were cut into batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh_tickstore.domain.errors import (
    InvalidArgumentError,
    NoEventTimeError,
    NoPriceError,
    NoSizeError,
)
from tickmesh_tickstore.engine.columns import ROLE_KEY
from tickmesh_tickstore.queries.bar_blocks import BlockReader, Symbols
from tickmesh_tickstore.queries.bar_building import Building, EpochClock
from tickmesh_tickstore.queries.bar_ends import BLOCK_ROWS, AmountRule, Ends, TickRule
from tickmesh_tickstore.queries.bar_fill import Filler
from tickmesh_tickstore.queries.numbers import NumberType, arrow_array
from tickmesh_tickstore.queries.sessions import SessionTable, TradingSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from tickmesh_tickstore.queries.bar_building import Clock
    from tickmesh_tickstore.queries.bar_columns import BarColumns
    from tickmesh_tickstore.queries.numbers import Numbers

__all__ = ["BarKind", "BarRequest", "Bars", "EmptyBars"]

_NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_SENT_ROWS = 16_384


class BarKind(StrEnum):
    """What ends a bar."""

    TIME = "time"
    TICKS = "ticks"
    VOLUME = "volume"
    DOLLARS = "dollars"


class EmptyBars(StrEnum):
    """What becomes of time bars without a row, from each symbol's first bar to its last."""

    OMITTED = "omitted"
    NULL = "null"
    PREVIOUS_CLOSE = "previous_close"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRequest:
    """What bars to build.

    Attributes:
        kind: What ends a bar.
        width: ns of a time bar, rows of a tick bar, sum of sizes of a volume bar, sum of price
            times size of a dollar bar.
        price: The price column; the one whose role is `price` when empty.
        size: The size column; the one whose role is `size` when empty, if there is one.
        empty: What becomes of time bars without a row.
        session: Only rows within these hours.
        filled_rows: Bars without a row that may be made at most.
    """

    kind: BarKind
    width: float
    price: str = ""
    size: str = ""
    empty: EmptyBars = EmptyBars.OMITTED
    session: TradingSession | None = None
    filled_rows: int = 16_000_000


class Bars:
    """Builds the bars of one request from rows of one schema.

    Attributes:
        schema: The bars' schema: event time, symbol, open, high, low, close, and where there is a
            size column volume, vwap and notional, and trades. Prices keep their type, except that a
            scaled integer becomes a decimal; sums of integers and decimals stay exact.
        columns: The columns it needs, to be read in order of event time, ties as committed.
    """

    def __init__(self, schema: pa.Schema, request: BarRequest) -> None:
        """Check that bars can be built.

        Raises:
            NoEventTimeError, NoPriceError, NoSizeError: The rows lack what is needed.
            InvalidArgumentError: The request is out of bounds or names a column that does not fit.
        """
        roles = {(field.metadata or {}).get(ROLE_KEY): field.name for field in schema}
        self._time = _event_time(schema, roles.get(b"event_time"))
        self._unit_ns = _NS_PER_UNIT[self._time.type.unit]
        self._symbol = _symbol(schema, roles.get(b"symbol"))
        price = _number_column(schema, request.price or roles.get(b"price"))
        if price is None:
            raise NoPriceError(
                "bars need a price: name the price column, or give a number column the keyword "
                '"x-tick-role": "price"'
            )
        self._price = price
        self._size = _number_column(schema, request.size or roles.get(b"size"))
        self._request = request
        self._width = _checked_width(request, self._unit_ns)
        self._ends = self._rule()
        self._notional = None if self._size is None else self._price[1].product(self._size[1])
        self.schema = self._answer_schema()
        needed = [self._time.name, self._symbol and self._symbol.name, self._price[0]]
        needed.append(self._size and self._size[0])
        self.columns = tuple(dict.fromkeys(name for name in needed if name))

    def built_from(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The bars of rows in order of event time.

        Bars of one symbol come in order of time. Time bars of all symbols come by label, then
        symbol, where empty ones are omitted; bars that stand for empty ones come directly before
        the next bar of their symbol. Other bars come as they end; those that a session or the
        stream leaves unfinished at its end, by symbol.

        Args:
            batches: Rows that have `columns`.

        Raises:
            LimitExceededError: A sum outgrows its type, or too many bars would be filled in.
            ValueError: The rows are not in order.
        """
        building = Building(Symbols(self._symbol_type()), self._clock(), self._ends, self._products)
        filler = Filler(
            self._request.empty is not EmptyBars.OMITTED,
            previous=self._request.empty is EmptyBars.PREVIOUS_CLOSE,
            limit=self._request.filled_rows,
        )
        reader = BlockReader(
            self._time.name,
            None if self._symbol is None else self._symbol.name,
            self._price,
            self._size,
            rows=BLOCK_ROWS if self._ends is None else self._ends.block_rows,
        )
        return _of_some_rows(
            self._batch(part, real, building)
            for ended in building.ended(reader.blocks(batches, building.symbols))
            for part, real in filler.filled(ended)
        )

    def _symbol_type(self) -> pa.DataType:
        kind: pa.DataType = pa.string() if self._symbol is None else self._symbol.type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def _products(self, prices: Numbers, sizes: Numbers) -> Numbers:
        assert self._size is not None
        return self._price[1].products(prices, self._size[1], sizes)

    def _rule(self) -> Ends | None:
        kind, width = self._request.kind, self._width
        if kind is BarKind.TIME:
            return None
        if kind is BarKind.TICKS:
            return TickRule(int(width))
        if self._size is None:
            raise NoSizeError(
                f"{kind} bars need a size: name the size column, or give a number column the "
                'keyword "x-tick-role": "size"'
            )
        price = self._price[1] if kind is BarKind.DOLLARS else None
        return AmountRule(float(width), price=price, size=self._size[1])

    def _clock(self) -> Clock:
        width = int(self._width) // self._unit_ns if self._request.kind is BarKind.TIME else None
        if self._request.session is not None:
            return SessionTable(self._request.session, self._unit_ns, width)
        return EpochClock(width)

    def _answer_schema(self) -> pa.Schema:
        shown = self._price[1].shown
        fields: list[pa.Field[Any]] = [self._time.with_nullable(False)]
        if self._symbol is not None:
            fields.append(self._symbol.with_type(self._symbol_type()))
        filled = self._request.empty is EmptyBars.NULL
        fields += [
            pa.field(name, shown, nullable=filled) for name in ("open", "high", "low", "close")
        ]
        if self._size is not None and self._notional is not None:
            fields.append(pa.field("volume", self._size[1].summed, nullable=False))
            fields.append(pa.field("vwap", pa.float64()))
        fields.append(pa.field("trades", pa.int64(), nullable=False))
        if self._notional is not None:
            fields.append(pa.field("notional", self._notional.shown, nullable=False))
        names = [field.name for field in fields]
        taken = {name for name in names if names.count(name) > 1}
        if taken:
            raise InvalidArgumentError(
                f"bars have a column {', '.join(sorted(taken))} of their own: the event time and "
                "symbol columns need other names",
                metadata={"columns": ",".join(sorted(taken))},
            )
        return pa.schema(fields)

    def _batch(
        self, bars: BarColumns, real: npt.NDArray[np.bool_] | None, building: Building
    ) -> pa.RecordBatch:
        """Bars as Arrow; those that are not `real` stand for empty ones."""
        labels = bars.label if self._ends is not None else building.clock.labels(bars.place)
        columns: list[pa.Array[Any]] = [pa.array(labels, pa.int64()).cast(self._time.type)]
        if self._symbol is not None:
            columns.append(building.symbols.names(bars.symbol))
        shown = self._price[1].shown
        known = real if self._request.empty is EmptyBars.NULL else None
        columns += [
            arrow_array(prices, shown, valid=known)
            for prices in (bars.open, bars.high, bars.low, bars.close)
        ]
        if self._size is not None:
            columns.append(arrow_array(bars.volume, self._size[1].summed))
            columns.append(self._vwap(bars))
        columns.append(pa.array(bars.trades, pa.int64()))
        if self._notional is not None:
            columns.append(arrow_array(bars.notional, self._notional.shown))
        return pa.record_batch(columns, schema=self.schema)

    def _vwap(self, bars: BarColumns) -> pa.Array[Any]:
        """Null without volume."""
        assert self._size is not None
        assert self._notional is not None
        volume = self._size[1].as_doubles(bars.volume)
        notional = self._notional.as_doubles(bars.notional)
        some = volume != 0
        vwap = np.divide(notional, volume, out=np.zeros(len(bars)), where=some)
        return arrow_array(vwap, pa.float64(), valid=some)


def _event_time(schema: pa.Schema, name: str | None) -> pa.Field[Any]:
    if name is None or not pa.types.is_timestamp(schema.field(name).type):
        raise NoEventTimeError(
            'bars need an event time: give a timestamp column the keyword "x-tick-role": '
            '"event_time"'
        )
    return schema.field(name).remove_metadata()


def _symbol(schema: pa.Schema, name: str | None) -> pa.Field[Any] | None:
    return None if name is None else schema.field(name).remove_metadata()


def _number_column(schema: pa.Schema, name: str | None) -> tuple[str, NumberType] | None:
    if name is None:
        return None
    if schema.get_field_index(name) < 0:
        raise InvalidArgumentError(
            f"no column {name!r}; there are {', '.join(schema.names)}", metadata={"column": name}
        )
    return name, NumberType.of(schema.field(name))


def _checked_width(request: BarRequest, unit_ns: int) -> float:
    kind, width = request.kind, request.width
    if not (math.isfinite(width) and width > 0):
        raise InvalidArgumentError(
            f"the width of {kind} bars is a finite number above 0, got {width}",
            metadata={"width": str(width)},
        )
    if kind is BarKind.TIME and int(width) % unit_ns:
        raise InvalidArgumentError(
            f"the event time counts units of {unit_ns} ns: the width of time bars is a multiple of "
            f"that, got {width} ns",
            metadata={"width": str(width), "unitNs": str(unit_ns)},
        )
    if kind is not BarKind.TIME and request.empty is not EmptyBars.OMITTED:
        raise InvalidArgumentError(
            f"only time bars can be empty, {kind} bars hold rows: ask for empty bars to be omitted"
        )
    return width


def _of_some_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Few rows at a time are joined, so that few batches are sent."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= _SENT_ROWS:
            yield _joined(waiting)
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
