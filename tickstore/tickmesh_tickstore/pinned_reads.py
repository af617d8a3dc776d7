"""The rows a query reads: one snapshot of each dataset, the same when planned and when run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.commands import checked_name
from tickmesh_tickstore.domain.errors import NoEventTimeError, NoSymbolError, SnapshotGoneError
from tickmesh_tickstore.domain.positions import START
from tickmesh_tickstore.engine.columns import role_columns
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.requests import PlannedRange, ScanRequest
    from tickmesh_tickstore.engine.interface import TickEngine
    from tickmesh_tickstore.engine.row_stream import RowStream
    from tickmesh_tickstore.queries.sql import SqlSandbox

__all__ = ["Pin", "PinnedRead", "PinnedReads"]


@dataclass(frozen=True, slots=True)
class Pin:
    """A snapshot of a dataset.

    Attributes:
        dataset_id: The very dataset.
        revision: Its dataset revision.
    """

    dataset_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class PinnedRead:
    """Rows of one dataset that a query reads.

    Attributes:
        engine: Where they are.
        request: What to scan, pinned; with the columns asked for.
        schema: Of the columns asked for.
        all_columns: The schema of every column there is.
        event_time: Name of the event time column, if there is one.
        symbol: Name of the symbol column, if there is one.
    """

    engine: TickEngine
    request: ScanRequest
    schema: pa.Schema
    all_columns: pa.Schema
    event_time: str | None
    symbol: str | None

    def require_event_time(self, what: str) -> str:
        """The event time column, which `what` cannot do without.

        Raises:
            NoEventTimeError: There is none.
        """
        if self.event_time is None:
            raise NoEventTimeError(
                f"{what} needs an event time, which dataset {self.request.dataset!r} has not: give "
                'a timestamp column the keyword "x-tick-role": "event_time"',
                metadata={"dataset": self.request.dataset, "role": "event_time"},
            )
        return self.event_time

    def require_symbol(self, what: str) -> str:
        """The symbol column, which `what` cannot do without.

        Raises:
            NoSymbolError: There is none.
        """
        if self.symbol is None:
            raise NoSymbolError(
                f"{what} needs a symbol column, which dataset {self.request.dataset!r} has not: "
                'give a text column the keyword "x-tick-role": "symbol"',
                metadata={"dataset": self.request.dataset, "role": "symbol"},
            )
        return self.symbol

    def with_columns(self, *names: str) -> ScanRequest:
        """The request with further columns behind those asked for; stamps come last as ever."""
        if self.request.columns is None:
            return self.request
        more = [name for name in dict.fromkeys(names) if name not in self.request.columns]
        return replace(self.request, columns=(*self.request.columns, *more))

    def ranges(self, request: ScanRequest, *, most: int) -> tuple[PlannedRange, ...]:
        """Disjoint parts of the rows in arrival order, for `engine.scan`; `most` or fewer."""
        return self.engine.plan(request, max_endpoints=most).ranges

    def scan(self, request: ScanRequest) -> RowStream:
        """The rows."""
        return self.engine.scan(request)


class PinnedReads:
    """Opens the reads nested in a query, and remembers which snapshots it took.

    Planning pins whatever is newest; running takes the pins of the ticket and no others.

    Attributes:
        engine: Where rows are.
        limits: What a query may hold at once.
        pins: The snapshots by dataset, or by `dataset@snapshot` for named ones.
        sandbox: Where statements of SQL run.
        stopped: Whether nobody waits for the answer any more.
    """

    def __init__(
        self,
        engine: TickEngine,
        scan_request: Callable[[commands_pb2.ReadCommand], ScanRequest],
        *,
        sandbox: SqlSandbox,
        pins: Mapping[str, Pin] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.engine = engine
        self.limits: EngineLimits = engine.limits
        self.pins = dict(pins or {})
        self.sandbox = sandbox
        self.stopped = stopped
        self._scan_request = scan_request
        self._planning = pins is None

    def open(self, read: commands_pb2.ReadCommand, *, field: str) -> PinnedRead:
        """The rows of a nested read.

        Args:
            read: Range, symbols, columns, filter, reader version, snapshot and stamps.
            field: Where it stands in the query, for refusals.

        Raises:
            InvalidRequestError: It asks for what only a read by itself can give.
            SnapshotGoneError: The ticket has no pin for it.
        """
        checked_name(read.dataset, field=f"{field}.dataset")
        _require_plain(read, field=field)
        key = f"{read.dataset}@{read.snapshot}" if read.snapshot else read.dataset
        pin = self.pins.get(key)
        if pin is None and not self._planning:
            raise SnapshotGoneError(
                f"the ticket names no snapshot of dataset {read.dataset!r}: plan the query again",
                metadata={"dataset": read.dataset},
            )
        if pin is None:
            request = self._scan_request(read)
            info = self.engine.dataset(read.dataset)
            # A revision that this read names by itself says nothing about other reads.
            named = None if read.as_of_revision else request.as_of_revision
            pin = Pin(info.dataset_id, info.revision if named is None else named)
            self.pins[key] = pin
        else:
            resolved = type(read)()
            resolved.CopyFrom(read)
            resolved.ClearField("snapshot")
            request = self._scan_request(resolved)
        # Kept in the query's ticket: it runs under the version it was planned for.
        read.reader_version = request.reader_version or 0
        revision = read.as_of_revision or pin.revision
        request = replace(request, as_of_revision=revision, dataset_id=pin.dataset_id)
        schema = self.engine.plan(request).schema
        # Of no rows: a column nobody asked for may be one that cannot be read.
        nothing = replace(request.between(START, START), columns=None, stamps=())
        every = self.engine.plan(nothing).schema
        event_time, symbol = role_columns(every)
        return PinnedRead(self.engine, request, schema, every, event_time, symbol)


def _require_plain(read: commands_pb2.ReadCommand, *, field: str) -> None:
    refused = [
        name
        for name, asked in (
            ("follow", read.follow),
            ("limit", read.limit),
            ("resume_token", read.resume_token),
            ("order", read.order > 1),
        )
        if asked
    ]
    if refused:
        raise InvalidRequestError(
            f"Within a query a read chooses range, symbols, columns, filter, reader version and "
            f"snapshot; not {', '.join(refused)}. The query decides on the order of its rows.",
            metadata={"fields": ",".join(f"{field}.{name}" for name in refused)},
            violations=[(f"{field}.{name}", "not part of a query") for name in refused],
        )
