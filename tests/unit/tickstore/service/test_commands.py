"""Descriptors and commands are read strictly."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import flight

from tickmesh.api.tickstore.v1.commands_pb2 import (
    ACKNOWLEDGEMENT_LEVEL_RECEIVED,
    PutCommand,
    ReadCommand,
)
from tickmesh_tickstore.commands import pack, put_metadata, put_request, read_command
from tickmesh_tickstore.errors import InvalidRequestError, MalformedDataError

PLAIN = pa.schema([("a", pa.int64())])


def for_command(message: PutCommand | ReadCommand) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(pack(message))


def test_a_path_names_the_dataset_and_promises_durability() -> None:
    request = put_request(flight.FlightDescriptor.for_path("ticks.trades"), PLAIN)
    assert (request.dataset, request.schema_version, request.durable) == (
        "ticks.trades",
        None,
        True,
    )


def test_the_schemas_metadata_may_name_the_version() -> None:
    named = PLAIN.with_metadata({"tickmesh.version": "3"})
    assert put_request(flight.FlightDescriptor.for_path("t"), named).schema_version == 3


@pytest.mark.parametrize("stated", ["", "0", "-1", "three", "99999999999"])
def test_a_version_that_is_no_number_is_refused(stated: str) -> None:
    named = PLAIN.with_metadata({"tickmesh.version": stated})
    with pytest.raises(InvalidRequestError, match=r"tickmesh\.version"):
        put_request(flight.FlightDescriptor.for_path("t"), named)


def test_a_put_command_says_all() -> None:
    command = PutCommand(
        dataset="t",
        schema_id=9,
        producer_id="p",
        producer_epoch=2,
        acknowledgement_level=ACKNOWLEDGEMENT_LEVEL_RECEIVED,
        atomic=True,
        on_behalf_of="desk",
    )
    request = put_request(for_command(command), PLAIN)
    assert (request.schema_version, request.schema_id) == (None, 9)
    assert (request.producer_id, request.producer_epoch) == ("p", 2)
    assert (request.durable, request.atomic, request.on_behalf_of) == (False, True, "desk")


@pytest.mark.parametrize(
    "command",
    [PutCommand(dataset="t", producer_id="p"), PutCommand(dataset="t", producer_epoch=1)],
)
def test_a_producer_is_named_with_its_epoch(command: PutCommand) -> None:
    with pytest.raises(InvalidRequestError, match="producer_"):
        put_request(for_command(command), PLAIN)


@pytest.mark.parametrize(
    "descriptor",
    [
        flight.FlightDescriptor.for_path("a", "b"),
        flight.FlightDescriptor.for_path(b"\xff"),
        flight.FlightDescriptor.for_path(""),
        flight.FlightDescriptor.for_command(b"SELECT 1"),
        flight.FlightDescriptor.for_command(b""),
        for_command(PutCommand(dataset="t")),
        for_command(ReadCommand()),
    ],
    ids=str,
)
def test_a_descriptor_that_reads_nothing_is_refused(descriptor: flight.FlightDescriptor) -> None:
    with pytest.raises(InvalidRequestError):
        read_command(descriptor)


def test_a_path_reads_the_whole_dataset() -> None:
    assert read_command(flight.FlightDescriptor.for_path("t")) == ReadCommand(dataset="t")


def test_metadata_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(MalformedDataError):
        put_metadata(pa.py_buffer(b"\xff\xff\xff"))
