"""HAProxy, as people put it before replicas: TCP, round robin, a health check for each."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.held_port import HeldPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

_CONFIGURATION = """\
global
    maxconn 500
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
listen registry
    bind 127.0.0.1:{port}
    balance roundrobin
    option redispatch
    retries 3
    default-server check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


@asynccontextmanager
async def haproxy(directory: Path, addresses: Sequence[str]) -> AsyncIterator[str]:
    """Balance connections over `addresses` while the block runs; yields its own address."""
    held_port = HeldPort()
    port = held_port.number
    servers = "\n".join(f"    server replica{i} {a}" for i, a in enumerate(addresses))
    path = directory / "haproxy.cfg"
    path.write_text(_CONFIGURATION.format(port=port, servers=servers))
    with (directory / "haproxy.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            "/usr/sbin/haproxy", "-db", "-f", str(path), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(60):
            while not await _takes_connections(port):
                assert process.returncode is None, (directory / "haproxy.log").read_text()
                await asyncio.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _takes_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
