"""Deterministic automata built as they are walked, for texts that a pattern finds a match in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tickmesh.schema.compatibility.pattern_syntax import (
    ANY_CHARACTER,
    Anchor,
    Characters,
    Choice,
    Node,
    NotRegularError,
    Ranges,
    Repeat,
    Sequence,
    parse_pattern,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.schema.compatibility.budget import Budget

_MOST_STATES = 2500
"""Automata of larger patterns are not built."""


class Walker(Protocol):
    """A deterministic automaton: states are numbers, found as they are reached."""

    @property
    def alphabet(self) -> frozenset[Ranges]:
        """The sets of characters it tells apart."""
        ...

    start: int

    def step(self, state: int, code: int, budget: Budget) -> int:
        """Return the state after one more character."""
        ...

    def accepts(self, state: int) -> bool:
        """Whether the text that led here is in the language."""
        ...

    def settled(self, state: int) -> bool | None:
        """Whether every longer text is accepted (True) or refused (False); None when open."""
        ...


class _Fragment:
    """A nondeterministic automaton under construction."""

    def __init__(self) -> None:
        self.moves: list[tuple[Ranges, int] | None] = []
        self.silent: list[list[int]] = []
        self.at_start: list[list[int]] = []
        self.at_end: list[list[int]] = []

    def state(self) -> int:
        if len(self.moves) >= _MOST_STATES:
            raise NotRegularError("the pattern is too large")
        self.moves.append(None)
        for edges in (self.silent, self.at_start, self.at_end):
            edges.append([])
        return len(self.moves) - 1

    def build(self, node: Node, start: int) -> int:
        """Add what a node matches behind a state; return where it ends."""
        if isinstance(node, Characters):
            end = self.state()
            before = self.state()
            self.silent[start].append(before)
            self.moves[before] = (node.ranges, end)
            return end
        if isinstance(node, Anchor):
            end = self.state()
            (self.at_start if node.at_start else self.at_end)[start].append(end)
            return end
        if isinstance(node, Sequence):
            for member in node.members:
                start = self.build(member, start)
            return start
        if isinstance(node, Choice):
            end = self.state()
            for member in node.members:
                branch = self.state()
                self.silent[start].append(branch)
                self.silent[self.build(member, branch)].append(end)
            return end
        return self._repeat(node, start)

    def _repeat(self, node: Repeat, start: int) -> int:
        for _ in range(node.least):
            start = self.build(node.member, start)
        if node.most is None:
            loop = self.state()
            self.silent[start].append(loop)
            self.silent[self.build(node.member, loop)].append(loop)
            return loop
        end = self.state()
        self.silent[start].append(end)
        for _ in range(node.least, node.most):
            start = self.build(node.member, start)
            self.silent[start].append(end)
        return end


class PatternWalker:
    """The texts in which a pattern finds a match, anywhere, as JSON Schema means it."""

    def __init__(self, pattern: str) -> None:
        """Build the automaton of a pattern.

        Raises:
            NotRegularError: The pattern is declined or too large.
        """
        self._parts = _Fragment()
        first = self._parts.state()
        begin = self._parts.state()
        self._parts.silent[first].append(begin)
        # A match may begin later: any character leads back to the beginning.
        self._parts.moves[first] = (ANY_CHARACTER, first)
        self._last = self._parts.build(parse_pattern(pattern), begin)
        self._alive = self._reaching_the_end()
        self.alphabet = frozenset(move[0] for move in self._parts.moves if move is not None)
        self._states: dict[tuple[frozenset[int], bool], int] = {}
        self._members: list[tuple[frozenset[int], bool]] = []
        self._steps: dict[tuple[int, int], int] = {}
        self._accepting: dict[int, bool] = {}
        self.start = self._number(self._closure({first}, at_start=True, at_end=False), start=True)

    def step(self, state: int, code: int, budget: Budget) -> int:
        """Return the state after one more character; see `Walker`."""
        key = (state, code)
        known = self._steps.get(key)
        if known is not None:
            return known
        members = self._members[state][0]
        budget.spend(1 + len(members) // 8)
        if self._last in members:
            self._steps[key] = state
            return state
        reached = {
            move[1]
            for member in members
            if (move := self._parts.moves[member]) is not None and _holds(move[0], code)
        }
        after = self._closure(reached, at_start=False, at_end=False) & self._alive
        result = self._steps[key] = self._number(after, start=False)
        return result

    def accepts(self, state: int) -> bool:
        """Whether the text so far is in the language; see `Walker`."""
        known = self._accepting.get(state)
        if known is None:
            members, at_start = self._members[state]
            ended = self._closure(set(members), at_start=at_start, at_end=True)
            known = self._accepting[state] = self._last in ended
        return known

    def settled(self, state: int) -> bool | None:
        """Whether nothing that follows can change the answer; see `Walker`."""
        members = self._members[state][0]
        if self._last in members:
            return True
        return None if members else False

    def _number(self, members: frozenset[int], *, start: bool) -> int:
        if self._last in members:
            members = frozenset({self._last})
        key = (members, start)
        if key not in self._states:
            self._states[key] = len(self._members)
            self._members.append(key)
        return self._states[key]

    def _closure(self, members: set[int], *, at_start: bool, at_end: bool) -> frozenset[int]:
        pending = list(members)
        found = set(members)
        while pending:
            member = pending.pop()
            following = list(self._parts.silent[member])
            if at_start:
                following += self._parts.at_start[member]
            if at_end:
                following += self._parts.at_end[member]
            for each in following:
                if each not in found:
                    found.add(each)
                    pending.append(each)
        return frozenset(found)

    def _reaching_the_end(self) -> frozenset[int]:
        """The states from which a match can still be completed, behind the start of the text."""
        before: list[list[int]] = [[] for _ in self._parts.moves]
        for state, move in enumerate(self._parts.moves):
            if move is not None:
                before[move[1]].append(state)
            for edges in (self._parts.silent, self._parts.at_end):
                for target in edges[state]:
                    before[target].append(state)
        found = {self._last}
        pending = [self._last]
        while pending:
            for each in before[pending.pop()]:
                if each not in found:
                    found.add(each)
                    pending.append(each)
        return frozenset(found)


class TextsWalker:
    """A finite set of texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Build the tree of their beginnings."""
        self.start = 0
        self._next: list[dict[int, int]] = [{}]
        self._ends: set[int] = set()
        for text in texts:
            state = 0
            for character in text:
                following = self._next[state]
                if ord(character) not in following:
                    following[ord(character)] = len(self._next)
                    self._next.append({})
                state = following[ord(character)]
            self._ends.add(state)
        self.alphabet = frozenset(((code, code),) for following in self._next for code in following)

    def step(self, state: int, code: int, budget: Budget) -> int:
        """Return the state after one more character; see `Walker`."""
        budget.spend()
        return -1 if state < 0 else self._next[state].get(code, -1)

    def accepts(self, state: int) -> bool:
        """Whether the text so far is one of them; see `Walker`."""
        return state in self._ends

    def settled(self, state: int) -> bool | None:
        """False when no text begins like this; see `Walker`."""
        return False if state < 0 else None


class LengthWalker:
    """The texts of at least so many characters; characters are code points."""

    alphabet: frozenset[Ranges] = frozenset()

    def __init__(self, least: int) -> None:
        """States count characters up to the bound."""
        self.start = 0
        self._least = least

    def step(self, state: int, code: int, budget: Budget) -> int:  # noqa: ARG002 - any will do
        """Return the state after one more character; see `Walker`."""
        budget.spend()
        return min(state + 1, self._least)

    def accepts(self, state: int) -> bool:
        """Whether the text is long enough; see `Walker`."""
        return state >= self._least

    def settled(self, state: int) -> bool | None:
        """True once it is long enough; see `Walker`."""
        return True if state >= self._least else None


def _holds(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)
