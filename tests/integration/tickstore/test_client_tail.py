"""T8 from Python: a tail goes on by itself, says why it had to, and hands out every row once."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.frozen import freeze
from tests.support.governed_ticks import decoded, trades, trades_schema
from tests.support.ticks import integers
from tickmesh.errors import NotFoundError, TickmeshError
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient, col
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tickmesh.ticks import Tail, TickWriter

pytestmark = pytest.mark.integration

MAX_LAG_ROWS = 100


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Tests may hurt it, if not five times in a minute; slow readers soon try its patience."""
    home = tmp_path_factory.mktemp("mesh")
    settings = {"tickstore.reading.max_lag_rows": str(MAX_LAG_ROWS)}
    services = ("registry", "tickstore")
    with Mesh(home, services=services, settings=settings, free_ports=True) as running:
        yield running


@pytest.fixture
def subject(mesh: Mesh) -> str:
    """A freshly registered subject of trades, of this mesh."""
    name = f"ticks.trades_{uuid.uuid4().hex[:8]}"
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
        registry.register(name, trades_schema())
    return name


@pytest.fixture
def ticks(mesh: Mesh) -> Iterator[TickClient]:
    addresses = mesh.addresses["tickstore"]
    with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
        yield client


def sizes(batches: list[pa.RecordBatch]) -> list[int]:
    return integers(pa.Table.from_batches(batches), "size")


def take(tail: Tail, rows: int) -> list[pa.RecordBatch]:
    seen: list[pa.RecordBatch] = []
    while sum(batch.num_rows for batch in seen) < rows:
        seen.append(next(tail).batch)
    return seen


@contextmanager
def writing(writer: TickWriter, tables: Iterable[pa.Table]) -> Iterator[None]:
    """Tables are put one after the other, each once the one before is durable."""

    def write() -> None:
        with writer:
            for table in tables:
                writer.put(table)
                writer.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_t8_a_tail_outlives_its_store_and_tells_of_it(
    mesh: Mesh, ticks: TickClient, subject: str
) -> None:
    told: list[TickmeshError] = []
    everything = trades(400)
    killed = threading.Event()

    def pieces() -> Iterator[pa.Table]:
        for start in range(0, 400, 10):
            # Some rows come only after the kill, however late that is.
            assert start < 200 or killed.wait(60)
            yield everything.slice(start, 10)

    with ticks.tail(subject, on_interruption=told.append) as tail:
        with writing(ticks.writer(subject), pieces()):
            seen = take(tail, 100)
            pid = mesh.pid("tickstore")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            killed.set()
            seen += take(tail, 400 - sum(batch.num_rows for batch in seen))
        assert tail.interruptions == len(told) >= 1
    assert {error.code for error in told} == {"UNAVAILABLE"}
    assert decoded(pa.Table.from_batches(seen)).equals(decoded(everything))


def test_t8_a_slow_consumer_is_told_and_misses_nothing(
    ticks: TickClient, subject: str, caplog: pytest.LogCaptureFixture
) -> None:
    everything = trades(100_000)
    ticks.put(subject, everything.slice(0, 5))
    stored = 5
    with ticks.tail(subject) as tail, caplog.at_level(logging.WARNING, "tickmesh.ticks"):
        seen = [next(tail).batch]
        # The consumer does not come back for more, for as long as the store is patient: it looks
        # four times a second, unless the machine is too busy to let it.
        for patience_seconds in (2.0, 4.0, 8.0):
            patience_ends = time.monotonic() + patience_seconds
            enough = stored + 5 * MAX_LAG_ROWS
            with ticks.writer(subject) as writer:
                while time.monotonic() < patience_ends or stored < enough:
                    writer.put(everything.slice(stored, 5))
                    writer.flush()
                    stored += 5
            seen += take(tail, stored - sum(batch.num_rows for batch in seen))
            if tail.interruptions:
                break
        assert tail.interruptions >= 1
    assert sizes(seen) == list(range(stored))
    assert "rows behind" in caplog.text


def test_t8_a_filtered_tail_resumes_behind_rows_it_did_not_hand_out(
    mesh: Mesh, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(30))
    where = col("symbol") == "IBM"
    with ticks.tail(subject, where=where, columns=["size"], on_interruption=lambda _: None) as tail:
        seen = take(tail, 10)
        writer = ticks.writer(subject)
        pid = mesh.pid("tickstore")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with writing(writer, [trades(60).slice(30)]):
            seen += take(tail, 10)
    assert sizes(seen) == [size for size in range(60) if size % 3 == 1]


def test_t4_a_writer_tells_how_far_it_is_behind_and_catches_up(
    mesh: Mesh, ticks: TickClient, subject: str
) -> None:
    with ticks.writer(subject) as writer:
        writer.put(trades(10))
        writer.flush()
        assert (writer.lag_rows, writer.lag_seconds) == (0, 0.0)
        pid = mesh.pid("tickstore")
        assert pid is not None
        # Frozen, so that it can be neither still there nor back again when the lag is asked for.
        freeze(pid)
        writer.put(trades(10))
        assert writer.lag_rows == 10
        assert writer.lag_seconds > 0
        os.kill(pid, signal.SIGKILL)
        assert writer.flush(timeout_seconds=60).rows == 20
        assert (writer.lag_rows, writer.lag_seconds) == (0, 0.0)
    assert ticks.read(subject).num_rows == 20


def test_what_no_retry_mends_is_raised(ticks: TickClient) -> None:
    with pytest.raises(NotFoundError), ticks.tail("ticks.nobody") as tail:
        next(tail)


def test_a_tail_that_is_closed_while_it_opens_its_stream_ends(
    ticks: TickClient, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks.put(subject, trades(5))
    tail = ticks.tail(subject)
    options = ticks._connection.options

    def closing() -> object:
        tail.close()
        return options()

    monkeypatch.setattr(ticks._connection, "options", closing)
    assert list(tail) == []
    assert tail.interruptions == 0


def test_a_tail_is_ended_from_another_thread(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(5))
    tail = ticks.tail(subject)
    took = threading.Event()

    def follow() -> None:
        for _ in tail:
            took.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert took.wait(30)
    tail.close()
    thread.join(30)
    assert not thread.is_alive()
