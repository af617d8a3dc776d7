"""Where the client finds the mesh, and as whom it speaks.

Defaults are the addresses of `tickmesh up`; table `[client]` of `$TICKMESH_HOME/tickmesh.toml` and
variables such as `TICKMESH_CLIENT__REGISTRY` override them.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tickmesh.errors import ConfigError
from tickmesh.settings import Provenance, Secret, load_config

CONFIG_FILE_NAME = "tickmesh.toml"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of one end of a TLS connection; all None means plain text."""

    root_certificates: Path | None = None
    """Authorities that the peer's certificate is checked against."""
    certificate: Path | None = None
    """Own certificate chain, for mutual TLS."""
    private_key: Path | None = None
    """Key of `certificate`."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key must be given together")
        if self.certificate is not None and self.root_certificates is None:
            raise ValueError("a certificate needs root_certificates to check the server against")

    @property
    def enabled(self) -> bool:
        """Whether connections are encrypted."""
        return self.root_certificates is not None


@dataclass(frozen=True)
class ClientConfig:
    """Addresses are `host:port`; a gRPC address may name several replicas, see `split_replicas`."""

    registry: str = "127.0.0.1:7470"
    """The schema registry (gRPC); replicas as `10.0.0.1:7470,10.0.0.2:7470` or `dns:///name:7470`."""
    cleaner: str = "127.0.0.1:7471"
    """The cleaner's control plane (gRPC)."""
    cleaner_flight: str = "127.0.0.1:7481"
    """The cleaner's data plane (Flight)."""
    tickstore: str = "127.0.0.1:7472"
    """The tick store's control plane (gRPC)."""
    tickstore_flight: str = "127.0.0.1:7482"
    """The tick store's data plane (Flight)."""
    tls: TlsFiles = field(default_factory=TlsFiles)
    """How connections are encrypted; plain text by default, which is meant for loopback."""
    token: Secret | None = None
    """Bearer token sent with every call; None sends none."""
    call_attempts: int = 5
    """How often a call is tried while its peer does not answer; 1 to 5."""

    def __post_init__(self) -> None:
        if not 1 <= self.call_attempts <= 5:  # gRPC itself makes no more
            raise ValueError(f"call_attempts: expected 1 to 5, was {self.call_attempts}")


def home_directory(data: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """Return the mesh's home: `data`, else `$TICKMESH_HOME`, else `~/.local/share/tickmesh`.

    Args:
        data: the value of a `--data` flag.
        environ: the environment; the process's own by default.
    """
    if data is not None:
        return data.expanduser()
    named = (os.environ if environ is None else environ).get("TICKMESH_HOME")
    return Path(named).expanduser() if named else Path.home() / ".local" / "share" / "tickmesh"


def load_client_config(
    *, home: Path | None = None, environ: Mapping[str, str] | None = None
) -> ClientConfig:
    """Load the client's settings.

    Args:
        home: the mesh's home; see `home_directory`.
        environ: the environment; the process's own by default.

    Raises:
        ConfigError: a key is unknown or a value is wrong.
    """
    return load_client_config_with_provenance(home=home, environ=environ)[0]


def load_client_config_with_provenance(
    *, home: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[ClientConfig, Provenance]:
    """Load the client's settings and the source of each, for `config show`."""
    variables = os.environ if environ is None else environ
    directory = home if home is not None else home_directory(environ=variables)
    return load_config(
        ClientConfig,
        section="client",
        toml=directory / CONFIG_FILE_NAME,
        environ=variables,
        flags={},
    )


def split_replicas(address: str) -> tuple[str, ...]:
    """Split `10.0.0.1:7470,10.0.0.2:7470` into the addresses of replicas; one is one of its own.

    Raises:
        ConfigError: one of them is no address, or several are not all numeric.
    """
    replicas = tuple(part.strip() for part in address.split(","))
    hosts = [split_address(replica)[0] for replica in replicas]
    if len(replicas) > 1:
        families = {_family(host, address) for host in hosts}
        if len(families) > 1:
            raise ConfigError(f"expected replicas of one address family, was {address!r}")
    return replicas


def _family(host: str, address: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        raise ConfigError(
            f"expected numeric addresses of several replicas, was {address!r}; a name that leads "
            "to all of them is given as dns:///name:port"
        ) from None


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; `[::1]:7470` for IPv6.

    Raises:
        ConfigError: it is no address.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise ConfigError(f"expected an address host:port, was {address!r}")
    return host.strip("[]"), int(port)
