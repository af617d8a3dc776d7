"""The three services together, as child processes, in the order in which they need each other."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from tickmesh.errors import ConfigError, UnavailableError
from tickmesh.settings import environment_name
from tickmesh_serving.listening import hold_port
from tickmesh_serving.supervision import Failure, ServiceStatus, SupervisedService

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

SERVICES = ("registry", "tickstore", "cleaner")
"""In order of start; they stop in reverse."""

_PORTS = {
    "registry": ("grpc_port", "http_port"),
    "tickstore": ("grpc_port", "flight_port", "http_port"),
    "cleaner": ("grpc_port", "flight_port", "http_port"),
}
_CLIENT_KEYS = {
    ("registry", "grpc"): "registry",
    ("tickstore", "grpc"): "tickstore",
    ("tickstore", "flight"): "tickstore_flight",
    ("cleaner", "grpc"): "cleaner",
    ("cleaner", "flight"): "cleaner_flight",
}


def serve_command(service: str, home: Path) -> Sequence[str]:
    """Return the command line that runs a service."""
    return (sys.executable, "-m", "tickmesh", service, "serve", "--data", str(home))


class Mesh:
    """A whole mesh on this machine.

    A service that dies is restarted with backoff, at the ports it had; after five deaths in a
    minute, or one for wrong settings, the mesh gives up. Use it as a context manager, or call
    `start` and `stop`.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] | None = None,
        free_ports: bool = False,
        services: Sequence[str] = SERVICES,
        command: Callable[[str, Path], Sequence[str]] = serve_command,
        environment: Mapping[str, str] | None = None,
        report: Callable[[ServiceStatus], None] = lambda _status: None,
    ) -> None:
        """Describe a mesh; nothing runs yet.

        Args:
            home: where the services keep their data, logs and run files.
            settings: by full key, as in `registry.serving.grpc_port`; they override file and
                environment.
            free_ports: let every listener take any free port; it is kept for it until the mesh
                stops.
            services: which to run, in order.
            command: the command line of a service.
            environment: what the services inherit; this process's by default.
            report: told every change of a service's state, from other threads.

        Raises:
            ConfigError: a setting's key names none of the services.
        """
        self.home = home
        self._given_up = threading.Event()
        self.failure: Failure | None = None
        inherited = dict(os.environ if environment is None else environment)
        inherited["TICKMESH_HOME"] = str(home)
        if free_ports:
            inherited |= {
                environment_name(service, f"serving.{key}"): "0"
                for service in services
                for key in _PORTS.get(service, ())
            }
        for key, value in (settings or {}).items():
            section, _, rest = key.partition(".")
            if section not in (*services, "client") or not rest:
                expected = ", ".join(f"{service}.…" for service in services)
                raise ConfigError(f"expected a key {expected}", key=key)
            inherited[environment_name(section, rest)] = value
        self._any_port = [
            (service, name)
            for service in services
            for key in _PORTS.get(service, ())
            if inherited.get(name := environment_name(service, f"serving.{key}")) == "0"
        ]
        self._held_ports: list[socket.socket] = []
        run_directory = home / "run"
        self._services = {
            service: SupervisedService(
                service,
                command(service, home),
                environment=inherited
                | {
                    environment_name(service, "serving.ready_file"): str(
                        run_directory / f"{service}.json"
                    ),
                    environment_name(service, "serving.parent_process"): str(os.getpid()),
                },
                ready_file=run_directory / f"{service}.json",
                log_file=home / "logs" / f"{service}.log",
                report=report,
                on_ready=self._adopter(service),
                give_up=self._give_up,
            )
            for service in services
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def addresses(self) -> Mapping[str, Mapping[str, str]]:
        """By service and kind of listener (`grpc`, `flight`, `http`): `host:port`."""
        return {name: dict(service.addresses) for name, service in self._services.items()}

    @property
    def client_environment(self) -> Mapping[str, str]:
        """The variables with which a client, or the command line, finds this mesh."""
        found = {"TICKMESH_HOME": str(self.home)}
        for (service, kind), key in _CLIENT_KEYS.items():
            address = self.addresses.get(service, {}).get(kind)
            if address is not None:
                found[environment_name("client", key)] = address
        return found

    def pid(self, service: str) -> int | None:
        """Return the process id of a service; None while it does not run."""
        return self._services[service].pid

    def start(self, *, timeout_seconds: float | None = None) -> None:
        """Start the services one after the other, each once the one before is ready.

        Args:
            timeout_seconds: how long all of it may take; by default as long as no service dies,
                since a store may have much to recover.

        Raises:
            ConfigError: a service refused its settings; what runs is stopped again.
            UnavailableError: a service cannot be kept running, or is not ready in time.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            self._hold_ports()
            for service in self._services.values():
                service.set_environment(self.client_environment)
                service.start()
                left = None if deadline is None else deadline - time.monotonic()
                ready = service.wait_settled(left)
                if self.failure is not None:
                    raise self._as_error(self.failure)
                if not ready:
                    raise UnavailableError(
                        f"{service.name} was not ready after {timeout_seconds} s; "
                        f"see {self.home / 'logs' / f'{service.name}.log'}",
                        reason="NOT_READY",
                    )
        except BaseException:
            self.stop()
            raise

    def wait(self, timeout_seconds: float | None = None) -> Failure | None:
        """Wait until the mesh gives up; return why, or None if it did not in time."""
        self._given_up.wait(timeout_seconds)
        return self.failure

    def stop(self) -> None:
        """Stop the services in reverse order, each with its own drain."""
        for service in reversed(self._services.values()):
            service.stop()
        while self._held_ports:
            self._held_ports.pop().close()

    def kill(self) -> None:
        """End every service at once."""
        for service in self._services.values():
            service.kill()

    def _hold_ports(self) -> None:
        """Choose the ports that may be any, and let nobody else have them, also between two lives.

        A service that comes back to a port that was taken meanwhile could only be given up.
        """
        for service, name in self._any_port:
            held = hold_port()
            self._held_ports.append(held)
            self._services[service].set_environment({name: str(held.getsockname()[1])})

    def _adopter(self, service: str) -> Callable[[Mapping[str, str]], None]:
        """A restarted service keeps its ports: the others, and clients, know it by them."""

        def adopt(addresses: Mapping[str, str]) -> None:
            self._services[service].set_environment(
                {
                    environment_name(service, f"serving.{kind}_port"): address.rpartition(":")[2]
                    for kind, address in addresses.items()
                }
            )

        return adopt

    def _give_up(self, failure: Failure) -> None:
        self.failure = failure
        self._given_up.set()

    @staticmethod
    def _as_error(failure: Failure) -> ConfigError | UnavailableError:
        text = f"{failure.name} cannot be started: {failure.detail}"
        if failure.exit_code == ConfigError.exit_code:
            return ConfigError(text)
        return UnavailableError(text, reason="SERVICE_FAILED")
