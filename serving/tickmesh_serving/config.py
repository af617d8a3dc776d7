"""The settings every server has, and how a service loads its own.

A service's settings class is a frozen dataclass that nests `serving: ServingConfig` beside its own
parts; its keys are then `registry.serving.grpc_port`, in the environment
`TICKMESH_REGISTRY__SERVING__GRPC_PORT`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tickmesh.config import CONFIG_FILE_NAME, home_directory
from tickmesh.settings import (
    Provenance,
    Secret,
    Setting,
    describe_config,
    environment_name,
    load_config,
)
from tickmesh_serving.logging import LoggingConfig
from tickmesh_serving.tracing import TracingConfig

__all__ = [
    "Provenance",
    "Secret",
    "ServerTls",
    "ServingConfig",
    "Setting",
    "describe_config",
    "environment_name",
    "home_directory",
    "load_config",
    "load_service_config",
]

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class ServerTls:
    """PEM files of the gRPC and Flight listeners; all None means plain text. HTTP stays plain."""

    certificate: Path | None = None
    """Certificate chain of the server."""
    private_key: Path | None = None
    """Key of `certificate`."""
    client_roots: Path | None = None
    """Authorities of client certificates; when set, a client must show one (mutual TLS)."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key must be given together")
        if self.client_roots is not None and self.certificate is None:
            raise ValueError("client_roots needs certificate and private_key")

    @property
    def enabled(self) -> bool:
        """Whether connections are encrypted."""
        return self.certificate is not None


@dataclass(frozen=True)
class ServingConfig:
    """Where a server listens, how long it waits, what it tells. Port 0 takes any free port."""

    host: str = "127.0.0.1"
    """Address every listener binds; loopback unless said otherwise."""
    grpc_port: int = 0
    """The gRPC port."""
    flight_port: int | None = None
    """The Flight port; ignored by a service without one."""
    http_port: int = 0
    """The port of health and metrics."""
    ready_file: Path | None = None
    """Written when the server serves: JSON of `pid`, `grpc`, `flight` and `http` (addresses)."""
    parent_process: int = 0
    """Stop once the process of this id is not the parent; `tickmesh up` sets it. 0: never."""
    drain_seconds: float = 10.0
    """How long running calls may go on after a signal to stop."""
    unary_deadline_seconds: float = 30.0
    """The deadline of unary calls that bring none."""
    max_flight_streams: int = 128
    """Flight streams at a time; each holds a thread."""
    max_flight_streams_per_principal: int = 0
    """Flight streams of one principal at a time; as many as there may be when 0."""
    tls: ServerTls = field(default_factory=ServerTls)
    """How connections are encrypted."""
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    """What is logged."""
    tracing: TracingConfig = field(default_factory=TracingConfig)
    """Where spans go."""

    def __post_init__(self) -> None:
        ports = {
            "grpc_port": self.grpc_port,
            "flight_port": self.flight_port or 0,
            "http_port": self.http_port,
        }
        for name, port in ports.items():
            if not 0 <= port <= 65535:
                raise ValueError(f"expected {name} from 0 to 65535, was {port}")
        if self.drain_seconds < 0 or self.unary_deadline_seconds <= 0:
            raise ValueError("expected drain_seconds ≥ 0 and unary_deadline_seconds > 0")
        if self.max_flight_streams < 1 or self.max_flight_streams_per_principal < 0:
            raise ValueError(
                "expected max_flight_streams ≥ 1 and max_flight_streams_per_principal ≥ 0, were "
                f"{self.max_flight_streams} and {self.max_flight_streams_per_principal}"
            )


def load_service_config(
    config_class: type[ConfigT],
    *,
    section: str,
    home: Path,
    flags: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
) -> tuple[ConfigT, Provenance]:
    """Load the settings of a service: defaults < `home/tickmesh.toml` < environment < flags.

    Args:
        config_class: the service's settings class.
        section: its table and prefix: `registry`, `cleaner` or `tickstore`.
        home: the mesh's home.
        flags: by key; a None means that the flag was not given.
        environ: the environment; the process's own by default.

    Raises:
        tickmesh.errors.ConfigError: a key is unknown or a value is wrong.
    """
    return load_config(
        config_class,
        section=section,
        toml=home / CONFIG_FILE_NAME,
        environ=os.environ if environ is None else environ,
        flags=flags,
    )
