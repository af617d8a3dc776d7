"""One service process: its listeners open together, drain together and stop together.

The main thread runs one asyncio loop with gRPC and HTTP; Flight has its own threads and port. Order
of a start: ports are bound (calls are refused, health says NOT_SERVING), components start, doors
open, the ready file is written. Order of a stop: health says so, doors close, components and
streams are told, running calls get `drain_seconds`, components stop.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import grpc
import grpc.aio
import structlog
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2_grpc

from tickmesh._wire.limits import SERVER_CHANNEL_OPTIONS
from tickmesh_serving import health, reflection
from tickmesh_serving.clock import Clock, SystemClock
from tickmesh_serving.grpc_adapter import ChainInterceptor
from tickmesh_serving.http import HttpListener
from tickmesh_serving.identifiers import IdGenerator, RandomIds
from tickmesh_serving.interceptors.chain import build_chain
from tickmesh_serving.interceptors.identity import Authenticator, OpenAuthenticator
from tickmesh_serving.lifecycle import Lifecycle
from tickmesh_serving.listening import cannot_listen, check_free, join_address, reachable_address
from tickmesh_serving.metrics import RpcMetrics, new_registry
from tickmesh_serving.permissions import FLIGHT_METHODS
from tickmesh_serving.tls import load_certificate
from tickmesh_serving.tracing import Tracing

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from tickmesh_serving.config import ServingConfig
    from tickmesh_serving.errors import ErrorTable
    from tickmesh_serving.flight import FlightEndpoint
    from tickmesh_serving.permissions import PermissionTable
    from tickmesh_serving.tls import ServerCertificate

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.server")


class Component(Protocol):
    """A part of a service with a life of its own: a store, a hub of watchers, a compactor."""

    async def start(self) -> None:
        """Get ready; the process serves only after every component has."""
        ...

    async def drain(self) -> None:
        """Tell long-running work to come to an end; return soon."""
        ...

    async def stop(self) -> None:
        """Give everything back; no call is running any more."""
        ...


@dataclass(frozen=True)
class GrpcService:
    """One gRPC service of a process."""

    full_name: str
    """As in `tickmesh.api.registry.v1.SchemaRegistryService`."""
    add_to_server: Callable[[grpc.aio.Server], None]
    """Registers its handlers, all `async def`."""


class ServiceProcess:
    """A server: several listeners, one life.

    Attributes:
        grpc_port: the port gRPC listens on, once started.
        flight_port: the port Flight listens on; None without Flight.
        http_port: the port of health and metrics, once started.
        health: the states that health checks answer.
    """

    def __init__(
        self,
        name: str,
        config: ServingConfig,
        *,
        grpc_services: Sequence[GrpcService],
        errors: ErrorTable,
        permissions: PermissionTable,
        flight: FlightEndpoint | None = None,
        components: Sequence[Component] = (),
        metrics: CollectorRegistry | None = None,
        authenticator: Authenticator | None = None,
        tracing: Tracing | None = None,
        clock: Clock | None = None,
        ids: IdGenerator | None = None,
    ) -> None:
        """Put a server together; nothing listens yet.

        Args:
            name: the service, which is also the section of its settings: `registry`.
            config: where to listen and how long to wait.
            grpc_services: what gRPC serves; health and reflection are added.
            errors: from exceptions to codes.
            permissions: an entry for every method and action served.
            flight: what Flight serves, if anything.
            components: started in order, drained and stopped in reverse.
            metrics: where the service's own metrics are registered; a new registry by default.
            authenticator: who calls; by default a certificate's name or anonymous.
            tracing: by default as configured.
            clock: the machine's by default.
            ids: random by default.
        """
        self.name = name
        self.config = config
        self.metrics = metrics if metrics is not None else new_registry()
        self.grpc_port = 0
        self.flight_port: int | None = None
        self.http_port = 0
        self._services = tuple(grpc_services)
        self._permissions = permissions
        self._flight = flight
        self._components = tuple(components)
        self._started: list[Component] = []
        self._clock = clock or SystemClock()
        self._tracing = tracing or Tracing.from_config(config.tracing, service=name)
        self._lifecycle = Lifecycle()
        self._draining = False
        names = [service.full_name for service in self._services]
        if flight is not None:
            names.append(health.FLIGHT)
        self.health = health.HealthServicer(names)
        self._chain = build_chain(
            lifecycle=self._lifecycle,
            errors=errors,
            permissions=permissions,
            authenticator=authenticator or OpenAuthenticator(),
            metrics=RpcMetrics(self.metrics),
            tracing=self._tracing,
            clock=self._clock,
            ids=ids or RandomIds(),
            unary_deadline_seconds=config.unary_deadline_seconds,
        )
        self._http = HttpListener(self.health, self.metrics)
        self._grpc: grpc.aio.Server | None = None
        self._certificate: ServerCertificate | None = None

    @property
    def addresses(self) -> dict[str, str]:
        """How this machine reaches the listeners: `grpc`, `http` and, if there is one, `flight`."""
        ports = {"grpc": self.grpc_port, "flight": self.flight_port, "http": self.http_port}
        return {
            kind: reachable_address(self.config.host, port)
            for kind, port in ports.items()
            if port is not None
        }

    async def start(self) -> None:
        """Bind, start components, open the doors.

        Raises:
            tickmesh.errors.ConfigError: a port is in use, or a TLS file cannot be read.
            Exception: what a component raised; what had started is stopped again.
        """
        _remove(self.config.ready_file)
        self._check_permissions()
        try:
            await self._listen()
            for component in self._components:
                self._started.append(component)
                await component.start()
        except BaseException:
            await self.stop()
            raise
        self._lifecycle.serve()
        self.health.set_all(serving=True)
        self._write_ready_file()
        _log.info("server.serving", **self.addresses)

    async def drain(self) -> None:
        """Close the doors and tell whatever runs long; calls that are running go on.

        Health says so before any call is told: who is sent away looks for another server, and must
        not be led back to this one.
        """
        if self._draining:
            return
        self._draining = True
        _log.info("server.draining", seconds=self.config.drain_seconds)
        self.health.set_all(serving=False)
        _remove(self.config.ready_file)
        await self.health.told()
        self.health.end_watches()
        self._lifecycle.begin_drain()
        for component in reversed(self._started):
            await self._bounded(component.drain(), component)

    async def stop(self) -> bool:
        """Drain, give running calls `drain_seconds`, then stop.

        Returns:
            Whether every Flight stream has ended; if not, threads of theirs still hang in C++ and
            the process can only be left by `os._exit`.
        """
        await self.drain()
        flight_ended, _ = await asyncio.gather(self._stop_flight(), self._stop_grpc())
        for component in reversed(self._started):
            await self._bounded(component.stop(), component)
        self._started.clear()
        await self._http.stop()
        await asyncio.to_thread(self._tracing.close)
        _log.info("server.stopped", flight_ended=flight_ended)
        return flight_ended

    def _check_permissions(self) -> None:
        pool = descriptor_pool.Default()
        methods: list[str] = []
        for service in self._services:
            try:
                descriptor = pool.FindServiceByName(service.full_name)
            except KeyError:
                continue  # made by hand: its handlers are not known before they are called
            methods += [f"/{service.full_name}/{method.name}" for method in descriptor.methods]
        if self._flight is not None:
            methods += [*FLIGHT_METHODS, *self._flight.action_types()]
        missing = self._permissions.missing(methods)
        if missing:
            raise LookupError(f"the permission table has no entry for {', '.join(missing)}")

    async def _listen(self) -> None:
        config = self.config
        self._certificate = load_certificate(config.tls, section=self.name)
        self._grpc = grpc.aio.server(
            interceptors=[
                ChainInterceptor(
                    self._chain,
                    self._clock,
                    exempt_services=(health.SERVICE_NAME, *reflection.SERVICE_NAMES),
                    tls=config.tls.enabled,
                )
            ],
            options=SERVER_CHANNEL_OPTIONS,
        )
        for service in self._services:
            service.add_to_server(self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._grpc)
        reflection.add_reflection(
            self._grpc,
            [*(service.full_name for service in self._services), health.SERVICE_NAME],
        )
        self.grpc_port = self._bind("grpc_port", config.grpc_port, self._bind_grpc)
        if self._flight is not None:
            port = config.flight_port or 0
            self.flight_port = self._bind("flight_port", port, self._bind_flight)
        check_free(section=self.name, key="http_port", host=config.host, port=config.http_port)
        self.http_port = await self._http.start(config.host, config.http_port)
        await self._grpc.start()

    def _bind(self, key: str, port: int, bind: Callable[[int], int]) -> int:
        host = self.config.host
        check_free(section=self.name, key=key, host=host, port=port)
        try:
            return bind(port)
        except (RuntimeError, OSError) as error:
            raise cannot_listen(
                section=self.name, key=key, host=host, port=port, cause=error
            ) from error

    def _bind_grpc(self, port: int) -> int:
        assert self._grpc is not None
        address = join_address(self.config.host, port)
        if self._certificate is None:
            return self._grpc.add_insecure_port(address)
        return self._grpc.add_secure_port(address, _server_credentials(self._certificate))

    def _bind_flight(self, port: int) -> int:
        assert self._flight is not None
        return self._flight.start(
            host=self.config.host,
            port=port,
            chain=self._chain,
            permissions=self._permissions,
            clock=self._clock,
            certificate=self._certificate,
        )

    async def _stop_grpc(self) -> None:
        if self._grpc is not None:
            await self._grpc.stop(self.config.drain_seconds)

    async def _stop_flight(self) -> bool:
        if self._flight is None or self.flight_port is None:
            return True
        stopped = self._flight.begin_stop()
        await _wait_in_thread(stopped, timeout_seconds=self.config.drain_seconds)
        return self._flight.ended

    async def _bounded(self, work: Awaitable[None], component: Component) -> None:
        """One component that hangs or fails must not keep the others from being told."""
        try:
            async with asyncio.timeout(self.config.drain_seconds):
                await work
        except Exception:  # noqa: BLE001 - logged; the others must still be told
            _log.exception("server.component.failed", component=type(component).__name__)

    def _write_ready_file(self) -> None:
        path = self.config.ready_file
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps({"pid": os.getpid(), **self.addresses}) + "\n")
        partial.replace(path)


async def _wait_in_thread(event: threading.Event, *, timeout_seconds: float) -> bool:
    """Wait for a thread's event without holding a thread of the pool beyond the timeout."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, event.wait, timeout_seconds)


def _server_credentials(certificate: ServerCertificate) -> grpc.ServerCredentials:
    roots = certificate.client_roots
    return grpc.ssl_server_credentials(
        [(certificate.private_key.encode(), certificate.chain.encode())],
        root_certificates=None if roots is None else roots.encode(),
        require_client_auth=roots is not None,
    )


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
