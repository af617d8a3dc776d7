"""Only configured hosts are connected, and what a host is shown stays with it."""

from __future__ import annotations

import pytest
from yarl import URL

from tickmesh.settings import Secret
from tickmesh_cleaner.domain.errors import HostNotAllowedError, InvalidArgumentError
from tickmesh_cleaner.feeds.hosts import FeedHosts, name_of

HOSTS = FeedHosts(
    ["feed.example.com", "prices.example.com:8443", "127.0.0.1:*", "[::1]:90"],
    {"feed.example.com": Secret("Authorization: Bearer x\nX-Key: y\n"), "h:8": Secret("A: b")},
)


def check(url: str) -> URL:
    return HOSTS.check(url, schemes=("https", "http", "wss", "ws"), field="url")


@pytest.mark.parametrize(
    "url",
    [
        "https://feed.example.com/x",
        "http://feed.example.com/x",
        "wss://FEED.example.com/x",
        "https://prices.example.com:8443/",
        "http://127.0.0.1:1234/x",
        "http://127.0.0.1/x",
        "http://[::1]:90/",
    ],
)
def test_configured_hosts_pass(url: str) -> None:
    assert check(url).host


@pytest.mark.parametrize(
    "url",
    [
        "https://feed.example.com:444/x",
        "http://feed.example.com:443/x",
        "https://feed.example.com.evil.example/x",
        "https://evil.example/feed.example.com",
        "https://prices.example.com/",
        "http://[::1]/",
        "http://127.0.0.2:1234/x",
        "http://localhost/x",
    ],
)
def test_other_hosts_do_not(url: str) -> None:
    with pytest.raises(HostNotAllowedError):
        check(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://me@feed.example.com/",
        "https://me:word@feed.example.com/",
        "https://:word@feed.example.com/",
        "https://feed.example.com\\@evil.example/",
        "ftp://feed.example.com/",
        "feed.example.com",
        "https:///x",
        "http://feed.example.com:99999/",
        "https://feed.example.com/" + "x" * 5_000,
        "",
    ],
)
def test_what_is_no_url_of_a_feed_is_refused_and_shows_no_password(url: str) -> None:
    with pytest.raises((InvalidArgumentError, HostNotAllowedError)) as refused:
        check(url)
    assert "word" not in refused.value.message.replace("password", "")


def test_headers_are_those_of_the_host() -> None:
    shown = HOSTS.headers_for(URL("https://feed.example.com/x"))
    assert dict(shown) == {"Authorization": "Bearer x", "X-Key": "y"}
    assert HOSTS.headers_for(URL("https://prices.example.com:8443/")) == {}
    assert dict(HOSTS.headers_for(URL("http://h:8/"))) == {"A": "b"}
    assert HOSTS.headers_for(URL("http://h/")) == {}


@pytest.mark.parametrize("entry", ["", "a b", "https://x", "x:0", "x:70000", "x:y", "u@x", "x/y"])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"sources\.hosts"):
        FeedHosts([entry], {})


def test_a_wrong_header_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match=r"feeds\.headers of h") as refused:
        FeedHosts([], {"h": Secret("sesame")})
    assert "sesame" not in str(refused.value)


def test_a_name_shows_no_query() -> None:
    assert name_of(URL("https://h/x?key=sesame#y")) == "https://h/x"
