"""Instants that a command is given."""

from __future__ import annotations

import click

from tickmesh._ticks.time_arguments import instant_ns
from tickmesh.errors import InvalidArgumentError

_EXAMPLE = "2026-11-20T14:30:00Z"


class Instant(click.ParamType[int]):
    """An instant with a zone, as nanoseconds since the epoch."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read ISO 8601 text with up to nine decimals; a zone is required."""
        if isinstance(value, int):
            return value
        try:
            return instant_ns(str(value))
        except InvalidArgumentError:
            self.fail(
                f"expected an instant with its zone, such as {_EXAMPLE}, was {value}", param, ctx
            )


def instant_of(text: str | None, *, tz: str | None, option: str) -> int | None:
    """Read the text of an option whose zone another option may name.

    Raises:
        click.BadParameter: it is no instant, or no zone is named.
    """
    if text is None:
        return None
    try:
        return instant_ns(text, tz=tz, name=option)
    except InvalidArgumentError as error:
        if tz is None and _is_instant(text, tz="UTC"):
            message = f"{text} names no zone; write {text}Z for UTC, or add --tz America/New_York"
        else:
            message = error.message
        raise click.BadParameter(message, param_hint=option) from None


def _is_instant(text: str, *, tz: str) -> bool:
    try:
        instant_ns(text, tz=tz)
    except InvalidArgumentError:
        return False
    return True
