"""Schema-governed market data: the library every Python user of the mesh imports.

`RegistryClient` knows schemas, `TickClient` stores and reads ticks, `CleanerClient` cleans files;
`tickmesh.schema` judges schemas and rows without any server. Everything raises subclasses of
`tickmesh.errors.TickmeshError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tickmesh.errors import TickmeshError

if TYPE_CHECKING:
    from tickmesh.async_registry import AsyncRegistryClient
    from tickmesh.cleaning import CleanerClient
    from tickmesh.registry import RegistryClient
    from tickmesh.ticks import TickClient

__all__ = [
    "AsyncRegistryClient",
    "CleanerClient",
    "RegistryClient",
    "TickClient",
    "TickmeshError",
]

_HOMES = {
    "AsyncRegistryClient": "tickmesh.async_registry",
    "CleanerClient": "tickmesh.cleaning",
    "RegistryClient": "tickmesh.registry",
    "TickClient": "tickmesh.ticks",
}


def __getattr__(name: str) -> Any:
    """Load the module behind a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
