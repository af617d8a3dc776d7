"""Values worth trying at the places of a pair of versions, and whole rows built from them.

The values of a place come from the edges that both versions draw there. Those that the writer's
schema of the place admits and the reader's does not come first where a place is varied, and those
that both admit where it only has to be filled.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.image import cases_of
from tickmesh.schema.compatibility.seeds import (
    ATOMS,
    matching_names,
    numbers,
    stated_values,
    strings,
    unique,
)
from tickmesh.schema.compatibility.text_sets import EVERY, NONE, matching, negation, texts_at
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import Location, json_type
from tickmesh.schema.oracle import OracleUndecidedError
from tickmesh.schema.rows import accepts
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from tickmesh.schema.compatibility.budget import Budget
    from tickmesh.schema.compatibility.prover import FieldPath
    from tickmesh.schema.compatibility.text_sets import TextSets
    from tickmesh.schema.document import SchemaDocument

_DEEPEST = 6
_MOST_OF_A_PLACE = 48
_MOST_RAW = 400
_MOST_PARTNERS = 10
_MOST_BASES = 6
_MOST_NAMES_SPREAD = 6
_MOST_PATTERNS = 8
_LONGEST_LIST = 64


@dataclass(frozen=True)
class _Values:
    """Values that the writer admits at a place by itself.

    Attributes:
        breaking: Those that the reader refuses at its place.
        safe: Those that it admits.
    """

    breaking: list[Any]
    safe: list[Any]

    @property
    def varied(self) -> list[Any]:
        return [*self.breaking, *self.safe]

    @property
    def filling(self) -> list[Any]:
        return [*self.safe, *self.breaking]


class Candidates:
    """Builds candidates for one direction of one pair of versions."""

    def __init__(
        self,
        old: SchemaDocument,
        new: SchemaDocument,
        *,
        whole: bool,
        budget: Budget,
        texts: TextSets,
    ) -> None:
        """Prepare; nothing is built yet.

        Args:
            old: The writer.
            new: The reader.
            whole: Whether whole documents are built, with members that the writer does not name.
            budget: What may be spent.
            texts: Tells strings of both apart.
        """
        self.budget = budget
        self._old, self._new, self._whole, self._texts = old, new, whole, texts
        self._values: dict[tuple[int, int], _Values] = {}
        # Keeps alive what values are found by: an id must not be given twice.
        self._kept: list[Location] = []

    def variants(
        self, writer: Location, reader: Location, path: FieldPath, *, depth: int = 0
    ) -> Iterator[Any]:
        """Yield values that differ from each other at one place below a location."""
        if not path:
            yield from self.values(writer, reader, min(depth, _DEEPEST - 2)).varied
            return
        yield from _listed(writer)
        step, rest = path[0], path[1:]
        if step == ITEM:
            yield from self._lists_with(writer, reader, rest, depth)
            return
        least = self._least(writer, reader, depth)
        tried: list[tuple[str, Any]] = []
        for name in self._unnamed(writer, reader) if step == MEMBER else [step]:
            yield {each: value for each, value in least.items() if each != name}
            inner = self.variants(writer.child(name), reader.child(name), rest, depth=depth + 1)
            for value in inner:
                yield {**least, name: value}
                tried.append((name, value))
            if not self._whole:
                tried.append((name, None))
        for base in itertools.islice(self.objects(writer, reader, depth), _MOST_BASES):
            for name in dict.fromkeys(name for name, _ in tried):
                yield {each: value for each, value in base.items() if each != name}
            for name, value in tried[:_MOST_RAW]:
                yield {**base, name: value}

    def _lists_with(
        self, writer: Location, reader: Location, path: FieldPath, depth: int
    ) -> Iterator[Any]:
        for index in range(max(writer.prefix_length, reader.prefix_length) + 1):
            head = [self._filler(writer.item_at(each), reader.item_at(each), depth + 1)
                    for each in range(index)]  # fmt: skip
            for value in self.variants(
                writer.item_at(index), reader.item_at(index), path, depth=depth + 1
            ):
                yield [*head, value]
                yield [*head, value, value]

    def values(self, writer: Location, reader: Location, depth: int) -> _Values:
        """Return candidate values for a place, those that the writer admits there by itself."""
        key = (id(writer), id(reader))
        known = self._values.get(key)
        if known is None:
            self.budget.spend()
            self._kept += (writer, reader)
            found = _Values([], [])
            raw = itertools.islice(self.raw_values(writer, reader, depth), _MOST_RAW)
            for value in unique(raw):
                if self._admits(writer, value, unsure=False):
                    admitted = self._admits(reader, value, unsure=True)
                    (found.safe if admitted else found.breaking).append(value)
            known = _Values(found.breaking[:_MOST_OF_A_PLACE], found.safe[:_MOST_OF_A_PLACE])
            self._values[key] = known
        return known

    def _admits(self, location: Location, value: Any, *, unsure: bool) -> bool:
        if json_type(value) not in location.types:
            return False
        self.budget.spend()
        try:
            return all(
                accepts(location.document, schema, value, annotate_formats=self._whole)
                for schema, conditional in location.applied
                if not conditional
            )
        except OracleUndecidedError:
            return unsure

    def raw_values(self, writer: Location, reader: Location, depth: int) -> Iterator[Any]:
        """Yield values of a place that nobody has judged yet."""
        places = (writer, reader)
        kinds = writer.types
        if not writer.parts and not reader.parts:
            yield from ATOMS if kinds else ()
            return
        if "null" in kinds:
            yield None
        if "string" in kinds:
            yield from self._telling_apart(writer, reader)
        yield from stated_values(places)
        if kinds & {"integer", "number"}:
            yield from numbers(places)
        if "string" in kinds:
            yield from strings(places)
        if "boolean" in kinds:
            yield from (True, False)
        if depth <= _DEEPEST:
            if "object" in kinds:
                yield from self._spread(writer, reader, depth)
            if "array" in kinds:
                yield from self._arrays(writer, reader, depth)

    def _telling_apart(self, writer: Location, reader: Location) -> Iterator[str]:
        """Yield a string that the writer admits and the reader does not, and one it admits."""
        narrow = texts_at(writer, annotate_formats=self._whole) or EVERY
        wide = texts_at(reader, annotate_formats=self._whole) or EVERY
        for other in (wide, negation(wide), NONE):
            example = self._texts.within(narrow, other).example
            if example is not None:
                yield example

    def _arrays(self, writer: Location, reader: Location, depth: int) -> Iterator[Any]:
        yield []
        lengths = {1, 2}
        for part in (*writer.parts, *reader.parts):
            for bound in ("minItems", "maxItems", "minContains", "maxContains"):
                length = part.keywords.get(bound)
                if length is not None and length < _LONGEST_LIST:
                    lengths |= {length - 1, length, length + 1}
        last = max(writer.prefix_length, reader.prefix_length)
        choices = [
            self.values(writer.item_at(index), reader.item_at(index), depth + 1)
            for index in range(last + 1)
        ]
        for length in sorted(length for length in lengths | {last, last + 1} if length > 0):
            options = [choices[min(index, last)].filling for index in range(length)]
            if all(options):
                yield [option[0] for option in options]
                yield [option[index % len(option)] for index, option in enumerate(options)]
                yield [option[-1] for option in options]
        heads = [choice.filling[0] for choice in choices[:last] if choice.filling]
        tails = choices[last].varied
        yield from ([*heads, tail] for tail in tails[:_MOST_PARTNERS])
        for other in tails[1:_MOST_PARTNERS]:
            yield [*heads, tails[0], other]
        yield from self._lists_containing(writer, reader, sorted(lengths), depth)

    def _lists_containing(
        self, writer: Location, reader: Location, lengths: list[int], depth: int
    ) -> Iterator[Any]:
        nothing = Location(self._new, ())
        for place in (writer, reader):
            for part in place.parts:
                if "contains" not in part.keywords:
                    continue
                inner = Location(place.document, ((part.keywords["contains"], False),))
                contained = self.values(inner, nothing, depth + 1).filling
                for value in contained[:_MOST_PARTNERS]:
                    yield [value]
                for length in lengths:
                    yield contained[:length]
                    yield contained[:1] * length
                    yield [*contained[:length], None]

    def _filler(self, writer: Location, reader: Location, depth: int) -> Any:
        values = self.values(writer, reader, depth).filling
        return values[0] if values else None

    def objects(self, writer: Location, reader: Location, depth: int) -> Iterator[dict[str, Any]]:
        """Yield a full and a minimal object, then such as conditions and names ask for."""
        full = self._full(writer, reader, depth)
        yield full
        required = self._least(writer, reader, depth)
        yield required
        for case in itertools.islice(cases_of(writer), 8) if _is_split(writer) else ():
            whole = self._full(case, reader, depth)
            yield whole
            yield {name: whole[name] for name in whole if name in case.required}
        yield {name: full[name] for name in full if name in writer.declared}
        for wanted in _wanted_names(writer, reader):
            yield {**required, **{name: full[name] for name in wanted if name in full}}
            yield {name: value for name, value in full.items() if name not in wanted}

    def _full(self, writer: Location, reader: Location, depth: int) -> dict[str, Any]:
        names = self._names(writer, reader) if depth <= _DEEPEST else sorted(writer.required)
        return self._filled(writer, reader, names, depth)

    def _least(self, writer: Location, reader: Location, depth: int) -> dict[str, Any]:
        return self._filled(writer, reader, sorted(writer.required), depth)

    def _filled(
        self, writer: Location, reader: Location, names: Iterable[str], depth: int
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            values = self.values(writer.child(name), reader.child(name), depth + 1).filling
            kept = [value for value in values if value is not None] or values
            if kept:
                found[name] = kept[0]
        return found

    def _spread(self, writer: Location, reader: Location, depth: int) -> Iterator[dict[str, Any]]:
        """Yield the usual objects, then each with one member varied, then other sets of members."""
        bases = list(self.objects(writer, reader, depth))
        yield from bases
        full = bases[0]
        if len(full) <= _MOST_NAMES_SPREAD:
            for count in range(len(full)):
                for chosen in itertools.combinations(full, count):
                    yield {name: full[name] for name in chosen}
        else:
            yield from ({each: full[each] for each in full if each != name} for name in full)
            yield from ({**bases[1], name: full[name]} for name in full)
        names = self._names(writer, reader)[:_MOST_PARTNERS]
        values = {
            name: self.values(writer.child(name), reader.child(name), depth + 1).varied
            for name in names
        }
        for index in range(_MOST_PARTNERS):
            for name in names:
                if index < len(values[name]):
                    yield {**bases[0], name: values[name][index]}
                    yield {**bases[1], name: values[name][index]}

    def mixture(
        self, writer: Location, reader: Location, generator: random.Random
    ) -> dict[str, Any]:
        """Return an object with every member drawn from its candidates."""
        row: dict[str, Any] = {}
        for name in self._names(writer, reader):
            values = self.values(writer.child(name), reader.child(name), 1).varied
            absent = name not in writer.required and generator.random() < 0.4
            if values and not absent:
                row[name] = generator.choice(values)
        return row

    def _names(self, writer: Location, reader: Location) -> tuple[str, ...]:
        if writer.is_struct and not self._whole:
            return writer.declared
        names = [*writer.declared, *reader.declared, *self._unnamed(writer, reader)]
        return tuple(dict.fromkeys(names))

    def _unnamed(self, writer: Location, reader: Location) -> list[str]:
        """Return names that a pattern, or nothing, speaks of on one side."""
        named: list[str] = []
        patterns: list[str] = []
        for place in (writer, reader):
            for part in place.parts:
                patterns += part.keywords.get("patternProperties", ())
                limit = part.keywords.get("propertyNames")
                if isinstance(limit, dict):
                    inner = Location(place.document, ((limit, False),))
                    formula = texts_at(inner, annotate_formats=True) or EVERY
                    for narrow, wide in ((EVERY, formula), (formula, NONE)):
                        example = self._texts.within(narrow, wide).example
                        named += [example] if example is not None else []
                    named += [name for name in strings([inner]) if len(name) <= 64][:6]
        few = list(dict.fromkeys(patterns))[:_MOST_PATTERNS]
        for first, second in itertools.permutations(few, 2):
            example = self._texts.within(matching(first), matching(second)).example
            named += [example] if example is not None else []
        return list(dict.fromkeys([*named, *matching_names(few), "k", "k2"]))


def _listed(location: Location) -> Iterator[Any]:
    """Yield the values that a place is limited to, the first of many."""
    for part in location.always:
        values = [part.keywords["const"]] if "const" in part.keywords else []
        for value in (*values, *part.keywords.get("enum", ()))[:_MOST_OF_A_PLACE]:
            yield plain(value)


def _is_split(location: Location) -> bool:
    return any(part.keywords.keys() & {"anyOf", "oneOf", "if"} for part in location.always)


def _wanted_names(*locations: Location) -> Iterator[frozenset[str]]:
    """Yield the sets of names that some condition requires together."""
    for location in locations:
        for part in location.parts:
            if part.conditional and "required" in part.keywords:
                yield frozenset(part.keywords["required"])
            needs = part.keywords.get("dependentRequired", part.keywords.get("dependencies", {}))
            for name, needed in needs.items():
                yield frozenset({name})
                if isinstance(needed, list):
                    yield frozenset({name, *needed})
                    yield frozenset(needed)
