"""T1: batches are judged against the exact version named; a refusal says what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tickmesh_tickstore.errors import (
    InvalidRequestError,
    RegistryUnavailableError,
    SubjectUnknownError,
    VersionUnknownError,
)
from tickmesh_tickstore.governance import Governance, RefusedRows


def batch_of(table: pa.Table, schemas: MemorySchemas) -> pa.RecordBatch:
    schema = schemas.latest("ticks.trades").arrow_schema
    (batch,) = table.cast(schema).combine_chunks().to_batches()
    return batch


def test_valid_rows_are_let_in(schemas: MemorySchemas) -> None:
    governed = Governance(schemas).schema_for("ticks.trades")
    assert governed.judge(batch_of(trades(100), schemas)) is None


def test_a_refusal_names_column_rule_row_count_and_the_first_row(schemas: MemorySchemas) -> None:
    prices = pa.array([1.0, -1.0, 2.0, -3.0, 2e6])
    batch = batch_of(trades(5).set_column(2, "price", prices), schemas)
    refused = Governance(schemas).schema_for("ticks.trades").judge(batch)
    assert isinstance(refused, RefusedRows)
    refusal = refused.examine()
    assert (refusal.bad_rows, refusal.rows, refusal.first_bad_row) == (3, 5, 1)
    assert {(rule.column, rule.rule, rule.rows) for rule in refusal.rules} == {
        ("price", "EXCLUSIVE_MINIMUM", 2),
        ("price", "MAXIMUM", 1),
    }
    assert "column 'price' breaks EXCLUSIVE_MINIMUM in 2 rows" in str(refusal)
    assert "send the batch again" in str(refusal)


def test_the_judge_is_one_object_for_all_streams_of_a_version(schemas: MemorySchemas) -> None:
    governance = Governance(schemas)
    assert governance.schema_for("ticks.trades").judge is (
        governance.schema_for("ticks.trades", version=1).judge
    )


def test_the_version_named_decides_not_the_newest(schemas: MemorySchemas) -> None:
    schemas.register("ticks.trades", trades_schema(venue={"type": "string"}))
    governance = Governance(schemas)
    assert governance.schema_for("ticks.trades", version=1).version == 1
    assert governance.schema_for("ticks.trades").version == 2
    assert governance.schema_for("ticks.trades", schema_id=1).version == 1


def test_an_unknown_subject_is_told_how_to_become_known(schemas: MemorySchemas) -> None:
    with pytest.raises(
        SubjectUnknownError, match=r"tickmesh schema infer .*tickmesh schema register"
    ):
        Governance(schemas).schema_for("ticks.quotes")


def test_an_unknown_version_is_refused(schemas: MemorySchemas) -> None:
    with pytest.raises(VersionUnknownError, match="no version 7"):
        Governance(schemas).schema_for("ticks.trades", version=7)


def test_an_id_of_another_subject_is_refused(schemas: MemorySchemas) -> None:
    other = schemas.register("ticks.other", trades_schema())
    with pytest.raises(VersionUnknownError, match="belongs to subject"):
        Governance(schemas).schema_for("ticks.trades", schema_id=other.schema_id)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("deprecated", InvalidRequestError),
        ("deleted", VersionUnknownError),
        ("removed", VersionUnknownError),
    ],
)
def test_a_version_out_of_service_takes_no_new_rows(
    schemas: MemorySchemas, state: str, error: type[Exception]
) -> None:
    version = schemas.register("ticks.trades", trades_schema(), state=state).version
    with pytest.raises(error):
        Governance(schemas).schema_for("ticks.trades", version=version)


def test_a_removed_version_is_read_under_for_as_long_as_it_is_held(
    schemas: MemorySchemas,
) -> None:
    governance = Governance(schemas)
    held = governance.columns("ticks.trades", version=1)
    schemas.by_subject["ticks.trades"][0] = replace(schemas.latest("ticks.trades"), state="removed")
    assert governance.columns("ticks.trades", version=1) is held
    with pytest.raises(VersionUnknownError):
        Governance(schemas).columns("ticks.trades", version=1)


@pytest.mark.parametrize("state", ["deprecated", "deleted"])
def test_t9_a_version_out_of_service_is_read_under(schemas: MemorySchemas, state: str) -> None:
    version = schemas.register("ticks.trades", trades_schema(), state=state).version
    assert Governance(schemas).columns("ticks.trades", version=version).stamp.schema_version == 2


def test_a_generation_begins_with_a_breaking_change_and_with_no_other(
    schemas: MemorySchemas,
) -> None:
    """Also where the columns stay as they are, and whichever version is asked first."""
    for more in (
        {"venue": {"type": "string"}},
        {"venue": {"type": "string"}, "size": {"type": "integer", "minimum": 10}},
        {"size": {"type": "integer", "minimum": 0}},
        {"price": {"type": "string"}},
        {"price": {"type": "string"}, "note": {"type": "string"}},
    ):
        schemas.register("ticks.trades", trades_schema(**more))
    governance = Governance(schemas)
    found = {
        version: governance.columns("ticks.trades", version=version).generation
        for version in (6, 1, 4, 2, 5, 3)
    }
    assert found == {1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3}


def test_a_registry_that_is_away_is_worth_a_retry(schemas: MemorySchemas) -> None:
    schemas.away = True
    with pytest.raises(RegistryUnavailableError) as refused:
        Governance(schemas).schema_for("ticks.trades")
    assert refused.value.retry_after_seconds
