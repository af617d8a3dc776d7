"""The walk over two versions: pairs of forms, recursion as a greatest fixed point, bounded work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.compatibility.confluent.arrays import compare_arrays
from tickmesh.schema.compatibility.confluent.combinations import (
    accepted_by_a_branch,
    compare_combinations,
    settled_by_a_branch,
)
from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind
from tickmesh.schema.compatibility.confluent.forms import Form, FormKind, RulesUndecidedError
from tickmesh.schema.compatibility.confluent.objects import compare_objects
from tickmesh.schema.compatibility.confluent.outcome import Outcome
from tickmesh.schema.compatibility.confluent.values import (
    compare_constants,
    compare_enums,
    compare_negations,
    compare_numbers,
    compare_strings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Pair = tuple[Form, Form]

_MOST_STEPS = 25_000
_DEEPEST = 100
_SECONDS = 0.8
# Processor time of this thread, for the rare step that takes long by itself.
_CONNECT = "connect.type"
_ANNOTATIONS = {
    "$id": Kind.ID_CHANGED,
    "title": Kind.TITLE_CHANGED,
    "description": Kind.DESCRIPTION_CHANGED,
    "default": Kind.DEFAULT_CHANGED,
}


class Walk:
    """Compares pairs of forms under one set of allowed differences.

    A pair met again inside itself is taken as compatible. Whether a pair is compatible only ever
    turns to "no" when fewer such assumptions hold, so dropping those that turned out wrong and
    walking again ends in the greatest fixed point; nothing remembered under a wrong assumption
    survives.
    """

    def __init__(self, allowed: frozenset[Kind]) -> None:
        """Prepare a walk."""
        self._allowed = allowed
        self._steps = 0
        self._deadline = time.thread_time() + _SECONDS
        self._refuted: set[Pair] = set()
        self._assumed: set[Pair] = set()
        self._open: dict[Pair, Outcome] = {}
        self._done: dict[Pair, Outcome] = {}

    def decide(self, old: Form, new: Form) -> Outcome:
        """Compare two roots.

        Raises:
            RulesUndecidedError: The work allowed is used up, or a form cannot be read.
        """
        while True:
            self._done.clear()
            self._assumed.clear()
            outcome = self.compare(old, new)
            wrong = {pair for pair in self._assumed if not self._done[pair].compatible}
            if wrong <= self._refuted:
                return outcome
            self._refuted |= wrong

    def outcome(self) -> Outcome:
        """Return an outcome without differences."""
        return Outcome(self._allowed)

    def spend(self, steps: int) -> None:
        """Account for work.

        Raises:
            RulesUndecidedError: More is asked for than allowed.
        """
        self._steps += steps
        if self._steps > _MOST_STEPS or time.thread_time() > self._deadline:
            raise RulesUndecidedError("the pair takes more work than is allowed")

    def compare(self, old: Form, new: Form) -> Outcome:
        """Compare two forms.

        Raises:
            RulesUndecidedError: The work allowed is used up, or a form cannot be read.
        """
        self.spend(1)
        if len(self._open) > _DEEPEST:
            raise RulesUndecidedError(f"the pair unfolds to more than {_DEEPEST} levels")
        pair = (old, new)
        done = self._done.get(pair)
        if done is not None:
            return done
        if pair in self._open:
            self._assumed.add(pair)
            met_again = Outcome(self._allowed, compatible=pair not in self._refuted)
            met_again.inner.append(self._open[pair])
            return met_again
        outcome = self._open[pair] = self.outcome()
        self._fill(outcome, old, new)
        self._done[pair] = self._open.pop(pair)
        return outcome

    def _fill(self, outcome: Outcome, old: Form, new: Form) -> None:
        if old.schema.get(_CONNECT) == new.schema.get(_CONNECT) == "bytes":
            return
        if old.kind.combines != new.kind.combines:
            settled = (
                accepted_by_a_branch(self, old, new)
                if new.kind.combines
                else settled_by_a_branch(self, old, new)
            )
            if settled is not None:
                outcome.include(settled)
                return
        if old.kind is not new.kind and not (old.kind.combines and new.kind.combines):
            if old.kind is not FormKind.NOTHING and new.kind is not FormKind.ANYTHING:
                outcome.add(Kind.TYPE_CHANGED, new, message=_changed_type(old, new))
            return
        if old.whole or new.whole:
            _compare_annotations(outcome, old, new)
        comparison = _COMPARISONS.get(old.kind)
        if comparison is not None:
            comparison(self, outcome, old, new)


_COMPARISONS: Mapping[FormKind, Callable[[Walk, Outcome, Form, Form], None]] = {
    FormKind.STRING: compare_strings,
    FormKind.NUMBER: compare_numbers,
    FormKind.ENUM: compare_enums,
    FormKind.CONST: compare_constants,
    FormKind.NOT: compare_negations,
    FormKind.OBJECT: compare_objects,
    FormKind.ARRAY: compare_arrays,
    FormKind.ALL_OF: compare_combinations,
    FormKind.ANY_OF: compare_combinations,
    FormKind.ONE_OF: compare_combinations,
}


def _changed_type(old: Form, new: Form) -> str:
    return f"the schema spoke of {_named(old)} and now speaks of {_named(new)}"


def _named(form: Form) -> str:
    if form.kind is FormKind.NUMBER:
        return "integers" if form.integer else "numbers"
    return _WORDS[form.kind]


_WORDS = {
    FormKind.ANYTHING: "anything",
    FormKind.NOTHING: "nothing",
    FormKind.STRING: "strings",
    FormKind.BOOLEAN: "booleans",
    FormKind.NULL: "null",
    FormKind.OBJECT: "objects",
    FormKind.ARRAY: "arrays",
    FormKind.ENUM: "an enum",
    FormKind.CONST: "a constant",
    FormKind.NOT: "a negation",
    FormKind.CONDITIONAL: "a condition",
    FormKind.ALL_OF: "several demands at once",
    FormKind.ANY_OF: "alternatives",
    FormKind.ONE_OF: "exclusive alternatives",
}


def _compare_annotations(outcome: Outcome, old: Form, new: Form) -> None:
    for keyword, kind in _ANNOTATIONS.items():
        was, now = old.schema.get(keyword), new.schema.get(keyword)
        if was is now:
            continue
        if (keyword in old.schema) != (keyword in new.schema) or (
            canonical_json(was) != canonical_json(now)
        ):
            form = new if keyword in new.schema else old
            outcome.add(kind, form, keyword, message=f"{keyword} was changed")
