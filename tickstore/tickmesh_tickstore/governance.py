"""Judges batches against exact schema versions of the registry (T1)."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tickmesh import errors as client_errors
from tickmesh.schema.validation import compile_schema
from tickmesh_tickstore.errors import (
    InvalidRequestError,
    RegistryUnavailableError,
    SubjectUnknownError,
    VersionUnknownError,
)
from tickmesh_tickstore.version_columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tickmesh.schema import SchemaDocument
    from tickmesh.schema.validation import Validator, Verdicts
    from tickmesh_tickstore.version_columns import VersionColumns

_EXAMINED_ROWS = 1_000
"""Of the bad rows of a batch, so many are asked for their reasons: the rest have no new ones."""
_MAX_RULES = 20
_CACHED_VERSIONS = 4_096


class SchemaVersion(Protocol):
    """What the store needs to know of one registered version."""

    @property
    def subject(self) -> str:
        """The subject it belongs to."""

    @property
    def version(self) -> int:
        """Its number within the subject."""

    @property
    def schema_id(self) -> int:
        """Its id in the registry."""

    @property
    def state(self) -> str:
        """`active`, `deprecated` or `deleted`."""

    @property
    def action(self) -> str:
        """What its registration did: `first`, `compatible_change` or `breaking_change`."""

    @property
    def arrow_schema(self) -> pa.Schema:
        """Its columns: the Arrow projection."""

    @property
    def document(self) -> SchemaDocument:
        """The schema itself."""


class SchemaSource(Protocol):
    """Where schema versions come from: the registry's client, or a dictionary in tests.

    Every method raises `tickmesh.errors.NotFoundError` for what does not exist and
    `tickmesh.errors.UnavailableError` for what cannot be known now.
    """

    def in_force(self, subject: str) -> SchemaVersion:
        """The version of a subject in force now."""

    def get(self, subject: str, *, version: int) -> SchemaVersion:
        """One version of a subject."""

    def versions(self, subject: str) -> Sequence[SchemaVersion]:
        """Every version of a subject, whatever its state, ascending."""

    def by_id(self, schema_id: int) -> SchemaVersion:
        """The version with an id."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One rule that rows of a batch break.

    Attributes:
        column: The column, or the empty string where the rule is about the row.
        rule: The rule's code, such as `MINIMUM`.
        rows: How many of the examined rows break it.
        example: What one of them breaks, in words.
    """

    column: str
    rule: str
    rows: int
    example: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a batch is refused.

    Attributes:
        schema: The version that refuses it, for people.
        bad_rows: Rows that are not valid, of `rows`.
        rows: Rows of the batch.
        first_bad_row: The first of them, counted from 0 in the batch.
        rules: The rules broken, most frequent first.
        examined: How many bad rows were asked for their reasons.
    """

    schema: str
    bad_rows: int
    rows: int
    first_bad_row: int
    rules: tuple[BrokenRule, ...]
    examined: int

    def __str__(self) -> str:
        what = "; ".join(self.describe(rule) for rule in self.rules[:3])
        return (
            f"{self.bad_rows} of {self.rows} rows are not valid under {self.schema} "
            f"(first: row {self.first_bad_row}): {what}. Correct or leave out these rows and send "
            "the batch again, or send it to the cleaner, which stores the good rows and keeps the "
            "bad ones with their reasons."
        )

    def describe(self, rule: BrokenRule) -> str:
        """One rule in words: column, rule, row count, example."""
        where = f"column '{rule.column}'" if rule.column else "the row"
        count = f"{rule.rows} row{'' if rule.rows == 1 else 's'}"
        if self.examined < self.bad_rows:
            count += f" of the first {self.examined} bad ones"
        return f"{where} breaks {rule.rule} in {count} ({rule.example})"

    @property
    def violations(self) -> tuple[tuple[str, str], ...]:
        """`(column, description)` of each broken rule."""
        return tuple((rule.column or "*", self.describe(rule)) for rule in self.rules)

    @property
    def metadata(self) -> dict[str, str]:
        """Every dynamic value, by lower camel case name."""
        values = {
            "schema": self.schema,
            "rows": str(self.bad_rows),
            "batchRows": str(self.rows),
            "firstBadRow": str(self.first_bad_row),
        }
        if self.rules:
            values["column"] = self.rules[0].column
            values["rule"] = self.rules[0].rule
        return values


class RefusedRows:
    """Rows that are not valid. Why is found out when asked for: it costs more than the verdict."""

    def __init__(self, verdicts: Verdicts, batch: pa.RecordBatch, *, schema: str) -> None:
        self._verdicts = verdicts
        self._batch = batch
        self._schema = schema

    def __str__(self) -> str:
        return str(self.examine())

    def examine(self) -> Refusal:
        """Why, for people."""
        verdicts, batch = self._verdicts, self._batch
        bad = [int(row.as_py()) for row in verdicts.bad_indices[:_EXAMINED_ROWS]]
        absent = {
            field.name: column.is_null()
            for field, column in zip(batch.schema, batch.columns, strict=True)
            if column.null_count and not field.nullable
        }
        counts: Counter[tuple[str, str]] = Counter()
        examples: dict[tuple[str, str], str] = {}
        for row in bad:
            broken: dict[tuple[str, str], str] = {}
            for reason in verdicts.reasons(row):
                missing = [name for name, nulls in absent.items() if nulls[row].as_py()]
                if reason.code == "REQUIRED" and not reason.instance_path and missing:
                    # The oracle blames the row; a producer thinks in columns.
                    broken.update({(name, "REQUIRED"): "required, and null" for name in missing})
                else:
                    broken[_column_of(reason.instance_path), reason.code] = reason.message
            counts.update(broken.keys())
            for key, message in broken.items():
                examples.setdefault(key, message)
        return Refusal(
            schema=self._schema,
            bad_rows=verdicts.bad_count,
            rows=batch.num_rows,
            first_bad_row=bad[0],
            rules=tuple(
                BrokenRule(column, rule, count, examples[column, rule])
                for (column, rule), count in counts.most_common(_MAX_RULES)
            ),
            examined=len(bad),
        )


class GovernedSchema:
    """One exact schema version, ready to judge batches of its projection.

    Attributes:
        subject: The registry subject.
        version: The version within it.
        schema_id: Its id in the registry.
        projection: Its columns.
        label: Its name for people: `ticks.trades version 3`.
        judge: Judges every row of a batch of the projection; None means all are valid.
    """

    def __init__(self, registered: SchemaVersion) -> None:
        self.subject = registered.subject
        self.version = registered.version
        self.schema_id = registered.schema_id
        self.projection = registered.arrow_schema
        self.label = f"{self.subject} version {self.version}"
        self.document = registered.document
        self._validator: Validator = compile_schema(registered.document, self.projection)
        # One object for all streams: the engine joins the messages of one and the same judge.
        self.judge = self._judge

    def _judge(self, batch: pa.RecordBatch) -> RefusedRows | None:
        verdicts = self._validator.check(batch)
        return None if verdicts.all_good else RefusedRows(verdicts, batch, schema=self.label)


class Governance:
    """Finds the schema version a stream names and keeps it compiled; safe for any thread."""

    def __init__(
        self, source: SchemaSource, *, stale_since_ns: Callable[[], int | None] = lambda: None
    ) -> None:
        """Takes the source of schema versions.

        Args:
            source: The registry's client, or a dictionary in tests.
            stale_since_ns: Since when the source does not hear from the registry; None while it
                does.
        """
        self._source = source
        self.stale_since_ns = stale_since_ns
        self._lock = threading.Lock()
        self._compiled: dict[tuple[str, int], GovernedSchema] = {}
        self._columns: dict[tuple[str, int], VersionColumns] = {}

    def schema_for(
        self, subject: str, *, version: int | None = None, schema_id: int | None = None
    ) -> GovernedSchema:
        """The exact version named, or the one in force now when none is.

        Raises:
            SubjectUnknownError: the registry has no such subject.
            VersionUnknownError: the subject has no such version, or it was deleted.
            InvalidRequestError: the version named is deprecated: it takes no new rows.
            RegistryUnavailableError: it was never seen here and the registry does not answer.
        """
        registered = self._find(subject, version, schema_id)
        if registered.subject != subject:
            raise VersionUnknownError(
                f"Schema id {schema_id} belongs to subject '{registered.subject}', not to "
                f"'{subject}'.",
                metadata={"subject": subject, "schemaId": str(schema_id)},
                resource=("schema", str(schema_id)),
            )
        if registered.state in ("deleted", "removed"):
            raise _version_unknown(subject, version, schema_id)
        if registered.state == "deprecated":
            raise InvalidRequestError(
                f"Version {registered.version} of '{subject}' is deprecated and takes no new rows; "
                "put under the version in force: leave the version out.",
                metadata={"subject": subject, "version": str(registered.version)},
                violations=[("schema_version", "expected a version that is not deprecated")],
            )
        return self._compile(registered)

    def columns(self, subject: str, *, version: int) -> VersionColumns:
        """The columns of a version to read under, whatever its state. Raises as `schema_for`.

        One removed for good is read under for as long as it is held here.
        """
        held = self._columns.get((subject, version))
        if held is not None:
            return held
        registered = self._find(subject, version, None)
        if registered.state == "removed":
            raise _version_unknown(subject, version, None)
        return self._hold(registered)

    def current(self, subject: str) -> VersionColumns | None:
        """The columns of the version in force now; None where the registry cannot tell."""
        try:
            registered = self._source.in_force(subject)
        except client_errors.TickmeshError:
            return None
        return self._columns.get((subject, registered.version)) or self._hold(registered)

    def _hold(self, registered: SchemaVersion) -> VersionColumns:
        found = columns_of(registered, self._source.versions(registered.subject))
        with self._lock:
            if len(self._columns) >= _CACHED_VERSIONS:
                del self._columns[next(iter(self._columns))]
            self._columns[registered.subject, registered.version] = found
        return found

    def _find(self, subject: str, version: int | None, schema_id: int | None) -> SchemaVersion:
        try:
            if schema_id is not None:
                return self._source.by_id(schema_id)
            if version is not None:
                return self._source.get(subject, version=version)
            return self._source.in_force(subject)
        except client_errors.NotFoundError as error:
            if error.reason == "SUBJECT_NOT_FOUND":
                raise subject_unknown(subject) from error
            raise _version_unknown(subject, version, schema_id) from error
        except (client_errors.UnavailableError, client_errors.DeadlineExceededError) as error:
            raise RegistryUnavailableError(
                f"The schema of '{subject}' was never seen here and the registry does not answer; "
                "retry when it is back.",
                metadata={"subject": subject},
                retry_after_seconds=1.0,
            ) from error

    def _compile(self, registered: SchemaVersion) -> GovernedSchema:
        key = (registered.subject, registered.version)
        compiled = self._compiled.get(key)
        if compiled is not None and compiled.schema_id == registered.schema_id:
            return compiled
        with self._lock:
            compiled = GovernedSchema(registered)
            self._compiled.pop(key, None)
            if len(self._compiled) >= _CACHED_VERSIONS:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = compiled
            return compiled


def _column_of(instance_path: str) -> str:
    """The column that a JSON Pointer into a row leads through."""
    first = instance_path.removeprefix("/").split("/", 1)[0]
    return first.replace("~1", "/").replace("~0", "~")


def _version_unknown(
    subject: str, version: int | None, schema_id: int | None
) -> VersionUnknownError:
    if version is not None:
        named = f"version {version}"
    elif schema_id is not None:
        named = f"schema id {schema_id}"
    else:
        named = "version in force now"
    return VersionUnknownError(
        f"Subject '{subject}' has no {named}; see `tickmesh schema versions {subject}`.",
        metadata={"subject": subject, "version": named},
        resource=("schema version", f"{subject} {named}"),
    )


def subject_unknown(subject: str) -> SubjectUnknownError:
    """The refusal of a subject the registry does not know, with the way to make it known."""
    return SubjectUnknownError(
        f"The registry knows no subject '{subject}'. Make a schema from a sample with "
        f"`tickmesh schema infer FILE --subject {subject}`, register it with "
        f"`tickmesh schema register {subject} SCHEMA.json`, and put again.",
        metadata={"subject": subject},
        resource=("subject", subject),
    )
