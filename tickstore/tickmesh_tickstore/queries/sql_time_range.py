"""The range of event times that a statement can want, as far as DuckDB's plan shows it.

DuckDB hands comparisons of nanosecond instants to no table; it filters behind the scan. So the plan
is asked: where it scans one table once, and filters right behind that scan, rows outside that
filter's range of event times are in no answer and need not be sent. What is not understood narrows
nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["wanted_times"]

Range = tuple["int | None", "int | None"]

_EVERYTHING: Range = (None, None)
_SCAN, _FILTER = "PYTHON_ARROW_SCAN", "FILTER"
_INSTANT_TYPE = "TIMESTAMPTZ_NS"
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)\+00")
_LOWER = frozenset({"COMPARE_EQUAL", "COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO"})
_UPPER = frozenset({"COMPARE_EQUAL", "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO"})


def wanted_times(plan: str, *, event_time: str, parse: Callable[[str], str]) -> Range:
    """Bounds that no wanted row lies outside of: the first instant wanted, the first beyond.

    They may be wider than the statement's, never narrower: the statement still filters by itself.

    Args:
        plan: What `EXPLAIN (FORMAT json)` says.
        event_time: The column of event times.
        parse: DuckDB's `json_serialize_sql`.

    Returns:
        ns since the epoch, inclusive and exclusive; None for no bound.
    """
    filters = [
        parent["extra_info"].get("Expression") if parent["name"] == _FILTER else None
        for parent, node in _with_parents(json.loads(plan))
        if node["name"].strip() == _SCAN
    ]
    if len(filters) != 1 or not isinstance(filters[0], str):
        return _EVERYTHING
    tree = json.loads(parse(f"SELECT {filters[0]}"))
    if tree["error"]:
        return _EVERYTHING
    (condition,) = tree["statements"][0]["node"]["select_list"]
    start: int | None = None
    end: int | None = None
    for low, high in (_bounds(term, event_time) for term in _conjuncts(condition)):
        start = low if start is None else max(start, low if low is not None else start)
        end = high if end is None else min(end, high if high is not None else end)
    return start, end


def _with_parents(nodes: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    root: dict[str, Any] = {"name": "", "extra_info": {}, "children": nodes}
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for node in parent["children"]:
            yield parent, node
            waiting.append(node)


def _conjuncts(condition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [condition]
    while waiting:
        term = waiting.pop()
        if term["type"] == "CONJUNCTION_AND":
            waiting.extend(term["children"])
        else:
            yield term


def _bounds(term: dict[str, Any], event_time: str) -> Range:
    kind = term["type"]
    if kind == "COMPARE_BETWEEN" and _is_column(term["input"], event_time):
        return _instant(term["lower"]), _behind(_instant(term["upper"]))
    if term.get("class") == "COMPARISON" and _is_column(term["left"], event_time):
        instant = _instant(term["right"])
        return instant if kind in _LOWER else None, _behind(instant) if kind in _UPPER else None
    return _EVERYTHING


def _is_column(expression: dict[str, Any], name: str) -> bool:
    return expression.get("column_names") == [name]


def _instant(expression: dict[str, Any]) -> int | None:
    """An instant that stands in the filter; None for anything else."""
    if expression.get("type") != "OPERATOR_CAST" or expression.get("try_cast"):
        return None
    literal = expression["child"].get("literal", {})
    written = _INSTANT.fullmatch(str(literal.get("text", "")))
    if written is None or expression["type_expr"].get("type_name") != _INSTANT_TYPE:
        return None
    instant: int = pa.scalar(written[1]).cast(pa.timestamp("ns")).cast(pa.int64()).as_py()
    return instant


def _behind(instant: int | None) -> int | None:
    return None if instant is None else instant + 1
