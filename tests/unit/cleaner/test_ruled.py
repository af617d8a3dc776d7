"""Tick rules within a job: quarantine, balance, repairs, flags, crashes and replays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cleaner.parts import MemorySink, schema_version
from tests.unit.cleaner.test_replaying import Cleaner
from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.errors import InvalidRuleError
from tickmesh_cleaner.domain.identity import BATCH_RECORDS
from tickmesh_cleaner.domain.quarantine import QuarantineFilter, QuarantineState
from tickmesh_cleaner.domain.repair import Repair
from tickmesh_cleaner.judging import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tickmesh_cleaner.domain.job import Job

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["ts", "price"],
    "properties": {
        "ts": {"type": "integer", "x-tick-role": "sequence"},
        "price": {
            "type": "number",
            "exclusiveMinimum": 0,
            "x-tick-size": {"tick": 0.5, "severity": "repair"},
        },
        "flags": {"type": "integer", "x-tick-flags": True},
        "bid": {"type": "number"},
        "ask": {"type": "number"},
    },
    "x-tick-order": {"by": "ts"},
    "x-tick-duplicates": {"within_rows": 100},
    "x-tick-crossed": {"severity": "flag"},
}
HEAD = b"ts,price,bid,ask\n"


class Crash(BaseException):
    """The process dies here."""


class DyingSink(MemorySink):
    """Dies instead of taking a batch."""

    def __init__(self, *arguments: Any, at: int) -> None:
        super().__init__(*arguments)
        self._at = at

    def write(self, n: int, *arguments: Any, **named: Any) -> Any:
        if n == self._at:
            raise Crash
        return super().write(n, *arguments, **named)


@pytest.fixture
def cleaner(tmp_path: Path) -> Iterator[Cleaner]:
    one = Cleaner(tmp_path)
    one.schemas.registered[:] = [schema_version(json.dumps(SCHEMA), 1)]
    yield one
    one.store.close()


def reasons_of(cleaner: Cleaner, job: Job) -> dict[int, tuple[str, str, str]]:
    entries = cleaner.store.quarantine.page(
        QuarantineFilter(job_id=job.id), after_id=0, limit=1_000
    )
    return {
        row.record.line: (reason.code, reason.instance_path, reason.schema_path)
        for row in cleaner.files.read(entries)
        for reason in row.record.reasons
    }


def test_rules_refuse_leave_out_repair_and_flag_and_the_balance_holds(cleaner: Cleaner) -> None:
    content = HEAD + b"10,1.5,1,2\n12,1.6,1,2\n12,1.6,1,2\n11,2.5,1,2\n13,2.5,3,2\n14,-1,3,2\n"
    job = cleaner.clean(content)
    assert job.balance == Balance(
        records=6,
        rows_in=6,
        stored=3,
        quarantined=2,
        duplicates=1,
        coercions=job.balance.coercions,
        flagged={"TICK_CROSSED": 1},
        repaired={"TICK_SIZE": 1},
    )
    assert job.balance.holds
    assert Balance.from_json(job.balance.to_json()) == job.balance
    assert [(row["price"], row["flags"]) for row in cleaner.tick_store.rows] == [
        (1.5, 0),
        (1.5, 0),
        (2.5, 4),
    ]
    assert reasons_of(cleaner, job) == {
        5: ("TICK_ORDER", "", "/x-tick-order"),
        7: ("EXCLUSIVE_MINIMUM", "/price", "/properties/price/exclusiveMinimum"),
    }


def test_a_row_held_back_by_a_rule_keeps_its_bytes_its_values_and_the_fingerprint(
    cleaner: Cleaner,
) -> None:
    job = cleaner.clean(HEAD + b"10,1.5,1,2\n9,1.6,1,2\n")
    (entry,) = cleaner.store.quarantine.page(QuarantineFilter(job_id=job.id), after_id=0, limit=9)
    (row,) = cleaner.files.read([entry])
    assert row.record.raw == b"9,1.6,1,2"
    assert json.loads(row.record.document) == {"ts": 9, "price": 1.6, "bid": 1.0, "ask": 2.0}
    assert row.record.reasons[0].message == "9 comes after 10 of its symbol"
    (cleaner.home / "bare").mkdir()
    bare = Cleaner(cleaner.home / "bare")
    job = bare.clean(b"ts,price\n1,-1\n")
    (entry,) = bare.store.quarantine.page(QuarantineFilter(job_id=job.id), after_id=0, limit=9)
    (other,) = bare.files.read([entry])
    bare.store.close()
    assert row.record.rule_set_fingerprint != other.record.rule_set_fingerprint


def test_what_was_mended_is_on_record_with_both_values_and_its_place(cleaner: Cleaner) -> None:
    job = cleaner.clean(HEAD + b"10,1.5,1,2\n12,1.6,1,2\n")
    assert cleaner.files.repairs.read(job_id=job.id, n=1) == [
        Repair(
            offset=len(HEAD) + len(b"10,1.5,1,2\n"),
            line=3,
            row_in_record=0,
            field="price",
            before="1.6",
            after="1.5",
            code="TICK_SIZE",
            schema_path="/properties/price/x-tick-size",
        )
    ]
    assert cleaner.files.repairs.read(job_id=job.id, n=2) == []


def many_rows() -> bytes:
    """Two batches and a bit; each batch holds a row that only the batch before shows to be late."""
    lines = [f"{row + 10},1.5,1,2\n" for row in range(BATCH_RECORDS * 2 + 10)]
    lines[BATCH_RECORDS] = f"{BATCH_RECORDS},1.5,1,9\n"
    lines[2 * BATCH_RECORDS] = f"{2 * BATCH_RECORDS - 20},1.5,1,9\n"
    # And one that was sent in the batch before.
    lines[2 * BATCH_RECORDS + 1] = lines[2 * BATCH_RECORDS - 1]
    return HEAD + "".join(lines).encode()


def test_what_rules_remember_lasts_from_batch_to_batch(cleaner: Cleaner) -> None:
    job = cleaner.clean(many_rows())
    assert [code for code, *_ in reasons_of(cleaner, job).values()] == ["TICK_ORDER"] * 2
    assert list(reasons_of(cleaner, job)) == [BATCH_RECORDS + 2, 2 * BATCH_RECORDS + 2]
    assert job.balance.duplicates == 1
    assert job.balance.holds


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_after_a_crash_an_open_batch_is_judged_with_what_was_remembered_before_it(
    tmp_path: Path, dies_at: int
) -> None:
    homes = [tmp_path / name for name in ("undisturbed", "crashed")]
    cleaners = []
    for home in homes:
        home.mkdir()
        one = Cleaner(home)
        one.schemas.registered[:] = [schema_version(json.dumps(SCHEMA), 1)]
        cleaners.append(one)
    undisturbed, crashed = cleaners
    expected = undisturbed.clean(many_rows())

    sink_of = crashed.workshop.sink_of
    object.__setattr__(
        crashed.workshop, "sink_of", lambda _job: DyingSink(crashed.tick_store, at=dies_at)
    )
    with pytest.raises(Crash):
        crashed.clean(many_rows())
    object.__setattr__(crashed.workshop, "sink_of", sink_of)
    assert len(crashed.store.ledger.state(crashed.store.jobs.get("clean").producer_id).open) == 1
    job = crashed.run(crashed.store.jobs.get("clean"))

    assert job.balance == expected.balance
    assert crashed.tick_store.rows == undisturbed.tick_store.rows
    assert reasons_of(crashed, job) == reasons_of(undisturbed, expected)
    for one in cleaners:
        one.store.close()


def test_a_replay_releases_what_a_rule_without_memory_accepts_now(cleaner: Cleaner) -> None:
    strict = {**SCHEMA, "x-tick-crossed": True}
    cleaner.schemas.registered[:] = [schema_version(json.dumps(strict), 1)]
    cleaner.clean(HEAD + b"10,1.6,3,2\n")
    assert cleaner.held() == {b"10,1.6,3,2": ["TICK_CROSSED"]}
    cleaner.schemas.registered.append(schema_version(json.dumps(SCHEMA), 2))
    job = cleaner.replay("again")
    assert job.balance.stored == 1
    assert (job.balance.flagged, job.balance.repaired) == ({"TICK_CROSSED": 1}, {"TICK_SIZE": 1})
    (repair,) = cleaner.files.repairs.read(job_id="again", n=1)
    assert (repair.offset, repair.line) == (len(HEAD), 2)
    assert cleaner.held() == {}


def test_a_replay_keeps_what_a_rule_with_memory_refused_until_the_schema_drops_the_rule(
    cleaner: Cleaner,
) -> None:
    cleaner.clean(HEAD + b"10,1.5,1,2\n9,1.5,1,2\n")
    assert cleaner.replay("still late").balance.quarantined == 1
    assert cleaner.held() == {b"9,1.5,1,2": ["TICK_ORDER"]}

    without = {name: value for name, value in SCHEMA.items() if name != "x-tick-order"}
    cleaner.schemas.registered.append(schema_version(json.dumps(without), 2))
    assert cleaner.replay("late is fine").balance.stored == 1
    assert cleaner.held() == {}
    assert list(cleaner.held(QuarantineState.RELEASED)) == [b"9,1.5,1,2"]


def test_a_wrong_rule_is_an_error_with_its_place() -> None:
    with pytest.raises(InvalidRuleError, match="there is no rule x-tick-oder") as refused:
        rules_of(schema_version('{"properties": {"a": {}}, "x-tick-oder": true}', 1))
    assert refused.value.metadata == {"pointer": "/x-tick-oder"}
