"""The RPCs that read: listings, searches, differences, timelines, batches, cache counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.registry.v1 import (
    cache_pb2,
    difference_pb2,
    search_pb2,
    timeline_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh_serving.call_context import current_call

from . import requests, wire
from .domain.errors import InvalidArgumentError, LimitExceededError, RegistryError
from .domain.paging import PAGE_BYTES
from .error_table import canonical_code
from .pages import weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from google.protobuf.message import Message

    from .application import RegistryApplication
    from .domain.versions import Version

_MAX_BATCH = 100
_MAX_DIFFERENCE_BYTES = 3 << 20


class ReadHandlers:
    """Serves what reads, beyond the single version."""

    def __init__(self, application: RegistryApplication) -> None:
        self._application = application

    def handlers(self) -> dict[str, tuple[type[Message], Callable[..., Any]]]:
        """Request types and behaviours by method."""
        return {
            "BatchGetSchemas": (pb.BatchGetSchemasRequest, self.batch_get_schemas),
            "ListSubjects": (pb.ListSubjectsRequest, self.list_subjects),
            "ListVersions": (pb.ListVersionsRequest, self.list_versions),
            "SearchSchemas": (search_pb2.SearchSchemasRequest, self.search_schemas),
            "DiffSchemas": (difference_pb2.DiffSchemasRequest, self.diff_schemas),
            "GetTimeline": (timeline_pb2.GetTimelineRequest, self.get_timeline),
            "GetCacheStats": (cache_pb2.GetCacheStatsRequest, self.get_cache_stats),
        }

    async def batch_get_schemas(
        self, request: pb.BatchGetSchemasRequest, _context: object
    ) -> pb.BatchGetSchemasResponse:
        """Serve BatchGetSchemas."""
        if not 1 <= len(request.requests) <= _MAX_BATCH:
            raise InvalidArgumentError.of(
                "requests", f"expected 1 to {_MAX_BATCH}, got {len(request.requests)}"
            )
        view = requests.view_of(request.view)
        selectors = []
        for place, each in enumerate(request.requests):
            try:
                selectors.append(requests.selector_of(each))
            except InvalidArgumentError as error:
                raise _inside(error, f"requests[{place}]") from error
        found = await self._application.lookup.get_many(
            selectors, min_revision=request.min_revision, deadline_ns=current_call().deadline_ns
        )
        results = []
        used = 0
        for answer in found.answers:
            if isinstance(answer, RegistryError):
                results.append(pb.BatchGetSchemasResult(error=_batch_error(answer)))
                continue
            message = wire.version_message(answer, view=view)
            size = message.ByteSize()
            if used and used + size > PAGE_BYTES:
                results.append(pb.BatchGetSchemasResult(error=_batch_error(_too_large(answer))))
                continue
            used += size
            results.append(pb.BatchGetSchemasResult(schema=message))
        return pb.BatchGetSchemasResponse(results=results, revision=found.revision)

    async def list_subjects(
        self, request: pb.ListSubjectsRequest, _context: object
    ) -> pb.ListSubjectsResponse:
        """Serve ListSubjects."""
        page = await self._application.listings.subjects(
            prefix=request.prefix,
            filter_text=request.filter,
            order_by=request.order_by,
            page=requests.page_of(request),
        )
        return pb.ListSubjectsResponse(
            subjects=[wire.subject_message(state) for state in page.subjects],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    async def list_versions(
        self, request: pb.ListVersionsRequest, _context: object
    ) -> pb.ListVersionsResponse:
        """Serve ListVersions."""
        view = requests.view_of(request.view)
        page = await self._application.listings.versions(
            request.subject,
            filter_text=request.filter,
            order_by=request.order_by,
            view=view,
            page=requests.page_of(request),
        )
        return pb.ListVersionsResponse(
            versions=[wire.version_message(version, view=view) for version in page.versions],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    async def search_schemas(
        self, request: search_pb2.SearchSchemasRequest, _context: object
    ) -> search_pb2.SearchSchemasResponse:
        """Serve SearchSchemas."""
        view = requests.view_of(request.view)
        page = await self._application.search.versions(
            requests.search_question_of(request), view=view, page=requests.page_of(request)
        )
        return search_pb2.SearchSchemasResponse(
            hits=[
                search_pb2.SearchHit(
                    schema=wire.version_message(hit.version, view=view),
                    fields=[
                        search_pb2.MatchedField(
                            path=facts.path,
                            field_id=field_id,
                            types=facts.types,
                            arrow_type=facts.arrow_type,
                            required=facts.required,
                            role=facts.role,
                        )
                        for facts, field_id in hit.fields
                    ],
                )
                for hit in page.hits
            ],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    async def diff_schemas(
        self, request: difference_pb2.DiffSchemasRequest, _context: object
    ) -> difference_pb2.DiffSchemasResponse:
        """Serve DiffSchemas."""
        difference = await self._application.differences.between(
            requests.compared_of(request.before, field="before"),
            requests.compared_of(request.after, field="after"),
            deadline_ns=current_call().deadline_ns,
        )
        answer = wire.difference_message(difference)
        if answer.ByteSize() > _MAX_DIFFERENCE_BYTES:
            raise LimitExceededError(
                f"the difference takes {answer.ByteSize()} bytes, more than the "
                f"{_MAX_DIFFERENCE_BYTES} an answer may hold; compare versions that lie closer",
                metadata={
                    "bytes": str(answer.ByteSize()),
                    "limit": str(_MAX_DIFFERENCE_BYTES),
                },
            )
        return answer

    async def get_timeline(
        self, request: timeline_pb2.GetTimelineRequest, _context: object
    ) -> timeline_pb2.GetTimelineResponse:
        """Serve GetTimeline."""
        view = requests.view_of(request.view)
        page = await self._application.listings.timeline(
            requests.timeline_question_of(request), view=view, page=requests.page_of(request)
        )
        return timeline_pb2.GetTimelineResponse(
            spans=[
                timeline_pb2.TimelineSpan(
                    start_time=wire.timestamp(span.start_ns),
                    end_time=None if span.end_ns is None else wire.timestamp(span.end_ns),
                    schema=wire.version_message(version, view=view),
                )
                for span, version in page.spans
            ],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    async def get_cache_stats(
        self, _request: cache_pb2.GetCacheStatsRequest, _context: object
    ) -> cache_pb2.GetCacheStatsResponse:
        """Serve GetCacheStats."""
        return cache_pb2.GetCacheStatsResponse(
            tiers=[
                cache_pb2.CacheTier(
                    name=tier.name,
                    hits=tier.hits,
                    misses=tier.misses,
                    evictions=tier.evictions,
                    entries=tier.entries,
                    bytes=tier.bytes,
                    max_bytes=tier.max_bytes,
                    errors=tier.errors,
                )
                for tier in self._application.cache_tiers()
            ]
        )


def _too_large(version: Version) -> LimitExceededError:
    return LimitExceededError(
        f"the answer holds {PAGE_BYTES} bytes already; ask for {version.subject!r} version "
        f"{version.version} alone, or in a smaller batch",
        metadata={
            "subject": version.subject,
            "version": str(version.version),
            "bytes": str(weight(version)),
            "limit": str(PAGE_BYTES),
        },
    )


def _batch_error(error: RegistryError) -> pb.BatchGetSchemasError:
    return pb.BatchGetSchemasError(
        code=canonical_code(error),
        reason=error.reason,
        message=error.message,
        metadata=error.metadata,
    )


def _inside(error: InvalidArgumentError, place: str) -> InvalidArgumentError:
    field, description = error.violations[0]
    return InvalidArgumentError.of(f"{place}.{field}", description)
