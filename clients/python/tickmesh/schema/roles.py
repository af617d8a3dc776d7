"""Which field plays which part in a tick: time, symbol, price, size, side, sequence."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.location import Location

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_USUAL_NAMES = {
    "event_time": "ts",
    "symbol": "symbol",
    "price": "price",
    "size": "size",
    "side": "side",
    "sequence": "seq",
}


@dataclass(frozen=True)
class Roles:
    """The top-level field that plays each role, None where no field does.

    Attributes:
        event_time: When it happened; ranges, as-of joins and bars go by it.
        symbol: The instrument.
        price: The price of a trade or quote.
        size: The quantity.
        side: Buyer or seller.
        sequence: The venue's own order of events.
    """

    event_time: str | None = None
    symbol: str | None = None
    price: str | None = None
    size: str | None = None
    side: str | None = None
    sequence: str | None = None

    def role_of(self, name: str) -> str | None:
        """Return the role that a top-level field plays."""
        for role in fields(self):
            if getattr(self, role.name) == name:
                return role.name
        return None


def roles_of(document: SchemaDocument) -> Roles:
    """Find the roles: ``x-tick-role`` on a field, else the usual names of fields.

    Raises:
        SchemaError: UNKNOWN_ROLE or DUPLICATE_ROLE.
    """
    root = Location.root(document)
    explicit: dict[str, str] = {}
    taken: set[str] = set()
    for name in root.declared:
        for role in root.stated(name, "x-tick-role"):
            pointer = pointer_of(("properties", name, "x-tick-role"))
            if role not in _USUAL_NAMES:
                raise SchemaError(
                    "UNKNOWN_ROLE",
                    f"{role!r} is no role; roles are {', '.join(_USUAL_NAMES)}",
                    pointer=pointer,
                )
            if role in explicit:
                raise SchemaError(
                    "DUPLICATE_ROLE",
                    f"both {explicit[role]!r} and {name!r} claim the role {role}; choose one",
                    pointer=pointer,
                )
            explicit[role] = name
            taken.add(name)
    usual = {
        role: name
        for role, name in _USUAL_NAMES.items()
        if role not in explicit and name in root.declared and name not in taken
    }
    return Roles(**usual, **explicit)
