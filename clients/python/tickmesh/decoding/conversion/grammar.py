"""The exact forms of JSON scalars, as expressions that RE2 and Python read alike."""

from __future__ import annotations

import re
from typing import Final

INTEGER: Final = r"-?(0|[1-9][0-9]*)"
NUMBER: Final = rf"{INTEGER}(\.[0-9]+)?([eE][+-]?[0-9]+)?"
SHORT_INTEGER: Final = r"-?(0|[1-9][0-9]{0,17}|[1-8][0-9]{18})"
"""Whole numbers that surely fit int64: up to 18 digits, or 19 that do not begin with 9."""

NUMBER_PATTERN: Final = re.compile(NUMBER)
NONFINITE_PATTERN: Final = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)

DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
OFFSET: Final = r"(Z|[+-][0-9]{2}:[0-9]{2})"


def whole(pattern: str) -> str:
    """The expression anchored at both ends, for RE2."""
    return rf"\A(?:{pattern})\z"
