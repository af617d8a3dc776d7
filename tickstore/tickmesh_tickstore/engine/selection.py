"""Which rows of a batch a request wants: by event time, by symbol and by filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import InvalidArgumentError, NoEventTimeError, NoSymbolError
from tickmesh_tickstore.domain.filters import require_bounded
from tickmesh_tickstore.engine.columns import RowLayout, ceiling_divide
from tickmesh_tickstore.engine.filtering import condition_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.engine.filtering import Condition
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["Selection"]

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """A half-open range of event times in ns, a set of symbols, a filter; `None` means all."""

    reader: RowLayout
    start_ns: int | None
    end_ns: int | None
    symbols: pa.Array[Any] | None
    condition: Condition | None

    @classmethod
    def of(
        cls,
        reader: RowLayout,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        symbols: Sequence[str] | None = None,
        wanted: Filter | None = None,
    ) -> Selection:
        """Check that the dataset can answer.

        Raises:
            FilterInvalidError: The filter speaks of what the columns have not or cannot hold.
            NoEventTimeError, NoSymbolError: It has no such column.
            InvalidArgumentError: A time is outside 64 bits.
        """
        for bound in (start_ns, end_ns):
            if bound is None:
                continue
            if reader.event_time is None:
                raise NoEventTimeError(
                    "a time range needs an event time: give a timestamp column the keyword "
                    '"x-tick-role": "event_time", or read without a range'
                )
            if not _LEAST <= bound <= _GREATEST:
                raise InvalidArgumentError("times are ns since 1970 in 64 bits, got one outside")
        if symbols is not None and reader.symbol is None:
            raise NoSymbolError(
                'symbols need a symbol column: give a text column the keyword "x-tick-role": '
                '"symbol", or read without symbols'
            )
        names = None if symbols is None else pa.array(sorted(set(symbols)), pa.string())
        condition = None
        if wanted is not None:
            require_bounded(wanted)
            condition = condition_of(wanted, reader.schema)
        return cls(reader, start_ns, end_ns, names, condition)

    @property
    def is_timed(self) -> bool:
        """Whether event times matter."""
        return self.start_ns is not None or self.end_ns is not None

    @property
    def is_filter(self) -> bool:
        """Whether anything is asked at all."""
        return self.is_timed or self.symbols is not None or self.condition is not None

    def may_hold(self, span: tuple[int, int] | None) -> bool:
        """Whether rows whose event times lie within `span` can be wanted; unknown spans can."""
        if span is None:
            return True
        low, high = span
        return (self.end_ns is None or low < self.end_ns) and (
            self.start_ns is None or high >= self.start_ns
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the reader's version that decide."""
        timed = (self.reader.event_time,) if self.is_timed else ()
        symbol = (self.reader.symbol,) if self.symbols is not None else ()
        filtered = () if self.condition is None else sorted(self.condition.columns)
        return tuple(name for name in (*timed, *symbol, *filtered) if name is not None)

    def wants_all(self, stored: StoredRows) -> bool:
        """Whether every one of some rows is known to be wanted."""
        if self.symbols is not None or self.condition is not None:
            return False
        if not self.is_timed:
            return True
        if stored.time_span is None or stored.stamp != self.reader.stamp:
            return False
        if self.reader.schema.field(self.reader.event_time or "").nullable:
            # A span says nothing of rows without an event time.
            return False
        low, high = stored.time_span
        return (self.start_ns is None or low >= self.start_ns) and (
            self.end_ns is None or high < self.end_ns
        )

    def has_symbol(self, batch: pa.RecordBatch) -> bool:
        """Whether a batch's dictionary holds a wanted symbol; `True` without a dictionary."""
        if self.symbols is None:
            return True
        column = batch.column(self.reader.symbol or "")
        if not isinstance(column, pa.DictionaryArray):
            return True
        symbols = self._symbols_as(column.type.value_type)
        return bool(pc.any(pc.is_in(column.dictionary, value_set=symbols)).as_py())

    def expression(self) -> pc.Expression | None:
        """The rows wanted as a filter for a streaming read."""
        terms: list[pc.Expression] = []
        if self.is_timed:
            assert self.reader.event_time is not None
            field = pc.field(self.reader.event_time)
            unit = self._time_type()
            if self.start_ns is not None:
                terms.append(field >= self._bound(self.start_ns, unit))
            if self.end_ns is not None:
                terms.append(field < self._bound(self.end_ns, unit))
        if self.symbols is not None:
            assert self.reader.symbol is not None
            data_type = self.reader.schema.field(self.reader.symbol).type
            if pa.types.is_dictionary(data_type):
                data_type = data_type.value_type
            terms.append(pc.field(self.reader.symbol).isin(self._symbols_as(data_type)))
        if self.condition is not None:
            terms.append(self.condition.expression)
        if not terms:
            return None
        whole = terms[0]
        for term in terms[1:]:
            whole = whole & term
        return whole

    def mask(self, batch: pa.RecordBatch) -> pa.Array[Any]:
        """Which rows of a batch under the reader's schema are wanted; a null is a no."""
        terms: list[pa.Array[Any]] = []
        if self.is_timed:
            times = batch.column(self.reader.event_time or "")
            if self.start_ns is not None:
                terms.append(pc.greater_equal(times, self._bound(self.start_ns, times.type)))
            if self.end_ns is not None:
                terms.append(pc.less(times, self._bound(self.end_ns, times.type)))
        if self.symbols is not None:
            names = batch.column(self.reader.symbol or "")
            if isinstance(names, pa.DictionaryArray):
                known = pc.is_in(
                    names.dictionary, value_set=self._symbols_as(names.type.value_type)
                )
                terms.append(known.take(names.indices))
            else:
                terms.append(pc.is_in(names, value_set=self._symbols_as(names.type)))
        if self.condition is not None:
            terms.append(self.condition.mask(batch))
        whole = terms[0]
        for term in terms[1:]:
            whole = pc.and_(whole, term)
        return whole

    def _time_type(self) -> pa.DataType:
        assert self.reader.event_time is not None
        data_type: pa.DataType = self.reader.schema.field(self.reader.event_time).type
        return data_type

    def _bound(self, bound_ns: int, data_type: pa.DataType) -> pa.Scalar[Any]:
        return pa.scalar(ceiling_divide(bound_ns, self.reader.time_unit_ns), pa.int64()).cast(
            data_type
        )

    def _symbols_as(self, data_type: pa.DataType) -> pa.Array[Any]:
        assert self.symbols is not None
        return self.symbols.cast(data_type)
