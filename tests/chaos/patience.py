"""Waiting for something that has no event to wait for: a file, a history, another process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_SECONDS = 0.02


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again until a condition holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(_POLL_SECONDS)
