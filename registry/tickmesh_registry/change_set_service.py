"""ApplyChangeSet, between the wire and the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.registry.v1 import change_set_pb2 as pb
from tickmesh_serving.call_context import current_call

from . import wire
from .domain.errors import InvalidArgumentError
from .proposal import ChangeSet, PolicyChange, Proposal, Registration
from .requirements import of_item

if TYPE_CHECKING:
    from .application import RegistryApplication
    from .domain.compatibility import Settings


class ChangeSetService:
    """Serves ApplyChangeSet."""

    def __init__(self, application: RegistryApplication) -> None:
        self._application = application

    async def apply_change_set(
        self, request: pb.ApplyChangeSetRequest, _context: object
    ) -> pb.ApplyChangeSetResponse:
        """Serve ApplyChangeSet."""
        applied = await self._application.apply(
            ChangeSet(
                items=tuple(_item(item, position) for position, item in enumerate(request.items)),
                request_id=request.request_id,
                dry_run=request.dry_run,
            ),
            current_call(),
        )
        return pb.ApplyChangeSetResponse(
            results=map(_result, applied.results), revision=applied.revision
        )


def _item(item: pb.ChangeSetItem, position: int) -> Proposal | PolicyChange:
    kind = item.WhichOneof("change")
    if kind is None:
        raise InvalidArgumentError.of(
            f"items[{position}]", "expected a registration or a policy, got neither"
        )
    try:
        return _proposal(item.registration) if kind == "registration" else _policy(item.policy)
    except InvalidArgumentError as error:
        raise of_item(error, position, kind) from error


def _proposal(message: pb.ChangeSetRegistration) -> Proposal:
    return Proposal(
        subject=message.subject,
        format=wire.format_name(message.format),
        text=message.text,
        references=wire.references_of(message.references),
        labels=dict(message.labels),
        effective_from_ns=(
            wire.instant_ns(message.effective_from, field="effective_from")
            if message.HasField("effective_from")
            else None
        ),
        expected_version=(
            message.expected_version if message.HasField("expected_version") else None
        ),
        allow_breaking=message.allow_breaking,
        ignore_deleted=message.ignore_deleted,
        data_report=(
            wire.data_report_of(message.data_report) if message.HasField("data_report") else None
        ),
    )


def _policy(message: pb.ChangeSetPolicy) -> PolicyChange:
    return PolicyChange(message.subject, wire.settings_of(message.settings))


def _result(result: Registration | Settings) -> pb.ChangeSetResult:
    if not isinstance(result, Registration):
        return pb.ChangeSetResult(settings=wire.settings_message(result))
    return pb.ChangeSetResult(
        registered=pb.ChangeSetRegistered(
            schema=wire.version_message(result.version),
            report=wire.report_message(result.report),
            already_registered=result.already_registered,
        )
    )
