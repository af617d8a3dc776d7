"""The ledger: intents, commits, and the one transaction that makes a batch done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, exists, func, select, update

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.intent import Commit, Intent
from tickmesh_cleaner.domain.job_source import FilesSource
from tickmesh_cleaner.store.job_files import begin_file
from tickmesh_cleaner.store.jobs import check_owner, read_job
from tickmesh_cleaner.store.quarantine_rows import (
    HeldAgain,
    hold_again,
    insert_entries,
    release,
)
from tickmesh_cleaner.store.tables import COMMITS, INTENTS, JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.held_rows import HeldRows
    from tickmesh_cleaner.store.database import Database


@dataclass(frozen=True, slots=True)
class LedgerState:
    """Where the ledger of a producer stands.

    Attributes:
        last_n: The last batch that has an intent; 0 when none has.
        end: Where its range ends; None when none has.
        schema_version: The version it is judged under; 0 when none has.
        open: Intents without a commit, ascending.
        last_committed_n: The last committed batch; 0 when none is.
        rule_state: What the rules remember after the last committed batch; empty when none is.
    """

    last_n: int
    end: str | None
    schema_version: int
    open: tuple[Intent, ...]
    last_committed_n: int
    rule_state: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch whose effects are done, and what its commit enters.

    Attributes:
        commit: What became of it.
        end: Where its range ends.
        held: Rows of its quarantine file that were never held before, in the file's order.
        released: Ids of quarantined rows a replay has stored.
        held_again: Quarantined rows a replay had to keep, with their place in its file.
    """

    commit: Commit
    end: str
    held: HeldRows
    released: Sequence[int] = ()
    held_again: Sequence[HeldAgain] = ()


class Ledger:
    """Reads and writes the ledger. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self, producer_id: str) -> LedgerState:
        """Where the ledger of a producer stands."""
        with self._database.read() as connection:
            last = (
                connection.execute(
                    select(INTENTS)
                    .where(INTENTS.c.producer_id == producer_id)
                    .order_by(INTENTS.c.n.desc())
                    .limit(1)
                )
                .mappings()
                .first()
            )
            open_rows = connection.execute(
                select(INTENTS)
                .where(INTENTS.c.producer_id == producer_id, ~_is_committed())
                .order_by(INTENTS.c.n)
            ).mappings()
            intents = tuple(Intent(**row) for row in open_rows)
            committed = connection.execute(
                select(COMMITS.c.n, COMMITS.c.rule_state)
                .where(COMMITS.c.producer_id == producer_id)
                .order_by(COMMITS.c.n.desc())
                .limit(1)
            ).first()
        return LedgerState(
            last_n=last["n"] if last else 0,
            end=last["end"] if last else None,
            schema_version=last["schema_version"] if last else 0,
            open=intents,
            last_committed_n=committed.n if committed else 0,
            rule_state=committed.rule_state if committed else "",
        )

    def adopt(self, job: Job) -> Job:
        """Begins a later run over the same source.

        What earlier jobs of the producer committed are this job's duplicates, counted once; intents
        they left open become this job's own. Does nothing when called again.
        """
        with self._database.write() as connection:
            current = read_job(connection, job.id)
            check_owner(current, job.owner)
            own = COMMITS.c.job_id == job.id
            of_producer = COMMITS.c.producer_id == job.producer_id
            if isinstance(current.source, FilesSource):
                if not begin_file(connection, current):
                    return current
                # Also its own commits: of an earlier file with the same content.
            else:
                mine = select(func.count()).where(of_producer, own)
                if connection.execute(mine).scalar_one() or current.balance.records:
                    return current
            lines = connection.execute(select(COMMITS.c.balance).where(of_producer)).scalars()
            duplicates = sum(
                (Balance.from_json(json.loads(line)).as_duplicates() for line in lines), Balance()
            )
            connection.execute(
                update(INTENTS)
                .where(INTENTS.c.producer_id == job.producer_id, ~_is_committed())
                .values(job_id=job.id)
            )
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == job.id)
                .values(balance=json.dumps((current.balance + duplicates).to_json()))
            )
            return read_job(connection, job.id)

    def advance(
        self,
        job_id: str,
        *,
        owner: str,
        now_ns: int,
        settled: Sequence[Settled] = (),
        intents: Sequence[Intent] = (),
    ) -> Job:
        """Makes batches done, and records intents before any of their effects; all at once.

        For each batch that is done: quarantine index, balance line, releases, the job's account.

        Args:
            job_id: Their job.
            owner: The process that believes to own the job.
            now_ns: Now.
            settled: What is done, ascending.
            intents: What comes next, ascending.

        Returns:
            The job as it is now.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id)
            check_owner(job, owner)
            for one in settled:
                commit = one.commit
                connection.execute(
                    COMMITS.insert().values(
                        producer_id=commit.producer_id,
                        n=commit.n,
                        job_id=commit.job_id,
                        balance=json.dumps(commit.balance.to_json()),
                        stored=commit.balance.stored,
                        dataset_revision=commit.dataset_revision,
                        schema_version=commit.schema_version,
                        rule_state=commit.rule_state,
                        committed_at_ns=now_ns,
                    )
                )
                _forget_rule_states(connection, commit)
                insert_entries(connection, job, n=commit.n, held=one.held)
                release(connection, job, row_ids=one.released)
                hold_again(connection, job, n=commit.n, rows=one.held_again)
            if intents:
                connection.execute(INTENTS.insert(), [asdict(intent) for intent in intents])
            if not settled:
                return job
            versions = {*job.schema_versions, *(one.commit.schema_version for one in settled)}
            balance = sum((one.commit.balance for one in settled), job.balance)
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == job_id)
                .values(
                    balance=json.dumps(balance.to_json()),
                    schema_versions=json.dumps(sorted(versions - {0})),
                )
            )
            return read_job(connection, job_id)

    def batches_of_job(self, job_id: str) -> dict[str, list[int]]:
        """The numbers of a job's committed batches, ascending, by producer."""
        query = (
            select(COMMITS.c.producer_id, COMMITS.c.n)
            .where(COMMITS.c.job_id == job_id)
            .order_by(COMMITS.c.producer_id, COMMITS.c.n)
        )
        found: dict[str, list[int]] = {}
        with self._database.read() as connection:
            for producer_id, n in connection.execute(query):
                found.setdefault(producer_id, []).append(n)
        return found


def _forget_rule_states(connection: Connection, commit: Commit) -> None:
    """Drop the states no crash can ask for again: those before a batch that is done."""
    for table, n in ((INTENTS, commit.n), (COMMITS, commit.n - 1)):
        connection.execute(
            update(table)
            .where(table.c.producer_id == commit.producer_id, table.c.n == n)
            .where(table.c.rule_state != "")
            .values(rule_state="")
        )


def _is_committed() -> ColumnElement[bool]:
    return exists().where(
        COMMITS.c.producer_id == INTENTS.c.producer_id, COMMITS.c.n == INTENTS.c.n
    )
