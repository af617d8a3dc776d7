"""Jobs name their sinks and keep events; batches remember the state of their rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, filled with what jobs did before there was a choice."""
    op.add_column(
        "jobs",
        sa.Column("sink", sa.Text, nullable=False, server_default='{"kind": "TickStoreSink"}'),
    )
    op.add_column("jobs", sa.Column("events", sa.Text, nullable=False, server_default="[]"))
    op.add_column(
        "jobs", sa.Column("max_latency_seconds", sa.Float, nullable=False, server_default="0.005")
    )
    op.add_column("intents", sa.Column("rule_state", sa.Text, nullable=False, server_default=""))
    op.add_column("commits", sa.Column("rule_state", sa.Text, nullable=False, server_default=""))
