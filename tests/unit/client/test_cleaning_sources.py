"""The sources a job can be given in Python say all that the contract has a field for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf import text_format

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.cleaning_sources import (
    File,
    Files,
    Followed,
    HttpFeed,
    JobSource,
    Query,
    Upload,
    WebSocketFeed,
    source_message,
)
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN: list[tuple[JobSource, str]] = [
    (File(Path("/data/a.csv")), 'file { path: "/data/a.csv" }'),
    (Upload("u-1"), 'upload { upload_id: "u-1" }'),
    (Files("/data/*.csv"), 'files { pattern: "/data/*.csv" }'),
    (
        Followed("/data/live.log", start_at="end"),
        'followed { path: "/data/live.log" start_at: START_AT_END }',
    ),
    (
        HttpFeed(
            "https://feed/trades",
            poll_interval_seconds=0.25,
            paging="cursor",
            cursor_path="/next",
            cursor_parameter="after",
            records_path="/trades",
            max_answers=3,
        ),
        """http { url: "https://feed/trades" poll_interval { nanos: 250000000 }
        paging: HTTP_PAGING_CURSOR cursor_path: "/next" cursor_parameter: "after"
        records_path: "/trades" max_answers: 3 }""",
    ),
    (
        WebSocketFeed(
            "wss://feed", subscribe=("a", "b"), sequence_path="/seq", stall_timeout_seconds=90
        ),
        """websocket { url: "wss://feed" subscribe: "a" subscribe: "b" sequence_path: "/seq"
        stall_timeout { seconds: 90 } }""",
    ),
    (
        Query(
            "prices",
            "SELECT * FROM trades",
            key_column="id",
            watermark_column="changed",
            overlap=1.5,
            poll_interval_seconds=2,
        ),
        """database { connection: "prices" query: "SELECT * FROM trades" key_column: "id"
        watermark_column: "changed" overlap: 1.5 poll_interval { seconds: 2 } }""",
    ),
]


@pytest.fixture
def cleaner() -> Iterator[CleanerClient]:
    with CleanerClient("localhost:1") as client:
        yield client


@pytest.mark.parametrize(("source", "text"), GIVEN, ids=[type(one).__name__ for one, _ in GIVEN])
def test_a_source_becomes_the_contracts(source: JobSource, text: str) -> None:
    assert source_message(source) == text_format.Parse(text, job_pb2.JobSource())


@pytest.mark.parametrize("source", [one for one, _ in GIVEN], ids=lambda one: type(one).__name__)
def test_a_source_can_say_all_that_the_contract_can(source: JobSource) -> None:
    message = source_message(source)
    of_kind = getattr(message, message.WhichOneof("source") or "")
    assert len(fields(source)) == len(of_kind.DESCRIPTOR.fields)


@pytest.mark.parametrize(
    "source",
    [
        Followed("/data/live.log", start_at="middle"),  # type: ignore[arg-type]  # refused below
        HttpFeed("https://feed", paging="offset"),  # type: ignore[arg-type]  # refused below
    ],
    ids=["start_at", "paging"],
)
def test_an_unknown_word_is_refused_with_those_that_are_known(source: JobSource) -> None:
    with pytest.raises(InvalidArgumentError, match="must be"):
        source_message(source)


def test_a_job_has_exactly_one_source(cleaner: CleanerClient) -> None:
    with pytest.raises(InvalidArgumentError, match="exactly one"):
        cleaner.create_job("ticks.trades")
    with pytest.raises(InvalidArgumentError, match="exactly one"):
        cleaner.create_job("ticks.trades", path="/a.csv", upload_id="u-1")
