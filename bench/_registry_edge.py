"""The registry as a client on the wire sees it: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc.aio

from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.api.registry.v1 import selector_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

POSTGRES_URL = os.environ.get("BENCH_POSTGRES_URL", "")
"""A database to measure on, as `registry.store.url` has it; without it there is no such figure."""

_IN_FLIGHT = 64
_SERVICE = "/tickmesh.api.registry.v1.SchemaRegistryService"


def schema_text(number: int) -> str:
    """A closed record of 20 columns; the number makes texts differ, not meanings."""
    properties: dict[str, object] = {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        **{f"field_{column}": {"type": "integer"} for column in range(17)},
    }
    return json.dumps(
        {
            "title": f"Trades {number}",
            "type": "object",
            "properties": properties,
            "required": ["ts", "symbol", "price"],
            "additionalProperties": False,
        }
    )


class Server:
    """A channel on a loop that runs only while something is measured."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        self.loop = loop
        self.channel = loop.run(_open(address))

    def close(self) -> None:
        """Close the channel."""
        self.loop.run(self.channel.close())

    def rate(self, call: Callable[[], Awaitable[object]], seconds: float) -> float:
        """How many calls end in a second, 64 in flight."""

        async def measure() -> float:
            started = time.perf_counter()
            end, done = started + seconds, 0

            async def work() -> None:
                nonlocal done
                while time.perf_counter() < end:
                    await call()
                    done += 1

            await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
            return done / (time.perf_counter() - started)

        return self.loop.run(measure())


class RegistryEdge(Server):
    """One registry process."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        super().__init__(loop, address)
        self._get: Any = self.channel.unary_unary(f"{_SERVICE}/GetSchema")
        self._register: Any = self.channel.unary_unary(f"{_SERVICE}/RegisterSchema")
        self._watch: Any = self.channel.unary_stream(f"{_SERVICE}/Watch")
        self._numbers = count(1)
        self._prefix = f"bench.{uuid.uuid4().hex}"

    async def get(self, request: bytes) -> bytes:
        """GetSchema."""
        answer: bytes = await self._get(request)
        return answer

    def milliseconds_of_each(self, requests: list[bytes]) -> list[float]:
        """How long each GetSchema takes, one after the other."""

        async def measure() -> list[float]:
            took = []
            for request in requests:
                started = time.perf_counter()
                await self._get(request)
                took.append((time.perf_counter() - started) * 1e3)
            return took

        return self.loop.run(measure())

    async def register(self, subject: str, number: int) -> None:
        """RegisterSchema."""
        request = pb.RegisterSchemaRequest(subject=subject, text=schema_text(number))
        await self._register(request.SerializeToString())

    async def register_next(self) -> str:
        """Register the first version of a subject that nobody knows; the subject."""
        number = next(self._numbers)
        subject = f"{self._prefix}.{number}"
        await self.register(subject, number)
        return subject

    async def watch(self, request: pb.WatchRequest) -> Any:
        """A watch of this registry, which answers with its first message at once."""
        return self._watch(request.SerializeToString())


def version(subject: str, number: int) -> bytes:
    """The request of one version."""
    selector = selector_pb2.SubjectSelector(subject=subject, version=number)
    return pb.GetSchemaRequest(subject=selector).SerializeToString()


def latest(subject: str) -> bytes:
    """The request of a subject's latest version."""
    selector = selector_pb2.SubjectSelector(subject=subject, latest=selector_pb2.LatestSelector())
    return pb.GetSchemaRequest(subject=selector).SerializeToString()


async def _open(address: str) -> grpc.aio.Channel:
    # Channels belong to the loop they are made on.
    return grpc.aio.insecure_channel(address)
