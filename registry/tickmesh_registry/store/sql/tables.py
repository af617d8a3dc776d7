"""The tables, as the latest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

# One row. Its revision is bumped as the last statement before a commit, never by a sequence: the
# next writer waits until this commit is visible, so commit order is revision order.
registry_clock = Table(
    "registry_clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("compact_revision", BigInteger, nullable=False),
    Column("changed_at_ns", BigInteger, nullable=False),
    # System identifier and timeline of the PostgreSQL cluster that writes; "" elsewhere.
    Column("cluster", Text, nullable=False),
)

schemas = Table(
    "schemas",
    metadata,
    Column("schema_id", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("canonical_text", Text, nullable=False),
)

# The row named '' holds the global settings.
subjects = Table(
    "subjects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("latest_version", Integer, nullable=False),
    Column("version_count", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("mode", Text),
    Column("policy", Text),
    Column("undecided", Text),
    Column("field_ids", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("schema_id", Integer, nullable=False),
    Column("format", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("arrow_schema", LargeBinary, nullable=False),
    Column("schema_references", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("registered_at_ns", BigInteger, nullable=False),
    Column("effective_from_ns", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("on_behalf_of", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("deprecation_note", Text, nullable=False),
    Column("data_report", Text),
    ForeignKeyConstraint(["schema_id"], ["schemas.schema_id"]),
    Index("versions_by_schema_id", "schema_id", "revision"),
    Index("versions_by_state", "state", "subject", "version"),
)

# What versions refer to, so that one referred to is not removed for good.
version_references = Table(
    "version_references",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("referenced_subject", Text, nullable=False),
    Column("referenced_version", Integer, nullable=False),
    Index("version_references_by_target", "referenced_subject", "referenced_version"),
)

# What can change of a version is told by the log itself, as it was at that revision.
change_log = Table(
    "change_log",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("version", Integer),
    Column("previous_version", Integer),
    Column("action", Text),
    Column("report", Text),
    Column("settings", Text),
    Column("rejected_text", Text),
    Column("principal", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("on_behalf_of", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("changed_at_ns", BigInteger, nullable=False),
    Column("verdict", Text),
    Column("state", Text),
    Column("deprecation_note", Text),
    Column("previous_state", Text),
    Column("previous_deprecation_note", Text),
)

completed_requests = Table(
    "completed_requests",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("completed_at_ns", BigInteger, nullable=False),
    Index("completed_requests_by_time", "completed_at_ns"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("refused_at_ns", BigInteger, nullable=False),
    Index("refusals_by_time", "refused_at_ns"),
)
