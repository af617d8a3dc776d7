"""Discards and removals of quarantined rows are recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what says who gave rows up, and which files retention removed."""
    op.create_table(
        "discards",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("on_behalf_of", sa.String, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.add_column("quarantine", sa.Column("discard_id", sa.BigInteger))
    op.create_index("quarantine_by_file", "quarantine", ["file_job_id", "file_n"])
    op.create_table(
        "removed_quarantine_files",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("last_row_id", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
