"""Schemas with rules, rows to judge, and verdicts in a form that is easily compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.schema import parse_schema, project
from tickmesh_cleaner.rules import RuleState, compile_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_cleaner.rules import RuleSet, Ruling

START_NS = 1_710_000_000_000_000_000

FIELDS: dict[str, dict[str, Any]] = {
    "ts": {"type": "integer", "arrow": "timestamp[ns, UTC]"},
    "symbol": {"type": "string"},
    "price": {"type": "number"},
    "bid": {"type": "number"},
    "ask": {"type": "number"},
    "condition": {"type": "string"},
    "id": {"type": "integer"},
}


@dataclass(frozen=True)
class Verdicts:
    """What became of each row: the codes it was refused for, left out or flagged."""

    held: Mapping[int, tuple[str, ...]]
    dropped: tuple[int, ...]
    flags: tuple[int, ...]

    @classmethod
    def of(cls, ruling: Ruling) -> Verdicts:
        held = {
            row: tuple(reason.code for reason in reasons) for row, reasons in ruling.held.items()
        }
        return cls(held, tuple(ruling.dropped), tuple(ruling.flags.tolist()))


@dataclass(frozen=True)
class Table:
    """Compiled rules and the columns they were compiled for."""

    rules: RuleSet
    columns: pa.Schema

    def batch(self, rows: Sequence[Mapping[str, object]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=self.columns)

    def judge(self, rows: Sequence[Mapping[str, object]]) -> Ruling:
        return self.rules.judge(self.batch(rows), RuleState())

    def judge_whole(self, rows: Sequence[Mapping[str, object]]) -> Ruling:
        return self.rules.judge_whole(pa.Table.from_batches([self.batch(rows)]))

    def verdicts_in_pieces(self, rows: Sequence[Mapping[str, object]], piece: int) -> Verdicts:
        """The same rows in batches of a few, the state kept as text between them."""
        whole = self.batch(rows)
        bounds = [*range(0, len(rows), piece), len(rows)]
        text = ""
        held: dict[int, tuple[str, ...]] = {}
        dropped: list[int] = []
        flags: list[int] = []
        for start, stop in pairwise(bounds):
            ruling = self.rules.judge(whole.slice(start, stop - start), RuleState.from_text(text))
            text = ruling.after.to_text()
            found = Verdicts.of(ruling)
            held |= {start + row: codes for row, codes in found.held.items()}
            dropped += [start + row for row in found.dropped]
            flags += found.flags
        return Verdicts(held, tuple(dropped), tuple(flags))


def table(
    row_rules: Mapping[str, object] | None = None,
    **fields: Mapping[str, object],
) -> Table:
    """Rows of `FIELDS` with rules.

    Args:
        row_rules: Keywords of the row.
        fields: More keywords of fields.
    """
    properties: dict[str, Any] = {name: dict(schema) for name, schema in FIELDS.items()}
    for name, keywords in fields.items():
        properties[name] = {**properties.get(name, {}), **keywords}
    text = json.dumps({"type": "object", "properties": properties, **(row_rules or {})})
    document = parse_schema(text)
    columns = project(document, subject="ticks.test", version=1)
    return Table(compile_rules(document, columns), columns)


def at(seconds: float) -> int:
    """An instant, in nanoseconds."""
    return START_NS + round(seconds * 1e9)


def stamp(ns: int) -> Any:
    """An instant as a cell."""
    return pa.scalar(ns, pa.timestamp("ns", "UTC")).as_py()
