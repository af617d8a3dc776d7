"""Who a client says it is, and how its connections are protected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import grpc
import grpc.aio

from tickmesh._wire.limits import (
    CLIENT_CHANNEL_OPTIONS,
    OWN_CONNECTION,
    Balancing,
    client_channel_options,
)
from tickmesh._wire.metadata import AUTHORIZATION
from tickmesh.config import ClientConfig, TlsFiles, split_address, split_replicas
from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pyarrow import flight

__all__ = [
    "ClientCredentials",
    "TlsFiles",
    "credentials_of",
    "open_channel",
    "open_flight_client",
]

TokenProvider = Callable[[], str]


@dataclass(frozen=True)
class ClientCredentials:
    """What a client shows to servers. The default shows nothing and encrypts nothing: loopback."""

    tls: TlsFiles | None = None
    """TLS files; None is plain text."""
    token_provider: TokenProvider | None = None
    """Called for every call, so that a token can be renewed; must not block for long."""


def credentials_of(config: ClientConfig) -> ClientCredentials:
    """Return the credentials that the settings describe."""
    token = config.token
    return ClientCredentials(
        tls=config.tls if config.tls.enabled else None,
        token_provider=None if token is None else token.reveal,
    )


@overload
def open_channel(
    address: str,
    credentials: ClientCredentials | None = None,
    *,
    asynchronous: Literal[False],
    call_attempts: int = ...,
) -> grpc.Channel: ...
@overload
def open_channel(
    address: str,
    credentials: ClientCredentials | None = None,
    *,
    asynchronous: Literal[True],
    call_attempts: int = ...,
) -> grpc.aio.Channel: ...
def open_channel(
    address: str,
    credentials: ClientCredentials | None = None,
    *,
    asynchronous: bool,
    call_attempts: int = ClientConfig.call_attempts,
) -> grpc.Channel | grpc.aio.Channel:
    """Open a gRPC channel with the mesh's limits; connects on first use.

    Args:
        address: `host:port`; for several replicas `10.0.0.1:7470,10.0.0.2:7470` or, by name,
            `dns:///host:port`: calls then go round.
        credentials: None is plain text without a token.
        asynchronous: a `grpc.aio` channel, to be made and used inside a running loop.
        call_attempts: how often a call is tried while its peer does not answer.

    Raises:
        ConfigError: the address or a TLS file is wrong, or a token would travel in plain text.
    """
    shown = credentials or ClientCredentials()
    replicas = split_replicas(address)
    _check(replicas[0], shown)
    target, balancing = _target(replicas)
    options = client_channel_options(call_attempts=call_attempts, balancing=balancing)
    if shown.tls is None:
        if asynchronous:
            return grpc.aio.insecure_channel(target, options=options)
        return grpc.insecure_channel(target, options=options)
    if len(replicas) > 1:
        raise ConfigError(
            f"a certificate cannot be checked against several addresses, was {address}; name all "
            "replicas by one name of their certificates: dns:///name:port"
        )
    secure = _secure(shown.tls, shown.token_provider)
    if asynchronous:
        return grpc.aio.secure_channel(target, secure, options=options)
    return grpc.secure_channel(target, secure, options=options)


def open_flight_client(
    address: str, credentials: ClientCredentials | None = None
) -> flight.FlightClient:
    """Open a Flight client with the mesh's limits; connects on first use.

    Args:
        address: `host:port`.
        credentials: None is plain text without a token.

    Raises:
        ConfigError: the address or a TLS file is wrong, or a token would travel in plain text.
    """
    from pyarrow import flight

    shown = credentials or ClientCredentials()
    _check(address, shown)
    tls = shown.tls or TlsFiles()
    provider = shown.token_provider
    options = [option for option in CLIENT_CHANNEL_OPTIONS if "message_length" not in option[0]]
    options.append(OWN_CONNECTION)
    return flight.FlightClient(
        f"{'grpc+tls' if tls.enabled else 'grpc'}://{address}",
        tls_root_certs=_text(tls.root_certificates),
        cert_chain=_text(tls.certificate),
        private_key=_text(tls.private_key),
        middleware=None if provider is None else [_flight_token_middleware(provider)],
        generic_options=options,
    )


def _flight_token_middleware(provider: TokenProvider) -> flight.ClientMiddlewareFactory:
    from pyarrow import flight

    class BearerMiddleware(flight.ClientMiddleware):
        def sending_headers(self) -> dict[str, list[str] | list[bytes]]:
            return {AUTHORIZATION: [f"Bearer {provider()}"]}

    class BearerFactory(flight.ClientMiddlewareFactory):
        def start_call(self, info: object) -> BearerMiddleware:  # noqa: ARG002 - pyarrow's signature
            return BearerMiddleware()

    return BearerFactory()


def _target(replicas: tuple[str, ...]) -> tuple[str, Balancing]:
    """What gRPC connects to, and how it spreads calls."""
    if len(replicas) == 1:
        return replicas[0], "round_robin" if replicas[0].startswith("dns:") else "pick_first"
    scheme = "ipv6" if replicas[0].startswith("[") else "ipv4"
    return f"{scheme}:{','.join(replicas)}", "round_robin"


def _check(address: str, credentials: ClientCredentials) -> None:
    split_address(address)
    if credentials.token_provider is not None and credentials.tls is None:
        raise ConfigError(
            f"a token would travel to {address} in plain text", key="client.tls.root_certificates"
        )


def _secure(tls: TlsFiles, token_provider: TokenProvider | None) -> grpc.ChannelCredentials:
    channel = grpc.ssl_channel_credentials(
        root_certificates=_read(tls.root_certificates),
        private_key=_read(tls.private_key),
        certificate_chain=_read(tls.certificate),
    )
    if token_provider is None:
        return channel
    return grpc.composite_channel_credentials(
        channel, grpc.metadata_call_credentials(_TokenPlugin(token_provider))
    )


class _TokenPlugin(grpc.AuthMetadataPlugin):
    """Asks for the token of each call; a provider that fails fails the call, not the channel."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider

    def __call__(
        self,
        context: grpc.AuthMetadataContext,  # noqa: ARG002 - gRPC's signature
        callback: grpc.AuthMetadataPluginCallback,
    ) -> None:
        callback(((AUTHORIZATION, f"Bearer {self._provider()}"),), None)


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the TLS file {path}: {error.strerror}") from error


def _text(path: Path | None) -> str | None:
    content = _read(path)
    return None if content is None else content.decode("ascii")
