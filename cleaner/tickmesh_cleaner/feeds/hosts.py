"""Which hosts feeds may be read from: the configured ones, and nothing else is ever connected.

The rule is by name: whatever address a configured name resolves to is connected, and no other name
is, neither from a URL nor by a redirect. What a configured host must show by way of headers stays
with that host: a redirect takes none of it along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from tickmesh_cleaner.domain.errors import HostNotAllowedError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_serving.config import Secret

_ENTRY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::(?P<port>\*|\d{1,5}))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_USUAL_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
MAX_URL_CHARACTERS = 4_096


@dataclass(frozen=True, slots=True)
class _Entry:
    host: str
    port: int | None
    any_port: bool

    def covers(self, url: URL) -> bool:
        if url.host is None or url.host.lower() != self.host:
            return False
        return self.any_port or url.port == (self.port or _USUAL_PORTS.get(url.scheme))


class FeedHosts:
    """The hosts that may be connected, and the headers each is shown."""

    def __init__(self, hosts: Sequence[str], headers: Mapping[str, Secret]) -> None:
        """Read the configuration.

        Args:
            hosts: `host` (the usual port of the URL's scheme), `host:port` or `host:*`.
            headers: By `host` or `host:port`: header lines, `Name: value` each.

        Raises:
            ValueError: An entry is no host, or holds what is no header; never shows a header.
        """
        self._entries = tuple(_entry(text) for text in hosts)
        self._headers = {
            name.lower(): _header_lines(name, secret) for name, secret in headers.items()
        }

    def check(self, url: str, *, schemes: Sequence[str], field: str) -> URL:
        """The URL a caller gave, if it may be connected.

        Args:
            url: The URL.
            schemes: Those it may have.
            field: Where the caller gave it.

        Raises:
            InvalidArgumentError: It is no URL of these schemes, or holds a user or password.
            HostNotAllowedError: Its host is not configured.
        """
        expected = f"expected a URL {schemes[0]}://… or {schemes[1]}://…"
        if len(url) > MAX_URL_CHARACTERS:
            raise InvalidArgumentError(field, f"expected at most {MAX_URL_CHARACTERS} characters")
        try:
            parsed = URL(url)
        except ValueError:
            raise InvalidArgumentError(field, expected) from None
        if parsed.scheme not in schemes or not parsed.host:
            raise InvalidArgumentError(field, expected)
        if parsed.user is not None or parsed.password is not None:
            raise InvalidArgumentError(
                field,
                "a URL with a user or password is not taken: credentials belong into the cleaner's "
                "configuration, table [cleaner.feeds.headers], by host",
            )
        self.allow(parsed)
        return parsed.with_fragment(None)

    def allow(self, url: URL) -> None:
        """Raise HostNotAllowedError unless the URL's host may be connected."""
        if not any(entry.covers(url) for entry in self._entries):
            raise HostNotAllowedError(f"{url.host}:{url.port}")

    def headers_for(self, url: URL) -> Mapping[str, str]:
        """The headers that the host of a URL is shown."""
        host = (url.host or "").lower()
        return self._headers.get(f"{host}:{url.port}") or self._headers.get(host) or {}


def name_of(url: URL) -> str:
    """A URL in words: without query, which may hold a key."""
    return str(url.with_query(None).with_fragment(None).with_user(None))


def _entry(text: str) -> _Entry:
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected host, host:port or host:* in sources.hosts, was {text!r}")
    port = found["port"]
    number = int(port) if port and port != "*" else None
    if number is not None and not 0 < number < 65_536:
        raise ValueError(f"expected a port from 1 to 65535 in sources.hosts, was {text!r}")
    return _Entry(found["host"].strip("[]").lower(), number, port == "*")


def _header_lines(host: str, secret: Secret) -> Mapping[str, str]:
    headers = {}
    for line in secret.reveal().splitlines():
        if line.strip():
            found = _HEADER.fullmatch(line.strip())
            if found is None:
                # The line itself stays out of the message: it may be the secret.
                raise ValueError(f"expected lines `Name: value` in feeds.headers of {host}")
            headers[found[1]] = found[2]
    return headers
