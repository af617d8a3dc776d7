"""What the pipeline needs of a sink: numbered writes that may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa

    from tickmesh.registered import RegisteredSchema


@dataclass(frozen=True, slots=True)
class OpenedProducer:
    """The epoch now open for a producer, and the last batch the sink holds of it."""

    epoch: int
    last_n: int


@dataclass(frozen=True, slots=True)
class Written:
    """A batch is durable.

    Attributes:
        dataset_revision: The dataset revision that holds its rows; 0 when the sink has none.
    """

    dataset_revision: int


class Sink(Protocol):
    """Where good rows go. Batches of a producer are numbered densely from 1."""

    def open(self, producer_id: str) -> OpenedProducer:
        """Open a new epoch of a producer and fence older ones. May be called again.

        Raises:
            SinkUnavailableError: The sink does not answer.
        """
        ...

    def write(
        self, n: int, batch: pa.RecordBatch, *, schema: RegisteredSchema, start: str, end: str
    ) -> Future[Written]:
        """Send batch n; the answer comes when it is durable.

        Sending n again is answered like the first time and has no other effect. The future fails
        with SinkUnavailableError when the sink went away: then everything unanswered must be
        sent again after another `open`. Any other failure is the sink's refusal.
        """
        ...

    def close(self) -> None:
        """End the connection; unanswered writes fail."""
        ...
