"""Rows judged without being stored: backtests with their evidence, documents, plans, counts."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.test_cleaning import finish
from tickmesh.api.cleaner.v1 import cleaner_service_pb2 as pb
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.errors import DeadlineExceededError, InvalidArgumentError, NotFoundError
from tickmesh.proposals import DataReport

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

SETTLE_SECONDS = 60.0

SCHEMA = {
    "type": "object",
    "required": ["ts", "symbol", "price", "size"],
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "size": {"type": "integer", "minimum": 1},
    },
}


def changed(**price: object) -> str:
    return json.dumps({**SCHEMA, "properties": {**SCHEMA["properties"], "price": price}})  # type: ignore[dict-item]  # a schema


@pytest.fixture
def subject(services: Services) -> str:
    """1,000 rows of ten minutes: prices 0 to 99, of which ten rows each; price 0 is held back."""
    name = f"ticks.b{uuid.uuid4().hex[:8]}"
    services.registry.register(name, json.dumps(SCHEMA))
    lines = ["ts,symbol,price,size"]
    for row in range(1_000):
        minute, second = divmod(row * 600 // 1_000, 60)
        lines.append(f"2026-11-20T14:{minute:02d}:{second:02d}Z,AAPL,{row % 100},{row + 1}")
    path = services.source_root / f"{name}.csv"
    path.write_text("\n".join(lines) + "\n")
    job = finish(services, services.cleaner.create_job(name, path=path))
    assert (job.balance.stored, job.balance.quarantined) == (990, 10)
    return name


def test_a_backtest_says_what_would_be_refused_and_released_and_changes_nothing(
    services: Services, subject: str
) -> None:
    candidate = changed(type="number", minimum=0, maximum=97)
    report = services.cleaner.backtest_schema(subject, text=candidate)
    assert (report.stored_rows, report.newly_rejected) == (990, 20)
    (refused,) = report.rejected_reasons
    assert (refused.code, refused.instance_path, refused.rows) == ("MAXIMUM", "/price", 20)
    assert len(refused.examples) == 3
    assert json.loads(refused.examples[0])["price"] in {98, 99}
    assert (report.quarantined_rows, report.newly_released) == (10, 10)
    (released,) = report.released_reasons
    assert (released.code, released.rows) == ("EXCLUSIVE_MINIMUM", 10)
    assert json.loads(released.examples[0])["price"] == 0
    assert not report.truncated

    held = services.cleaner.list_quarantine(job_pb2.QuarantineFilter(subject=subject))
    assert len(held) == 10
    assert services.ticks.read(subject).num_rows == 990


def test_tick_rules_of_a_candidate_refuse_stored_rows(services: Services, subject: str) -> None:
    """Those without memory: here prices that are no multiple of a tick of 10."""
    candidate = changed(**{"type": "number", "exclusiveMinimum": 0, "x-tick-size": {"tick": 10}})
    report = services.cleaner.backtest_schema(subject, text=candidate)
    (refused,) = report.rejected_reasons
    assert (report.newly_rejected, refused.code, refused.rows) == (900, "TICK_SIZE", 900)
    assert json.loads(refused.examples[0])["price"] % 10


def test_what_a_backtest_promises_is_what_a_replay_does(services: Services, subject: str) -> None:
    looser = changed(type="number", minimum=0)
    promised = services.cleaner.backtest_schema(subject, text=looser).newly_released
    services.registry.register(subject, looser)
    selected = job_pb2.QuarantineFilter(subject=subject)
    replay = finish(services, services.cleaner.replay_quarantine(selected))
    assert replay.balance.stored == promised == 10


def test_the_report_of_a_backtest_is_kept_as_evidence_with_the_version(
    services: Services, subject: str
) -> None:
    candidate = changed(type="number", exclusiveMinimum=0, maximum=97)
    answer = services.cleaner.backtest_schema(subject, text=candidate)
    report = DataReport.parse(answer.data_report)
    assert (report.rows_checked, report.rows_rejected, report.rows_released) == (990, 20, 0)
    assert report.source.startswith(f"{subject}@")
    with pytest.raises(InvalidArgumentError, match="fingerprint"):
        services.registry.register(
            subject, changed(type="number"), data_report=report, allow_breaking=True
        )
    done = services.registry.register(subject, candidate, data_report=report, allow_breaking=True)
    kept = services.registry.get(subject, version=done.schema.version)
    assert kept.data_report == report


def test_a_backtest_looks_at_a_range_of_times_and_at_the_newest_rows(
    services: Services, subject: str
) -> None:
    first_ns = 1_795_183_200_000_000_000  # 2026-11-20T14:00:00Z
    half_ns = first_ns + 300_000_000_000
    candidate = changed(type="number", minimum=0, maximum=97)
    early = services.cleaner.backtest_schema(
        subject, text=candidate, start_ns=first_ns, end_ns=half_ns
    )
    assert (early.stored_rows, early.newly_rejected, early.newly_released) == (495, 10, 5)
    newest = services.cleaner.backtest_schema(subject, text=candidate, max_rows=99)
    assert (newest.stored_rows, newest.newly_rejected, newest.truncated) == (99, 2, True)
    both = services.cleaner.backtest_schema(subject, text=candidate, end_ns=half_ns, max_rows=99)
    assert (both.stored_rows, both.truncated) == (99, True)


def test_a_backtest_of_a_registered_version_and_of_a_subject_without_rows(
    services: Services, subject: str
) -> None:
    report = services.cleaner.backtest_schema(subject, version=1)
    assert (report.newly_rejected, report.newly_released) == (0, 0)
    empty = f"{subject}.empty"
    services.registry.register(empty, json.dumps(SCHEMA))
    report = services.cleaner.backtest_schema(empty, text=changed(type="string"))
    assert (report.stored_rows, report.quarantined_rows) == (0, 0)


def test_a_backtest_ends_with_its_deadline(services: Services, subject: str) -> None:
    with pytest.raises(DeadlineExceededError):
        services.cleaner.backtest_schema(subject, version=1, timeout_seconds=0.001)


def test_a_candidate_that_is_no_schema_is_refused_at_its_place(
    services: Services, subject: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        services.cleaner.backtest_schema(subject, text=changed(type="nothing"))
    assert refused.value.reason == "INVALID_SCHEMA"
    assert refused.value.metadata["pointer"] == "/properties/price/type"
    assert refused.value.violations[0].field == "candidate.text/properties/price/type"
    with pytest.raises(NotFoundError):
        services.cleaner.backtest_schema("ticks.unknown", text=json.dumps(SCHEMA))


def good(**fields: object) -> str:
    row = {"ts": "2026-11-20T14:30:00Z", "symbol": "AAPL", "price": 1.5, "size": 3}
    return json.dumps({**row, **fields})


def codes(verdict: pb.RowVerdict) -> set[tuple[str, str]]:
    return {(reason.code, reason.instance_path) for reason in verdict.reasons}


def test_documents_are_judged_as_a_job_would_judge_rows(services: Services, subject: str) -> None:
    documents = [
        good(),
        good(price=0, size=0),
        good().replace('"size": 3', '"size": 3, "size": 4'),
        good().replace("1.5", "NaN"),
        good(size=2**63),
        good().replace('"size": 3', '"size": 3.0'),
        good().replace(", ", ",\n  "),
        "",
        "[1, 2",
        '{"symbol": "AAPL"}',
    ]
    answer = services.cleaner.validate_rows(documents, subject=subject)
    assert answer.schema_version == 1
    verdicts = list(answer.verdicts)
    assert [verdict.valid for verdict in verdicts] == [
        *(True, False, False, False, False, True, True, False, False, False)
    ]
    assert codes(verdicts[1]) == {("EXCLUSIVE_MINIMUM", "/price"), ("MINIMUM", "/size")}
    assert {code for code, _ in codes(verdicts[2])} == {"DUPLICATE_KEY"}
    assert all(verdict.reasons for verdict in verdicts if not verdict.valid)
    assert {code for code, _ in codes(verdicts[9])} == {"REQUIRED"}
    assert len(verdicts[9].reasons) == 3


def test_documents_are_judged_under_a_text_without_a_subject(services: Services) -> None:
    text = json.dumps({"type": "object", "properties": {"x": {"type": "integer"}}})
    answer = services.cleaner.validate_rows(['{"x": 1}', '{"x": "1"}'], text=text)
    assert [verdict.valid for verdict in answer.verdicts] == [True, False]
    assert answer.schema_version == 0
    with pytest.raises(InvalidArgumentError, match="1000 documents"):
        services.cleaner.validate_rows(["{}"] * 1_001, text=text)
    with pytest.raises(InvalidArgumentError, match="bytes in all"):
        services.cleaner.validate_rows([" " * (1 << 20) + "{}"], text=text)
    with pytest.raises(InvalidArgumentError, match="subject"):
        services.cleaner.validate_rows(["{}"])


def test_a_schema_is_explained_keyword_by_keyword(services: Services, subject: str) -> None:
    answer = services.cleaner.explain_schema(subject)
    assert (answer.schema_version, answer.sample_rows) == (1, 990)
    by_place = {(found.instance_path, found.keyword): found for found in answer.keywords}
    limit = by_place["/price", "exclusiveMinimum"]
    assert limit.decision == pb.KEYWORD_DECISION_KERNEL
    assert limit.schema_path == "/properties/price/exclusiveMinimum"
    assert limit.description
    assert limit.proof
    assert by_place["/price", "type"].decision == pb.KEYWORD_DECISION_STATIC

    measured = services.cleaner.explain_schema(text=json.dumps(SCHEMA), sample=[good()])
    assert measured.sample_rows == 65_536
    assert any(found.nanoseconds_per_row > 0 for found in measured.keywords)
    unmeasured = services.cleaner.explain_schema(text=json.dumps(SCHEMA))
    assert unmeasured.sample_rows == 0
    with pytest.raises(InvalidArgumentError, match="document 1 makes no row"):
        services.cleaner.explain_schema(text=json.dumps(SCHEMA), sample=["[1"])


def test_the_cleaner_counts_what_it_did(services: Services, subject: str) -> None:
    stats = services.cleaner.statistics()
    assert stats.stored >= 990
    assert stats.quarantined >= 10
    assert stats.quarantine_rows >= 10
    assert stats.quarantine_bytes > 0
    assert stats.rows_per_second > 0
    assert stats.started_at.seconds > 0
    assert stats.schema_cache_hits > 0
    assert not stats.HasField("registry_stale_since")
    deadline = time.monotonic() + SETTLE_SECONDS
    # What was judged is judged again beside the job, which does not wait for it.
    while not stats.rows_checked:
        assert time.monotonic() < deadline
        stats = services.cleaner.statistics()
    assert stats.disagreements == 0
