"""The pure schema core: documents, projection, compatibility, validation.

It knows no transport and no database, and importing it loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    from tickmesh.schema.compatibility import (
        Action,
        Change,
        Comparison,
        CompatibilityReport,
        Mode,
        Policy,
        Verdict,
        action_of,
        compare,
        compare_with_history,
    )
    from tickmesh.schema.difference import (
        ColumnAction,
        ColumnPlan,
        FieldChange,
        SchemaDifference,
        diff,
    )
    from tickmesh.schema.document import (
        Dialect,
        JsonSchema,
        SchemaDocument,
        SchemaLimits,
        parse_document,
        parse_schema,
    )
    from tickmesh.schema.field_ids import FieldIds
    from tickmesh.schema.fields import FieldFacts, describe_fields
    from tickmesh.schema.projection import project
    from tickmesh.schema.resolution import resolve_row, row_is_valid
    from tickmesh.schema.roles import Roles, roles_of
    from tickmesh.schema.validation import NullMeans, Reason, Validator, Verdicts, compile_schema

__all__ = [
    "Action",
    "Change",
    "ColumnAction",
    "ColumnPlan",
    "Comparison",
    "CompatibilityReport",
    "Dialect",
    "FieldChange",
    "FieldFacts",
    "FieldIds",
    "JsonSchema",
    "Mode",
    "NullMeans",
    "Policy",
    "Reason",
    "Roles",
    "SchemaDifference",
    "SchemaDocument",
    "SchemaError",
    "SchemaLimits",
    "Validator",
    "Verdict",
    "Verdicts",
    "action_of",
    "compare",
    "compare_with_history",
    "compile_schema",
    "describe_fields",
    "diff",
    "parse_document",
    "parse_schema",
    "project",
    "resolve_row",
    "roles_of",
    "row_is_valid",
]

_HOMES = {
    "Action": "compatibility",
    "Change": "compatibility",
    "ColumnAction": "difference",
    "ColumnPlan": "difference",
    "Comparison": "compatibility",
    "CompatibilityReport": "compatibility",
    "Dialect": "document",
    "FieldChange": "difference",
    "FieldFacts": "fields",
    "FieldIds": "field_ids",
    "JsonSchema": "document",
    "Mode": "compatibility",
    "NullMeans": "validation",
    "Policy": "compatibility",
    "Reason": "validation",
    "Roles": "roles",
    "SchemaDifference": "difference",
    "SchemaDocument": "document",
    "SchemaLimits": "document",
    "Validator": "validation",
    "Verdict": "compatibility",
    "Verdicts": "validation",
    "action_of": "compatibility",
    "compare": "compatibility",
    "compare_with_history": "compatibility",
    "compile_schema": "validation",
    "describe_fields": "fields",
    "diff": "difference",
    "parse_document": "document",
    "parse_schema": "document",
    "project": "projection",
    "resolve_row": "resolution",
    "roles_of": "roles",
    "row_is_valid": "resolution",
}


def __getattr__(name: str) -> Any:
    """Load the modules behind the public names when they are first asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
