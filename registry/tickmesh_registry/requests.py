"""What requests of the wire ask, as the application takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tickmesh.api.registry.v1 import schema_pb2, timeline_pb2

from . import wire
from .differences import ComparedSchema, UnregisteredSchema
from .domain.errors import InvalidArgumentError
from .domain.timeline import Knowledge
from .listing import PageRequest, TimelineQuestion
from .lookup import ByFingerprint, ByNumber, BySchemaId, InForce, Latest
from .pages import View
from .searching import FieldCondition, SearchQuestion
from .store import VersionScope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from google.protobuf.timestamp_pb2 import Timestamp

    from tickmesh.api.registry.v1 import difference_pb2, search_pb2, selector_pb2
    from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

    from .lookup import Selector

    class _PagedRequest(Protocol):
        page_size: int
        page_token: str


_VIEWS: Mapping[int, View] = {
    schema_pb2.SCHEMA_VIEW_UNSPECIFIED: View.FULL,
    schema_pb2.SCHEMA_VIEW_FULL: View.FULL,
    schema_pb2.SCHEMA_VIEW_BASIC: View.BASIC,
}
_KNOWLEDGE: Mapping[int, Knowledge] = {
    timeline_pb2.TIMELINE_KNOWLEDGE_UNSPECIFIED: Knowledge.NOW,
    timeline_pb2.TIMELINE_KNOWLEDGE_NOW: Knowledge.NOW,
    timeline_pb2.TIMELINE_KNOWLEDGE_AT_INSTANT: Knowledge.AT_INSTANT,
    timeline_pb2.TIMELINE_KNOWLEDGE_AT_EACH_INSTANT: Knowledge.AT_EACH_INSTANT,
}


def selector_of(request: pb.GetSchemaRequest) -> Selector:
    """Which version is asked for; raises InvalidArgumentError when none is named."""
    match request.WhichOneof("selector"):
        case "schema_id":
            return BySchemaId(request.schema_id)
        case "fingerprint":
            return ByFingerprint(request.fingerprint)
        case "subject":
            return subject_selector_of(request.subject)
    raise InvalidArgumentError.of("selector", "expected subject, schema_id or fingerprint")


def subject_selector_of(selector: selector_pb2.SubjectSelector) -> Selector:
    """Which version of a subject is asked for; the one in force now unless it says."""
    match selector.WhichOneof("selector"):
        case "version":
            return ByNumber(selector.subject, selector.version)
        case "latest":
            return Latest(selector.subject)
    chosen = selector.in_force
    return InForce(
        selector.subject,
        at_ns=wire.instant_ns(chosen.at, field="in_force.at") if chosen.HasField("at") else None,
        known_at_ns=(
            wire.instant_ns(chosen.known_at, field="in_force.known_at")
            if chosen.HasField("known_at")
            else None
        ),
    )


def page_of(request: _PagedRequest) -> PageRequest:
    """Which page of a listing."""
    return PageRequest(size=request.page_size, token=request.page_token)


def view_of(number: int) -> View:
    """How much of a version; FULL when unspecified."""
    if number not in _VIEWS:
        raise InvalidArgumentError.of("view", f"expected a value of its enum, got {number}")
    return _VIEWS[number]


def timeline_question_of(request: timeline_pb2.GetTimelineRequest) -> TimelineQuestion:
    """Which part of a subject's time, as known when."""
    if request.knowledge not in _KNOWLEDGE:
        raise InvalidArgumentError.of(
            "knowledge", f"expected a value of its enum, got {request.knowledge}"
        )

    def instant(name: Literal["start_time", "end_time", "known_at"]) -> int | None:
        message: Timestamp = getattr(request, name)
        return wire.instant_ns(message, field=name) if request.HasField(name) else None

    return TimelineQuestion(
        request.subject,
        start_ns=instant("start_time"),
        end_ns=instant("end_time"),
        knowledge=_KNOWLEDGE[request.knowledge],
        known_at_ns=instant("known_at"),
    )


def search_question_of(request: search_pb2.SearchSchemasRequest) -> SearchQuestion:
    """What is searched for."""
    return SearchQuestion(
        fields=tuple(
            FieldCondition(name=each.name, path=each.path, type=each.type, role=each.role)
            for each in request.fields
        ),
        filter_text=request.filter,
        scope=VersionScope.LATEST if request.latest_only else VersionScope.EVERY,
    )


def compared_of(message: difference_pb2.ComparedSchema, *, field: str) -> ComparedSchema:
    """One side of a difference; raises InvalidArgumentError when none is named."""
    match message.WhichOneof("schema"):
        case "subject":
            return subject_selector_of(message.subject)
        case "schema_id":
            return BySchemaId(message.schema_id)
        case "unregistered":
            given = message.unregistered
            return UnregisteredSchema(
                text=given.text,
                format=wire.format_name(given.format),
                references=wire.references_of(given.references),
            )
    raise InvalidArgumentError.of(field, "expected subject, schema_id or unregistered")
