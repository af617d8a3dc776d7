"""Jobs clean several files; a producer is held by one job at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables; rows in quarantine are of the only file their job had."""
    op.create_table(
        "job_files",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("producer_id", sa.String, nullable=False),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("column_names", sa.Text, nullable=False),
        sa.Column("stored_before", sa.BigInteger),
        sa.Column("balance_before", sa.Text, nullable=False),
    )
    op.create_table(
        "producer_holds",
        sa.Column("producer_id", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), nullable=False),
    )
    op.add_column("quarantine", sa.Column("part", sa.Integer, nullable=False, server_default="0"))
