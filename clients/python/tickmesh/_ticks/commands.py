"""Commands of the tick store as a client builds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any
from pyarrow import flight

from tickmesh._ticks.time_arguments import instant_ns
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from google.protobuf.message import Message

    from tickmesh._ticks.time_arguments import Instant, TimeZone

    AcknowledgementName = Literal["received", "durable"]
    OrderName = Literal["arrival", "time"]

_LEVELS = {
    "received": commands_pb2.ACKNOWLEDGEMENT_LEVEL_RECEIVED,
    "durable": commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE,
}
_ORDERS = {
    "arrival": commands_pb2.READ_ORDER_ARRIVAL,
    "time": commands_pb2.READ_ORDER_TIME,
}


def put_command(
    dataset: str,
    *,
    version: int | None = None,
    producer_id: str = "",
    producer_epoch: int = 0,
    ack: AcknowledgementName = "durable",
    atomic: bool = False,
    on_behalf_of: str | None = None,
) -> commands_pb2.PutCommand:
    """What a put asks for."""
    if ack not in _LEVELS:
        raise InvalidArgumentError(f'ack must be "received" or "durable"; it was {ack!r}.')
    command = commands_pb2.PutCommand(
        dataset=dataset,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        acknowledgement_level=_LEVELS[ack],
        atomic=atomic,
        on_behalf_of=on_behalf_of or "",
    )
    if version is not None:
        command.schema_version = version
    return command


def read_command(
    dataset: str,
    *,
    start: Instant | None = None,
    end: Instant | None = None,
    symbols: Sequence[str] | str | None = None,
    columns: Sequence[str] | None = None,
    tz: TimeZone | None = None,
    limit: int | None = None,
    order: OrderName = "arrival",
    as_of: int | None = None,
    version: int | None = None,
    stamps: bool = False,
) -> commands_pb2.ReadCommand:
    """What a read asks for, with instants made exact.

    Raises:
        InvalidArgumentError: an instant cannot be read, or another argument is out of bounds.
    """
    if order not in _ORDERS:
        raise InvalidArgumentError(f'order must be "arrival" or "time"; it was {order!r}.')
    for name, number in (("limit", limit), ("as_of", as_of), ("version", version)):
        if number is not None and number <= 0:
            raise InvalidArgumentError(f"{name} must be at least 1; it was {number}.")
    for name, chosen in (("symbols", symbols), ("columns", columns)):
        if chosen is not None and not chosen:
            raise InvalidArgumentError(f"{name} must name at least one; leave it out for all.")
    return commands_pb2.ReadCommand(
        dataset=dataset,
        start_ns=None if start is None else instant_ns(start, tz=tz, name="start"),
        end_ns=None if end is None else instant_ns(end, tz=tz, name="end"),
        symbols=[symbols] if isinstance(symbols, str) else symbols,
        columns=columns,
        reader_version=version or 0,
        as_of_revision=as_of or 0,
        order=_ORDERS[order],
        limit=limit or 0,
        stamps=stamps,
    )


def command_descriptor(command: Message) -> flight.FlightDescriptor:
    """A descriptor that carries a command as `google.protobuf.Any`."""
    wrapped = Any()
    wrapped.Pack(command)
    return flight.FlightDescriptor.for_command(wrapped.SerializeToString())
