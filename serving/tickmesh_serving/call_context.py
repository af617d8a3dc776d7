"""What an application function may know about the call it serves, on either transport."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Self

from tickmesh_serving.drain_signal import DrainSignal
from tickmesh_serving.identifiers import RandomIds
from tickmesh_serving.principal import Principal

_NEVER = DrainSignal()


@dataclass(frozen=True)
class CallContext:
    """One call, as its handler sees it."""

    principal: Principal
    """Who calls."""
    request_id: str
    """Names the call in every log it touches."""
    deadline_ns: int | None = None
    """The instant (ns UTC) by which the caller wants the answer; None for streams without one."""
    traceparent: str | None = None
    """W3C trace context to pass on."""
    peer: str | None = None
    """The caller's network address."""
    drain: DrainSignal = field(default=_NEVER, repr=False, compare=False)
    """Given when the server goes down: streams say where to resume, and end."""

    @classmethod
    def internal(cls, name: str, *, request_id: str | None = None) -> Self:
        """Return the context of work that no caller asked for, such as compaction.

        Args:
            name: of the worker; becomes the principal.
            request_id: a new one by default.
        """
        return cls(
            principal=Principal(name=name, authentication="internal"),
            request_id=request_id or RandomIds().new_id(),
        )

    @property
    def draining(self) -> bool:
        """Whether the server is going down; long handlers poll this."""
        return self.drain.given


_current: ContextVar[CallContext | None] = ContextVar("tickmesh_call", default=None)


def current_call() -> CallContext:
    """Return the context of the call being served.

    Raises:
        LookupError: no call is being served here; use `CallContext.internal`.
    """
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here; use CallContext.internal(name)")
    return call


def current_call_or_none() -> CallContext | None:
    """Return the context of the call being served, or None outside of calls."""
    return _current.get()


def enter_call(call: CallContext | None) -> None:
    """Make a call the current one of this task or thread; None leaves it."""
    _current.set(call)
