"""Searches, differences, timelines and batches: their requests and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import grpc

from tickmesh._registry.messages import timestamp_ns, timestamp_of
from tickmesh._registry.requests import PAGE_SIZE
from tickmesh.api.registry.v1 import (
    cache_pb2,
    compatibility_pb2,
    difference_pb2,
    schema_pb2,
    search_pb2,
    selector_pb2,
    timeline_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.errors import ERROR_DOMAIN, error_class
from tickmesh.registered import (
    CacheTier,
    ColumnStep,
    Knowledge,
    MatchedField,
    PlannedColumn,
    RegisteredSchema,
    SchemaComparison,
    SchemaHit,
    StructuralChange,
    TimelineSpan,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.errors import TickmeshError
    from tickmesh.registered import FieldCondition

BATCH_SIZE = 100

VersionName: TypeAlias = tuple[str, int]
ComparedSchema: TypeAlias = "RegisteredSchema | VersionName | str"


class PagedRequest(Protocol):
    """Asks for a page."""

    page_token: str


class PageOfAnswer(Protocol):
    """A page."""

    @property
    def next_page_token(self) -> str:
        """The token of the next one; empty on the last."""


_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def batch_request(names: Sequence[VersionName]) -> wire.BatchGetSchemasRequest:
    """Many versions at once."""
    return wire.BatchGetSchemasRequest(
        requests=[
            wire.GetSchemaRequest(
                subject=selector_pb2.SubjectSelector(subject=subject, version=version)
            )
            for subject, version in names
        ]
    )


def is_too_large(result: wire.BatchGetSchemasResult) -> bool:
    """Whether the batch had no room for this answer: it can be asked for again."""
    return result.HasField("error") and result.error.reason == "LIMIT_EXCEEDED"


def batch_error(message: wire.BatchGetSchemasError) -> TickmeshError:
    """Why one of a batch could not be answered, as the single call would have raised it."""
    kind = error_class(
        domain=ERROR_DOMAIN, reason=message.reason, code=_CODES.get(message.code, "UNKNOWN")
    )
    return kind(
        message.message,
        code=_CODES.get(message.code, "UNKNOWN"),
        reason=message.reason,
        metadata=dict(message.metadata),
    )


def subjects_request(*, prefix: str, where: str, order_by: str) -> wire.ListSubjectsRequest:
    """The first page of subjects."""
    return wire.ListSubjectsRequest(
        page_size=PAGE_SIZE, prefix=prefix, filter=where, order_by=order_by
    )


def filtered_versions_request(
    subject: str, *, where: str, order_by: str
) -> wire.ListVersionsRequest:
    """The first page of a subject's versions that match."""
    return wire.ListVersionsRequest(
        subject=subject, page_size=PAGE_SIZE, filter=where, order_by=order_by
    )


def search_request(
    fields: Sequence[FieldCondition], *, where: str, latest_only: bool
) -> search_pb2.SearchSchemasRequest:
    """The first page of a search."""
    return search_pb2.SearchSchemasRequest(
        fields=[
            search_pb2.FieldCondition(
                name=each.name, path=each.path, type=each.type, role=each.role
            )
            for each in fields
        ],
        filter=where,
        latest_only=latest_only,
        page_size=PAGE_SIZE,
    )


def hit_from_wire(message: search_pb2.SearchHit, *, schema: RegisteredSchema) -> SchemaHit:
    """A version that was found."""
    return SchemaHit(
        schema=schema,
        fields=tuple(
            MatchedField(
                path=field.path,
                field_id=field.field_id,
                types=tuple(field.types),
                arrow_type=field.arrow_type,
                required=field.required,
                role=field.role,
            )
            for field in message.fields
        ),
    )


def timeline_request(
    subject: str,
    *,
    start_ns: int | None,
    end_ns: int | None,
    knowledge: Knowledge,
    known_at_ns: int | None,
) -> timeline_pb2.GetTimelineRequest:
    """The first page of a timeline."""
    return timeline_pb2.GetTimelineRequest(
        subject=subject,
        start_time=None if start_ns is None else timestamp_of(start_ns),
        end_time=None if end_ns is None else timestamp_of(end_ns),
        knowledge=timeline_pb2.TimelineKnowledge.Value(
            f"TIMELINE_KNOWLEDGE_{knowledge.value.upper()}"
        ),
        known_at=None if known_at_ns is None else timestamp_of(known_at_ns),
        page_size=PAGE_SIZE,
    )


def span_from_wire(message: timeline_pb2.TimelineSpan, *, schema: RegisteredSchema) -> TimelineSpan:
    """A span of time in which one version is in force."""
    return TimelineSpan(
        schema=schema,
        start_ns=timestamp_ns(message.start_time),
        end_ns=timestamp_ns(message.end_time) if message.HasField("end_time") else None,
    )


def difference_request(
    before: ComparedSchema, after: ComparedSchema
) -> difference_pb2.DiffSchemasRequest:
    """Two schemas to compare."""
    return difference_pb2.DiffSchemasRequest(before=_compared(before), after=_compared(after))


def comparison_from_wire(message: difference_pb2.DiffSchemasResponse) -> SchemaComparison:
    """What changes, and what becomes of every column."""
    return SchemaComparison(
        changes=tuple(
            StructuralChange(kind=change.kind, path=change.path, message=change.message)
            for change in message.changes
        ),
        columns=tuple(_planned(column) for column in message.columns),
        is_readable=message.physical == compatibility_pb2.VERDICT_COMPATIBLE,
        revision=message.revision,
    )


def cache_request() -> cache_pb2.GetCacheStatsRequest:
    """The question how the registry's caches are doing."""
    return cache_pb2.GetCacheStatsRequest()


def tier_from_wire(message: cache_pb2.CacheTier) -> CacheTier:
    """One tier of the registry's caches."""
    return CacheTier(
        name=message.name,
        hits=message.hits,
        misses=message.misses,
        evictions=message.evictions,
        entries=message.entries,
        bytes=message.bytes,
        max_bytes=message.max_bytes,
        errors=message.errors,
    )


def _planned(message: difference_pb2.ColumnPlan) -> PlannedColumn:
    step = difference_pb2.ColumnStep.Name(message.step).removeprefix("COLUMN_STEP_")
    return PlannedColumn(
        path=message.path,
        field_id=message.field_id,
        step=ColumnStep(step.lower()),
        before_type=message.before_type,
        after_type=message.after_type,
        condition=message.condition,
        default=message.default_value,
        message=message.message,
    )


def _compared(schema: ComparedSchema) -> difference_pb2.ComparedSchema:
    if isinstance(schema, str):
        return difference_pb2.ComparedSchema(
            unregistered=difference_pb2.UnregisteredSchema(
                format=schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA, text=schema
            )
        )
    if isinstance(schema, RegisteredSchema):
        schema = (schema.subject, schema.version)
    subject, version = schema
    return difference_pb2.ComparedSchema(
        subject=selector_pb2.SubjectSelector(subject=subject, version=version)
    )
