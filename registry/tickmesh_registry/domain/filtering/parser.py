"""The grammar of filters.

    expression  = sequence { "AND" sequence }
    sequence    = factor { factor }
    factor      = term { "OR" term }
    term        = [ "NOT" | "-" ] ( "(" expression ")" | restriction )
    restriction = field comparator value

OR binds tighter than AND, and factors that merely follow each other are joined by AND: so it
stands in AIP-160.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias

from .fields import FieldKind, FilterField, Record
from .mistake import mistake
from .restriction import Comparator, Restriction, is_argument, restriction_of
from .tokens import Token, TokenKind, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_NESTING = 32
"""Deepest nesting of parentheses and negations."""
MAX_RESTRICTIONS = 100
"""Most comparisons in one filter."""

_KEYWORDS = frozenset({"AND", "OR", "NOT"})


@dataclass(frozen=True, slots=True)
class Filter(Generic[Record]):
    """What a listing may hold.

    Attributes:
        matches: Says whether a record is wanted.
        fields: The names of the fields it reads.
        demands: Restrictions that every record that matches fulfils; a store may use them to
            look at fewer records, never instead of `matches`.
    """

    matches: Callable[[Record], bool]
    fields: frozenset[str]
    demands: tuple[Restriction[Record], ...]


@dataclass(frozen=True, slots=True)
class _Every(Generic[Record]):
    members: tuple[_Node[Record], ...]


@dataclass(frozen=True, slots=True)
class _Any(Generic[Record]):
    members: tuple[_Node[Record], ...]


@dataclass(frozen=True, slots=True)
class _Not(Generic[Record]):
    member: _Node[Record]


_Node: TypeAlias = Restriction[Record] | _Every[Record] | _Any[Record] | _Not[Record]


def parse_filter(text: str, fields: Sequence[FilterField[Record]]) -> Filter[Record]:
    """Read a filter; the empty one matches everything.

    Raises:
        InvalidArgumentError: It is no filter over these fields; names the position.
    """
    parser = _Parser(tokens_of(text), fields)
    if parser.at_end():
        return Filter(lambda _: True, frozenset(), ())
    node = parser.whole()
    demands = node.members if isinstance(node, _Every) else (node,)
    return Filter(
        _compiled(node),
        frozenset(parser.read),
        tuple(each for each in demands if isinstance(each, Restriction)),
    )


def _compiled(node: _Node[Record]) -> Callable[[Record], bool]:
    if isinstance(node, Restriction):
        return node.test()
    if isinstance(node, _Not):
        negated = _compiled(node.member)
        return lambda record: not negated(record)
    tests: tuple[Callable[[Record], bool], ...] = tuple(map(_compiled, node.members))
    if isinstance(node, _Every):
        return lambda record: all(test(record) for test in tests)
    return lambda record: any(test(record) for test in tests)


class _Parser(Generic[Record]):
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[Token], fields: Sequence[FilterField[Record]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._fields = {field.name: field for field in fields}
        self._nesting = 0
        self._restrictions = 0
        self.read: set[str] = set()

    def at_end(self) -> bool:
        """Say whether nothing is left."""
        return self._next.kind is TokenKind.END

    def whole(self) -> _Node[Record]:
        """The expression that is the whole filter."""
        node = self._expression()
        if not self.at_end():
            raise mistake(self._next.position, f"expected AND or the end, got {self._next}")
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _is_keyword(self, keyword: str) -> bool:
        return self._next.kind is TokenKind.WORD and self._next.text == keyword

    def _expression(self) -> _Node[Record]:
        members = self._sequence()
        while self._is_keyword("AND"):
            self._take()
            members += self._sequence()
        return members[0] if len(members) == 1 else _Every(tuple(members))

    def _sequence(self) -> list[_Node[Record]]:
        members = [self._factor()]
        while not (self._next.kind in (TokenKind.END, TokenKind.CLOSE) or self._is_keyword("AND")):
            members.append(self._factor())
        return members

    def _factor(self) -> _Node[Record]:
        members = [self._term()]
        while self._is_keyword("OR"):
            self._take()
            members.append(self._term())
        return members[0] if len(members) == 1 else _Any(tuple(members))

    def _term(self) -> _Node[Record]:
        negations = 0
        while self._is_negation():
            negations += 1
        opened = self._next.kind is TokenKind.OPEN
        node: _Node[Record] = self._composite() if opened else self._restriction()
        return _Not(node) if negations % 2 else node

    def _is_negation(self) -> bool:
        if self._is_keyword("NOT"):
            self._take()
            return True
        token = self._next
        if token.kind is TokenKind.WORD and token.text.startswith("-"):
            if token.text == "-":
                self._take()
            else:
                self._tokens[self._place] = Token(
                    token.kind, token.text[1:], token.position + 1, token.end
                )
            return True
        return False

    def _composite(self) -> _Node[Record]:
        opening = self._take()
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise mistake(
                opening.position, f"expected at most {MAX_NESTING} parentheses within each other"
            )
        node = self._expression()
        if self._next.kind is not TokenKind.CLOSE:
            raise mistake(
                self._next.position,
                f"expected ')' for the '(' at position {opening.position}, got {self._next}",
            )
        self._take()
        self._nesting -= 1
        return node

    def _restriction(self) -> Restriction[Record]:
        field, key = self._field()
        comparator = self._next
        if comparator.kind is not TokenKind.COMPARATOR:
            raise mistake(
                comparator.position,
                f"expected = != < <= > >= or : behind {field.name}, got {comparator}; a value on "
                "its own is not searched for",
            )
        self._take()
        argument = self._next
        if not is_argument(argument) or self._is_bare_keyword(argument):
            raise mistake(
                argument.position, f"expected a value behind {comparator.text}, got {argument}"
            )
        self._take()
        self._restrictions += 1
        if self._restrictions > MAX_RESTRICTIONS:
            raise mistake(argument.position, f"expected at most {MAX_RESTRICTIONS} comparisons")
        self.read.add(field.name)
        return restriction_of(field, key, Comparator(comparator.text), argument)

    def _is_bare_keyword(self, token: Token) -> bool:
        return token.kind is TokenKind.WORD and token.text in _KEYWORDS

    def _field(self) -> tuple[FilterField[Record], str | None]:
        token = self._next
        if token.kind is not TokenKind.WORD or self._is_bare_keyword(token):
            raise mistake(token.position, f"expected a field ({self._names}), got {token}")
        self._take()
        known = self._fields.get(token.text)
        if known is not None:
            return known, None
        name, dot, key = token.text.partition(".")
        field = self._fields.get(name)
        if not dot or field is None or field.kind is not FieldKind.MAP:
            raise mistake(
                token.position, f"there is no field {token.text!r} here; there are {self._names}"
            )
        if not key and self._next.kind is TokenKind.QUOTED and self._next.position == token.end:
            key = self._take().text
        if not key:
            raise mistake(token.end, f"expected a key behind {name}., got {self._next}")
        return field, key

    @property
    def _names(self) -> str:
        return ", ".join(
            f"{field.name}.KEY" if field.kind is FieldKind.MAP else field.name
            for field in self._fields.values()
        )
