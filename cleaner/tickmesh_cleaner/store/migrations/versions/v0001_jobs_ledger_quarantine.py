"""Jobs, the ledger of intents and commits, the quarantine index, uploads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all the tables as they were first released."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("request_id", sa.String, unique=True),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_name", sa.String, nullable=False),
        sa.Column("source_spec", sa.Text, nullable=False),
        sa.Column("file_name", sa.String, nullable=False),
        sa.Column("schema_change_policy", sa.String, nullable=False),
        sa.Column("again", sa.Integer, nullable=False),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("on_behalf_of", sa.String, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("requested", sa.String, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("error_reason", sa.String, nullable=False),
        sa.Column("balance", sa.Text, nullable=False),
        sa.Column("schema_versions", sa.Text, nullable=False),
        sa.Column("ended_at_ns", sa.BigInteger, nullable=False),
        sa.Column("producer_id", sa.String, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("column_names", sa.Text, nullable=False),
        sa.Column("approved_version", sa.Integer, nullable=False),
        sa.Column("stored_before", sa.BigInteger),
        sa.Column("owner", sa.String, nullable=False),
    )
    op.create_index("jobs_by_producer", "jobs", ["producer_id"])
    op.create_index("jobs_by_state", "jobs", ["state"])
    op.create_table(
        "intents",
        sa.Column("producer_id", sa.String, primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("start", sa.Text, nullable=False),
        sa.Column("end", sa.Text, nullable=False),
        sa.Column("schema_id", sa.Integer, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("rule_set_fingerprint", sa.String, nullable=False),
    )
    op.create_table(
        "commits",
        sa.Column("producer_id", sa.String, primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("balance", sa.Text, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("dataset_revision", sa.BigInteger, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("committed_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("commits_by_job", "commits", ["job_id"])
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("replay_job_id", sa.String, nullable=False),
        sa.Column("claimed_by", sa.String, nullable=False),
        sa.Column("claim_position", sa.BigInteger, nullable=False),
        sa.Column("file_job_id", sa.String, nullable=False),
        sa.Column("file_n", sa.BigInteger, nullable=False),
        sa.Column("file_row", sa.Integer, nullable=False),
    )
    op.create_index("quarantine_by_job", "quarantine", ["job_id", "id"])
    op.create_index("quarantine_by_subject", "quarantine", ["subject", "id"])
    op.create_index("quarantine_by_claim", "quarantine", ["claimed_by", "claim_position"])
    op.create_table(
        "quarantine_reasons",
        sa.Column("row_id", sa.BigInteger, sa.ForeignKey("quarantine.id"), primary_key=True),
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("instance_path", sa.String, primary_key=True),
    )
    op.create_index("quarantine_reasons_by_code", "quarantine_reasons", ["code", "row_id"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("file_name", sa.String, nullable=False),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
