"""What a policy is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tickmesh_serving.rpc_call import RpcCall


class Interceptor(Protocol):
    """One policy, free of any transport. Both methods must be quick: they run on the event loop."""

    @property
    def name(self) -> str:
        """Its name in the chain."""
        ...

    def begin(self, call: RpcCall) -> None:
        """Act before the handler; raising refuses the call."""
        ...

    def end(self, call: RpcCall) -> None:
        """Act when the call is over, however it ended, also when `begin` was not reached."""
        ...


def nothing(_call: RpcCall) -> None:
    """What a policy does at an end of the call that is of no concern to it; never called."""
