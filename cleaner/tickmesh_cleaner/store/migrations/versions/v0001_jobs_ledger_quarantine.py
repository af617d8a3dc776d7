"""Jobs, the ledger of intents and commits, the quarantine index, uploads."""

from alembic import op

from tickmesh_cleaner.store.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all the tables as they were first released."""
    METADATA.create_all(op.get_bind())
