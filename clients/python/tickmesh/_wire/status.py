"""The one error model on the wire: `google.rpc.Status` with exactly one `ErrorInfo` (AIP-193).

gRPC carries it in its trailers; Flight carries it in `FlightError.extra_info`, beside the nearest
of the few codes that a pyarrow server can send. Clients read the status alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from tickmesh._wire import metadata as keys
from tickmesh._wire.unreachable import why_unreachable
from tickmesh.errors import ERROR_DOMAIN, ResourceName, TickmeshError, Violation, error_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyarrow import flight

__all__ = [
    "ERROR_DOMAIN",
    "MAX_STATUS_BYTES",
    "ParsedStatus",
    "build_status",
    "error_from_flight",
    "error_from_rpc",
    "error_from_status",
    "flight_error",
    "parse_status",
    "trailing_metadata",
]

MAX_STATUS_BYTES = 4096
"""Bound of a whole status: gRPC refuses trailers over 16 kB; long reports belong in responses."""

# How gRPC words the end of a call that this side wanted.
_OWN_CANCELLATION = ("Locally cancelled", "Channel closed")
_MAX_MESSAGE_CHARACTERS = 700
_MAX_VALUE_CHARACTERS = 200
_MAX_METADATA_BYTES = 1400
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]")
_CODE_BY_NUMBER: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class ParsedStatus:
    """A `google.rpc.Status`, read. Fields are those of `TickmeshError`."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    resource: ResourceName | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None


def build_status(
    code: grpc.StatusCode,
    *,
    reason: str,
    message: str,
    metadata: Mapping[str, str] = MappingProxyType({}),
    violations: Iterable[tuple[str, str]] = (),
    resource: tuple[str, str] | None = None,
    retry_after_seconds: float | None = None,
    request_id: str | None = None,
) -> status_pb2.Status:
    """Build a status of at most `MAX_STATUS_BYTES`; what does not fit is cut, the ErrorInfo stays.

    Args:
        code: the canonical code.
        reason: UPPER_SNAKE name of the cause, at most 63 characters.
        message: what was expected, what came, what to do.
        metadata: every dynamic value of the message, by lowerCamel name.
        violations: (field, description) pairs: BadRequest, or PreconditionFailure where the code is
            FAILED_PRECONDITION. As many as fit are sent.
        resource: (type, name) of what was not found, or exists already.
        retry_after_seconds: when a retry makes sense.
        request_id: the call's id.

    Raises:
        ValueError: the reason is no UPPER_SNAKE name: a defect of the caller.
    """
    if not _REASON.fullmatch(reason):
        raise ValueError(f"expected an UPPER_SNAKE reason of 2 to 63 characters, was {reason!r}")
    status = status_pb2.Status(code=code.value[0], message=_cut(message, _MAX_MESSAGE_CHARACTERS))
    info = error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN)
    room = _MAX_METADATA_BYTES
    for key, value in metadata.items():
        value_sent = _cut(value, _MAX_VALUE_CHARACTERS)
        room -= len(key) + len(value_sent.encode())
        if room < 0:
            break
        info.metadata[key[:64]] = value_sent
    details: list[Message] = [info]
    if request_id:
        details.append(error_details_pb2.RequestInfo(request_id=request_id[:128]))
    if retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(retry_after_seconds * 1e9))
        details.append(retry)
    if resource is not None:
        details.append(
            error_details_pb2.ResourceInfo(
                resource_type=_cut(resource[0], 64), resource_name=_cut(resource[1], 256)
            )
        )
    for detail in details:
        status.details.append(_pack(detail))
    _add_violations(status, code, [Violation(*pair) for pair in violations])
    return status


def parse_status(status: status_pb2.Status) -> ParsedStatus:
    """Read a status; unknown details are passed over."""
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    retry = error_details_pb2.RetryInfo()
    resource = error_details_pb2.ResourceInfo()
    bad = error_details_pb2.BadRequest()
    failure = error_details_pb2.PreconditionFailure()
    found = {
        type(target)
        for detail in status.details
        for target in (info, request, retry, resource, bad, failure)
        if detail.TypeName() == target.DESCRIPTOR.full_name and detail.Unpack(target)
    }
    return ParsedStatus(
        code=_CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN),
        message=status.message,
        reason=info.reason,
        domain=info.domain,
        metadata=dict(info.metadata),
        violations=tuple(
            [Violation(item.field, item.description) for item in bad.field_violations]
            + [Violation(item.subject, item.description) for item in failure.violations]
        ),
        resource=(
            ResourceName(resource.resource_type, resource.resource_name)
            if type(resource) in found
            else None
        ),
        retry_after_seconds=(
            retry.retry_delay.ToNanoseconds() / 1e9 if type(retry) in found else None
        ),
        request_id=request.request_id or None,
    )


def trailing_metadata(status: status_pb2.Status) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailers of a failed gRPC call: details, and the pushback gRPC's retry obeys."""
    trailers: list[tuple[str, str | bytes]] = [(keys.STATUS_DETAILS, status.SerializeToString())]
    delay = parse_status(status).retry_after_seconds
    if delay is not None:
        trailers.append((keys.RETRY_PUSHBACK, str(max(0, round(delay * 1000)))))
    return tuple(trailers)


def error_from_status(status: status_pb2.Status) -> TickmeshError:
    """Turn a status into the error of its (domain, reason), else of its code."""
    return _error(parse_status(status))


def error_from_rpc(error: grpc.RpcError, *, address: str | None = None) -> TickmeshError:
    """Turn a failed gRPC call, synchronous or asyncio, into an error of ours.

    Args:
        error: what the call raised.
        address: of the peer, for the message where it could not be reached at all.
    """
    code = _call(error, "code")
    known_code = code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN
    trailers = cast("grpc.aio.Metadata", _call(error, "trailing_metadata") or ())
    for key, value in trailers:
        if key == keys.STATUS_DETAILS:
            status = _decode(value)
            if status is not None:
                return error_from_status(status)
    text = str(_call(error, "details") or "")
    if known_code is grpc.StatusCode.CANCELLED and not text.startswith(_OWN_CANCELLATION):
        known_code, text = grpc.StatusCode.UNAVAILABLE, "it ended the call; it may be stopping"
    return _bare_error(known_code, text, address=address)


def error_from_flight(error: Exception, *, address: str | None = None) -> TickmeshError:
    """Turn a failed Flight call into an error of ours; `extra_info` decides where it is there.

    Args:
        error: what the call raised: a `FlightError`, or another Arrow error.
        address: of the peer, for the message where it could not be reached at all.
    """
    from pyarrow import flight

    extra = getattr(error, "extra_info", b"")
    status = _decode(extra) if extra else None
    if status is not None:
        return error_from_status(status)
    codes: Sequence[tuple[type[Exception], grpc.StatusCode]] = (
        (flight.FlightUnavailableError, grpc.StatusCode.UNAVAILABLE),
        (flight.FlightUnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
        (flight.FlightUnauthorizedError, grpc.StatusCode.PERMISSION_DENIED),
        (flight.FlightTimedOutError, grpc.StatusCode.DEADLINE_EXCEEDED),
        (flight.FlightCancelledError, grpc.StatusCode.CANCELLED),
        (flight.FlightInternalError, grpc.StatusCode.INTERNAL),
        (NotImplementedError, grpc.StatusCode.UNIMPLEMENTED),
        (KeyError, grpc.StatusCode.NOT_FOUND),
        (ValueError, grpc.StatusCode.INVALID_ARGUMENT),
    )
    code = next((code for kind, code in codes if isinstance(error, kind)), grpc.StatusCode.UNKNOWN)
    return _bare_error(code, str(error), address=address)


def flight_error(status: status_pb2.Status) -> flight.FlightError:
    """Return the Flight error that carries a status in `extra_info`.

    A pyarrow server can send `extra_info` with six codes only, so the class beside it is the
    nearest: UNAVAILABLE for whatever is worth a retry, FlightServerError for all the rest.
    """
    from pyarrow import flight

    code = _CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    kinds: Mapping[grpc.StatusCode, type[flight.FlightError]] = {
        grpc.StatusCode.UNAVAILABLE: flight.FlightUnavailableError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: flight.FlightUnavailableError,
        grpc.StatusCode.UNAUTHENTICATED: flight.FlightUnauthenticatedError,
        grpc.StatusCode.PERMISSION_DENIED: flight.FlightUnauthorizedError,
        grpc.StatusCode.DEADLINE_EXCEEDED: flight.FlightTimedOutError,
        grpc.StatusCode.INTERNAL: flight.FlightInternalError,
    }
    kind = kinds.get(code, flight.FlightServerError)
    return kind(status.message, status.SerializeToString())


def _error(parsed: ParsedStatus) -> TickmeshError:
    kind = error_class(domain=parsed.domain, reason=parsed.reason, code=parsed.code.name)
    return kind(
        parsed.message,
        code=parsed.code.name,
        reason=parsed.reason,
        domain=parsed.domain,
        metadata=parsed.metadata,
        request_id=parsed.request_id,
        violations=parsed.violations,
        resource=parsed.resource,
        retry_after_seconds=parsed.retry_after_seconds,
    )


def _bare_error(code: grpc.StatusCode, text: str, *, address: str | None) -> TickmeshError:
    """An error without a status of ours: the transport failed, or the peer is no server of ours."""
    message, reason = text or f"the call ended with {code.name} and no message", ""
    if code is grpc.StatusCode.UNAVAILABLE:
        reason, message = why_unreachable(text, address=address)
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason = "DEADLINE_EXCEEDED"
        message = f"no answer from {address or 'the server'} before the deadline"
    return _error(ParsedStatus(code=code, message=message, reason=reason))


def _call(error: grpc.RpcError, name: str) -> object:
    """A `grpc.RpcError` is untyped; the ones that calls raise are `grpc.Call`s as well."""
    method = getattr(error, name, None)
    return method() if callable(method) else None


def _decode(serialized: object) -> status_pb2.Status | None:
    if not isinstance(serialized, bytes):
        return None
    try:
        return status_pb2.Status.FromString(serialized)
    except DecodeError:
        return None


def _pack(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _add_violations(
    status: status_pb2.Status, code: grpc.StatusCode, violations: Sequence[Violation]
) -> None:
    """Add the one detail that lists violations, with as many of them as the bound allows."""
    room = MAX_STATUS_BYTES - status.ByteSize() - 100  # the detail's own type URL and lengths
    bad = error_details_pb2.BadRequest()
    failure = error_details_pb2.PreconditionFailure()
    for violation in violations:
        path, description = _cut(violation.field, 200), _cut(violation.description, 400)
        room -= len(path.encode()) + len(description.encode()) + len(ERROR_DOMAIN) + 16
        if room < 0:
            break
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            failure.violations.add(type=ERROR_DOMAIN, subject=path, description=description)
        else:
            bad.field_violations.add(field=path, description=description)
    if bad.field_violations:
        status.details.append(_pack(bad))
    if failure.violations:
        status.details.append(_pack(failure))
