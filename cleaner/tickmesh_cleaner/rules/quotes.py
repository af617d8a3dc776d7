"""Which fields of a row are a quote, and which rows hold one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from tickmesh_cleaner.rules.rows import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Floats, Integers, Rows

_USUAL_BIDS = ("bid", "bid_price")
_USUAL_ASKS = ("ask", "ask_price")


class QuoteFields:
    """The bid and the ask of a row.

    A row holds a quote when both are there. A side that is 0 is no quote, as in the files of the
    consolidated tapes, unless the parameter `zero` says that 0 is a price.
    """

    def __init__(self, parameters: Parameters) -> None:
        """Read the parameters `bid`, `ask` and `zero`."""
        self.bid = parameters.numeric_field("bid", usual=_USUAL_BIDS)
        self.ask = parameters.numeric_field("ask", usual=_USUAL_ASKS)
        zero = parameters.choice("zero", ("absent", "price"), default="absent")
        self._zero_is_absent = zero == "absent"

    def quoted(self, rows: Rows) -> Booleans:
        """Which rows hold both sides."""
        units = self._units(rows)
        if self._zero_is_absent and units is not None:
            # Nulls are 0 there as well.
            both: Booleans = (units[0] != 0) & (units[1] != 0)
            return both
        if self._zero_is_absent:
            bid, ask = rows.floats(self.bid), rows.floats(self.ask)
            # NaN stands for null, and no number times NaN is a number.
            product = bid * ask
            quoted: Booleans = (product != 0.0) & ~np.isnan(product)
            return quoted
        return rows.present(self.bid) & rows.present(self.ask)

    def crossed(self, rows: Rows) -> Booleans:
        """Where the bid is above the ask; anything where a side is not there."""
        return self._compared(rows, np.greater, pc.greater)

    def locked(self, rows: Rows) -> Booleans:
        """Where the bid equals the ask; anything where a side is not there."""
        return self._compared(rows, np.equal, pc.equal)

    def _compared(
        self, rows: Rows, of_units: Callable[..., Any], of_columns: Callable[..., Any]
    ) -> Booleans:
        units = self._units(rows)
        if units is not None:
            compared: Booleans = of_units(units[0], units[1])
            return compared
        return mask_of(of_columns(rows.column(self.bid), rows.column(self.ask)))

    def spread(self, rows: Rows) -> Floats:
        """Ask less bid; exact on decimals of one scale, where doubles would add noise."""
        units = self._units(rows)
        if units is None:
            return rows.floats(self.ask) - rows.floats(self.bid)
        bid, ask, scale = units
        return self._absent(rows, (ask - bid) / scale)

    def mid(self, rows: Rows) -> Floats:
        """Half way between bid and ask; exact on decimals of one scale."""
        units = self._units(rows)
        if units is None:
            return (rows.floats(self.ask) + rows.floats(self.bid)) * 0.5
        bid, ask, scale = units
        return self._absent(rows, (ask + bid) / (2 * scale))

    def _units(self, rows: Rows) -> tuple[Integers, Integers, float] | None:
        bid, ask = rows.units(self.bid), rows.units(self.ask)
        kind: Any = rows.column(self.bid).type
        if bid is None or ask is None or rows.column(self.ask).type.scale != kind.scale:
            return None
        return bid, ask, 10.0**kind.scale

    def _absent(self, rows: Rows, values: Floats) -> Floats:
        """The values, NaN where a side is null."""
        if rows.column(self.bid).null_count or rows.column(self.ask).null_count:
            values[~(rows.present(self.bid) & rows.present(self.ask))] = np.nan
        return values
