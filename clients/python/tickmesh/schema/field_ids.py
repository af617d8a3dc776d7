"""Field ids: a number for each path of names of a subject, given once and kept for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from tickmesh.schema.field_metadata import FIELD_ID_KEY, metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument

ITEM = "[]"
"""What the path of a list's items adds to that of the list."""

VALUE = "{}"
"""What the path of a map's values adds to that of the map."""

_ESCAPES = str.maketrans({sign: "\\" + sign for sign in "\\.[{"})


def join_path(names: tuple[str, ...]) -> str:
    r"""Return ``a.b`` for a path of names; ``\``, ``.``, ``[`` and ``{`` in names get a ``\``."""
    return ".".join(name.translate(_ESCAPES) for name in names)


@dataclass(frozen=True)
class FieldIds:
    """The ids of a subject's fields, given once and kept for ever, through removal and return.

    Attributes:
        ids: Id, 1 or more, by path: names joined by `join_path`. A list's items have an id of
            their own at the list's path and ``[]``, a map's values at the map's and ``{}``; to
            the paths of what is nested in them they add no step.
    """

    ids: Mapping[str, int] = field(default_factory=dict)

    def extended(self, document: SchemaDocument) -> FieldIds:
        """Return these ids and new ones for the fields of a document that have none yet.

        New ids continue after the greatest one given, in the order of the fields, each before
        what is nested in it.

        Raises:
            SchemaError: The document has no projection.
        """
        from tickmesh.schema.projection import fields_of

        paths = list(dict.fromkeys(_paths(fields_of(document), ())))
        new = [path for path in paths if path not in self.ids]
        if not new:
            return self
        following = max(self.ids.values(), default=0) + 1
        given = dict(zip(new, range(following, following + len(new)), strict=True))
        return FieldIds(MappingProxyType({**self.ids, **given}))

    def numbered(self, fields: Iterable[pa.Field[Any]]) -> tuple[pa.Field[Any], ...]:
        """Return fields with their ids in their metadata; those without an id carry none."""
        return tuple(_numbered(each, (), self.ids) for each in fields)

    def to_json(self) -> str:
        """Return the ids as JSON text."""
        return json.dumps(dict(self.ids), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FieldIds:
        """Read what `to_json` wrote."""
        return cls(
            MappingProxyType({str(path): int(each) for path, each in json.loads(text).items()})
        )


def ids_in(schema: pa.Schema) -> dict[tuple[str, ...], int]:
    """Return the ids of the named fields of a projection, by path of names."""
    return dict(_ids(schema, ()))


def _ids(
    fields: Iterable[pa.Field[Any]], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for each in fields:
        here = (*path, each.name)
        identifier = metadata_of(each).get(FIELD_ID_KEY)
        if identifier is not None:
            yield here, int(identifier)
        yield from _ids(_members(each.type), here)


def _members(kind: Any) -> Iterable[pa.Field[Any]]:
    """The fields of the struct that a type is or holds; items and map values add no step."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return _members(kind.value_type)
    if pa.types.is_map(kind):
        return _members(kind.item_type)
    return kind if pa.types.is_struct(kind) else ()


def _paths(fields: Iterable[pa.Field[Any]], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the path of every field and of those nested in it, parents first."""
    for each in fields:
        here = (*path, each.name)
        yield join_path(here)
        if each.type.num_fields:
            yield from _paths_inside(each.type, here, join_path(here))


def _paths_inside(kind: Any, names: tuple[str, ...], path: str) -> Iterator[str]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        yield from _paths(kind, names)
    elif pa.types.is_list(kind):
        yield path + ITEM
        yield from _paths_inside(kind.value_type, names, path + ITEM)
    elif pa.types.is_map(kind):
        yield path + VALUE
        yield from _paths_inside(kind.item_type, names, path + VALUE)


def _numbered(
    projected: pa.Field[Any], path: tuple[str, ...], ids: Mapping[str, int]
) -> pa.Field[Any]:
    """A field with its id, and those nested in it with theirs."""
    path = (*path, projected.name)
    joined = join_path(path)
    if projected.type.num_fields:
        projected = projected.with_type(_with_numbered_inside(projected.type, path, joined, ids))
    return _with_id(projected, joined, ids)


def _with_id(projected: pa.Field[Any], path: str, ids: Mapping[str, int]) -> pa.Field[Any]:
    identifier = ids.get(path)
    if identifier is None:
        return projected
    return projected.with_metadata(
        {FIELD_ID_KEY: str(identifier).encode(), **metadata_of(projected)}
    )


def _with_numbered_inside(
    kind: Any, names: tuple[str, ...], path: str, ids: Mapping[str, int]
) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([_numbered(member, names, ids) for member in kind])
    if pa.types.is_list(kind):
        return pa.list_(_numbered_inner(kind.value_field, names, path + ITEM, ids))
    if pa.types.is_map(kind):
        value = _numbered_inner(kind.item_field, names, path + VALUE, ids)
        # The stubs know types only; a field is taken too, and keeps the nullability.
        return pa.map_(kind.key_type, cast("pa.DataType", value))
    found: pa.DataType = kind
    return found


def _numbered_inner(
    inner: pa.Field[Any], names: tuple[str, ...], path: str, ids: Mapping[str, int]
) -> pa.Field[Any]:
    inside = inner.with_type(_with_numbered_inside(inner.type, names, path, ids))
    return _with_id(inside, path, ids)
