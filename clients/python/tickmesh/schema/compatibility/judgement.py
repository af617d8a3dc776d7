"""Verdicts on single changes, from the gaps of a proof and the witnesses found for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.prover import FieldPath, Gap, Proof
from tickmesh.schema.compatibility.report import NO_WITNESS, Change, Verdict
from tickmesh.schema.difference import ITEM, MEMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tickmesh.schema.compatibility.witness import Search
    from tickmesh.schema.difference import FieldChange
    from tickmesh.schema.document import SchemaDocument

_MOST_GAPS = 50
_LONGEST_TEXTS = 600_000
"""Characters of both schemas; looking at longer ones place by place would take too long."""
_RELAXED = "constraint_relaxed"


def too_long(writer: SchemaDocument, reader: SchemaDocument) -> Change | None:
    """Return the change that stands for all where two schemas are too long to be judged."""
    length = len(writer.text) + len(reader.text)
    if length <= _LONGEST_TEXTS:
        return None
    return Change(
        kind="schemas_too_long",
        path="",
        verdict=Verdict.UNDECIDED,
        reason="TOO_LARGE",
        message=f"the two schemas have {length} characters; at most {_LONGEST_TEXTS} are judged "
        "place by place, so split them into referenced ones",
    )


@dataclass(frozen=True)
class Wording:
    """How one policy speaks.

    Attributes:
        thing: What is judged, in the plural, for kinds such as ``rows_refused``.
        whole: What stands for the place of a fault that is nowhere in particular.
        proofs: Names of proofs by kind of change.
        otherwise: The name of the proof of all other changes.
        harmless: Kinds of changes that never decide.
    """

    thing: str
    whole: str
    proofs: Mapping[str, str]
    otherwise: str
    harmless: frozenset[str]


class Judge:
    """Judges the changes of one comparison."""

    def __init__(self, wording: Wording) -> None:
        """Speak the words of a policy."""
        self._wording = wording

    def proven(self, changes: Iterable[FieldChange]) -> list[Change]:
        """Return changes of a pair whose compatibility is proven as a whole."""
        return [self._proven(change) for change in changes]

    def judged(
        self, changes: tuple[FieldChange, ...], proof: Proof, search: Search
    ) -> list[Change]:
        """Return changes of a pair that is not proven, each with its own verdict."""
        gaps = _merged(proof.gaps)
        witnesses = {gap: search.at(gap) for gap in gaps[:_MOST_GAPS]}
        if all(witness is NO_WITNESS for witness in witnesses.values()):
            anywhere = search.anywhere()
            if anywhere is not NO_WITNESS:
                witnesses[Gap((), "VALUE")] = anywhere
        judged: list[Change] = []
        explained: set[Gap] = set()
        for change in changes:
            related = [gap for gap in witnesses if _touches(change, gap)]
            if change.kind in self._wording.harmless or change.relaxed or not related:
                judged.append(self._proven(change))
                continue
            explained.update(related)
            found = (each for each in related if witnesses[each] is not NO_WITNESS)
            gap = next(found, related[0])
            judged.append(self._refuted(change, gap, witnesses[gap]))
        for gap, witness in witnesses.items():
            if gap not in explained:
                judged.append(self._unexplained(gap, witness))
        return judged

    def _proven(self, change: FieldChange) -> Change:
        proof = self._wording.proofs.get(change.kind)
        if proof is None:
            proof = _RELAXED if change.relaxed else self._wording.otherwise
        return Change(
            kind=change.kind,
            path=change.path,
            verdict=Verdict.COMPATIBLE,
            reason="PROVEN",
            message=change.message,
            proof=proof,
        )

    def _refuted(self, change: FieldChange, gap: Gap, witness: Any) -> Change:
        if witness is NO_WITNESS:
            return Change(
                kind=change.kind,
                path=change.path,
                verdict=Verdict.UNDECIDED,
                reason="NOT_DECIDED",
                message=f"{change.message}; neither a proof nor a counter-example was found",
            )
        return Change(
            kind=change.kind,
            path=change.path,
            verdict=Verdict.INCOMPATIBLE,
            reason=_reason(gap),
            message=f"{change.message}; old {self._wording.thing} such as the witness would be "
            "refused",
            witness=witness,
        )

    def _unexplained(self, gap: Gap, witness: Any) -> Change:
        place = show(gap.path) or self._wording.whole
        thing = self._wording.thing
        if witness is NO_WITNESS:
            return Change(
                kind=f"{thing}_not_decided",
                path="",
                verdict=Verdict.UNDECIDED,
                reason="NOT_DECIDED",
                message=f"neither a proof nor a counter-example was found for {place}",
            )
        return Change(
            kind=f"{thing}_refused",
            path="",
            verdict=Verdict.INCOMPATIBLE,
            reason=_reason(gap),
            message=f"old {thing} such as the witness would be refused at {place}",
            witness=witness,
        )


def _reason(gap: Gap) -> str:
    return "VALUE_MISSING" if gap.reason == "REQUIRED" else "VALUE_REFUSED"


def _merged(gaps: list[Gap]) -> list[Gap]:
    """Drop gaps at the root when deeper ones say the same more precisely."""
    deeper = [gap for gap in gaps if gap.path]
    return deeper or gaps or [Gap((), "VALUE")]


def _touches(change: FieldChange, gap: Gap) -> bool:
    length = min(len(change.names), len(gap.path))
    return change.names[:length] == gap.path[:length]


def show(path: FieldPath) -> str:
    """Return a field path for messages, for example ``legs[].price``; empty for the whole."""
    text = ""
    for step in path:
        text += step if step in (ITEM, MEMBER) else f".{step}" if text else step
    return text
