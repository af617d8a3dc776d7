"""Every record becomes good rows or quarantine records with all their reasons; nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.cleaner.parts import StoppedClock, schema_version
from tickmesh.decoding.source_spec import SourceSpec, identity_spec
from tickmesh.schema.validation import SelfCheck
from tickmesh_cleaner.documents import document_text
from tickmesh_cleaner.domain.errors import InvalidSourceSpecError
from tickmesh_cleaner.domain.quarantine import WHOLE_RECORD
from tickmesh_cleaner.judged import merge
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.sources.file import FileRecords

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.judged import JudgedBatch

SCHEMA = {
    "type": "object",
    "required": ["ts", "price"],
    "properties": {
        "ts": {"type": "integer", "minimum": 0, "arrow": "timestamp[ns, UTC]"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "venue": {"enum": ["N", "P"]},
    },
}


def a_schema(schema: object = SCHEMA, version: int = 1) -> RegisteredSchema:
    return schema_version(json.dumps(schema), version)


def a_judge(versions_used: tuple[int, ...] = (), self_check: SelfCheck | None = None) -> BatchJudge:
    return BatchJudge(
        source_name="trades.csv",
        rule_set_fingerprint="rules",
        engine="engine 1",
        clock=StoppedClock(),
        versions_used=versions_used,
        self_check=self_check,
    )


def judged(
    path: Path, content: bytes, spec: SourceSpec, *, schema: RegisteredSchema | None = None
) -> JudgedBatch:
    path.write_bytes(content)
    schema = schema or a_schema()
    records = FileRecords(path, spec=spec, name="trades.csv", file_name=path.name)
    judge = a_judge()
    parts = [judge.judge(batch, schema) for batch in records.read(start=None, end=None)]
    return merge(parts, schema)


def test_bad_rows_carry_every_reason_and_the_raw_values_of_unreadable_cells(
    tmp_path: Path,
) -> None:
    content = b"ts,price,venue\n1,2.5,N\n-3,abc,X\n4,0,P\n5,1.25,\n"
    found = judged(tmp_path / "a.csv", content, identity_spec("csv"))

    assert found.good["price"].to_pylist() == [2.5, 1.25]
    first, second = found.records
    assert {(reason.code, reason.instance_path) for reason in first.reasons} == {
        ("MINIMUM", "/ts"),
        ("TYPE", "/price"),
        ("ENUM", "/venue"),
    }
    assert json.loads(first.document) == {"ts": -3, "price": "abc", "venue": "X"}
    assert (first.raw, first.line, first.offset) == (b"-3,abc,X", 3, content.index(b"-3"))
    assert [reason.code for reason in second.reasons] == ["EXCLUSIVE_MINIMUM"]
    assert (second.schema_id, second.schema_version) == (101, 1)
    assert (second.engine, second.rule_set_fingerprint) == ("engine 1", "rules")


def test_records_that_make_no_row_stand_in_the_same_store_and_in_the_balance(
    tmp_path: Path,
) -> None:
    content = b'{"ts": 1, "price": 2}\n{"ts": 1, "ts": 2}\n{broken\n\xff\xfe\n[1]\n'
    found = judged(tmp_path / "a.jsonl", content, identity_spec("jsonl"))

    assert found.balance.records == 5
    assert (found.balance.rows_in, found.balance.stored) == (5, 1)
    assert found.balance.holds
    assert {record.row_in_record for record in found.records} == {WHOLE_RECORD}
    assert [record.raw for record in found.records] == [
        b'{"ts": 1, "ts": 2}',
        b"{broken",
        b"\xff\xfe",
        b"[1]",
    ]
    assert all(record.schema_id == 0 and record.document == "" for record in found.records)


def test_skipped_kinds_are_no_rows_in_and_unmapped_kinds_are_quarantined(tmp_path: Path) -> None:
    spec = SourceSpec.from_toml(
        """
        format = "jsonl"
        [[records]]
        name = "trade"
        when = { path = "kind", equals = "trade" }
        [records.fields]
        ts = { from = "t" }
        price = { from = "p" }
        [[skip]]
        name = "heartbeat"
        when = { path = "kind", equals = "beat" }
        """
    )
    content = b'{"kind":"trade","t":1,"p":2}\n{"kind":"beat"}\n{"kind":"news"}\n'
    found = judged(tmp_path / "a.jsonl", content, spec)

    assert found.balance.skipped == {"heartbeat": 1}
    assert (found.balance.records, found.balance.rows_in) == (3, 2)
    assert [record.reasons[0].code for record in found.records] == ["UNMAPPED_KIND"]
    assert found.balance.holds


def test_a_spec_must_fit_the_version_a_job_begins_with_but_a_later_one_may_drop_fields(
    tmp_path: Path,
) -> None:
    spec = SourceSpec.from_toml(
        """
        format = "csv"
        [[records]]
        name = "trade"
        [records.fields]
        ts = { from = "ts" }
        price = { from = "price" }
        venue = { from = "venue" }
        """
    )
    path = tmp_path / "a.csv"
    path.write_bytes(b"ts,price,venue\n1,2.5,N\n")
    records = FileRecords(path, spec=spec, name="a.csv", file_name="a.csv")
    (batch,) = records.read(start=None, end=None)
    narrow = {"type": "object", "properties": {"ts": {"type": "integer"}}}
    fewer = a_schema(narrow, 2)

    with pytest.raises(InvalidSourceSpecError):
        a_judge().judge(batch, fewer)
    judge = a_judge()
    assert judge.judge(batch, a_schema()).balance.stored == 1
    assert judge.judge(batch, fewer).good.schema.names == ["ts"]
    assert a_judge(versions_used=(1,)).judge(batch, fewer).balance.stored == 1


def test_documents_keep_every_digit_and_name_what_json_cannot() -> None:
    from decimal import Decimal

    text = document_text({"a": Decimal("0.10"), "b": float("nan"), "c": [float("-inf"), "ü"]})
    assert text == '{"a": 0.10, "b": "NaN", "c": ["-Infinity", "ü"]}'


def test_the_row_oracle_judges_a_sample_again(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    check = SelfCheck(on_recheck=CleanerMetrics(registry).rechecked)
    path = tmp_path / "trades.csv"
    path.write_text("ts,price\n1,2\n2,-1\n")
    records = FileRecords(path, spec=identity_spec("csv"), name=path.name, file_name=path.name)
    for batch in records.read(start=None, end=None):
        a_judge(self_check=check).judge(batch, a_schema())
    check.drain()
    check.close()
    assert registry.get_sample_value("tickmesh_cleaner_rows_rechecked_total") == 1
    assert registry.get_sample_value("tickmesh_cleaner_oracle_disagreements_total") == 0
