"""What a service does on its Flight port, and what its handlers are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pyarrow as pa
from pyarrow import flight

from tickmesh_serving.call_context import CallContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_ResultT = TypeVar("_ResultT")


def _pass_over(_traceparent: str, _attributes: Mapping[str, str]) -> None:
    """Nothing is traced or logged outside of a server."""


def _nobody_waits() -> None:
    """A call outside a server."""


@dataclass(frozen=True)
class FlightCall(CallContext):
    """One Flight call, as its handler sees it."""

    server: flight.ServerCallContext | None = field(default=None, repr=False, compare=False)
    guard: Callable[[BaseException], flight.FlightError] | None = field(
        default=None, repr=False, compare=False
    )
    link_trace: Callable[[str, Mapping[str, str]], None] = field(
        default=_pass_over, repr=False, compare=False
    )
    """Told the trace context that one batch carries, and what the batch is."""

    settle: Callable[[], None] = field(default=_nobody_waits, repr=False, compare=False)
    """Say that everything the client sent is dealt with: a server that goes down stops waiting for
    this stream, which only its client could end. For streams whose reading cannot be interrupted.
    """

    @property
    def cancelled(self) -> bool:
        """Whether the client went away; long streams poll this, Flight tells it in no other way."""
        return self.server is not None and self.server.is_cancelled()

    def generator_stream(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch | pa.Table | tuple[pa.RecordBatch, bytes]],
    ) -> flight.GeneratorStream:
        """Return a stream over a Python iterator whose failures reach the client as errors of ours.

        pyarrow takes the GIL for every batch: what needs no Python to go on belongs in a
        `RecordBatchStream` over a C++ reader.

        Args:
            schema: of all batches.
            batches: tables; or batches, or (batch, application metadata), without dictionary
                columns, which pyarrow loses there.
        """
        items: Iterable[Any] = batches  # the stubs do not know the pairs
        return flight.GeneratorStream(schema, self._guarded(items))

    def _guarded(self, items: Iterable[_ResultT]) -> Iterator[_ResultT]:
        try:
            yield from items
        except GeneratorExit:
            raise
        except BaseException as error:
            if self.guard is None:
                raise
            raise self.guard(error) from None


class FlightHandlers(Protocol):
    """What a service does on its Flight port. Handlers run in threads and may raise anything."""

    def put(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Take a stream of batches and acknowledge them."""
        ...

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Return a stream: a `RecordBatchStream` over a C++ reader, or `call.generator_stream`."""
        ...

    def exchange(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Read and write batches at the same time."""
        ...

    def info(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Return schema and endpoints of what a descriptor names."""
        ...

    def schema(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        """Return the schema of what a descriptor names."""
        ...

    def flights(self, call: FlightCall, criteria: bytes) -> Iterable[flight.FlightInfo]:
        """Return what can be read."""
        ...

    def action(self, call: FlightCall, action_type: str, body: bytes) -> Iterable[bytes]:
        """Do an action that the permission table names, and return its results."""
        ...

    def actions(self, call: FlightCall) -> Sequence[tuple[str, str]]:
        """Return (type, description) of every action."""
        ...
