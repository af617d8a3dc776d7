"""The server's end of TLS: files are read and tried once, before any listener opens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.config import ServerTls


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What the gRPC and the Flight listener show and ask for, in PEM."""

    chain: str
    """Certificate chain of the server."""
    private_key: str
    """Its key."""
    client_roots: str | None
    """Authorities of client certificates; None lets clients in without one."""


def load_certificate(tls: ServerTls, *, section: str) -> ServerCertificate | None:
    """Return what the settings name, or None for plain text.

    Args:
        tls: the settings.
        section: the service whose settings they are.

    Raises:
        ConfigError: a file cannot be read or holds something else; names the key.
    """
    if tls.certificate is None or tls.private_key is None:
        return None
    loaded = ServerCertificate(
        chain=_read(tls.certificate, key=f"{section}.serving.tls.certificate"),
        private_key=_read(tls.private_key, key=f"{section}.serving.tls.private_key"),
        client_roots=(
            None
            if tls.client_roots is None
            else _read(tls.client_roots, key=f"{section}.serving.tls.client_roots")
        ),
    )
    _try(tls, loaded, section=section)
    return loaded


def _try(tls: ServerTls, loaded: ServerCertificate, *, section: str) -> None:
    """Refuse what gRPC would take, only to turn away every client without a word of why."""
    assert tls.certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password: a key that needs one must not make the server ask for it.
        context.load_cert_chain(tls.certificate, tls.private_key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{tls.certificate} and {tls.private_key} are no PEM certificate chain with its "
            "unencrypted key",
            key=f"{section}.serving.tls.certificate",
        ) from error
    if loaded.client_roots is None:
        return
    try:
        context.load_verify_locations(cadata=loaded.client_roots)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{tls.client_roots} holds no PEM certificates",
            key=f"{section}.serving.tls.client_roots",
        ) from error


def _read(path: Path, *, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the TLS file {path}: {error.strerror}", key=key) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no PEM file", key=key) from error
