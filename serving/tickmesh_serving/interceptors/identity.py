"""Who calls, and may they: the one place where principals are made and permissions asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tickmesh._wire.metadata import ON_BEHALF_OF
from tickmesh_serving.interceptors.interceptor import nothing
from tickmesh_serving.principal import ANONYMOUS, Principal

if TYPE_CHECKING:
    from tickmesh_serving.permissions import PermissionTable
    from tickmesh_serving.rpc_call import RpcCall


class Authenticator(Protocol):
    """Turns what a call shows into a principal."""

    def authenticate(self, call: RpcCall) -> Principal:
        """Return who calls.

        Raises:
            tickmesh.errors.UnauthenticatedError: the call shows nothing that is accepted.
        """
        ...


class OpenAuthenticator:
    """Takes the name a client certificate proves; without one the caller is anonymous."""

    def authenticate(self, call: RpcCall) -> Principal:
        """Return who calls."""
        on_behalf_of = call.metadata.get(ON_BEHALF_OF)
        if call.peer_identities:
            return Principal(
                name=call.peer_identities[0],
                authentication="certificate",
                on_behalf_of=on_behalf_of,
            )
        return ANONYMOUS if on_behalf_of is None else Principal(on_behalf_of=on_behalf_of)


class IdentityInterceptor:
    """Authenticates, then authorises. Health and reflection are open to everyone."""

    name = "identity"
    end = staticmethod(nothing)

    def __init__(self, authenticator: Authenticator, permissions: PermissionTable) -> None:
        self._authenticator = authenticator
        self._permissions = permissions

    def begin(self, call: RpcCall) -> None:
        """Let the call in, or raise."""
        if not call.exempt:
            call.principal = self._authenticator.authenticate(call)
            self._permissions.authorise(call.principal, call.method)
