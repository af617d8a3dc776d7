"""One status on the wire: bounded, one ErrorInfo, read back as the error it was."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import flight

from tickmesh import errors
from tickmesh._wire.metadata import RETRY_PUSHBACK, STATUS_DETAILS
from tickmesh._wire.status import (
    MAX_STATUS_BYTES,
    build_status,
    error_from_flight,
    error_from_rpc,
    error_from_status,
    flight_error,
    trailing_metadata,
)


@settings(deadline=None, max_examples=60)
@given(
    message=st.text(max_size=5000),
    metadata=st.dictionaries(st.text(min_size=1, max_size=80), st.text(max_size=800), max_size=40),
    violations=st.lists(st.tuples(st.text(max_size=400), st.text(max_size=900)), max_size=40),
    code=st.sampled_from([grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION]),
)
def test_status_stays_under_four_kilobytes_with_exactly_one_error_info(
    message: str,
    metadata: dict[str, str],
    violations: list[tuple[str, str]],
    code: grpc.StatusCode,
) -> None:
    status = build_status(
        code,
        reason="TOO_MUCH",
        message=message,
        metadata=metadata,
        violations=violations,
        resource=("subject", message),
        retry_after_seconds=1.5,
        request_id="r-1",
    )
    assert status.ByteSize() <= MAX_STATUS_BYTES
    infos = [d for d in status.details if d.TypeName() == "google.rpc.ErrorInfo"]
    assert len(infos) == 1
    kinds = [detail.type_url for detail in status.details]
    assert len(kinds) == len(set(kinds))  # each detail at most once


def test_what_was_said_is_what_is_read() -> None:
    status = build_status(
        grpc.StatusCode.FAILED_PRECONDITION,
        reason="INCOMPATIBLE_SCHEMA",
        message="expected a compatible schema",
        metadata={"subject": "ticks"},
        violations=[("/properties/price", "number became string")],
        resource=("subject", "ticks"),
        retry_after_seconds=2.0,
        request_id="r-1",
    )
    error = error_from_status(status)
    assert isinstance(error, errors.IncompatibleSchemaError)
    assert error.code == "FAILED_PRECONDITION"
    assert error.metadata == {"subject": "ticks"}
    assert error.violations == (errors.Violation("/properties/price", "number became string"),)
    assert error.resource == errors.ResourceName("subject", "ticks")
    assert (error.retry_after_seconds, error.retryable) == (2.0, True)
    assert error.request_id == "r-1"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED", errors.RevisionCompactedError),
        (grpc.StatusCode.OUT_OF_RANGE, "REVISION_IN_FUTURE", errors.OutOfRangeError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_WATCHER", errors.WatchLaggedError),
        (grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_CHANGED", errors.EpochChangedError),
        (grpc.StatusCode.ABORTED, "VERSION_CONFLICT", errors.ConflictError),
        (grpc.StatusCode.NOT_FOUND, "ANYTHING_NEW", errors.NotFoundError),
    ],
)
def test_class_follows_from_reason_then_code(
    code: grpc.StatusCode, reason: str, kind: type[errors.TickmeshError]
) -> None:
    status = build_status(code, reason=reason, message="m")
    assert type(error_from_status(status)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, flight.FlightUnavailableError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, flight.FlightUnavailableError),
        (grpc.StatusCode.UNAUTHENTICATED, flight.FlightUnauthenticatedError),
        (grpc.StatusCode.PERMISSION_DENIED, flight.FlightUnauthorizedError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, flight.FlightTimedOutError),
        (grpc.StatusCode.INTERNAL, flight.FlightInternalError),
        (grpc.StatusCode.NOT_FOUND, flight.FlightServerError),
        (grpc.StatusCode.CANCELLED, flight.FlightServerError),
    ],
)
def test_flight_class_is_the_nearest_and_extra_info_is_the_truth(
    code: grpc.StatusCode, kind: type[Exception]
) -> None:
    raised = flight_error(build_status(code, reason="SOMETHING", message="m"))
    assert type(raised) is kind
    read = error_from_flight(raised)
    assert (read.code, read.reason) == (code.name, "SOMETHING")


def test_retry_delay_travels_as_pushback_too_because_grpc_obeys_nothing_else() -> None:
    status = build_status(
        grpc.StatusCode.UNAVAILABLE, reason="DRAINING", message="m", retry_after_seconds=1.25
    )
    trailers = dict(trailing_metadata(status))
    assert trailers[RETRY_PUSHBACK] == "1250"
    assert trailers[STATUS_DETAILS] == status.SerializeToString()


def test_peer_that_is_no_server_of_ours_still_gives_one_of_our_errors() -> None:
    error = error_from_rpc(grpc.RpcError(), address="h:1")
    assert type(error) is errors.TickmeshError
    gone = error_from_flight(flight.FlightUnavailableError("connection refused"), address="h:1")
    assert isinstance(gone, errors.UnavailableError)
    assert "h:1" in gone.message
    assert gone.next_command == "tickmesh up"


class EndedCall(grpc.RpcError):
    """A call that ended with CANCELLED."""

    def __init__(self, details: str) -> None:
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.CANCELLED

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[()]:
        return ()


def test_call_that_the_server_cancelled_may_be_made_again_one_that_we_cancelled_may_not() -> None:
    stopped = error_from_rpc(EndedCall("CANCELLED"), address="h:1")
    assert isinstance(stopped, errors.UnavailableError)
    assert "h:1" in stopped.message
    own = error_from_rpc(EndedCall("Locally cancelled by application!"), address="h:1")
    assert not own.retryable


def test_message_and_its_violations_do_not_say_the_same_thing_twice() -> None:
    error = errors.InvalidArgumentError(
        "size: expected a whole number",
        violations=[
            errors.Violation("size", "expected a whole number"),
            errors.Violation("price", "expected a number"),
        ],
    )
    assert str(error) == "size: expected a whole number\n  price: expected a number"


def test_reason_must_be_a_stable_name() -> None:
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        build_status(grpc.StatusCode.INTERNAL, reason="not a reason", message="m")
