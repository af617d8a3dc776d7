"""Policy ``record``: what the mesh really does with rows, decided for one direction of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.columns import ColumnAction, ColumnPlan, plan_columns
from tickmesh.schema.compatibility.prover import FieldPath, Gap, Proof, Prover
from tickmesh.schema.compatibility.report import Change, Verdict, worst
from tickmesh.schema.compatibility.witness import WitnessSearch
from tickmesh.schema.difference import ITEM, MEMBER, FieldChange, structural_changes
from tickmesh.schema.rows import check_rows

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_HARMLESS = frozenset({"tick_rule_changed"})
_PROOFS = {
    "field_added": "old_rows_lack_it",
    "required_field_added": "default_fills_it",
    "field_removed": "reader_drops_it",
    "field_made_required": "always_present_or_filled",
    "default_added": "default_is_valid",
    "default_changed": "default_is_valid",
    "default_removed": "cell_never_needed",
    "tick_rule_changed": "rules_do_not_decide",
}
_MOST_GAPS = 50
_FROM_CONTAINMENT = "values_contained"
_FROM_RELAXATION = "constraint_relaxed"


def compare_rows(
    writer: SchemaDocument, reader: SchemaDocument
) -> tuple[Verdict, tuple[Change, ...]]:
    """Decide whether every row of ``writer``, resolved, is valid under ``reader``.

    Raises:
        SchemaError: One of the two cannot hold rows.
    """
    check_rows(writer)
    check_rows(reader)
    structural = structural_changes(writer, reader)
    proof = Prover(writer, reader, annotate_formats=False).prove_rows()
    columns = _column_changes(writer, reader)
    if proof.proven:
        changes = [_proven(change) for change in structural]
        return worst([change.verdict for change in columns]), (*changes, *columns)
    changes = _judged(writer, reader, structural, proof)
    verdict = worst([Verdict.UNDECIDED, *(change.verdict for change in (*changes, *columns))])
    return verdict, (*changes, *columns)


def _proven(change: FieldChange) -> Change:
    proof = _PROOFS.get(change.kind)
    if proof is None:
        proof = _FROM_RELAXATION if change.relaxed else _FROM_CONTAINMENT
    return Change(
        kind=change.kind,
        path=change.path,
        verdict=Verdict.COMPATIBLE,
        reason="PROVEN",
        message=change.message,
        proof=proof,
    )


def _judged(
    writer: SchemaDocument,
    reader: SchemaDocument,
    structural: tuple[FieldChange, ...],
    proof: Proof,
) -> list[Change]:
    search = WitnessSearch(writer, reader)
    gaps = _merged(proof.gaps)
    witnesses = {gap: search.at(gap) for gap in gaps[:_MOST_GAPS]}
    if not any(witness is not None for witness in witnesses.values()):
        anywhere = WitnessSearch(writer, reader).anywhere()
        if anywhere is not None:
            witnesses[Gap((), "VALUE")] = anywhere
    judged: list[Change] = []
    explained: set[Gap] = set()
    for change in structural:
        related = [gap for gap in witnesses if _touches(change, gap)]
        if change.kind in _HARMLESS or change.relaxed or not related:
            judged.append(_proven(change))
            continue
        explained.update(related)
        found = next((witnesses[gap] for gap in related if witnesses[gap] is not None), None)
        judged.append(_refuted(change, related[0], found))
    for gap, witness in witnesses.items():
        if gap not in explained:
            judged.append(_unexplained(gap, witness))
    return judged


def _merged(gaps: list[Gap]) -> list[Gap]:
    """Drop gaps at the root when deeper ones say the same more precisely."""
    deeper = [gap for gap in gaps if gap.path]
    return deeper or gaps or [Gap((), "VALUE")]


def _touches(change: FieldChange, gap: Gap) -> bool:
    length = min(len(change.names), len(gap.path))
    return change.names[:length] == gap.path[:length]


def _refuted(change: FieldChange, gap: Gap, witness: Any) -> Change:
    if witness is None:
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
        reason="VALUE_MISSING" if gap.reason == "REQUIRED" else "VALUE_REFUSED",
        message=f"{change.message}; old rows such as the witness would be refused",
        witness=witness,
    )


def _unexplained(gap: Gap, witness: Any) -> Change:
    place = show(gap.path)
    if witness is None:
        return Change(
            kind="rows_not_decided",
            path="",
            verdict=Verdict.UNDECIDED,
            reason="NOT_DECIDED",
            message=f"neither a proof nor a counter-example was found for {place}",
        )
    return Change(
        kind="rows_refused",
        path="",
        verdict=Verdict.INCOMPATIBLE,
        reason="VALUE_MISSING" if gap.reason == "REQUIRED" else "VALUE_REFUSED",
        message=f"old rows such as the witness would be refused at {place}",
        witness=witness,
    )


def show(path: FieldPath) -> str:
    """Return a field path for messages, for example ``legs[].price``."""
    text = ""
    for step in path:
        text += step if step in (ITEM, MEMBER) else f".{step}" if text else step
    return text or "the row"


def _column_changes(writer: SchemaDocument, reader: SchemaDocument) -> list[Change]:
    judged = []
    for plan in plan_columns(writer, reader):
        if plan.action is ColumnAction.IMPOSSIBLE:
            judged.append(_impossible(writer, reader, plan))
        elif plan.action is ColumnAction.CAST_EXACT_IF:
            judged.append(
                Change(
                    kind="column_cast_conditional",
                    path=plan.path,
                    verdict=Verdict.COMPATIBLE,
                    reason="CAST_EXACT_IF",
                    message=f"the column {plan.path} is cast from {plan.old_type} to "
                    f"{plan.new_type}, exact {plan.note}",
                    proof="checked_when_read",
                )
            )
    return judged


def _impossible(writer: SchemaDocument, reader: SchemaDocument, plan: ColumnPlan) -> Change:
    witness = WitnessSearch(writer, reader).row_with(plan.names)
    return Change(
        kind="column_cast_impossible",
        path=plan.path,
        verdict=Verdict.UNDECIDED if witness is None else Verdict.INCOMPATIBLE,
        reason="CAST_IMPOSSIBLE",
        message=f"the column {plan.path} cannot be read as {plan.new_type}: {plan.note}",
        witness=witness,
    )
