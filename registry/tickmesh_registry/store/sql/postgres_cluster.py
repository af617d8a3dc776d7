"""Which PostgreSQL cluster a store lives in, and what that says about its history.

A promoted standby or a cluster recovered to a point in time may lack the last revisions, and write
others under their numbers. Both begin a new timeline, and a copy in another cluster has another
system identifier: then the store gets another epoch, and whoever followed the old one hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import asyncpg

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_IDENTITY = (
    "SELECT (SELECT system_identifier FROM pg_control_system())::text"
    " || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
)

# Advisory locks of the registry: the first number is its own, the second what is locked.
_LOCK_SPACE = 0x7469_636B
_MIGRATING = 1
_SERVING = 2

LOCK_FOR_MIGRATION = f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, {_MIGRATING})"
TRY_LOCK_SHARED_FOR_SERVING = f"SELECT pg_try_advisory_lock_shared({_LOCK_SPACE}, {_SERVING})"
TRY_LOCK_ALONE = f"SELECT pg_try_advisory_xact_lock({_LOCK_SPACE}, {_SERVING})"


async def read_cluster(connection: asyncpg.Connection) -> str:
    """System identifier and timeline; fails on a standby, which no registry may use."""
    cluster: str = await connection.fetchval(_IDENTITY)
    return cluster


async def adopt_cluster(connection: asyncpg.Connection, *, new_epoch: str) -> str:
    """Make sure that the store knows the cluster it lives in; a stranger gets a new epoch.

    Args:
        connection: Its settings name the schema that the tables are in.
        new_epoch: The epoch the store gets when the cluster is not the one it was written in.

    Returns:
        The cluster.
    """
    cluster = await read_cluster(connection)
    async with connection.transaction():
        known = await connection.fetchval("SELECT cluster FROM registry_clock FOR UPDATE")
        if known == "":
            await connection.execute("UPDATE registry_clock SET cluster = $1", cluster)
        elif known != cluster:
            await connection.execute(
                "UPDATE registry_clock SET cluster = $1, epoch = $2", cluster, new_epoch
            )
            _log.warning(
                "registry.store.epoch.changed",
                cause="the store was restored or promoted in another cluster or timeline",
                cluster=cluster,
                previous_cluster=known,
            )
    return cluster


async def renew_epoch(connection: asyncpg.Connection, *, behind: int, new_epoch: str) -> None:
    """Give a store another epoch if it stands below a revision that it had reached."""
    renewed = await connection.execute(
        "UPDATE registry_clock SET epoch = $1 WHERE revision < $2", new_epoch, behind
    )
    if renewed != "UPDATE 0":
        _log.warning(
            "registry.store.epoch.changed",
            cause="the store stands below a revision that was committed",
            revision_seen=behind,
        )
