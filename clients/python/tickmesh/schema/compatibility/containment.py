"""Containment of two schemas as the canonical forms of jsonschema-rs see it, within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.budget import Budget
from tickmesh.schema.compatibility.text_sets import TextSets
from tickmesh.schema.oracle import draft_of, refuse_fetch, with_pattern_engine
from tickmesh.schema.standalone import Standalone

if TYPE_CHECKING:
    import jsonschema_rs

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

_STEPS = 40_000
_STEPS_OF_A_QUESTION = 2
_SECONDS = 0.25


class Containment:
    """One pair of documents, and the work that proofs about it may take.

    Attributes:
        old_document: The writer's document.
        new_document: The reader's document.
        old: The writer's resources, with references of its own.
        new: The reader's resources.
        annotate_formats: Whether ``format`` only annotates, instead of being asserted.
        budget: What is left.
        texts: Compares sets of strings, from the same budget.
        questions: How many were asked.
    """

    def __init__(
        self, old_document: SchemaDocument, new_document: SchemaDocument, *, annotate_formats: bool
    ) -> None:
        """Prepare both documents."""
        self.old_document, self.new_document = old_document, new_document
        self.annotate_formats = annotate_formats
        self.budget = Budget(steps=_STEPS, seconds=_SECONDS)
        self.texts = TextSets(within=self.budget)
        self.old = Standalone(old_document, name="old")
        self.new = Standalone(new_document, name="new")
        self.questions = 0
        self._draft = draft_of(new_document.dialect)
        self._registry: jsonschema_rs.Registry | None = None

    @property
    def faithful(self) -> bool:
        """Whether nothing dynamic stands in the way of reasoning about parts."""
        return self.old.faithful and self.new.faithful

    def contains(self, narrow: JsonSchema, wide: JsonSchema) -> bool:
        """Whether every value valid under one schema is surely valid under the other.

        Raises:
            WorkSpentError: No work is left.
        """
        import jsonschema_rs

        self.questions += 1
        self.budget.spend(_STEPS_OF_A_QUESTION)
        if self._registry is None:
            self._registry = jsonschema_rs.Registry(
                resources=[*self.old.resources, *self.new.resources],
                draft=self._draft,
                retriever=refuse_fetch,
            )
        try:
            forms = with_pattern_engine(
                lambda engine: [
                    jsonschema_rs.canonicalize(
                        schema,
                        draft=self._draft,
                        validate_formats=not self.annotate_formats,
                        registry=self._registry,
                        pattern_options=engine,
                    )
                    for schema in (wide, narrow)
                ]
            )
            return str(forms[0].covers(forms[1])) == "yes"
        except (ValueError, RecursionError):
            # Forms that the library does not know: nothing is proven.
            return False
