"""The one mapping from JSON Schema to Arrow.

| JSON Schema | Arrow |
| --- | --- |
| ``string`` | ``utf8`` |
| ``string`` with ``enum`` or ``const`` | ``dictionary<int32, utf8>`` |
| ``string`` with ``format: date-time`` | ``timestamp[ns, UTC]`` |
| ``string`` with ``format: date`` | ``date32`` |
| ``integer`` (whatever its bounds) | ``int64`` |
| ``number`` | ``float64`` |
| ``boolean`` | ``bool`` |
| ``object`` with ``properties`` | ``struct`` of the declared names, in the order of the text |
| ``object`` with one schema for all members | ``map<utf8, T>`` |
| ``array`` | ``list<T>`` |
| several types, no type, or a schema that contains itself | ``utf8`` holding JSON text, marked so |

A field is nullable when null is admitted or the field is not required. ``arrow`` on a field
overrides its type. Field metadata: ``tickmesh.field_id``, ``tickmesh.role``, and where they
apply ``tickmesh.encoding`` (``json``) and ``tickmesh.scale`` (of a scaled integer).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tickmesh.schema.arrow_types import parse_arrow_type
from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.keywords import effective
from tickmesh.schema.location import Key, Location
from tickmesh.schema.roles import roles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument

SUBJECT_KEY = b"tickmesh.subject"
VERSION_KEY = b"tickmesh.version"
FIELD_ID_KEY = b"tickmesh.field_id"
ROLE_KEY = b"tickmesh.role"
ENCODING_KEY = b"tickmesh.encoding"
SCALE_KEY = b"tickmesh.scale"

MOST_FIELDS = 4096
"""Most fields a row may have, nested ones included."""


Metadata: TypeAlias = dict[bytes | str, bytes | str]


def join_path(names: tuple[str, ...]) -> str:
    r"""Return ``a.b`` for a path of names; dots and backslashes in names are escaped by ``\``."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)


@dataclass(frozen=True)
class FieldIds:
    """The ids of a subject's fields, given once and kept for ever, through removal and return.

    Attributes:
        ids: Id, 1 or more, by path of names (`join_path`); list items add no step.
    """

    ids: Mapping[str, int] = field(default_factory=dict)

    def extended(self, document: SchemaDocument) -> FieldIds:
        """Return these ids and new ones for the fields of a document that have none yet."""
        ids = dict(self.ids)
        following = max(ids.values(), default=0) + 1
        for path in _paths(fields_of(document), ()):
            if path not in ids:
                ids[path] = following
                following += 1
        return FieldIds(MappingProxyType(ids))

    def to_json(self) -> str:
        """Return the ids as JSON text."""
        return json.dumps(dict(self.ids), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FieldIds:
        """Read what `to_json` wrote."""
        return cls(
            MappingProxyType({str(path): int(each) for path, each in json.loads(text).items()})
        )


def project(
    document: SchemaDocument,
    *,
    subject: str | None = None,
    version: int | None = None,
    field_ids: FieldIds | None = None,
) -> pa.Schema:
    """Project a schema onto Arrow by the mapping above.

    Args:
        document: The schema; its root describes one row.
        subject: Named in the schema's metadata when given.
        version: Named in the schema's metadata when given.
        field_ids: Ids for the fields' metadata; fields without one carry none.

    Raises:
        SchemaError: INVALID_ARROW_TYPE, UNKNOWN_ROLE or DUPLICATE_ROLE.
    """
    import pyarrow as pa

    fields = fields_of(document)
    if field_ids is not None:
        fields = tuple(_numbered(each, (), field_ids.ids) for each in fields)
    metadata: Metadata = {}
    if subject is not None:
        metadata[SUBJECT_KEY] = subject.encode()
    if version is not None:
        metadata[VERSION_KEY] = str(version).encode()
    return pa.schema(fields, metadata=metadata or None)


def ids_in(schema: pa.Schema) -> dict[tuple[str, ...], int]:
    """Return the field ids that a projection carries, by path of names."""
    return dict(_ids(schema, ()))


def fields_of(document: SchemaDocument) -> tuple[pa.Field[Any], ...]:
    """Project a document's fields, without ids, once: the document keeps them.

    Raises:
        SchemaError: INVALID_ARROW_TYPE, UNKNOWN_ROLE or DUPLICATE_ROLE.
    """
    fields = document.memo.get(fields_of)
    if fields is None:
        fields = document.memo[fields_of] = tuple(_projected(document))
    assert isinstance(fields, tuple)
    return fields


def _projected(document: SchemaDocument) -> Iterator[pa.Field[Any]]:
    root = Location.root(document)
    projector = _Projector()
    roles = roles_of(document)
    for name in root.declared:
        projected = projector.field(root, name, ())
        role = roles.role_of(name)
        if role is not None:
            projected = projected.with_metadata(
                {**_metadata_of(projected), ROLE_KEY: role.encode()}
            )
        yield projected


class _Projector:
    """Projects locations; remembers those it is inside of, so that recursion ends."""

    def __init__(self) -> None:
        self._inside: list[Key] = []
        self._fields = 0

    def field(self, location: Location, name: str, path: tuple[str, ...]) -> pa.Field[Any]:
        import pyarrow as pa

        path = (*path, name)
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise SchemaError(
                "TOO_MANY_FIELDS",
                f"following every $ref, a row has more than {MOST_FIELDS} fields; use fewer",
            )
        kind, metadata = self._stated(location, name, path)
        if kind is None:
            kind, metadata = self._type(location.child(name), path)
        nullable = name not in location.required or location.admits_null(name)
        return pa.field(name, kind, nullable=nullable, metadata=metadata or None)

    def _stated(
        self, location: Location, name: str, path: tuple[str, ...]
    ) -> tuple[pa.DataType | None, Metadata]:
        stated = location.stated(name, "arrow")
        if not stated:
            return None, {}
        pointer = pointer_of([step for part in path for step in ("properties", part)] + ["arrow"])
        if len(stated) > 1 or not isinstance(stated[0], str):
            raise SchemaError(
                "INVALID_ARROW_TYPE",
                f"the field {name!r} needs one arrow type, a string; it states {stated}",
                pointer=pointer,
            )
        try:
            kind, held, scale = parse_arrow_type(stated[0])
        except SchemaError as error:
            raise SchemaError(error.reason, error.message, pointer=pointer) from None
        wanted = location.child(name).types - {"null"}
        if not wanted <= held and "type" in _keywords_at(location.child(name)):
            raise SchemaError(
                "INVALID_ARROW_TYPE",
                f"{stated[0]} holds {' or '.join(sorted(held))}; the field {name!r} may be "
                f"{' or '.join(sorted(wanted))}",
                pointer=pointer,
            )
        return kind, {} if scale is None else {SCALE_KEY: str(scale).encode()}

    def _type(self, location: Location, path: tuple[str, ...]) -> tuple[pa.DataType, Metadata]:
        import pyarrow as pa

        kinds = location.types - {"null"}
        if "number" in kinds:
            kinds -= {"integer"}
        as_text: tuple[pa.DataType, Metadata] = (
            pa.utf8(),
            {ENCODING_KEY: b"json"},
        )
        if not kinds and not location.never and "null" in location.types:
            return pa.null(), {}
        if len(kinds) != 1 or location.key in self._inside:
            return as_text
        (kind,) = kinds
        simple: dict[str, pa.DataType] = {
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
        }
        if kind in simple:
            return simple[kind], {}
        if kind == "string":
            return _string_type(location), {}
        self._inside.append(location.key)
        try:
            nested = (
                self._list_type(location, path)
                if kind == "array"
                else self._object_type(location, path)
            )
        finally:
            self._inside.pop()
        return (nested, {}) if nested is not None else as_text

    def _list_type(self, location: Location, path: tuple[str, ...]) -> pa.DataType | None:
        import pyarrow as pa

        indices = list(range(location.prefix_length))
        rest = location.item(-1)
        if not (rest.never and indices):
            indices.append(-1)
        projected = [self._type(location.item(index), path) for index in indices]
        if any(each != projected[0] for each in projected):
            return None
        kind, metadata = projected[0]
        nullable = any(location.item(index).accepts_null for index in indices)
        return pa.list_(pa.field("item", kind, nullable=nullable, metadata=metadata or None))

    def _object_type(self, location: Location, path: tuple[str, ...]) -> pa.DataType | None:
        import pyarrow as pa

        if location.is_struct:
            return pa.struct([self.field(location, name, path) for name in location.declared])
        values = [
            (schema, part.conditional)
            for part in location.parts
            for schema in (
                *part.keywords.get("patternProperties", {}).values(),
                part.keywords.get("additionalProperties", False),
            )
            if isinstance(schema, dict)
        ]
        if not values:
            return None
        located = [Location(location.document, (value,)) for value in values]
        projected = [self._type(each, path) for each in located]
        if any(each != projected[0] for each in projected):
            return None
        kind, metadata = projected[0]
        nullable = any(each.accepts_null for each in located)
        value = pa.field("value", kind, nullable=nullable, metadata=metadata or None)
        # The stubs know types only; a field is taken too, and keeps the nullability.
        return pa.map_(pa.utf8(), cast("pa.DataType", value))


def _metadata_of(projected: pa.Field[Any]) -> Metadata:
    return {**cast("Metadata", projected.metadata or {})}


def _keywords_at(location: Location) -> set[str]:
    return {
        keyword
        for part in location.always
        for keyword in effective(part.source, location.document.dialect)
    }


def _string_type(location: Location) -> pa.DataType:
    import pyarrow as pa

    formats = {part.keywords.get("format") for part in location.always}
    if "date-time" in formats:
        return pa.timestamp("ns", "UTC")
    if "date" in formats:
        return pa.date32()
    if any("enum" in part.keywords or "const" in part.keywords for part in location.always):
        return pa.dictionary(pa.int32(), pa.utf8())
    return pa.utf8()


def _paths(fields: Iterable[pa.Field[Any]], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the path of every field and of those nested in it, parents first."""
    for each in fields:
        here = (*path, each.name)
        yield join_path(here)
        yield from _paths(_members(each.type), here)


def _ids(
    fields: Iterable[pa.Field[Any]], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for each in fields:
        here = (*path, each.name)
        identifier = (each.metadata or {}).get(FIELD_ID_KEY)
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


def _numbered(
    projected: pa.Field[Any], path: tuple[str, ...], ids: Mapping[str, int]
) -> pa.Field[Any]:
    """A field with its id, and those nested in it with theirs."""
    path = (*path, projected.name)
    projected = projected.with_type(_with_numbered_members(projected.type, path, ids))
    identifier = ids.get(join_path(path))
    if identifier is None:
        return projected
    return projected.with_metadata(
        {FIELD_ID_KEY: str(identifier).encode(), **_metadata_of(projected)}
    )


def _with_numbered_members(kind: Any, path: tuple[str, ...], ids: Mapping[str, int]) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([_numbered(member, path, ids) for member in kind])
    if pa.types.is_list(kind):
        item = kind.value_field
        return pa.list_(item.with_type(_with_numbered_members(item.type, path, ids)))
    if pa.types.is_map(kind):
        value = kind.item_field
        numbered = value.with_type(_with_numbered_members(value.type, path, ids))
        # The stubs know types only; a field is taken too, and keeps the nullability.
        return pa.map_(kind.key_type, cast("pa.DataType", numbered))
    found: pa.DataType = kind
    return found
