"""A mesh whose wires break on command, for programs that are not written in Python.

A program connects to the control port and sends one command a line; each is answered with `ok`, or
with `error: …`:

    <wire> down | up             refuse connections and reset those there are; take them again
    <wire> reset                 end all connections with RST
    <wire> cut                   nothing passes any more on the connections there are, in silence
    <wire> hold | heal           nothing passes; a sound wire again, with what was held back
    <wire> latency <seconds>     added to every chunk, each way
    <service> freeze | thaw      stop a server where it stands; let it go on
    <service> kill               as a power cut would; it is started again at its ports

Wires are `registry`, `tickstore` and `flight`; services are `registry` and `tickstore`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Self

from tests.chaos.fault_proxy import FaultProxy
from tests.support.frozen import freeze
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

_SERVICES = ("registry", "tickstore")
# The store soon loses its patience with readers that take nothing.
_SETTINGS = {"tickstore.reading.max_lag_rows": "50000"}
_WIRES = {
    "registry": ("registry", "grpc", "REGISTRY"),
    "tickstore": ("tickstore", "grpc", "TICKSTORE"),
    "flight": ("tickstore", "flight", "TICKSTORE_FLIGHT"),
}


class FaultyMesh:
    """A registry and a tick store, straight and through wires that can be broken."""

    def __init__(self, home: Path) -> None:
        """Describe one in a home; use it as a context manager."""
        self._mesh = Mesh(home, services=_SERVICES, settings=_SETTINGS, free_ports=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires")
        self._wires: dict[str, FaultProxy] = {}
        self._control: asyncio.Server | None = None
        self._frozen: set[str] = set()
        self.killed = False

    def __enter__(self) -> Self:
        self._mesh.start()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._mesh.stop()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program reads its addresses from; `FAULTY_…` lead through the wires."""
        assert self._control is not None
        port = self._control.sockets[0].getsockname()[1]
        found = {"TICKMESH_TEST_FAULT_PROXY": f"127.0.0.1:{port}"}
        for wire, (service, kind, name) in _WIRES.items():
            found[f"TICKMESH_TEST_{name}"] = self._mesh.addresses[service][kind]
            found[f"TICKMESH_TEST_FAULTY_{name}"] = self._wires[wire].address
        return found

    def heal(self) -> None:
        """Let everything run and every wire be sound."""
        for service in tuple(self._frozen):
            self._signal(service, "thaw")

        async def heal() -> None:
            for wire in self._wires.values():
                wire.heal()
                await wire.up()

        asyncio.run_coroutine_threadsafe(heal(), self._loop).result()

    def _address(self, service: str, kind: str) -> str:
        return self._mesh.addresses[service][kind]

    async def _open(self) -> None:
        for wire, (service, kind, _) in _WIRES.items():
            behind = partial(self._address, service, kind)
            self._wires[wire] = FaultProxy(behind, rng=random.Random(0))
            await self._wires[wire].up()
        self._control = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _close(self) -> None:
        assert self._control is not None
        self._control.close()
        for wire in self._wires.values():
            await wire.__aexit__()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    await self._do(*line.decode().split())
                    answer = "ok"
                except (KeyError, TypeError, ValueError) as error:
                    answer = f"error: {line.decode().strip()!r}: {error!r}"
                writer.write(f"{answer}\n".encode())
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _do(self, target: str, verb: str, *arguments: str) -> None:
        if verb in {"freeze", "thaw", "kill"}:
            self._signal(target, verb)
            return
        wire = self._wires[target]
        if verb == "latency":
            wire.toxics.latency_seconds = float(*arguments)
            return
        if verb == "hold":
            wire.toxics.holding = True
            return
        immediate: dict[str, Callable[[], None]] = {
            "reset": wire.reset,
            "cut": wire.cut_silently,
            "heal": wire.heal,
        }
        awaited: dict[str, Callable[[], Awaitable[None]]] = {"up": wire.up, "down": wire.down}
        if verb in immediate:
            immediate[verb]()
        else:
            await awaited[verb]()

    def _signal(self, service: str, verb: str) -> None:
        pid = self._mesh.pid(service)
        if pid is None:
            raise ValueError(f"{service} does not run")
        if verb == "kill":
            self.killed = True
            self._frozen.discard(service)
            os.kill(pid, signal.SIGKILL)
        elif verb == "freeze":
            self._frozen.add(service)
            freeze(pid)
        else:
            self._frozen.discard(service)
            os.kill(pid, signal.SIGCONT)
