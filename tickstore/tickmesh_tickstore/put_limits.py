"""What the put streams of one dataset may use (T11): at a limit a stream is told to come again."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import DatasetNotFoundError
from tickmesh_tickstore.errors import LimitReachedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_serving.clock import Clock
    from tickmesh_tickstore.dataset_settings import SettingsDirectory
    from tickmesh_tickstore.engine.interface import TickEngine

_STREAM_RETRY_SECONDS = 1.0
_BYTES_RETRY_SECONDS = 30.0
_LOOKED_AGAIN_NS = 1_000_000_000


class PutLimits:
    """Counts put streams and bytes by dataset; safe for any thread."""

    def __init__(self, *, engine: TickEngine, settings: SettingsDirectory, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: Counter[str] = Counter()

    @contextmanager
    def stream(self, dataset: str) -> Iterator[PutAllowance]:
        """Room for one more put stream, given back on leaving.

        Raises:
            LimitReachedError: the dataset has as many streams, or holds as many bytes, as it may.
        """
        allowed = self._settings.get(dataset).limits.max_put_streams
        with self._lock:
            if allowed and self._streams[dataset] >= allowed:
                raise LimitReachedError(
                    f"Dataset '{dataset}' takes {allowed} put streams at a time and has as many; "
                    "close one, or retry.",
                    metadata={"dataset": dataset, "limit": str(allowed), "what": "put_streams"},
                    retry_after_seconds=_STREAM_RETRY_SECONDS,
                )
            self._streams[dataset] += 1
        try:
            self.require_room(dataset)
            yield PutAllowance(self, dataset, self._clock)
        finally:
            with self._lock:
                self._streams[dataset] -= 1
                if not self._streams[dataset]:
                    del self._streams[dataset]

    def require_room(self, dataset: str) -> None:
        """Returns if the dataset holds no more bytes than it may.

        Raises:
            LimitReachedError: it holds more.
        """
        allowed = self._settings.get(dataset).limits.max_bytes
        if not allowed:
            return
        try:
            statistics = self._engine.statistics(dataset)
        except DatasetNotFoundError:
            # Its first put creates it.
            return
        held = statistics.log_bytes + statistics.segment_bytes + statistics.dropped_bytes
        if held > allowed:
            raise LimitReachedError(
                f"Dataset '{dataset}' holds {held} bytes and may hold {allowed}; give it a "
                "retention, or raise limits.max_bytes, with UpdateDataset.",
                metadata={
                    "dataset": dataset,
                    "bytes": str(held),
                    "limit": str(allowed),
                    "what": "dataset_bytes",
                },
                retry_after_seconds=_BYTES_RETRY_SECONDS,
            )


class PutAllowance:
    """What one put stream may use. For the thread that reads it."""

    def __init__(self, limits: PutLimits, dataset: str, clock: Clock) -> None:
        self._limits = limits
        self._dataset = dataset
        self._clock = clock
        self._looked_at_ns = clock.monotonic_ns()

    def check(self) -> None:
        """Looks once a second whether there still is room; asked with every message.

        Raises:
            LimitReachedError: there is none any more.
        """
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._looked_at_ns >= _LOOKED_AGAIN_NS:
            self._looked_at_ns = now_ns
            self._limits.require_room(self._dataset)
