"""States that change, evidence, references as rows, and idempotency records of change sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

revision = "0002"
down_revision = "0001"

_PAGE = 500


def upgrade() -> None:
    """Add what life cycles and change sets need, and fill it from what is there."""
    op.add_column(
        "versions", sa.Column("deprecation_note", sa.Text, nullable=False, server_default="")
    )
    op.add_column("versions", sa.Column("data_report", sa.Text))
    op.create_index("versions_by_state", "versions", ["state", "subject", "version"])
    _references()
    _log()
    _requests()


def _references() -> None:
    references = op.create_table(
        "version_references",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("referenced_subject", sa.Text, nullable=False),
        sa.Column("referenced_version", sa.Integer, nullable=False),
    )
    op.create_index(
        "version_references_by_target",
        "version_references",
        ["referenced_subject", "referenced_version"],
    )
    versions = sa.table(
        "versions",
        sa.column("subject", sa.Text),
        sa.column("version", sa.Integer),
        sa.column("schema_references", sa.Text),
    )
    connection = op.get_bind()
    found = connection.execute(sa.select(versions).where(versions.c.schema_references != "[]"))
    rows = [
        {
            "subject": row.subject,
            "version": row.version,
            "name": name,
            "referenced_subject": subject,
            "referenced_version": version,
        }
        for row in found
        for name, subject, version in json.loads(row.schema_references)
    ]
    if rows:
        connection.execute(sa.insert(references), rows)


def _log() -> None:
    names = ("verdict", "state", "deprecation_note", "previous_state", "previous_deprecation_note")
    for name in names:
        op.add_column("change_log", sa.Column(name, sa.Text))
    log = sa.table(
        "change_log",
        sa.column("revision", sa.BigInteger),
        sa.column("sequence", sa.Integer),
        sa.column("version", sa.Integer),
        sa.column("previous_version", sa.Integer),
        sa.column("report", sa.Text),
        *(sa.column(name, sa.Text) for name in names),
    )
    connection = op.get_bind()
    # No version has ever been anything but active.
    for version, state, note in (
        (log.c.version, "state", "deprecation_note"),
        (log.c.previous_version, "previous_state", "previous_deprecation_note"),
    ):
        connection.execute(
            sa.update(log).where(version.is_not(None)).values({state: "active", note: ""})
        )
    position = sa.tuple_(log.c.revision, log.c.sequence)
    for page in _pages(
        sa.select(log.c.revision, log.c.sequence, log.c.report).where(log.c.report.is_not(None)),
        position,
    ):
        for row in page:
            connection.execute(
                sa.update(log)
                .where(log.c.revision == row.revision, log.c.sequence == row.sequence)
                .values(verdict=json.loads(row.report)["verdict"])
            )


def _requests() -> None:
    op.add_column(
        "completed_requests", sa.Column("outcomes", sa.Text, nullable=False, server_default="[]")
    )
    requests = sa.table(
        "completed_requests",
        sa.column("principal", sa.Text),
        sa.column("request_id", sa.Text),
        sa.column("subject", sa.Text),
        sa.column("version", sa.Integer),
        sa.column("already_registered", sa.Boolean),
        sa.column("report", sa.Text),
        sa.column("outcomes", sa.Text),
    )
    connection = op.get_bind()
    for page in _pages(sa.select(requests), sa.tuple_(requests.c.principal, requests.c.request_id)):
        for row in page:
            outcome = [row.subject, row.version, row.already_registered, row.report]
            connection.execute(
                sa.update(requests)
                .where(
                    requests.c.principal == row.principal, requests.c.request_id == row.request_id
                )
                .values(outcomes=json.dumps([outcome]))
            )
    for name in ("subject", "version", "already_registered", "report"):
        op.drop_column("completed_requests", name)


def _pages(query: sa.Select[Any], key: sa.Tuple) -> Iterator[list[Any]]:
    """The rows of a query in order of a two-part key, its first two columns, page by page."""
    connection = op.get_bind()
    query = query.order_by(*key.clauses).limit(_PAGE)
    page = list(connection.execute(query))
    while page:
        yield page
        page = list(connection.execute(query.where(key > tuple(page[-1][:2]))))
