"""What trickles in is judged in batches of its own time; what is cut by content stays as cut."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.unit.cleaner.parts import NumberSource
from tickmesh_cleaner.control import HaltedError, JobControl
from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.domain.job import JobRequest
from tickmesh_cleaner.sources import coalescing
from tickmesh_cleaner.sources.coalescing import batches_of, merged
from tickmesh_cleaner.sources.source import Quiet

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tickmesh_cleaner.sources.source import SourceBatch

LONG_SECONDS = 60.0
PATIENCE_SECONDS = 30.0


class TrickleSource(NumberSource):
    """Gives its numbers one by one, then waits until it is told to end."""

    def __init__(self, count: int) -> None:
        super().__init__(list(range(count)))
        self.ended = threading.Event()
        self.given = threading.Event()
        self.message = ""

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        yield from self.read(start=start, end=None, batch_records=1)
        self.given.set()
        while not self.ended.wait(0.01):
            yield Quiet(self.message)

    def committed(self, position: str) -> None:
        return


class BreakingSource(TrickleSource):
    """Gives its numbers one by one, then fails."""

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        yield from self.read(start=start, end=None, batch_records=1)
        raise FeedRefusedError("feed", cause="answered 404 Not Found")


def of(source: NumberSource, *, control: JobControl, seconds: float) -> Iterator[SourceBatch]:
    return batches_of(
        source,
        start=None,
        max_latency_seconds=seconds,
        control=control,
        quiet=lambda _message: None,
    )


def numbers(batch: SourceBatch) -> list[int]:
    found: list[int] = batch.decoded.columns.column("x").to_numpy().tolist()
    return found


def test_what_came_together_is_one_batch_and_its_range_is_the_whole() -> None:
    source = TrickleSource(40)
    found = of(source, control=JobControl(), seconds=LONG_SECONDS)
    # That the source says it is quiet ends the wait.
    batch = next(found)
    source.ended.set()
    assert not list(found)
    assert (batch.start, batch.end) == ("0", "40")
    assert numbers(batch) == list(range(40))
    again = list(source.read(start=batch.start, end=batch.end))
    assert numbers(merged(again)) == numbers(batch)


@pytest.mark.parametrize("count", [1, 40])
def test_what_came_before_a_failure_is_a_batch_before_it_is_raised(count: int) -> None:
    source = BreakingSource(count)
    found = of(source, control=JobControl(), seconds=LONG_SECONDS)
    assert numbers(next(found)) == list(range(count))
    with pytest.raises(FeedRefusedError):
        next(found)


def test_a_row_waits_no_longer_than_its_latency_for_others() -> None:
    source = TrickleSource(1)
    found = of(source, control=JobControl(), seconds=0.0)
    assert numbers(next(found)) == [0]
    assert not source.ended.is_set()
    source.ended.set()
    assert not list(found)


def test_no_merged_batch_holds_more_than_a_batch_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "MOST_RECORDS", 8)
    source = TrickleSource(64)
    source.ended.set()
    sizes = [len(numbers(batch)) for batch in of(source, control=JobControl(), seconds=60.0)]
    assert sum(sizes) == 64
    assert max(sizes) <= 8


def test_batches_of_a_file_are_never_merged() -> None:
    source = NumberSource(range(10))
    found = of(source, control=JobControl(), seconds=LONG_SECONDS)
    assert [numbers(batch) for batch in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_a_job_whose_source_is_silent_hears_a_cancel() -> None:
    source, control = TrickleSource(0), JobControl()
    threading.Timer(0.05, control.request, [JobRequest.CANCEL]).start()
    with pytest.raises(HaltedError):
        next(of(source, control=control, seconds=LONG_SECONDS))


def test_merged_batches_keep_the_bytes_of_every_record() -> None:
    batches = list(NumberSource(range(10)).read(start=None, end=None))
    whole = merged(batches).decoded
    assert whole.raw([9, 0, 4, 4]) == [b"9", b"0", b"4", b"4"]
    assert whole.offsets.to_pylist() == list(range(10))
    assert whole.record_count == 10
    assert isinstance(whole.columns, pa.RecordBatch)
