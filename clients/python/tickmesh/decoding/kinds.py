"""Which kind each record is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import pc
from tickmesh.decoding.json_columns import JsonReader
from tickmesh.decoding.json_documents import NotARecordError, read_record, split_path, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.source_spec import Condition

NO_KIND = -1


def kinds_of_columns(
    column: Callable[[str], Array | None], length: int, conditions: Sequence[Condition | None]
) -> NDArray[np.int64]:
    """Number of the first condition each record meets, or ``NO_KIND``.

    Args:
        column: Gives a raw column by path; None when there is none.
        length: Number of records.
        conditions: None takes every record.
    """
    kinds = np.full(length, NO_KIND, dtype=np.int64)
    for number, condition in enumerate(conditions):
        hit = np.ones(length, dtype=bool)
        if condition is not None:
            values = column(condition.path)
            hit = np.zeros(length, dtype=bool)
            if values is not None:
                mask = _test(values, condition).fill_null(False)
                hit = mask.to_numpy(zero_copy_only=False)
        kinds[hit & (kinds == NO_KIND)] = number
    return kinds


def kinds_of_texts(
    texts: Array,
    prefix: Callable[[str], Array | None],
    conditions: Sequence[Condition | None],
) -> NDArray[np.int64]:
    """The same for JSON texts; texts that are no JSON objects meet no condition.

    Conditions on presence are decided one text at a time, and only for texts that no condition on
    a value takes first.
    """
    wanted = {
        condition.path: pa.int64() if isinstance(condition.equals, int) else pa.string()
        for condition in conditions
        if condition is not None and not condition.present and prefix(condition.path) is None
    }
    read = JsonReader(wanted, extras="ignore").read(texts).columns if wanted else {}

    def column(path: str) -> Array | None:
        found = prefix(path)
        return read.get(path) if found is None else found

    kinds = kinds_of_columns(
        column, len(texts), [condition for condition in conditions if _by_value(condition)]
    )
    numbers = np.array(
        [number for number, condition in enumerate(conditions) if _by_value(condition)] + [NO_KIND]
    )
    kinds = numbers[kinds]
    presence = [
        (number, split_path(condition.path))
        for number, condition in enumerate(conditions)
        if condition is not None and condition.present
    ]
    if presence:
        first = presence[0][0]
        for row in np.flatnonzero((kinds == NO_KIND) | (kinds > first)):
            try:
                document = read_record(texts[int(row)].as_py())
            except NotARecordError:
                continue
            for number, path in presence:
                if (kinds[row] == NO_KIND or number < kinds[row]) and value_at(document, path)[0]:
                    kinds[row] = number
                    break
    return kinds


def _by_value(condition: Condition | None) -> bool:
    return condition is None or not condition.present


def _test(values: Array, condition: Condition) -> Array:
    if condition.present:
        return values.is_valid()
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if condition.matches is not None:
        if not pt.is_string(values.type):
            return pa.repeat(False, len(values))
        return pc.match_substring_regex(values, condition.matches)
    wanted = condition.equals
    if pt.is_string(values.type) or pt.is_large_string(values.type):
        return pc.equal(values, str(wanted))
    if not isinstance(wanted, int) or not (pt.is_integer(values.type)):
        return pa.repeat(False, len(values))
    return pc.is_in(values, value_set=pa.array([wanted], values.type))
