"""Versions, subjects, settings, change log and counter row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables and the two rows every store has."""
    clock = op.create_table(
        "registry_clock",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("compact_revision", sa.BigInteger, nullable=False),
        sa.Column("changed_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "schemas",
        sa.Column("schema_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
        sa.Column("canonical_text", sa.Text, nullable=False),
    )
    subjects = op.create_table(
        "subjects",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("latest_version", sa.Integer, nullable=False),
        sa.Column("version_count", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("mode", sa.Text),
        sa.Column("policy", sa.Text),
        sa.Column("undecided", sa.Text),
        sa.Column("field_ids", sa.Text, nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("schema_id", sa.Integer, sa.ForeignKey("schemas.schema_id"), nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("arrow_schema", sa.LargeBinary, nullable=False),
        sa.Column("schema_references", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("registered_at_ns", sa.BigInteger, nullable=False),
        sa.Column("effective_from_ns", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        *_actor(),
    )
    op.create_index("versions_by_schema_id", "versions", ["schema_id", "revision"])
    op.create_table(
        "change_log",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("previous_version", sa.Integer),
        sa.Column("action", sa.Text),
        sa.Column("report", sa.Text),
        sa.Column("settings", sa.Text),
        sa.Column("rejected_text", sa.Text),
        *_actor(),
        sa.Column("changed_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "completed_requests",
        sa.Column("principal", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("already_registered", sa.Boolean, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("completed_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("completed_requests_by_time", "completed_requests", ["completed_at_ns"])
    op.create_table(
        "refusals",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("principal", sa.Text, primary_key=True),
        sa.Column("refused_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("refusals_by_time", "refusals", ["refused_at_ns"])

    epoch = context.config.attributes["epoch"]
    op.bulk_insert(
        clock,
        [{"id": 1, "epoch": epoch, "revision": 0, "compact_revision": 0, "changed_at_ns": 0}],
    )
    op.bulk_insert(
        subjects,
        [{"name": "", "latest_version": 0, "version_count": 0, "revision": 0, "field_ids": ""}],
    )


def _actor() -> list[sa.Column[str]]:
    names = ("principal", "authentication", "on_behalf_of", "request_id")
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
