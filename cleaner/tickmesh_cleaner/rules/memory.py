"""What rules remember of the rows before: bounded, deterministic as text, never shared."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Column: TypeAlias = "NDArray[Any]"

SYMBOLS_KEPT = 16_384
"""How many symbols are remembered. Beyond it those seen longest ago are forgotten: their next row
is judged like the first of a symbol."""

_FORM = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """A value remembered for each symbol: its type, its shape, and what it is at first."""

    dtype: str
    fill: float | int
    shape: tuple[int, ...] = ()

    def column(self, rows: int) -> Column:
        """That value for several symbols, as it is at first."""
        return np.full((rows, *self.shape), self.fill, dtype=self.dtype)


@dataclass(slots=True)
class Memory:
    """What one rule remembers, to be changed while it judges.

    Attributes:
        cells: For each name one value a symbol: the first axis is the symbol's slot.
        ring: Arrays that belong to no symbol.
    """

    cells: dict[str, Column] = field(default_factory=dict)
    ring: dict[str, Column] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleState:
    """What all rules of a set remember after some batch. Immutable.

    Attributes:
        symbols: The symbols known, by slot.
        seen: For each the last batch that held it.
        batches: Batches judged.
        memories: What each rule remembers, by its fingerprint.
    """

    symbols: tuple[str | None, ...] = ()
    seen: tuple[int, ...] = ()
    batches: int = 0
    memories: Mapping[str, Memory] = field(default_factory=dict)

    def to_text(self) -> str:
        """The state as text: equal for equal states, empty for the first."""
        if not self.batches:
            return ""
        arrays: list[bytes] = []
        described: dict[str, Any] = {}
        for key in sorted(self.memories):
            memory = self.memories[key]
            parts: dict[str, Any] = {}
            for kind, columns in (("cells", memory.cells), ("ring", memory.ring)):
                parts[kind] = {}
                for name in sorted(columns):
                    column = np.ascontiguousarray(columns[name])
                    parts[kind][name] = [column.dtype.str, list(column.shape)]
                    arrays.append(column.tobytes())
            described[key] = parts
        head = {
            "form": _FORM,
            "batches": self.batches,
            "symbols": self.symbols,
            "seen": self.seen,
            "memories": described,
        }
        text = json.dumps(head, separators=(",", ":"))
        return f"{text}\n{base64.b64encode(b''.join(arrays)).decode()}"

    @classmethod
    def from_text(cls, text: str) -> RuleState:
        """The inverse of `to_text`.

        Raises:
            ValueError: The text is no state of this release.
        """
        if not text:
            return cls()
        first, _, rest = text.partition("\n")
        head = json.loads(first)
        if head["form"] != _FORM:
            raise ValueError(f"expected rule state of form {_FORM}, not {head['form']}")
        content = base64.b64decode(rest, validate=True)
        at = 0
        memories: dict[str, Memory] = {}
        for key, parts in head["memories"].items():
            memory = Memory()
            for columns, kind in ((memory.cells, "cells"), (memory.ring, "ring")):
                for name, (dtype, shape) in parts[kind].items():
                    count = int(np.prod(shape, dtype=np.int64))
                    columns[name] = np.frombuffer(content, dtype, count, at).reshape(shape)
                    at += columns[name].nbytes
            memories[key] = memory
        return cls(tuple(head["symbols"]), tuple(head["seen"]), head["batches"], memories)


class Recollection:
    """The state while one batch is judged: slots for its symbols, memories that may change."""

    def __init__(self, before: RuleState, symbols: Sequence[str | None]) -> None:
        """Begin with what was remembered.

        Args:
            before: The state before the batch.
            symbols: The distinct symbols of the batch.
        """
        self._before = before
        slots = {symbol: slot for slot, symbol in enumerate(before.symbols)}
        for symbol in symbols:
            slots.setdefault(symbol, len(slots))
        self.slots = np.array([slots[symbol] for symbol in symbols], dtype=np.int64)
        """The slot of each symbol given."""
        self._symbols = tuple(slots)
        seen = np.zeros(len(slots), dtype=np.int64)
        seen[: len(before.seen)] = before.seen
        seen[self.slots] = before.batches + 1
        self._seen = seen
        self._memories: dict[str, Memory] = {}

    def of(self, key: str, cells: Mapping[str, Cell]) -> Memory:
        """What a rule remembers, as a copy it may change.

        Args:
            key: The rule's fingerprint: with other parameters a rule begins anew.
            cells: What it remembers of a symbol.
        """
        before = self._before.memories.get(key, Memory())
        memory = Memory(ring=dict(before.ring))
        for name, cell in cells.items():
            column = cell.column(len(self._symbols))
            known = before.cells.get(name)
            if known is not None:
                column[: len(known)] = known
            memory.cells[name] = column
        self._memories[key] = memory
        return memory

    def after(self) -> RuleState:
        """The state after the batch; the symbols seen longest ago are forgotten."""
        kept = np.arange(len(self._symbols))
        if len(kept) > SYMBOLS_KEPT:
            latest_first = np.lexsort((kept, -self._seen))
            kept = np.sort(latest_first[:SYMBOLS_KEPT])
        for memory in self._memories.values():
            memory.cells = {name: column[kept] for name, column in memory.cells.items()}
        return RuleState(
            symbols=tuple(self._symbols[slot] for slot in kept.tolist()),
            seen=tuple(self._seen[kept].tolist()),
            batches=self._before.batches + 1,
            memories=self._memories,
        )
