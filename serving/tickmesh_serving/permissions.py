"""Which permission each call needs, in one table a service; every call must have an entry.

The table is complete from the first day while everyone is granted everything, so that closing a
door later changes who is granted what, and no handler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from tickmesh.errors import PermissionDeniedError, UnimplementedError
from tickmesh_serving.principal import Principal

Grants = Callable[[Principal, str], bool]
"""Whether a principal holds a permission."""


def everyone(principal: Principal, permission: str) -> bool:  # noqa: ARG001 - a Grants
    """Grant everything."""
    return True


FLIGHT_METHODS = (
    "DoPut",
    "DoGet",
    "DoExchange",
    "GetFlightInfo",
    "GetSchema",
    "ListFlights",
    "ListActions",
)
"""What every Flight port answers; `DoAction` goes by the type of the action."""


class PermissionTable(Mapping[str, str]):
    """Permission by call.

    Keys are full gRPC methods (`/package.Service/Method`), `FLIGHT_METHODS`, Flight action types.
    """

    def __init__(self, permissions: Mapping[str, str], *, grants: Grants = everyone) -> None:
        self._permissions = dict(permissions)
        self._grants = grants

    def __getitem__(self, method: str) -> str:
        return self._permissions[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self._permissions)

    def __len__(self) -> int:
        return len(self._permissions)

    def missing(self, methods: Iterable[str]) -> list[str]:
        """Return the methods that have no entry, sorted."""
        return sorted(set(methods) - self._permissions.keys())

    def authorise(self, principal: Principal, method: str) -> None:
        """Let the principal call the method, or raise.

        Raises:
            UnimplementedError: there is no such method: what has no entry is not served.
            PermissionDeniedError: the principal lacks the permission.
        """
        permission = self._permissions.get(method)
        if permission is None:
            raise UnimplementedError(
                "this server has no such call; ask reflection (gRPC) or list_actions (Flight)",
                reason="UNKNOWN_METHOD",
                metadata={"method": method},
            )
        if not self._grants(principal, permission):
            raise PermissionDeniedError(
                f"{principal.name} lacks the permission {permission}, which {method} needs",
                metadata={
                    "principal": principal.name,
                    "permission": permission,
                    "method": method,
                },
            )
