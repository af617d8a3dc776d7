"""The cleaner's Flight endpoint, as its client uses it."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from tickmesh._ticks.commands import command_descriptor
from tickmesh._wire.credentials import open_flight_client
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_flight
from tickmesh.api.cleaner.v1 import flight_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh._wire.credentials import ClientCredentials
    from tickmesh.api.cleaner.v1 import job_pb2

    Opened = tuple[pa.Schema, Iterator[pa.RecordBatch]]

_PLAN_SECONDS = 60.0


class CleanerFlights:
    """A Flight client, opened on first use; may be shared by threads."""

    def __init__(self, address: str, credentials: ClientCredentials) -> None:
        self.address = address
        self._credentials = credentials
        self._client: flight.FlightClient | None = None

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def quarantine(self, selected: job_pb2.QuarantineFilter | None, *, after_id: int) -> Opened:
        """Columns and batches of quarantined rows with ids above one, in order of their ids."""
        command = flight_pb2.QuarantineCommand(filter=selected, after_id=after_id)
        with self._errors():
            info = self._flight.get_flight_info(
                command_descriptor(command), _options(_PLAN_SECONDS)
            )

        def batches() -> Iterator[pa.RecordBatch]:
            for endpoint in info.endpoints:
                with self._errors():
                    reader = self._flight.do_get(endpoint.ticket, _options())
                    try:
                        for chunk in reader:
                            if chunk.data is not None:
                                yield chunk.data
                    finally:
                        reader.cancel()

        return info.schema, batches()

    @property
    def _flight(self) -> flight.FlightClient:
        if self._client is None:
            self._client = open_flight_client(self.address, self._credentials)
        return self._client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (flight.FlightError, pa.ArrowException) as error:
            raise error_from_flight(error, address=self.address) from None


def _options(timeout_seconds: float | None = None) -> Any:
    # The stubs do not export the class that every call takes.
    make: Callable[..., Any] = flight.FlightCallOptions
    identifier = uuid.uuid4().hex.encode()
    return make(timeout=timeout_seconds, headers=[(REQUEST_ID.encode(), identifier)])
