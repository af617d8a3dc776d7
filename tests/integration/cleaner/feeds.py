"""A mesh whose cleaner may read feeds of this machine, and words for what tests wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tests.support.blemished_trades import SCHEMA
from tests.support.feed_server import record
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.integration.cleaner.conftest import Services
    from tickmesh.cleaning_sources import JobSource

TOKEN = "Bearer a-token-nobody-may-see"

Row = tuple[int, str, float, int]


@dataclass(frozen=True)
class FeedJob:
    """A job that reads a feed, under a subject of its own."""

    services: Services
    id: str
    subject: str

    def until(self, reached: Callable[[job_pb2.Job], bool]) -> job_pb2.Job:
        """Watch the job until it is where a test wants it, or has ended otherwise."""
        job = self.services.cleaner.get_job(self.id)
        for moment in self.services.cleaner.watch_job(self.id, progress_seconds=0.1):
            job = moment.job
            if reached(job):
                return job
        raise AssertionError(f"the job ended before: {job}")

    def until_rows(self, count: int) -> job_pb2.Job:
        """Watch the job until so many rows are accounted for."""
        return self.until(lambda job: job.balance.rows_in >= count)

    def until_event(self, code: str) -> str:
        """Watch the job until something happened; answers what."""
        job = self.until(lambda job: any(event.code == code for event in job.events))
        return next(event.message for event in job.events if event.code == code)

    def until_waiting(self, words: str) -> job_pb2.Job:
        """Watch the job until it waits and says so."""
        return self.until(
            lambda job: job.state == job_pb2.JOB_STATE_WAITING and words in job.message
        )

    def ended(self) -> job_pb2.Job:
        """Watch the job to its end."""
        job = self.services.cleaner.get_job(self.id)
        for moment in self.services.cleaner.watch_job(self.id, progress_seconds=0.1):
            job = moment.job
        return job

    def cancel(self) -> job_pb2.Job:
        """End the job; its account must hold."""
        self.services.cleaner.cancel_job(self.id)
        job = self.ended()
        assert job.state == job_pb2.JOB_STATE_CANCELLED, job
        assert job.balance.holds
        return job

    def rows(self) -> list[Row]:
        """What is stored."""
        table = self.services.ticks.read(self.subject)
        columns = [
            table["ts"].cast(pa.int64()).to_pylist(),
            table["symbol"].to_pylist(),
            table["price"].to_pylist(),
            table["size"].to_pylist(),
        ]
        return list(zip(*columns, strict=True))

    def held(self) -> list[tuple[bytes, list[str]]]:
        """What is quarantined: raw bytes and reasons."""
        rows = self.services.cleaner.list_quarantine(
            job_pb2.QuarantineFilter(job_id=self.id), limit=10_000
        )
        return [(row.raw, [reason.code for reason in row.reasons]) for row in rows]


def start_feed(
    services: Services, subject: str, source: JobSource, *, source_spec: str = ""
) -> FeedJob:
    """Make a job that reads a feed."""
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, source=source, source_spec=source_spec)
    return FeedJob(services, job.id, subject)


def rows_of(numbers: Sequence[int]) -> list[Row]:
    """The rows that the feed's records come to."""
    return [tuple(record(number).values()) for number in numbers]  # type: ignore[misc]  # as sent
