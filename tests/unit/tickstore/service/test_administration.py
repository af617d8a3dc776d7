"""Settings of datasets, named snapshots and retention, through the one handler table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tickmesh.api.tickstore.v1 import dataset_pb2, tick_store_service_pb2
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh_tickstore.actions import HANDLERS, run_action
from tickmesh_tickstore.commands import PutRequest
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.retention import DatasetLimits, Retention
from tickmesh_tickstore.engine import RowStream
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.maintenance import Retainer

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

SUBJECT = "ticks.trades"
HOUR = Duration(seconds=3600)


@dataclass
class HandClock:
    """A clock that stands still until it is set."""

    wall_ns: int

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.wall_ns


class Doors:
    """Calls the store's methods by name, through their serialized messages."""

    def __init__(self, store: TickStore, call: CallContext) -> None:
        self._store = store
        self._call = call

    def __call__(self, method: str, **fields: Any) -> Any:
        response: type[Message] = getattr(tick_store_service_pb2, f"{method}Response")
        body = HANDLERS[method].request(**fields).SerializeToString()
        return response.FromString(run_action(self._store, self._call, method, body))


@pytest.fixture
def do(store: TickStore, call: CallContext) -> Doors:
    return Doors(store, call)


def put(store: TickStore, call: CallContext, rows: int, *, start_ns: int = 0) -> None:
    table = trades(rows, start_ns=start_ns)
    session = store.open_put(call, PutRequest(dataset=SUBJECT), table.schema)
    for batch in table.to_batches():
        session.add(batch, None)
    session.end()
    while not session.drained:
        session.wait(0.1)
    session.close()


def count(store: TickStore, call: CallContext, command: ReadCommand) -> int:
    rows = 0
    for ticket in store.plan_read(call, command).tickets:
        redeemed = store.redeem(call, ticket)
        assert isinstance(redeemed, RowStream)
        rows += redeemed.read_all().num_rows
    return rows


def test_settings_given_at_creation_are_answered(do: Doors) -> None:
    retention = dataset_pb2.Retention(max_age=HOUR, max_bytes=10)
    limits = dataset_pb2.DatasetLimits(max_bytes=20, max_put_streams=3)
    for _ in range(2):  # again with the same settings changes nothing
        made = do("CreateDataset", dataset=SUBJECT, retention=retention, limits=limits).dataset
        assert (made.retention, made.limits) == (retention, limits)
    with pytest.raises(InvalidRequestError) as caught:
        do("CreateDataset", dataset=SUBJECT, limits=limits)
    assert caught.value.violations == (("retention", "expected the dataset's own"),)


def test_an_update_sets_what_its_mask_names_and_nothing_else(do: Doors, tmp_path: Path) -> None:
    do("CreateDataset", dataset=SUBJECT, naive_time_zone="UTC")
    retention = dataset_pb2.Retention(max_age=HOUR)
    changed = do(
        "UpdateDataset",
        dataset=SUBJECT,
        naive_time_zone="America/New_York",
        retention=retention,
        update_mask={"paths": ["retention"]},
    ).dataset
    assert (changed.naive_time_zone, changed.retention) == ("UTC", retention)
    limits = dataset_pb2.DatasetLimits(max_put_streams=2)
    do("UpdateDataset", dataset=SUBJECT, limits=limits, update_mask={"paths": ["limits"]})
    stored = SettingsDirectory(tmp_path / "settings").get(SUBJECT)  # as the next start reads it
    assert stored.retention == Retention(max_age_ns=3600 * 10**9)
    assert stored.limits == DatasetLimits(max_put_streams=2)
    cleared = do("UpdateDataset", dataset=SUBJECT, update_mask={"paths": ["retention", "limits"]})
    assert not cleared.dataset.HasField("retention")
    assert not cleared.dataset.HasField("limits")


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({}, "update_mask"),
        ({"update_mask": {"paths": ["retention", "colour"]}}, "update_mask"),
        (
            {
                "retention": dataset_pb2.Retention(max_age=Duration(seconds=-1)),
                "update_mask": {"paths": ["retention"]},
            },
            "retention.max_age",
        ),
        (
            {
                "retention": dataset_pb2.Retention(max_age=Duration()),
                "update_mask": {"paths": ["retention"]},
            },
            "retention.max_age",
        ),
        (
            {
                "retention": dataset_pb2.Retention(max_bytes=-1),
                "update_mask": {"paths": ["retention"]},
            },
            "retention.max_bytes",
        ),
        (
            {
                "limits": dataset_pb2.DatasetLimits(max_put_streams=-1),
                "update_mask": {"paths": ["limits"]},
            },
            "limits.max_put_streams",
        ),
        (
            {"naive_time_zone": "Mars/Olympus", "update_mask": {"paths": ["naive_time_zone"]}},
            "naive_time_zone",
        ),
    ],
)
def test_a_bad_update_names_the_field_at_fault(
    do: Doors, fields: dict[str, Any], at_fault: str
) -> None:
    do("CreateDataset", dataset=SUBJECT)
    before = do("GetDataset", dataset=SUBJECT)
    with pytest.raises(InvalidRequestError) as caught:
        do("UpdateDataset", dataset=SUBJECT, **fields)
    assert [field for field, _ in caught.value.violations] == [at_fault]
    assert do("GetDataset", dataset=SUBJECT) == before


def test_updating_what_is_not_there_is_told(do: Doors) -> None:
    with pytest.raises(domain.DatasetNotFoundError):
        do("UpdateDataset", dataset=SUBJECT, update_mask={"paths": ["limits"]})


def test_snapshots_are_listed_page_by_page_and_by_dataset(
    do: Doors, store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    schemas.register("ticks.other", trades_schema())
    do("CreateDataset", dataset="ticks.other")
    put(store, call, 3)
    for name in "abc":
        made = do("CreateSnapshot", snapshot=name, datasets=[SUBJECT]).snapshot
        assert made.revisions == {SUBJECT: do("GetDataset", dataset=SUBJECT).dataset.revision}
        assert made.created_at.seconds > 0
    do("CreateSnapshot", snapshot="d", datasets=["ticks.other"])
    seen: list[str] = []
    token = ""
    while True:
        page = do("ListSnapshots", page_size=2, page_token=token)
        seen += [each.name for each in page.snapshots]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["a", "b", "c", "d"]
    assert [each.name for each in do("ListSnapshots", dataset="ticks.other").snapshots] == ["d"]
    do("DeleteSnapshot", snapshot="d")
    with pytest.raises(domain.SnapshotNotFoundError):
        do("DeleteSnapshot", snapshot="d")


def test_t7_a_read_names_a_snapshot_instead_of_a_revision(
    do: Doors, store: TickStore, call: CallContext
) -> None:
    do("CreateDataset", dataset=SUBJECT)
    do("CreateSnapshot", snapshot="empty")
    put(store, call, 3)
    do("CreateSnapshot", snapshot="three")
    put(store, call, 4)
    for name, rows in (("empty", 0), ("three", 3)):
        assert count(store, call, ReadCommand(dataset=SUBJECT, snapshot=name)) == rows
    with pytest.raises(InvalidRequestError, match="not both"):
        count(store, call, ReadCommand(dataset=SUBJECT, snapshot="three", as_of_revision=1))
    with pytest.raises(domain.SnapshotNotFoundError):
        count(store, call, ReadCommand(dataset=SUBJECT, snapshot="four"))
    with pytest.raises(InvalidRequestError, match="snapshot"):
        store.follow(call, ReadCommand(dataset=SUBJECT, snapshot="three"))


def test_a_deleted_dataset_takes_its_settings_with_it(
    do: Doors, store: TickStore, call: CallContext
) -> None:
    do("CreateDataset", dataset=SUBJECT, naive_time_zone="UTC")
    put(store, call, 5)
    do("CreateSnapshot", snapshot="held")
    with pytest.raises(domain.DatasetHeldError):
        do("DeleteDataset", dataset=SUBJECT)
    assert do("GetDataset", dataset=SUBJECT).dataset.naive_time_zone == "UTC"
    do("DeleteSnapshot", snapshot="held")
    assert do("DeleteDataset", dataset=SUBJECT).rows_deleted == 5
    put(store, call, 2)  # the first put begins it anew
    again = do("GetDataset", dataset=SUBJECT).dataset
    assert (again.row_count, again.naive_time_zone) == (2, "")


def test_flushing_and_compacting_answer_the_dataset(
    do: Doors, store: TickStore, call: CallContext
) -> None:
    put(store, call, 5)
    for method in ("FlushDataset", "CompactDataset"):
        assert do(method, dataset=SUBJECT).dataset.row_count == 5
        with pytest.raises(InvalidRequestError, match="timeout"):
            do(method, dataset=SUBJECT, timeout=Duration(seconds=601))


def test_settings_of_no_dataset_are_forgotten_at_start(tmp_path: Path) -> None:
    directory = SettingsDirectory(tmp_path / "settings")
    for name in ("a", "b"):
        directory.change(name, lambda settings: settings)
    SettingsDirectory(tmp_path / "settings").keep_only(["a"])
    assert len(list((tmp_path / "settings").iterdir())) == 1


class TestRetainer:
    """Retention as the maintenance of the process applies it."""

    def test_it_drops_by_each_datasets_settings_and_frees_files_a_ticket_lifetime_later(
        self, do: Doors, store: TickStore, call: CallContext, tmp_path: Path
    ) -> None:
        put(store, call, 5)
        do("FlushDataset", dataset=SUBJECT)
        dropped_about = store.engine._now_ns()  # type: ignore[attr-defined]  # the engine's clock
        clock = HandClock(dropped_about)
        retainer = Retainer(
            engine=store.engine,
            settings=SettingsDirectory(tmp_path / "settings"),
            clock=clock,
            ticket_lifetime_seconds=60.0,
        )
        retainer.apply()
        assert count(store, call, ReadCommand(dataset=SUBJECT)) == 5
        before = do("GetDataset", dataset=SUBJECT).dataset.revision
        do(
            "UpdateDataset",
            dataset=SUBJECT,
            retention=dataset_pb2.Retention(max_age=HOUR),
            update_mask={"paths": ["retention"]},
        )
        retainer = Retainer(
            engine=store.engine,
            settings=SettingsDirectory(tmp_path / "settings"),
            clock=clock,
            ticket_lifetime_seconds=60.0,
        )
        retainer.apply()
        assert count(store, call, ReadCommand(dataset=SUBJECT)) == 0
        as_of = ReadCommand(dataset=SUBJECT, as_of_revision=before)
        assert count(store, call, as_of) == 5
        clock.wall_ns += 120 * 10**9
        retainer.apply()
        with pytest.raises(domain.SnapshotGoneError):
            count(store, call, as_of)
        shown = do("GetDataset", dataset=SUBJECT).dataset
        assert shown.retained_from_revision == before + 1

    def test_one_dataset_that_fails_does_not_keep_the_others_from_it(
        self,
        do: Doors,
        store: TickStore,
        call: CallContext,
        schemas: MemorySchemas,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        schemas.register("ticks.a", trades_schema())
        retention = dataset_pb2.Retention(max_age=HOUR)
        do("CreateDataset", dataset="ticks.a", retention=retention)
        do("CreateDataset", dataset=SUBJECT, retention=retention)
        put(store, call, 5)
        trim = store.engine.trim

        def failing(name: str, retention: Retention) -> int:
            if name == "ticks.a":
                raise domain.DiskFullError("no space")
            return trim(name, retention)

        monkeypatch.setattr(store.engine, "trim", failing)
        Retainer(
            engine=store.engine,
            settings=SettingsDirectory(tmp_path / "settings"),
            clock=HandClock(0),
            ticket_lifetime_seconds=60.0,
        ).apply()
        assert count(store, call, ReadCommand(dataset=SUBJECT)) == 0
