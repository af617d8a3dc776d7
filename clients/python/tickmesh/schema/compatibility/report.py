"""The answer to "may this version follow?": verdicts, reasons, proofs and witnesses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Verdict(StrEnum):
    """A three-valued answer."""

    COMPATIBLE = "compatible"
    """Proven; the proof is named."""
    INCOMPATIBLE = "incompatible"
    """Refuted, which a witness shows, or refused by a rule."""
    UNDECIDED = "undecided"
    """Neither proven nor refuted within the work allowed."""


class Action(StrEnum):
    """What a registration does to its subject, whatever the mode."""

    FIRST = "first"
    COMPATIBLE_CHANGE = "compatible_change"
    BREAKING_CHANGE = "breaking_change"


class Policy(StrEnum):
    """The question a comparison answers."""

    RECORD = "record"
    """Every row valid under the old schema, resolved, is valid under the new one."""
    CONTAINMENT = "containment"
    """Every document valid under the old schema is valid under the new one."""
    CONFLUENT_STRICT = "confluent-strict"
    """No difference that the published strict rules of Confluent's registry forbid."""
    CONFLUENT_LENIENT = "confluent-lenient"
    """No difference that its published lenient rules forbid."""


class Mode(StrEnum):
    """Which versions are compared, and in which direction."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """Whether every version is compared, not only the latest."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def directions(self) -> tuple[Mode, ...]:
        """The single directions asked: BACKWARD, FORWARD, both or none."""
        name = self.value.removesuffix("_TRANSITIVE")
        return {
            "NONE": (),
            "BACKWARD": (Mode.BACKWARD,),
            "FORWARD": (Mode.FORWARD,),
            "FULL": (Mode.BACKWARD, Mode.FORWARD),
        }[name]


class NoWitness:
    """The type of `NO_WITNESS`."""

    def __bool__(self) -> bool:
        """Return False: nothing is shown."""
        return False

    def __repr__(self) -> str:
        """Return the name by which it is imported."""
        return "NO_WITNESS"


NO_WITNESS: Final = NoWitness()
"""Stands where there is no witness; None, the JSON null, is a witness like any other."""


@dataclass(frozen=True)
class Change:
    """One change between two versions, judged.

    Attributes:
        kind: Snake case, for example ``required_field_added``.
        path: JSON Pointer into the new schema, into the old one for what was removed.
        verdict: The verdict on this change.
        reason: A stable upper-case code.
        message: What changed and what follows, in words.
        proof: The name of the proof, when compatible.
        witness: A row (or document) valid before and, once resolved, invalid after; `NO_WITNESS`
            for what is compatible, undecided, or refused by a rule alone.
    """

    kind: str
    path: str
    verdict: Verdict
    reason: str
    message: str
    proof: str | None = None
    witness: Any = NO_WITNESS

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON values; a proof or witness stands only where there is one."""
        optional = {"proof": self.proof} if self.proof is not None else {}
        if self.witness is not NO_WITNESS:
            optional["witness"] = self.witness
        return {
            "kind": self.kind,
            "path": self.path,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "message": self.message,
            **optional,
        }


@dataclass(frozen=True)
class Comparison:
    """The comparison with one version in one direction.

    Attributes:
        version: The version compared with, None when it has no number.
        direction: `Mode.BACKWARD` or `Mode.FORWARD`.
        verdict: The verdict in this direction.
        changes: Every change found, with its own verdict.
    """

    version: int | None
    direction: Mode
    verdict: Verdict
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {
            "version": self.version,
            "direction": str(self.direction),
            "verdict": str(self.verdict),
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True)
class CompatibilityReport:
    """The whole answer.

    Attributes:
        verdict: Incompatible if one comparison is, else undecided if one is, else compatible.
        mode: The mode asked.
        policy: The policy asked.
        comparisons: One for each version and direction compared, newest version first.
        engine: The name and version of what judged.
        deleted_ignored: Whether soft-deleted versions were left out, as the registry was asked.
    """

    verdict: Verdict
    mode: Mode
    policy: Policy
    comparisons: tuple[Comparison, ...]
    engine: str
    deleted_ignored: bool = False

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change of every comparison."""
        return tuple(change for each in self.comparisons for change in each.changes)

    @property
    def proofs(self) -> tuple[str, ...]:
        """The names of the proofs behind compatible changes, each once."""
        named = (change.proof for change in self.changes if change.proof is not None)
        return tuple(dict.fromkeys(named))

    @property
    def witnesses(self) -> tuple[Any, ...]:
        """The rows or documents that show why changes are incompatible."""
        return tuple(change.witness for change in self.changes if change.witness is not NO_WITNESS)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "verdict": str(self.verdict),
            "mode": str(self.mode),
            "policy": str(self.policy),
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "engine": self.engine,
        }


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict over several: one refutation decides, then one doubt."""
    for verdict in (Verdict.INCOMPATIBLE, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.COMPATIBLE
