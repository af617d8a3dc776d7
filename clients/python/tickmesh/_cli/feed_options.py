"""Feeds on the command line: a URL in place of a file, and the options that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tickmesh._cli.clean_sources import LocalSource
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


def feed_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of feeds to a command; it takes them as keywords."""
    for option in reversed((*_HTTP_OPTIONS, *_WEBSOCKET_OPTIONS)):
        command = option(command)
    return command


def feed(given: str, options: Mapping[str, Any]) -> LocalSource | None:
    """The feed whose URL was given; None for a file.

    Raises:
        click.UsageError: An option goes with another kind of source.
    """
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    if given.startswith(_WEBSOCKET):
        kind, fitting = "a WebSocket feed", _OF_WEBSOCKET
    elif given.startswith(_HTTP):
        kind, fitting = "a feed over HTTP", set(_FLAGS) - _OF_WEBSOCKET
    else:
        kind, fitting = "a file", set()
    for name in chosen:
        if name not in fitting:
            raise click.UsageError(f"{_FLAGS[name]} does not go with {kind}")
    if not fitting:
        return None
    if given.startswith(_WEBSOCKET):
        return LocalSource(given, WebSocketFeed(given, **chosen), ())
    return LocalSource(given, HttpFeed(given, **chosen), ())
