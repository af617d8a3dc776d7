"""The validator: a schema compiled for one Arrow schema."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.validation import masks
from tickmesh.schema.validation.cells import BatchCells
from tickmesh.schema.validation.compiler import Compiler
from tickmesh.schema.validation.dialects import Pointer, dialect_of, pointer_tokens
from tickmesh.schema.validation.documents import NullMeans, Rows
from tickmesh.schema.validation.encodings import decoded_batch, decoded_schema
from tickmesh.schema.validation.explanation import Explanation, Stopwatch
from tickmesh.schema.validation.names import NameMatcher
from tickmesh.schema.validation.oracle import FormatMode, Oracle
from tickmesh.schema.validation.readings import readings
from tickmesh.schema.validation.references import SchemaIndex
from tickmesh.schema.validation.verdicts import OTHER_BIT, Verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema.validation.kernels import Array
    from tickmesh.schema.validation.masks import Mask
    from tickmesh.schema.validation.plan import Findings
    from tickmesh.schema.validation.reasons import Reason, Site


class _Judged(NamedTuple):
    rows: int
    verdict: Mask
    findings: Findings
    oracle_rows: int


class Validator:
    """A schema compiled for one Arrow schema; safe to share between threads.

    Args:
        schema: The schema, parsed.
        arrow_schema: The schema of the batches to come.
        null_means: How null cells read.
        formats: Whether ``format`` is asserted.
        references: Further documents by the URI they are referred to by; nothing is fetched.

    Attributes:
        arrow_schema: What `check` accepts.
        sites: What each bit of a reason mask stands for.
        formats: Whether ``format`` is asserted.
        null_means: How null cells read.

    Raises:
        UnsupportedSchemaError: The schema cannot be compiled, or a column has no JSON counterpart.
    """

    def __init__(
        self,
        schema: Any,
        arrow_schema: pa.Schema,
        *,
        null_means: NullMeans = NullMeans.EITHER,
        formats: FormatMode = FormatMode.ASSERT,
        references: Mapping[str, Any] | None = None,
    ) -> None:
        dialect = dialect_of(schema)
        self.arrow_schema = arrow_schema
        self.formats = formats
        self.null_means = null_means
        self._oracle = Oracle(schema, dialect, formats=formats, references=references)
        self._index = SchemaIndex(schema, dialect, references)
        self._names = NameMatcher(dialect, formats)
        self._decoded = decoded_schema(arrow_schema)
        self._rendering = readings(self._index, self._decoded, null_means, self._names)
        compiler = self._compiler(None)
        self._plan = compiler.compile(self._decoded)
        self.sites: tuple[Site, ...] = tuple(compiler.sites)
        columns = {str(path[0]) for path in self._rendering.open_paths}
        self._open_columns = sorted(arrow_schema.names.index(name) for name in columns)

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
            word_of=self._word,
        )

    def explain(self, sample: pa.RecordBatch | None = None) -> Explanation:
        """What each keyword became.

        Args:
            sample: Rows to measure each kernel on; without one no cost is given.
        """
        stopwatch = Stopwatch()
        compiler = self._compiler(stopwatch)
        plan = compiler.compile(self._decoded)
        if sample is not None:
            cells = BatchCells(self._decode(sample))
            stopwatch.run(lambda: plan.judge(cells, []), sample.num_rows)
        return Explanation(stopwatch.explained(compiler.steps))

    def _compiler(self, stopwatch: Stopwatch | None) -> Compiler:
        return Compiler(self._index, self._rendering, self._names, self.formats, stopwatch)

    def _judge(self, batch: pa.RecordBatch) -> _Judged:
        findings: Findings = []
        mask = self._plan.judge(BatchCells(self._decode(batch)), findings)
        unsure = masks.undecided(mask, batch.num_rows) if masks.has_undecided(mask) else None
        if self._open_columns and masks.has_failures(mask) and self._may_read_otherwise(batch):
            # Another reading of a null cell may save a row that the preferred one refuses.
            failing = masks.failing(mask, batch.num_rows)
            unsure = failing if unsure is None else failing | unsure
        if unsure is None:
            return _Judged(batch.num_rows, mask, findings, 0)
        indices: Any = unsure.nonzero()[0]
        rows = self._rendering.rows(batch, pa.array(indices))
        valid = ~masks.failing(mask, batch.num_rows)
        valid[indices] = [self._oracle.is_valid(row) for row in rows]
        return _Judged(batch.num_rows, masks.of_flags(valid), findings, len(rows))

    def _decode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._decoded is self.arrow_schema:
            return batch
        return decoded_batch(batch, self._decoded)

    def _may_read_otherwise(self, batch: pa.RecordBatch) -> bool:
        columns = [batch.column(position) for position in self._open_columns]
        return any(column.null_count or pt.is_nested(column.type) for column in columns)

    def _reasons(self, rows: Rows, indices: Array) -> list[tuple[Reason, ...]]:
        return [self._oracle.reasons(row) for row in self._rendering.rows(rows, indices)]

    def _word(self, reasons: tuple[Reason, ...]) -> int:
        word = 0
        for reason in reasons:
            word |= 1 << self._bit(reason)
        return word

    def _bit(self, reason: Reason) -> int:
        """The bit of the site a reason belongs to: the deepest keyword that stands above it."""
        cell = tuple(
            "*" if token.isdecimal() else token for token in pointer_tokens(reason.instance_path)
        )
        for schema_path in _upwards(pointer_tokens(reason.schema_path)):
            code = "" if schema_path else reason.code
            for instance_path in (reason.instance_path, *_upwards(cell)):
                bit = self._bits.get((code, instance_path, schema_path))
                if bit is not None:
                    return bit
        return OTHER_BIT

    @cached_property
    def _bits(self) -> dict[tuple[str, str, str], int]:
        # A keyword is known by its path; only what no keyword is to blame for needs its code.
        return {
            (
                "" if site.schema_path else site.code,
                site.instance_path,
                site.schema_path,
            ): min(number, OTHER_BIT)
            for number, site in enumerate(self.sites)
        }


def _upwards(tokens: Pointer) -> Iterator[str]:
    """The pointer and all above it, the longest first."""
    for length in range(len(tokens), -1, -1):
        yield pointer_of(tokens[:length])


def _concatenated(parts: list[_Judged]) -> _Judged:
    by_site: dict[int, list[Mask]] = {}
    for number, part in enumerate(parts):
        for site, mask in part.findings:
            found = by_site.setdefault(site, [masks.VALID] * len(parts))
            found[number] = masks.conjunction([found[number], mask])
    lengths = [part.rows for part in parts]
    return _Judged(
        sum(lengths),
        masks.joined([part.verdict for part in parts], lengths),
        [(site, masks.joined(found, lengths)) for site, found in by_site.items()],
        sum(part.oracle_rows for part in parts),
    )


def _fields(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
