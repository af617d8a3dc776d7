"""T2, T3, T4, T8 and T10 under load: the store is killed again and again, and nothing is lost.

Producers put numbered messages, now and then one they sent before, some as atomic uploads; another
opens their id and fences them; readers read snapshots and a tail follows. In the end the dataset of
each producer holds exactly its messages, each once and in order, and the tail saw just that.

The same goes on while retention drops segments, compaction merges them and snapshots hold them.
Then what is there is the end of all that was put, from the revision on that it says it keeps.
`TICKMESH_SEED` replays the moments.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.support.governed_ticks import trades, trades_schema
from tests.support.ticks import integers
from tickmesh.api.tickstore.v1 import commands_pb2, dataset_pb2, tick_store_service_pb2
from tickmesh.config import load_client_config
from tickmesh.errors import TickmeshError, UnavailableError
from tickmesh.registry import RegistryClient
from tickmesh.ticks import Retention, TickClient
from tickmesh_serving.mesh import Mesh
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0
SUBJECT = "ticks.trades"
PRODUCERS = 3
ROWS = 10
_MESSAGE_SHIFT, _PRODUCER_SHIFT = 100, 10**9
_BURST = 6
KEPT_BYTES = 6_000
"""Retention drops the oldest segments beyond this: a file of a hundred rows is almost as large."""
EXPIRED = frozenset({"TICKET_EXPIRED", "REVISION_OUT_OF_RANGE"})
"""A read that a kill held up for longer than its ticket lives."""
RARE = ("fenced", "duplicates", "gaps", "reads")
"""What has to come about at least once, or the experiment shows nothing."""
KILLS_A_MESH = 4
"""A mesh gives up on a service that dies five times in a minute."""


def message(producer: int, sequence: int) -> pa.Table:
    """Rows that say in `size` whose they are, of which message, and which of it."""
    first = producer * _PRODUCER_SHIFT + sequence * _MESSAGE_SHIFT
    rows = trades(ROWS, start_ns=sequence * 1_000_000)
    return rows.set_column(3, "size", pa.array(range(first, first + ROWS)))


def sizes_of(producer: int, messages: int) -> list[int]:
    """The `size` of all rows of a producer's first messages."""
    return [
        producer * _PRODUCER_SHIFT + sequence * _MESSAGE_SHIFT + row
        for sequence in range(1, messages + 1)
        for row in range(ROWS)
    ]


class Load:
    """Everything that goes on while the store is killed; ends when told to."""

    def __init__(self, mesh: Mesh, seed: int) -> None:
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self.acknowledged = dict.fromkeys(range(PRODUCERS), 0)
        self.revisions: dict[int, dict[int, int]] = {each: {} for each in range(PRODUCERS)}
        self.fenced = self.duplicates = self.gaps = self.reads = 0
        self.tailed: list[int] = []
        addresses = mesh.addresses["tickstore"]
        self._flight = f"grpc://{addresses['flight']}"
        self._ticks = TickClient(
            addresses["grpc"],
            flight_address=addresses["flight"],
            # A kill may take the answer alone: a snapshot made again would be there already.
            config=replace(load_client_config(), call_attempts=1),
            timeout_seconds=PATIENCE_SECONDS,
        )
        self._tail = self._ticks.tail(SUBJECT)
        self._seed = seed
        self._threads = [
            *(self._thread(self._produce, producer) for producer in range(PRODUCERS)),
            *map(self._thread, self._beside()),
        ]
        self._tailing = self._thread(self._follow)

    def _beside(self) -> list[Callable[[], None]]:
        """What else goes on."""
        return [self._read, self._maintain]

    def _thread(self, run: Callable[..., None], *arguments: int) -> threading.Thread:
        def guarded() -> None:
            try:
                run(*arguments)
            except BaseException as error:  # noqa: BLE001  # raised by `finish`
                self.failures.append(error)
                self.over.set()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def happened(self) -> dict[str, int]:
        """How often each of the rarer things came about."""
        return {name: getattr(self, name) for name in RARE}

    def go_on_until_all_happened(self) -> None:
        """Chance is given time on a busy machine too; each comes about several times a second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(self.happened().values()) and time.monotonic() < deadline:
            if self.over.wait(0.05):
                return

    def finish(self) -> dict[int, int]:
        """Let all come to an end; the messages of each producer that the store knows."""
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        known = {producer: self._known(producer) for producer in range(PRODUCERS)}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.failures or self._has_seen_all(known)) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._tail.close()
        self._tailing.join(PATIENCE_SECONDS)
        self._ticks.close()
        if self.failures:
            raise self.failures[0]
        return known

    def _has_seen_all(self, known: dict[int, int]) -> bool:
        """Whether the tail has come to the end."""
        return len(self.tailed) >= ROWS * sum(known.values())

    def _known(self, producer: int) -> int:
        """The last sequence stored, once the store is back."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with flight.connect(self._flight) as client:
                    return self._open(client, producer).last_sequence
            except flight.FlightError:
                assert time.monotonic() < deadline, "the store did not come back"
                time.sleep(0.05)

    @staticmethod
    def _open(client: flight.FlightClient, producer: int) -> dataset_pb2.Producer:
        request = tick_store_service_pb2.OpenProducerRequest(
            dataset=SUBJECT, producer_id=f"feed-{producer}"
        )
        action = flight.Action("OpenProducer", request.SerializeToString())
        (answer,) = client.do_action(action)
        body = answer.body.to_pybytes()
        return tick_store_service_pb2.OpenProducerResponse.FromString(body).producer

    def _produce(self, producer: int) -> None:
        chance = random.Random(self._seed + producer)
        while not self.over.is_set():
            try:
                with flight.connect(self._flight) as client:
                    self._produce_until_broken(client, producer, chance)
            except (flight.FlightError, pa.ArrowException, OSError):
                self.over.wait(0.05)

    def _produce_until_broken(
        self, client: flight.FlightClient, producer: int, chance: random.Random
    ) -> None:
        state = self._open(client, producer)
        assert state.last_sequence >= self.acknowledged[producer], "acknowledged, and forgotten"
        sequence = state.last_sequence
        while not self.over.is_set():
            what = chance.random()
            if what < 0.1:
                sequence = self._upload(client, producer, state.producer_epoch, sequence + 1)
            elif what < 0.15:
                self._skip(client, producer, state.producer_epoch, sequence)
            elif what < 0.2:
                self._go_on_as_a_zombie(client, producer, state.producer_epoch, sequence)
                return
            else:
                again = sequence if sequence and chance.random() < 0.3 else sequence + 1
                last = sequence + chance.randint(1, _BURST)
                self._put(client, producer, state.producer_epoch, range(again, last + 1))
                sequence = last

    def _stream(
        self, client: flight.FlightClient, producer: int, epoch: int, *, atomic: bool = False
    ) -> tuple[flight.FlightStreamWriter, flight.FlightStreamReader]:
        command = commands_pb2.PutCommand(
            dataset=SUBJECT, producer_id=f"feed-{producer}", producer_epoch=epoch, atomic=atomic
        )
        descriptor = flight.FlightDescriptor.for_command(pack(command))
        return client.do_put(descriptor, message(0, 0).schema)

    def _write(self, writer: flight.FlightStreamWriter, producer: int, sequence: int) -> None:
        (batch,) = message(producer, sequence).to_batches()
        metadata = commands_pb2.PutMetadata(sequence=sequence)
        writer.write_with_metadata(batch, pa.py_buffer(metadata.SerializeToString()))

    def _put(
        self, client: flight.FlightClient, producer: int, epoch: int, sequences: range
    ) -> None:
        writer, acknowledgements = self._stream(client, producer, epoch)
        try:
            for sequence in sequences:
                self._write(writer, producer, sequence)
            writer.done_writing()
            while (read := acknowledgements.read()) is not None:  # type: ignore[attr-defined]  # the stubs take it for a reader of batches
                told = commands_pb2.PutAcknowledgement.FromString(read.to_pybytes())
                if told.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE:
                    self._acknowledge(producer, told.through_sequence)
                    if told.through_sequence:
                        held = self.revisions[producer]
                        held[told.through_sequence] = told.dataset_revision
                    self.duplicates += told.duplicates
        finally:
            writer.close()

    def _acknowledge(self, producer: int, sequence: int) -> None:
        self.acknowledged[producer] = max(self.acknowledged[producer], sequence)

    def _upload(self, client: flight.FlightClient, producer: int, epoch: int, sequence: int) -> int:
        writer, _ = self._stream(client, producer, epoch, atomic=True)
        (batch,) = message(producer, sequence).to_batches()
        name = commands_pb2.PutMetadata(sequence=sequence)
        marker = commands_pb2.PutMetadata(
            sequence=sequence, final=commands_pb2.FinalMarker(batches=2, rows=ROWS)
        )
        writer.write_with_metadata(batch.slice(0, 3), pa.py_buffer(name.SerializeToString()))
        writer.write_with_metadata(batch.slice(3), pa.py_buffer(name.SerializeToString()))
        writer.write_metadata(pa.py_buffer(marker.SerializeToString()))
        writer.close()
        self._acknowledge(producer, sequence)
        return sequence

    def _skip(self, client: flight.FlightClient, producer: int, epoch: int, sequence: int) -> None:
        """A message overtakes the one before it: it is refused."""
        writer, _ = self._stream(client, producer, epoch)
        self._write(writer, producer, sequence + 2)
        with pytest.raises(flight.FlightError) as refused:
            writer.close()
        if b"SEQUENCE_GAP" in refused.value.extra_info:
            self.gaps += 1
        else:
            raise refused.value

    def _go_on_as_a_zombie(
        self, client: flight.FlightClient, producer: int, epoch: int, sequence: int
    ) -> None:
        """A newer epoch is opened while an old stream is open: that one stores nothing more."""
        writer, _ = self._stream(client, producer, epoch)
        self._open(client, producer)
        zombie = message(PRODUCERS, sequence + 1).to_batches()[0]
        metadata = commands_pb2.PutMetadata(sequence=sequence + 1)
        writer.write_with_metadata(zombie, pa.py_buffer(metadata.SerializeToString()))
        with pytest.raises(flight.FlightError) as refused:
            writer.close()
        if b"PRODUCER_FENCED" in refused.value.extra_info:
            self.fenced += 1

    def _read(self) -> None:
        """Each snapshot holds whole messages without a gap, and all that was acknowledged."""
        while not self.over.is_set():
            before = dict(self.acknowledged)
            try:
                rows = integers(self._ticks.read(SUBJECT, columns=["size"]), "size")
            except TickmeshError as error:
                if not isinstance(error, UnavailableError):
                    raise
                self.over.wait(0.05)
                continue
            self.reads += 1
            require_whole(rows, at_least=before)

    def _maintain(self) -> None:
        """Logs become segments, and segments are merged, while all else goes on."""
        dataset = SUBJECT
        while not self.over.wait(0.3):
            try:
                with flight.connect(self._flight) as client:
                    for name, request in (
                        (
                            "FlushDataset",
                            tick_store_service_pb2.FlushDatasetRequest(dataset=dataset),
                        ),
                        (
                            "CompactDataset",
                            tick_store_service_pb2.CompactDatasetRequest(dataset=dataset),
                        ),
                    ):
                        list(client.do_action(flight.Action(name, request.SerializeToString())))
            except (flight.FlightError, pa.ArrowException, OSError):
                continue

    def _follow(self) -> None:
        for followed in self._tail:
            self.tailed.extend(integers(followed.batch, "size"))


class RetainingLoad(Load):
    """The same while old rows go: `stored` is what is kept in the end, from `kept_from` on."""

    def __init__(self, mesh: Mesh, seed: int) -> None:
        self.stored: list[int] | None = None
        self.kept_from = self.expired = 0
        self.is_dropping = threading.Event()
        self.last_refusal: TickmeshError | None = None
        self.held: dict[str, list[int]] = {}
        super().__init__(mesh, seed)

    def _beside(self) -> list[Callable[[], None]]:
        return [*super()._beside(), self._hold]

    def _has_seen_all(self, known: dict[int, int]) -> bool:
        if self.stored is None:
            try:
                # From here on nothing more is dropped.
                self._ticks.update_dataset(SUBJECT, retention=Retention())
                stored = integers(self._ticks.read(SUBJECT, columns=["size"]), "size")
                self.kept_from = self._ticks.dataset(SUBJECT).retained_from_revision
                self._require_held()
            except TickmeshError as error:
                self._wait_out(error)
                self.last_refusal = error  # it has only just come back
                return False
            self.stored = stored
        if not self.stored:
            # A last segment beyond the bound takes every row with it.
            return bool(self.expired) or super()._has_seen_all(known)
        return self.tailed[-len(self.stored) :] == self.stored

    def _read(self) -> None:
        """Each read holds everything acknowledged before it that the store says it keeps."""
        while not self.over.is_set():
            before = {producer: dict(held) for producer, held in self.revisions.items()}
            try:
                rows = integers(self._ticks.read(SUBJECT, columns=["size"]), "size")
                kept_from = self._ticks.dataset(SUBJECT).retained_from_revision
            except TickmeshError as error:
                self._wait_out(error)
                continue
            self.reads += 1
            if kept_from and self.held:
                self.is_dropping.set()
            require_kept(rows, acknowledged=before, kept_from=kept_from)

    def _hold(self) -> None:
        """Snapshots come and go; what one showed when it was made it shows in the end."""
        number = 0
        while not self.over.wait(0.4):
            number += 1
            name = f"held-{number}"
            try:
                self._ticks.create_snapshot(name, datasets=[SUBJECT])
                self.held[name] = self._seen_in(name)
                if number % 3 == 0:
                    del self.held[name]
                    self._ticks.delete_snapshot(name)
            except TickmeshError as error:
                self._wait_out(error)

    def _seen_in(self, snapshot: str) -> list[int]:
        return integers(self._ticks.read(SUBJECT, columns=["size"], snapshot=snapshot), "size")

    def _require_held(self) -> None:
        for name, rows in self.held.items():
            assert self._seen_in(name) == rows, f"snapshot {name} shows other rows"

    def _wait_out(self, error: TickmeshError) -> None:
        """What a killed store and an expired ticket may cause, and nothing else."""
        if not (isinstance(error, UnavailableError) or error.reason in EXPIRED):
            raise error
        self.over.wait(0.05)

    def _follow(self) -> None:
        """A tail that is overtaken by retention is told where the kept rows begin."""
        while True:
            try:
                super()._follow()
            except TickmeshError as error:
                if error.reason != "POSITION_EXPIRED":
                    raise
                self.expired += 1
                self._tail = self._ticks.tail(SUBJECT, after=error.metadata["positionToken"])
            else:
                return


def require_kept(
    rows: list[int], *, acknowledged: dict[int, dict[int, int]], kept_from: int
) -> dict[int, int]:
    """Of every producer the last messages are there, whole and in order, none of the kept missing.

    Returns:
        The last message of each producer of whom there are any.
    """
    last: dict[int, int] = {}
    for producer, held in acknowledged.items():
        found = [row for row in rows if row // _PRODUCER_SHIFT == producer]
        first = found[0] % _PRODUCER_SHIFT // _MESSAGE_SHIFT if found else 1
        last_there = first + len(found) // ROWS - 1
        gone = len(sizes_of(producer, first - 1))
        assert found == sizes_of(producer, last_there)[gone:], f"producer {producer}"
        lost = [
            sequence
            for sequence, revision in held.items()
            if revision >= kept_from and not first <= sequence <= last_there
        ]
        assert not lost, f"{lost} of producer {producer} acknowledged, kept, and not there"
        if found:
            last[producer] = last_there
    assert len(rows) == sum(row // _PRODUCER_SHIFT < PRODUCERS for row in rows), "a zombie's rows"
    return last


def require_whole(rows: list[int], *, at_least: dict[int, int]) -> None:
    """Every producer's messages are there whole, in order, from the first one on."""
    by_producer: dict[int, list[int]] = {producer: [] for producer in range(PRODUCERS)}
    for row in rows:
        by_producer[row // _PRODUCER_SHIFT].append(row)
    for producer, found in by_producer.items():
        messages = len(found) // ROWS
        assert messages >= at_least[producer], f"{at_least} acknowledged, {messages} there"
        assert found == sizes_of(producer, messages), f"producer {producer}"


def kill_loop(home: Path, *, meshes: int) -> None:
    seed = int(os.environ.get("TICKMESH_SEED", time.time_ns() % 1_000_000))
    print(f"TICKMESH_SEED={seed}")  # the seed repeats a failure
    chance = random.Random(seed)
    totals = dict.fromkeys(RARE, 0)
    for number in range(meshes):
        with Mesh(home / str(number), services=("registry", "tickstore"), free_ports=True) as mesh:
            with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
                registry.register(SUBJECT, trades_schema())
            with flight.connect(f"grpc://{mesh.addresses['tickstore']['flight']}") as client:
                Load._open(client, 0)
            load = Load(mesh, seed + number)
            for _ in range(KILLS_A_MESH):
                time.sleep(chance.uniform(0.3, 1.5))  # the moment is the experiment
                kill(mesh)
            time.sleep(0.5)
            load.go_on_until_all_happened()
            known = load.finish()
            addresses = mesh.addresses["tickstore"]
            with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
                table = ticks.read(SUBJECT)
        stored = integers(table, "size")
        require_whole(stored, at_least=load.acknowledged)
        assert len(stored) == ROWS * sum(known.values())
        assert load.tailed == stored
        table.validate(full=True)
        for name, count in load.happened().items():
            totals[name] += count
    assert min(totals.values()) > 0, f"something never happened: {totals}"


def retaining_kill_loop(home: Path, *, meshes: int) -> None:
    seed = int(os.environ.get("TICKMESH_SEED", time.time_ns() % 1_000_000))
    print(f"TICKMESH_SEED={seed}")  # the seed repeats a failure
    chance = random.Random(seed)
    retired = held = reads = 0
    for number in range(meshes):
        with Mesh(
            home / str(number),
            services=("registry", "tickstore"),
            free_ports=True,
            settings={
                "tickstore.maintenance.interval_seconds": "0.2",
                "tickstore.reading.ticket_lifetime_seconds": "5",
            },
        ) as mesh:
            with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
                registry.register(SUBJECT, trades_schema())
            addresses = mesh.addresses["tickstore"]
            with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
                ticks.create_dataset(SUBJECT, retention=Retention(max_bytes=KEPT_BYTES))
            load = RetainingLoad(mesh, seed + number)
            assert load.is_dropping.wait(PATIENCE_SECONDS), load.failures or "nothing was dropped"
            for _ in range(KILLS_A_MESH):
                time.sleep(chance.uniform(0.5, 2.0))  # the moment is the experiment
                kill(mesh)
            time.sleep(0.5)
            known = load.finish()
        assert load.stored is not None, f"the store did not come back: {load.last_refusal}"
        assert not load.stored or load.tailed[-len(load.stored) :] == load.stored
        assert len(set(load.tailed)) == len(load.tailed), "the tail gave rows twice"
        last = require_kept(load.stored, acknowledged=load.revisions, kept_from=load.kept_from)
        assert all(known[producer] == sequence for producer, sequence in last.items())
        assert all(known[each] >= load.acknowledged[each] for each in known)
        assert len(load.tailed) == ROWS * sum(known.values()) or load.expired
        retired += load.kept_from
        held += len(load.held)
        reads += load.reads
    print(f"kept from revision {retired}, {held} snapshots, {reads} reads")
    assert min(retired, held, reads) > 0, f"something never happened: {(retired, held, reads)}"


def kill(mesh: Mesh) -> None:
    pid = mesh.pid("tickstore")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while mesh.pid("tickstore") in {pid, None}:
        assert time.monotonic() < deadline, "the store did not come back"
        time.sleep(0.02)


@pytest.mark.timeout(300)
def test_t2_t4_t8_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_loop(tmp_path, meshes=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t2_t4_t8_many_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_loop(tmp_path, meshes=50)


@pytest.mark.timeout(300)
def test_t2_t7_t8_kills_while_old_rows_are_dropped_lose_nothing_that_is_kept(
    tmp_path: Path,
) -> None:
    retaining_kill_loop(tmp_path, meshes=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t2_t7_t8_many_kills_while_old_rows_are_dropped_lose_nothing_that_is_kept(
    tmp_path: Path,
) -> None:
    retaining_kill_loop(tmp_path, meshes=25)
