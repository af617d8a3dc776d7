"""The C++ client as a watcher: a program of its own that says what its watches hand over.

It is `tickmesh_watch_recorder` of clients/cpp/tests/programs; a line of JSON is a fact.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.chaos.change_log import text_digest
from tests.chaos.history import SeenEvent, WatchEnded, WatchOpened, WatchResponded
from tests.chaos.selection import Selection
from tickmesh_registry.domain.tokens import WatchToken

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.history import History

_PROGRESS_SECONDS = 1.0
_LINE_BYTES = 64 << 20
_END_SECONDS = 20.0


class ProgramWatcher:
    """Watches by a program, through a lane.

    Args:
        name: What the history calls it.
        program: The recorder.
        lane: The name of the proxy.
        address: Where the lane begins.
        history: Takes what it sees.
        prefix: How the subjects it asks for begin.
        reopen_seconds: How often it leaves its watch and opens another one behind its last token;
            never when 0.
    """

    def __init__(
        self,
        name: str,
        program: Path,
        lane: str,
        address: str,
        history: History,
        *,
        prefix: str = "",
        reopen_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.revision = 0
        self._arguments = (str(program), address, prefix, str(round(reopen_seconds * 1e3)))
        self._history = history
        self._opening = WatchOpened(
            stream=0,
            watcher=name,
            lane=lane,
            at_ns=0,
            start="snapshot",
            revision=0,
            epoch="",
            selection=Selection(prefix=prefix),
            include_previous=False,
            progress_seconds=_PROGRESS_SECONDS,
            raw=False,
        )
        self._stream = 0

    async def live(self) -> None:
        """Watch until cancelled; the program has to end cleanly then.

        Raises:
            AssertionError: It ended by itself, or not cleanly.
        """
        process = await asyncio.create_subprocess_exec(
            *self._arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE_BYTES
        )
        assert process.stdin is not None
        assert process.stderr is not None
        reading = asyncio.create_task(self._read(process))
        complaints = asyncio.create_task(process.stderr.read())
        with suppress(asyncio.CancelledError):
            await asyncio.wait([reading])
        ending = asyncio.create_task(self._end(process, reading, complaints))
        while not ending.done():
            # Whoever cancels does so again and again; the program is not left behind.
            with suppress(asyncio.CancelledError):
                await asyncio.wait([ending])
        ending.result()
        raise asyncio.CancelledError

    async def _end(
        self,
        process: asyncio.subprocess.Process,
        reading: asyncio.Task[None],
        complaints: asyncio.Task[bytes],
    ) -> None:
        assert process.stdin is not None
        early = reading.done()
        process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await reading
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"{self.name} hangs at its end") from None
        said = (await complaints).decode(errors="replace")
        assert code == 0, f"{self.name}: exit code {code}\n{said}"
        assert not early, f"{self.name} ended by itself\n{said}"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            ((record, values),) = json.loads(line).items()
            match record:
                case "opened":
                    self._opened(values)
                case "message":
                    self._message(values)
                case "ended":
                    self._history.add(WatchEnded(stream=self._stream, **values))

    def _opened(self, values: dict[str, Any]) -> None:
        self._stream = self._history.new_stream()
        opened = replace(self._opening, stream=self._stream, at_ns=values["at_ns"])
        if values["token"]:
            token = WatchToken.decode(values["token"])
            opened = replace(
                opened, start="after_token", revision=token.revision, epoch=token.epoch
            )
        self._history.add(opened)

    def _message(self, values: dict[str, Any]) -> None:
        events = tuple(
            SeenEvent(digest=text_digest(event.pop("text")), **event) for event in values["events"]
        )
        token = WatchToken.decode(values["token"])
        response = WatchResponded(
            stream=self._stream,
            at_ns=values["at_ns"],
            kind=values["kind"],
            revision=values["revision"],
            prev_revision=0,
            token_epoch=token.epoch,
            token_revision=token.revision,
            fragment=False,
            compact_revision=0,
            events=events,
        )
        if response.kind == "snapshot":
            part = replace(
                response, kind="snapshot_part", token_epoch="", token_revision=0, fragment=True
            )
            self._history.add(part)
            response = replace(response, kind="snapshot_end", events=())
        self._history.add(response)
        self.revision = response.revision
