"""`compile_schema` and the validator it returns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.validation import masks
from tickmesh.schema.validation.compiler import Compiler
from tickmesh.schema.validation.dialects import dialect_of
from tickmesh.schema.validation.documents import NullMeans, Rendering, Rows
from tickmesh.schema.validation.masks import Mask
from tickmesh.schema.validation.names import NameMatcher
from tickmesh.schema.validation.oracle import FormatMode, Oracle, exact_loads
from tickmesh.schema.validation.plan import Findings
from tickmesh.schema.validation.readings import readings
from tickmesh.schema.validation.reasons import Reason, Site
from tickmesh.schema.validation.references import SchemaIndex
from tickmesh.schema.validation.verdicts import OTHER_BIT, Verdicts
from tickmesh.schema.validation.cells import Cells


@runtime_checkable
class ParsedSchema(Protocol):
    """A parsed schema document, as far as validation needs it."""

    @property
    def plain(self) -> dict[str, Any] | bool: ...

    @property
    def fingerprint(self) -> str: ...


SchemaSource: TypeAlias = "ParsedSchema | str | Mapping[str, Any] | bool"


class _Judged(NamedTuple):
    rows: int
    verdict: Mask
    findings: Findings
    oracle_rows: int


class Validator:
    """A schema compiled for one Arrow schema; safe to share between threads.

    Attributes:
        arrow_schema: What `check` accepts.
        sites: What each bit of a reason mask stands for.
        formats: Whether ``format`` is asserted.
        null_means: How null cells read.
    """

    def __init__(
        self,
        schema: Any,
        arrow_schema: pa.Schema,
        *,
        null_means: NullMeans,
        formats: FormatMode,
        references: Mapping[str, Any],
    ) -> None:
        dialect = dialect_of(schema)
        self.arrow_schema = arrow_schema
        self.formats = formats
        self.null_means = null_means
        self._oracle = Oracle(schema, dialect, formats=formats, references=references)
        index = SchemaIndex(schema, dialect, references)
        names = NameMatcher(dialect, formats)
        self._rendering: Rendering = readings(index, arrow_schema, null_means, names)
        compiler = Compiler(index, self._rendering, names, formats)
        self._plan = compiler.compile(arrow_schema)
        self.sites: tuple[Site, ...] = tuple(compiler.sites)
        self._steps = tuple(compiler.steps)
        self._open_columns = sorted(
            {arrow_schema.names.index(str(path[0])) for path in self._rendering.open_paths}
        )

    def check(self, rows: Rows) -> Verdicts:
        """Judge a batch or a table.

        Raises:
            ValueError: The rows do not have the Arrow schema this validator was compiled for.
        """
        if not rows.schema.equals(self.arrow_schema):
            raise ValueError(
                "the rows have another Arrow schema than this validator: "
                f"expected {_fields(self.arrow_schema)}, got {_fields(rows.schema)}"
            )
        batches = [rows] if isinstance(rows, pa.RecordBatch) else rows.to_batches()
        parts = [self._judge(batch) for batch in batches]
        whole = parts[0] if len(parts) == 1 else _concatenated(parts)
        return Verdicts(
            rows,
            whole.verdict,
            whole.findings,
            oracle_rows=whole.oracle_rows,
            explain=self._reasons,
            bits_of=self._bits,
        )

    def _judge(self, batch: pa.RecordBatch) -> _Judged:
        findings: Findings = []
        mask = self._plan.judge(Cells(batch), findings)
        if (
            isinstance(mask, masks.Constant)
            and mask is not masks.UNDECIDED
            and not self._open_columns
        ):
            return _Judged(batch.num_rows, mask, findings, 0)
        unsure = masks.undecided(mask, batch.num_rows)
        for column in self._open_columns:
            # Another reading of a null cell may save a row the preferred one refuses.
            cells = batch.column(column)
            if cells.null_count or pa.types.is_nested(cells.type):
                unsure = pc.or_(unsure, masks.failures(mask, batch.num_rows))
                break
        if not unsure.true_count:
            return _Judged(batch.num_rows, mask, findings, 0)
        indices = pc.indices_nonzero(unsure)
        found = [self._oracle.is_valid(row) for row in self._rendering.rows(batch, indices)]
        whole = masks.expand(mask, batch.num_rows)
        verdict = pc.replace_with_mask(whole, unsure, pa.array(found, pa.bool_()))
        return _Judged(batch.num_rows, verdict, findings, len(found))

    def _reasons(self, rows: Rows, row: int) -> tuple[Reason, ...]:
        return self._oracle.reasons(self._rendering.rows(rows, [row])[0])

    def _bits(self, rows: Rows, indices: pa.Array) -> list[int]:
        return [
            self._word(self._oracle.reasons(row)) for row in self._rendering.rows(rows, indices)
        ]

    def _word(self, reasons: tuple[Reason, ...]) -> int:
        word = 0
        for reason in reasons:
            word |= 1 << self._bit(reason)
        return word

    def _bit(self, reason: Reason) -> int:
        """The bit of the site a reason belongs to: the deepest keyword that stands above it."""
        path = reason.schema_path
        while path:
            if path in self._bits_by_path:
                return self._bits_by_path[path]
            path = path.rpartition("/")[0]
        for number, site in enumerate(self.sites):
            if site.code == reason.code and not site.schema_path:
                return min(number, OTHER_BIT)
        return OTHER_BIT

    @cached_property
    def _bits_by_path(self) -> dict[str, int]:
        return {
            site.schema_path: min(number, OTHER_BIT)
            for number, site in enumerate(self.sites)
            if site.schema_path
        }


_cache: dict[tuple[Any, ...], Validator] = {}
_CACHE_LIMIT = 1024


def compile_schema(
    schema: SchemaSource,
    arrow_schema: pa.Schema,
    *,
    null_means: NullMeans = NullMeans.EITHER,
    formats: FormatMode = FormatMode.ASSERT,
) -> Validator:
    """Compile a schema for batches of an Arrow schema.

    Args:
        schema: A parsed document, JSON text, or the parsed JSON itself.
        arrow_schema: The schema of the batches to come.
        null_means: How a null cell of a field reads; by default it stands for null or absent and
            a row is valid if one of the readings is.
        formats: Whether ``format`` is asserted.

    Raises:
        UnsupportedSchemaError: The schema cannot be compiled, or a column has no JSON counterpart.
    """
    return _compiled(schema, arrow_schema, null_means, formats)


def _compiled(
    schema: SchemaSource, arrow_schema: pa.Schema, null_means: NullMeans, formats: FormatMode
) -> Validator:
    root = _root(schema)
    return Validator(
        root,
        arrow_schema,
        null_means=null_means,
        formats=formats,
        references=_references(schema),
    )


def reasons_of_document(
    schema: SchemaSource, document: Any, *, formats: FormatMode = FormatMode.ASSERT
) -> tuple[Reason, ...]:
    """All reasons for which one JSON document is not valid under a schema; none when it is."""
    root = _root(schema)
    oracle = Oracle(root, dialect_of(root), formats=formats, references=_references(schema))
    return tuple(oracle.document_reasons(document))


def _root(schema: SchemaSource) -> Any:
    if isinstance(schema, str):
        return exact_loads(schema)
    if isinstance(schema, Mapping | bool):
        return schema
    return schema.plain


def _references(schema: SchemaSource) -> dict[str, Any]:
    references = getattr(schema, "references", None) or {}
    return {uri: document.plain for uri, document in references.items()}


def _concatenated(parts: list[_Judged]) -> _Judged:
    verdicts = [masks.expand(part.verdict, part.rows) for part in parts]
    verdict = pa.concat_arrays(verdicts) if verdicts else pa.array([], pa.bool_())
    findings: Findings = []
    before, total = 0, sum(part.rows for part in parts)
    for part in parts:
        after = total - before - part.rows
        for site, mask in part.findings:
            pieces = [(masks.VALID, before), (mask, part.rows), (masks.VALID, after)]
            findings.append((site, pa.concat_arrays([masks.expand(*piece) for piece in pieces])))
        before += part.rows
    return _Judged(total, verdict, findings, sum(part.oracle_rows for part in parts))


def _fields(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
