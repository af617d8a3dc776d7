"""`AsOfJoinCommand`: every left row with the right row in force at its event time.

What comes back: the left's columns as asked for, then the right's. Right columns may be null; one
whose name the left has too gets the suffix. Of the right's event time and, where symbols agree, its
symbol nothing is repeated unless asked for by name or by `right_event_time`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.domain.requests import Order
from tickmesh_tickstore.engine.columns import ROLE_KEY
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.prepared_query import PreparedQuery
from tickmesh_tickstore.queries.asof_join import (
    Direction,
    ExactMatches,
    JoinKeys,
    Matching,
    RightRows,
    asof_join,
    common_unit_ns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_tickstore.domain.requests import ScanRequest
    from tickmesh_tickstore.pinned_reads import PinnedRead, PinnedReads

__all__ = ["prepare_asof_join"]

_WHAT = "an as-of join"
_DEFAULT_SUFFIX = "_right"
_MOST_SUFFIX_CHARACTERS = 64
_DIRECTIONS = {
    queries_pb2.AS_OF_DIRECTION_UNSPECIFIED: Direction.BACKWARD,
    queries_pb2.AS_OF_DIRECTION_BACKWARD: Direction.BACKWARD,
    queries_pb2.AS_OF_DIRECTION_FORWARD: Direction.FORWARD,
    queries_pb2.AS_OF_DIRECTION_NEAREST: Direction.NEAREST,
}
_EXACT_MATCHES = {
    queries_pb2.AS_OF_EXACT_MATCHES_UNSPECIFIED: ExactMatches.ALLOWED,
    queries_pb2.AS_OF_EXACT_MATCHES_ALLOWED: ExactMatches.ALLOWED,
    queries_pb2.AS_OF_EXACT_MATCHES_EXCLUDED: ExactMatches.EXCLUDED,
}
# Another dataset's ids and roles say nothing about the columns of an answer.
_FOREIGN_METADATA = {ROLE_KEY, b"tickmesh.field_id"}


@dataclass(frozen=True, slots=True)
class _Sides:
    """What both sides are matched by.

    Attributes:
        left: The left's columns.
        right: The right's.
    """

    left: JoinKeys
    right: JoinKeys


def prepare_asof_join(reads: PinnedReads, command: queries_pb2.AsOfJoinCommand) -> PreparedQuery:
    """Checks the command.

    Raises:
        InvalidRequestError: a choice is unknown, or names of columns collide.
        NoEventTimeError, NoSymbolError: a dataset has not the columns it takes.
        InvalidArgumentError: the event times cannot be compared.
    """
    matching = _matching(command)
    left = reads.open(command.left, field="left")
    right = reads.open(command.right, field="right")
    sides = _sides(left, right, command.grouping)
    unit_ns = common_unit_ns(
        left.all_columns.field(sides.left.event_time).type,
        right.all_columns.field(sides.right.event_time).type,
    )
    added = _added(left, right, sides.right, command)
    schema = pa.schema([*left.schema, *added.values()]).remove_metadata()
    left_request = replace(
        left.with_columns(sides.left.event_time, sides.left.symbol or sides.left.event_time),
        order=Order.TIME,
    )
    wanted = {name for name, _ in added} | {sides.right.event_time, sides.right.symbol}
    right_request = replace(
        _useful(right.request, left.request, matching, by_symbol=sides.left.symbol is not None),
        columns=tuple(name for name in right.all_columns.names if name in wanted),
        order=Order.TIME,
    )

    def run() -> Iterator[pa.Table]:
        rows = _held(right, right_request, most_rows=reads.limits.materialised_rows)
        ready = RightRows(rows, matching, keys=sides.right, unit_ns=unit_ns)
        batches = iter(left.scan(left_request))
        for batch, places in asof_join(batches, ready, keys=sides.left):
            columns: list[Any] = [batch.column(name) for name in left.schema.names]
            columns += [ready.rows.column(name).take(places) for name, _ in added]
            yield pa.Table.from_arrays(columns, schema=schema)

    return PreparedQuery(schema, run)


def _matching(command: queries_pb2.AsOfJoinCommand) -> Matching:
    direction = _DIRECTIONS.get(command.direction)
    exact = _EXACT_MATCHES.get(command.exact_matches)
    tolerance_ns = command.tolerance_ns if command.HasField("tolerance_ns") else None
    wrong = [
        (field, wanted)
        for field, wanted, is_wrong in (
            ("direction", "expected BACKWARD, FORWARD or NEAREST", direction is None),
            ("exact_matches", "expected ALLOWED or EXCLUDED", exact is None),
            ("tolerance_ns", "expected 0 or more", (tolerance_ns or 0) < 0),
            (
                "right_suffix",
                f"expected at most {_MOST_SUFFIX_CHARACTERS} printable characters",
                len(command.right_suffix) > _MOST_SUFFIX_CHARACTERS
                or not command.right_suffix.isprintable(),
            ),
        )
        if is_wrong
    ]
    if wrong or direction is None or exact is None:
        raise InvalidRequestError(
            "An as-of join cannot be made so: "
            + "; ".join(f"{field}: {wanted}" for field, wanted in wrong)
            + ".",
            metadata={"fields": ",".join(field for field, _ in wrong)},
            violations=wrong,
        )
    return Matching(direction=direction, exact=exact, tolerance_ns=tolerance_ns)


def _sides(
    left: PinnedRead, right: PinnedRead, grouping: queries_pb2.AsOfGrouping.ValueType
) -> _Sides:
    times = left.require_event_time(_WHAT), right.require_event_time(_WHAT)
    by_symbol = left.symbol is not None and right.symbol is not None
    if grouping == queries_pb2.AS_OF_GROUPING_NONE:
        by_symbol = False
    elif grouping == queries_pb2.AS_OF_GROUPING_SYMBOL:
        left.require_symbol(f"{_WHAT} by symbol")
        right.require_symbol(f"{_WHAT} by symbol")
    elif grouping != queries_pb2.AS_OF_GROUPING_UNSPECIFIED:
        raise InvalidRequestError(
            f"grouping {grouping} of an as-of join is unknown.",
            metadata={"fields": "grouping"},
            violations=[("grouping", "expected SYMBOL or NONE")],
        )
    return _Sides(
        JoinKeys(event_time=times[0], symbol=left.symbol if by_symbol else None),
        JoinKeys(event_time=times[1], symbol=right.symbol if by_symbol else None),
    )


def _added(
    left: PinnedRead,
    right: PinnedRead,
    keys: JoinKeys,
    command: queries_pb2.AsOfJoinCommand,
) -> dict[tuple[str, str], pa.Field[Any]]:
    """The right's columns in the answer, by their own name and the one they get."""
    suffix = command.right_suffix or _DEFAULT_SUFFIX
    repeated = set(command.right.columns) or set(right.all_columns.names) - {
        keys.event_time,
        keys.symbol,
    }
    taken = set(left.schema.names)
    added: dict[tuple[str, str], pa.Field[Any]] = {}
    for field in right.schema:
        if field.name in right.all_columns.names and field.name not in repeated:
            continue
        name = f"{field.name}{suffix}" if field.name in taken else field.name
        added[field.name, name] = _foreign(field, name)
    if command.right_event_time:
        name = f"{keys.event_time}{suffix}"
        added[keys.event_time, name] = _foreign(right.all_columns.field(keys.event_time), name)
    names = [*left.schema.names, *(name for _, name in added)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequestError(
            f"Columns {', '.join(twice)} would stand twice in the answer: choose another "
            "right_suffix, or fewer columns.",
            metadata={"columns": ",".join(twice)},
            violations=[("right_suffix", "expected one that makes names of the right unique")],
        )
    return added


def _foreign(field: pa.Field[Any], name: str) -> pa.Field[Any]:
    kept: dict[bytes | str, bytes | str] = {
        key: value for key, value in (field.metadata or {}).items() if key not in _FOREIGN_METADATA
    }
    plain = field.with_name(name).with_nullable(True).remove_metadata()
    return plain.with_metadata(kept) if kept else plain


def _useful(
    right: ScanRequest, left: ScanRequest, matching: Matching, *, by_symbol: bool
) -> ScanRequest:
    """The right read without rows that no left row could ever match."""
    start_ns, end_ns = right.start_ns, right.end_ns
    reach = matching.tolerance_ns
    if matching.direction is Direction.FORWARD:
        start_ns = _later(start_ns, left.start_ns)
    elif left.start_ns is not None and reach is not None:
        start_ns = _later(start_ns, max(left.start_ns - reach, -(1 << 63)))
    if matching.direction is Direction.BACKWARD:
        end_ns = _earlier(end_ns, left.end_ns)
    elif left.end_ns is not None and reach is not None:
        end_ns = _earlier(end_ns, min(left.end_ns + reach, (1 << 63) - 1))
    symbols = right.symbols
    if by_symbol and left.symbols is not None:
        symbols = tuple(
            name for name in left.symbols if right.symbols is None or name in right.symbols
        )
    return replace(right, start_ns=start_ns, end_ns=end_ns, symbols=symbols)


def _later(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _held(right: PinnedRead, request: ScanRequest, *, most_rows: int) -> pa.Table:
    """The right rows, all of them.

    Raises:
        LimitExceededError: they are more than may be held at once.
    """
    tables: list[pa.Table] = []
    rows = 0
    stream = right.scan(request)
    for table in stream.tables():
        rows += table.num_rows
        if rows > most_rows:
            raise LimitExceededError(
                f"the right side of {_WHAT} is held at once, and has more than the {most_rows} "
                "rows that may be: ask for a smaller range of it, or for fewer symbols",
                metadata={"limit": str(most_rows)},
            )
        tables.append(table)
    return pa.concat_tables(tables) if tables else stream.schema.empty_table()
