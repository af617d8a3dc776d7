"""Symbols as small integers that mean the same in every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SymbolCodes"]


class SymbolCodes:
    """Gives every symbol a code, from 0 on, in the order in which they are first seen.

    Batches may hold the symbols as text or as dictionaries of any content: only a batch's
    dictionary is looked up, never its rows.
    """

    def __init__(self) -> None:
        self._symbols: pa.Array[Any] = pa.array([], pa.large_string())
        self._last: tuple[int, pa.Array[Any], NDArray[np.int32]] | None = None

    @property
    def symbols(self) -> pa.Array[Any]:
        """The symbols, each at the place of its code."""
        return self._symbols

    def __len__(self) -> int:
        return len(self._symbols)

    def of(self, column: pa.Array[Any]) -> NDArray[np.int32]:
        """The code of every row, new symbols included; -1 where a row has no symbol."""
        column = _encoded(column)
        values = column.dictionary.cast(pa.large_string())
        unseen = values.filter(pc.invert(pc.is_in(values, value_set=self._symbols)))
        unseen = pc.unique(unseen).drop_null()
        if len(unseen):
            self._symbols = pa.concat_arrays([self._symbols, unseen])
        return self.known(column)

    def known(self, column: pa.Array[Any]) -> NDArray[np.int32]:
        """The code of every row; -1 where its symbol has none, or it has no symbol."""
        column = _encoded(column)
        places = self._places_of(column.dictionary)
        indices = column.indices
        if not indices.null_count and np.array_equal(places, np.arange(len(places))):
            return indices.cast(pa.int32()).to_numpy()
        if indices.null_count:
            # One place more than there are values stands for no symbol.
            places = np.append(places, np.int32(-1))
            indices = indices.fill_null(len(places) - 1)
        codes: NDArray[np.int32] = places[indices.to_numpy()]
        return codes

    def _places_of(self, dictionary: pa.Array[Any]) -> NDArray[np.int32]:
        """The code of every value of a dictionary; -1 for one that is not known, or null."""
        if self._last is not None:
            symbols, values, places = self._last
            if symbols == len(self._symbols) and values.equals(dictionary):
                return places
        found = pc.index_in(dictionary.cast(pa.large_string()), value_set=self._symbols)
        places = found.fill_null(-1).to_numpy()
        self._last = (len(self._symbols), dictionary, places)
        return places


def _encoded(column: pa.Array[Any]) -> pa.DictionaryArray[Any, Any]:
    if isinstance(column, pa.DictionaryArray):
        return column
    encoded = column.dictionary_encode()
    assert isinstance(encoded, pa.DictionaryArray)
    return encoded
