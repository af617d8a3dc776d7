"""Dictionary columns on their way to disk. Decoded values never change (T6)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["GrowingDictionaries", "compact_dictionaries"]

_WORTHWHILE_VALUES = 1024


def compact_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Drop dictionary values that no row uses where the dictionary dwarfs the batch.

    A small message of a producer with 100,000 symbols would otherwise bring all of them to disk
    each time.
    """
    for index, field in enumerate(batch.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        column = batch.column(index)
        assert isinstance(column, pa.DictionaryArray)
        values = len(column.dictionary)
        if values >= _WORTHWHILE_VALUES and values > batch.num_rows:
            used = pc.unique(column.indices).drop_null()
            codes = pc.index_in(column.indices, value_set=used).cast(field.type.index_type)
            compact = pa.DictionaryArray.from_arrays(
                codes, column.dictionary.take(used), ordered=field.type.ordered
            )
            batch = batch.set_column(index, field, compact)
    return batch


class GrowingDictionaries:
    """One dictionary for each column of a file; it only grows, old codes stay valid."""

    def __init__(self) -> None:
        self._known: dict[int, pa.Array[Any]] = {}

    def recode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with its dictionary columns coded by the file's dictionaries."""
        for index, field in enumerate(batch.schema):
            if not pa.types.is_dictionary(field.type):
                continue
            column = batch.column(index)
            assert isinstance(column, pa.DictionaryArray)
            incoming = column.dictionary
            known = self._known.setdefault(index, incoming)
            if incoming.equals(known):
                continue
            unseen = incoming.filter(pc.is_null(pc.index_in(incoming, value_set=known)))
            if len(unseen):
                known = self._known[index] = pa.concat_arrays([known, unseen])
            codes = pc.index_in(incoming, value_set=known).take(column.indices)
            recoded = pa.DictionaryArray.from_arrays(
                codes.cast(field.type.index_type), known, ordered=field.type.ordered
            )
            batch = batch.set_column(index, field, recoded)
        return batch
