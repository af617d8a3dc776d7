"""The search for a witness: a row or document valid under the old version, invalid under the new.

Every candidate is judged by the row oracle on both sides, so what is found is a fact; it is then
made as small as it can be and stay one. Finding nothing means nothing.
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.budget import Budget, WorkSpentError
from tickmesh.schema.compatibility.candidates import Candidates
from tickmesh.schema.compatibility.report import NO_WITNESS
from tickmesh.schema.compatibility.seeds import ATOMS, matching_names, unique
from tickmesh.schema.compatibility.shrinking import shrunk
from tickmesh.schema.compatibility.text_sets import TextSets
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import Location
from tickmesh.schema.oracle import OracleUndecidedError, is_valid, validator_of
from tickmesh.schema.resolution import resolve_row, row_is_valid, valid_reading
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tickmesh.schema.compatibility.prover import FieldPath, Gap
    from tickmesh.schema.document import SchemaDocument

_STEPS = 12_000
_SECONDS = 0.15
_SHARE_OF_A_GAP = 3
_SHRINKING_STEPS = 400
_SHRINKING_SECONDS = 0.03


class Search(ABC):
    """Searches one direction of one pair of versions within a fixed amount of work."""

    whole = False
    """Whether whole documents are searched."""

    def __init__(self, old: SchemaDocument, new: SchemaDocument, *, steps: int = _STEPS) -> None:
        """Prepare the search; the same pair always searches the same values in the same order.

        Args:
            old: The version that witnesses are valid under.
            new: The version that they are not valid under.
            steps: How much work the whole search may do.
        """
        self._old, self._new = old, new
        self._budget = Budget(steps=steps, seconds=_SECONDS)
        # What is left of it looks everywhere, when no gap led to a witness.
        self._of_gaps = Budget(steps=steps * 2 // 3, seconds=_SECONDS * 2 / 3, within=self._budget)
        self._shrinking = Budget(steps=_SHRINKING_STEPS, seconds=_SHRINKING_SECONDS)
        self._limit = self._budget
        self._candidates = Candidates(
            old, new, whole=self.whole, budget=self._budget, texts=TextSets()
        )

    def at(self, gap: Gap) -> Any:
        """Return a witness whose fault lies at one place, `NO_WITNESS` when none was found."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        share = Budget(
            steps=_STEPS // _SHARE_OF_A_GAP,
            seconds=_SECONDS / _SHARE_OF_A_GAP,
            within=self._of_gaps,
        )
        self._limit = self._candidates.budget = share
        return self._first(self._candidates.variants(writer, reader, gap.path), gap.path)

    def anywhere(self) -> Any:
        """Return any witness, `NO_WITNESS` when none was found."""
        self._limit = self._candidates.budget = self._budget
        return self._first(self._everything(), None)

    @abstractmethod
    def _everything(self) -> Iterator[Any]:
        """Yield candidates of every kind."""

    @abstractmethod
    def _confirmed(self, value: Any, path: FieldPath | None) -> Any:
        """Return a value, as it is valid under the old version, if it refutes, else `NO_WITNESS`.

        With a path, a fault must lie there.
        """

    def _first(self, values: Iterable[Any], path: FieldPath | None) -> Any:
        try:
            for value in values:
                self._candidates.budget.spend(2)
                found = self._confirmed(value, path)
                if found is not NO_WITNESS:
                    return self._small(found, path)
        except WorkSpentError:
            pass
        return NO_WITNESS

    def _small(self, witness: Any, path: FieldPath | None) -> Any:
        return self._smallest(witness, lambda value: self._confirmed(value, path))

    def _smallest(self, witness: Any, judge: Callable[[Any], Any]) -> Any:
        """Return the smallest witness found; ``judge`` returns a value as it is one, if it is."""
        best = witness

        def holds(value: Any) -> bool:
            nonlocal best
            self._limit.spend()
            found = judge(value)
            if found is NO_WITNESS:
                return False
            best = found
            return True

        searching, self._limit = self._limit, self._shrinking
        try:
            shrunk(witness, holds)
        finally:
            self._limit = searching
        return best


class RowSearch(Search):
    """Searches rows: objects with declared members, resolved before the reader judges them."""

    def _everything(self) -> Iterator[Any]:
        writer, reader = Location.root(self._old), Location.root(self._new)
        names = writer.declared or reader.declared
        generator = random.Random(0)  # noqa: S311 - repeatable, not secret
        yield from self._candidates.objects(writer, reader, 0)
        for name in names:
            yield from self._candidates.variants(writer, reader, (name,))
        while True:
            yield self._candidates.mixture(writer, reader, generator)

    def row_with(self, path: FieldPath) -> Any:
        """Return a row valid under the old version that holds a value at a place, None if none."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        self._limit = self._candidates.budget = self._budget
        try:
            for row in self._candidates.variants(writer, reader, path):
                self._budget.spend(2)
                reading = self._reading(row)
                if reading is not None and _holds(reading, path):
                    return self._shrunk_around(reading, path)
        except WorkSpentError:
            pass
        return None

    def _shrunk_around(self, row: dict[str, Any], path: FieldPath) -> Any:
        def judge(value: Any) -> Any:
            reading = self._reading(value)
            return NO_WITNESS if reading is None or not _holds(reading, path) else reading

        return self._smallest(row, judge)

    def _reading(self, row: Any) -> dict[str, Any] | None:
        try:
            if not isinstance(row, dict):
                return None
            return valid_reading(row, self._old, before_reading=self._limit.spend)
        except OracleUndecidedError:
            return None

    def _confirmed(self, value: Any, path: FieldPath | None) -> Any:
        reading = self._reading(value)
        if reading is None:
            return NO_WITNESS
        resolved = resolve_row(reading, writer=self._old, reader=self._new)
        try:
            if row_is_valid(resolved, self._new, before_reading=self._limit.spend):
                return NO_WITNESS
        except OracleUndecidedError:
            return NO_WITNESS
        at_fault = path is None or _faults_at(self._new, resolved, path, annotate_formats=False)
        return reading if at_fault else NO_WITNESS


class DocumentSearch(Search):
    """Searches whole documents: any type at the root, members that nobody declared."""

    whole = True

    def _everything(self) -> Iterator[Any]:
        writer, reader = Location.root(self._old), Location.root(self._new)
        names = self._all_names()
        generator = random.Random(0)  # noqa: S311 - repeatable, not secret
        yield from self._candidates.values(writer, reader, 0).varied
        yield from self._deep_values(names)
        yield from ATOMS
        yield from ({name: value} for name in names for value in ATOMS[:16])
        yield from self._candidates.raw_values(reader, writer, 0)
        yield from self._wrapped(writer, reader, names[:12])
        while "object" in writer.types:
            yield self._candidates.mixture(writer, reader, generator)

    def _confirmed(self, value: Any, path: FieldPath | None) -> Any:
        try:
            if not is_valid(validator_of(self._old, annotate_formats=True), value) or is_valid(
                validator_of(self._new, annotate_formats=True), value
            ):
                return NO_WITNESS
        except (OracleUndecidedError, ValueError):
            return NO_WITNESS
        at_fault = path is None or _faults_at(self._new, value, path, annotate_formats=True)
        return value if at_fault else NO_WITNESS

    def _deep_values(self, names: list[str]) -> Iterator[Any]:
        """Yield every constant named anywhere, alone, in a list and in an object."""
        found: list[Any] = []
        for document in (self._old, self._new):
            for _, schema in document.index.subschemas():
                self._candidates.budget.spend()
                found += schema.get("enum", ())
                found += [schema[name] for name in ("const", "default") if name in schema]
        for value in unique(found):
            exact = plain(value)
            yield exact
            yield [exact]
            yield from ({name: exact} for name in names)

    def _all_names(self) -> list[str]:
        names: dict[str, None] = {}
        for document in (self._old, self._new):
            for _, schema in document.index.subschemas():
                names.update(dict.fromkeys(schema.get("properties", ())))
                names.update(dict.fromkeys(schema.get("required", ())))
                names.update(dict.fromkeys(matching_names(schema.get("patternProperties", ()))))
        return [*names, "k"]

    def _wrapped(self, writer: Location, reader: Location, names: list[str]) -> Iterator[Any]:
        """Yield lists and objects over a small alphabet of members and values."""
        values = [*ATOMS, *self._candidates.values(writer, reader, 0).varied]
        for name, value in itertools.product(names, values):
            yield {name: value}
        for pair in itertools.product(ATOMS, repeat=2):
            yield list(pair)
        for first, second in itertools.combinations(names, 2):
            for left, right in itertools.product(ATOMS, repeat=2):
                yield {first: left, second: right}
        for triple in itertools.product(ATOMS[:8], repeat=3):
            yield list(triple)


_OF_THE_WHOLE = frozenset(
    {"anyOf", "oneOfNotValid", "oneOfMultipleValid", "not", "falseSchema", "const", "enum"}
    | {"minProperties", "maxProperties", "additionalProperties", "unevaluatedProperties"}
    | {"propertyNames", "contains", "uniqueItems", "minItems", "maxItems", "additionalItems"}
    | {"unevaluatedItems"}
)
"""Failures of a whole object or list for what is further down."""


def _faults_at(
    document: SchemaDocument, value: Any, path: FieldPath, *, annotate_formats: bool
) -> bool:
    for error in validator_of(document, annotate_formats=annotate_formats).iter_errors(value):
        place = tuple(ITEM if isinstance(part, int) else part for part in error.instance_path)
        missing = getattr(error.kind, "property", None)
        if error.kind.name == "required" and (*place, missing) == path:
            return True
        if len(place) >= len(path) and all(
            step in (part, MEMBER) for part, step in zip(place, path, strict=False)
        ):
            return True
        if error.kind.name in _OF_THE_WHOLE and path[: len(place)] == place:
            return True
    return False


def _holds(value: Any, path: FieldPath) -> bool:
    if not path:
        return value is not None
    step, rest = path[0], path[1:]
    if step == ITEM:
        return isinstance(value, list) and any(_holds(item, rest) for item in value)
    if step == MEMBER:
        return isinstance(value, dict) and any(_holds(member, rest) for member in value.values())
    return isinstance(value, dict) and _holds(value.get(step, None), rest)
