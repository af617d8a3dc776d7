"""Failures are waited out in growing steps, and never shorter than the server asks for."""

from __future__ import annotations

import random

import pytest

from tickmesh_cleaner.feeds.backoff import LONGEST_SECONDS, Backoff, retry_after_seconds

NOW_NS = 1_700_000_000_000_000_000


def test_waits_grow_to_a_bound_and_one_success_forgets_them() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.failed() for _ in range(40)]
    assert waits[0] <= 0.2
    assert waits[:8] == sorted(waits[:8])
    assert LONGEST_SECONDS / 2 <= waits[-1] <= LONGEST_SECONDS
    backoff.succeeded()
    assert backoff.failed() <= 0.2


def test_a_server_is_given_the_time_it_asks_for_up_to_an_hour() -> None:
    backoff = Backoff(random.Random(1))
    assert backoff.failed(30.0) == 30.0
    assert backoff.failed(1e9) == 3_600.0
    assert 0.1 <= Backoff(random.Random(1)).failed(0.0) <= 0.2


def test_polls_are_spread() -> None:
    backoff = Backoff(random.Random(1))
    waits = {backoff.spread(10.0) for _ in range(20)}
    assert len(waits) > 1
    assert all(9.0 <= wait <= 11.0 for wait in waits)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now_ns=NOW_NS) == seconds
