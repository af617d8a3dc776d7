"""The search for a witness: a row valid under the old version and invalid under the new.

Seeds come from the edges that both versions draw; every candidate is judged by the row oracle on
both sides, so what is found is a fact. Finding nothing means nothing.
"""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.sample_strings import sample_strings
from tickmesh.schema.compatibility.seeds import numbers, stated_values, strings, unique
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import Location, Part, json_type
from tickmesh.schema.oracle import OracleUndecidedError, is_valid, validator_of
from tickmesh.schema.resolution import resolve_row, row_is_valid, valid_reading
from tickmesh.schema.rows import accepts
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tickmesh.schema.compatibility.prover import FieldPath, Gap
    from tickmesh.schema.document import SchemaDocument

_DEEPEST_ROW = 6
_MOST_CANDIDATES = 48
_MOST_PARTNERS = 10
_MOST_RAW = 400
_MOST_TRIALS = 3000
_SECONDS = 0.25
# Processor time of this thread, so that a busy machine changes no verdict.


class WitnessSearch:
    """Searches one direction of one pair of versions within a fixed amount of work."""

    def __init__(
        self, old: SchemaDocument, new: SchemaDocument, *, seconds: float = _SECONDS
    ) -> None:
        """Prepare the search; the same pair always searches the same rows in the same order.

        Args:
            old: The version that witnesses are valid under.
            new: The version that they are not valid under.
            seconds: Processor time allowed.
        """
        self._old, self._new = old, new
        self._trials = 0
        self._deadline = time.thread_time() + seconds
        self._candidates: dict[tuple[int, int], list[Any]] = {}
        # Keeps alive what candidates are found by: an id must not be given twice.
        self._kept: list[Location] = []

    @property
    def exhausted(self) -> bool:
        """Whether the work allowed is used up."""
        return self._trials >= _MOST_TRIALS or time.thread_time() > self._deadline

    def at(self, gap: Gap) -> dict[str, Any] | None:
        """Search for a witness whose fault lies at one place."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        for row in self._variants(writer, reader, gap.path, depth=0):
            if self.exhausted:
                return None
            witness = self._confirmed(row, gap.path)
            if witness is not None:
                return witness
        return None

    def anywhere(self, *, seed: int = 0) -> dict[str, Any] | None:
        """Search for any witness: first every field varied in turn, then mixtures."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        names = writer.declared or reader.declared
        varied = itertools.chain.from_iterable(
            self._variants(writer, reader, (name,), depth=0) for name in names
        )
        generator = random.Random(seed)  # noqa: S311 - repeatable, not secret
        mixed = (self._mixture(writer, reader, generator) for _ in itertools.count())
        for row in itertools.chain(self._objects(writer, reader, 0), varied, mixed):
            if self.exhausted:
                return None
            witness = self._confirmed(row, None)
            if witness is not None:
                return witness
        return None

    def row_with(self, path: FieldPath) -> dict[str, Any] | None:
        """Return a row valid under the old version that holds a value at a place."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        for row in self._variants(writer, reader, path, depth=0):
            if self.exhausted:
                return None
            self._trials += 1
            try:
                reading = valid_reading(row, self._old)
            except OracleUndecidedError:
                continue
            if reading is not None and _holds(reading, path):
                return reading
        return None

    def _confirmed(self, row: Any, path: FieldPath | None) -> dict[str, Any] | None:
        self._trials += 1
        if not isinstance(row, dict):
            return None
        try:
            reading = valid_reading(row, self._old)
            if reading is None:
                return None
            resolved = resolve_row(reading, writer=self._old, reader=self._new)
            if row_is_valid(resolved, self._new):
                return None
        except OracleUndecidedError:
            return None
        return reading if path is None or self._faults_at(resolved, path) else None

    def _faults_at(self, resolved: dict[str, Any], path: FieldPath) -> bool:
        for error in validator_of(self._new).iter_errors(resolved):
            place = tuple(ITEM if isinstance(part, int) else part for part in error.instance_path)
            missing = getattr(error.kind, "property", None)
            if error.kind.name == "required" and (*place, missing) == path:
                return True
            if len(place) >= len(path) and all(
                step in (part, MEMBER) for part, step in zip(place, path, strict=False)
            ):
                return True
            if error.kind.name in _CHOICES and path[: len(place)] == place:
                return True
        return False

    def _variants(
        self, writer: Location, reader: Location, path: FieldPath, *, depth: int
    ) -> Iterator[Any]:
        """Yield values that differ from each other at one place below a location."""
        if not path or depth > _DEEPEST_ROW + len(path):
            yield from self._values(writer, reader, depth)
            return
        step, rest = path[0], path[1:]
        if step == ITEM:
            for index in range(max(writer.prefix_length, reader.prefix_length) + 1):
                inner = self._variants(
                    writer.item_at(index), reader.item_at(index), rest, depth=depth + 1
                )
                head = [
                    self._first(writer.item_at(each), reader.item_at(each), depth + 1)
                    for each in range(index)
                ]
                for value in inner:
                    yield [*head, value]
                    yield [*head, value, value]
            return
        bases = list(itertools.islice(self._objects(writer, reader, depth), 4))
        name = "k" if step == MEMBER else step
        for base in bases:
            yield {each: value for each, value in base.items() if each != name}
            yield {**base, name: None}
        for value in self._variants(writer.child(name), reader.child(name), rest, depth=depth + 1):
            for base in bases:
                yield {**base, name: value}

    def _values(self, writer: Location, reader: Location, depth: int) -> list[Any]:
        """Return candidate values for a place, those valid there by themselves."""
        key = (id(writer), id(reader))
        known = self._candidates.get(key)
        if known is None and self.exhausted:
            return []
        if known is None:
            self._kept += (writer, reader)
            raw = unique(itertools.islice(self._raw_values(writer, reader, depth), _MOST_RAW))
            known = self._candidates[key] = [value for value in raw if self._fits(writer, value)][
                :_MOST_CANDIDATES
            ]
        return known

    def _fits(self, writer: Location, value: Any) -> bool:
        if json_type(value) not in writer.types:
            return False
        try:
            return all(
                accepts(self._old, schema, value)
                for schema, conditional in writer.applied
                if not conditional
            )
        except OracleUndecidedError:
            return False

    def _raw_values(self, writer: Location, reader: Location, depth: int) -> Iterator[Any]:
        places = (writer, reader)
        yield from stated_values(places)
        kinds = writer.types
        if kinds & {"integer", "number"}:
            yield from numbers(places)
        if "string" in kinds:
            yield from strings(places)
        if "boolean" in kinds:
            yield from (True, False)
        if depth <= _DEEPEST_ROW:
            if "object" in kinds:
                yield from self._spread(writer, reader, depth)
            if "array" in kinds:
                yield from self._arrays(writer, reader, depth)
        if "null" in kinds:
            yield None

    def _arrays(self, writer: Location, reader: Location, depth: int) -> Iterator[Any]:
        yield []
        lengths = {1, 2}
        for location in (writer, reader):
            for part in location.parts:
                for bound in ("minItems", "maxItems", "minContains", "maxContains"):
                    length = part.keywords.get(bound)
                    if length is not None and length < 64:
                        lengths |= {length - 1, length, length + 1}
        last = max(writer.prefix_length, reader.prefix_length)
        choices = [
            self._values(writer.item_at(index), reader.item_at(index), depth + 1)
            for index in range(last + 1)
        ]
        for length in sorted(length for length in lengths | {last, last + 1} if length > 0):
            options = [choices[min(index, last)] for index in range(length)]
            if all(options):
                yield [option[0] for option in options]
                yield [option[index % len(option)] for index, option in enumerate(options)]
                yield [option[-1] for option in options]
        for other in choices[last][1:_MOST_PARTNERS]:
            yield [*(choice[0] for choice in choices[:last] if choice), choices[last][0], other]
        for part in (*writer.parts, *reader.parts):
            contained = part.keywords.get("contains")
            if isinstance(contained, dict):
                inner = Location(self._document_of(part, writer), ((contained, True),))
                yield from ([value] for value in stated_values([inner]))
                yield from ([value] for value in itertools.islice(numbers([inner]), 12))

    def _first(self, writer: Location, reader: Location, depth: int) -> Any:
        values = self._values(writer, reader, depth)
        return values[0] if values else None

    def _objects(self, writer: Location, reader: Location, depth: int) -> Iterator[dict[str, Any]]:
        """Yield a full and a minimal object, then such as single conditions ask for."""
        names = _names(writer, reader)
        full: dict[str, Any] = {}
        for name in names:
            if depth <= _DEEPEST_ROW or name in writer.required:
                values = self._filled(writer, reader, name, depth)
                if values:
                    full[name] = values[0]
        yield full
        minimal = {name: full[name] for name in names if name in writer.required and name in full}
        yield minimal
        for wanted in _wanted_names(writer, reader):
            yield {**minimal, **{name: full[name] for name in wanted if name in full}}
            yield {name: value for name, value in full.items() if name not in wanted}

    def _document_of(self, part: Part, writer: Location) -> SchemaDocument:
        return self._old if part in writer.parts else self._new

    def _spread(self, writer: Location, reader: Location, depth: int) -> Iterator[dict[str, Any]]:
        """Yield the usual objects, then each with one member varied."""
        bases = list(self._objects(writer, reader, depth))
        yield from bases
        names = _names(writer, reader)[:_MOST_PARTNERS]
        values = {
            name: self._values(writer.child(name), reader.child(name), depth + 1) for name in names
        }
        for index in range(1, _MOST_PARTNERS):
            for name in names:
                if index < len(values[name]):
                    yield {**bases[0], name: values[name][index]}
                    yield {**bases[1], name: values[name][index]}

    def _filled(self, writer: Location, reader: Location, name: str, depth: int) -> list[Any]:
        values = self._values(writer.child(name), reader.child(name), depth + 1)
        return [value for value in values if value is not None] or values

    def _mixture(
        self, writer: Location, reader: Location, generator: random.Random
    ) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for name in _names(writer, reader):
            values = self._values(writer.child(name), reader.child(name), 1)
            absent = name not in writer.required and generator.random() < 0.4
            if values and not absent:
                row[name] = generator.choice(values)
        return row


_CHOICES = frozenset(
    {"anyOf", "oneOfNotValid", "oneOfMultipleValid", "not", "falseSchema", "minProperties"}
    | {
        "maxProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "contains",
    }
    | {"uniqueItems", "minItems", "maxItems", "const", "enum"}
)


def _names(writer: Location, reader: Location) -> tuple[str, ...]:
    if writer.is_struct:
        return writer.declared
    named = [*writer.declared, *reader.declared]
    for location in (writer, reader):
        for part in location.parts:
            named += _matching_names(part.keywords.get("patternProperties", ()))
            limit = part.keywords.get("propertyNames")
            if isinstance(limit, dict):
                inner = Location(location.document, ((limit, True),))
                named += [name for name in strings([inner]) if len(name) <= 64][:12]
    return tuple(dict.fromkeys([*named, "k", "k2"]))


def _matching_names(patterns: Iterable[str]) -> list[str]:
    return [name for pattern in patterns for name in sample_strings(pattern)[:2]]


def _wanted_names(*locations: Location) -> Iterator[frozenset[str]]:
    """Yield the sets of names that some condition requires together."""
    for location in locations:
        for part in location.parts:
            if part.conditional and "required" in part.keywords:
                yield frozenset(part.keywords["required"])
            for name, needed in part.keywords.get("dependentRequired", {}).items():
                yield frozenset({name, *needed})
                yield frozenset({name})
                yield frozenset(needed)


def _holds(value: Any, path: FieldPath) -> bool:
    if not path:
        return value is not None
    step, rest = path[0], path[1:]
    if step == ITEM:
        return isinstance(value, list) and any(_holds(item, rest) for item in value)
    if step == MEMBER:
        return isinstance(value, dict) and any(_holds(member, rest) for member in value.values())
    return isinstance(value, dict) and _holds(value.get(step, None), rest)


@dataclass(frozen=True)
class DocumentWitness:
    """A document valid under the old schema and invalid under the new.

    Attributes:
        document: The JSON value.
    """

    document: Any


class DocumentSearch(WitnessSearch):
    """Searches whole documents: any type at the root, members that nobody declared."""

    def search(self) -> DocumentWitness | None:
        """Search for any witness within the work allowed."""
        writer, reader = Location.root(self._old), Location.root(self._new)
        seeds = itertools.chain(
            self._deep_values(),
            _ATOMS,
            ({name: value} for name in self._all_names() for value in _ATOMS[:16]),
            itertools.islice(self._raw_values(writer, reader, 0), _MOST_RAW),
            itertools.islice(self._raw_values(reader, writer, 0), _MOST_RAW),
            self._wrapped(writer, reader),
        )
        for value in seeds:
            if self.exhausted:
                return None
            self._trials += 1
            if self._refutes(value):
                return DocumentWitness(value)
        return None

    def _refutes(self, value: Any) -> bool:
        try:
            return is_valid(validator_of(self._old, annotate_formats=True), value) and not is_valid(
                validator_of(self._new, annotate_formats=True), value
            )
        except (OracleUndecidedError, ValueError):
            return False

    def _deep_values(self) -> Iterator[Any]:
        """Yield every constant named anywhere, alone, in a list and in an object."""
        found: list[Any] = []
        for document in (self._old, self._new):
            for _, schema in document.index.subschemas():
                found += schema.get("enum", ())
                found += [schema[name] for name in ("const", "default") if name in schema]
        for value in unique(found):
            exact = plain(value)
            yield exact
            yield [exact]
            yield from ({name: exact} for name in self._all_names())

    def _all_names(self) -> list[str]:
        names: dict[str, None] = {}
        for document in (self._old, self._new):
            for _, schema in document.index.subschemas():
                names.update(dict.fromkeys(schema.get("properties", ())))
                names.update(dict.fromkeys(schema.get("required", ())))
                names.update(dict.fromkeys(_matching_names(schema.get("patternProperties", ()))))
        return [*names, "k"]

    def _wrapped(self, writer: Location, reader: Location) -> Iterator[Any]:
        """Yield lists and objects over a small alphabet of members and values."""
        values = [*_ATOMS, *self._raw_values(writer, reader, _DEEPEST_ROW)]
        names = self._all_names()[:12]
        for name, value in itertools.product(names, values):
            yield {name: value}
        for pair in itertools.product(_ATOMS, repeat=2):
            yield list(pair)
        for first, second in itertools.combinations(names, 2):
            for left, right in itertools.product(_ATOMS, repeat=2):
                yield {first: left, second: right}
        for triple in itertools.product(_ATOMS[:8], repeat=3):
            yield list(triple)


_ATOMS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 2, 3, 10, "", "a", "foo", "bar", [], {}, [1], [[]]),
    *({"a": 1}, {"foo": "bar"}, [1, 1], [1, "a"], "a" * 30, 1e300, -5, 100, "é", [{}], [None]),
)
