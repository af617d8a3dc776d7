"""The connections of a tick client, opened on first use by whichever thread comes first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tickmesh._ticks import connection as connections
from tickmesh._ticks.connection import TickConnection
from tickmesh._wire.credentials import ClientCredentials, open_channel

if TYPE_CHECKING:
    import pytest


def test_threads_that_call_first_together_open_one_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.05)
        opened.append(open_channel(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(connections, "open_channel", slowly)
    connection = TickConnection(
        address="127.0.0.1:1",
        flight_address="127.0.0.1:1",
        credentials=ClientCredentials(),
        call_attempts=1,
    )
    with ThreadPoolExecutor(2) as threads:
        used = [threads.submit(connection._control) for _ in range(2)]
    assert [each.result() for each in used] == opened * 2
    connection.close()
