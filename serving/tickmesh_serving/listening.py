"""Addresses: why one cannot be listened on, and how clients reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket

from tickmesh.errors import ConfigError
from tickmesh_serving.config import environment_name


def check_free(*, section: str, key: str, host: str, port: int) -> None:
    """Find out before a listener is made whether it can be, to say why not in plain words.

    Args:
        section: of the settings, as in `registry`.
        key: of the port, as in `grpc_port`.
        host: address to listen on.
        port: port to listen on; 0 is always free.

    Raises:
        ConfigError: the port is in use, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections of a process that is gone do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise cannot_listen(section=section, key=key, host=host, port=port, cause=error) from error


def hold_port() -> socket.socket:
    """Keep a free port of this machine for a listener that is yet to come, or to come back.

    A port that was found free and let go is anybody's: any process that asks for some port may be
    given it. While the returned socket is open it is given to nobody; who names it may listen on
    it, one at a time, as servers do that set SO_REUSEADDR.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("", 0))
    return held


def cannot_listen(*, section: str, key: str, host: str, port: int, cause: Exception) -> ConfigError:
    """Return the error for a listener that could not be made; it names the setting to change."""
    number = cause.errno if isinstance(cause, OSError) else None
    if number == errno.EADDRINUSE:
        variable = environment_name(section, f"serving.{key}")
        return ConfigError(
            f"port {port} of {host} is in use; stop what listens there, or set another port "
            f"(0 takes any free one), in the environment {variable}",
            key=f"{section}.serving.{key}",
        )
    if number == errno.EACCES:
        return ConfigError(
            f"port {port} needs more rights than this process has; choose one above 1023",
            key=f"{section}.serving.{key}",
        )
    where = "host" if isinstance(cause, OSError) else key
    return ConfigError(f"cannot listen on {host}, port {port}", key=f"{section}.serving.{where}")


def join_address(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable_address(host: str, port: int) -> str:
    """Return the address by which this machine reaches a listener bound to `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return join_address(host, port)
    if not address.is_unspecified:
        return join_address(host, port)
    return join_address("127.0.0.1" if address.version == 4 else "::1", port)
