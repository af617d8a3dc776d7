"""The tables of the cleaner's own database."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    # Order of creation: what pages of ListJobs hang on.
    Column("number", BigInteger, nullable=False, unique=True),
    Column("request_id", String, unique=True),
    Column("subject", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_name", String, nullable=False),
    Column("source_spec", Text, nullable=False),
    Column("file_name", String, nullable=False),
    Column("schema_change_policy", String, nullable=False),
    Column("again", Integer, nullable=False),
    Column("principal", String, nullable=False),
    Column("on_behalf_of", String, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("requested", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("error_reason", String, nullable=False),
    Column("balance", Text, nullable=False),
    Column("schema_versions", Text, nullable=False),
    Column("ended_at_ns", BigInteger, nullable=False),
    Column("producer_id", String, nullable=False),
    Column("identity", Text, nullable=False),
    Column("layout", Text, nullable=False),
    Column("column_names", Text, nullable=False),
    Column("approved_version", Integer, nullable=False),
    # The tick store's last sequence of the producer when this job first opened it.
    Column("stored_before", BigInteger),
    Column("owner", String, nullable=False),
    Column("sink", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("max_latency_seconds", Float, nullable=False),
    Column("traceparent", String, nullable=False),
    Index("jobs_by_producer", "producer_id"),
    Index("jobs_by_state", "state"),
)

JOB_FILES = Table(
    "job_files",
    METADATA,
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("producer_id", String, nullable=False),
    Column("layout", Text, nullable=False),
    Column("column_names", Text, nullable=False),
    Column("stored_before", BigInteger),
    # The job's account when it began with the file; empty before.
    Column("balance_before", Text, nullable=False),
    PrimaryKeyConstraint("job_id", "part"),
)

# A producer's batches are numbered by one job at a time.
PRODUCER_HOLDS = Table(
    "producer_holds",
    METADATA,
    Column("producer_id", String, primary_key=True),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("job_id", String, ForeignKey("jobs.id"), primary_key=True),
    Column("owner", String, nullable=False),
    # Until then nobody else may take the job, unless its owner gives it up.
    Column("until_ns", BigInteger, nullable=False),
    Index("leases_by_owner", "owner"),
)

INTENTS = Table(
    "intents",
    METADATA,
    Column("producer_id", String, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("start", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("schema_id", Integer, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("rule_set_fingerprint", String, nullable=False),
    Column("rule_state", Text, nullable=False),
    PrimaryKeyConstraint("producer_id", "n"),
)

COMMITS = Table(
    "commits",
    METADATA,
    Column("producer_id", String, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
    Column("balance", Text, nullable=False),
    # Apart from the balance line, for audits.
    Column("stored", BigInteger, nullable=False),
    Column("dataset_revision", BigInteger, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("committed_at_ns", BigInteger, nullable=False),
    Column("rule_state", Text, nullable=False),
    PrimaryKeyConstraint("producer_id", "n"),
    Index("commits_by_job", "job_id"),
)

QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
    # Which of the job's files it came from; 0 where there is one.
    Column("part", Integer, nullable=False),
    Column("subject", String, nullable=False),
    Column("state", String, nullable=False),
    Column("replay_job_id", String, nullable=False),
    # The replay that holds the row until it has judged it or ended: no two replays release one row.
    Column("claimed_by", String, nullable=False),
    # Its place among the rows that replay selected.
    Column("claim_position", BigInteger, nullable=False),
    Column("file_job_id", String, nullable=False),
    Column("file_n", BigInteger, nullable=False),
    Column("file_row", Integer, nullable=False),
    Index("quarantine_by_job", "job_id", "id"),
    Index("quarantine_by_subject", "subject", "id"),
    Index("quarantine_by_claim", "claimed_by", "claim_position"),
)

QUARANTINE_REASONS = Table(
    "quarantine_reasons",
    METADATA,
    Column("row_id", BigInteger, ForeignKey("quarantine.id"), nullable=False),
    Column("code", String, nullable=False),
    Column("instance_path", String, nullable=False),
    PrimaryKeyConstraint("row_id", "code", "instance_path"),
    Index("quarantine_reasons_by_code", "code", "row_id"),
)

UPLOADS = Table(
    "uploads",
    METADATA,
    Column("id", String, primary_key=True),
    Column("file_name", String, nullable=False),
    Column("principal", String, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    # Empty until the whole file is here and its digest was found right.
    Column("sha256", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)
