"""The row oracle: one JSON document against one schema, exactly, by jsonschema-rs."""

from __future__ import annotations

import itertools
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.keywords import Dialect
from tickmesh.schema.oracle import with_pattern_engine
from tickmesh.schema.patterns import with_oracle_patterns
from tickmesh.schema.validation.dialects import UnsupportedSchemaError
from tickmesh.schema.validation.reasons import Reason, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema.validation.documents import RenderedRow

# A row with more open null cells than this is bad if none of the readings tried is valid.
_OPEN_CELLS_LIMIT = 12

# Keywords whose failures jsonschema-rs names after what they are made of.
_NAMED_BY_PATH = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "dependencies",
        "dependentRequired",
        "maxContains",
        "minContains",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


class FormatMode(StrEnum):
    """Whether ``format`` decides (the default for market data) or only describes."""

    ASSERT = "assert"
    ANNOTATE = "annotate"


class Oracle:
    """Judges documents one by one.

    Args:
        schema: The schema with exact numbers (int and `Decimal`; floats by their shortest form).
        dialect: Its dialect.
        formats: Whether ``format`` is asserted.
        references: Further documents by URI; nothing is ever fetched.

    Raises:
        UnsupportedSchemaError: The schema cannot be compiled, for instance because a reference
            leads outside the documents given.
    """

    def __init__(
        self,
        schema: Any,
        dialect: Dialect,
        *,
        formats: FormatMode = FormatMode.ASSERT,
        references: Mapping[str, Any] | None = None,
    ) -> None:
        import jsonschema_rs

        draft = {
            Dialect.DRAFT_2020_12: (jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012),
            Dialect.DRAFT_07: (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7),
        }
        validator, number = draft[dialect]
        # What the schema says of a pattern that had to be rewritten, for the messages.
        self._written: dict[str, str] = {}
        schema = with_oracle_patterns(schema, dialect, written=self._written)
        references = {
            uri: with_oracle_patterns(document, dialect, written=self._written)
            for uri, document in (references or {}).items()
        }
        try:
            registry = (
                jsonschema_rs.Registry(list(references.items()), draft=number)
                if references
                else None
            )
            # A pattern that gives up on a value makes a bad row.
            self._validator = with_pattern_engine(
                lambda engine: validator(
                    schema,
                    validate_formats=formats is FormatMode.ASSERT,
                    registry=registry,
                    offline=True,
                    pattern_options=engine,
                )
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise UnsupportedSchemaError(f"the schema cannot be compiled: {error}") from None

    def is_valid(self, row: RenderedRow) -> bool:
        """Whether the row is valid under one reading of its open null cells."""
        if row.faults:
            return False
        return any(self._validator.is_valid(row.document) for _ in _readings(row))

    def reasons(self, row: RenderedRow) -> tuple[Reason, ...]:
        """All reasons for which a row is not valid; none when one reading of it is."""
        if not row.faults and row.open_cells and self.is_valid(row):
            return ()
        faults = {pointer_of(fault.instance_path): fault for fault in row.faults}
        found = [
            reason
            for reason in self.document_reasons(row.document)
            # A cell that is no JSON stands as null in the document: only the fault is to blame.
            if reason.instance_path not in faults
        ]
        return (
            *(Reason(fault.code, path, "", fault.message) for path, fault in faults.items()),
            *found,
        )

    def is_valid_document(self, document: Any) -> bool:
        """Whether one JSON document is valid."""
        valid: bool = self._validator.is_valid(document)
        return valid

    def document_reasons(self, document: Any) -> Iterator[Reason]:
        """All reasons for which one JSON document is not valid."""
        for error in self._validator.iter_errors(document):
            path = tuple(str(token) for token in error.schema_path)
            keyword = error.kind.name
            if path and path[-1] in _NAMED_BY_PATH:
                keyword = path[-1]
            yield Reason(
                code=code_of(keyword),
                instance_path=pointer_of(tuple(error.instance_path)),
                schema_path=pointer_of(path),
                message=self._as_written(error.message),
            )

    def _as_written(self, message: str) -> str:
        for rewritten, written in self._written.items():
            message = message.replace(rewritten, written)
        return message


def exact_loads(text: str) -> Any:
    """Parse JSON keeping every number exact."""
    from decimal import Decimal

    return json.loads(text, parse_float=Decimal)


def _readings(row: RenderedRow) -> Iterator[None]:
    """Rewrite the row in place to each reading of its open cells, the preferred one first."""
    yield
    if not row.open_cells:
        return
    cells = row.open_cells[:_OPEN_CELLS_LIMIT]
    preferred = [name in target for target, name in cells]
    for choice in itertools.product((False, True), repeat=len(cells)):
        for (target, name), null in zip(cells, choice, strict=True):
            if null:
                target[name] = None
            else:
                target.pop(name, None)
        yield
    for (target, name), null in zip(cells, preferred, strict=True):
        if null:
            target[name] = None
        else:
            target.pop(name, None)
