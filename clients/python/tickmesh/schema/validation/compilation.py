"""`compile_schema`: one validator per schema and Arrow schema, kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tickmesh.schema.validation.dialects import dialect_of
from tickmesh.schema.validation.documents import NullMeans
from tickmesh.schema.validation.encodings import decoded_schema
from tickmesh.schema.validation.oracle import FormatMode, Oracle, exact_loads
from tickmesh.schema.validation.validator import Validator

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh.schema.validation.reasons import Reason

_LIMIT = 256


class ParsedSchema(Protocol):
    """A parsed schema document, as far as validation needs it; immutable."""

    @property
    def plain(self) -> dict[str, Any] | bool:
        """The schema in the ordinary `json.loads` form, pinned references bundled in."""

    @property
    def fingerprint(self) -> str:
        """Equal for schemas that mean the same."""


SchemaSource: TypeAlias = ParsedSchema | str | Mapping[str, Any] | bool

_lock = Lock()

# By content: what was compiled, oldest first.
_validators: dict[tuple[object, ...], Validator] = {}

# By identity, for the very objects seen before: hashing an Arrow schema costs more than a check of
# a small batch.  The values hold the objects, so that no id is used again while it stands here.
_recent: dict[tuple[int, int, int, int], tuple[SchemaSource, pa.Schema, Validator]] = {}

_oracles: dict[tuple[object, FormatMode], Oracle] = {}


def compile_schema(
    schema: SchemaSource,
    arrow_schema: pa.Schema,
    *,
    null_means: NullMeans = NullMeans.EITHER,
    formats: FormatMode = FormatMode.ASSERT,
) -> Validator:
    """Compile a schema for batches of an Arrow schema; a known pair is only looked up.

    Args:
        schema: A parsed document, JSON text, or the parsed JSON itself (which is read anew each
            time, since it may have been changed).
        arrow_schema: The schema of the batches to come.
        null_means: How a null cell of a field reads; by default it stands for null or absent and
            a row is valid if one of the readings is.
        formats: Whether ``format`` is asserted.

    Raises:
        UnsupportedSchemaError: The schema cannot be compiled, or a column has no JSON counterpart.
    """
    key = (id(schema), id(arrow_schema), id(null_means), id(formats))
    found = _recent.get(key)
    if found is not None:
        return found[2]
    validator = _by_content(schema, arrow_schema, null_means, formats)
    if not isinstance(schema, Mapping):
        with _lock:
            _make_room(_recent)
            _recent[key] = (schema, arrow_schema, validator)
    return validator


def reasons_of_document(
    schema: SchemaSource, document: Any, *, formats: FormatMode = FormatMode.ASSERT
) -> tuple[Reason, ...]:
    """All reasons for which one JSON document is not valid under a schema; none when it is.

    Raises:
        UnsupportedSchemaError: The schema cannot be compiled.
    """
    key = (_identity(schema), formats)
    oracle = _oracles.get(key)
    if oracle is None:
        root = _root(schema)
        oracle = Oracle(root, dialect_of(root), formats=formats)
        with _lock:
            _make_room(_oracles)
            _oracles[key] = oracle
    return tuple(oracle.document_reasons(document))


def _by_content(
    schema: SchemaSource, arrow_schema: pa.Schema, null_means: NullMeans, formats: FormatMode
) -> Validator:
    # Two Arrow schemas are equal whatever their metadata says of encodings.
    key = (_identity(schema), arrow_schema, decoded_schema(arrow_schema), null_means, formats)
    found = _validators.get(key)
    if found is None:
        found = Validator(_root(schema), arrow_schema, null_means=null_means, formats=formats)
        with _lock:
            _make_room(_validators)
            _validators[key] = found
    return found


def _make_room(cache: dict[Any, Any]) -> None:
    while len(cache) >= _LIMIT:
        del cache[next(iter(cache))]


def _identity(schema: SchemaSource) -> object:
    if isinstance(schema, bool | str):
        return schema
    if isinstance(schema, Mapping):
        return json.dumps(schema, sort_keys=True, default=repr)
    return (ParsedSchema, schema.fingerprint)


def _root(schema: SchemaSource) -> Any:
    if isinstance(schema, str):
        return exact_loads(schema)
    if isinstance(schema, Mapping | bool):
        return schema
    return schema.plain
