"""Which field plays which part in a tick: time, symbol, price, size, side, sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.field_metadata import ENCODING_KEY, ROLE_KEY, metadata_of
from tickmesh.schema.leaves import leaf_at
from tickmesh.schema.location import Location, dict_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument

_KEYWORD = "x-tick-role"


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
    """Find the roles: ``x-tick-role`` on a field, else the usual names of fields that fit.

    Raises:
        SchemaError: UNKNOWN_ROLE, INVALID_ROLE or DUPLICATE_ROLE, or the document has no
            projection.
    """
    from tickmesh.schema.projection import fields_of

    playing = {
        role.decode(): field.name
        for field in fields_of(document)
        if (role := (field.metadata or {}).get(ROLE_KEY)) is not None
    }
    return Roles(**playing)


def with_roles(root: Location, projected: Iterable[pa.Field[Any]]) -> tuple[pa.Field[Any], ...]:
    """Put the roles into the metadata of the fields of a row.

    Args:
        root: The location of whole rows.
        projected: Its projected fields.

    Raises:
        SchemaError: UNKNOWN_ROLE, INVALID_ROLE or DUPLICATE_ROLE.
    """
    by_name = {field.name: field for field in projected}
    playing: dict[str, str] = {}
    for name, field in by_name.items():
        for role, pointer in _stated(root, name):
            _check(role, field, playing, pointer)
            playing[role] = name
    taken = set(playing.values())
    for role, part in _PARTS.items():
        usual = by_name.get(part.usual_name)
        if (
            role not in playing
            and usual is not None
            and usual.name not in taken
            and part.fits(usual)
        ):
            playing[role] = usual.name
    for role, name in playing.items():
        field = by_name[name]
        by_name[name] = field.with_metadata({**metadata_of(field), ROLE_KEY: role.encode()})
    return tuple(by_name.values())


def _stated(root: Location, name: str) -> list[tuple[Any, str]]:
    """The roles stated at a field, each once, and where."""
    if leaf_at(root, name) is not None:
        return []
    stated: dict[str, tuple[Any, str]] = {}
    for part in root.child(name).parts:
        if _KEYWORD in part.source:
            own = root.document.index.pointer_to(dict_of(part.source))
            if own is None:
                own = pointer_of(root.path_to(name))
            role = part.source[_KEYWORD]
            stated.setdefault(str(role), (role, own + pointer_of((_KEYWORD,))))
    return list(stated.values())


def _check(role: Any, field: pa.Field[Any], playing: dict[str, str], pointer: str) -> None:
    if not isinstance(role, str) or role not in _PARTS:
        _refuse(
            "UNKNOWN_ROLE", f"{str(role)[:80]!r} is no role; roles are {', '.join(_PARTS)}", pointer
        )
    if role in playing:
        _refuse(
            "DUPLICATE_ROLE",
            f"both {playing[role]!r} and {field.name!r} claim the role {role}; choose one",
            pointer,
        )
    if field.name in playing.values():
        _refuse("DUPLICATE_ROLE", f"{field.name!r} claims two roles; choose one", pointer)
    part = _PARTS[role]
    if not part.fits(field):
        kind = "JSON text" if _is_json(field) else field.type
        _refuse(
            "INVALID_ROLE",
            f"the role {role} is played by {part.wanted}; {field.name!r} is {kind}",
            pointer,
        )


def _refuse(reason: str, message: str, pointer: str) -> NoReturn:
    raise SchemaError(reason, message, pointer=pointer)


_Test: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """What plays a role: the usual name, and the types that can."""

    usual_name: str
    wanted: str
    types: tuple[_Test, ...]

    def fits(self, field: pa.Field[Any]) -> bool:
        return not _is_json(field) and any(test(field.type) for test in self.types)


def _is_json(field: pa.Field[Any]) -> bool:
    return (field.metadata or {}).get(ENCODING_KEY) == b"json"


def _is_integer(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_integer(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _is_timestamp(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_timestamp(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        kind = kind.value_type
    return bool(pt.is_string(kind) or pt.is_large_string(kind))


def _is_boolean(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_boolean(kind))


_PARTS = {
    "event_time": _Part("ts", "a timestamp or an integer", (_is_timestamp, _is_integer)),
    "symbol": _Part("symbol", "text", (_is_text,)),
    "price": _Part("price", "a number", (_is_number,)),
    "size": _Part("size", "a number", (_is_number,)),
    "side": _Part("side", "text, an integer or a boolean", (_is_text, _is_integer, _is_boolean)),
    "sequence": _Part("seq", "an integer", (_is_integer,)),
}
