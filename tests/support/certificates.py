"""Certificates for tests of TLS, issued by an authority that lives as long as the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = "trader@mesh.example"
"""The name that the client's certificate proves."""
CLEANER = "cleaner@mesh.example"
"""The name that the cleaner's own client certificate proves."""


def write_certificates(directory: Path) -> Path:
    """Write `ca.pem`, and `.pem` and `.key` of `server` (127.0.0.1), `client` and `cleaner`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    identities = {"server": "127.0.0.1", "client": CLIENT, "cleaner": CLEANER}
    for name, identity in identities.items():
        leaf = authority.issue_cert(identity)
        leaf.private_key_pem.write_to_path(directory / f"{name}.key")
        for block in leaf.cert_chain_pems:
            block.write_to_path(directory / f"{name}.pem", append=True)
    return directory
