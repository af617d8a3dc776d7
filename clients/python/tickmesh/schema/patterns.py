"""Regular expressions a schema may use: ECMA-262, bounded, no engine's private dialect."""

from __future__ import annotations

import re

from tickmesh.schema.errors import SchemaError

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
