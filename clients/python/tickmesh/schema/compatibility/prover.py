"""Proofs that every row of one version is valid under another, once resolved.

Structs and lists are taken apart field by field on pairs of locations; a pair met again inside
itself counts as proven (greatest fixed point), and what relied on a pair that failed is forgotten.
What cannot be taken apart (scalars, conditions, cross-field keywords) becomes a question of
containment between the image of the writer and the reader's own schema, which the canonical forms
of jsonschema-rs answer. An answer of "no" or "unknown" proves nothing here and is never final.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tickmesh.schema.canonical import canonical_json, canonical_schema
from tickmesh.schema.compatibility.forms import follows_by_form, same_schema
from tickmesh.schema.compatibility.image import (
    NOT_NULL,
    ImageBuilder,
    ImageTooLargeError,
    is_heavy,
    referring,
)
from tickmesh.schema.conditions import (
    COUNTING_KEYWORDS,
    STRUCTURAL_KEYWORDS,
    conditions_of,
    is_structural,
    names_read,
)
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import ALL_TYPES, MERE_REFERENCE, MISSING, Key, Location
from tickmesh.schema.oracle import BACKTRACK_LIMIT, draft_of, refuse_fetch
from tickmesh.schema.standalone import Standalone
from tickmesh.schema.strict_json import plain
from tickmesh.schema.weights import HEAVIEST, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator

    import jsonschema_rs

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

FieldPath = tuple[str, ...]
"""Names from the root; ``[]`` is a list item, ``{}`` a member of a map."""


_ARRAY_KEYWORDS = frozenset({"items", "prefixItems", "additionalItems", "minItems", "maxItems"})
_MOST_LEAVES = 20_000
_SECONDS = 0.4
# Processor time of this thread, so that a busy machine changes no verdict.
_MOST_PAIRS = 20_000
_DEEPEST = 150


class ProofTooLargeError(ValueError):
    """The proof would take more steps than allowed."""


@dataclass(frozen=True)
class Gap:
    """A place where the proof did not go through.

    Attributes:
        path: The field.
        reason: REQUIRED when a cell may be missing that the reader needs, else VALUE.
    """

    path: FieldPath
    reason: str


@dataclass
class Proof:
    """The outcome of a proof attempt.

    Attributes:
        proven: Whether it went through.
        gaps: Where it did not.
        steps: How many containment questions were asked.
    """

    proven: bool
    gaps: list[Gap] = field(default_factory=list)
    steps: int = 0


class Prover:
    """Proves one direction of one pair of versions."""

    def __init__(self, old: SchemaDocument, new: SchemaDocument, *, annotate_formats: bool) -> None:
        """Prepare both documents; nothing is proven yet."""
        self._old_document, self._new_document = old, new
        self._old = Standalone(old, name="old")
        self._new = Standalone(new, name="new")
        self._draft = draft_of(new.dialect)
        self._registry: jsonschema_rs.Registry | None = None
        self._annotate_formats = annotate_formats
        self._proven: dict[tuple[Key, Key, bool], None] = {}
        self._failed: set[tuple[Key, Key, bool]] = set()
        self._open: dict[tuple[Key, Key, bool], bool] = {}
        self._gaps: dict[Gap, None] = {}
        self._leaves = 0
        self._deadline = time.thread_time() + _SECONDS
        self._pairs = 0

    def prove_rows(self) -> Proof:
        """Try to prove that every resolved row of the old version is valid under the new."""
        writer, reader = Location.root(self._old_document), Location.root(self._new_document)
        try:
            proven = "object" in reader.types and self._objects(writer, reader, ())
        except (ProofTooLargeError, ImageTooLargeError):
            proven = False
        if not proven and self._gaps:
            proven = self._contains_rows(writer, reader)
        return self._outcome(proven=proven)

    def prove_documents(self) -> Proof:
        """Try to prove that every document valid under the old schema is valid under the new."""
        if follows_by_form(self._old_document, self._new_document):
            return self._outcome(proven=True)
        return self._outcome(
            proven=self._old.faithful
            and self._new.faithful
            and not is_heavy(Location.root(self._old_document))
            and not is_heavy(Location.root(self._new_document))
            and self._contains(
                self._old.refer(self._old_document.root), self._new.refer(self._new_document.root)
            )
        )

    def _outcome(self, *, proven: bool) -> Proof:
        return Proof(proven, [] if proven else list(self._gaps), self._leaves)

    def _contains_rows(self, writer: Location, reader: Location) -> bool:
        """Ask about whole rows at once, which also sees what ties fields together."""
        try:
            return self._leaf(writer, reader, frozenset({"object"}))
        except (ProofTooLargeError, ImageTooLargeError):
            return False

    def _values(self, writer: Location, reader: Location, path: FieldPath, *, null: bool) -> bool:
        """Prove that values written at one location are valid at the other once resolved."""
        key = (writer.key, reader.key, null)
        if key in self._proven:
            return True
        if key in self._failed:
            self._note(path, "VALUE")
            return False
        if key in self._open:
            self._open[key] = True
            return True
        self._pairs += 1
        if self._pairs > _MOST_PAIRS or len(path) > _DEEPEST:
            raise ProofTooLargeError
        self._open[key] = False
        proven_before = len(self._proven)
        try:
            proven = self._by_type(writer, reader, path, null=null)
        finally:
            assumed = self._open.pop(key)
        if proven:
            self._proven[key] = None
            return True
        self._failed.add(key)
        if assumed:
            for relying in list(self._proven)[proven_before:]:
                del self._proven[relying]
        return False

    def _by_type(self, writer: Location, reader: Location, path: FieldPath, *, null: bool) -> bool:
        if writer.never:
            return True
        if reader.never:
            self._note(path, "VALUE")
            return False
        kinds = writer.types & (ALL_TYPES if null else NOT_NULL)
        scalars = kinds - {"object", "array"}
        proven = True
        if scalars and not self._scalars(writer, reader, scalars):
            self._note(path, "VALUE")
            proven = False
        if "object" in kinds and not self._objects(writer, reader, path):
            proven = False
        if "array" in kinds and not self._arrays(writer, reader, path):
            proven = False
        return proven

    def _scalars(self, writer: Location, reader: Location, kinds: frozenset[str]) -> bool:
        if self._same_text(writer, reader):
            return True
        if not kinds & reader.types:
            # A quick refusal; types are never too few, so nothing is lost but vacuous proofs.
            return False
        return self._leaf(writer, reader, kinds)

    def _objects(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        simple = is_structural(writer) and is_structural(reader)
        if not simple and self._leaf(writer, reader, frozenset({"object"})):
            return True
        if "object" not in reader.types or not self._conditions_hold(writer, reader):
            self._note(path, "VALUE")
            return False
        # What else the writer says just narrows its rows.
        if not reader.is_struct and not writer.is_struct:
            return self._maps(writer, reader, path)
        proven = True
        names = reader.declared if reader.is_struct else writer.declared
        for name in names:
            inner = (*path, name)
            if not self._is_there(writer, reader, name):
                self._note(inner, "REQUIRED")
                proven = False
            if writer.is_struct and name not in writer.declared:
                continue
            keeps_null = not (reader.is_struct and writer.is_struct)
            if not self._values(writer.child(name), reader.child(name), inner, null=keeps_null):
                proven = False
        return proven

    def _conditions_hold(self, writer: Location, reader: Location) -> bool:
        """Whether what the reader says beyond its fields one by one holds of every row."""
        if is_structural(reader):
            return True
        if not (self._old.faithful and self._new.faithful and reader.is_struct):
            return False
        images = ImageBuilder(self._old)
        for part in reader.always:
            for condition in conditions_of(part.keywords, reader.document.dialect):
                if not self._condition_holds(images, condition, writer, reader):
                    return False
            for keyword in part.keywords.keys() & (COUNTING_KEYWORDS - {"patternProperties"}):
                if keyword in ("unevaluatedProperties", "$dynamicRef"):
                    return False
                goal = {keyword: plain(part.keywords[keyword])}
                if not self._contains(self._row_image(writer, reader), goal):
                    return False
        return True

    def _condition_holds(
        self,
        images: ImageBuilder,
        condition: dict[str, Any],
        writer: Location,
        reader: Location,
    ) -> bool:
        names = names_read(condition, reader.document)
        kept = names is not None and all(images.survives(writer, reader, each) for each in names)
        if kept and any(
            same_schema(known, writer.document, condition, reader.document)
            for part in writer.always
            for known in conditions_of(part.keywords, writer.document.dialect)
        ):
            return True
        if alternatives(condition, reader.document) > HEAVIEST:
            return False
        return self._contains(self._row_image(writer, reader), referring(condition, self._new))

    def _row_image(self, writer: Location, reader: Location) -> JsonSchema:
        return ImageBuilder(self._old).build(writer, reader, kinds=frozenset({"object"}))

    @staticmethod
    def _is_there(writer: Location, reader: Location, name: str) -> bool:
        """Whether a cell that the reader requires can always be read as a value or null."""
        if name not in reader.required:
            return True
        if not reader.is_struct:
            return name in writer.required
        if reader.admits_null(name):
            return True
        has_default = reader.default_of(name) is not MISSING
        if writer.is_struct and name not in writer.declared:
            return has_default
        if writer.admits_null(name):
            return False
        return name in writer.required or has_default

    def _maps(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        if not reader.required <= writer.required:
            self._note(path, "REQUIRED")
            return False
        return self._values(writer.rest, reader.rest, (*path, MEMBER), null=True)

    def _arrays(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        simple = "array" in reader.types and all(
            not part.conditional
            and all(
                key in _ARRAY_KEYWORDS | {"contains"}
                or key in STRUCTURAL_KEYWORDS
                or key.startswith("x-")
                for key in part.keywords
            )
            for part in reader.parts
        )
        simple = simple and self._containing_fits(writer, reader)
        if not simple or not self._lengths_fit(writer, reader):
            if self._leaf(writer, reader, frozenset({"array"})):
                return True
            self._note(path, "VALUE")
            return False
        indices = range(-1, max(writer.prefix_length, reader.prefix_length))
        return all(
            self._values(writer.item_at(index), reader.item_at(index), (*path, ITEM), null=True)
            for index in indices
        )

    def _containing_fits(self, writer: Location, reader: Location) -> bool:
        """Whether each ``contains`` of the reader follows from one of the writer."""
        wanted = [part.keywords["contains"] for part in reader.parts if "contains" in part.keywords]
        if not wanted:
            return True
        offered = [
            part.keywords["contains"]
            for part in writer.always
            if "contains" in part.keywords and part.keywords.get("minContains", 1) >= 1
        ]
        length = max(writer.prefix_length, reader.prefix_length)
        images = ImageBuilder(self._old)
        untouched = (
            self._old.faithful
            and self._new.faithful
            and all(
                images.is_identity(writer.item_at(index), reader.item_at(index))
                for index in range(-1, length)
            )
        )
        return untouched and all(
            any(self._contains(self._old.refer(each), self._new.refer(goal)) for each in offered)
            for goal in wanted
        )

    @staticmethod
    def _lengths_fit(writer: Location, reader: Location) -> bool:
        def bound(location: Location, keyword: str) -> list[Any]:
            return [part.keywords[keyword] for part in location.always if keyword in part.keywords]

        least = max(bound(writer, "minItems"), default=0)
        most = min(bound(writer, "maxItems"), default=None)
        return all(least >= needed for needed in bound(reader, "minItems")) and all(
            most is not None and most <= allowed for allowed in bound(reader, "maxItems")
        )

    def _same_text(self, writer: Location, reader: Location) -> bool:
        """Whether both sides state the very same, and no reference could make it differ."""
        old, new = list(self._stated_texts(writer)), list(self._stated_texts(reader))
        return None not in old and None not in new and set(new) <= set(old)

    def _stated_texts(self, location: Location) -> Iterator[str | None]:
        for part in location.parts:
            if part.conditional or part.keywords.keys() <= MERE_REFERENCE:
                continue
            texts = location.document.memo.setdefault(Prover, {})
            assert isinstance(texts, dict)
            text = texts.get(id(part.source))
            if text is None:
                text = canonical_json(
                    canonical_schema(dict(part.keywords), location.document.dialect)
                )
                texts[id(part.source)] = text
            yield None if '"$ref"' in text or '"$dynamicRef"' in text else text

    def _leaf(self, writer: Location, reader: Location, kinds: frozenset[str]) -> bool:
        if not self._old.faithful or not self._new.faithful or is_heavy(reader):
            return False
        image = ImageBuilder(self._old).build(writer, reader, kinds=kinds)
        goals = [
            self._new.refer(schema) for schema, conditional in reader.applied if not conditional
        ]
        goal: JsonSchema = goals[0] if len(goals) == 1 else {"allOf": goals} if goals else True
        return self._contains(image, goal)

    def _contains(self, narrow: JsonSchema, wide: JsonSchema) -> bool:
        import jsonschema_rs

        self._leaves += 1
        if self._leaves > _MOST_LEAVES or time.thread_time() > self._deadline:
            raise ProofTooLargeError
        if self._registry is None:
            self._registry = jsonschema_rs.Registry(
                resources=[*self._old.resources, *self._new.resources],
                draft=self._draft,
                retriever=refuse_fetch,
            )
        try:
            forms = [
                jsonschema_rs.canonicalize(
                    schema,
                    draft=self._draft,
                    validate_formats=not self._annotate_formats,
                    registry=self._registry,
                    pattern_options=jsonschema_rs.FancyRegexOptions(
                        backtrack_limit=BACKTRACK_LIMIT
                    ),
                )
                for schema in (wide, narrow)
            ]
            return str(forms[0].covers(forms[1])) == "yes"
        except (ValueError, RecursionError):
            # Forms that the library does not know: nothing is proven.
            return False

    def _note(self, path: FieldPath, reason: str) -> None:
        self._gaps[Gap(path, reason)] = None
