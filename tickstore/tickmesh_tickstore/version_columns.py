"""The columns of registered versions as the engine keeps them: types, rules and generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh.schema.columns import ColumnAction, plan_columns
from tickmesh_tickstore.domain.stamps import Stamp
from tickmesh_tickstore.schema_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from tickmesh_tickstore.engine.field_rules import FieldRules
    from tickmesh_tickstore.governance import SchemaVersion

__all__ = ["VersionColumns", "begins_generation", "columns_of"]

_BREAKING = "breaking_change"
_REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class VersionColumns:
    """What rows of one version are.

    Attributes:
        stamp: The version.
        schema: Its Arrow projection.
        rules: Its defaults, and which of its nulls are values.
        generation: The generation it belongs to, from 1.
    """

    stamp: Stamp
    schema: pa.Schema
    rules: FieldRules
    generation: int


def columns_of(registered: SchemaVersion, history: Iterable[SchemaVersion]) -> VersionColumns:
    """The columns of a version.

    Args:
        registered: The version.
        history: Every version of its subject, ascending.
    """
    generation = 1
    before: SchemaVersion | None = None
    for each in history:
        if each.version > registered.version:
            break
        if before is not None and begins_generation(before, each):
            generation += 1
        before = each
    return VersionColumns(
        Stamp(schema_id=str(registered.schema_id), schema_version=registered.version),
        registered.arrow_schema,
        rules_of(registered.document),
        generation,
    )


def begins_generation(before: SchemaVersion, version: SchemaVersion) -> bool:
    """Whether a version breaks with the one before it.

    It does where its registration was told to be breaking (backward compatibility of rows is not
    proven), or where a column cannot be cast.
    """
    if version.action == _BREAKING:
        return True
    if _REMOVED in {before.state, version.state}:
        return False  # their texts are gone; what the registration was told still counts
    plans = plan_columns(before.document, version.document)
    return any(plan.action is ColumnAction.IMPOSSIBLE for plan in plans)
