"""DeprecateVersion, DeleteVersion and RestoreVersion, between the wire and the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.registry.v1 import life_cycle_pb2 as pb
from tickmesh_serving.call_context import current_call

from . import wire

if TYPE_CHECKING:
    from .life_cycle import LifeCycle


class LifeCycleService:
    """Serves the RPCs that move versions between states."""

    def __init__(self, life_cycle: LifeCycle) -> None:
        self._life_cycle = life_cycle

    async def deprecate_version(
        self, request: pb.DeprecateVersionRequest, _context: object
    ) -> pb.DeprecateVersionResponse:
        """Serve DeprecateVersion."""
        moved = await self._life_cycle.deprecate(
            request.subject, request.version, request.note, current_call()
        )
        return pb.DeprecateVersionResponse(
            schema=wire.version_message(moved.version), revision=moved.revision
        )

    async def delete_version(
        self, request: pb.DeleteVersionRequest, _context: object
    ) -> pb.DeleteVersionResponse:
        """Serve DeleteVersion."""
        move = self._life_cycle.remove if request.permanent else self._life_cycle.delete
        moved = await move(request.subject, request.version, current_call())
        return pb.DeleteVersionResponse(
            schema=wire.version_message(moved.version), revision=moved.revision
        )

    async def restore_version(
        self, request: pb.RestoreVersionRequest, _context: object
    ) -> pb.RestoreVersionResponse:
        """Serve RestoreVersion."""
        moved = await self._life_cycle.restore(request.subject, request.version, current_call())
        return pb.RestoreVersionResponse(
            schema=wire.version_message(moved.version), revision=moved.revision
        )
