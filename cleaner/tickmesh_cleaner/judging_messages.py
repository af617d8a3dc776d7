"""Backtests, verdicts, plans and counts as messages of the contract, and what they are asked by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import json_format

from tickmesh.api.cleaner.v1 import cleaner_service_pb2 as pb
from tickmesh.api.cleaner.v1 import quarantine_pb2
from tickmesh.api.registry.v1 import schema_pb2
from tickmesh_cleaner.candidates import Candidate
from tickmesh_cleaner.judging_application import BacktestQuestion
from tickmesh_cleaner.messages import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from tickmesh.registered import RegisteredSchema
    from tickmesh.schema.validation import ExplainedKeyword
    from tickmesh_cleaner.backtesting import BacktestReason
    from tickmesh_cleaner.domain.quarantine import RowReason
    from tickmesh_cleaner.explaining import Explained
    from tickmesh_cleaner.judging_application import Answered, CleanerStats

_MAX_REPORTED_REASONS = 64
_MAX_REPORTED_PATH = 1_024
_MAX_REPORTED_SOURCE = 255
_MAX_EXAMPLE_CHARACTERS = 16 << 10


def candidate_of(message: pb.CandidateSchema) -> Candidate:
    """What to judge under."""
    return Candidate(version=message.version, text=message.text)


def question_of(request: pb.BacktestSchemaRequest) -> BacktestQuestion:
    """What a BacktestSchema asks."""
    return BacktestQuestion(
        subject=request.subject,
        candidate=candidate_of(request.candidate),
        start_ns=_instant_ns(request.from_time) if request.HasField("from_time") else None,
        end_ns=_instant_ns(request.to_time) if request.HasField("to_time") else None,
        max_rows=request.max_rows,
        source_spec=request.source_spec,
    )


def backtest_message(answered: Answered) -> pb.BacktestSchemaResponse:
    """A backtest's answer."""
    report = answered.report
    return pb.BacktestSchemaResponse(
        stored_rows=report.stored_rows,
        newly_rejected=report.newly_rejected,
        rejected_reasons=[_reason_message(reason) for reason in report.rejected_reasons],
        quarantined_rows=report.quarantined_rows,
        newly_released=report.newly_released,
        released_reasons=[_reason_message(reason) for reason in report.released_reasons],
        truncated=report.truncated,
        data_report=json_format.MessageToJson(_data_report(answered), indent=None),
    )


def verdicts_message(
    schema: RegisteredSchema, verdicts: Sequence[Sequence[RowReason]]
) -> pb.ValidateRowsResponse:
    """What each document got."""
    return pb.ValidateRowsResponse(
        schema_version=schema.version,
        verdicts=[
            pb.RowVerdict(
                valid=not reasons,
                reasons=[
                    quarantine_pb2.QuarantineReason(
                        code=reason.code,
                        instance_path=reason.instance_path,
                        schema_path=reason.schema_path,
                        message=reason.message,
                    )
                    for reason in reasons
                ],
            )
            for reasons in verdicts
        ],
    )


def explanation_message(schema: RegisteredSchema, explained: Explained) -> pb.ExplainSchemaResponse:
    """A schema's plan."""
    return pb.ExplainSchemaResponse(
        keywords=[_keyword_message(keyword) for keyword in explained.explanation.keywords],
        schema_version=schema.version,
        sample_rows=explained.sample_rows,
    )


def stats_message(stats: CleanerStats) -> pb.GetStatsResponse:
    """What a cleaner did."""
    stale_ns = stats.registry_stale_since_ns
    return pb.GetStatsResponse(
        started_at=timestamp(stats.work.started_at_ns),
        rows_per_second=stats.work.rows_per_second,
        stored=stats.work.stored,
        quarantined=stats.work.quarantined,
        duplicates=stats.work.duplicates,
        jobs_running=stats.jobs_running,
        jobs_unfinished=stats.jobs_unfinished,
        schema_cache_hits=stats.cache_hits,
        schema_cache_misses=stats.cache_misses,
        registry_stale_since=timestamp(stale_ns) if stale_ns else None,
        rows_checked=stats.rows_checked,
        disagreements=stats.disagreements,
        quarantine_rows=stats.quarantine_rows,
        quarantine_bytes=stats.quarantine_bytes,
        spool_bytes=stats.spool_bytes,
    )


def _keyword_message(keyword: ExplainedKeyword) -> pb.ExplainedKeyword:
    return pb.ExplainedKeyword(
        schema_path=keyword.schema_path,
        instance_path=keyword.instance_path,
        keyword=keyword.keyword,
        decision=pb.KeywordDecision.Value(f"KEYWORD_DECISION_{keyword.decision.name}"),
        description=keyword.detail or keyword.method.value,
        proof=keyword.proof,
        nanoseconds_per_row=keyword.nanoseconds_per_row or 0.0,
    )


def _reason_message(reason: BacktestReason) -> pb.BacktestReason:
    return pb.BacktestReason(
        code=reason.code,
        instance_path=reason.instance_path,
        rows=reason.rows,
        examples=[text[:_MAX_EXAMPLE_CHARACTERS] for text in reason.examples],
    )


def _data_report(answered: Answered) -> schema_pb2.DataReport:
    """The report in the registry's words and within its bounds."""
    report = answered.report
    source = f"{answered.schema.subject}@{report.dataset_revision}"
    return schema_pb2.DataReport(
        source=source[-_MAX_REPORTED_SOURCE:],
        made_at=timestamp(answered.made_at_ns),
        rows_checked=report.stored_rows,
        rows_rejected=report.newly_rejected,
        rows_released=report.newly_released,
        reasons=[
            schema_pb2.DataReportReason(
                reason=reason.code, path=reason.instance_path[:_MAX_REPORTED_PATH], rows=reason.rows
            )
            for reason in report.rejected_reasons[:_MAX_REPORTED_REASONS]
        ],
        fingerprint=answered.schema.fingerprint,
    )


def _instant_ns(message: Timestamp) -> int:
    return message.seconds * 1_000_000_000 + message.nanos
