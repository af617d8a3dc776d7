"""What all benchmarks share: runs taken in turns, medians, and one JSON line a figure."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
"""How long one comparison is measured, all its sides together."""

FULL = os.environ.get("BENCH_FULL", "") == "1"
"""Whether the figures that take long are measured too."""

_LEAST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure, or its ratio to the baseline, is to keep."""

    of: Literal["value", "ratio"]
    comparison: Literal[">=", "<="]
    bound: float

    def __str__(self) -> str:
        return f"{self.of} {self.comparison} {self.bound:g}"

    def holds(self, *, value: float, ratio: float | None) -> bool | None:
        """Whether it is kept; None where the baseline to judge by is missing."""
        figure = value if self.of == "value" else ratio
        if figure is None:
            return None
        return figure >= self.bound if self.comparison == ">=" else figure <= self.bound


def at_least(bound: float) -> Target:
    """A target of the figure itself, in its unit."""
    return Target("value", ">=", bound)


def at_most(bound: float) -> Target:
    """A target of the figure itself, in its unit."""
    return Target("value", "<=", bound)


def ratio_at_least(bound: float) -> Target:
    """A target of the figure divided by its baseline."""
    return Target("ratio", ">=", bound)


def ratio_at_most(bound: float) -> Target:
    """A target of the figure divided by its baseline."""
    return Target("ratio", "<=", bound)


def report(
    bench: str,
    metric: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    target: Target | None = None,
) -> None:
    """Prints one figure.

    Args:
        bench: The benchmark.
        metric: What was measured, and after `_over_` the baseline.
        value: The figure.
        unit: Of value and baseline.
        baseline: The same of the baseline, measured in the same run.
        target: What it is to keep, if anything.
    """
    ratio = None if baseline is None else value / baseline
    line = {
        "bench": bench,
        "metric": metric,
        "value": _rounded(value),
        "unit": unit,
        "baseline": _rounded(baseline),
        "ratio": _rounded(ratio),
        "target": None if target is None else str(target),
        "ok": None if target is None else target.holds(value=value, ratio=ratio),
    }
    print(json.dumps(line), flush=True)


def medians(
    measures: Mapping[str, Callable[[], float]], *, seconds: float = SECONDS
) -> dict[str, float]:
    """The median answer of each measure.

    They are asked in turns, so that the machine's moods hit all alike; the first round warms up
    and does not count.
    """
    answers: dict[str, list[float]] = {name: [] for name in measures}
    for measure in measures.values():
        measure()
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < _LEAST_ROUNDS or time.perf_counter() < end:
        for name, measure in measures.items():
            answers[name].append(measure())
        rounds += 1
    return {name: statistics.median(found) for name, found in answers.items()}


def timed(run: Callable[[], object]) -> Callable[[], float]:
    """A measure of the seconds a run takes."""

    def measure() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return measure


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least a share of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def _rounded(value: float | None) -> float | None:
    """Four figures: more would be noise."""
    return None if value is None else float(f"{value:.4g}")
