"""A sample of all verdicts is judged again by the row oracle, and never holds up the rows."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tickmesh.schema.validation import Recheck, SelfCheck, Verdicts, compile_schema, masks
from tickmesh.schema.validation.self_check import ROWS_A_SAMPLE, recheck, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = {"properties": {"price": {"exclusiveMinimum": 0}}}


def verdicts_on(prices: list[float]) -> Verdicts:
    batch = pa.record_batch({"price": pa.array(prices, pa.float64())})
    return compile_schema(SCHEMA, batch.schema).check(batch)


def wrong_verdicts() -> Verdicts:
    """Verdicts that call the one bad row good and a good one bad."""
    verdicts = verdicts_on([1.0, -1.0, 2.0, 3.0])
    verdicts.good = masks.packed(~masks.flags_of(verdicts.good))
    return verdicts


@pytest.fixture
def check() -> Iterator[SelfCheck]:
    check = SelfCheck(seed=1)
    yield check
    check.close()


@pytest.mark.parametrize(("rows", "bad"), [(10, 0), (10, 3), (1000, 0), (1000, 999), (5000, 1)])
def test_at_most_one_row_in_256_and_a_refused_one_if_any(rows: int, bad: int) -> None:
    verdicts = verdicts_on([-1.0] * bad + [1.0] * (rows - bad))
    for seed in range(20):
        chosen = sample(verdicts, random.Random(seed))
        assert len(chosen) <= max(rows // ROWS_A_SAMPLE, 1)
        assert len(chosen) == len(set(chosen))
        assert not bad or any(row < bad for row in chosen)
    assert bad or rows >= ROWS_A_SAMPLE or not sample(verdicts, random.Random(0))


def test_good_rows_are_sampled_too() -> None:
    verdicts = verdicts_on([-1.0] * 2000 + [1.0] * 2000)
    chosen = {row for seed in range(20) for row in sample(verdicts, random.Random(seed))}
    assert any(row >= 2000 for row in chosen)


def test_right_verdicts_agree(check: SelfCheck) -> None:
    check.observe(verdicts_on([1.0, -1.0] * 512))
    check.drain()
    assert check.rows_checked == 4
    assert check.disagreements == 0


def test_a_wrong_verdict_is_an_alarm() -> None:
    found: list[Recheck] = []
    check = SelfCheck(on_recheck=found.append, seed=1)
    check.observe(wrong_verdicts())
    check.drain()
    check.close()
    assert check.disagreements == 1
    assert [each.disagreements[0].good for each in found] == [False]


def test_a_row_wrongly_called_good_is_told_with_its_reasons() -> None:
    verdicts = wrong_verdicts()
    verdicts.good = pa.array([False, True, True, True])
    found: list[Any] = []
    for seed in range(50):
        wide = recheck(verdicts, random.Random(seed))
        found += [each for each in wide.disagreements if each.row == 0]
    assert found
    assert found[0].reasons == ()


class _Stuck:
    """Verdicts whose check waits."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __len__(self) -> int:
        return 1

    @property
    def good(self) -> Any:
        self.begun.set()
        self.go_on.wait(60)
        return pa.array([True])


def test_a_check_that_lags_drops_batches_and_counts_them(check: SelfCheck) -> None:
    stuck: Any = _Stuck()
    check.observe(stuck)
    assert stuck.begun.wait(60)
    for _ in range(20):
        check.observe(verdicts_on([-1.0]))
    assert check.batches_dropped == 16
    stuck.go_on.set()
    check.drain()
    assert check.rows_checked == 4


def test_a_check_that_fails_goes_on(check: SelfCheck, caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = object()
    check.observe(broken)
    check.observe(verdicts_on([-1.0]))
    check.drain()
    assert check.rows_checked == 1
    assert check.batches_dropped == 1
    assert "self-check" in caplog.text


def test_nothing_is_taken_after_the_end(check: SelfCheck) -> None:
    check.observe(verdicts_on([-1.0]))
    check.drain()
    check.close()
    check.observe(verdicts_on([-1.0]))
    check.close()
    assert check.rows_checked == 1
