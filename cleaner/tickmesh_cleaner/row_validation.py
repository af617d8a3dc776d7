"""A few JSON documents, judged as a job would judge them: decoded, mapped, checked, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.decoding.source_spec import Format, identity_spec
from tickmesh_cleaner.domain.quarantine import (
    WHOLE_RECORD,
    QuarantinedRow,
    QuarantineEntry,
    QuarantineRecord,
    QuarantineState,
    RowReason,
)
from tickmesh_cleaner.sources.quarantined import RecordFormat, decode_again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.judging import BatchJudge

_EMPTY = RowReason("MALFORMED", "", "", "expected a JSON object, the document is empty")
_LINE_ENDS = str.maketrans("\r\n", "  ")


def verdicts_on(
    documents: Sequence[str], schema: RegisteredSchema, judge: BatchJudge
) -> list[tuple[RowReason, ...]]:
    """For each document all the reasons against it; none for a good row.

    They take the way of quarantined records that are judged again, so that nothing is judged here
    that a job would judge otherwise. A document of several lines is read as one: in valid JSON
    nothing but white space can hold a line's end.

    Args:
        documents: JSON texts; each is to make one row.
        schema: What to judge under.
        judge: The judge; used by this call alone.
    """
    reasons: list[tuple[RowReason, ...]] = [(_EMPTY,)] * len(documents)
    rows = [
        _row(place, text.translate(_LINE_ENDS))
        for place, text in enumerate(documents)
        if text.strip()
    ]
    if not rows:
        return reasons
    how = RecordFormat(identity_spec(Format.JSONL), "")
    for batch in decode_again([row.entry.id for row in rows], rows, how):
        judged = judge.judge(batch, schema)
        for place in judged.released:
            reasons[place] = ()
        for held in judged.held_again:
            reasons[held.row_id] = held.reasons
    return reasons


def _row(place: int, text: str) -> QuarantinedRow:
    record = QuarantineRecord(
        source="",
        offset=0,
        line=0,
        row_in_record=WHOLE_RECORD,
        raw=text.encode("utf-8", errors="surrogatepass"),
        document="",
        reasons=(),
        schema_id=0,
        schema_version=0,
        rule_set_fingerprint="",
        engine="",
        first_seen_ns=0,
    )
    entry = QuarantineEntry(
        id=place,
        job_id="",
        subject="",
        state=QuarantineState.QUARANTINED,
        replay_job_id="",
        file_job_id="",
        file_n=0,
        file_row=0,
    )
    return QuarantinedRow(entry, record)
