"""Commands of the tick store as a client builds them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, TypedDict, Unpack

from google.protobuf.any_pb2 import Any
from pyarrow import flight

from tickmesh._ticks.filter_text import parse_filter
from tickmesh._ticks.filters import Filter
from tickmesh._ticks.time_arguments import instant_ns
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from google.protobuf.message import Message

    from tickmesh._ticks.time_arguments import Instant, TimeZone
    from tickmesh.api.tickstore.v1 import expression_pb2

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


class ReadOptions(TypedDict, total=False):
    """The keyword arguments of a read; `TickClient.read` says what each means."""

    start: Instant | None
    end: Instant | None
    symbols: Sequence[str] | str | None
    columns: Sequence[str] | str | None
    where: Filter | str | None
    tz: TimeZone | None
    limit: int | None
    order: OrderName
    as_of: int | None
    snapshot: str | None
    version: int | None
    generation: int | None
    stamps: bool


def read_command(dataset: str, **options: Unpack[ReadOptions]) -> commands_pb2.ReadCommand:
    """What a read asks for, with instants made exact.

    Raises:
        InvalidArgumentError: an instant cannot be read, or another argument is out of bounds.
    """
    order = options.get("order", "arrival")
    if order not in _ORDERS:
        raise InvalidArgumentError(f'order must be "arrival" or "time"; it was {order!r}.')
    tz, as_of, snapshot = options.get("tz"), options.get("as_of"), options.get("snapshot")
    if as_of is not None and snapshot:
        raise InvalidArgumentError(
            f"as_of={as_of} and snapshot={snapshot!r} both say what to read; give one of them."
        )
    start, end = options.get("start"), options.get("end")
    command = commands_pb2.ReadCommand(
        dataset=dataset,
        start_ns=None if start is None else instant_ns(start, tz=tz, name="start"),
        end_ns=None if end is None else instant_ns(end, tz=tz, name="end"),
        symbols=chosen_names(options.get("symbols"), name="symbols"),
        columns=chosen_names(options.get("columns"), name="columns"),
        reader_version=counted(options.get("version"), name="version"),
        generation=counted(options.get("generation"), name="generation"),
        as_of_revision=counted(as_of, name="as_of"),
        order=_ORDERS[order],
        limit=counted(options.get("limit"), name="limit"),
        stamps=options.get("stamps", False),
        snapshot=snapshot or "",
        filter=filter_message(options.get("where"), tz=tz),
    )
    bounded = command.HasField("start_ns") and command.HasField("end_ns")
    if bounded and command.start_ns > command.end_ns:
        raise InvalidArgumentError(
            f"start={start!r} lies behind end={end!r}; a range is half-open, start to end."
        )
    return command


def filter_message(
    where: Filter | str | None, *, tz: TimeZone | None = None
) -> expression_pb2.Expression | None:
    """A condition as a query carries it.

    Raises:
        InvalidArgumentError: it is neither a condition nor the text of one.
    """
    if where is None:
        return None
    if isinstance(where, str):
        where = parse_filter(where, tz=tz)
    if not isinstance(where, Filter):
        raise InvalidArgumentError(
            'where must be a condition such as col("price") > 100, or its text "price > 100"; it '
            f"was {where!r:.100}."
        )
    return where.message()


def chosen_names(chosen: Sequence[str] | str | None, *, name: str) -> list[str]:
    """Names that were chosen, a single one taken as such; none is no choice.

    Raises:
        InvalidArgumentError: it names nothing, or something that is no name.
    """
    if chosen is None:
        return []
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    if not names:
        raise InvalidArgumentError(f"{name} must name at least one; leave it out for all.")
    wrong = next((each for each in names if not isinstance(each, str) or not each), None)
    if wrong is not None:
        raise InvalidArgumentError(f"{name} must be text; one was {wrong!r}.")
    return names


def counted(number: int | None, *, name: str) -> int:
    """A number of things, from 1; 0 on the wire is none given.

    Raises:
        InvalidArgumentError: it is less than 1, or no whole number.
    """
    if number is None:
        return 0
    try:
        whole = operator.index(number)
    except TypeError:
        whole = 0
    if whole <= 0 or isinstance(number, bool):
        raise InvalidArgumentError(f"{name} must be a whole number from 1; it was {number!r}.")
    return whole


def command_descriptor(command: Message) -> flight.FlightDescriptor:
    """A descriptor that carries a command as `google.protobuf.Any`."""
    wrapped = Any()
    wrapped.Pack(command)
    return flight.FlightDescriptor.for_command(wrapped.SerializeToString())
