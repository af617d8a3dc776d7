"""Sets of strings that schemas admit, and whether one lies within another.

What a schema says about strings is a Boolean formula over regular languages: patterns, lengths,
enums. Two formulas are compared by walking the automata of all of them side by side, breadth first,
until a text is found that the one admits and the other does not, or none is left to try. What is no
regular language (formats, look-around) becomes an unknown: a proof must hold whatever it says.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.compatibility.automata import (
    LengthWalker,
    PatternWalker,
    TextsWalker,
    Walker,
)
from tickmesh.schema.compatibility.budget import Budget, WorkSpentError
from tickmesh.schema.compatibility.pattern_syntax import LAST_CHARACTER, NotRegularError, Ranges
from tickmesh.schema.keywords import effective
from tickmesh.schema.location import Location, stated_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

_STEPS = 20_000
_SECONDS = 0.04
_STEPS_OF_ALL = 100_000
_SECONDS_OF_ALL = 0.08
_LONGEST_LENGTH = 300
_MOST_TEXTS = 3000
_MOST_UNKNOWN = 4
_MOST_CLASSES = 400
_LARGEST_FORMULA = 400

Atom: TypeAlias = tuple[str, Any]
"""What a formula is made of: ``pattern``, ``length`` (at least), ``texts`` or an unknown."""


class NoFormulaError(ValueError):
    """A schema says something about strings that no formula expresses."""


@dataclass(frozen=True)
class Formula:
    """A Boolean formula; ``connective`` is atom, all, any, one, not or choose (if, then, else)."""

    connective: str
    members: tuple[Formula, ...] = ()
    atom: Atom | None = None


EVERY: Final = Formula("all")
NONE: Final = Formula("any")


def all_of(members: Iterable[Formula]) -> Formula:
    """Return the formula that holds where all members do."""
    kept = tuple(member for member in members if member != EVERY)
    if NONE in kept:
        return NONE
    return kept[0] if len(kept) == 1 else Formula("all", kept)


def any_of(members: Iterable[Formula]) -> Formula:
    """Return the formula that holds where a member does."""
    kept = tuple(member for member in members if member != NONE)
    if EVERY in kept:
        return EVERY
    return kept[0] if len(kept) == 1 else Formula("any", kept)


def negation(member: Formula) -> Formula:
    """Return the formula that holds where the member does not."""
    return {EVERY: NONE, NONE: EVERY}.get(member, Formula("not", (member,)))


def matching(pattern: str) -> Formula:
    """Return the formula of the texts a pattern finds a match in."""
    return Formula("atom", atom=("pattern", pattern))


def among(texts: Iterable[str]) -> Formula:
    """Return the formula of a few texts."""
    kept = frozenset(texts)
    return Formula("atom", atom=("texts", kept)) if kept else NONE


def formula_of(
    schemas: Iterable[JsonSchema], document: SchemaDocument, *, annotate_formats: bool
) -> Formula:
    """Return what schemas, taken together, say about strings.

    Raises:
        NoFormulaError: Something is said that no formula expresses.
    """
    reader = _FormulaReader(document, annotate_formats=annotate_formats)
    return all_of(reader.read(schema) for schema in schemas)


def texts_at(location: Location, *, annotate_formats: bool) -> Formula | None:
    """Return what a location says about strings under no condition, None when no formula can."""
    schemas = [schema for schema, conditional in location.applied if not conditional]
    try:
        return formula_of(schemas, location.document, annotate_formats=annotate_formats)
    except NoFormulaError:
        return None


class _FormulaReader:
    def __init__(self, document: SchemaDocument, *, annotate_formats: bool) -> None:
        self._document = document
        self._annotate_formats = annotate_formats
        self._size = 0

    def read(self, schema: JsonSchema) -> Formula:
        self._size += 1
        if self._size > _LARGEST_FORMULA:
            raise NoFormulaError("too many conditions")
        if isinstance(schema, bool):
            return EVERY if schema else NONE
        keywords = effective(schema, self._document.dialect)
        if "$dynamicRef" in keywords or "$recursiveRef" in keywords:
            raise NoFormulaError("a dynamic reference")
        found = list(self._own(keywords))
        if "$ref" in keywords:
            found.append(self.read(self._document.target_of(schema)))
        found += map(self.read, keywords.get("allOf", ()))
        if "anyOf" in keywords:
            found.append(any_of(map(self.read, keywords["anyOf"])))
        if "oneOf" in keywords:
            found.append(Formula("one", tuple(map(self.read, keywords["oneOf"]))))
        if "not" in keywords:
            found.append(negation(self.read(keywords["not"])))
        if "if" in keywords:
            branches = [self.read(keywords.get(name, True)) for name in ("if", "then", "else")]
            found.append(Formula("choose", tuple(branches)))
        return all_of(found)

    def _own(self, keywords: Mapping[str, Any]) -> Iterable[Formula]:
        if "type" in keywords and "string" not in stated_types(keywords["type"]):
            yield NONE
        for values in ([keywords["const"]] if "const" in keywords else None, keywords.get("enum")):
            if values is not None:
                yield among(value for value in values if isinstance(value, str))
        if "pattern" in keywords:
            yield matching(keywords["pattern"])
        if "minLength" in keywords:
            yield _at_least(keywords["minLength"])
        if "maxLength" in keywords:
            yield negation(_at_least(keywords["maxLength"] + 1))
        names = ["contentEncoding", "contentMediaType"]
        for name in names if self._annotate_formats else [*names, "format"]:
            if name in keywords:
                yield Formula("atom", atom=("unknown", canonical_json([name, keywords[name]])))


def _at_least(length: int) -> Formula:
    return EVERY if length <= 0 else Formula("atom", atom=("length", int(length)))


@dataclass(frozen=True)
class Answer:
    """Whether one set of strings lies within another.

    Attributes:
        contained: Proven.
        example: A string that is likely in the one and not in the other, if one was found.
    """

    contained: bool
    example: str | None = None


class TextSets:
    """Answers questions about sets of strings, each within bounds; automata are kept between.

    Nothing is shared between threads: one belongs to one comparison.
    """

    def __init__(self, *, within: Budget | None = None) -> None:
        """Start with no automaton built.

        Args:
            within: A budget that all answers together are taken from.
        """
        self._budget = Budget(steps=_STEPS_OF_ALL, seconds=_SECONDS_OF_ALL, within=within)
        self._walkers: dict[Atom, Walker | None] = {}
        self._answers: dict[tuple[Formula, Formula], Answer] = {}

    def within(self, narrow: Formula, wide: Formula) -> Answer:
        """Return whether every text of one formula is of another."""
        key = (narrow, wide)
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = self._within(narrow, wide)
        return known

    def _within(self, narrow: Formula, wide: Formula) -> Answer:
        if narrow == NONE or wide in (EVERY, narrow):
            return Answer(contained=True)
        atoms = list(dict.fromkeys(_atoms(narrow, wide)))
        walked = {atom: walker for atom in atoms if (walker := self._walker(atom)) is not None}
        unknown = [atom for atom in atoms if atom not in walked]
        if len(unknown) > _MOST_UNKNOWN:
            return Answer(contained=False)
        try:
            budget = Budget(steps=_STEPS, seconds=_SECONDS, within=self._budget)
            return _Walk(narrow, wide, walked, unknown, budget).explore()
        except WorkSpentError:
            return Answer(contained=False)

    def _walker(self, atom: Atom) -> Walker | None:
        if atom not in self._walkers:
            self._walkers[atom] = _walker_of(atom)
        return self._walkers[atom]


def _walker_of(atom: Atom) -> Walker | None:
    kind, value = atom
    if kind == "pattern":
        try:
            return PatternWalker(value)
        except NotRegularError:
            return None
    if kind == "length":
        return LengthWalker(value) if value <= _LONGEST_LENGTH else None
    if kind == "texts" and sum(map(len, value)) <= _MOST_TEXTS:
        return TextsWalker(value)
    return None


def _atoms(*formulas: Formula) -> Iterable[Atom]:
    for formula in formulas:
        if formula.atom is not None:
            yield formula.atom
        yield from _atoms(*formula.members)


class _Walk:
    """One walk through the automata of two formulas."""

    def __init__(
        self,
        narrow: Formula,
        wide: Formula,
        walked: Mapping[Atom, Walker],
        unknown: list[Atom],
        budget: Budget,
    ) -> None:
        self._narrow, self._wide = narrow, wide
        self._budget = budget
        self._atoms = list(walked)
        self._walkers = list(walked.values())
        self._unknown = unknown
        self._codes = _representatives(
            {ranges for walker in self._walkers for ranges in walker.alphabet}, self._budget
        )

    def explore(self) -> Answer:
        start = tuple(walker.start for walker in self._walkers)
        seen = {start}
        layer = [(start, "")]
        while layer:
            following: list[tuple[tuple[int, ...], str]] = []
            for states, text in layer:
                self._budget.spend(len(states) + 4)
                if self._differs(states):
                    return Answer(contained=False, example=text)
                if self._is_settled(states):
                    continue
                for code in self._codes:
                    after = tuple(
                        walker.step(state, code, self._budget)
                        for walker, state in zip(self._walkers, states, strict=True)
                    )
                    self._budget.spend()
                    if after not in seen:
                        seen.add(after)
                        following.append((after, text + chr(code)))
            layer = following
        return Answer(contained=True)

    def _differs(self, states: tuple[int, ...]) -> bool:
        """Whether a text that ends here may be in the one and not in the other."""
        known: dict[Atom, bool | None] = {
            atom: walker.accepts(state)
            for atom, walker, state in zip(self._atoms, self._walkers, states, strict=True)
        }
        for chosen in itertools.product((True, False), repeat=len(self._unknown)):
            known.update(zip(self._unknown, chosen, strict=True))
            if _value(self._narrow, known) and not _value(self._wide, known):
                return True
        return False

    def _is_settled(self, states: tuple[int, ...]) -> bool:
        """Whether no longer text can tell the two apart."""
        known = {
            atom: walker.settled(state)
            for atom, walker, state in zip(self._atoms, self._walkers, states, strict=True)
        }
        return _value(self._narrow, known) is False or _value(self._wide, known) is True


def _value(formula: Formula, known: Mapping[Atom, bool | None]) -> bool | None:
    """Evaluate a formula in three-valued logic; an atom not known is None."""
    if formula.atom is not None:
        return known.get(formula.atom)
    if formula.connective == "choose":
        condition, holding, otherwise = (_value(member, known) for member in formula.members)
        if condition is None:
            return holding if holding == otherwise else None
        return holding if condition else otherwise
    values = [_value(member, known) for member in formula.members]
    if formula.connective == "not":
        return None if values[0] is None else not values[0]
    if formula.connective == "one":
        if values.count(True) > 1:
            return False
        return None if None in values else values.count(True) == 1
    decisive = formula.connective == "any"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _representatives(alphabet: set[Ranges], budget: Budget) -> list[int]:
    """Return one character of each class that no automaton tells apart, readable where possible."""
    edges = {0, 0xD800, 0xE000, *map(ord, "0:A[a{ ~\x7f")}
    for ranges in alphabet:
        for low, high in ranges:
            edges |= {low, high + 1}
    starts = sorted(edge for edge in edges if edge <= LAST_CHARACTER)
    sets = list(alphabet)
    budget.spend(len(starts) * (1 + len(sets)) // 16)
    found: dict[tuple[bool, ...], int] = {}
    for start in sorted(starts, key=_readability):
        if 0xD800 <= start < 0xE000:
            # Lone surrogates are no text.
            continue
        signature = tuple(any(low <= start <= high for low, high in ranges) for ranges in sets)
        found.setdefault(signature, start)
        if len(found) > _MOST_CLASSES:
            raise WorkSpentError
    return list(found.values())


def _readability(code: int) -> tuple[int, int]:
    character = chr(code)
    if character.isascii() and character.isalnum():
        return (0, -code)
    return (1 if 0x20 < code < 0x7F else 2, code)
