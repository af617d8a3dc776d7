"""What a statement of SQL may say: one question about tables, and nothing about the machine.

The statement is judged as DuckDB parsed it, before anything is bound or run: a second wall before
the engine's own settings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StatementRefusedError", "entries", "named_tables", "nodes"]

_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "repeat_row", "unnest"})
_REFUSED_FUNCTIONS = frozenset(
    {
        "create_sort_key",
        "current_connection_id",
        "current_query",
        "current_query_id",
        "current_setting",
        "current_transaction_id",
        "currval",
        "getenv",
        "getvariable",
        "nextval",
        "parse_duckdb_log_message",
        "setseed",
        "setval",
        "sleep_ms",
        "stats",
        "txid_current",
        "user_agent",
        "vector_type",
        "version",
        "write_log",
    }
)
_REFUSED_PREFIXES = ("duckdb_", "has_", "inet_", "parquet_", "pg_", "pragma_", "read_")
_DESCRIPTIONS = frozenset({"DESCRIBE", "SUMMARY"})


class StatementRefusedError(Exception):
    """A statement that is no single question about tables; the message says what to do."""


def named_tables(parsed: str) -> tuple[str, ...]:
    """The tables that a statement names, each once.

    Args:
        parsed: What DuckDB's `json_serialize_sql` says of it.

    Returns:
        Names as they are written; those of common table expressions are left out.

    Raises:
        StatementRefusedError: It cannot be parsed, is not one SELECT, or uses what is not served.
    """
    try:
        tree = json.loads(parsed)
    except RecursionError:
        raise StatementRefusedError(
            "the statement is nested too deeply: use common table expressions"
        ) from None
    if tree["error"]:
        if tree["error_type"] == "not implemented":
            raise StatementRefusedError(
                "expected one SELECT (or FROM, VALUES, WITH, DESCRIBE, SUMMARIZE): nothing can be "
                "written, set, attached or installed here"
            )
        place = f" at character {tree['position']}" if tree.get("position") else ""
        message = str(tree["error_message"]).partition('Use "SET')[0].strip()
        raise StatementRefusedError(f"{message}{place}")
    if len(tree["statements"]) != 1:
        raise StatementRefusedError(
            f"expected one statement, got {len(tree['statements'])}: ask one question at a time"
        )
    tables: dict[str, None] = {}
    expressions: set[str] = set()
    for node in nodes(tree["statements"][0]):
        _require_allowed(node)
        if node.get("type") == "BASE_TABLE":
            tables.setdefault(node["table_name"])
        for entry in entries(node.get("cte_map")):
            expressions.add(entry["key"].lower())
    return tuple(name for name in tables if name.lower() not in expressions)


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of a tree; without recursion, since statements may be deep."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))


def entries(expressions: object) -> list[dict[str, Any]]:
    """The common table expressions of a node's `cte_map`."""
    return expressions.get("map", []) if isinstance(expressions, dict) else []


def _require_allowed(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        path = _path(node)
        if len(path) != 1:
            raise StatementRefusedError(
                f'no table {".".join(path)}: a dataset is named in double quotes, as in "'
                f'{".".join(path)}"'
            )
    elif kind == "SHOW_REF" and node.get("show_type") not in _DESCRIPTIONS:
        raise StatementRefusedError("tables are listed by list_flights, not by SHOW")
    elif kind == "TABLE_FUNCTION":
        name = _name(node["function"])
        if name not in _TABLE_FUNCTIONS:
            raise StatementRefusedError(
                f"table function {name} is not served: select from datasets, "
                f"{', '.join(sorted(_TABLE_FUNCTIONS))}"
            )
    elif "function_name" in node:
        name = _name(node)
        if name in _REFUSED_FUNCTIONS or name.startswith(_REFUSED_PREFIXES):
            raise StatementRefusedError(
                f"function {name} is not served: it asks about the machine, not about ticks"
            )


def _name(function: dict[str, Any]) -> str:
    path = _path(function)
    return (path[-1] if path else str(function.get("function_name", ""))).lower()


def _path(node: dict[str, Any]) -> list[str]:
    return list(node.get("qualified_name", {}).get("path", []))
