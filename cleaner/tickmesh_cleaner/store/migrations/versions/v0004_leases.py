"""A job is owned by a lease, and knows the trace it belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nobody holds a lease yet, and what made earlier jobs is not known."""
    op.create_table(
        "leases",
        sa.Column("job_id", sa.String, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("until_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("leases_by_owner", "leases", ["owner"])
    op.add_column("jobs", sa.Column("traceparent", sa.String, nullable=False, server_default=""))
