"""The keys of the metadata that a projection puts on schemas and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    import pyarrow as pa

SUBJECT_KEY = b"tickmesh.subject"
"""On the schema: the subject."""

VERSION_KEY = b"tickmesh.version"
"""On the schema: the version, a decimal number."""

FIELD_ID_KEY = b"tickmesh.field_id"
"""On every field: its id, a decimal number, 1 or more."""

ROLE_KEY = b"tickmesh.role"
"""On fields of the row that play a role: which."""

ENCODING_KEY = b"tickmesh.encoding"
"""``json`` on a utf8 field whose values are JSON texts."""

SCALE_KEY = b"tickmesh.scale"
"""On an int64 field that holds numbers times 10^scale: the scale, a decimal number."""

Metadata: TypeAlias = dict[bytes | str, bytes | str]


def metadata_of(field: pa.Field[Any]) -> Metadata:
    """Return a copy of a field's metadata."""
    return {**cast("Metadata", field.metadata or {})}
