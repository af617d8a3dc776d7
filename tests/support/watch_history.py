"""Records watch streams and judges them by the promises W1, W2, W4 and W6."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import Stub

Key = tuple[int, int, str, int]


@dataclass
class WatchHistory:
    """What one watcher saw over all its streams, stitched at the last whole revision."""

    token: str = ""
    revision: int = 0
    seen: list[Key] = field(default_factory=list)
    streams: int = 0

    async def follow(self, stub: Stub, *, through: int) -> None:
        """Watch from where it stands until it has reached `through`; judges on the way."""
        request = (
            pb.WatchRequest(after_token=self.token)
            if self.token
            else pb.WatchRequest(after_revision=0)
        )
        request.progress_interval.seconds = 1
        call = stub.Watch(request)
        self.streams += 1
        start = self.revision
        previous = 0
        try:
            async for response in call:
                assert response.prev_revision == previous, "a gap in the chain of revisions"
                assert response.revision >= max(previous, start), "W1: revisions decreased"
                previous = response.revision
                self._take(response)
                if not response.fragment:
                    self.token, self.revision = response.token, response.revision
                    if self.revision >= through:
                        return
        finally:
            call.cancel()

    def _take(self, response: pb.WatchResponse) -> None:
        keys = [(e.revision, e.sequence, e.subject, e.schema.version) for e in response.events]
        if response.kind == pb.WatchResponse.KIND_EVENTS:
            assert {key[0] for key in keys} == {response.revision}, "W4: more than one revision"
        else:
            assert not keys
        for key in keys:
            assert not self.seen or key > self.seen[-1], "W2: seen before"
            assert key[0] > self.revision, "W2, W6: not after the resume point"
            self.seen.append(key)
