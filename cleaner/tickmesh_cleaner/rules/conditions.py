"""`x-tick-conditions`: condition codes are known, and mark rows that are fit for use.

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule T2: delete entries with an abnormal sale condition. What is abnormal depends on the
venue and on the use, so it is asked of a table: which codes there are, and what each means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh_cleaner.rules.condition_table import (
    PROPERTIES,
    ConditionTable,
    shipped_table,
    shipped_tables,
    table_of,
)
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Rows


class Conditions(Rule):
    """A condition with a code that is not in the table, or that lacks what is required."""

    keyword = "x-tick-conditions"
    stands_at = "field"
    shorthand = "table"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._name = parameters.own_field(holds="text")
        self._table = _table(parameters)
        self._require = _properties(parameters, "require")
        self._forbid = _properties(parameters, "forbid")
        self._unknown = parameters.choice("unknown", ("refuse", "allow"), default="refuse")
        self.data_version = f"{self._table.name} {self._table.version}"
        self.severity = parameters.severity(default=Severity.REJECT, allowed=REJECT_OR_FLAG)

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - it keeps none
        """See `Rule.judge`."""
        column = rows.column(self._name)
        if not pt.is_dictionary(column.type):
            column = column.dictionary_encode()
        # Each distinct condition is looked at once, however many rows hold it.
        wrong = [
            text is not None and bool(self._wrong(text)) for text in column.dictionary.to_pylist()
        ]
        if not any(wrong):
            return ()
        by_code: Booleans = np.array([*wrong, False])
        codes = column.indices.cast(pa.int64()).fill_null(len(wrong)).to_numpy()
        return breach(
            "TICK_CONDITION", by_code[codes], lambda row: self._wrong(column[row].as_py())
        )

    def _wrong(self, text: str) -> str:
        """What is wrong with a condition; empty when nothing is."""
        for code in self._table.codes_of(text):
            meaning = self._table.codes.get(code)
            if meaning is None:
                if self._unknown == "allow":
                    continue
                return (
                    f"{text!r} has the code {code!r}, which {self._table.name} "
                    f"{self._table.version} does not know"
                )
            for wanted, names in ((True, self._require), (False, self._forbid)):
                for name in names:
                    if (name in meaning.properties) is not wanted:
                        has = "is not" if wanted else "is"
                        return f"{text!r}: {code!r} ({meaning.name}) {has} {name}"
        return ""


def _table(parameters: Parameters) -> ConditionTable:
    value = parameters.given("table")
    if isinstance(value, dict):
        return table_of(
            value, refuse=lambda message, *path: parameters.refuse(message, "table", *path)
        )
    known = shipped_table(value) if isinstance(value, str) else None
    if known is None:
        names = ", ".join(shipped_tables())
        parameters.refuse(
            f"expected a table as an object, or the name of one of these: {names}", "table"
        )
    return known


def _properties(parameters: Parameters, name: str) -> tuple[str, ...]:
    value = parameters.given(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        parameters.refuse(f"expected a list of {', '.join(PROPERTIES)}", name)
    for place, each in enumerate(value):
        if each not in PROPERTIES:
            parameters.refuse(f"expected one of {', '.join(PROPERTIES)}", name, place)
    return tuple(value)
