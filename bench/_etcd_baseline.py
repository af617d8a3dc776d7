"""etcd as a baseline: one member on free loopback ports, its data on the disk the registry uses.

Its few messages are written by hand, since nothing but bytes is compared. Numbers of fields are
those of etcd's published v3 API: PutRequest {key 1, value 2}; WatchRequest {create_request 1:
{key 1, range_end 2}}.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench._registry_edge import Server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

_STOP_SECONDS = 30.0
_MARK = b"made at "
_INSTANT_BYTES = 8
_PREFIX, _PREFIX_END = b"bench/", b"bench0"


def etcd_is_here() -> bool:
    """Whether there is an etcd to run."""
    return shutil.which("etcd") is not None


@contextmanager
def etcd_server(folder: Path) -> Iterator[str]:
    """A member of its own; its address. It syncs every write, as it does by default."""
    client, peer = (f"http://127.0.0.1:{port}" for port in _free_ports(2))
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "etcd",
                *("--data-dir", str(folder / "etcd")),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}"),
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield client.removeprefix("http://")
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Etcd(Server):
    """A client of etcd that puts and watches keys below one prefix."""

    def __init__(self, loop: asyncio.Runner, address: str, *, event_bytes: int) -> None:
        super().__init__(loop, address)
        self._put: Any = self.channel.unary_unary("/etcdserverpb.KV/Put")
        self._watch: Any = self.channel.stream_stream("/etcdserverpb.Watch/Watch")
        self._padding = b"x" * (event_bytes - len(_MARK) - _INSTANT_BYTES)
        self._puts = 0

    async def put_next(self) -> None:
        """Put a key that nobody knows; its value says when."""
        self._puts += 1
        made = time.time_ns().to_bytes(_INSTANT_BYTES, "big")
        await self._put(
            _field(1, _PREFIX + str(self._puts).encode()) + _field(2, _MARK + made + self._padding),
            wait_for_ready=True,
        )

    async def watch(self) -> Any:
        """A watch of the prefix, whose first message says that it has begun."""
        stream = self._watch(wait_for_ready=True)
        await stream.write(_field(1, _field(1, _PREFIX) + _field(2, _PREFIX_END)))
        return stream


def made_ns(message: bytes) -> int:
    """When the event was made, as its value says."""
    start = message.index(_MARK) + len(_MARK)
    return int.from_bytes(message[start : start + _INSTANT_BYTES], "big")


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, as protobuf writes it."""
    size, length = bytearray(), len(content)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2, *size]) + content


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
