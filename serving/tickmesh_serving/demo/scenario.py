"""What the demo does, step by step, against a mesh that runs."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.errors import IncompatibleSchemaError, InternalError
from tickmesh.registry import RegistryClient
from tickmesh.schema import Verdict
from tickmesh.ticks import TickClient
from tickmesh_serving.demo import readback, schemas
from tickmesh_serving.demo.questions import ask
from tickmesh_serving.demo.session import BLEMISHES, NEW_VENUE, SessionFile, write_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tickmesh.schema import CompatibilityReport

    Addresses = Mapping[str, Mapping[str, str]]
    Say = Callable[[str], None]

DAY = dt.date(2026, 11, 20)
SUBJECT = schemas.SUBJECT


@dataclass(frozen=True, slots=True)
class Account:
    """What came in and where it is now, read back from the stores."""

    rows_in: int
    stored: int
    quarantined: int
    duplicates: int
    schema_change_ms: float

    @property
    def holds(self) -> bool:
        """Whether every row is accounted for exactly once."""
        return self.rows_in == self.stored + self.quarantined + self.duplicates


class Scenario:
    """The demo against one mesh; `say` prints a line."""

    def __init__(self, addresses: Addresses, *, say: Say) -> None:
        """Connect to the mesh at `addresses`."""
        self._addresses = addresses
        self._say = say
        self._registry = RegistryClient(addresses["registry"]["grpc"])
        self._cleaner = CleanerClient(addresses["cleaner"]["grpc"])
        tickstore = addresses["tickstore"]
        self._ticks = TickClient(tickstore["grpc"], flight_address=tickstore["flight"])

    def close(self) -> None:
        """Close the connections."""
        self._ticks.close()
        self._cleaner.close()
        self._registry.close()

    def run(self, folder: Path, *, rows: int, seed: int) -> Account:
        """Play the whole day; returns the account read back at its end."""
        morning, afternoon = self._sessions(folder, rows=rows, seed=seed)
        self._register_first()
        first_delay = self._clean_morning(morning)
        self._refuse()
        second_delay = self._clean_afternoon(afternoon)
        self._replay()
        self._say("")
        self._say("asking the tick store")
        ask(self._ticks, SUBJECT, say=self._say)
        return self._read_back(morning, afternoon, schema_change_ns=max(first_delay, second_delay))

    def _sessions(self, folder: Path, *, rows: int, seed: int) -> tuple[SessionFile, SessionFile]:
        half = rows // 2
        morning = write_session(folder / "morning.csv", rows=half, seed=seed, day=DAY)
        afternoon = write_session(
            folder / "afternoon.csv",
            rows=rows - half,
            seed=seed + 1,
            day=DAY,
            first_trade_id=half + 1,
        )
        spoiled = sum(morning.spoiled.values()) + sum(afternoon.spoiled.values())
        self._say(
            f"generated {rows:,} trades in two files, "
            f"{spoiled:,} of them spoiled in {len(BLEMISHES)} ways"
        )
        return morning, afternoon

    def _register_first(self) -> None:
        outcome = self._registry.register(SUBJECT, schemas.text(schemas.first()))
        self._say(f"registered {SUBJECT} version {outcome.schema.version}")

    def _clean_morning(self, morning: SessionFile) -> int:
        self._say("")
        self._say("cleaning the morning; meanwhile an optional field is added")
        return self._clean(morning, lambda: self._evolve(schemas.compatible(), breaking=False))

    def _clean_afternoon(self, afternoon: SessionFile) -> int:
        self._say("")
        self._say("cleaning the afternoon; meanwhile a breaking change is let in on purpose")
        return self._clean(afternoon, lambda: self._evolve(schemas.breaking(), breaking=True))

    def _clean(self, session: SessionFile, while_running: Callable[[], None]) -> int:
        """Clean a file, act once its first rows are through; returns the change's delay in ns."""
        job = self._cleaner.create_job(SUBJECT, path=session.path)
        acted = False
        delay_ns = 0
        for moment in self._cleaner.watch_job(job.id, progress_seconds=0.1):
            job = moment.job
            delay_ns = max(delay_ns, moment.schema_change_delay_ns)
            if not acted and job.balance.rows_in:
                acted = True
                while_running()
        if job.state != job_pb2.JOB_STATE_SUCCEEDED:
            raise InternalError(f"the cleaning job ended early: {job.message}")
        balance = job.balance
        versions = ", ".join(str(version) for version in job.schema_versions)
        self._say(
            f"  {balance.rows_in:,} rows in = {balance.stored:,} stored + "
            f"{balance.quarantined:,} quarantined + {balance.duplicates:,} duplicates; "
            f"judged under version {versions}"
        )
        if delay_ns:
            self._say(f"  change committed -> first batch judged under it: {delay_ns / 1e6:.1f} ms")
        return delay_ns

    def _evolve(self, schema: dict[str, object], *, breaking: bool) -> None:
        text = schemas.text(schema)
        outcome = self._registry.register(SUBJECT, text, allow_breaking=breaking)
        self._say(f"  registered version {outcome.schema.version} ({outcome.schema.action.value})")
        self._explain(outcome.report)

    def _refuse(self) -> None:
        self._say("")
        self._say("proposing round lots only (size >= 100)")
        try:
            self._registry.register(SUBJECT, schemas.text(schemas.refused()))
        except IncompatibleSchemaError as refusal:
            self._say(f"  refused: {refusal.message}")
            self._explain(self._registry.check(SUBJECT, schemas.text(schemas.refused())))
            return
        raise InternalError("the registry let an incompatible schema in")

    def _explain(self, report: CompatibilityReport) -> None:
        """Say what proves or refutes the comparison with the newest version."""
        if not report.comparisons:
            return
        newest = max(report.comparisons, key=lambda comparison: comparison.version or 0)
        for change in newest.changes:
            if change.verdict is Verdict.INCOMPATIBLE:
                witness = json.dumps(change.witness, default=str)
                self._say(f"  witness at {change.path}: {witness}")
            elif change.proof:
                self._say(f"  proof at {change.path or '/'}: {change.proof}")

    def _replay(self) -> None:
        self._say("")
        self._say(f"replaying the rows held back for their venue, now that {NEW_VENUE} is listed")
        answer = self._cleaner.describe_quarantine(job_pb2.QuarantineFilter(subject=SUBJECT))
        for reason in answer.reasons[:6]:
            self._say(f"  {reason.rows:>6,}  {reason.code} {reason.instance_path}")
        wanted = job_pb2.QuarantineFilter(subject=SUBJECT, reason="ENUM")
        job = self._cleaner.replay_quarantine(wanted)
        for moment in self._cleaner.watch_job(job.id, progress_seconds=0.1):
            job = moment.job
        if job.state != job_pb2.JOB_STATE_SUCCEEDED or not job.balance.stored:
            raise InternalError(f"the replay released nothing: {job.message}")
        self._say(
            f"  {job.balance.stored:,} released and stored, "
            f"{job.balance.quarantined:,} still held back"
        )

    def _read_back(
        self, morning: SessionFile, afternoon: SessionFile, *, schema_change_ns: int
    ) -> Account:
        self._say("")
        self._say("reading everything back with plain pyarrow")
        found = readback.stored_rows(self._addresses["tickstore"]["flight"], SUBJECT)
        shown = found.first.select(["ts", "symbol", "price", "size"])
        # As text: nanoseconds do not fit Python's own datetime.
        for row in zip(
            *(column.cast(pa.string()).to_pylist() for column in shown.columns), strict=True
        ):
            self._say(f"  {'  '.join(str(cell) for cell in row)}")
        files = (morning, afternoon)
        return Account(
            rows_in=sum(readback.count_records(str(session.path)) for session in files),
            stored=found.rows,
            quarantined=readback.quarantined_rows(self._addresses["cleaner"]["flight"]),
            duplicates=found.repeated,
            schema_change_ms=round(schema_change_ns / 1e6, 1),
        )
