"""Feeds on the command line: a URL in place of a file, and the options that go with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tickmesh.cleaning_sources import HttpFeed, WebSocketFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HTTP = ("http://", "https://")
_WEBSOCKET = ("ws://", "wss://")

_HTTP_OPTIONS = (
    click.option(
        "--poll-interval",
        "poll_interval_seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="HTTP feed: time between polls; 1 by default.",
    ),
    click.option(
        "--paging",
        type=click.Choice(("none", "link", "cursor")),
        help="HTTP feed: how to go on from one answer to the next; none by default.",
    ),
    click.option(
        "--cursor-path",
        metavar="POINTER",
        help="HTTP feed: JSON Pointer to the next cursor in an answer.",
    ),
    click.option(
        "--cursor-parameter",
        metavar="NAME",
        help="HTTP feed: the query parameter the cursor is sent back as.",
    ),
    click.option(
        "--records-path",
        metavar="POINTER",
        help="HTTP feed: JSON Pointer to the array of records in an answer.",
    ),
    click.option(
        "--max-answers",
        type=click.IntRange(min=1),
        help="HTTP feed: answers (walks, with paging) to take before the job ends.",
    ),
)
_WEBSOCKET_OPTIONS = (
    click.option(
        "--subscribe",
        multiple=True,
        metavar="MESSAGE",
        help="WebSocket feed: a message sent after every connect; may be repeated.",
    ),
    click.option(
        "--sequence-path",
        metavar="POINTER",
        help="WebSocket feed: JSON Pointer to the feed's own number of a message.",
    ),
    click.option(
        "--stall-timeout",
        "stall_timeout_seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="WebSocket feed: silence after which it is connected anew; 30 by default.",
    ),
)
_FLAGS = {
    "poll_interval_seconds": "--poll-interval",
    "paging": "--paging",
    "cursor_path": "--cursor-path",
    "cursor_parameter": "--cursor-parameter",
    "records_path": "--records-path",
    "max_answers": "--max-answers",
    "subscribe": "--subscribe",
    "sequence_path": "--sequence-path",
    "stall_timeout_seconds": "--stall-timeout",
}
_OF_WEBSOCKET = {"subscribe", "sequence_path", "stall_timeout_seconds"}


class FileOrFeed(click.ParamType[Path | str]):
    """A file that exists, or the URL of a feed."""

    name = "file"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | str:
        """The URL as it is; anything else as a file."""
        if isinstance(value, str) and value.startswith((*_HTTP, *_WEBSOCKET)):
            return value
        path: Path = click.Path(exists=True, dir_okay=False, path_type=Path).convert(
            value, param, ctx
        )
        return path


def feed_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of feeds to a command; it takes them as keywords."""
    for option in reversed((*_HTTP_OPTIONS, *_WEBSOCKET_OPTIONS)):
        command = option(command)
    return command


def feed_source(url: Path | str, options: Mapping[str, Any]) -> HttpFeed | WebSocketFeed | None:
    """The feed that was named; None for a file.

    Raises:
        click.UsageError: An option goes with another kind of source.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    wanted = set(_FLAGS)
    if isinstance(url, Path):
        kind, wanted = "a file", set()
    elif url.startswith(_WEBSOCKET):
        kind, wanted = "a WebSocket feed", wanted & _OF_WEBSOCKET
    else:
        kind, wanted = "a feed over HTTP", wanted - _OF_WEBSOCKET
    for name in given:
        if name not in wanted:
            raise click.UsageError(f"{_FLAGS[name]} does not go with {kind}")
    if isinstance(url, Path):
        return None
    return WebSocketFeed(url, **given) if url.startswith(_WEBSOCKET) else HttpFeed(url, **given)
