"""Arrow tables as frames of other libraries, without loss."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.types as pt

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


def require(library: Literal["pandas", "polars"]) -> None:
    """Import a library of frames before rows are read for it.

    Raises:
        ImportError: it is not installed; the message is the pip line.
    """
    try:
        importlib.import_module(library)
    except ImportError:
        raise ImportError(
            f"to_{library}() needs {library}: pip install 'tickmesh[{library}]'"
        ) from None


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a pandas frame.

    numpy has no missing integers: pandas would make them floats, and `2**64 - 1` another number. So
    integer and boolean columns that may hold nulls, by their schema and not by chance, become
    pandas' nullable types. What numpy has no type for at all (times of day, lists, structs) stays
    in Arrow's.
    """
    import pandas as pd

    exact = [field.name for field in table.schema if not field.nullable]
    others = [field.name for field in table.schema if field.nullable]
    parts = [
        table.select(exact).to_pandas(types_mapper=_arrow_type),
        table.select(others).to_pandas(types_mapper=_nullable_type),
    ]
    joined = pd.concat([part for part in parts if part.shape[1]] or parts, axis=1)
    return joined[table.column_names]


def polars_frame(table: pa.Table) -> pl.DataFrame:
    """The table as a polars frame."""
    import polars as pl

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _nullable_type(kind: pa.DataType) -> Any:
    import pandas as pd

    if pt.is_boolean(kind):
        return pd.BooleanDtype()
    if pt.is_integer(kind):
        name = str(kind).replace("int", "Int").replace("uI", "UI")
        return pd.api.types.pandas_dtype(name)
    return _arrow_type(kind)


def _arrow_type(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind) if pt.is_time(kind) or pt.is_nested(kind) else None
