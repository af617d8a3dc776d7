"""Where a server is between start and stop, and what that means for a call that arrives."""

from __future__ import annotations

import enum

from tickmesh.errors import UnavailableError
from tickmesh_serving.drain_signal import DrainSignal

RETRY_AFTER_SECONDS = 1.0
"""What a refused caller is told; clients spread around it."""


class State(enum.Enum):
    """The states of a server, in order."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Lifecycle:
    """Shared by every listener of a process: they open and close their doors together."""

    def __init__(self) -> None:
        self.state = State.STARTING
        self.drain = DrainSignal()

    def serve(self) -> None:
        """Open the doors."""
        self.state = State.SERVING

    def begin_drain(self) -> None:
        """Refuse new calls and tell the running ones."""
        self.state = State.DRAINING
        self.drain.give()

    def admit(self) -> None:
        """Let a new call in, or raise.

        Raises:
            UnavailableError: the server is not yet, or no longer, taking calls.
        """
        if self.state is State.SERVING:
            return
        starting = self.state is State.STARTING
        raise UnavailableError(
            "the server is starting; retry in a moment"
            if starting
            else "the server is going down; retry at another replica, or later",
            reason="STARTING" if starting else "DRAINING",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
