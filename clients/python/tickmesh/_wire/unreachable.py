"""Why a connection was not made, in words that name the setting to look at.

gRPC tells failures of the TLS handshake only as text, and to a client in plain text a server with
TLS is one that takes the connection and closes it.
"""

from __future__ import annotations

import re

_HANDSHAKES = (
    (
        re.compile(r"certificate.verify.failed|hostname verification", re.IGNORECASE),
        "its certificate is not one that client.tls.root_certificates vouches for under this name",
    ),
    (
        re.compile(r"wrong.version.number", re.IGNORECASE),
        "it serves plain text, but the settings client.tls ask for TLS",
    ),
    (
        re.compile(r"failed to connect.*socket closed", re.IGNORECASE | re.DOTALL),
        (
            "it takes the connection and closes it. A server with TLS does that to plain text and "
            "to clients without a certificate it accepts: set client.tls.root_certificates and, "
            "for mutual TLS, client.tls.certificate and client.tls.private_key"
        ),
    ),
)


def why_unreachable(text: str, *, address: str | None) -> tuple[str, str]:
    """Return reason and message of a call that found no peer.

    Args:
        text: what the transport said.
        address: of the peer.
    """
    peer = address or "the server"
    for pattern, explanation in _HANDSHAKES:
        if pattern.search(text):
            return "TLS_HANDSHAKE_FAILED", f"no connection to {peer}: {explanation}"
    return "UNREACHABLE", f"no answer from {peer}: {_brief(text) or 'the connection is closed'}"


def _brief(text: str) -> str:
    """What went wrong, of a failed connection: gRPC puts every layer it passed before that."""
    return text.rpartition(": ")[2] if "failed to connect to all addresses" in text else text
