"""Compatibility settings: what is asked of a candidate, and what the answer does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tickmesh.schema.compatibility import Action, Mode, Policy, Verdict

__all__ = [
    "DEFAULTS",
    "INHERIT",
    "Action",
    "Mode",
    "Policy",
    "Settings",
    "SettingsOverride",
    "UndecidedPolicy",
    "Verdict",
    "every_version",
]


class UndecidedPolicy(StrEnum):
    """What an undecided comparison does to a registration."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in effect for a subject, every value given."""

    mode: Mode = Mode.BACKWARD_TRANSITIVE
    policy: Policy = Policy.RECORD
    undecided: UndecidedPolicy = UndecidedPolicy.REFUSE

    def admits(self, verdict: Verdict) -> bool:
        """Say whether a candidate with this verdict may be registered."""
        if self.mode is Mode.NONE or verdict is Verdict.COMPATIBLE:
            return True
        return verdict is Verdict.UNDECIDED and self.undecided is UndecidedPolicy.WARN


@dataclass(frozen=True, slots=True)
class SettingsOverride:
    """What a subject, or the registry as a whole, sets; `None` inherits."""

    mode: Mode | None = None
    policy: Policy | None = None
    undecided: UndecidedPolicy | None = None

    def over(self, inherited: Settings) -> Settings:
        """Fill what is not set from `inherited`."""
        return Settings(
            mode=self.mode or inherited.mode,
            policy=self.policy or inherited.policy,
            undecided=self.undecided or inherited.undecided,
        )


INHERIT = SettingsOverride()
DEFAULTS = Settings()


def every_version(mode: Mode) -> Mode:
    """The mode that asks the same of every version."""
    if mode is Mode.NONE or mode.transitive:
        return mode
    return Mode(f"{mode.value}_TRANSITIVE")
