"""What a caller is told about a failure, and what only the log is."""

from __future__ import annotations

import grpc
import pytest
from structlog.testing import capture_logs

from tickmesh._wire.status import parse_status
from tickmesh.errors import ConfigError, InternalError, NotFoundError, TickmeshError
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.errors import ErrorTable

CALL = CallContext.internal("test", request_id="r-1")
SECRET = "/etc/passwd SELECT * FROM users"


class Fixed:
    def new_id(self) -> str:
        return "error-1"


class DomainError(Exception):
    reason = "SUBJECT_NOT_FOUND"
    message = "no subject ticks"
    violations = (("subject", "list the subjects"),)
    resource = ("subject", "ticks")
    retry_after_seconds = 0.5

    def __init__(self) -> None:
        self.metadata = {"subject": "ticks", "versions": 3}


class NarrowerError(DomainError):
    pass


TABLE = ErrorTable({DomainError: grpc.StatusCode.NOT_FOUND}, ids=Fixed())


@pytest.mark.parametrize("raised", [DomainError(), NarrowerError()])
def test_domain_errors_are_read_by_attribute_and_subclasses_inherit_the_entry(
    raised: Exception,
) -> None:
    told = parse_status(TABLE.to_status(raised, CALL))
    assert told.code is grpc.StatusCode.NOT_FOUND
    assert (told.reason, told.domain, told.message) == (
        "SUBJECT_NOT_FOUND",
        "tickmesh",
        "no subject ticks",
    )
    assert told.metadata == {"subject": "ticks", "versions": "3"}
    assert told.resource == ("subject", "ticks")
    assert told.retry_after_seconds == 0.5
    assert told.request_id == "r-1"


@pytest.mark.parametrize(
    "raised",
    [
        ValueError(SECRET),
        OSError(2, "No such file", SECRET),
        AssertionError(SECRET),
        KeyError(SECRET),
        ConfigError(SECRET),
        TickmeshError(SECRET),
        SystemExit(SECRET),
    ],
)
def test_unknown_exception_tells_the_caller_an_error_id_and_the_log_everything(
    raised: BaseException,
) -> None:
    with capture_logs() as logs:
        status = TABLE.to_status(raised, CALL)
    assert b"passwd" not in status.SerializeToString()
    told = parse_status(status)
    assert (told.code, told.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert told.metadata == {"errorId": "error-1"}
    (entry,) = logs
    assert (entry["error_id"], entry["exc_info"]) == ("error-1", raised)


def test_refusal_of_another_service_passes_through_unchanged() -> None:
    told = parse_status(
        TABLE.to_status(NotFoundError("no dataset", reason="DATASET_NOT_FOUND"), CALL)
    )
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "DATASET_NOT_FOUND")
    assert parse_status(TABLE.to_status(InternalError("theirs"), CALL)).reason == "INTERNAL"


def test_timeout_is_deadline_exceeded_and_tells_nothing_else() -> None:
    status = TABLE.to_status(TimeoutError(SECRET), CALL)
    assert parse_status(status).code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert b"passwd" not in status.SerializeToString()
