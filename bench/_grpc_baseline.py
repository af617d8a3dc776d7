"""Bare grpc.aio servers that decide nothing: what the registry's edge is measured against.

`python -m bench._grpc_baseline ANSWER_BYTES EVENT_BYTES EVENTS_PER_SECOND` prints its port and
serves until its standard input ends: `/bare/Echo` answers as many bytes, `/bare/Fan` streams
events of as many bytes, each beginning with the instant it was made (8 bytes, ns), and
`/bare/Burst` at once as many as it is asked for (4 bytes). Streams begin with an empty message.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import uvloop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class BareServer:
    def __init__(self, *, answer_bytes: int, event_bytes: int) -> None:
        self._answer = b"x" * answer_bytes
        self._padding = b"x" * (event_bytes - 8)
        self._made = asyncio.Event()
        self._event = b"x" * event_bytes

    async def echo(self, _request: bytes, _context: object) -> bytes:
        return self._answer

    async def fan(self, _request: bytes, _context: object) -> AsyncIterator[bytes]:
        yield b""
        while True:
            await self._made.wait()
            yield self._event

    async def burst(self, request: bytes, _context: object) -> AsyncIterator[bytes]:
        yield b""
        for _ in range(int.from_bytes(request, "big")):
            yield self._event

    async def make_events(self, per_second: float) -> None:
        while True:
            await asyncio.sleep(1 / per_second)
            self._event = time.time_ns().to_bytes(8, "big") + self._padding
            made, self._made = self._made, asyncio.Event()
            made.set()

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "Fan": grpc.unary_stream_rpc_method_handler(self.fan),
            "Burst": grpc.unary_stream_rpc_method_handler(self.burst),
        }
        server.add_registered_method_handlers("bare", handlers)


async def serve(answer_bytes: int, event_bytes: int, per_second: float) -> None:
    bare = BareServer(answer_bytes=answer_bytes, event_bytes=event_bytes)
    server = grpc.aio.server()
    bare.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    making = asyncio.create_task(bare.make_events(per_second))
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    making.cancel()
    await server.stop(None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
