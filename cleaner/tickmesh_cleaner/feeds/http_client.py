"""One request of a feed over HTTP: within the configured hosts, bounded in time and size.

Bodies are unpacked here and not by the client library: a packing that is cut off must count as a
broken transfer, never as a short body.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from tickmesh.decoding.compression import chunks
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import Compression
from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.feeds.backoff import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import CIMultiDictProxy

    from tickmesh_cleaner.feeds.hosts import FeedHosts
    from tickmesh_serving.clock import Clock

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
ANSWER_SECONDS = 120.0
MAX_REDIRECTS = 5
MAX_HEADER_BYTES = 32 << 10
_CHUNK_BYTES = 64 << 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_ANOTHER_TRY = frozenset({408, 421, 425, 429})
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class TryAgainError(Exception):
    """The feed gave no answer this time.

    Attributes:
        message: Why.
        retry_after_seconds: What the server asked for; None when it did not.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole body, unpacked.

    Attributes:
        url: Where it came from in the end.
        body: Its bytes.
        content_type: Its media type, lower case, without parameters.
        etag: Its entity tag.
        modified: Its `Last-Modified`.
        next_url: The target of its link with `rel="next"`; None without one.
    """

    url: URL
    body: bytes
    content_type: str
    etag: str
    modified: str
    next_url: URL | None


class FeedHttpClient:
    """Asks one feed. Used within one event loop; close it."""

    def __init__(self, *, hosts: FeedHosts, name: str, max_answer_bytes: int, clock: Clock) -> None:
        """Open a client; connects on first use.

        Args:
            hosts: What may be connected.
            name: What messages call the feed.
            max_answer_bytes: The most a body may hold, unpacked.
            clock: The clock.
        """
        self._hosts = hosts
        self._name = name
        self._max_answer_bytes = max_answer_bytes
        self._clock = clock
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=2, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(
                total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            read_bufsize=_CHUNK_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            headers={"User-Agent": "tickmesh-cleaner"},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, url: URL, *, etag: str = "", modified: str = "") -> Answer | None:
        """Ask for a URL.

        Args:
            url: What to ask for.
            etag: The entity tag of the body that is known.
            modified: Its `Last-Modified`.

        Returns:
            The answer; None when the body that is known is still the one.

        Raises:
            TryAgainError: There was no answer, or not a whole one.
            FeedRefusedError: The answer says that another try will not help.
            HostNotAllowedError: It leads to a host that is not configured.
        """
        conditions = {}
        if etag:
            conditions["If-None-Match"] = etag
        if modified:
            conditions["If-Modified-Since"] = modified
        try:
            return await self._follow(url, conditions)
        except TimeoutError:
            raise TryAgainError(
                f"no whole answer: {SILENCE_SECONDS:g} s without a byte, or more than "
                f"{ANSWER_SECONDS:g} s in all"
            ) from None
        except aiohttp.ClientError as error:
            raise connection_failure(error) from error

    async def _follow(self, url: URL, conditions: Mapping[str, str]) -> Answer | None:
        for _ in range(MAX_REDIRECTS + 1):
            self._hosts.allow(url)
            headers = {
                "Accept-Encoding": "gzip",
                **conditions,
                **self._hosts.headers_for(url),
            }
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status == HTTPStatus.NOT_MODIFIED:
                    return None
                if response.status not in _REDIRECTS:
                    return await self._taken(url, response)
                url = self._redirected(url, response.headers.get("Location"))
        raise FeedRefusedError(self._name, cause=f"more than {MAX_REDIRECTS} redirects")

    def _redirected(self, url: URL, location: str | None) -> URL:
        try:
            target = url.join(URL(location or ""))
        except ValueError:
            target = URL()
        if not location or target.scheme not in {"http", "https"} or not target.host:
            raise FeedRefusedError(self._name, cause="a redirect that leads to no URL")
        if url.scheme == "https" and target.scheme == "http":
            raise FeedRefusedError(self._name, cause="a redirect from https to http")
        return target.with_user(None).with_fragment(None)

    async def _taken(self, url: URL, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        if status != HTTPStatus.OK:
            words = f"answered {status} {response.reason or ''}".rstrip()
            if worth_another_try(status):
                asked = response.headers.get("Retry-After")
                raise TryAgainError(
                    words,
                    retry_after_seconds=retry_after_seconds(asked, now_ns=self._clock.now_ns()),
                )
            raise FeedRefusedError(self._name, cause=words)
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        body = await self._body(response, packing)
        return Answer(
            url=url,
            body=await asyncio.to_thread(self._unpacked_file, body),
            content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            etag=response.headers.get("ETag", ""),
            modified=response.headers.get("Last-Modified", ""),
            next_url=_next_link(response, url),
        )

    async def _body(self, response: aiohttp.ClientResponse, packing: str) -> bytes:
        unpacker = None
        if packing not in {"", "identity"}:
            if packing not in _WINDOW_BITS:
                raise FeedRefusedError(self._name, cause=f"the unknown packing {packing[:40]!r}")
            unpacker = _Unpacker(packing)
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            room = self._max_answer_bytes + 1 - len(body)
            body += chunk if unpacker is None else unpacker.unpack(chunk, room)
            if len(body) > self._max_answer_bytes:
                raise self._too_long()
        if unpacker is not None and not unpacker.whole:
            raise TryAgainError(f"the {packing} of the body is cut off")
        return bytes(body)

    def _unpacked_file(self, body: bytes) -> bytes:
        """The body of a packed file (`trades.csv.gz`); any other body as it is."""
        found = bytearray()
        try:
            for chunk in chunks(BytesIO(body), Compression.AUTO):
                found += chunk
                if len(found) > self._max_answer_bytes:
                    raise self._too_long()
        except DecodeError as error:
            raise TryAgainError(f"the packed file is not whole: {error.message}") from None
        return bytes(found)

    def _too_long(self) -> FeedRefusedError:
        return FeedRefusedError(
            self._name,
            cause=f"an answer of more than {self._max_answer_bytes} bytes "
            "(feeds.max_answer_bytes), of which nothing was taken",
        )


class _Unpacker:
    """Unpacks a body piece by piece; a gzip body may have several members."""

    def __init__(self, packing: str) -> None:
        self._packing = packing
        self._member = zlib.decompressobj(_WINDOW_BITS[packing])

    @property
    def whole(self) -> bool:
        """Whether the packing has come to its end."""
        return self._member.eof

    def unpack(self, chunk: bytes, most: int) -> bytes:
        """The content of a piece, as far as it fits."""
        found = bytearray()
        try:
            while chunk and len(found) < most:
                if self._member.eof:
                    self._member = zlib.decompressobj(_WINDOW_BITS[self._packing])
                found += self._member.decompress(chunk, most - len(found))
                chunk = self._member.unused_data
        except zlib.error:
            raise TryAgainError(f"the body is no sound {self._packing}") from None
        return bytes(found)


def _next_link(response: aiohttp.ClientResponse, url: URL) -> URL | None:
    try:
        link: CIMultiDictProxy[str | URL] | None = response.links.get("next")
        target = link.get("url") if link is not None else None
        return url.join(URL(target)) if target else None
    except ValueError:
        return None


def worth_another_try(status: int) -> bool:
    """Whether a status says that the feed may answer later."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY


def connection_failure(error: aiohttp.ClientError) -> TryAgainError:
    """What a failure of the client library means, without addresses or paths."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return TryAgainError("the certificate of the host is not valid")
        case aiohttp.ClientConnectorDNSError():
            return TryAgainError("the name of the host is not known")
        case aiohttp.ClientOSError() if error.strerror:
            return TryAgainError(f"the connection failed: {os.strerror(error.errno or 0)}")
        case aiohttp.ClientConnectionError():
            return TryAgainError("the connection was closed before an answer came")
        case aiohttp.ClientPayloadError():
            return TryAgainError("the connection broke off within the answer")
        case _:
            return TryAgainError(f"what came is no sound HTTP ({type(error).__name__})")
