"""Atomic uploads (T3): judged as they come, staged apart, visible only by their final marker."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol, Self

import pyarrow as pa

from tickmesh_tickstore.domain.errors import (
    InvalidArgumentError,
    LimitExceededError,
    RowsRefusedError,
    UploadIncompleteError,
)
from tickmesh_tickstore.engine.chunk import Chunk
from tickmesh_tickstore.engine.columns import require_columns
from tickmesh_tickstore.engine.messages import Messages

if TYPE_CHECKING:
    from types import TracebackType

    from tickmesh_tickstore.domain.producers import ProducerSequence
    from tickmesh_tickstore.domain.stamps import Origin
    from tickmesh_tickstore.engine.acknowledgement import AppendFuture
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.interface import Judge
    from tickmesh_tickstore.engine.journal import StagedPart

__all__ = ["AtomicUpload", "Staging", "StagingBudget"]


class StagingBudget:
    """The bytes that uncommitted uploads may take, of one principal and of all (T11)."""

    def __init__(self, *, limit: int, limit_of_one: int) -> None:
        self._limit = limit
        self._limit_of_one = limit_of_one
        self._lock = threading.Lock()
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    def take(self, size: int, *, principal: str) -> None:
        """Take bytes.

        Raises:
            LimitExceededError: Too many are taken.
        """
        with self._lock:
            if self._taken_by[principal] + size > self._limit_of_one:
                raise LimitExceededError(
                    f"uncommitted uploads of one principal may take {self._limit_of_one} bytes: "
                    "commit or abort others, or send less at once",
                    metadata={"limit": str(self._limit_of_one), "what": "staged_bytes"},
                )
            if self._taken + size > self._limit:
                raise LimitExceededError(
                    f"uncommitted uploads may take {self._limit} bytes in all: "
                    "commit or abort others, or send less at once",
                    metadata={"limit": str(self._limit), "what": "staged_bytes"},
                )
            self._taken += size
            self._taken_by[principal] += size

    def give_back(self, size: int, *, principal: str) -> None:
        """Give bytes back."""
        with self._lock:
            self._taken -= size
            self._taken_by[principal] -= size
            if not self._taken_by[principal]:
                del self._taken_by[principal]


class Staging(Protocol):
    """Where one upload's rows wait."""

    def add(self, chunk: Chunk) -> None:
        """Stage rows.

        Raises:
            DiskFullError, StoreFailedError: They cannot be kept.
        """
        ...

    def complete(self) -> StagedPart:
        """No more rows come; bring all of them onto stable storage.

        Raises:
            DiskFullError, StoreFailedError: They cannot be kept.
        """
        ...

    def discard(self) -> None:
        """Forget the rows."""
        ...


class AtomicUpload:
    """See `Upload`. For one thread."""

    def __init__(
        self,
        dataset: Dataset,
        staging: Staging,
        budget: StagingBudget,
        *,
        layout: RowLayout,
        judge: Judge,
        producer: ProducerSequence | None,
        origin: Origin,
    ) -> None:
        self._dataset = dataset
        self._staging = staging
        self._budget = budget
        self._layout = layout
        self._judge = judge
        self._producer = producer
        self._origin = origin
        self._batches = self._rows = self._bytes = 0
        self._open = True

    def append(self, batch: pa.RecordBatch) -> None:
        """See `Upload.append`."""
        self._require_open()
        try:
            self._dataset.require_open()
            require_columns(self._layout, batch)
            size = pa.ipc.get_record_batch_size(batch)
            self._budget.take(size, principal=self._origin.principal)
            self._bytes += size
            refusal = self._judge(batch)
            if refusal is not None:
                raise RowsRefusedError(refusal)
            if batch.num_rows:
                self._staging.add(
                    Chunk.arrived(
                        batch,
                        self._layout.stamp,
                        revision=0,
                        ingest_time_ns=0,
                        origin=self._origin,
                        messages=self._message_of(batch.num_rows),
                        time_span=self._layout.time_span(batch),
                        first_row=self._rows,
                    )
                )
        except BaseException:
            self.abort()
            raise
        self._batches += 1
        self._rows += batch.num_rows

    def _message_of(self, rows: int) -> Messages:
        producer = self._producer
        if producer is None:
            return Messages.of([("", (), (rows,))])
        return Messages.of([(producer.producer_id, (producer.sequence,), (rows,))])

    def commit(self, *, batches: int, rows: int) -> AppendFuture:
        """See `Upload.commit`."""
        self._require_open()
        try:
            if (batches, rows) != (self._batches, self._rows):
                raise UploadIncompleteError(
                    f"the marker says {batches} batches of {rows} rows, {self._batches} of "
                    f"{self._rows} arrived: nothing is stored, send the whole upload again",
                    metadata={
                        "batches": str(self._batches),
                        "rows": str(self._rows),
                        "expected_batches": str(batches),
                        "expected_rows": str(rows),
                    },
                )
            self._dataset.require_open()
            staged = self._staging.complete()
        except BaseException:
            self.abort()
            raise
        self._close()
        try:
            return self._dataset.commit_upload(
                staged, layout=self._layout, producer=self._producer, origin=self._origin
            )
        except BaseException:
            staged.discard()
            raise

    def abort(self) -> None:
        """See `Upload.abort`."""
        if self._open:
            self._close()
            self._staging.discard()

    def _close(self) -> None:
        self._open = False
        self._budget.give_back(self._bytes, principal=self._origin.principal)

    def _require_open(self) -> None:
        if not self._open:
            raise InvalidArgumentError("the upload is over: begin another one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()
