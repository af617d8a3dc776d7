"""Arrow schemas as plain JSON, in the form of the projection vectors (vectors/README.md)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def described(schema: pa.Schema) -> dict[str, Any]:
    """A schema as plain JSON."""
    return {
        "fields": [described_field(field) for field in schema],
        "metadata": _metadata(schema.metadata),
    }


def described_field(field: Any) -> dict[str, Any]:
    """A field as plain JSON."""
    return {
        "name": field.name,
        "type": described_type(field.type),
        "nullable": field.nullable,
        "metadata": _metadata(field.metadata),
    }


def described_type(kind: Any) -> Any:
    """A type: its name, or what is nested in it."""
    if pa.types.is_struct(kind):
        return {"struct": [described_field(member) for member in kind]}
    if pa.types.is_list(kind):
        return {"list": described_field(kind.value_field)}
    if pa.types.is_map(kind):
        assert kind.key_field.equals(pa.field("key", pa.utf8(), nullable=False))
        assert not kind.keys_sorted
        return {"map": described_field(kind.item_field)}
    return _name(kind)


def _name(kind: Any) -> str:
    if pa.types.is_dictionary(kind):
        assert not kind.ordered
        return f"dictionary<{kind.index_type}, {described_type(kind.value_type)}>"
    if pa.types.is_timestamp(kind):
        return (
            f"timestamp[{kind.unit}]" if kind.tz is None else f"timestamp[{kind.unit}, {kind.tz}]"
        )
    names = {
        pa.float32(): "float32",
        pa.float64(): "float64",
        pa.utf8(): "utf8",
        pa.large_utf8(): "large_utf8",
        pa.date32(): "date32",
    }
    return names.get(kind) or str(kind)


def _metadata(metadata: Any) -> dict[str, str]:
    found = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
    return dict(sorted(found.items()))
