"""Compatibility settings: what is asked of a candidate, and what the answer does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    NONE = "NONE"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class Policy(StrEnum):
    RECORD = "record"
    CONTAINMENT = "containment"
    CONFLUENT_STRICT = "confluent-strict"
    CONFLUENT_LENIENT = "confluent-lenient"


class Verdict(StrEnum):
    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    UNDECIDED = "undecided"


class Action(StrEnum):
    FIRST = "first"
    COMPATIBLE_CHANGE = "compatible_change"
    BREAKING_CHANGE = "breaking_change"


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
        """Says whether a candidate with this verdict may be registered."""
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
        """Fills what is not set from `inherited`."""
        return Settings(
            mode=self.mode or inherited.mode,
            policy=self.policy or inherited.policy,
            undecided=self.undecided or inherited.undecided,
        )


INHERIT = SettingsOverride()
DEFAULTS = Settings()
