"""What a plain pyarrow client sees of the policies on the Flight port."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.integration.serving.sample_service import LEAK, SCHEMA, acknowledged, build, one_row
from tickmesh._wire.status import error_from_flight
from tickmesh.errors import (
    InternalError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
)
from tickmesh_serving.config import ServingConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh_serving.server import ServiceProcess

FAIL = flight.FlightDescriptor.for_path("fail")
ECHO = flight.Action("Echo", b"")
MISSING = flight.FlightDescriptor.for_path("missing")
OTHER = flight.FlightDescriptor.for_path("other")


@pytest.fixture
def client(server: ServiceProcess) -> Iterator[flight.FlightClient]:
    with flight.connect(f"grpc://{server.addresses['flight']}") as client:
        yield client


def put(client: flight.FlightClient, descriptor: flight.FlightDescriptor) -> None:
    writer, _reader = client.do_put(descriptor, SCHEMA)
    writer.write_batch(one_row())
    writer.close()


def _schema_of(client: flight.FlightClient) -> object:
    # The stubs say that this is a Schema; pyarrow answers a SchemaResult around it.
    return getattr(client.get_schema(OTHER), "schema", None)


def exchange(client: flight.FlightClient) -> None:
    writer, reader = client.do_exchange(OTHER)
    with contextlib.suppress(flight.FlightError):
        writer.done_writing()
    reader.read_all()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda client: put(client, FAIL), id="DoPut"),
        pytest.param(lambda client: client.do_get(flight.Ticket(b"fail")).read_all(), id="DoGet"),
        pytest.param(
            lambda client: client.do_get(flight.Ticket(b"fail-later")).read_all(), id="mid-stream"
        ),
        pytest.param(exchange, id="DoExchange"),
        pytest.param(lambda client: client.get_flight_info(OTHER), id="GetFlightInfo"),
        pytest.param(lambda client: list(client.list_flights()), id="ListFlights"),
        pytest.param(
            lambda client: list(client.do_action(flight.Action("Fail", b""))), id="DoAction"
        ),
    ],
)
async def test_bug_in_any_handler_shows_nothing_but_an_error_id(
    client: flight.FlightClient, use: Callable[[flight.FlightClient], object]
) -> None:
    with pytest.raises(flight.FlightInternalError) as caught:
        await asyncio.to_thread(use, client)
    sent = str(caught.value) + caught.value.extra_info.decode("utf-8", "replace")
    for word in (*LEAK.split(), "Traceback", "ValueError", ".py"):
        assert word not in sent
    error = error_from_flight(caught.value)
    assert isinstance(error, InternalError)
    assert len(error.metadata["errorId"]) == 32


async def test_bug_in_get_schema_which_pyarrow_does_not_guard_shows_no_traceback(
    client: flight.FlightClient,
) -> None:
    with pytest.raises(pa.ArrowException) as caught:
        await asyncio.to_thread(client.get_schema, FAIL)
    sent = str(caught.value)
    assert "error id" in sent
    for word in (*LEAK.split(), "Traceback", "ValueError", ".py"):
        assert word not in sent


async def test_missing_schema_is_arrows_key_error_for_want_of_extra_info(
    client: flight.FlightClient,
) -> None:
    with pytest.raises(KeyError) as caught:
        await asyncio.to_thread(client.get_schema, MISSING)
    error = error_from_flight(caught.value)
    assert isinstance(error, NotFoundError)
    assert "no thing of this name" in error.message
    assert "Traceback" not in error.message


async def test_domain_error_arrives_in_extra_info_as_its_class(client: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightServerError) as caught:
        await asyncio.to_thread(lambda: client.do_get(flight.Ticket(b"missing")).read_all())
    error = error_from_flight(caught.value)
    assert isinstance(error, NotFoundError)
    assert error.reason == "THING_NOT_FOUND"


async def test_what_does_not_fail_arrives(client: flight.FlightClient) -> None:
    def use() -> None:
        put(client, OTHER)
        assert client.do_get(flight.Ticket(b"one")).read_all().num_rows == 1
        assert _schema_of(client) == SCHEMA
        assert [action.type for action in client.list_actions()] == ["Echo", "Fail"]
        (answer,) = client.do_action(flight.Action("Echo", b"hello"))
        assert answer.body.to_pybytes() == b"hello"

    await asyncio.to_thread(use)


async def test_request_id_of_the_client_is_the_handlers(client: flight.FlightClient) -> None:
    name: Any = (b"x-request-id", b"mine-1")  # the stubs say str; pyarrow wants bytes
    options = flight.FlightCallOptions(headers=[name])
    (answer,) = await asyncio.to_thread(lambda: list(client.do_action(ECHO, options)))
    assert answer.body.to_pybytes() == b"mine-1"


async def test_unknown_action_is_unimplemented(client: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightServerError) as caught:
        await asyncio.to_thread(lambda: list(client.do_action(flight.Action("Nothing", b""))))
    assert isinstance(error_from_flight(caught.value), UnimplementedError)


async def test_streams_beyond_the_limit_are_refused_and_places_come_back(
    client: flight.FlightClient,
) -> None:
    """T11: threads are bounded, because each stream holds one."""

    def use() -> None:
        open_puts = [client.do_put(OTHER, SCHEMA) for _ in range(4)]
        for writer, reader in open_puts:  # an answer proves that the stream is in its handler
            writer.write_batch(one_row())
            assert acknowledged(reader)
        with pytest.raises(flight.FlightUnavailableError) as caught:
            client.do_get(flight.Ticket(b"one")).read_all()
        error = error_from_flight(caught.value)
        assert isinstance(error, ResourceExhaustedError)
        assert (error.reason, error.metadata) == ("TOO_MANY_STREAMS", {"maxStreams": "4"})
        assert error.retryable
        assert list(client.do_action(ECHO))  # calls that are no streams still pass
        for writer, _reader in open_puts:
            writer.close()
        assert client.do_get(flight.Ticket(b"one")).read_all().num_rows == 1

    await asyncio.to_thread(use)


async def test_streams_of_one_principal_have_a_limit_of_their_own() -> None:
    """T11: nobody alone takes every thread."""
    process = build(ServingConfig(drain_seconds=2.0), max_streams_per_principal=1)
    await process.start()

    def use() -> None:
        with flight.connect(f"grpc://{process.addresses['flight']}") as client:
            writer, reader = client.do_put(OTHER, SCHEMA)
            writer.write_batch(one_row())
            assert acknowledged(reader)
            with pytest.raises(flight.FlightUnavailableError) as caught:
                client.do_get(flight.Ticket(b"one")).read_all()
            error = error_from_flight(caught.value)
            assert error.metadata == {"maxStreams": "1", "principal": "anonymous"}
            assert error.retryable
            assert list(client.do_action(ECHO))
            writer.close()
            assert client.do_get(flight.Ticket(b"one")).read_all().num_rows == 1

    try:
        await asyncio.to_thread(use)
    finally:
        await process.stop()


async def test_draining_server_refuses_new_streams_and_follows_end_by_themselves(
    server: ServiceProcess, client: flight.FlightClient
) -> None:
    reader = await asyncio.to_thread(lambda: client.do_get(flight.Ticket(b"follow")))
    await asyncio.to_thread(reader.read_chunk)
    await server.drain()
    await asyncio.to_thread(reader.read_all)  # ends, because the handler polls call.draining
    with pytest.raises(flight.FlightUnavailableError) as caught:
        await asyncio.to_thread(lambda: client.do_get(flight.Ticket(b"one")).read_all())
    error = error_from_flight(caught.value)
    assert isinstance(error, UnavailableError)
    assert error.reason == "DRAINING"


async def test_metrics_count_a_stream_when_it_ends(
    server: ServiceProcess, client: flight.FlightClient
) -> None:
    await asyncio.to_thread(lambda: client.do_get(flight.Ticket(b"one")).read_all())
    labels = {"transport": "flight", "method": "DoGet", "code": "OK"}
    # The server closes its books after the client has seen the end.
    for _ in range(200):
        if server.metrics.get_sample_value("tickmesh_rpc_calls_total", labels) == 1:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the stream was never counted")
