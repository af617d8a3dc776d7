"""Tables of condition codes: versioned data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROPERTIES = (
    "updates_volume",
    "updates_high_low",
    "updates_last",
    "late",
    "out_of_hours",
    "cancel",
)
"""What a table says of a code: whether such a trade counts for the consolidated volume, for the
high and low, for the last price; whether it is reported late or out of its order; whether it was
made outside the regular hours; whether it takes an earlier trade back."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_CODES = 1_000
_KEYS = {"name", "version", "separator", "padding", "codes"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code says: its name in words, and which of `PROPERTIES` it has."""

    name: str
    properties: frozenset[str]


@dataclass(frozen=True, slots=True)
class ConditionTable:
    """The codes of one feed.

    Attributes:
        name: Its name.
        version: The version of its data.
        codes: What each code means.
        separator: What stands between the codes of a text; empty when each character is one, None
            when the whole text is one code.
        padding: Characters that are no codes.
    """

    name: str
    version: str
    codes: Mapping[str, Meaning]
    separator: str | None
    padding: str

    def codes_of(self, text: str) -> Sequence[str]:
        """The codes of a condition."""
        if self.separator is None:
            return [text]
        parts = list(text) if not self.separator else text.split(self.separator)
        return [part for part in parts if part and part not in self.padding]


@lru_cache(maxsize=16)
def shipped_table(name: str) -> ConditionTable | None:
    """A table that comes with the cleaner; None when there is none of this name."""
    if not _NAME.fullmatch(name) or name not in shipped_tables():
        return None
    return table_of(json.loads((_folder() / f"{name}.json").read_text("utf-8")), refuse=_damaged)


def shipped_tables() -> tuple[str, ...]:
    """The tables that come with the cleaner."""
    return tuple(sorted(file.name.removesuffix(".json") for file in _folder().iterdir()))


def table_of(data: Mapping[str, Any], *, refuse: Any) -> ConditionTable:
    """Read a table.

    Args:
        data: The table as JSON has it.
        refuse: Raises the right error, given a message and the path to what is wrong.
    """
    for name in data:
        if name not in _KEYS:
            refuse(f"a table has no {name!r}; it has {', '.join(sorted(_KEYS))}", name)
    codes = data.get("codes")
    if not isinstance(codes, dict) or not 1 <= len(codes) <= _MOST_CODES:
        refuse(f"expected an object of 1 to {_MOST_CODES} codes", "codes")
        raise AssertionError
    separator = data.get("separator")
    if separator is not None and not isinstance(separator, str):
        refuse("expected text, or null where the whole text is one code", "separator")
    padding = data.get("padding", "")
    if not isinstance(padding, str):
        refuse("expected text", "padding")
    for key in ("name", "version"):
        if not _NAME.fullmatch(str(data.get(key, "custom"))):
            refuse("expected letters, digits, dots and dashes", key)
    return ConditionTable(
        name=str(data.get("name", "custom")),
        version=str(data.get("version", "1")),
        codes={code: _meaning(value, refuse, "codes", code) for code, value in codes.items()},
        separator=separator,
        padding=padding,
    )


def _meaning(value: Any, refuse: Any, *path: object) -> Meaning:
    if not isinstance(value, dict) or not isinstance(value.get("name", ""), str):
        refuse("expected an object with a name and properties", *path)
    for key, holds in value.items():
        if key != "name" and (key not in PROPERTIES or not isinstance(holds, bool)):
            refuse(f"expected name, or one of {', '.join(PROPERTIES)} as a boolean", *path, key)
    return Meaning(
        name=value.get("name", ""),
        properties=frozenset(key for key, holds in value.items() if holds is True),
    )


def _damaged(message: str, *path: object) -> None:
    raise AssertionError(f"a shipped table is damaged at {path}: {message}")


def _folder() -> Any:
    return resources.files(__package__) / "condition_tables"
