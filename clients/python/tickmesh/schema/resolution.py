"""Resolution: how a row written under one version is read under another.

Fields are matched by name. What the reader does not declare is dropped. A field that the writer
does not declare, or that is absent and does not admit null in the writer, takes the reader's
default if it has one. Nothing is filled inside an absent object or inside a filled default.
The same holds at every struct and list item.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tickmesh.schema.location import MISSING, Location
from tickmesh.schema.oracle import OracleUndecidedError, is_valid, validator_of
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tickmesh.schema.document import SchemaDocument

MOST_READINGS = 1024
"""A row with more ways to read its null cells is not decided."""


def resolve_row(
    row: Mapping[str, Any], *, writer: SchemaDocument, reader: SchemaDocument
) -> dict[str, Any]:
    """Read a row written under one version as a row of another.

    Args:
        row: A JSON object valid under ``writer``; an absent member and None are a null cell.
        writer: The version it was written under.
        reader: The version it is read under.

    Returns:
        The row as the reader sees it; whether it is valid there is `row_is_valid`'s question.
    """
    resolved = _resolve(dict(row), Location.root(writer), Location.root(reader))
    assert isinstance(resolved, dict)
    return resolved


def _resolve(value: Any, writer: Location, reader: Location) -> Any:
    if isinstance(value, dict):
        if reader.is_struct:
            return _resolve_struct(value, writer, reader)
        return {
            name: _resolve(member, writer.child(name), reader.child(name))
            for name, member in value.items()
            if not writer.is_struct or name in writer.declared
        }
    if isinstance(value, list):
        return [
            _resolve(item, writer.item_at(index), reader.item_at(index))
            for index, item in enumerate(value)
        ]
    return value


def _resolve_struct(value: dict[str, Any], writer: Location, reader: Location) -> dict[str, Any]:
    resolved: dict[str, Any] = {}
    for name in reader.declared:
        written = name in writer.declared if writer.is_struct else name in value
        cell = value.get(name) if written else None
        if cell is not None:
            resolved[name] = _resolve(cell, writer.child(name), reader.child(name))
        elif written and writer.admits_null(name):
            if name in value:
                resolved[name] = None
        else:
            default = reader.default_of(name)
            if default is not MISSING:
                resolved[name] = plain(default)
    return resolved


def row_is_valid(
    row: Mapping[str, Any],
    document: SchemaDocument,
    *,
    before_reading: Callable[[], None] | None = None,
) -> bool:
    """Whether one reading of a row is valid under a schema.

    A null cell of a field that admits null stands for null or absent, elsewhere for absent.

    Args:
        row: A JSON object; an absent member and None are a null cell.
        document: The schema.
        before_reading: Called before each reading is judged; what it raises ends the judging.

    Raises:
        OracleUndecidedError: Too many readings, or a pattern ran out of steps.
    """
    return valid_reading(row, document, before_reading=before_reading) is not None


def valid_reading(
    row: Mapping[str, Any],
    document: SchemaDocument,
    *,
    before_reading: Callable[[], None] | None = None,
) -> dict[str, Any] | None:
    """Return the first reading of a row that is valid, None when none is.

    Args:
        row: A JSON object; an absent member and None are a null cell.
        document: The schema.
        before_reading: Called before each reading is judged; what it raises ends the judging.

    Raises:
        OracleUndecidedError: Too many readings, or a pattern ran out of steps.
    """
    validator = validator_of(document)
    for count, reading in enumerate(_readings(dict(row), Location.root(document))):
        if count >= MOST_READINGS:
            raise OracleUndecidedError(f"the row has more than {MOST_READINGS} readings")
        if before_reading is not None:
            before_reading()
        if is_valid(validator, reading):
            assert isinstance(reading, dict)
            return reading
    return None


def _readings(value: Any, location: Location, *, watched: bool = False) -> Iterator[Any]:
    """Yield the JSON values that a row's value may stand for.

    Only cells that some condition looks at are worth reading both ways; elsewhere one reading
    is valid whenever the other is. ``watched`` says that a condition further up looks here.
    """
    if isinstance(value, dict):
        names = location.declared if location.is_struct else tuple(value)
        choices = [_cell_readings(value, location, name, watched=watched) for name in names]
        for chosen in itertools.product(*choices):
            yield _assemble(names, chosen)
    elif isinstance(value, list):
        watched = watched or location.compares_items
        items = [
            _bounded(_readings(item, location.item_at(index), watched=watched))
            for index, item in enumerate(value)
        ]
        for chosen in itertools.product(*items):
            yield list(chosen)
    else:
        yield value


def _bounded(readings: Iterator[Any]) -> list[Any]:
    return list(itertools.islice(readings, MOST_READINGS + 1))


def _cell_readings(
    value: dict[str, Any], location: Location, name: str, *, watched: bool
) -> list[Any]:
    cell = value.get(name)
    tied = watched or location.tied is None or name in location.tied
    if cell is not None:
        return _bounded(_readings(cell, location.child(name), watched=tied))
    if not location.is_struct:
        return [None]
    if not location.admits_null(name):
        return [MISSING]
    as_written = [None, MISSING] if name in value else [MISSING, None]
    if tied:
        return as_written
    return [None] if name in location.required else as_written[:1]


def _assemble(names: tuple[str, ...], cells: Any) -> dict[str, Any]:
    return {name: cell for name, cell in zip(names, cells, strict=True) if cell is not MISSING}
