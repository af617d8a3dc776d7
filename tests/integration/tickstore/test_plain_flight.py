"""Plain pyarrow with no helper: put, read, list, act; refusals carry their status."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import commands_pb2, tick_store_service_pb2
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from tickmesh.registry import RegistryClient

pytestmark = pytest.mark.integration


def put(client: flight.FlightClient, subject: str, *tables: pa.Table) -> None:
    writer, _ = client.do_put(flight.FlightDescriptor.for_path(subject), tables[0].schema)
    for table in tables:
        writer.write_table(table)
    writer.close()


def get(client: flight.FlightClient, descriptor: flight.FlightDescriptor) -> pa.Table:
    info = client.get_flight_info(descriptor)
    parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    return pa.concat_tables(parts) if parts else info.schema.empty_table()


def acknowledgement_of(acknowledgements: Any, message: int) -> commands_pb2.PutAcknowledgement:
    """What is said of a message; what was said before is repeated each second until then."""
    while True:
        read = acknowledgements.read()
        told = commands_pb2.PutAcknowledgement.FromString(read.to_pybytes())
        assert told.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE
        assert told.through_sequence in {message - 1, message}
        if told.through_sequence == message:
            return told


def status_of(error: BaseException) -> tuple[status_pb2.Status, error_details_pb2.ErrorInfo]:
    assert isinstance(error, flight.FlightError)
    status = status_pb2.Status.FromString(error.extra_info)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.domain == "tickmesh"
    return status, info


def test_t6_rows_put_by_path_come_back_equal_and_in_order(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(1_000), trades(500, start_ns=5_000_000))
    info = plain.get_flight_info(flight.FlightDescriptor.for_path(subject))
    assert info.total_records == 1_500
    assert info.ordered
    got = get(plain, flight.FlightDescriptor.for_path(subject))
    sent = pa.concat_tables([decoded(trades(1_000)), decoded(trades(500, start_ns=5_000_000))])
    assert decoded(got).equals(sent)


def test_a_subject_nobody_registered_is_not_found_and_says_what_to_do(
    plain: flight.FlightClient,
) -> None:
    writer, _ = plain.do_put(flight.FlightDescriptor.for_path("ticks.nobody"), trades(1).schema)
    with pytest.raises(flight.FlightError) as refused:
        writer.close()
    status, info = status_of(refused.value)
    assert info.reason == "SUBJECT_NOT_FOUND"
    assert "tickmesh schema infer" in status.message
    assert "tickmesh schema register" in status.message


def test_a_bad_message_is_refused_whole_and_the_ones_before_it_stay(
    plain: flight.FlightClient, subject: str
) -> None:
    bad = trades(10).set_column(2, "price", pa.array([1.0] * 7 + [-1.0] * 3))
    with pytest.raises(flight.FlightServerError) as refused:
        put(plain, subject, trades(100), bad)
    status, info = status_of(refused.value)
    assert (info.reason, info.metadata["rowsStored"]) == ("ROWS_REFUSED", "100")
    assert (info.metadata["column"], info.metadata["rule"]) == ("price", "EXCLUSIVE_MINIMUM")
    assert info.metadata["rows"] == "3"
    assert get(plain, flight.FlightDescriptor.for_path(subject)).num_rows == 100
    assert "Traceback" not in str(refused.value) + status.message


def test_who_waits_for_an_acknowledgement_learns_of_a_refusal(
    plain: flight.FlightClient, subject: str
) -> None:
    writer, reader = plain.do_put(flight.FlightDescriptor.for_path(subject), trades(1).schema)
    acknowledgements: Any = reader
    writer.write_table(trades(5).set_column(2, "price", pa.array([-1.0] * 5)))
    told = commands_pb2.PutAcknowledgement.FromString(acknowledgements.read().to_pybytes())
    assert told.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED
    with pytest.raises(flight.FlightError):
        writer.close()


def test_acknowledgements_are_cumulative_and_durable(
    plain: flight.FlightClient, subject: str
) -> None:
    writer, reader = plain.do_put(flight.FlightDescriptor.for_path(subject), trades(1).schema)
    acknowledgements: Any = reader
    for number in range(1, 4):
        writer.write_table(trades(10))
        assert acknowledgement_of(acknowledgements, number).rows == number * 10
    writer.close()


def test_t5_the_version_in_the_schemas_metadata_is_the_one_judged_by(
    plain: flight.FlightClient, subject: str, registry: RegistryClient
) -> None:
    registry.register(subject, trades_schema(venue={"type": "string"}))
    put(plain, subject, trades(2).replace_schema_metadata({"tickmesh.version": "1"}))
    command = commands_pb2.ReadCommand(dataset=subject, stamps=True)
    rows = get(plain, flight.FlightDescriptor.for_command(pack(command)))
    assert rows.column("_schema_version").to_pylist() == [1, 1]


def test_a_command_reads_a_half_open_range(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(100))
    command = commands_pb2.ReadCommand(
        dataset=subject, start_ns=10_000, end_ns=20_000, columns=["size"]
    )
    rows = get(plain, flight.FlightDescriptor.for_command(pack(command)))
    assert rows.to_pydict() == {"size": list(range(10, 20))}


def redeem(address: str, endpoint: flight.FlightEndpoint) -> pa.Table:
    with flight.connect(f"grpc://{address}") as client:
        return client.do_get(endpoint.ticket).read_all()


def test_a_large_read_has_several_endpoints_of_one_snapshot(
    plain: flight.FlightClient, flight_address: str, subject: str
) -> None:
    many = trades(60_000)
    put(plain, subject, *[many] * 10)
    info = plain.get_flight_info(flight.FlightDescriptor.for_path(subject))
    put(plain, subject, trades(5))
    assert len(info.endpoints) > 1
    parts = [plain.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert decoded(pa.concat_tables(parts)).equals(decoded(pa.concat_tables([many] * 10)))
    # Any endpoint at any time, side by side, each on a connection of its own.
    with ThreadPoolExecutor(len(info.endpoints)) as threads:
        backwards = list(threads.map(partial(redeem, flight_address), info.endpoints[::-1]))
    assert pa.concat_tables(backwards[::-1]).equals(pa.concat_tables(parts))
    for endpoint in info.endpoints:
        for chunk in plain.do_get(endpoint.ticket):
            assert chunk.data is not None
            assert chunk.data.nbytes <= 4 * 1024 * 1024


def test_flights_are_listed_by_the_beginning_of_their_name(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(3))
    criteria: Any = subject.encode()  # the stubs say str
    (found,) = plain.list_flights(criteria)
    assert found.descriptor.path == [subject.encode()]
    assert found.total_records == 3


def test_the_schema_is_known_before_the_first_put(plain: flight.FlightClient, subject: str) -> None:
    answer: Any = plain.get_schema(flight.FlightDescriptor.for_path(subject))
    assert answer.schema.names == ["ts", "symbol", "price", "size", "note"]


def test_actions_carry_the_services_messages(plain: flight.FlightClient, subject: str) -> None:
    assert {each.type for each in plain.list_actions()} >= {"GetDataset", "OpenProducer"}
    put(plain, subject, trades(3))
    body = tick_store_service_pb2.GetDatasetRequest(dataset=subject).SerializeToString()
    (result,) = plain.do_action(flight.Action("GetDataset", body))
    answer = tick_store_service_pb2.GetDatasetResponse.FromString(result.body.to_pybytes())
    assert (answer.dataset.name, answer.dataset.row_count) == (subject, 3)


@pytest.mark.parametrize("ticket", [b"", b"ticks.trades", b"\x00" * 64])
def test_a_forged_ticket_is_refused(plain: flight.FlightClient, ticket: bytes) -> None:
    with pytest.raises(flight.FlightError) as refused:
        plain.do_get(flight.Ticket(ticket)).read_all()
    assert status_of(refused.value)[1].reason == "TICKET_INVALID"


def test_a_dataset_that_is_not_there_is_told(plain: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightError) as refused:
        plain.get_flight_info(flight.FlightDescriptor.for_path("ticks.absent"))
    assert status_of(refused.value)[1].reason == "DATASET_NOT_FOUND"


def test_t3_an_atomic_upload_without_its_marker_leaves_nothing(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(1))
    command = commands_pb2.PutCommand(dataset=subject, atomic=True)
    writer, _ = plain.do_put(flight.FlightDescriptor.for_command(pack(command)), trades(1).schema)
    writer.write_table(trades(50))
    with pytest.raises(flight.FlightError) as refused:
        writer.close()
    assert status_of(refused.value)[1].reason == "UPLOAD_INCOMPLETE"
    assert get(plain, flight.FlightDescriptor.for_path(subject)).num_rows == 1
