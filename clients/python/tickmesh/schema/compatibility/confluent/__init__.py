"""Policies ``confluent-strict`` and ``confluent-lenient``: that registry's rules for JSON Schema.

The rules are reproduced as published, where they err too; `docs/confluent-policies.md` says where.
"""

from __future__ import annotations

from tickmesh.schema.compatibility.confluent.rules import compare_by_rules

__all__ = ["compare_by_rules"]
