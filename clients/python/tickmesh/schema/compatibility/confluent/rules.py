"""The verdict of Confluent's rules on one direction of a pair of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.confluent.forms import Forms, RulesUndecidedError
from tickmesh.schema.compatibility.confluent.policies import LENIENT, STRICT
from tickmesh.schema.compatibility.confluent.walk import Walk
from tickmesh.schema.compatibility.report import NO_WITNESS, Change, Policy, Verdict
from tickmesh.schema.compatibility.witness import DocumentSearch

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.confluent.outcome import Difference
    from tickmesh.schema.document import SchemaDocument

_ALLOWED = {Policy.CONFLUENT_STRICT: STRICT, Policy.CONFLUENT_LENIENT: LENIENT}
_STEPS_FOR_A_WITNESS = 3_000


def compare_by_rules(
    writer: SchemaDocument, reader: SchemaDocument, *, policy: Policy
) -> tuple[Verdict, tuple[Change, ...]]:
    """Decide by published rules whether ``reader`` may follow ``writer``; drafts may differ.

    What the rules let through is compatible whatever documents do: no proof stands behind it but
    the rules. A refusal carries a document as witness where one is found at little cost.

    Args:
        writer: The schema that documents were written under.
        reader: The schema that reads them.
        policy: `Policy.CONFLUENT_STRICT` or `Policy.CONFLUENT_LENIENT`.
    """
    allowed = _ALLOWED[policy]
    try:
        outcome = Walk(allowed).decide(Forms.of(writer).root, Forms.of(reader).root)
    except RulesUndecidedError as reason:
        return Verdict.UNDECIDED, (
            Change(
                kind="rules_not_decided",
                path="",
                verdict=Verdict.UNDECIDED,
                reason="NOT_DECIDED",
                message=f"the {policy} rules do not decide this pair: {reason}",
            ),
        )
    changes = {
        (change.kind, change.path, change.message): change
        for difference in outcome.differences()
        for change in [_change(difference, policy, allowed=difference.kind in allowed)]
    }
    if outcome.compatible:
        return Verdict.COMPATIBLE, tuple(changes.values())
    return Verdict.INCOMPATIBLE, (*changes.values(), *_witnessed(writer, reader))


def _change(difference: Difference, policy: Policy, *, allowed: bool) -> Change:
    path, remark = difference.form.place(*difference.steps)
    return Change(
        kind=str(difference.kind),
        path=path,
        verdict=Verdict.COMPATIBLE if allowed else Verdict.INCOMPATIBLE,
        reason=difference.kind.name,
        message=difference.message + remark,
        proof=f"{policy} rules" if allowed else None,
    )


def _witnessed(writer: SchemaDocument, reader: SchemaDocument) -> tuple[Change, ...]:
    """Return a change that carries a document refused by the reader, none when none is found."""
    witness = DocumentSearch(writer, reader, steps=_STEPS_FOR_A_WITNESS).anywhere()
    if witness is NO_WITNESS:
        return ()
    return (
        Change(
            kind="documents_refused",
            path="",
            verdict=Verdict.INCOMPATIBLE,
            reason="VALUE_REFUSED",
            message="documents such as the witness were valid and would be refused",
            witness=witness,
        ),
    )
