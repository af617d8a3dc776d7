"""Regular expressions a schema may use: ECMA-262, bounded, no engine's private dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import SchemaError
from tickmesh.schema.keywords import SUBSCHEMA_KEYWORDS, children

if TYPE_CHECKING:
    from tickmesh.schema.keywords import Dialect

_SURROGATE_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)

_NOT_ECMA = (
    (re.compile(r"\(\?[a-zA-Z-]+[:)]"), "inline flags such as (?i)"),
    (re.compile(r"(?<!\\)(?:\\\\)*\\[AzZQEGCRXh]"), "escapes such as \\A, \\z, \\Q"),
    (re.compile(r"\[\[:\w+:\]"), "POSIX classes such as [[:alpha:]]"),
    (re.compile(r"(?<!\\)(?:[*+?]|\{\d+(?:,\d*)?\})\+"), "possessive quantifiers"),
    (re.compile(r"\(\?(?:>|P[<=>]|#|R|\d)"), "atomic groups, (?P<name>), recursion or comments"),
)


def check_pattern(pattern: str, *, max_length: int, pointer: str) -> None:
    """Refuse a pattern that is too long, no ECMA-262, or not compilable within bounds.

    Raises:
        SchemaError: PATTERN_TOO_LONG or INVALID_PATTERN.
    """
    if len(pattern) > max_length:
        raise SchemaError(
            "PATTERN_TOO_LONG",
            f"the pattern has {len(pattern)} characters; at most {max_length} are taken",
            pointer=pointer,
        )
    for construct, name in _NOT_ECMA:
        if construct.search(
            _without_classes(pattern) if "[" not in construct.pattern[:3] else pattern
        ):
            raise SchemaError(
                "INVALID_PATTERN",
                f"the pattern uses {name}, which ECMA-262 does not know; write it out",
                pointer=pointer,
            )
    import jsonschema_rs

    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except ValueError:
        raise SchemaError(
            "INVALID_PATTERN",
            "the pattern is no regular expression of ECMA-262, or needs too much memory",
            pointer=pointer,
        ) from None


def _without_classes(pattern: str) -> str:
    """Replace character classes, whose content would look like quantifiers, by a dot."""
    return re.sub(r"(?<!\\)\[\^?\]?(?:\\.|[^\]\\])*\]", ".", pattern)


def for_oracle(pattern: str) -> str:
    r"""Return the same pattern where jsonschema-rs reads it otherwise than ECMA-262 does.

    Its ``.`` matches a carriage return and the Unicode line ends, and it knows no surrogate pair
    (``\uD83D\uDE00``). Whoever judges with that library gives it patterns in this form.
    """
    parts, position, in_class = [], 0, False
    while position < len(pattern):
        pair = _SURROGATE_PAIR.match(pattern, position)
        if pair:
            code = paired_surrogates(int(pair[1], 16), int(pair[2], 16))
            parts.append(f"\\u{{{code:x}}}")
            position = pair.end()
            continue
        step = 2 if pattern[position] == "\\" else 1
        piece = pattern[position : position + step]
        parts.append(r"[^\n\r\u2028\u2029]" if piece == "." and not in_class else piece)
        in_class = piece == "[" or (in_class and piece != "]")
        position += step
    return "".join(parts)


def paired_surrogates(high: int, low: int) -> int:
    """Return the code point that two surrogates stand for."""
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)


_PATTERNED = SUBSCHEMA_KEYWORDS | {"pattern"}


def with_oracle_patterns(schema: Any, dialect: Dialect, *, written: dict[str, str]) -> Any:
    """Return a schema with its patterns as `for_oracle` has them; itself if they all stay.

    Args:
        schema: A schema; it is not changed.
        dialect: Its dialect.
        written: Takes up what stood there of each pattern that is rewritten, for messages.
    """
    if not isinstance(schema, dict):
        return schema
    if _PATTERNED.isdisjoint(schema):
        return schema
    changed = dict(schema)
    differs = False
    for path, child in children(schema, dialect):
        rewritten = with_oracle_patterns(child, dialect, written=written)
        if rewritten is child:
            continue
        differs = True
        keyword = str(path[0])
        if len(path) == 1:
            changed[keyword] = rewritten
            continue
        if changed[keyword] is schema[keyword]:
            held = schema[keyword]
            changed[keyword] = list(held) if isinstance(held, list) else dict(held)
        changed[keyword][path[1]] = rewritten
    if isinstance(schema.get("pattern"), str):
        changed["pattern"] = _noted(schema["pattern"], written)
        differs = differs or changed["pattern"] != schema["pattern"]
    patterned = changed.get("patternProperties")
    if isinstance(patterned, dict):
        changed["patternProperties"] = {
            _noted(pattern, written): member for pattern, member in patterned.items()
        }
        differs = differs or changed["patternProperties"].keys() != patterned.keys()
    return changed if differs else schema


def _noted(pattern: str, written: dict[str, str]) -> str:
    rewritten = for_oracle(pattern)
    if rewritten != pattern:
        written[rewritten] = pattern
    return rewritten
