"""One writing transaction: reads the head under the write lock, then writes what was staged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from tickmesh_registry.domain.errors import StoreUnavailableError, VersionConflictError
from tickmesh_registry.store.staging import StagedWrites

from . import rows, tables
from .reader import SqlReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.store import Head, NewVersion


class SqlTransaction(StagedWrites, SqlReader):
    """Reads the last revision and stages the next."""

    def __init__(self, connection: AsyncConnection, head: Head) -> None:
        StagedWrites.__init__(self)
        SqlReader.__init__(self, connection, head)

    async def write(self) -> Revision | None:
        """Writes everything staged; the counter row last."""
        schema_ids = await self._write_schemas()
        sealed = self.seal(head_revision=self.head.revision, schema_ids=schema_ids)
        number = self.head.revision if sealed.revision is None else sealed.revision.revision
        execute = self._connection.execute
        for new in self.new_versions:
            await self._write_subject(new, revision=number)
        if sealed.versions:
            await execute(insert(tables.versions), [rows.version_row(v) for v in sealed.versions])
        for name, settings in self.new_settings.items():
            values = rows.settings_row(settings) | {"revision": number}
            await execute(
                upsert(tables.subjects)
                .values(name=name, latest_version=0, version_count=0, field_ids="", **values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
            )
        for request in sealed.requests:
            await execute(
                insert(tables.completed_requests).values(
                    {c.name: getattr(request, c.name) for c in tables.completed_requests.c}
                )
            )
        for refusal in self.new_refusals:
            await execute(
                upsert(tables.refusals)
                .values({c.name: getattr(refusal, c.name) for c in tables.refusals.c})
                .on_conflict_do_update(
                    index_elements=["subject", "fingerprint", "principal"],
                    set_={"refused_at_ns": refusal.refused_at_ns},
                )
            )
        if sealed.revision is not None:
            await self._write_revision(sealed.revision)
        return sealed.revision

    async def _write_schemas(self) -> dict[str, int]:
        wanted = {new.fingerprint: new.canonical_text for new in self.new_versions}
        if not wanted:
            return {}
        columns = tables.schemas.c
        known = await self._connection.execute(
            select(columns.fingerprint, columns.schema_id).where(columns.fingerprint.in_(wanted))
        )
        schema_ids: dict[str, int] = {row.fingerprint: row.schema_id for row in known}
        missing = [fingerprint for fingerprint in wanted if fingerprint not in schema_ids]
        if missing:
            highest = await self._connection.scalar(select(func.max(columns.schema_id)))
            first = (highest or 0) + 1
            schema_ids |= {fingerprint: first + i for i, fingerprint in enumerate(missing)}
            await self._connection.execute(
                insert(tables.schemas), list(_schema_rows(missing, schema_ids, wanted))
            )
        return schema_ids

    async def _write_subject(self, new: NewVersion, *, revision: int) -> None:
        columns = tables.subjects.c
        values = {
            "latest_version": new.version,
            "version_count": new.version,
            "revision": revision,
            "field_ids": new.field_ids,
        }
        written = await self._connection.execute(
            upsert(tables.subjects)
            .values(name=new.subject, **values)
            .on_conflict_do_update(
                index_elements=["name"],
                set_=values,
                where=columns.version_count == new.version - 1,
            )
        )
        if written.rowcount != 1:
            raise VersionConflictError(f"version {new.version} is not the one that comes next")

    async def _write_revision(self, revision: Revision) -> None:
        await self._connection.execute(
            insert(tables.change_log), [rows.change_row(change) for change in revision.changes]
        )
        columns = tables.registry_clock.c
        bumped = await self._connection.execute(
            update(tables.registry_clock)
            .where(columns.revision == self.head.revision)
            .values(
                revision=revision.revision,
                changed_at_ns=revision.changes[-1].changed_at_ns,
            )
        )
        if bumped.rowcount != 1:
            raise StoreUnavailableError("another writer moved the store; retry")


def _schema_rows(
    fingerprints: Iterable[str], schema_ids: dict[str, int], texts: dict[str, str]
) -> Iterable[rows.Row]:
    for fingerprint in fingerprints:
        yield {
            "schema_id": schema_ids[fingerprint],
            "fingerprint": fingerprint,
            "canonical_text": texts[fingerprint],
        }
