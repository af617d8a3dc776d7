"""The few things about Arrow arrays that every decoder needs and pyarrow does not say well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    # The stubs' classes lack methods that arrays have (flatten, value_counts, buffers of views).
    Array: TypeAlias = Any

# The stubs know neither plain Python operands nor some kernels, so kernels are called untyped.
pc: Any = pyarrow.compute


def int64_array(values: NDArray[np.int64]) -> pa.Int64Array:
    """The values as an Arrow array over the same memory (``pa.array`` would import pandas)."""
    values = np.ascontiguousarray(values, dtype=np.int64)
    array = pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values.data)])
    assert isinstance(array, pa.Int64Array)
    return array


def nulls(length: int, kind: pa.DataType) -> Array:
    """An array of nulls."""
    make: Any = pa.nulls  # the stubs list some types one by one
    return make(length, kind)


def all_true(mask: Array) -> bool:
    """Whether the mask has no false; nulls count as true."""
    return pc.all(mask, min_count=0).as_py() is not False


def any_true(mask: Array) -> bool:
    """Whether the mask has a true; nulls count as false."""
    return pc.any(mask, min_count=0).as_py() is True


def whole(column: Array) -> Array:
    """One array of the column's values."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column
