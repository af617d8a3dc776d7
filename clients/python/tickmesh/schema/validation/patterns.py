r"""ECMA-262 patterns as RE2, with the same matches or not at all.

JSON Schema's patterns are ECMA-262 with the ``u`` flag, searched for anywhere in the text.  RE2
differs in small things that change verdicts (``\s`` and ``.`` above all), and has neither
lookaround nor backreferences.  What cannot be said in RE2 with the same meaning is declined.
Property escapes (``\p{…}``) are declined too: two engines rarely have the same Unicode version.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.patterns import paired_surrogates

_REPEAT_LIMIT = 1000
_ANYTHING = r"[\x{0}-\x{10ffff}]"
_NOTHING = r"[^\x{0}-\x{10ffff}]"
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"

# What ECMA-262 calls white space and line terminators, as sorted ranges.
_SPACES = (
    (0x9, 0xD), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip


def _ranges(pairs: tuple[tuple[int, int], ...]) -> str:
    return "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in pairs)


def _complement(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    starts = [0, *(high + 1 for _, high in pairs)]
    ends = [*(low - 1 for low, _ in pairs), 0x10FFFF]
    return tuple(zip(starts, ends, strict=True))


# The inside of a character class for each class escape.
_CLASSES = {
    "d": "0-9",
    "D": r"\x{0}-\x{2f}\x{3a}-\x{10ffff}",
    "w": "0-9A-Za-z_",
    "W": r"\x{0}-\x{2f}\x{3a}-\x{40}\x{5b}-\x{5e}\x{60}\x{7b}-\x{10ffff}",
    "s": _ranges(_SPACES),
    "S": _ranges(_complement(_SPACES)),
}
_CONTROLS = {"t": 0x9, "n": 0xA, "v": 0xB, "f": 0xC, "r": 0xD}
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")


class _DeclinedError(Exception):
    """The pattern has no exact counterpart, or is no ECMA-262 pattern."""


def to_re2(pattern: str) -> str | None:
    """The RE2 pattern that finds a match in the same texts, or None when declined."""
    try:
        translated = _Translator(pattern).translate()
        # RE2 itself has the last word: size limits, repeats of repeats.
        pc.match_substring_regex(pa.array([""]), translated)
    except (_DeclinedError, pa.ArrowInvalid):
        return None
    return translated


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def translate(self) -> str:
        result = self._disjunction()
        if self._at < len(self._text):
            raise _DeclinedError("unmatched )")
        return result

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _DeclinedError("unexpected end")
        character = self._text[self._at]
        self._at += 1
        return character

    def _disjunction(self) -> str:
        parts = [self._alternative()]
        while self._take("|"):
            parts.append(self._alternative())
        return "|".join(parts)

    def _alternative(self) -> str:
        parts = []
        while self._at < len(self._text) and not self._peek("|") and not self._peek(")"):
            parts.append(self._term())
        return "".join(parts)

    def _term(self) -> str:
        if self._take("^"):
            return r"\A"
        if self._take("$"):
            return r"\z"
        for boundary in (r"\b", r"\B"):
            if self._take(boundary):
                return boundary
        return self._atom() + self._quantifier()

    def _atom(self) -> str:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._character_class()
        if character == ".":
            return f"[^{_LINE_ENDS}]"
        if character == "\\":
            return self._escape()
        if character in "*+?{}]":
            raise _DeclinedError(f"{character} stands alone")
        return _literal(ord(character))

    def _group(self) -> str:
        if self._take("?:"):
            pass
        elif self._peek("?<") and not self._peek("?<=") and not self._peek("?<!"):
            end = self._text.find(">", self._at)
            if not self._text[self._at + 2 : end].isidentifier():
                raise _DeclinedError("group name")
            self._at = end + 1
        elif self._peek("?"):
            raise _DeclinedError("lookaround or modifiers")
        inner = self._disjunction()
        if not self._take(")"):
            raise _DeclinedError("unclosed group")
        return f"(?:{inner})"

    def _quantifier(self) -> str:
        if self._at >= len(self._text) or self._text[self._at] not in "*+?{":
            return ""
        quantifier = self._next()
        if quantifier == "{":
            end = self._text.find("}", self._at)
            low, comma, high = self._text[self._at : max(end, self._at)].partition(",")
            if not _is_count(low) or (high and not _is_count(high)):
                raise _DeclinedError("repeat count")
            quantifier = f"{{{low}{comma}{high}}}"
            self._at = end + 1
        # A lazy quantifier finds a match in the same texts.
        self._take("?")
        return quantifier

    def _escape(self) -> str:
        if self._at < len(self._text) and self._text[self._at] in _CLASSES:
            return f"[{_CLASSES[self._next()]}]"
        return _literal(self._character_escape(in_class=False))

    def _character_escape(self, *, in_class: bool) -> int:
        character = self._next()
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _SYNTAX or (in_class and character == "-"):
            return ord(character)
        if in_class and character == "b":
            return 0x8
        if character == "0" and not self._text[self._at : self._at + 1].isdigit():
            return 0
        if character == "c":
            letter = self._next()
            if letter.isascii() and letter.isalpha():
                return ord(letter) % 32
        if character == "x":
            return self._hexadecimal(2)
        if character == "u":
            return self._unicode_escape()
        raise _DeclinedError(f"escape \\{character}")

    def _unicode_escape(self) -> int:
        if self._take("{"):
            end = self._text.find("}", self._at)
            code = self._hexadecimal(end - self._at)
            self._at += 1
        else:
            code = self._hexadecimal(4)
            if 0xD800 <= code < 0xDC00 and self._take(r"\u"):
                low = self._hexadecimal(4)
                if not 0xDC00 <= low < 0xE000:
                    raise _DeclinedError("surrogate without its pair")
                code = paired_surrogates(code, low)
        return code

    def _hexadecimal(self, digits: int) -> int:
        text = self._text[self._at : self._at + digits] if digits > 0 else ""
        if len(text) != digits or not text or any(c not in "0123456789abcdefABCDEF" for c in text):
            raise _DeclinedError("hexadecimal escape")
        self._at += digits
        return int(text, 16)

    def _character_class(self) -> str:
        negated = self._take("^")
        if self._take("]"):
            return _ANYTHING if negated else _NOTHING
        members = []
        while not self._take("]"):
            low = self._class_member()
            if self._peek("-") and not self._peek("-]"):
                self._at += 1
                high = self._class_member()
                if isinstance(low, str) or isinstance(high, str) or low > high:
                    raise _DeclinedError("class range")
                members.append(f"{_literal(low)}-{_literal(high)}")
            else:
                members.append(low if isinstance(low, str) else _literal(low))
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _class_member(self) -> int | str:
        character = self._next()
        if character != "\\":
            return _scalar(ord(character))
        if self._at < len(self._text) and self._text[self._at] in _CLASSES:
            return _CLASSES[self._next()]
        return self._character_escape(in_class=True)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _REPEAT_LIMIT


def _scalar(code: int) -> int:
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        raise _DeclinedError("surrogate or out of range")
    return code


def _literal(code: int) -> str:
    character = chr(_scalar(code))
    return character if character.isascii() and character.isalnum() else rf"\x{{{code:x}}}"
