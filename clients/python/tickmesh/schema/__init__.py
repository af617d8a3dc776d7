"""The pure schema core: documents, projection, compatibility, validation.

It knows no transport and no database, and importing it loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    from tickmesh.schema.document import (
        Dialect,
        JsonSchema,
        SchemaDocument,
        SchemaLimits,
        parse_document,
        parse_schema,
    )
    from tickmesh.schema.projection import FieldIds, project
    from tickmesh.schema.roles import Roles, roles_of

__all__ = [
    "Dialect",
    "FieldIds",
    "JsonSchema",
    "Roles",
    "SchemaDocument",
    "SchemaError",
    "SchemaLimits",
    "parse_document",
    "parse_schema",
    "project",
    "roles_of",
]

_HOMES = {
    "Dialect": "document",
    "FieldIds": "projection",
    "JsonSchema": "document",
    "Roles": "roles",
    "SchemaDocument": "document",
    "SchemaLimits": "document",
    "parse_document": "document",
    "parse_schema": "document",
    "project": "projection",
    "roles_of": "roles",
}


def __getattr__(name: str) -> Any:
    """Loads the modules behind the public names when they are first asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
