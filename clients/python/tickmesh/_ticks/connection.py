"""The connections of a tick client, and the one place where their failures become ours."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pyarrow as pa
from pyarrow import flight

from tickmesh._wire.credentials import ClientCredentials, open_channel, open_flight_client
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_flight, error_from_rpc
from tickmesh.api.tickstore.v1.tick_store_service_pb2_grpc import TickStoreServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TickConnection:
    """A gRPC channel for control and Flight clients for data, opened on first use."""

    def __init__(
        self,
        *,
        address: str,
        flight_address: str,
        credentials: ClientCredentials,
        call_attempts: int,
    ) -> None:
        self.address = address
        self.flight_address = flight_address
        self._credentials = credentials
        self._call_attempts = call_attempts
        self._channel: grpc.Channel | None = None
        self._opening = threading.Lock()
        self._flights: dict[int, flight.FlightClient] = {}

    def flight_beside(self, place: int) -> flight.FlightClient:
        """A Flight client with a connection of its own, one a place; 0 is `flight`.

        Receiving is bound by copying out of a connection: reads side by side take several.
        """
        with self._opening:
            if place not in self._flights:
                self._flights[place] = open_flight_client(self.flight_address, self._credentials)
            return self._flights[place]

    @property
    def flight(self) -> flight.FlightClient:
        """The Flight client; may be shared by threads."""
        return self.flight_beside(0)

    def call(self, method: str, request: Any, *, timeout_seconds: float) -> Any:
        """Call one method of TickStoreService."""
        stub: Callable[..., Any] = getattr(TickStoreServiceStub(self._control()), method)
        try:
            return stub(request, timeout=timeout_seconds, metadata=((REQUEST_ID, _new_id()),))
        except grpc.RpcError as error:
            raise error_from_rpc(error, address=self.address) from None

    def _control(self) -> grpc.Channel:
        with self._opening:
            if self._channel is None:
                self._channel = open_channel(
                    self.address,
                    self._credentials,
                    asynchronous=False,
                    call_attempts=self._call_attempts,
                )
            return self._channel

    def options(self, *, timeout_seconds: float | None = None) -> Any:
        """Options of one Flight call: its request id and, where it has one, its deadline."""
        # The stubs do not export the class that every call takes.
        make: Any = flight.FlightCallOptions
        return make(timeout=timeout_seconds, headers=[(REQUEST_ID.encode(), _new_id().encode())])

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what pyarrow raises into `tickmesh.errors`, reading `extra_info` alone."""
        try:
            yield
        except (flight.FlightError, pa.ArrowException) as error:
            raise error_from_flight(error, address=self.flight_address) from None

    def close(self) -> None:
        """Close them all. Safe to call twice."""
        with self._opening:
            while self._flights:
                self._flights.popitem()[1].close()
            if self._channel is not None:
                self._channel.close()
                self._channel = None


def _new_id() -> str:
    return uuid.uuid4().hex
