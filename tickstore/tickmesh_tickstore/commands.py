"""Flight descriptors, commands and batch metadata; what is not understood is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from pyarrow import flight

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_tickstore.errors import InvalidRequestError, MalformedDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from tickmesh_tickstore.prepared_query import QueryHandler

MessageT = TypeVar("MessageT", bound=Message)

VERSION_KEY = b"tickmesh.version"
"""The key of an Arrow schema's metadata that names the schema version its rows were made for."""

_MAX_NAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequest:
    """What a stream of batches is to become.

    Attributes:
        dataset: The dataset's name, equal to its subject's.
        schema_version: The exact version within the subject; None with an id, or for the one in
            force.
        schema_id: The exact schema by id.
        producer_id: The producer; empty where nothing is deduplicated.
        producer_epoch: The epoch it opened.
        durable: Whether batches are acknowledged once synchronised, or once received.
        atomic: Whether the upload becomes visible as a whole, on its final marker.
        on_behalf_of: The principal the caller writes for; empty for itself.
    """

    dataset: str
    schema_version: int | None = None
    schema_id: int | None = None
    producer_id: str = ""
    producer_epoch: int = 0
    durable: bool = True
    atomic: bool = False
    on_behalf_of: str = ""


def put_request(descriptor: flight.FlightDescriptor, schema: pa.Schema) -> PutRequest:
    """Reads what a put asks for from its descriptor and its Arrow schema.

    Raises:
        InvalidRequestError: neither a path of one name nor a `PutCommand`, or one out of bounds.
    """
    if descriptor.descriptor_type == flight.DescriptorType.PATH:
        return PutRequest(dataset=path_name(descriptor), schema_version=_version_of(schema))
    command = unpack(descriptor.command or b"", commands_pb2.PutCommand)
    chosen = command.WhichOneof("schema")
    if command.producer_id and command.producer_epoch <= 0:
        raise InvalidRequestError(
            "A put with a producer_id needs the producer_epoch that OpenProducer answered.",
            violations=[("producer_epoch", "expected the epoch answered by OpenProducer")],
        )
    if command.producer_epoch and not command.producer_id:
        raise InvalidRequestError(
            "A put with a producer_epoch needs its producer_id.",
            violations=[("producer_id", "expected the producer of the epoch")],
        )
    return PutRequest(
        dataset=checked_name(command.dataset, field="dataset"),
        schema_version=(
            command.schema_version if chosen == "schema_version" else _version_of(schema)
        ),
        schema_id=command.schema_id if chosen == "schema_id" else None,
        producer_id=command.producer_id,
        producer_epoch=command.producer_epoch,
        durable=(command.acknowledgement_level != commands_pb2.ACKNOWLEDGEMENT_LEVEL_RECEIVED),
        atomic=command.atomic,
        on_behalf_of=command.on_behalf_of,
    )


def read_command(descriptor: flight.FlightDescriptor) -> commands_pb2.ReadCommand:
    """Reads what a descriptor asks to read; a path asks for the whole dataset.

    Raises:
        InvalidRequestError: neither a path of one name nor a `ReadCommand`.
    """
    if descriptor.descriptor_type == flight.DescriptorType.PATH:
        return commands_pb2.ReadCommand(dataset=path_name(descriptor))
    command = unpack(descriptor.command or b"", commands_pb2.ReadCommand)
    checked_name(command.dataset, field="dataset")
    return command


def query_command(
    descriptor: flight.FlightDescriptor, queries: Mapping[str, QueryHandler]
) -> Message | None:
    """Reads the query that a descriptor asks; None where it asks for something else."""
    if descriptor.descriptor_type == flight.DescriptorType.PATH:
        return None
    command = descriptor.command or b""
    wrapped = Any()
    try:
        wrapped.ParseFromString(command)
    except DecodeError:
        return None
    handler = queries.get(wrapped.TypeName())
    return None if handler is None else unpack(command, handler.command)


def path_name(descriptor: flight.FlightDescriptor) -> str:
    """The dataset a path descriptor names."""
    path = descriptor.path or []
    if len(path) != 1:
        raise InvalidRequestError(
            f"A path names one dataset, as in FlightDescriptor.for_path('ticks.trades'); it had "
            f"{len(path)} parts.",
            violations=[("path", "expected exactly one part: the dataset's name")],
        )
    try:
        name = path[0].decode()
    except UnicodeDecodeError:
        name = ""
    return checked_name(name, field="path")


def checked_name(name: str, *, field: str) -> str:
    """Returns a dataset's name if it can be one.

    Raises:
        InvalidRequestError: it is empty or too long; whether it exists is told elsewhere.
    """
    if not name or len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequestError(
            f"{field} must name a dataset in 1 to {_MAX_NAME_CHARACTERS} printable characters.",
            violations=[(field, "expected the name of a dataset, such as ticks.trades")],
        )
    return name


def unpack(command: bytes, expected: type[MessageT]) -> MessageT:
    """Opens a command that travels as `google.protobuf.Any`.

    Raises:
        InvalidRequestError: the bytes are no Any, or hold another message.
    """
    wrapped = Any()
    message = expected()
    name = expected.DESCRIPTOR.full_name
    try:
        wrapped.ParseFromString(command)
        understood = wrapped.Unpack(message)
    except DecodeError:
        understood = False
    if not understood:
        came = wrapped.TypeName() or "something else"
        raise InvalidRequestError(
            f"Expected a google.protobuf.Any holding {name}; it held {came:.100}.",
            metadata={"expected": name, "came": came[:100]},
            violations=[("command", f"expected {name} inside google.protobuf.Any")],
        )
    return message


def pack(message: Message) -> bytes:
    """Wraps a command or ticket as `google.protobuf.Any`."""
    wrapped = Any()
    wrapped.Pack(message)
    return wrapped.SerializeToString()


def put_metadata(app_metadata: pa.Buffer) -> commands_pb2.PutMetadata:
    """Reads the metadata of one batch going up.

    Raises:
        MalformedDataError: it is no `PutMetadata`.
    """
    try:
        return commands_pb2.PutMetadata.FromString(app_metadata.to_pybytes())
    except DecodeError:
        raise MalformedDataError(
            "The app_metadata of a batch must be a serialized PutMetadata, or nothing."
        ) from None


def tail_control(app_metadata: pa.Buffer) -> commands_pb2.TailControl:
    """Reads a message of the reader of a live tail.

    Raises:
        MalformedDataError: it is no `TailControl`.
    """
    try:
        return commands_pb2.TailControl.FromString(app_metadata.to_pybytes())
    except DecodeError:
        raise MalformedDataError(
            "The app_metadata of a message to a live tail must be a serialized TailControl."
        ) from None


def _version_of(schema: pa.Schema) -> int | None:
    stated = (schema.metadata or {}).get(VERSION_KEY)
    if stated is None:
        return None
    if not stated.isdigit() or not 0 < int(stated) < 2**31:
        text = stated[:40].decode(errors="replace")
        raise InvalidRequestError(
            f"tickmesh.version in the schema's metadata must be a version number; it was {text!r}.",
            metadata={"came": text},
            violations=[("schema.metadata[tickmesh.version]", "expected a whole number from 1")],
        )
    return int(stated)
