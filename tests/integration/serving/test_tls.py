"""Mutual TLS on both listeners: a certificate names the principal, and none is let in without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from pyarrow import flight

from tests.integration.serving.sample_service import PERMISSIONS, SERVICE, SampleFlight
from tests.support.certificates import CLIENT, write_certificates
from tickmesh._wire.credentials import (
    ClientCredentials,
    credentials_of,
    open_channel,
    open_flight_client,
)
from tickmesh.config import TlsFiles, load_client_config
from tickmesh.errors import ConfigError
from tickmesh_serving.call_context import current_call
from tickmesh_serving.config import ServerTls, ServingConfig
from tickmesh_serving.errors import ErrorTable
from tickmesh_serving.flight import FlightCall, FlightEndpoint
from tickmesh_serving.server import GrpcService, ServiceProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path


class WhoAmIFlight(SampleFlight):
    def action(self, call: FlightCall, action_type: str, body: bytes) -> Iterable[bytes]:
        return [call.principal.name.encode(), call.principal.authentication.encode()]


async def who_am_i(_request: bytes, _context: Any) -> bytes:
    return current_call().principal.name.encode()


def add_service(server: grpc.aio.Server) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(who_am_i)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_certificates(tmp_path)


@pytest.fixture
async def server(files: Path) -> AsyncIterator[ServiceProcess]:
    process = ServiceProcess(
        "tickstore",
        ServingConfig(
            drain_seconds=1.0,
            tls=ServerTls(
                certificate=files / "server.pem",
                private_key=files / "server.key",
                client_roots=files / "ca.pem",
            ),
        ),
        grpc_services=[GrpcService(SERVICE, add_service)],
        errors=ErrorTable(),
        permissions=PERMISSIONS,
        flight=FlightEndpoint(WhoAmIFlight()),
    )
    await process.start()
    yield process
    await process.stop()


async def test_certificate_names_the_principal_on_both_listeners(
    server: ServiceProcess, files: Path
) -> None:
    config = load_client_config(
        home=files,
        environ={
            "TICKMESH_CLIENT__TLS__ROOT_CERTIFICATES": str(files / "ca.pem"),
            "TICKMESH_CLIENT__TLS__CERTIFICATE": str(files / "client.pem"),
            "TICKMESH_CLIENT__TLS__PRIVATE_KEY": str(files / "client.key"),
            "TICKMESH_CLIENT__TOKEN": "a-token",
        },
    )
    credentials = credentials_of(config)
    async with open_channel(server.addresses["grpc"], credentials, asynchronous=True) as channel:
        method = channel.unary_unary(
            f"/{SERVICE}/Echo", request_serializer=bytes, response_deserializer=bytes
        )
        assert await method(b"", timeout=120) == CLIENT.encode()

    def use() -> list[bytes]:
        with open_flight_client(server.addresses["flight"], credentials) as client:
            return [r.body.to_pybytes() for r in client.do_action(flight.Action("Echo", b""))]

    assert await asyncio.to_thread(use) == [CLIENT.encode(), b"certificate"]


async def test_client_without_a_certificate_is_not_let_in(
    server: ServiceProcess, files: Path
) -> None:
    credentials = ClientCredentials(tls=TlsFiles(root_certificates=files / "ca.pem"))
    async with open_channel(server.addresses["grpc"], credentials, asynchronous=True) as channel:
        method = channel.unary_unary(
            f"/{SERVICE}/Echo", request_serializer=bytes, response_deserializer=bytes
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"", timeout=120)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    def use() -> None:
        with open_flight_client(server.addresses["flight"], credentials) as client:
            list(client.do_action(flight.Action("Echo", b"")))

    with pytest.raises(flight.FlightUnavailableError):
        await asyncio.to_thread(use)


def test_token_is_never_sent_in_plain_text() -> None:
    credentials = ClientCredentials(token_provider=lambda: "secret")
    with pytest.raises(ConfigError, match="plain text") as caught:
        open_channel("127.0.0.1:1", credentials, asynchronous=False)
    assert caught.value.key == "client.tls.root_certificates"
    with pytest.raises(ConfigError, match="plain text"):
        open_flight_client("127.0.0.1:1", credentials)


@pytest.mark.parametrize(
    ("certificate", "private_key", "key"),
    [
        ("missing.pem", "server.key", "tls.certificate"),
        ("server.pem", "missing.key", "tls.private_key"),
        ("server.pem", "client.key", "tls.certificate"),
        ("server.key", "server.key", "tls.certificate"),
    ],
)
async def test_tls_files_that_are_no_use_are_config_errors_that_name_the_key(
    files: Path, certificate: str, private_key: str, key: str
) -> None:
    tls = ServerTls(certificate=files / certificate, private_key=files / private_key)
    process = ServiceProcess(
        "registry",
        ServingConfig(drain_seconds=0.1, tls=tls),
        grpc_services=[],
        errors=ErrorTable(),
        permissions=PERMISSIONS,
    )
    with pytest.raises(ConfigError) as caught:
        await process.start()
    assert caught.value.key == f"registry.serving.{key}"
