"""What a schema became: for each keyword its kernel, its proof, and what it costs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from tickmesh.schema.validation.masks import UNDECIDED, VALID, Mask
from tickmesh.schema.validation.plan import Applicator, Fixed, Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh.schema.validation.cells import Cells

_REPETITIONS = 5


class Decision(StrEnum):
    """Where a keyword is decided."""

    STATIC = "static"
    """When the schema is compiled: no work per row."""
    KERNEL = "kernel"
    """Over whole columns; statistics may prove a batch first."""
    ROW_BY_ROW = "row by row"
    """By the row oracle, for the rows the keyword applies to."""


class Method(StrEnum):
    """How a keyword is decided."""

    TYPE = "type"
    """By the Arrow type alone, at no cost per row."""
    STATISTICS = "statistics"
    """Proven for whole batches by their extremes, else by a kernel."""
    KERNEL = "kernel"
    COMPOSED = "composed"
    """Mask algebra over the keywords inside it."""
    ROW_ORACLE = "row oracle"
    """Row by row."""


@dataclass(frozen=True, slots=True)
class Step:
    """A keyword at a column as the compiler met it.

    Attributes:
        keyword: The keyword.
        instance_path: JSON Pointer into the row; ``*`` stands for any item of a list.
        schema_path: JSON Pointer into the schema.
        kernel: What it became.
        data_type: The Arrow type of the cells.
        distinct: Whether they are indices into a dictionary.
    """

    keyword: str
    instance_path: str
    schema_path: str
    kernel: Kernel
    data_type: str
    distinct: bool


@dataclass(frozen=True, slots=True)
class ExplainedKeyword:
    """One line of an explanation.

    Attributes:
        keyword: The keyword.
        instance_path: JSON Pointer into the row; ``*`` stands for any item of a list.
        schema_path: JSON Pointer into the schema.
        method: How it is decided.
        detail: The kernel: the translated pattern, the bound, the value set; or why the type
            settles it, or why it stays with the row oracle.
        proof: The statistics that prove a whole batch, in words; empty when there are none.
        nanoseconds_per_row: Measured on the sample; None without one. What is inside an
            applicator counts there too.
    """

    keyword: str
    instance_path: str
    schema_path: str
    method: Method
    detail: str
    proof: str
    nanoseconds_per_row: float | None

    @property
    def decision(self) -> Decision:
        """Where it is decided."""
        return _DECISIONS[self.method]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The compiled plan, keyword by keyword."""

    keywords: tuple[ExplainedKeyword, ...]

    def __str__(self) -> str:
        return "\n".join(
            f"{line.instance_path or '/'}  {line.keyword}  {line.method.value}"
            + (f"  {line.detail}" if line.detail else "")
            + (f"  (proof: {line.proof})" if line.proof else "")
            + (
                ""
                if line.nanoseconds_per_row is None
                else f"  {line.nanoseconds_per_row:.2f} ns/row"
            )
            for line in self.keywords
        )


_DECISIONS = {
    Method.TYPE: Decision.STATIC,
    Method.STATISTICS: Decision.KERNEL,
    Method.KERNEL: Decision.KERNEL,
    Method.COMPOSED: Decision.KERNEL,
    Method.ROW_ORACLE: Decision.ROW_BY_ROW,
}


class Stopwatch:
    """Measures kernels while a plan runs."""

    def __init__(self) -> None:
        self._laps: dict[int, list[int]] = {}
        self._current: dict[int, int] = {}
        self._rows = 0

    def around(self, kernel: Kernel) -> Kernel:
        """The kernel, measured."""
        key = id(kernel)

        def measured(cells: Cells) -> Mask:
            before = time.perf_counter_ns()
            mask = kernel(cells)
            spent = time.perf_counter_ns() - before
            self._current[key] = self._current.get(key, 0) + spent
            return mask

        return measured

    def run(self, judge: Callable[[], object], rows: int) -> None:
        """Run a plan of measured kernels a few times."""
        self._rows = rows
        for _ in range(_REPETITIONS):
            self._current = {}
            judge()
            for key, spent in self._current.items():
                self._laps.setdefault(key, []).append(spent)

    def explained(self, steps: Sequence[Step]) -> tuple[ExplainedKeyword, ...]:
        """The lines for the steps of a plan, with what was measured."""
        return tuple(
            ExplainedKeyword(
                step.keyword,
                step.instance_path,
                step.schema_path,
                _method(step.kernel),
                _detail(step),
                _proof(step),
                self._cost(step.kernel),
            )
            for step in steps
        )

    def _cost(self, kernel: Kernel) -> float | None:
        laps = self._laps.get(id(kernel))
        if not self._rows:
            return None
        return median(laps) / self._rows if laps else 0.0


def _method(kernel: Kernel) -> Method:
    if isinstance(kernel, Fixed):
        return Method.ROW_ORACLE if kernel.verdict is UNDECIDED else Method.TYPE
    if isinstance(kernel, Applicator):
        return Method.COMPOSED
    return Method.STATISTICS if getattr(kernel, "proof", "") else Method.KERNEL


def _detail(step: Step) -> str:
    kernel = step.kernel
    if isinstance(kernel, Applicator):
        return "mask algebra over the keywords inside"
    if isinstance(kernel, Fixed) and not kernel.detail:
        which = "every" if kernel.verdict is VALID else "no"
        # A row is a struct of all columns: its type says nothing here.
        return f"{which} {step.data_type if step.instance_path else 'row'} is valid"
    return str(getattr(kernel, "detail", ""))


def _proof(step: Step) -> str:
    found = str(getattr(step.kernel, "proof", ""))
    if step.distinct and not isinstance(step.kernel, Fixed):
        return "; ".join(["each value of the dictionary once", *([found] if found else [])])
    return found
