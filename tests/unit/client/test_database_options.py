"""Options of `tickmesh clean` that name a query or a sink fit together, or say what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tickmesh._cli.clean import clean
from tickmesh._cli.database_options import query_source, sink_of_options
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sinks import DatabaseSink, ParquetSink, TickStoreSink, sink_message
from tickmesh.cleaning_sources import Query

NOTHING: dict[str, Any] = {
    "query": None,
    "connection": None,
    "key": None,
    "watermark": None,
    "overlap": None,
    "to_parquet": None,
    "partition_by": (),
    "to_database": None,
    "table": None,
    "poll_interval_seconds": None,
}


def test_a_query_takes_the_place_of_a_file() -> None:
    given = NOTHING | {"query": "SELECT 1", "connection": "sea", "key": "id", "overlap": 2.0}
    assert query_source(None, given) == Query("sea", "SELECT 1", key_column="id", overlap=2.0)
    assert query_source(Path("a.csv"), dict(NOTHING)) is None


def test_a_sink_is_named_or_is_the_tick_store() -> None:
    assert sink_of_options(dict(NOTHING)) == TickStoreSink()
    lake = NOTHING | {"to_parquet": "trades", "partition_by": ("ts",)}
    assert sink_of_options(lake) == ParquetSink("trades", partition_by=("ts",))
    table = NOTHING | {"to_database": "sea", "table": "trades"}
    assert sink_of_options(table) == DatabaseSink("sea", "trades")


@pytest.mark.parametrize(
    ("file", "given", "message"),
    [
        (None, {}, "SOURCE or --query"),
        (Path("a"), {"query": "SELECT 1", "connection": "sea"}, "SOURCE or --query"),
        (None, {"query": "SELECT 1"}, "--query needs --connection"),
        (Path("a"), {"key": "id"}, "need --query"),
        (Path("a"), {"partition_by": ("ts",)}, "--partition-by needs --to-parquet"),
        (Path("a"), {"to_database": "sea"}, "--to-database and --table"),
        (Path("a"), {"to_parquet": "x", "to_database": "sea", "table": "t"}, "either"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    file: Path | None, given: dict[str, Any], message: str
) -> None:
    settings = NOTHING | given

    def read() -> None:
        query_source(file, settings)
        sink_of_options(settings)

    with pytest.raises(click.UsageError, match=message):
        read()


def test_the_command_says_what_is_missing() -> None:
    outcome = CliRunner().invoke(clean, ["--subject", "s"], standalone_mode=True)
    assert outcome.exit_code == 2
    assert "SOURCE or --query" in outcome.output


def test_sinks_say_all_that_the_contract_has_a_field_for() -> None:
    made = sink_message(ParquetSink(Path("/lake/x"), partition_by=["ts", "symbol"]))
    assert made.parquet == job_pb2.ParquetSink(directory="/lake/x", partition_by=["ts", "symbol"])
    table = sink_message(DatabaseSink("sea", "t")).database
    assert table == job_pb2.DatabaseSink(connection="sea", table="t")
    assert sink_message(TickStoreSink()).WhichOneof("sink") == "tick_store"
