"""Who a call comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The party a call is charged to."""

    name: str = "anonymous"
    """Its name: the certificate's first subject alternative name, the token's subject …"""
    authentication: str = "none"
    """How the name was proved: `none`, `certificate`, `internal`."""
    on_behalf_of: str | None = None
    """Whom the party says it acts for; a note for logs, never a reason to permit anything."""


ANONYMOUS = Principal()
