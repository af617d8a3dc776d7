"""What a client asks is checked before it travels."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tickmesh._ticks.commands import put_command, read_command
from tickmesh.api.tickstore.v1.commands_pb2 import (
    ACKNOWLEDGEMENT_LEVEL_RECEIVED,
    READ_ORDER_TIME,
)
from tickmesh.errors import InvalidArgumentError
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_read_command_carries_exact_instants() -> None:
    command = read_command(
        "d", start="1970-01-01", end=dt.datetime(1970, 1, 2, tzinfo=dt.UTC), tz="UTC", symbols="A"
    )
    assert (command.start_ns, command.end_ns) == (0, 86_400_000_000_000)
    assert list(command.symbols) == ["A"]


def test_an_open_range_is_not_a_range_from_zero() -> None:
    command = read_command("d", order="time")
    assert not command.HasField("start_ns")
    assert command.order == READ_ORDER_TIME


@pytest.mark.parametrize(
    "arguments",
    [{"limit": 0}, {"as_of": -1}, {"version": 0}, {"symbols": []}, {"columns": []}, {"order": "x"}],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        read_command("d", **arguments)


def test_a_put_command_says_when_to_acknowledge() -> None:
    command = put_command("d", ack="received", version=3)
    assert command.acknowledgement_level == ACKNOWLEDGEMENT_LEVEL_RECEIVED
    assert command.schema_version == 3
    assert put_command("d").WhichOneof("schema") is None
    with pytest.raises(InvalidArgumentError, match="ack"):
        put_command("d", ack="sometimes")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("pandas", lambda client: client.to_pandas("d")),
        ("polars", lambda client: client.to_polars("d")),
    ],
)
def test_a_missing_extra_prints_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, library: str, call: Callable[[TickClient], object]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not there
    with pytest.raises(ImportError, match=rf"pip install 'tickmesh\[{library}\]'"):
        call(TickClient("127.0.0.1:1", flight_address="127.0.0.1:1"))
