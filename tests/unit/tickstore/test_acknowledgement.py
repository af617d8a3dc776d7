"""An append's outcome reaches everyone who waits for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tickmesh_tickstore.engine import acknowledgement
from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable

STORED = Appended(1, 0, 3)


class SlowEvent(threading.Event):
    """Takes so long to be made that others come to wait meanwhile."""

    def __init__(self) -> None:
        time.sleep(0.1)
        super().__init__()


@pytest.mark.parametrize("wait", [AppendFuture.result, AppendFuture.received])
def test_two_that_begin_to_wait_together_are_both_told(
    monkeypatch: pytest.MonkeyPatch, wait: Callable[[AppendFuture, float], Appended]
) -> None:
    monkeypatch.setattr(acknowledgement, "threading", SimpleNamespace(Event=SlowEvent))
    future = AppendFuture()
    settlement = Settlement(1, 0, 3, STORED)
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(wait, future, 10.0) for _ in range(2)]
        time.sleep(0.5)  # both wait by now, or will find it done
        future.mark_received(settlement)
        future.mark_durable(settlement)
    assert [answer.result() for answer in answers] == [STORED, STORED]
