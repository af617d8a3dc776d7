"""Reads inside one database transaction, as plain functions of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    literal,
    select,
    tuple_,
)

from tickmesh_registry.domain.changes import Change, Revision
from tickmesh_registry.domain.ordering import BY_NAME, Order
from tickmesh_registry.domain.versions import (
    Version,
    VersionKey,
    VersionStanding,
    VersionState,
    VersionTimes,
)
from tickmesh_registry.store import (
    BasisQuestion,
    CompletedRequest,
    Head,
    LogPage,
    Refusal,
    RegistrationBasis,
    SubjectBasis,
    SubjectState,
    VersionScope,
)

from . import rows, tables
from .demands import fulfilled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tickmesh_registry.store import Demands, SubjectPosition


_SELECT_VERSION = select(
    tables.versions, tables.schemas.c.fingerprint, tables.schemas.c.canonical_text
).join(tables.schemas, tables.versions.c.schema_id == tables.schemas.c.schema_id)

_UNREAD: dict[str, ColumnElement[Any]] = {
    "text": literal(""),
    "arrow_schema": literal(b"", LargeBinary()),
}
_SELECT_OUTLINE = select(
    *(_UNREAD.get(column.name, column).label(column.name) for column in tables.versions.c),
    tables.schemas.c.fingerprint,
    literal("").label("canonical_text"),
).join(tables.schemas, tables.versions.c.schema_id == tables.schemas.c.schema_id)
_KEYS_A_STATEMENT = 500

_SUBJECT_COLUMNS = {
    name: tables.subjects.c[name]
    for name in ("name", "latest_version", "version_count", "revision")
}
_VERSION_COLUMNS = {
    **{
        name: tables.versions.c[name]
        for name in ("subject", "version", "schema_id", "state", "action", "format")
    },
    "registered_at": tables.versions.c.registered_at_ns,
    "effective_from": tables.versions.c.effective_from_ns,
}

# Statements of the registration path are built once: building one costs as much as running it.
_SELECT_CLOCK = select(tables.registry_clock)
_SELECT_SUBJECT = select(tables.subjects).where(tables.subjects.c.name == bindparam("of_name"))
_SELECT_ONE_VERSION = _SELECT_VERSION.where(
    tables.versions.c.subject == bindparam("of_subject"),
    tables.versions.c.version == bindparam("of_version"),
)
_SELECT_HIDDEN = select(tables.versions.c.version, tables.versions.c.state).where(
    tables.versions.c.state.in_([VersionState.DELETED.value, VersionState.REMOVED.value]),
    tables.versions.c.subject == bindparam("of_subject"),
)
# Subjects, and of those that are registered into the latest version (its columns null for none).
_OF_LATEST = {
    column.name: f"of_latest_{column.name}" for column in _SELECT_VERSION.selected_columns
}
_SELECT_SUBJECTS = (
    select(
        tables.subjects,
        *(column.label(_OF_LATEST[column.name]) for column in _SELECT_VERSION.selected_columns),
    )
    .outerjoin(
        tables.versions,
        and_(
            tables.versions.c.subject == tables.subjects.c.name,
            tables.versions.c.version == tables.subjects.c.latest_version,
            tables.subjects.c.name.in_(bindparam("with_latest", expanding=True)),
        ),
    )
    .outerjoin(tables.schemas, tables.versions.c.schema_id == tables.schemas.c.schema_id)
    .where(tables.subjects.c.name.in_(bindparam("of_names", expanding=True)))
)
_SELECT_REVISIONS = select(tables.subjects.c.name, tables.subjects.c.revision).where(
    tables.subjects.c.name.in_(bindparam("of_names", expanding=True)),
    tables.subjects.c.revision > 0,
)
_SELECT_STATE = select(tables.versions.c.state).where(
    tables.versions.c.subject == bindparam("of_subject"),
    tables.versions.c.version == bindparam("of_version"),
)
_SELECT_REQUEST = select(tables.completed_requests).where(
    tables.completed_requests.c.principal == bindparam("of_principal"),
    tables.completed_requests.c.request_id == bindparam("of_request_id"),
)
_TEXTS_FIRST = case((tables.versions.c.state == VersionState.REMOVED.value, 1), else_=0)


def read_head(connection: Connection) -> Head:
    """Read the clock row."""
    row = connection.execute(_SELECT_CLOCK).mappings().one()
    return Head(
        epoch=row["epoch"],
        revision=row["revision"],
        compact_revision=row["compact_revision"],
        changed_at_ns=row["changed_at_ns"],
    )


class Queries:
    """Reads at the revision of the transaction its connection is in."""

    def __init__(self, connection: Connection, head: Head | None = None) -> None:
        self._connection = connection
        self.head = read_head(connection) if head is None else head

    @property
    def connection(self) -> Connection:
        """Where the reads run."""
        return self._connection

    def subject(self, name: str) -> SubjectState:
        """The state of a subject."""
        row = self._first(_SELECT_SUBJECT, of_name=name)
        return SubjectState(name) if row is None else rows.subject_of(row)

    def subjects(
        self,
        *,
        prefix: str,
        limit: int,
        order: Order = BY_NAME,
        after: SubjectPosition | None = None,
        demands: Demands = (),
    ) -> tuple[SubjectState, ...]:
        """Subjects with versions whose names begin with `prefix`."""
        name = tables.subjects.c.name
        sorted_by = list(dict.fromkeys((tables.subjects.c[order.field], name)))
        # Names are ASCII, so DEL follows everything that can follow the prefix.
        wanted = (
            select(tables.subjects)
            .where(name >= prefix, name < prefix + "\x7f")
            .where(tables.subjects.c.version_count > 0)
            .where(*fulfilled(demands, _SUBJECT_COLUMNS))
            .order_by(*(column.desc() if order.descending else column for column in sorted_by))
            .limit(limit)
        )
        if after is not None:
            here, there = tuple_(*sorted_by), tuple_(*after[-len(sorted_by) :])
            wanted = wanted.where(here < there if order.descending else here > there)
        return tuple(map(rows.subject_of, self._all(wanted)))

    def version(self, subject: str, version: int) -> Version | None:
        """One version."""
        return self._version(_SELECT_ONE_VERSION, of_subject=subject, of_version=version)

    def versions(self, subject: str, *, after: int, limit: int) -> tuple[Version, ...]:
        """Versions of a subject in ascending order, deleted ones included."""
        columns = tables.versions.c
        found = self._all(
            _SELECT_VERSION.where(columns.subject == subject, columns.version > after)
            .order_by(columns.version)
            .limit(limit)
        )
        return tuple(map(rows.version_of, found))

    def version_keys(
        self,
        *,
        after: tuple[str, int],
        limit: int,
        scope: VersionScope = VersionScope.EVERY,
        demands: Demands = (),
    ) -> tuple[VersionKey, ...]:
        """Versions of all subjects behind a key, in order of (subject, version), named only."""
        columns = tables.versions.c
        wanted = (
            select(columns.subject, columns.version, columns.schema_id)
            .where(tuple_(columns.subject, columns.version) > after)
            .where(*fulfilled(demands, _VERSION_COLUMNS))
            .order_by(columns.subject, columns.version)
            .limit(limit)
        )
        if scope is VersionScope.LATEST:
            subjects = tables.subjects.c
            wanted = wanted.join(
                tables.subjects,
                and_(subjects.name == columns.subject, subjects.latest_version == columns.version),
            )
        return tuple(VersionKey(*row) for row in self._connection.execute(wanted))

    def versions_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """Versions by (subject, version), in the order of the keys; unknown ones are left out."""
        return self._at(_SELECT_VERSION, keys)

    def outlines_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """As `versions_at`, but text, canonical text and projection are not read: empty."""
        return self._at(_SELECT_OUTLINE, keys)

    def version_times(self, subject: str) -> tuple[VersionTimes, ...]:
        """What chooses among the versions of a subject, ascending."""
        columns = tables.versions.c
        found = self._all(
            select(
                columns.version,
                columns.state,
                columns.registered_at_ns,
                columns.effective_from_ns,
            )
            .where(columns.subject == subject)
            .order_by(columns.version)
        )
        return tuple(
            VersionTimes(
                version=row["version"],
                state=VersionState(row["state"]),
                registered_at_ns=row["registered_at_ns"],
                effective_from_ns=row["effective_from_ns"],
            )
            for row in found
        )

    def version_with_schema_id(self, schema_id: int) -> Version | None:
        """The earliest version that carries the schema id, a removed one only if all are."""
        columns = tables.versions.c
        return self._version(
            _SELECT_VERSION.where(columns.schema_id == schema_id)
            .order_by(_TEXTS_FIRST, columns.revision, columns.subject, columns.version)
            .limit(1)
        )

    def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        """The earliest version that carries the fingerprint, a removed one only if all are."""
        columns = tables.versions.c
        return self._version(
            _SELECT_VERSION.where(tables.schemas.c.fingerprint == fingerprint)
            .order_by(_TEXTS_FIRST, columns.revision, columns.subject, columns.version)
            .limit(1)
        )

    def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        """Versions registered up to `revision`, in order of (subject, version), after a key."""
        columns = tables.versions.c
        found = self._all(
            _SELECT_VERSION.where(columns.revision <= revision)
            .where(tuple_(columns.subject, columns.version) > after)
            .order_by(columns.subject, columns.version)
            .limit(limit)
        )
        return tuple(map(rows.version_of, found))

    def standings(self, *, prefix: str) -> tuple[VersionStanding, ...]:
        """Versions that are not plainly active, of subjects whose names begin with `prefix`."""
        columns = tables.versions.c
        changed = [state.value for state in VersionState if state is not VersionState.ACTIVE]
        found = self._all(
            select(columns.subject, columns.version, columns.state, columns.deprecation_note)
            .where(columns.state.in_(changed))
            .where(columns.subject >= prefix, columns.subject < prefix + "\x7f")
        )
        return tuple(
            VersionStanding(
                row["subject"],
                row["version"],
                VersionState(row["state"]),
                row["deprecation_note"],
            )
            for row in found
        )

    def referrers(self, subject: str, version: int, *, limit: int) -> tuple[tuple[str, int], ...]:
        """Versions that refer to a version and are not removed, by (subject, version)."""
        columns = tables.version_references.c
        found = self._all(
            select(columns.subject, columns.version)
            .distinct()
            .where(columns.referenced_subject == subject, columns.referenced_version == version)
            .order_by(columns.subject, columns.version)
            .limit(limit)
        )
        return tuple((row["subject"], row["version"]) for row in found)

    def registration_basis(self, question: BasisQuestion) -> RegistrationBasis:
        """Everything registrations are judged from, in one go."""
        states, latest = self._subjects_of(question)
        referenced: dict[tuple[str, int], VersionState] = {}
        for subject, version in question.references:
            row = self._first(_SELECT_STATE, of_subject=subject, of_version=version)
            if row is not None:
                referenced[subject, version] = VersionState(row["state"])
        return RegistrationBasis(
            question=question,
            head=self.head,
            root=states[""],
            subjects={
                name: self._subject_basis(states[name], latest.get(name))
                for name in question.subjects
                if name
            },
            referenced=referenced,
            revisions={name: state.revision for name, state in states.items()},
            completed=(
                self.completed_request(question.principal, question.request_id)
                if question.request_id
                else None
            ),
        )

    def moved_since(self, basis: RegistrationBasis) -> bool:
        """Whether anything in `basis` has changed since, or its request was answered."""
        question = basis.question
        if question.request_id and self.completed_request(question.principal, question.request_id):
            return True
        if self.head.revision == basis.head.revision:
            return False
        found = self._connection.execute(_SELECT_REVISIONS, {"of_names": question.names})
        return {row.name: row.revision for row in found} != {
            name: revision for name, revision in basis.revisions.items() if revision
        }

    def _subject_basis(self, state: SubjectState, latest: Version | None) -> SubjectBasis:
        name = state.name
        if state.version_count == 0:
            return SubjectBasis(state, None, frozenset(), frozenset())
        hidden = {
            row["version"]: VersionState(row["state"])
            for row in self._connection.execute(_SELECT_HIDDEN, {"of_subject": name}).mappings()
        }
        return SubjectBasis(
            state=state,
            latest=latest,
            deleted=frozenset(n for n, s in hidden.items() if s is VersionState.DELETED),
            removed=frozenset(n for n, s in hidden.items() if s is VersionState.REMOVED),
        )

    def _subjects_of(
        self, question: BasisQuestion
    ) -> tuple[dict[str, SubjectState], dict[str, Version]]:
        """Every subject that matters, and the latest version of those asked for."""
        found = self._connection.execute(
            _SELECT_SUBJECTS,
            {"of_names": question.names, "with_latest": list(question.subjects)},
        ).mappings()
        states = {name: SubjectState(name) for name in question.names}
        latest: dict[str, Version] = {}
        for row in found:
            name = row["name"]
            states[name] = rows.subject_of(row)
            if row[_OF_LATEST["version"]] is not None:
                latest[name] = rows.version_of({c: row[label] for c, label in _OF_LATEST.items()})
        return states, latest

    def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        """What registrations with this idempotency key answered."""
        row = self._first(_SELECT_REQUEST, of_principal=principal, of_request_id=request_id)
        return None if row is None else rows.request_of(row)

    def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        """The last refusal that became an event."""
        columns = tables.refusals.c
        row = self._first(
            select(tables.refusals).where(
                columns.subject == subject,
                columns.fingerprint == fingerprint,
                columns.principal == principal,
            )
        )
        return None if row is None else Refusal(**row)

    def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first, until `limit` changes are reached."""
        columns = tables.change_log.c
        position = (columns.revision, columns.sequence)
        last = self._first(
            select(columns.revision)
            .where(columns.revision > revision)
            .order_by(*position)
            .limit(1)
            .offset(limit - 1)
        )
        wanted = select(tables.change_log).where(columns.revision > revision).order_by(*position)
        if last is not None:
            wanted = wanted.where(columns.revision <= last["revision"])
        found = self._all(wanted)
        versions = self._versions_named(found)
        changes: dict[int, list[Change]] = {}
        for row in found:
            changes.setdefault(row["revision"], []).append(rows.change_of(row, versions))
        return LogPage(
            self.head, tuple(Revision(number, tuple(of)) for number, of in changes.items())
        )

    def _versions_named(self, changes: Iterable[RowMapping]) -> dict[tuple[str, int], Version]:
        keys = {
            (row["subject"], number)
            for row in changes
            for number in (row["version"], row["previous_version"])
            if number is not None
        }
        if not keys:
            return {}
        found = self._all(_SELECT_VERSION.where(*_is_one_of(sorted(keys))))
        return {(row["subject"], row["version"]): rows.version_of(row) for row in found}

    def _at(self, query: Select[Any], keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        found: dict[tuple[str, int], Version] = {}
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            named = [(key[0], key[1]) for key in keys[start : start + _KEYS_A_STATEMENT]]
            for row in self._all(query.where(*_is_one_of(named))):
                found[row["subject"], row["version"]] = rows.version_of(row)
        return tuple(
            found[subject, number] for subject, number in keys if (subject, number) in found
        )

    def _version(self, query: Select[Any], **values: object) -> Version | None:
        row = self._first(query, **values)
        return None if row is None else rows.version_of(row)

    def _first(self, query: Select[Any], **values: object) -> RowMapping | None:
        row: RowMapping | None = self._connection.execute(query, values).mappings().first()
        return row

    def _all(self, query: Select[Any]) -> list[RowMapping]:
        return list(self._connection.execute(query).mappings())


def _is_one_of(keys: Sequence[tuple[str, int]]) -> tuple[ColumnElement[bool], ...]:
    """Conditions for versions by (subject, version).

    SQLite finds no index for pairs in a list, and would read the whole table: the subjects alone
    lead it to the rows.
    """
    columns = tables.versions.c
    subjects = sorted({subject for subject, _ in keys})
    return columns.subject.in_(subjects), tuple_(columns.subject, columns.version).in_(keys)
