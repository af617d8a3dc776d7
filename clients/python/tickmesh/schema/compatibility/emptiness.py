"""Whether any row can exist under a schema: surely not, or as far as one can tell it can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.budget import WorkSpentError
from tickmesh.schema.compatibility.containment import Containment
from tickmesh.schema.compatibility.image import ImageBuilder, ImageTooLargeError, is_heavy
from tickmesh.schema.compatibility.text_sets import NONE, texts_at
from tickmesh.schema.conditions import STRUCTURAL_KEYWORDS, is_structural
from tickmesh.schema.errors import pointer_of
from tickmesh.schema.leaves import leaf_at, surely_has_values
from tickmesh.schema.location import Key, Location

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument


@dataclass(frozen=True)
class Emptiness:
    """Why no row can exist.

    Attributes:
        pointer: JSON Pointer of what admits nothing.
        message: What admits nothing, in words.
    """

    pointer: str
    message: str


def why_no_row(document: SchemaDocument) -> Emptiness | None:
    """Return why no row can exist under a schema; None when that is not proven.

    Proven are places that must hold a value and admit none: no type is left, bounds or patterns
    contradict each other, a list needs items that cannot be, a field needs itself without end.
    """
    return _Inquiry(document).of_rows()


class _Inquiry:
    def __init__(self, document: SchemaDocument) -> None:
        self._document = document
        self._pair: Containment | None = None
        self._open: set[Key] = set()
        self._settled: set[Key] = set()

    def of_rows(self) -> Emptiness | None:
        root = Location.root(self._document)
        if root.never or "object" not in root.types:
            return Emptiness("", "the root admits no object")
        inside = self._of_members(root, "", "")
        if inside is not None:
            return inside
        if not is_structural(root) and self._contradicts_itself(root, frozenset({"object"})):
            return Emptiness("", "what the root asks of an object contradicts itself")
        return None

    def _of_members(self, location: Location, field: str, pointer: str) -> Emptiness | None:
        """Look at the members that every object at a location must have."""
        if location.key in self._settled:
            return None
        if location.key in self._open:
            return Emptiness(pointer, f"the required field {field!r} needs itself without end")
        self._open.add(location.key)
        try:
            for name in sorted(location.required):
                leaf = leaf_at(location, name)
                if leaf is not None and surely_has_values(leaf):
                    continue
                inner = f"{field}.{name}" if field else name
                path = location.path_to(name)
                place = pointer_of(path) if path else f"{pointer}/required"
                found = self._of_value(location.child(name), inner, place)
                if found is not None:
                    return found
        finally:
            self._open.discard(location.key)
        self._settled.add(location.key)
        return None

    def _of_value(self, location: Location, field: str, pointer: str) -> Emptiness | None:
        nothing = Emptiness(pointer, f"the required field {field!r} admits no value")
        if location.never or not location.types:
            return nothing
        if location.accepts_null:
            return None
        if location.types == {"object"}:
            return self._of_members(location, field, pointer)
        if location.types == {"array"} and _needs_items(location):
            return self._of_value(location.item_at(0), f"{field}[]", pointer)
        if _says_little(location):
            return None
        return nothing if self._contradicts_itself(location, location.types) else None

    def _contradicts_itself(self, location: Location, kinds: frozenset[str]) -> bool:
        if self._pair is None:
            self._pair = Containment(self._document, self._document, annotate_formats=False)
        pair = self._pair
        try:
            if "string" in kinds:
                texts = texts_at(location, annotate_formats=False)
                if texts is not None and pair.texts.within(texts, NONE).contained:
                    kinds -= {"string"}
            if not kinds:
                return True
            if is_heavy(location) or not pair.faithful:
                return False
            image = ImageBuilder(pair.old).build(location, location, kinds=kinds)
            return pair.contains(image, False)
        except (WorkSpentError, ImageTooLargeError):
            return False


def _needs_items(location: Location) -> bool:
    return any(part.keywords.get("minItems", 0) > 0 for part in location.always)


def _says_little(location: Location) -> bool:
    """Whether at most one keyword limits the values of a place, beside its type."""
    limits = [
        key
        for part in location.parts
        for key in part.keywords
        if key not in STRUCTURAL_KEYWORDS and not key.startswith("x-")
    ]
    return len(limits) <= 1 and not {"not", "anyOf", "oneOf", "if"}.intersection(limits)
