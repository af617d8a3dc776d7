"""Files of rows that `tickmesh ticks put` stores: Parquet, Arrow IPC, CSV with a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

_ZONE_MISSING = "expected a zone offset"


def read_rows(file: Path, subject: str, *, tz: str | None) -> pa.Table:
    """The rows of a file; a CSV file is read in the types of its subject.

    Args:
        file: The file; its ending says what it is.
        subject: Whose rows it holds.
        tz: The zone of zone-less times; the times of a CSV file are then read as such.

    Raises:
        InvalidArgumentError: it cannot be read.
    """
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            return parquet.read_table(file)
        if file.suffix in {".arrow", ".ipc", ".feather"}:
            with pa.memory_map(str(file)) as source:
                return pa.ipc.open_file(source).read_all()
        if file.suffix == ".csv":
            return _read_csv(file, subject, tz=tz)
    except pa.ArrowInvalid as error:
        if tz is None and _ZONE_MISSING in str(error):
            raise InvalidArgumentError(
                f"{file.name} has times without a zone; say which one they are in, as in "
                "--tz America/New_York or --tz UTC."
            ) from None
        raise InvalidArgumentError(f"{file.name} cannot be read: {error}") from None
    raise click.BadParameter(
        f"expected a .parquet, .arrow or .csv file, was {file.name}; "
        f"for anything else: tickmesh clean {file} --subject {subject}"
    )


def _read_csv(file: Path, subject: str, *, tz: str | None) -> pa.Table:
    from pyarrow import csv

    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        schema = client.in_force(subject).arrow_schema
    types = {field.name: _type_in_text(field.type, zoned=tz is None) for field in schema}
    return csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types))


def _type_in_text(kind: Any, *, zoned: bool) -> pa.DataType:
    if pt.is_timestamp(kind) and not zoned:
        return pa.timestamp(kind.unit)
    found: pa.DataType = kind.value_type if pt.is_dictionary(kind) else kind
    return found
