"""Where the tick rules of a schema stand: at the row, or at one of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.location import Location, dict_of
from tickmesh_cleaner.rules.parameters import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tickmesh.schema import SchemaDocument
    from tickmesh.schema.location import Part

PREFIX = "x-tick-"
ROLE = "x-tick-role"
"""No rule: it says which field plays which part, and the projection reads it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A keyword as it stands in a schema.

    Attributes:
        keyword: The keyword.
        value: Its value; integral numbers are int, other numbers Decimal.
        pointer: JSON Pointer to it.
        field: The field it stands at; None at the row.
    """

    keyword: str
    value: Any
    pointer: str
    field: str | None


def placed_rules(
    document: SchemaDocument, fields: Collection[str], known: Collection[str]
) -> list[Placed]:
    """The `x-tick-*` keywords of a schema, those at the row first, then field by field.

    They count where the schema speaks about whole rows or about fields of rows under no condition,
    also through `$ref` and `allOf`.

    Raises:
        RuleError: A keyword is unknown, or stands where it would never count.
    """
    root = Location.root(document)
    found = list(_at(root, root.always, None))
    for name in fields:
        found.extend(_at(root.child(name), root.child(name).always, name))
    counted = {placed.pointer for placed in found}
    for path, schema in document.index.subschemas():
        for keyword in schema:
            if not keyword.startswith(PREFIX) or keyword == ROLE:
                continue
            pointer = pointer_of((*path, keyword))
            if keyword not in known:
                names = ", ".join(sorted(known))
                raise RuleError(f"there is no rule {keyword}; rules are {names}", pointer=pointer)
            if pointer not in counted:
                raise RuleError(
                    f"{keyword} would never count here: it stands at the row or at a field of the "
                    "row, under no condition",
                    pointer=pointer,
                )
    return found


def _at(location: Location, parts: tuple[Part, ...], field: str | None) -> Iterator[Placed]:
    for part in parts:
        for keyword, value in part.source.items():
            if keyword.startswith(PREFIX) and keyword != ROLE:
                own = location.document.index.pointer_to(dict_of(part.source))
                pointer = (own or "") + pointer_of((keyword,))
                yield Placed(keyword, value, pointer, field)
