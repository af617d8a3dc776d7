"""Policy ``record``: what the mesh really does with rows, decided for one direction of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.columns import ColumnAction, ColumnPlan, plan_columns
from tickmesh.schema.compatibility.containment import Containment
from tickmesh.schema.compatibility.forms import same_schema
from tickmesh.schema.compatibility.judgement import Judge, Wording, too_long
from tickmesh.schema.compatibility.report import Change, Verdict, worst
from tickmesh.schema.compatibility.row_proof import RowProver
from tickmesh.schema.compatibility.witness import RowSearch
from tickmesh.schema.difference import structural_changes
from tickmesh.schema.rows import check_rows

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_WORDING = Wording(
    thing="rows",
    whole="the row",
    proofs={
        "field_added": "old_rows_lack_it",
        "required_field_added": "default_fills_it",
        "field_removed": "reader_drops_it",
        "field_made_required": "always_present_or_filled",
        "default_added": "default_is_valid",
        "default_changed": "default_is_valid",
        "default_removed": "cell_never_needed",
        "tick_rule_changed": "rules_do_not_decide",
    },
    otherwise="values_contained",
    harmless=frozenset({"tick_rule_changed"}),
)


def compare_rows(
    writer: SchemaDocument, reader: SchemaDocument
) -> tuple[Verdict, tuple[Change, ...]]:
    """Decide whether every row of ``writer``, resolved, is valid under ``reader``.

    Raises:
        SchemaError: One of the two cannot hold rows.
    """
    check_rows(writer)
    check_rows(reader)
    unjudged = too_long(writer, reader)
    if unjudged is not None:
        # Defaults would be filled in even where nothing changed.
        stated = any("default" in schema for _, schema in reader.index.subschemas())
        unfilled = not stated and not reader.references
        if unfilled and same_schema(writer.root, writer, reader.root, reader):
            return Verdict.COMPATIBLE, ()
        return Verdict.UNDECIDED, (unjudged,)
    structural = structural_changes(writer, reader)
    pair = Containment(writer, reader, annotate_formats=False)
    proof = RowProver(pair).prove()
    columns = _column_changes(writer, reader)
    judge = Judge(_WORDING)
    if proof.proven:
        changes = judge.proven(structural)
        return worst([change.verdict for change in columns]), (*changes, *columns)
    changes = judge.judged(structural, proof, RowSearch(writer, reader))
    verdict = worst([Verdict.UNDECIDED, *(change.verdict for change in (*changes, *columns))])
    return verdict, (*changes, *columns)


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
    witness = RowSearch(writer, reader).row_with(plan.names)
    return Change(
        kind="column_cast_impossible",
        path=plan.path,
        verdict=Verdict.UNDECIDED if witness is None else Verdict.INCOMPATIBLE,
        reason="CAST_IMPOSSIBLE",
        message=f"the column {plan.path} cannot be read as {plan.new_type}: {plan.note}",
        witness=witness,
    )
