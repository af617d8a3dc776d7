"""Policy ``containment``: whole JSON documents, undeclared members included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.containment import Containment
from tickmesh.schema.compatibility.document_proof import DocumentProver
from tickmesh.schema.compatibility.forms import same_schema
from tickmesh.schema.compatibility.judgement import Judge, Wording, too_long
from tickmesh.schema.compatibility.report import Change, Verdict, worst
from tickmesh.schema.compatibility.witness import DocumentSearch
from tickmesh.schema.difference import structural_changes

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument

_WORDING = Wording(
    thing="documents",
    whole="the whole document",
    proofs={"tick_rule_changed": "rules_do_not_decide"},
    otherwise="documents_contained",
    harmless=frozenset(
        {"tick_rule_changed", "default_added", "default_changed", "default_removed"}
        | {"format_added", "format_changed", "format_removed"}
    ),
)


def compare_documents(
    writer: SchemaDocument, reader: SchemaDocument
) -> tuple[Verdict, tuple[Change, ...]]:
    """Decide whether every document valid under ``writer`` is valid under ``reader``.

    ``format`` is an annotation here, as the standard says.
    """
    unjudged = too_long(writer, reader)
    if unjudged is not None:
        if same_schema(writer.root, writer, reader.root, reader):
            return Verdict.COMPATIBLE, ()
        return Verdict.UNDECIDED, (unjudged,)
    structural = structural_changes(writer, reader)
    pair = Containment(writer, reader, annotate_formats=True)
    proof = DocumentProver(pair).prove()
    judge = Judge(_WORDING)
    if proof.proven:
        return Verdict.COMPATIBLE, tuple(judge.proven(structural))
    changes = judge.judged(structural, proof, DocumentSearch(writer, reader))
    return worst([Verdict.UNDECIDED, *(change.verdict for change in changes)]), tuple(changes)
