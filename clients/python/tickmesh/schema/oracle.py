"""The row oracle: jsonschema-rs judges one JSON value at a time, exactly.

Everything else in the schema core is checked against it. Formats are asserted, because that is
what the cleaner does; compatibility of whole documents takes them as annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from tickmesh.schema.keywords import Dialect
from tickmesh.schema.lazy_attribute import lazy_attribute
from tickmesh.schema.patterns import with_oracle_patterns
from tickmesh.schema.standalone import Standalone

if TYPE_CHECKING:
    from collections.abc import Callable

    import jsonschema_rs

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

Made = TypeVar("Made")

BACKTRACK_LIMIT = 100_000
"""Steps a regular expression with look-around may take on one string."""


class _Compiled:
    """What the oracle compiled of one document."""

    def __init__(self, document: SchemaDocument) -> None:
        self.validators: dict[tuple[int | None, bool], jsonschema_rs.Validator] = {}
        self._document = document

    @lazy_attribute
    def standalone(self) -> Standalone:
        """The document's resources, for validators of its parts."""
        return Standalone(self._document, name="oracle")

    @lazy_attribute
    def registry(self) -> jsonschema_rs.Registry:
        """The same, compiled."""
        import jsonschema_rs

        return jsonschema_rs.Registry(
            resources=self.standalone.resources,
            draft=draft_of(self._document.dialect),
            retriever=refuse_fetch,
        )

    @classmethod
    def of(cls, document: SchemaDocument) -> _Compiled:
        compiled = document.memo.get(cls)
        if compiled is None:
            compiled = document.memo[cls] = cls(document)
        assert isinstance(compiled, cls)
        return compiled


class OracleUndecidedError(ValueError):
    """A regular expression gave up on a value, so it is neither valid nor invalid."""


def validator_of(
    document: SchemaDocument,
    *,
    part: JsonSchema | None = None,
    annotate_formats: bool = False,
) -> jsonschema_rs.Validator:
    """Return the compiled validator of a document, or of one of its subschemas.

    Args:
        document: The document; its validators live as long as it does.
        part: One of the document's own schema objects; the whole if absent.
        annotate_formats: Whether ``format`` only annotates, instead of being asserted.
    """
    import jsonschema_rs

    compiled = _Compiled.of(document)
    key = (None if part is None else id(part), annotate_formats)
    validator = compiled.validators.get(key)
    if validator is None:
        registry = None
        if part is None:
            schema = _as_judged(document)
        else:
            registry = compiled.registry
            referred = compiled.standalone.refer(part)
            schema = {"$schema": str(document.dialect), "allOf": [referred]}
        validator = compiled.validators[key] = with_pattern_engine(
            lambda engine: jsonschema_rs.validator_for(
                schema,
                registry=registry,
                validate_formats=not annotate_formats,
                retriever=refuse_fetch,
                pattern_options=engine,
            )
        )
    return validator


def _as_judged(document: SchemaDocument) -> dict[str, Any] | bool:
    """Return a document with exact numbers where it stands alone, and patterns as ECMA-262."""
    schema: dict[str, Any] | bool = document.plain if document.references else document.root
    return cast("dict[str, Any] | bool", with_oracle_patterns(schema, document.dialect, written={}))


def with_pattern_engine(
    make: Callable[[jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions], Made],
) -> Made:
    """Make something of a schema with the engine for its patterns that is known to be right.

    The plain engine is linear and exact. The one with look-around is taken only where the plain one
    cannot read a pattern: it says that ``0+a*0+`` matches ``0``.

    Args:
        make: Raises jsonschema_rs.ValidationError for a pattern that the engine cannot read.
    """
    import jsonschema_rs

    try:
        return make(jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError:
        return make(jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT))


def is_valid(validator: jsonschema_rs.Validator, value: Any) -> bool:
    """Judge one value.

    Raises:
        OracleUndecidedError: A regular expression ran out of steps.
    """
    if validator.is_valid(value):
        return True
    for error in validator.iter_errors(value):
        if error.kind.name in ("backtrackLimitExceeded", "regexEngineFailure"):
            raise OracleUndecidedError("a pattern took too many steps")
    return False


def refuse_fetch(uri: str) -> Any:
    """Refuse to fetch: every reference is pinned at registration."""
    raise ValueError(f"no such resource: {uri}")


def draft_of(dialect: Dialect) -> int:
    """Return the number by which jsonschema-rs knows a dialect."""
    import jsonschema_rs

    return jsonschema_rs.Draft7 if dialect is Dialect.DRAFT_07 else jsonschema_rs.Draft202012
