"""Why a row is bad: stable codes, where in the row, where in the schema."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Keywords whose code is not simply their name in upper snake case.
_CODES = {
    "falseSchema": "FALSE_SCHEMA",
    "$ref": "REFERENCE",
    "$dynamicRef": "REFERENCE",
    "if": "IF",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which a row is not valid.

    Attributes:
        code: Stable upper-snake code: the keyword (TYPE, MINIMUM, REQUIRED …); NONFINITE and
            DUPLICATE_KEY for cells that are no JSON; ORACLE_DISAGREES for a defect of ours.
        instance_path: JSON Pointer into the row.
        schema_path: JSON Pointer into the schema, empty when no keyword of it is to blame.
        message: What was expected and what came.
    """

    code: str
    instance_path: str
    schema_path: str
    message: str


@dataclass(frozen=True, slots=True)
class Site:
    """A keyword at a column: what one bit of the reason mask stands for.

    Attributes:
        code: As in `Reason`.
        instance_path: JSON Pointer into the row; ``*`` stands for any item of a list.
        schema_path: JSON Pointer into the schema.
    """

    code: str
    instance_path: str
    schema_path: str


def code_of(keyword: str) -> str:
    """The stable code of a keyword: ``exclusiveMinimum`` is EXCLUSIVE_MINIMUM."""
    if keyword in _CODES:
        return _CODES[keyword]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", keyword).upper()
