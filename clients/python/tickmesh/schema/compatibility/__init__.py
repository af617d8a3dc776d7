"""Whether one version may follow another: proven, refuted by a witness, or undecided."""

from __future__ import annotations

from tickmesh.schema.compatibility.compare import action_of, compare, compare_with_history
from tickmesh.schema.compatibility.report import (
    NO_WITNESS,
    Action,
    Change,
    Comparison,
    CompatibilityReport,
    Mode,
    Policy,
    Verdict,
)

__all__ = [
    "NO_WITNESS",
    "Action",
    "Change",
    "Comparison",
    "CompatibilityReport",
    "Mode",
    "Policy",
    "Verdict",
    "action_of",
    "compare",
    "compare_with_history",
]
