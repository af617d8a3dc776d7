"""Policy ``containment``: whole JSON documents, undeclared members included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.prover import Prover
from tickmesh.schema.compatibility.report import Change, Verdict
from tickmesh.schema.compatibility.witness import DocumentSearch
from tickmesh.schema.difference import structural_changes

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument


def compare_documents(
    writer: SchemaDocument, reader: SchemaDocument
) -> tuple[Verdict, tuple[Change, ...]]:
    """Decide whether every document valid under ``writer`` is valid under ``reader``.

    ``format`` is an annotation here, as the standard says.
    """
    structural = structural_changes(writer, reader)
    if Prover(writer, reader, annotate_formats=True).prove_documents().proven:
        return Verdict.COMPATIBLE, tuple(
            Change(
                kind=change.kind,
                path=change.path,
                verdict=Verdict.COMPATIBLE,
                reason="PROVEN",
                message=change.message,
                proof="documents_contained",
            )
            for change in structural
        )
    witness = DocumentSearch(writer, reader).search()
    verdict = Verdict.UNDECIDED if witness is None else Verdict.INCOMPATIBLE
    if witness is None:
        summary = Change(
            kind="documents_not_decided",
            path="",
            verdict=verdict,
            reason="NOT_DECIDED",
            message="neither a proof nor a counter-example was found for whole documents",
        )
    else:
        summary = Change(
            kind="documents_refused",
            path="",
            verdict=verdict,
            reason="VALUE_REFUSED",
            message="documents such as the witness were valid and would be refused",
            witness=witness.document,
        )
    return verdict, (summary,)
