"""What the tick store does, without any transport: governed puts, reads, tails, datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_tickstore.administration import Administration
from tickmesh_tickstore.columns import match_columns
from tickmesh_tickstore.commands import checked_name
from tickmesh_tickstore.dataset_settings import DatasetSettings, checked_time_zone
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.positions import START, Position, position_token
from tickmesh_tickstore.domain.requests import Order, RangePayload, ScanRequest, StampColumn
from tickmesh_tickstore.domain.retention import (
    KEEP_EVERYTHING,
    UNLIMITED,
    DatasetLimits,
    Retention,
)
from tickmesh_tickstore.domain.stamps import Origin, Stamp
from tickmesh_tickstore.errors import (
    InvalidRequestError,
    TokenInvalidError,
)
from tickmesh_tickstore.filter_messages import filter_of
from tickmesh_tickstore.planned_read import PlannedRead
from tickmesh_tickstore.put_limits import PutLimits
from tickmesh_tickstore.put_session import AtomicPut, PutTarget, StreamingPut
from tickmesh_tickstore.query_planning import QueryPlanner
from tickmesh_tickstore.reader_versions import ReaderVersions
from tickmesh_tickstore.tail_stream import plain_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from google.protobuf.message import Message

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_tickstore.administration import DatasetView
    from tickmesh_tickstore.commands import PutRequest
    from tickmesh_tickstore.counters import PutCounters
    from tickmesh_tickstore.dataset_settings import SettingsDirectory
    from tickmesh_tickstore.domain.producers import ProducerState
    from tickmesh_tickstore.engine.interface import (
        DatasetInfo,
        Follower,
        TickEngine,
    )
    from tickmesh_tickstore.engine.row_stream import RowStream
    from tickmesh_tickstore.governance import Governance, GovernedSchema
    from tickmesh_tickstore.put_session import PutSession
    from tickmesh_tickstore.queries.sql import SqlSandbox
    from tickmesh_tickstore.tickets import TicketOffice

_MAX_PRODUCER_ID_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class RecoverySummary:
    """What opening the store found, over all datasets.

    Attributes:
        duration_seconds: How long it took.
        replayed_bytes: Bytes of logs read back.
        torn_bytes: Bytes behind the last whole frames that were cut; never acknowledged ones.
        dropped_upload_bytes: Staged bytes of unfinished uploads that were dropped.
    """

    duration_seconds: float = 0.0
    replayed_bytes: int = 0
    torn_bytes: int = 0
    dropped_upload_bytes: int = 0


class TickStore:
    """The application layer: the same functions behind gRPC, Flight and whatever comes later.

    Attributes:
        engine: Where rows are kept.
        governance: What judges them.
        counters: What the store has done since its start.
        recovery: What opening it found.
        administration: Settings, snapshots and the end of datasets.
        put_limits: What the put streams of a dataset may use.
    """

    def __init__(
        self,
        *,
        engine: TickEngine,
        governance: Governance,
        settings: SettingsDirectory,
        tickets: TicketOffice,
        sandbox: SqlSandbox,
        counters: PutCounters,
        clock: Clock,
        max_endpoints: int = 4,
        recovery: RecoverySummary | None = None,
    ) -> None:
        self.engine = engine
        self.recovery = recovery or RecoverySummary()
        self.governance = governance
        self.counters = counters
        self.administration = Administration(engine=engine, settings=settings)
        self.put_limits = PutLimits(engine=engine, settings=settings, clock=clock)
        self._settings = settings
        self._tickets = tickets
        self._clock = clock
        self._max_endpoints = max_endpoints
        self._readers = ReaderVersions(engine=engine, governance=governance)
        self._queries = QueryPlanner(
            engine=engine, scan_request=self._scan_request, tickets=tickets, sandbox=sandbox
        )

    # Datasets ---------------------------------------------------------------------------------

    def create_dataset(
        self,
        call: CallContext,
        name: str,
        *,
        naive_time_zone: str = "",
        retention: Retention = KEEP_EVERYTHING,
        limits: DatasetLimits = UNLIMITED,
    ) -> DatasetView:
        """Creates the dataset of a registered subject; again with the same settings, answers it.

        Raises:
            SubjectUnknownError: no such subject is registered.
            InvalidRequestError: the dataset exists with other settings, or the name is none.
        """
        checked_name(name, field="dataset")
        zone = checked_time_zone(naive_time_zone)
        asked = DatasetSettings(zone, self._clock.now_ns(), retention, limits)
        try:
            self.engine.dataset(name)
        except domain.DatasetNotFoundError:
            governed = self.governance.schema_for(name)
            # The settings come first: a dataset that is there has the ones it was created with.
            self._settings.put(name, asked)
            self._ensure(name, governed)
        view = self.dataset(call, name)
        others = view.settings.differences(asked)
        if others:
            raise InvalidRequestError(
                f"Dataset '{name}' exists with another {', '.join(others)}; leave them as they "
                "are, or change them with UpdateDataset.",
                metadata={"dataset": name, "fields": ",".join(others)},
                violations=[(field, "expected the dataset's own") for field in others],
            )
        return view

    def dataset(self, call: CallContext, name: str) -> DatasetView:
        """One dataset as it stands."""
        return self.administration.dataset(call, name)

    def datasets(
        self, call: CallContext, *, prefix: str = "", after: str = ""
    ) -> Iterator[DatasetView]:
        """Datasets in order of their names, behind one of them."""
        for info in self.engine.datasets():
            if info.name.startswith(prefix) and info.name > after:
                yield self.dataset(call, info.name)

    def commit_groups(self) -> int:
        """Commit groups written since the start, over all datasets."""
        engine = self.engine
        return sum(engine.statistics(info.name).commit_groups for info in engine.datasets())

    def open_producer(self, call: CallContext, name: str, producer_id: str) -> ProducerState:
        """Opens a new epoch of a producer and fences its older ones; creates the dataset."""
        del call
        if not 0 < len(producer_id) <= _MAX_PRODUCER_ID_CHARACTERS:
            raise InvalidRequestError(
                f"producer_id must have 1 to {_MAX_PRODUCER_ID_CHARACTERS} characters; it had "
                f"{len(producer_id)}.",
                violations=[("producer_id", "expected a stable id of the producer")],
            )
        try:
            self.engine.dataset(name)
        except domain.DatasetNotFoundError:
            checked_name(name, field="dataset")
            self._ensure(name, self.governance.schema_for(name))
        return self.engine.open_producer(name, producer_id)

    # Puts -------------------------------------------------------------------------------------

    def open_put(self, call: CallContext, request: PutRequest, incoming: pa.Schema) -> PutSession:
        """Fixes the version of a stream and matches its columns, before any row is read (T1)."""
        governed = self.governance.schema_for(
            request.dataset, version=request.schema_version, schema_id=request.schema_id
        )
        matching = match_columns(
            incoming,
            governed.projection,
            label=governed.label,
            naive_time_zone=self._settings.get(request.dataset).naive_time_zone,
        )
        self._ensure(request.dataset, governed)
        self.counters.changed(len(matching.changes))
        target = PutTarget(
            engine=self.engine,
            request=request,
            governed=governed,
            matching=matching,
            stamp=_stamp(governed),
            origin=Origin(
                principal=call.principal.name,
                on_behalf_of=request.on_behalf_of or call.principal.on_behalf_of or "",
            ),
            counters=self.counters,
        )
        return AtomicPut(target) if request.atomic else StreamingPut(target)

    # Reads ------------------------------------------------------------------------------------

    def plan_read(self, call: CallContext, command: commands_pb2.ReadCommand) -> PlannedRead:
        """Pins a snapshot and splits the read into ranges that may be read side by side."""
        if command.follow:
            return self._plan_tail(call, command)
        request = self._scan_request(command)
        plan = self.engine.plan(request, max_endpoints=self._max_endpoints)
        filtered = (
            request.start_ns is not None
            or request.end_ns is not None
            or request.symbols is not None
            or request.filter is not None
            or request.limit is not None
        )
        return self._offered(
            call,
            _pinned(command, request.reader_version),
            plan.schema,
            plan.dataset_revision,
            [planned.payload for planned in plan.ranges],
            rows=None if filtered else sum(planned.rows for planned in plan.ranges),
        )

    def offer_read(self, call: CallContext, view: DatasetView) -> PlannedRead:
        """A read of a whole dataset, for a list of them.

        A dataset that is damaged, or has rows that cannot be read under its current version, is
        listed like the others: its ticket says what is wrong, so that nobody who reads whatever is
        listed misses its rows in silence.
        """
        command = commands_pb2.ReadCommand(dataset=view.info.name)
        request = ScanRequest(dataset=view.info.name)
        if not view.info.damage:
            try:
                return self.plan_read(call, command)
            except domain.VersionNotReadableError:
                request = self._scan_request(command)
        return self._offered(
            call,
            _pinned(command, request.reader_version),
            view.info.schema,
            view.info.revision,
            [request.to_payload()],
            rows=None,
        )

    def plan_query(self, call: CallContext, query: Message) -> PlannedRead:
        """Pins every dataset that a query reads; see `query_handlers.QUERIES`."""
        return self._queries.plan(call, query)

    def redeem(self, call: CallContext, ticket: bytes) -> RowStream | commands_pb2.ReadCommand:
        """What a ticket is good for.

        Returns:
            The rows of a read or of a query; for a live tail the command to follow.
        """
        payload = self._tickets.open(ticket, principal=call.principal.name)
        if payload.HasField("query"):
            return self._queries.answer(call, payload)
        if payload.read.follow:
            return payload.read
        if payload.read.reader_version:
            info = self.engine.dataset(payload.read.dataset)
            # The ticket may be older than this process, and its version none that has rows.
            self._readers.make_known(info, payload.read.reader_version)
        return self.engine.scan(RangePayload(payload.range))

    def follow(self, call: CallContext, command: commands_pb2.ReadCommand) -> Follower:
        """Everything after a position, then whatever is committed (T8).

        Raises:
            InvalidRequestError: the command asks for what a tail cannot give.
            TokenInvalidError: the position is none of this dataset's.
        """
        del call
        refused = [
            name
            for name, asked in (
                ("start_ns", command.HasField("start_ns")),
                ("end_ns", command.HasField("end_ns")),
                ("limit", command.limit),
                ("as_of_revision", command.as_of_revision),
                ("snapshot", command.snapshot),
                ("stamps", command.stamps),
                ("order", command.order == commands_pb2.READ_ORDER_TIME),
            )
            if asked
        ]
        if refused:
            raise InvalidRequestError(
                "A live tail takes symbols, columns, a filter, a reader version or generation and "
                "a resume_token; not "
                f"{', '.join(refused)}.",
                metadata={"fields": ",".join(refused)},
                violations=[(name, "not part of a live tail") for name in refused],
            )
        info = self.engine.dataset(command.dataset)
        version = self._readers.choose(command, info)
        return self.engine.follow(
            command.dataset,
            after=_position(command.resume_token, info),
            symbols=tuple(command.symbols) or None,
            wanted=filter_of(command),
            columns=tuple(command.columns) or None,
            reader_version=version,
            generation=command.generation or None,
        )

    def position_token(self, dataset: str, position: Position) -> str:
        """A position as text that only this very dataset takes back."""
        return position_token(self.engine.dataset(dataset).dataset_id, position)

    def schema(self, call: CallContext, name: str) -> pa.Schema:
        """The columns of a dataset, or of a registered subject that has none yet."""
        del call
        try:
            info = self.engine.dataset(name)
        except domain.DatasetNotFoundError:
            return self.governance.schema_for(name).projection
        current = self.governance.current(name)
        return info.schema if current is None else current.schema

    # Inside -----------------------------------------------------------------------------------

    def _ensure(self, name: str, governed: GovernedSchema) -> DatasetInfo:
        """The dataset, ready for rows of a schema version."""
        stamp = _stamp(governed)
        columns = self.governance.columns(name, version=governed.version)
        try:
            info = self.engine.dataset(name)
        except domain.DatasetNotFoundError:
            if not self._settings.get(name).created_at_ns:
                self._settings.put(name, DatasetSettings(created_at_ns=self._clock.now_ns()))
            try:
                return self.engine.create_dataset(
                    name,
                    stamp=stamp,
                    schema=columns.schema,
                    rules=columns.rules,
                    generation=columns.generation,
                )
            except domain.DatasetAlreadyExistsError:
                # Another first put was faster.
                info = self.engine.dataset(name)
        if info.damage:
            raise domain.DatasetDamagedError(info.damage, metadata={"dataset": name})
        if all(known != stamp for known, _ in info.versions):
            info = self.engine.add_version(
                name,
                stamp=stamp,
                schema=columns.schema,
                rules=columns.rules,
                generation=columns.generation,
            )
        return info

    def _plan_tail(self, call: CallContext, command: commands_pb2.ReadCommand) -> PlannedRead:
        info = self.engine.dataset(command.dataset)
        command = _pinned(command, self._readers.choose(command, info))
        follower = self.follow(call, command)
        follower.close()
        revision = info.revision
        schema = plain_schema(follower.schema)
        return self._offered(call, command, schema, revision, [b""], rows=None)

    def _offered(
        self,
        call: CallContext,
        command: commands_pb2.ReadCommand,
        schema: pa.Schema,
        revision: int,
        ranges: Sequence[bytes],
        *,
        rows: int | None,
    ) -> PlannedRead:
        expires_at_ns = self._tickets.expiry_ns()
        tickets = tuple(
            self._tickets.issue(
                command, each, principal=call.principal.name, expires_at_ns=expires_at_ns
            )
            for each in ranges
        )
        return PlannedRead(schema, revision, tickets, expires_at_ns, rows)

    def _scan_request(self, command: commands_pb2.ReadCommand) -> ScanRequest:
        info = self.engine.dataset(command.dataset)
        if command.limit < 0 or command.as_of_revision < 0:
            raise InvalidRequestError(
                "limit and as_of_revision are 0 for none, or positive.",
                violations=[("limit", "expected 0 or more")],
            )
        request = ScanRequest(
            dataset=command.dataset,
            as_of_revision=self._as_of(command),
            start_ns=command.start_ns if command.HasField("start_ns") else None,
            end_ns=command.end_ns if command.HasField("end_ns") else None,
            symbols=tuple(command.symbols) or None,
            filter=filter_of(command),
            columns=tuple(command.columns) or None,
            limit=command.limit or None,
            order=Order.TIME if command.order == commands_pb2.READ_ORDER_TIME else Order.ARRIVAL,
            stamps=tuple(StampColumn) if command.stamps else (),
            reader_version=self._readers.choose(command, info),
            generation=command.generation or None,
        )
        if command.resume_token:
            request = replace(request, after=_position(command.resume_token, info))
        return request

    def _as_of(self, command: commands_pb2.ReadCommand) -> int | None:
        if not command.snapshot:
            return command.as_of_revision or None
        if command.as_of_revision:
            raise InvalidRequestError(
                "A read is as of a revision or of a snapshot, not both.",
                violations=[("snapshot", "expected none beside as_of_revision")],
            )
        return self.engine.snapshot(command.snapshot).revision_of(command.dataset)


def _pinned(
    command: commands_pb2.ReadCommand, reader_version: int | None
) -> commands_pb2.ReadCommand:
    """The command under the version it was planned for, whatever comes into force meanwhile."""
    pinned = commands_pb2.ReadCommand()
    pinned.CopyFrom(command)
    pinned.reader_version = reader_version or 0
    return pinned


def _stamp(governed: GovernedSchema) -> Stamp:
    return Stamp(schema_id=str(governed.schema_id), schema_version=governed.version)


def _position(token: str, info: DatasetInfo) -> Position:
    if not token:
        return START
    dataset_id, _, place = token.rpartition(":")
    try:
        if dataset_id != info.dataset_id:
            raise domain.InvalidArgumentError("of another dataset")
        return Position.parse(place)
    except domain.InvalidArgumentError:
        raise TokenInvalidError(
            f"The position token is none of dataset '{info.name}'; use the token of its last "
            "batch, or start without one.",
            metadata={"dataset": info.name},
            violations=[("resume_token", "expected a token of this dataset")],
        ) from None
