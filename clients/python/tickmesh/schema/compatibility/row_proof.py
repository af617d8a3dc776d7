"""Proofs that every row of one version is valid under another, once resolved.

Structs and lists are taken apart field by field. What cannot be taken apart (scalars, conditions,
cross-field keywords) becomes a question of containment between the image of the writer and the
reader's own schema. An answer of "no" or "unknown" proves nothing here and is never final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.budget import WorkSpentError
from tickmesh.schema.compatibility.document_proof import DocumentProver
from tickmesh.schema.compatibility.forms import same_schema
from tickmesh.schema.compatibility.image import (
    ImageBuilder,
    ImageTooLargeError,
    is_heavy,
    referring,
)
from tickmesh.schema.compatibility.prover import FieldPath, Proof, Prover
from tickmesh.schema.conditions import (
    COUNTING_KEYWORDS,
    STRUCTURAL_KEYWORDS,
    conditions_of,
    is_structural,
    names_read,
)
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import MISSING, Location
from tickmesh.schema.weights import is_heavy as too_heavy

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.containment import Containment
    from tickmesh.schema.keywords import JsonSchema

_ARRAY_KEYWORDS = frozenset({"items", "prefixItems", "additionalItems", "minItems", "maxItems"})


class RowProver(Prover):
    """Proves that rows stay valid."""

    def __init__(self, pair: Containment) -> None:
        """Prepare; nothing is proven yet."""
        super().__init__(pair)
        self._documents = DocumentProver(pair, gaps=self._gaps)

    def prove(self) -> Proof:
        """Try to prove that every resolved row of the old version is valid under the new."""
        writer, reader = Location.root(self._old_document), Location.root(self._new_document)
        try:
            proven = "object" in reader.types and self._objects(writer, reader, ())
        except (WorkSpentError, ImageTooLargeError):
            proven = False
        if not proven and self._gaps:
            proven = self._contains_rows(writer, reader)
        return self._outcome(proven=proven)

    def _contains_rows(self, writer: Location, reader: Location) -> bool:
        """Ask about whole rows at once, which also sees what ties fields together."""
        try:
            return self._leaf(writer, reader, frozenset({"object"}))
        except (WorkSpentError, ImageTooLargeError):
            return False

    def _objects(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        simple = is_structural(writer) and is_structural(reader)
        if not simple and self._leaf(writer, reader, frozenset({"object"})):
            return True
        if self._is_untouched(writer, reader):
            return self._documents.objects(writer, reader, path)
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
            if self._is_same_leaf(writer, reader, inner):
                continue
            keeps_null = not (reader.is_struct and writer.is_struct)
            if not self._values(writer.child(name), reader.child(name), inner, null=keeps_null):
                proven = False
        return proven

    def _is_untouched(self, writer: Location, reader: Location) -> bool:
        """Whether maps stay as they are, so that they are read like documents."""
        return (
            not reader.is_struct
            and not writer.is_struct
            and self._pair.faithful
            and ImageBuilder(self._old).is_identity(writer, reader)
        )

    def _conditions_hold(self, writer: Location, reader: Location) -> bool:
        """Whether what the reader says beyond its fields one by one holds of every row."""
        if is_structural(reader):
            return True
        if not (self._pair.faithful and reader.is_struct):
            return False
        images = ImageBuilder(self._old)
        for part in reader.always:
            for condition in conditions_of(part.keywords, reader.document.dialect):
                if not self._condition_holds(images, condition, writer, reader):
                    return False
            for keyword in part.keywords.keys() & (COUNTING_KEYWORDS - {"patternProperties"}):
                if keyword in ("unevaluatedProperties", "$dynamicRef"):
                    return False
                goal = {keyword: part.keywords[keyword]}
                if keyword == "propertyNames":
                    goal = {keyword: self._new.refer(part.keywords[keyword])}
                if is_heavy(reader) or not self._contains(self._row_image(writer, reader), goal):
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
        if too_heavy(condition, reader.document):
            return False
        goal = referring(condition, self._new)
        if names is not None:
            narrow = ImageBuilder(self._old).build_members(writer, reader, frozenset(names))
            if self._contains(narrow, goal):
                return True
        return not is_heavy(reader) and self._contains(self._row_image(writer, reader), goal)

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
            if self._pair.faithful and ImageBuilder(self._old).is_identity(writer, reader):
                return self._documents.arrays(writer, reader, path)
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
            self._pair.old.faithful
            and self._pair.new.faithful
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

    def _is_too_wide(self, writer: Location) -> bool:  # noqa: ARG002 - its image is no wider than the reader
        return False

    def _narrow(self, writer: Location, reader: Location, kinds: frozenset[str]) -> JsonSchema:
        """Return a schema that whatever is written at a place satisfies where it is read."""
        return ImageBuilder(self._old).build(writer, reader, kinds=kinds)
