"""A feed over a WebSocket: every message goes into the spool; silence and breaks are mended."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Never

import aiohttp

from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.feeds.backoff import Backoff, retry_after_seconds
from tickmesh_cleaner.feeds.http_client import (
    CONNECT_SECONDS,
    TryAgainError,
    connection_failure,
    worth_another_try,
)
from tickmesh_cleaner.feeds.sequence import Kind, Place, SequenceTracker

if TYPE_CHECKING:
    from types import SimpleNamespace

    from yarl import URL

    from tickmesh_cleaner.domain.job_source import WebSocketFeedSource
    from tickmesh_cleaner.feeds.hosts import FeedHosts
    from tickmesh_cleaner.feeds.intake import Intake
    from tickmesh_serving.clock import Clock

    _Socket = aiohttp.ClientWebSocketResponse[bool]

MAX_MESSAGE_BYTES = 16 << 20
"""The most one message may hold; a longer one ends the connection."""

_CLOSE_SECONDS = 2.0
_GAP_EVENTS_SECONDS = 1.0
_GAPS_SPELT_OUT = 10


class StalledError(TryAgainError):
    """Nothing came for too long."""


class WebSocketReceiver:
    """Keeps one feed connected."""

    def __init__(
        self,
        source: WebSocketFeedSource,
        url: URL,
        *,
        name: str,
        hosts: FeedHosts,
        intake: Intake,
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        """Remember from the spool which messages came before.

        Args:
            source: The feed.
            url: Its URL, which was checked.
            name: What messages call it.
            hosts: What the host is shown.
            intake: Where messages go.
            clock: The clock.
            backoff: How long to wait after a failure.
        """
        self._source = source
        self._url = url
        self._name = name
        self._hosts = hosts
        self._intake = intake
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._tracker = SequenceTracker(source.sequence_path)
        self._connected_before = False
        for record in intake.spool.read(intake.spool.last_segment):
            self._connected_before = True
            self._tracker.note(record.payload)
        self._gaps = _Gaps(intake)

    async def run(self) -> Never:
        """Receive for ever.

        Raises:
            CleanerError: The feed refuses, or leads elsewhere.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(self._refuse_redirect)
        async with aiohttp.ClientSession(
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            headers={"User-Agent": "tickmesh-cleaner"},
        ) as session:
            while True:
                await self._intake.room()
                try:
                    await self._connection(session)
                except TryAgainError as error:
                    await self._gaps.tell()
                    if isinstance(error, StalledError):
                        await self._intake.event("STALLED", f"{error.message}; connecting anew")
                    wait_seconds = self._backoff.failed(error.retry_after_seconds)
                    self._intake.waiting = (
                        f"{self._name}: {error.message}; connecting again in {wait_seconds:.1f} s"
                    )
                    await asyncio.sleep(wait_seconds)

    async def _connection(self, session: aiohttp.ClientSession) -> Never:
        """One connection, from the handshake until it ends."""
        socket = await self._connect(session)
        try:
            if self._connected_before:
                await self._intake.event("RECONNECTED", self._words_of_reconnect())
            self._connected_before = True
            self._intake.waiting = ""
            for message in self._source.subscribe:
                await socket.send_str(message)
            await self._receive(socket)
        except aiohttp.ClientError as error:
            raise connection_failure(error) from error
        finally:
            await socket.close()

    async def _connect(self, session: aiohttp.ClientSession) -> _Socket:
        self._hosts.allow(self._url)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await session.ws_connect(
                    self._url,
                    headers=self._hosts.headers_for(self._url),
                    max_msg_size=MAX_MESSAGE_BYTES,
                    compress=15,
                    # Text is kept as it came; whether it is UTF-8 is judged with the record.
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                )
        except TimeoutError:
            raise TryAgainError("no connection in time") from None
        except aiohttp.WSServerHandshakeError as error:
            raise self._refusal(error) from error
        except aiohttp.ClientError as error:
            raise connection_failure(error) from error

    async def _receive(self, socket: _Socket) -> Never:
        loop = asyncio.get_running_loop()
        stall_seconds = self._source.stall_timeout_seconds
        while True:
            await self._intake.room()
            try:
                # Pings are answered, and are no messages: a feed that only pings has stalled.
                async with asyncio.timeout_at(loop.time() + stall_seconds):
                    message = await socket.receive()
            except TimeoutError:
                raise StalledError(f"no message for {stall_seconds:g} s") from None
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    self._backoff.succeeded()
                    await self._take(bytes(message.data))
                case aiohttp.WSMsgType.ERROR:
                    raise TryAgainError(
                        f"the server broke the protocol: {_close_words(socket.close_code)}"
                    )
                case _:
                    raise TryAgainError(
                        f"the server closed the connection: {_close_words(socket.close_code)}"
                    )

    async def _take(self, message: bytes) -> None:
        place = self._tracker.note(message)
        if place.kind is Kind.REPEATED:
            return
        self._intake.take(message)
        await self._gaps.note(place)

    def _words_of_reconnect(self) -> str:
        if self._source.sequence_path:
            last = self._tracker.last
            seen = "no number was seen before" if last is None else f"the last number was {last}"
            return f"connected again; {seen}, and a jump from there is reported as a gap"
        return (
            "connected again; the feed does not number its messages: what it sent meanwhile was "
            "not received, and how much that is is not known"
        )

    def _refusal(self, error: aiohttp.WSServerHandshakeError) -> TryAgainError | FeedRefusedError:
        words = f"answered {error.status} {error.message}".rstrip()
        if worth_another_try(error.status) or error.status == HTTPStatus.SWITCHING_PROTOCOLS:
            asked = error.headers.get("Retry-After") if error.headers else None
            return TryAgainError(
                words, retry_after_seconds=retry_after_seconds(asked, now_ns=self._clock.now_ns())
            )
        return FeedRefusedError(self._name, cause=words)

    async def _refuse_redirect(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        _redirect: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        raise FeedRefusedError(self._name, cause="a redirect, which a WebSocket feed cannot follow")


class _Gaps:
    """Reports gaps, many at once where they come fast."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._told_at = -_GAP_EVENTS_SECONDS
        self._words: list[str] = []
        self._missing = 0
        self._gaps = 0

    async def note(self, place: Place) -> None:
        """Note where a message stands."""
        if place.kind is Kind.AHEAD and place.number and place.expected is not None:
            self._gaps += 1
            self._missing += place.number - place.expected
            last = place.number - 1
            self._words.append(
                f"{place.expected}" if last == place.expected else f"{place.expected} to {last}"
            )
        elif place.kind is Kind.BEHIND:
            self._gaps += 1
            self._words.append(f"{place.number} where {place.expected} was expected")
        if self._gaps:
            now = asyncio.get_running_loop().time()
            if now - self._told_at >= _GAP_EVENTS_SECONDS:
                self._told_at = now
                await self.tell()

    async def tell(self) -> None:
        """Report what was noted and not yet told."""
        if not self._gaps:
            return
        words = ", ".join(self._words[:_GAPS_SPELT_OUT])
        more = self._gaps - _GAPS_SPELT_OUT
        if more > 0:
            words += f" and {more} more"
        message = f"{self._missing} messages were not received; gaps in the feed's numbers: {words}"
        self._words, self._missing, self._gaps = [], 0, 0
        await self._intake.event("GAP", message)


def _close_words(code: int | None) -> str:
    try:
        return f"{code} {aiohttp.WSCloseCode(code or 0).name}"
    except ValueError:
        return "without a close code" if code is None else str(code)
