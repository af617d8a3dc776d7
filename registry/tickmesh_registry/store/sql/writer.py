"""Writes what a transaction staged, as plain functions of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from tickmesh_registry.domain.errors import VersionConflictError
from tickmesh_registry.domain.versions import VersionState
from tickmesh_registry.store.tombstones import bare_outcome, bare_report

from . import rows, tables
from .dialects import every_insert, insert_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.domain.versions import Version
    from tickmesh_registry.store import Head, NewVersion
    from tickmesh_registry.store.staging import StagedWrites


# Built once: building a statement costs as much as running it.
# Those wanted, and the last one given: where new ones begin.
_SELECT_SCHEMA_IDS = select(
    tables.schemas.c.fingerprint,
    tables.schemas.c.schema_id,
    (tables.schemas.c.canonical_text == "").label("is_bare"),
).where(
    or_(
        tables.schemas.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        tables.schemas.c.schema_id
        == select(func.max(tables.schemas.c.schema_id)).scalar_subquery(),
    )
)
_INSERT_SCHEMAS = insert(tables.schemas)
_INSERT_VERSIONS = insert(tables.versions)
_INSERT_REFERENCES = insert(tables.version_references)
_UPSERT_REQUEST = {
    dialect: insert_request.on_conflict_do_update(
        index_elements=["principal", "request_id"],
        set_={
            name: insert_request.excluded[name]
            for name in ("digest", "revision", "outcomes", "completed_at_ns")
        },
    )
    for dialect, insert_request in every_insert(tables.completed_requests)
}
_INSERT_CHANGES = insert(tables.change_log)
_UPSERT_SUBJECT = {
    dialect: insert_subject.on_conflict_do_update(
        index_elements=["name"],
        set_={
            name: insert_subject.excluded[name]
            for name in ("latest_version", "version_count", "revision", "field_ids")
        },
        where=tables.subjects.c.version_count == insert_subject.excluded.version_count - 1,
    )
    for dialect, insert_subject in every_insert(tables.subjects)
}


class Writer:
    """Writes into the transaction its connection is in."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._upsert = insert_of(connection)
        self._head = head

    def write(self, staged: StagedWrites) -> Revision | None:
        """Write everything staged; the caller moves the counter row, last of all.

        Raises:
            VersionConflictError: A staged version is not the one that comes next.
        """
        schema_ids = self._write_schemas(staged.new_versions)
        sealed = staged.seal(head_revision=self._head.revision, schema_ids=schema_ids)
        number = self._head.revision if sealed.revision is None else sealed.revision.revision
        execute = self._connection.execute
        for new in staged.new_versions:
            self._write_subject(new, revision=number)
        if sealed.versions:
            execute(_INSERT_VERSIONS, [rows.version_row(v) for v in sealed.versions])
            references = [row for v in sealed.versions for row in rows.reference_rows(v)]
            if references:
                execute(_INSERT_REFERENCES, references)
        for version in sealed.standings:
            self._write_standing(version, revision=number)
        for name, settings in staged.new_settings.items():
            values = rows.settings_row(settings) | {"revision": number}
            execute(
                self._upsert(tables.subjects)
                .values(name=name, latest_version=0, version_count=0, field_ids="", **values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
            )
        for request in sealed.requests:
            execute(_UPSERT_REQUEST[self._connection.dialect.name], rows.request_row(request))
        for refusal in staged.new_refusals:
            execute(
                self._upsert(tables.refusals)
                .values({c.name: getattr(refusal, c.name) for c in tables.refusals.c})
                .on_conflict_do_update(
                    index_elements=["subject", "fingerprint", "principal"],
                    set_={"refused_at_ns": refusal.refused_at_ns},
                )
            )
        if sealed.revision is not None:
            execute(_INSERT_CHANGES, [rows.change_row(c) for c in sealed.revision.changes])
        return sealed.revision

    def _write_schemas(self, versions: Iterable[NewVersion]) -> dict[str, int]:
        wanted = {new.fingerprint: new.canonical_text for new in versions}
        if not wanted:
            return {}
        found = self._connection.execute(_SELECT_SCHEMA_IDS, {"fingerprints": list(wanted)}).all()
        highest = max((row.schema_id for row in found), default=0)
        known = [row for row in found if row.fingerprint in wanted]
        schema_ids: dict[str, int] = {row.fingerprint: row.schema_id for row in known}
        for row in known:
            if row.is_bare:  # every version that carried it was removed for good
                self._set_canonical_text(row.schema_id, wanted[row.fingerprint])
        missing = [fingerprint for fingerprint in wanted if fingerprint not in schema_ids]
        if missing:
            schema_ids |= {name: highest + i for i, name in enumerate(missing, start=1)}
            self._connection.execute(
                _INSERT_SCHEMAS, list(_schema_rows(missing, schema_ids, wanted))
            )
        return schema_ids

    def _write_subject(self, new: NewVersion, *, revision: int) -> None:
        written = self._connection.execute(
            _UPSERT_SUBJECT[self._connection.dialect.name],
            {
                "name": new.subject,
                "latest_version": new.version,
                "version_count": new.version,
                "revision": revision,
                "field_ids": new.field_ids,
            },
        )
        if written.rowcount != 1:
            raise VersionConflictError(f"version {new.version} is not the one that comes next")

    def _write_standing(self, version: Version, *, revision: int) -> None:
        columns = tables.versions.c
        removed = version.state is VersionState.REMOVED
        gone = {"text": "", "arrow_schema": b"", "data_report": None} if removed else {}
        self._connection.execute(
            update(tables.versions)
            .where(columns.subject == version.subject, columns.version == version.version)
            .values(state=version.state.value, deprecation_note=version.deprecation_note, **gone)
        )
        live = [state.value for state in VersionState if state.is_live]
        latest = self._connection.scalar(
            select(func.max(columns.version)).where(
                columns.subject == version.subject, columns.state.in_(live)
            )
        )
        self._connection.execute(
            update(tables.subjects)
            .where(tables.subjects.c.name == version.subject)
            .values(latest_version=latest or 0, revision=revision)
        )
        if removed:
            self._remove_texts(version)

    def _remove_texts(self, version: Version) -> None:
        """Leave nothing that quotes a removed version, but what others still need."""
        execute = self._connection.execute
        columns = tables.versions.c
        references = tables.version_references.c
        execute(
            delete(tables.version_references).where(
                references.subject == version.subject, references.version == version.version
            )
        )
        sharing = self._connection.scalar(
            select(func.count()).where(
                columns.schema_id == version.schema_id,
                columns.state != VersionState.REMOVED.value,
            )
        )
        if not sharing:
            self._set_canonical_text(version.schema_id, "")
        log = tables.change_log.c
        told = execute(
            select(log.revision, log.sequence, log.version, log.report).where(
                log.subject == version.subject, log.report.is_not(None)
            )
        ).all()
        for row in told:
            report = bare_report(
                row.report, version.version, of_version=row.version == version.version
            )
            if report != row.report:
                execute(
                    update(tables.change_log)
                    .where(log.revision == row.revision, log.sequence == row.sequence)
                    .values(report=report)
                )
        requests = tables.completed_requests.c
        answered = execute(
            select(requests.principal, requests.request_id, requests.outcomes).where(
                requests.outcomes.contains(f'["{version.subject}", ', autoescape=True)
            )
        ).all()
        for answer in answered:
            outcomes = tuple(
                bare_outcome(outcome, version.subject, version.version)
                for outcome in rows.outcomes_of(answer.outcomes)
            )
            execute(
                update(tables.completed_requests)
                .where(
                    requests.principal == answer.principal, requests.request_id == answer.request_id
                )
                .values(outcomes=rows.outcomes_text(outcomes))
            )

    def _set_canonical_text(self, schema_id: int, text: str) -> None:
        self._connection.execute(
            update(tables.schemas)
            .where(tables.schemas.c.schema_id == schema_id)
            .values(canonical_text=text)
        )


def _schema_rows(
    fingerprints: Iterable[str], schema_ids: dict[str, int], texts: dict[str, str]
) -> Iterable[rows.Row]:
    for fingerprint in fingerprints:
        yield {
            "schema_id": schema_ids[fingerprint],
            "fingerprint": fingerprint,
            "canonical_text": texts[fingerprint],
        }
