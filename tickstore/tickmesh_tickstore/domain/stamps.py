"""What is known of every stored row beside its columns (T5)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANONYMOUS", "Origin", "Stamp"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """The exact schema version rows were judged against.

    Attributes:
        schema_id: The registry's id of the schema.
        schema_version: The version's number within its subject, from 1.
    """

    schema_id: str
    schema_version: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote rows.

    Attributes:
        principal: Name of the authenticated caller.
        on_behalf_of: Whom the caller acts for; empty when for itself.
    """

    principal: str = "anonymous"
    on_behalf_of: str = ""


ANONYMOUS = Origin()
