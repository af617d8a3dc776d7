"""The one mapping from JSON Schema to Arrow; docs/arrow-projection.md shows it by example.

| JSON Schema | Arrow |
| --- | --- |
| ``string`` | ``utf8`` |
| ``string`` with ``enum`` or ``const`` | ``dictionary<int32, utf8>``; inside other types ``utf8`` |
| ``string`` with ``format: date-time`` | ``timestamp[ns, UTC]`` |
| ``string`` with ``format: date`` | ``date32`` |
| ``string`` with ``format: time`` | ``time64[ns]``, the time of day in UTC |
| ``integer`` (whatever its bounds) | ``int64`` |
| ``number`` | ``float64`` |
| ``boolean`` | ``bool`` |
| ``null`` alone | ``null`` |
| ``object`` with ``properties`` | ``struct`` of the declared names, in the order of the text |
| ``object`` with one schema for all members | ``map<utf8, T>`` |
| ``array`` (whatever its bounds) whose items are all alike | ``list<T>`` |
| everything else | ``utf8`` holding JSON text, marked so |

Everything else: several types or no type, objects that declare nothing, tuples of different
items, and a schema that contains itself, at the place where it comes again.

A field is nullable when null is admitted or the field is not required. ``arrow`` on a field, an
item or a map's value overrides its type. Metadata: see `field_metadata`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from tickmesh.schema.arrow_types import ArrowType, parse_arrow_type
from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.field_ids import FieldIds, join_path
from tickmesh.schema.field_metadata import ENCODING_KEY, SCALE_KEY, SUBJECT_KEY, VERSION_KEY
from tickmesh.schema.leaves import column_key, leaf_at
from tickmesh.schema.location import ALL_TYPES, Location, dict_of
from tickmesh.schema.roles import with_roles
from tickmesh.schema.text_forms import TextForm, text_form

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.field_metadata import Metadata
    from tickmesh.schema.location import Key, Part

__all__ = ["DEEPEST", "MOST_FIELDS", "FieldIds", "fields_of", "join_path", "project"]

MOST_FIELDS: Final = 4096
"""Most fields a row may have: nested ones, items of lists and values of maps included."""

LONGEST_NAME: Final = 255
"""Most characters in the name of a field."""

DEEPEST: Final = 30
"""Most lists, structs and maps inside each other; Arrow readers give up at 64 levels, and a map
has two."""

_MOST_LEAF_COLUMNS: Final = 1024
_leaf_columns: dict[Hashable, pa.Field[Any]] = {}
"""Projected leaves by all that their columns depend on, whatever their document and name."""


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
        SchemaError: INVALID_ARROW_TYPE, TOO_MANY_FIELDS, TOO_DEEP, UNKNOWN_ROLE, INVALID_ROLE or
            DUPLICATE_ROLE, or INVALID_FIELD_NAME.
    """
    import pyarrow as pa

    fields = fields_of(document)
    if field_ids is not None:
        fields = field_ids.numbered(fields)
    metadata: Metadata = {}
    if subject is not None:
        metadata[SUBJECT_KEY] = subject.encode()
    if version is not None:
        metadata[VERSION_KEY] = str(version).encode()
    return pa.schema(fields, metadata=metadata or None)


def fields_of(document: SchemaDocument) -> tuple[pa.Field[Any], ...]:
    """Project a document's fields, without ids, once: the document keeps them.

    Raises:
        SchemaError: As `project`.
    """
    fields = document.memo.get(fields_of)
    if fields is None:
        root = Location.root(document)
        fields = document.memo[fields_of] = with_roles(root, _Projector().fields(root))
    assert isinstance(fields, tuple)
    return fields


class _Projector:
    """Projects locations; remembers those it is inside of, so that recursion ends."""

    def __init__(self) -> None:
        self._around: list[Key] = []
        self._fields: list[tuple[Location, str]] = []
        self._count = 0

    def fields(self, location: Location) -> list[pa.Field[Any]]:
        """Project the declared fields of a location."""
        self._around.append(location.key)
        fields = [self._field(location, name) for name in location.declared]
        self._around.pop()
        return fields

    def _field(self, location: Location, name: str) -> pa.Field[Any]:
        if len(name) > LONGEST_NAME or "\0" in name:
            raise SchemaError(
                "INVALID_FIELD_NAME",
                f"a name has at most {LONGEST_NAME} characters and no NUL, which many readers of "
                f"Arrow take as its end; {name[:40]!r} has {len(name)}",
                pointer=pointer_of(location.path_to(name)[:-1]),
            )
        self._fields.append((location, name))
        field = self._member(location, name)
        self._fields.pop()
        return field

    def _member(self, location: Location, name: str) -> pa.Field[Any]:
        """Project a member; of leaves that are alike only the first is looked at in full."""
        is_required = name in location.required
        leaf = leaf_at(location, name)
        key = None if leaf is None else (column_key(leaf), self._is_nested, is_required)
        known = _leaf_columns.get(key)
        if known is not None:
            self._count_column(location)
            return known.with_name(name)
        field = self._column(location.child(name), name)
        if not (is_required or field.nullable):
            field = field.with_nullable(True)
        if key is not None and len(_leaf_columns) < _MOST_LEAF_COLUMNS:
            _leaf_columns[key] = field
        return field

    def _column(self, location: Location, name: str) -> pa.Field[Any]:
        """Project the values at a location as a field that is nullable if they admit null."""
        import pyarrow as pa

        self._count_column(location)
        kind, metadata = self._stated(location) or self._type(location)
        # What admits no value at all may still be of the type null, which holds nothing else.
        nullable = location.accepts_null or pa.types.is_null(kind)
        return pa.field(name, kind, nullable=nullable, metadata=metadata)

    def _count_column(self, location: Location) -> None:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise SchemaError(
                "TOO_MANY_FIELDS",
                f"following every $ref, a row has more than {MOST_FIELDS} fields; use fewer",
                pointer=self._pointer(location, None),
            )

    def _type(self, location: Location) -> tuple[pa.DataType, Metadata | None]:
        import pyarrow as pa

        kinds = location.types - {"null"}
        if "number" in kinds:
            kinds -= {"integer"}
        if not kinds and not location.never and "null" in location.types:
            return pa.null(), None
        found: pa.DataType | None = None
        if len(kinds) == 1 and location.key not in self._around:
            (kind,) = kinds
            if kind == "integer":
                found = pa.int64()
            elif kind == "number":
                found = pa.float64()
            elif kind == "boolean":
                found = pa.bool_()
            elif kind == "string":
                found = self._text_type(location)
            else:
                found = self._nested(location, is_list=kind == "array")
        if found is None:
            return pa.utf8(), {ENCODING_KEY: b"json"}
        return found, None

    def _text_type(self, location: Location) -> pa.DataType:
        import pyarrow as pa

        form = text_form(location)
        if form is TextForm.DATE_TIME:
            return pa.timestamp("ns", "UTC")
        if form is TextForm.DATE:
            return pa.date32()
        if form is TextForm.TIME:
            return pa.time64("ns")
        if form is TextForm.LISTED and not self._is_nested:
            return pa.dictionary(pa.int32(), pa.utf8())
        return pa.utf8()

    @property
    def _is_nested(self) -> bool:
        """Whether what is projected stands inside a field of the row."""
        return len(self._around) > 1

    def _nested(self, location: Location, *, is_list: bool) -> pa.DataType | None:
        import pyarrow as pa

        if len(self._around) > DEEPEST:
            raise SchemaError(
                "TOO_DEEP",
                f"lists, objects and maps nest deeper than {DEEPEST} levels; flatten them",
                pointer=self._pointer(location, None),
            )
        if not is_list and location.is_struct:
            return pa.struct(self.fields(location))
        self._around.append(location.key)
        inner = self._alike(_items(location), "item") if is_list else self._values(location)
        self._around.pop()
        if inner is None:
            return None
        if is_list:
            return pa.list_(inner)
        # The stubs know types only; a field is taken too, and keeps the nullability.
        return pa.map_(pa.utf8(), cast("pa.DataType", inner))

    def _values(self, location: Location) -> pa.Field[Any] | None:
        values = [
            Location(location.document, ((schema, part.conditional),))
            for part in location.parts
            for schema in (
                *part.keywords.get("patternProperties", {}).values(),
                part.keywords.get("additionalProperties", False),
            )
            if isinstance(schema, dict)
        ]
        return self._alike(values, "value")

    def _alike(self, locations: list[Location], name: str) -> pa.Field[Any] | None:
        """One field for the values of several locations, None when their types differ."""
        fields = [self._column(each, name) for each in locations]
        if not fields:
            return None
        first = fields[0]
        if any(each.type != first.type or each.metadata != first.metadata for each in fields[1:]):
            return None
        return first.with_nullable(any(each.nullable for each in fields))

    def _stated(self, location: Location) -> tuple[pa.DataType, Metadata | None] | None:
        """The type that ``arrow`` asks for; a column has one, whoever states it."""
        stating = {
            canonical_json(part.source["arrow"]): part
            for part in location.parts
            if "arrow" in part.source
        }
        if not stating:
            return None
        part = next(iter(stating.values()))
        text = part.source["arrow"]
        if len(stating) > 1 or not isinstance(text, str):
            self._refuse(location, part, f"one type is expected, a string; {', '.join(stating)}")
        try:
            asked = parse_arrow_type(text)
        except SchemaError as error:
            self._refuse(location, part, error.message)
        self._check(asked, text, location, part)
        scale = None if asked.scale is None else {SCALE_KEY: str(asked.scale).encode()}
        return asked.type, cast("Metadata | None", scale)

    def _check(self, asked: ArrowType, text: str, location: Location, part: Part) -> None:
        import pyarrow as pa

        wanted = location.types - {"null"}
        if not (wanted <= asked.holds or wanted == ALL_TYPES - {"null"}):
            self._refuse(
                location,
                part,
                f"{text} holds {' or '.join(sorted(asked.holds))}; by the rest of the schema the "
                f"value may be {' or '.join(sorted(wanted))}",
            )
        if self._is_nested and pa.types.is_dictionary(asked.type):
            self._refuse(location, part, f"{text} is taken for fields of the row itself; use utf8")
        form = text_form(location) if "string" in wanted else None
        if asked.format is not None and form not in (None, TextForm.LISTED, asked.format):
            self._refuse(
                location, part, f"{text} holds {asked.format}; the strings here are a {form}"
            )

    def _refuse(self, location: Location, part: Part, message: str) -> NoReturn:
        names = join_path(tuple(name for _, name in self._fields))
        raise SchemaError(
            "INVALID_ARROW_TYPE",
            f"the arrow keyword of {names!r}: {message}",
            pointer=self._pointer(location, part),
        )

    def _pointer(self, location: Location, part: Part | None) -> str:
        """Where a part states ``arrow``, else the nearest field above that this document names."""
        index = location.document.index
        if part is not None:
            pointer = index.pointer_to(dict_of(part.source))
            if pointer is not None:
                return f"{pointer}/arrow"
        for around, name in reversed(self._fields):
            for stating in around.parts:
                pointer = index.pointer_to(dict_of(stating.source))
                if pointer is not None and name in stating.keywords.get("properties", ()):
                    return pointer + pointer_of(("properties", name))
        return ""


def _items(location: Location) -> list[Location]:
    """The locations of the items of a list: those of its first places, and of the rest."""
    places = [location.item(index) for index in range(location.prefix_length)]
    rest = location.item(-1)
    return places if places and rest.never else [*places, rest]
