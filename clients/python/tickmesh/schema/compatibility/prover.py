"""What proofs of rows and of documents share: pairs of places, gaps, and questions at the leaves.

Values are taken apart place by place; a pair of places met again inside itself counts as proven
(greatest fixed point), and what relied on a pair that failed is forgotten.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickmesh.schema.canonical import canonical_json, canonical_schema
from tickmesh.schema.compatibility.budget import WorkSpentError
from tickmesh.schema.compatibility.image import NOT_NULL, is_heavy
from tickmesh.schema.compatibility.text_sets import EVERY, texts_at
from tickmesh.schema.leaves import states_same_leaf
from tickmesh.schema.location import ALL_TYPES, MERE_REFERENCE, Key, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.schema.compatibility.containment import Containment
    from tickmesh.schema.keywords import JsonSchema

FieldPath = tuple[str, ...]
"""Names from the root; ``[]`` is a list item, ``{}`` a member of a map."""

_DEEPEST = 150


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


class Prover(ABC):
    """Proves one direction of one pair of versions."""

    def __init__(self, pair: Containment, *, gaps: dict[Gap, None] | None = None) -> None:
        """Prepare; nothing is proven yet.

        Args:
            pair: Two documents, and the work allowed.
            gaps: Where another prover collects gaps, which these are to join.
        """
        self._pair = pair
        self._old, self._new = pair.old, pair.new
        self._contains, self._texts = pair.contains, pair.texts
        self._old_document, self._new_document = pair.old_document, pair.new_document
        self._proven: dict[tuple[Key, Key, bool], None] = {}
        self._failed: set[tuple[Key, Key, bool]] = set()
        self._open: dict[tuple[Key, Key, bool], bool] = {}
        self._gaps: dict[Gap, None] = {} if gaps is None else gaps

    @abstractmethod
    def _objects(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        """Prove that objects written at one place are valid at the other."""

    @abstractmethod
    def _arrays(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        """Prove that lists written at one place are valid at the other."""

    @abstractmethod
    def _is_too_wide(self, writer: Location) -> bool:
        """Whether what is written at a place is too much to be looked at as a whole."""

    @abstractmethod
    def _narrow(self, writer: Location, reader: Location, kinds: frozenset[str]) -> JsonSchema:
        """Return a schema that whatever is written at a place satisfies where it is read."""

    def _outcome(self, *, proven: bool) -> Proof:
        return Proof(proven, [] if proven else list(self._gaps), self._pair.questions)

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
        self._pair.budget.spend()
        if len(path) > _DEEPEST:
            raise WorkSpentError
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

    def _is_same_leaf(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        """Whether the member that a path ends in is the same on both sides, by a mere look."""
        if len(path) > _DEEPEST or not states_same_leaf(writer, reader, path[-1]):
            return False
        self._pair.budget.spend()
        return True

    def _scalars(self, writer: Location, reader: Location, kinds: frozenset[str]) -> bool:
        if self._same_text(writer, reader):
            return True
        if not kinds & reader.types:
            # A quick refusal; types are never too few, so nothing is lost but vacuous proofs.
            return False
        if self._leaf(writer, reader, kinds):
            return True
        others = kinds - {"string"}
        return (
            others != kinds
            and self._strings(writer, reader)
            and (not others or self._leaf(writer, reader, others))
        )

    def _strings(self, writer: Location, reader: Location) -> bool:
        """Whether every string written at one location is admitted at the other."""
        wide = texts_at(reader, annotate_formats=self._pair.annotate_formats)
        narrow = texts_at(writer, annotate_formats=self._pair.annotate_formats)
        # A writer that no formula expresses may write any string.
        return wide is not None and self._texts.within(narrow or EVERY, wide).contained

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
        if not self._pair.faithful or is_heavy(reader) or self._is_too_wide(writer):
            return False
        goals = [
            self._new.refer(schema) for schema, conditional in reader.applied if not conditional
        ]
        goal: JsonSchema = goals[0] if len(goals) == 1 else {"allOf": goals} if goals else True
        return self._contains(self._narrow(writer, reader, kinds), goal)

    def _note(self, path: FieldPath, reason: str) -> None:
        self._gaps[Gap(path, reason)] = None
