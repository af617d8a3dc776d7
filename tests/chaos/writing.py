"""A writer that records what it asked for and what it was told."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from tests.chaos import schemas
from tests.chaos.change_log import text_digest
from tests.chaos.history import Read, Write, now_ns
from tests.chaos.watching import OWN_CONNECTION
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import (
    change_set_pb2,
    compatibility_pb2,
    life_cycle_pb2,
    schema_registry_service_pb2_grpc,
    selector_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from tests.chaos.history import History
    from tickmesh.errors import TickmeshError

DEADLINE_SECONDS = 2.0
_UNKNOWN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN")
_RETRY_SECONDS = 0.1
DESKS = ("equities", "crypto")
"""Values of the label `desk` of registrations; which one, the text decides."""
_FULL = compatibility_pb2.CompatibilitySettings(mode=compatibility_pb2.COMPATIBILITY_MODE_FULL)


class Writer:
    """Writes and reads by the plain stub, on a connection of its own.

    A write of unknown outcome is tried again under its request id, so that it is done once; what
    stays unknown is told by the log, which names every text.

    Args:
        name: What the history calls it.
        history: Takes what it does.
        address: Where it connects to, asked for anew with every connection.
        rng: For unique names.
        attempts: How often a write is tried.
        deadline_seconds: Of every call.
    """

    def __init__(
        self,
        name: str,
        history: History,
        address: Callable[[], str],
        *,
        rng: random.Random,
        attempts: int = 5,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.name = name
        self.revision = 0
        self._history = history
        self._address = address
        self._rng = rng
        self._attempts = attempts
        self._deadline_seconds = deadline_seconds
        self._ends = AsyncExitStack()
        self._stub: Any = None

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._ends.aclose()

    def new_unique(self) -> str:
        """A name no other text has."""
        return f"{self.name}-{self._rng.getrandbits(64):016x}"

    async def register(
        self,
        subject: str,
        *,
        kind: str = "register",
        text: str = "",
        group: str = "",
        expected_version: int | None = None,
        request_id: str = "",
    ) -> Write:
        """Register a text, by default a compatible one of its own.

        Args:
            subject: The subject.
            kind: register, breaking (to be refused), force (allowed to break), race, or replay.
            text: Another text than the kind's own.
            group: Names writes that exclude each other.
            expected_version: For a compare-and-swap.
            request_id: That of an earlier write, for a replay.
        """
        unique = self.new_unique()
        breaks = kind in ("breaking", "force")
        text = text or (schemas.breaking(unique) if breaks else schemas.compatible(unique))
        request = pb.RegisterSchemaRequest(
            subject=subject,
            text=text,
            labels={"desk": DESKS[int(text_digest(text), 16) % len(DESKS)]},
            request_id=request_id or unique,
            allow_breaking=kind == "force",
            expected_version=expected_version,
        )
        called_ns = now_ns()
        answer, error = await self._call("RegisterSchema", request, attempts=self._attempts)
        return self._wrote(
            unique,
            kind,
            subject,
            group=group,
            called_ns=called_ns,
            error=error,
            revision=answer.revision if answer else 0,
            version=answer.schema.version if answer else 0,
            already=answer.already_registered if answer else False,
            digest=text_digest(text),
        )

    async def change_set(self, prefix: str, *, count: int = 3, padding: int = 0) -> Write:
        """Register on several new subjects and set the policy of one, all or nothing.

        Args:
            prefix: Of the subjects' names.
            count: How many registrations.
            padding: Makes each text so much longer.
        """
        unique = self.new_unique()
        subjects = [f"{prefix}.{unique}.{number}" for number in range(count)]
        texts = [schemas.compatible(subject, padding=padding) for subject in subjects]
        items = [
            change_set_pb2.ChangeSetItem(
                registration=change_set_pb2.ChangeSetRegistration(subject=subject, text=text)
            )
            for subject, text in zip(subjects, texts, strict=True)
        ]
        items.append(
            change_set_pb2.ChangeSetItem(
                policy=change_set_pb2.ChangeSetPolicy(subject=subjects[0], settings=_FULL)
            )
        )
        request = change_set_pb2.ApplyChangeSetRequest(items=items, request_id=unique)
        called_ns = now_ns()
        answer, error = await self._call("ApplyChangeSet", request, attempts=self._attempts)
        return self._wrote(
            unique,
            "change_set",
            subjects[0],
            called_ns=called_ns,
            error=error,
            revision=answer.revision if answer else 0,
            changes=len(items),
            digest=text_digest(texts[0]),
        )

    async def live_and_die(self, subject: str) -> None:
        """Register on a subject of its own, and move the version through its states.

        Nobody else moves it, so each step is a change; a step of unknown outcome is the last one.
        """
        registered = await self.register(subject)
        steps = (
            ("deprecate", "DeprecateVersion", life_cycle_pb2.DeprecateVersionRequest),
            ("delete", "DeleteVersion", life_cycle_pb2.DeleteVersionRequest),
            ("restore", "RestoreVersion", life_cycle_pb2.RestoreVersionRequest),
            ("delete", "DeleteVersion", life_cycle_pb2.DeleteVersionRequest),
        )
        if registered.outcome != "ok":
            return
        for kind, method, request_type in steps:
            request = request_type(subject=subject, version=registered.version)
            called_ns = now_ns()
            answer, error = await self._call(method, request, attempts=1)
            write = self._wrote(
                self.new_unique(),
                kind,
                subject,
                called_ns=called_ns,
                error=error,
                revision=answer.revision if answer else 0,
                version=registered.version if answer else 0,
            )
            if write.outcome != "ok":
                return

    async def set_policy(self) -> Write:
        """Set the mode of a subject that nobody else has, which is always a change."""
        unique = self.new_unique()
        subject = f"p.{unique}"
        request = pb.SetCompatibilityRequest(
            subject=subject,
            settings=_FULL,
        )
        called_ns = now_ns()
        answer, error = await self._call("SetCompatibility", request, attempts=1)
        return self._wrote(
            unique,
            "policy",
            subject,
            called_ns=called_ns,
            error=error,
            revision=answer.revision if answer else 0,
        )

    async def read_latest(self, subject: str, *, min_revision: int) -> Read:
        """Read the latest version, of a revision or later."""
        request = pb.GetSchemaRequest(
            subject=selector_pb2.SubjectSelector(
                subject=subject, latest=selector_pb2.LatestSelector()
            ),
            min_revision=min_revision,
        )
        called_ns = now_ns()
        answer, error = await self._call("GetSchema", request, attempts=1)
        read = Read(
            subject=subject,
            min_revision=min_revision,
            called_ns=called_ns,
            returned_ns=now_ns(),
            code=error.code if error else "OK",
            revision=answer.revision if answer else 0,
            version=answer.schema.version if answer else 0,
        )
        self._history.add(read)
        return read

    async def _connect(self) -> None:
        """Begin on another connection; what races on the one before it is not cut off."""
        channel = grpc.aio.insecure_channel(self._address(), options=OWN_CONNECTION)
        await self._ends.enter_async_context(channel)
        self._stub = schema_registry_service_pb2_grpc.SchemaRegistryServiceStub(channel)

    async def _call(
        self, method: str, request: Any, *, attempts: int
    ) -> tuple[Any, TickmeshError | None]:
        error: TickmeshError | None = None
        for attempt in range(attempts):
            stub = self._stub
            try:
                answer = await getattr(stub, method)(
                    request,
                    timeout=self._deadline_seconds,
                    metadata=(("x-request-id", uuid.uuid4().hex),),
                )
            except grpc.RpcError as failure:
                error = error_from_rpc(failure)
            else:
                return answer, None
            if error.code not in _UNKNOWN:
                break
            if error.code == "DEADLINE_EXCEEDED" and self._stub is stub:
                await self._connect()
            await asyncio.sleep(_RETRY_SECONDS * (attempt + 1))
        return None, error

    def _wrote(
        self,
        unique: str,
        kind: str,
        subject: str,
        *,
        called_ns: int,
        error: TickmeshError | None,
        revision: int,
        group: str = "",
        version: int = 0,
        already: bool = False,
        changes: int = 1,
        digest: str = "",
    ) -> Write:
        write = Write(
            writer=self.name,
            unique=unique,
            kind=kind,
            subject=subject,
            group=group,
            called_ns=called_ns,
            returned_ns=now_ns(),
            outcome=_outcome(error),
            code=error.code if error else "OK",
            reason=error.reason if error else "",
            revision=revision,
            version=version,
            already=already,
            changes=changes,
            digest=digest,
        )
        self._history.add(write)
        self.revision = max(self.revision, revision)
        return write


def _outcome(error: TickmeshError | None) -> str:
    if error is None:
        return "ok"
    if error.code == "ABORTED":
        return "conflict"
    return "unknown" if error.code in _UNKNOWN else "refused"
