"""Conditions on rows as text, in the words of SQL's WHERE.

    condition  = conjunction { OR conjunction }
    conjunction = term { AND term }
    term       = NOT term | "(" condition ")" | test
    test       = column ( = | == | != | <> | < | <= | > | >= ) value
               | column [ NOT ] IN "(" value { "," value } ")"
               | column [ NOT ] BETWEEN value AND value
               | column IS [ NOT ] NULL
    column     = word | "any name"
    value      = number | 'text' | TRUE | FALSE | TIMESTAMP 'instant' | DECIMAL 'number'

AND binds tighter than OR, as in SQL; the filters of the registry's listings (AIP-160) have it the
other way round, which is why they are another language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tickmesh._ticks.filters import Filter, col
from tickmesh._ticks.time_arguments import instant_ns
from tickmesh._ticks.values import ExactInstant
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh._ticks.filters import Column, Operator
    from tickmesh._ticks.time_arguments import TimeZone

_MAX_CHARACTERS = 4_096
_MAX_NESTING = 32
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>[^\W\d]\w*(?:\.\w+)*)
    | (?P<sign><=|>=|<>|!=|==|[=<>(),])
    | (?P<end>$)
    )""",
    re.VERBOSE,
)
_COMPARISONS: Mapping[str, Operator] = {
    "=": "==",
    "==": "==",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_KEYWORDS = frozenset(
    {"and", "or", "not", "in", "between", "is", "null", "true", "false", "timestamp", "decimal"}
)
_EXAMPLE = "price > 100 and symbol in ('AAPL', 'MSFT')"


def parse_filter(text: str, *, tz: TimeZone | None = None) -> Filter:
    """Read a condition.

    Args:
        text: The condition, for example `price > 100 and symbol = 'AAPL'`.
        tz: The zone of TIMESTAMP values that name none.

    Raises:
        InvalidArgumentError: it is no condition; says where it goes wrong.
    """
    if len(text) > _MAX_CHARACTERS:
        raise InvalidArgumentError(
            f"a condition has at most {_MAX_CHARACTERS} characters; it had {len(text)}. "
            "Select by symbols= where it lists symbols."
        )
    parser = _Parser(text, tz)
    condition = parser.condition()
    parser.expect_end()
    return condition


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    @property
    def keyword(self) -> str:
        """The word in lower case, if it is one of the language."""
        lower = self.text.lower()
        return lower if self.kind == "word" and lower in _KEYWORDS else ""


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, text: str, tz: TimeZone | None) -> None:
        self._text = text
        self._tz = tz
        self._nesting = 0
        self._token = self._read(0)

    def condition(self) -> Filter:
        condition = self._conjunction()
        while self._skip("or"):
            condition = condition | self._conjunction()
        return condition

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise self._mistake("expected AND, OR or the end")

    def _conjunction(self) -> Filter:
        condition = self._term()
        while self._skip("and"):
            condition = condition & self._term()
        return condition

    def _term(self) -> Filter:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._mistake(
                f"expected at most {_MAX_NESTING} parentheses and NOTs in each other"
            )
        try:
            if self._skip("not"):
                return ~self._term()
            if self._skip("("):
                condition = self.condition()
                self._expect(")")
                return condition
            return self._test()
        finally:
            self._nesting -= 1

    def _test(self) -> Filter:
        column = self._column()
        if self._skip("is"):
            negated = self._skip("not")
            self._expect("null")
            return column.is_not_null() if negated else column.is_null()
        negated = self._skip("not")
        if self._skip("in"):
            condition = column.isin(self._values())
        elif self._skip("between"):
            low = self._value()
            self._expect("and")
            condition = column.between(low, self._value())
        elif negated:
            raise self._mistake("expected IN or BETWEEN behind NOT")
        else:
            return self._comparison(column)
        return ~condition if negated else condition

    def _comparison(self, column: Column) -> Filter:
        token = self._take()
        operator = _COMPARISONS.get(token.text) if token.kind == "sign" else None
        if operator is None:
            raise self._mistake("expected = != < <= > >=, IN, BETWEEN or IS", token)
        return column.compared(operator, self._value())

    def _column(self) -> Column:
        token = self._take()
        if token.kind == "quoted":
            return col(token.text[1:-1].replace('""', '"'))
        if token.kind != "word" or token.keyword:
            raise self._mistake("expected a column's name", token)
        return col(token.text)

    def _values(self) -> list[Any]:
        self._expect("(")
        values = [self._value()]
        while self._skip(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        token = self._take()
        if token.kind == "number":
            return int(token.text) if re.fullmatch(r"[+-]?\d+", token.text) else float(token.text)
        if token.kind == "text":
            return _unquoted(token)
        if token.keyword in {"true", "false"}:
            return token.keyword == "true"
        if token.keyword in {"timestamp", "decimal"}:
            return self._typed(token.keyword)
        if token.keyword == "null":
            raise self._mistake("expected a value; for missing ones write IS NULL", token)
        if token.kind in {"quoted", "word"}:
            bare = token.text.strip('"')
            raise self._mistake(f"expected a value; text stands in single quotes: '{bare}'", token)
        raise self._mistake("expected a value", token)

    def _typed(self, kind: str) -> Any:
        token = self._take()
        if token.kind != "text":
            raise self._mistake(f"expected a value in single quotes behind {kind.upper()}", token)
        text = _unquoted(token)
        if kind == "timestamp":
            return ExactInstant(instant_ns(text, tz=self._tz, name="TIMESTAMP"))
        try:
            return Decimal(text)
        except InvalidOperation:
            raise self._mistake("expected a decimal number", token) from None

    def _skip(self, what: str) -> bool:
        """Take the next token if it is this one."""
        if what in (self._token.keyword, self._token.text if self._token.kind == "sign" else ""):
            self._take()
            return True
        return False

    def _expect(self, what: str) -> None:
        if not self._skip(what):
            raise self._mistake(f"expected {what.upper()}")

    def _take(self) -> _Token:
        token = self._token
        if token.kind != "end":
            self._token = self._read(token.position + len(token.text))
        return token

    def _read(self, position: int) -> _Token:
        match = _TOKEN.match(self._text, position)
        if match is None:
            rest = self._text[position:].lstrip()
            token = _Token("unknown", rest[:1], len(self._text) - len(rest))
            if rest[:1] in "'\"":
                raise self._mistake(f"the text that begins with {rest[:1]} does not end", token)
            raise self._mistake("this has no place in a condition", token)
        kind = match.lastgroup or "end"
        return _Token(kind, match[kind], match.start(kind))

    def _mistake(self, expected: str, token: _Token | None = None) -> InvalidArgumentError:
        token = token or self._token
        came = "the end" if token.kind == "end" else token.text
        return InvalidArgumentError(
            f"the condition goes wrong at character {token.position + 1} ({came}): {expected}. "
            f"An example: {_EXAMPLE}",
            metadata={"position": str(token.position), "came": came},
        )


def _unquoted(token: _Token) -> str:
    return token.text[1:-1].replace("''", "'")
