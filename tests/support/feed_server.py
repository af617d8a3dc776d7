"""A market-data feed over HTTP and WebSocket, in a process of its own, that can be told to fail.

`FeedServer` starts and steers it; the module run as a program is the server. It knows as many
records as it was told (`available`); record i is `record(i)`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from tests.support.held_port import HeldPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FIRST_NS = 1_700_000_000_000_000_000
PAGE = 10
_START_SECONDS = 120


def record(number: int) -> dict[str, object]:
    """A good trade."""
    return {
        "ts": FIRST_NS + number,
        "symbol": ("AIG", "MSFT", "IBM")[number % 3],
        "price": 1.0 + number % 100 / 4,
        "size": 1 + number,
    }


class FeedServer:
    """The server as a test has it; a context manager."""

    def __init__(self, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self._arguments: list[str] = []
        if certificate is not None and key is not None:
            self._arguments = ["--certificate", str(certificate), "--key", str(key)]
        self._process: subprocess.Popen[str] | None = None
        self._held_port = HeldPort()  # its own also while it is stopped
        self.port = self._held_port.number
        self.control_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at the same port every time; it has forgotten everything."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.feed_server",
                "--port",
                str(self.port),
                *self._arguments,
            ],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.control_port = int(self._process.stdout.readline())

    def start_with(self, **settings: object) -> None:
        """Start it with a state that was told already; see `tell`."""
        self._arguments += ["--settings", json.dumps(settings)]
        self.start()

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=_START_SECONDS)
            self._process = None

    def url(self, path: str, *, scheme: str = "http") -> str:
        """Where something of it is."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def tell(self, **settings: object) -> None:
        """Change its state; see `Feed`."""
        self._control("tell", settings)

    def say(self, messages: Iterable[object], *, binary: bool = False) -> None:
        """Send messages to every WebSocket; texts as they are, other values as JSON."""
        self._control("say", {"messages": list(messages), "binary": binary})

    def drop_sockets(self) -> None:
        """Reset every WebSocket."""
        self._control("drop", {})

    def log(self) -> list[dict[str, Any]]:
        """The requests that came, and the messages of WebSockets."""
        found: list[dict[str, Any]] = self._control("log", {})
        return found

    def await_sockets(self, count: int) -> None:
        """Wait until so many WebSockets are open and have sent what they subscribe to."""
        self._control("sockets", {"count": count})

    def await_requests(self, count: int) -> None:
        """Wait until so many requests have come in all."""
        self._control("requests", {"count": count})

    def _control(self, what: str, body: object) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control_port}/{what}", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=_START_SECONDS) as answer:
            return json.loads(answer.read())


class Feed:
    """The server's state: `available` records, and `faults` for the next requests in order.

    `greeting` is what every WebSocket is sent once it has subscribed.
    """

    def __init__(self) -> None:
        self.available = 0
        self.faults: list[dict[str, Any]] = []
        self.etags = True
        self.packed = False
        self.redirect_to = ""
        self.greeting: list[object] = []
        self.requests: list[dict[str, Any]] = []
        self.open: set[web.WebSocketResponse] = set()
        self.subscribed: set[web.WebSocketResponse] = set()
        self.changed = asyncio.Condition()

    async def tell(self, request: web.Request) -> web.Response:
        self.set(await request.json())
        return web.json_response(None)

    def set(self, settings: Mapping[str, object]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)

    async def tell_log(self, _request: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def await_sockets(self, request: web.Request) -> web.Response:
        count = (await request.json())["count"]
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.subscribed) == count)
        return web.json_response(None)

    async def await_requests(self, request: web.Request) -> web.Response:
        count = (await request.json())["count"]
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= count)
        return web.json_response(None)

    async def say(self, request: web.Request) -> web.Response:
        body = await request.json()
        for message in body["messages"]:
            text = message if isinstance(message, str) else json.dumps(message)
            for socket in list(self.subscribed):
                if body["binary"]:
                    await socket.send_bytes(text.encode("latin-1"))
                else:
                    await socket.send_str(text)
        return web.json_response(None)

    async def drop(self, _request: web.Request) -> web.Response:
        for socket in list(self.open):
            _reset(socket._req)
        self.open.clear()
        self.subscribed.clear()
        return web.json_response(None)

    # Over HTTP --------------------------------------------------------------------------------

    async def pages(self, request: web.Request) -> web.StreamResponse:
        """Records behind a cursor, always with the cursor to go on from."""
        begin = int(request.query.get("cursor", "0"))
        end = min(begin + PAGE, self.available)
        body = {"data": {"records": [record(n) for n in range(begin, end)]}, "next": str(end)}
        return await self._answer(request, json.dumps(body, indent=1).encode(), "application/json")

    async def linked(self, request: web.Request) -> web.StreamResponse:
        """Numbered pages of JSON lines; the last one grows."""
        number = int(request.query.get("page", "0"))
        end = min((number + 1) * PAGE, self.available)
        lines = [json.dumps(record(n)) + "\n" for n in range(number * PAGE, end)]
        headers = {}
        if self.available > (number + 1) * PAGE:
            headers["Link"] = f'</linked?page={number + 1}>; rel="next"'
        return await self._answer(
            request, "".join(lines).encode(), "application/jsonl", headers=headers
        )

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """The latest record alone, in CSV with a header."""
        latest = record(self.available - 1) if self.available else None
        lines = ["ts,symbol,price,size"]
        if latest is not None:
            lines.append(",".join(map(str, latest.values())))
        return await self._answer(request, "\n".join(lines).encode() + b"\n", "text/csv")

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        raise web.HTTPFound(self.redirect_to)

    async def _note(self, request: web.Request) -> None:
        async with self.changed:
            self.requests.append(
                {"path": request.path_qs, "headers": dict(request.headers.items())}
            )
            self.changed.notify_all()

    async def _answer(
        self,
        request: web.Request,
        body: bytes,
        content_type: str,
        *,
        headers: dict[str, str] | None = None,
    ) -> web.StreamResponse:
        await self._note(request)
        headers = {"Content-Type": content_type, **(headers or {})}
        etag = f'"{hash(body) & 0xFFFF_FFFF:x}"'
        if self.faults:
            fault = self.faults.pop(0)
            if fault["kind"] != "none":
                return await self._fail(request, fault, body, headers)
        if self.etags:
            headers["ETag"] = etag
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers=headers)
        if self.packed:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def _fail(
        self,
        request: web.Request,
        fault: dict[str, Any],
        body: bytes,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        match fault["kind"]:
            case "status":
                return web.Response(status=fault["status"], headers=fault.get("headers", {}))
            case "body":
                headers["Content-Type"] = fault.get("content_type", headers["Content-Type"])
                return web.Response(body=fault["body"].encode("latin-1"), headers=headers)
            case "truncated gzip":
                headers["Content-Encoding"] = "gzip"
                return web.Response(body=gzip.compress(body)[:-12], headers=headers)
            case "reset":
                headers["Content-Length"] = str(len(body))
            case "endless":
                headers.pop("Content-Length", None)
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        await answer.write(body[: len(body) // 2])
        if fault["kind"] == "stall":
            await asyncio.sleep(3_600)
        while fault["kind"] == "endless":
            await answer.write(b" " * 65_536)
        _reset(request)
        return answer

    # Over WebSockets --------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Waits for a subscription, then sends what `say` is told."""
        await self._note(request)
        if self.faults:
            fault = self.faults.pop(0)
            if fault["kind"] == "status":
                return web.Response(status=fault["status"], headers=fault.get("headers", {}))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open.add(socket)
        async for message in socket:
            for text in self.greeting:
                await socket.send_str(json.dumps(text))
            self.requests.append({"said": message.data})
            await self._subscribe(self.subscribed.add, socket)
        self.open.discard(socket)
        await self._subscribe(self.subscribed.discard, socket)
        return socket

    async def _subscribe(
        self, change: Callable[[web.WebSocketResponse], None], socket: web.WebSocketResponse
    ) -> None:
        async with self.changed:
            change(socket)
            self.changed.notify_all()


def _reset(request: web.BaseRequest | None) -> None:
    assert request is not None
    if request.transport is not None:
        request.transport.abort()


async def _serve(arguments: argparse.Namespace) -> None:
    feed = Feed()
    feed.set(json.loads(arguments.settings))
    public, control = web.Application(), web.Application()
    public.add_routes(
        [
            web.get("/pages", feed.pages),
            web.get("/linked", feed.linked),
            web.get("/snapshot.csv", feed.snapshot),
            web.get("/elsewhere", feed.elsewhere),
            web.get("/stream", feed.stream),
        ]
    )
    control.add_routes(
        [
            web.post("/tell", feed.tell),
            web.post("/log", feed.tell_log),
            web.post("/say", feed.say),
            web.post("/drop", feed.drop),
            web.post("/sockets", feed.await_sockets),
            web.post("/requests", feed.await_requests),
        ]
    )
    tls = None
    if arguments.certificate:
        import ssl

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.certificate, arguments.key)
    for application, port, context in ((public, arguments.port, tls), (control, 0, None)):
        runner = web.AppRunner(application, handle_signals=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        listening = runner.addresses[0][1]
    print(listening, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--settings", default="{}")
    asyncio.run(_serve(parser.parse_args()))
