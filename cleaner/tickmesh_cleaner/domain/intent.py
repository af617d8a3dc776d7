"""Exactly once: an intent before anything leaves, idempotent effects, one local commit.

The ledger of a producer is a chain of batches n = 1, 2, 3 …; batch n is at once the sequence of
its put and the name of its quarantine file. An intent that has no commit is *open*: after a crash
it is carried out again with **its** range, schema and rules, and never cut anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.balance import Balance


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to happen to one range of a source.

    Attributes:
        job_id: The job that carries it out.
        producer_id: The producer whose numbering it belongs to.
        n: Its place in that numbering, dense from 1.
        epoch: The producer epoch it was written under.
        start: Where the range begins: an opaque position of the source.
        end: Where it ends, exclusive.
        schema_id: The schema it is judged against.
        schema_version: The version of that schema within the job's subject.
        rule_set_fingerprint: The fingerprint of the rules and of the source spec.
        rule_state: What the rules remembered before this range; empty without rules.
    """

    job_id: str
    producer_id: str
    n: int
    epoch: int
    start: str
    end: str
    schema_id: int
    schema_version: int
    rule_set_fingerprint: str
    rule_state: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of one intent.

    Attributes:
        job_id: The job that carried it out.
        producer_id: The producer.
        n: The batch.
        balance: The account of its range.
        dataset_revision: The dataset revision that holds its good rows; 0 when it has none.
        schema_version: The version its rows were judged under.
        rule_state: What the rules remember after this range; empty without rules.
    """

    job_id: str
    producer_id: str
    n: int
    balance: Balance
    dataset_revision: int
    schema_version: int
    rule_state: str = ""
