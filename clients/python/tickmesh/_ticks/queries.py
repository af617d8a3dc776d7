"""Queries beyond a range, as a client asks for them: latest rows, as-of joins, SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tickmesh._ticks.commands import counted, read_command
from tickmesh._ticks.durations import duration_ns
from tickmesh._ticks.selections import Selection
from tickmesh._ticks.time_arguments import instant_ns
from tickmesh._ticks.values import value_message
from tickmesh.api.tickstore.v1 import commands_pb2, queries_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from tickmesh._ticks.durations import Duration
    from tickmesh._ticks.filters import Filter
    from tickmesh._ticks.time_arguments import Instant, TimeZone
    from tickmesh._ticks.values import ColumnValue

    AsOfDirectionName = Literal["backward", "forward", "nearest"]
    ExactMatchesName = Literal["allowed", "excluded"]
    MatchingName = Literal["auto", "symbol", "none"]

Side: TypeAlias = str | Selection
"""A dataset by its name, or a part of one."""

_DIRECTIONS = {
    "backward": queries_pb2.AS_OF_DIRECTION_BACKWARD,
    "forward": queries_pb2.AS_OF_DIRECTION_FORWARD,
    "nearest": queries_pb2.AS_OF_DIRECTION_NEAREST,
}
_EXACT_MATCHES = {
    "allowed": queries_pb2.AS_OF_EXACT_MATCHES_ALLOWED,
    "excluded": queries_pb2.AS_OF_EXACT_MATCHES_EXCLUDED,
}
_GROUPINGS = {
    "auto": queries_pb2.AS_OF_GROUPING_UNSPECIFIED,
    "symbol": queries_pb2.AS_OF_GROUPING_SYMBOL,
    "none": queries_pb2.AS_OF_GROUPING_NONE,
}


def latest_command(
    dataset: str,
    *,
    at: Instant | None,
    symbols: Sequence[str] | str | None,
    columns: Sequence[str] | str | None,
    where: Filter | str | None,
    tz: TimeZone | None,
    rows_per_symbol: int,
    as_of: int | None,
    snapshot: str | None,
    version: int | None,
) -> queries_pb2.LatestCommand:
    """The newest rows of each symbol, up to and including `at`."""
    read = read_command(
        dataset,
        # The range ends behind the instant asked for.
        end=None if at is None else instant_ns(at, tz=tz, name="at") + 1,
        symbols=symbols,
        columns=columns,
        where=where,
        tz=tz,
        as_of=as_of,
        snapshot=snapshot,
        version=version,
    )
    return queries_pb2.LatestCommand(
        read=read, rows_per_symbol=counted(rows_per_symbol, name="rows_per_symbol")
    )


def as_of_join_command(
    left: Side,
    right: Side,
    *,
    start: Instant | None,
    end: Instant | None,
    right_start: Instant | None,
    symbols: Sequence[str] | str | None,
    tz: TimeZone | None,
    tolerance: Duration | None,
    direction: AsOfDirectionName,
    exact: ExactMatchesName,
    by: MatchingName,
    suffix: str,
    right_event_time: bool,
) -> queries_pb2.AsOfJoinCommand:
    """An as-of join; the right side's range is widened by what a match may be apart."""
    _check_choice("direction", direction, _DIRECTIONS)
    _check_choice("exact", exact, _EXACT_MATCHES)
    _check_choice("by", by, _GROUPINGS)
    bounds = read_command("-", start=start, end=end, symbols=symbols, tz=tz)
    left_read, right_read = _side(left, bounds), _read_of(right)
    apart = None if tolerance is None else duration_ns(tolerance, name="tolerance")
    if right_start is not None:
        right_read.start_ns = instant_ns(right_start, tz=tz, name="right_start")
    _widen(right_read, left_read, apart, direction)
    if not right_read.symbols:
        right_read.symbols.extend(bounds.symbols)
    if not suffix:
        raise InvalidArgumentError('suffix must be text such as "_right"; it was empty.')
    return queries_pb2.AsOfJoinCommand(
        left=left_read,
        right=right_read,
        direction=_DIRECTIONS[direction],
        exact_matches=_EXACT_MATCHES[exact],
        tolerance_ns=apart,
        right_suffix=suffix,
        grouping=_GROUPINGS[by],
        right_event_time=right_event_time,
    )


def sql_command(
    query: str, *, tables: Mapping[str, Side] | None, parameters: Sequence[ColumnValue]
) -> queries_pb2.SqlCommand:
    """One statement of SQL, the tables it names and the values of its parameters."""
    if isinstance(parameters, str | bytes):
        raise InvalidArgumentError(
            f"parameters must be a sequence of values, as in [{parameters!r}]."
        )
    return queries_pb2.SqlCommand(
        query=query,
        tables=[
            queries_pb2.SqlTable(name=name, read=_read_of(side))
            for name, side in (tables or {}).items()
        ],
        parameters=[
            value_message(value, name=f"parameter ${number}")
            for number, value in enumerate(parameters, start=1)
        ],
    )


def _widen(
    right: commands_pb2.ReadCommand,
    left: commands_pb2.ReadCommand,
    apart: int | None,
    direction: str,
) -> None:
    """Choose the range of right rows that may match, where the caller left it open."""
    if not right.HasField("start_ns") and left.HasField("start_ns"):
        if direction == "forward":
            right.start_ns = left.start_ns
        elif apart is not None:
            right.start_ns = max(left.start_ns - apart, -(2**63))
    if not right.HasField("end_ns") and left.HasField("end_ns"):
        if direction == "backward":
            right.end_ns = left.end_ns
        elif apart is not None:
            right.end_ns = min(left.end_ns + apart, 2**63 - 1)


def _side(side: Side, bounds: commands_pb2.ReadCommand) -> commands_pb2.ReadCommand:
    """What a side reads: what it says itself, and the join's range where it says nothing."""
    read = _read_of(side)
    if not read.HasField("start_ns") and bounds.HasField("start_ns"):
        read.start_ns = bounds.start_ns
    if not read.HasField("end_ns") and bounds.HasField("end_ns"):
        read.end_ns = bounds.end_ns
    if not read.symbols:
        read.symbols.extend(bounds.symbols)
    return read


def _read_of(side: Side) -> commands_pb2.ReadCommand:
    if isinstance(side, Selection):
        return side.command()
    if not isinstance(side, str):
        raise InvalidArgumentError(
            f"expected the name of a dataset or a Selection of one, was {side!r:.100}."
        )
    return read_command(side)


def _check_choice(name: str, given: str, choices: Mapping[str, Any]) -> None:
    if given not in choices:
        allowed = " or ".join(f'"{choice}"' for choice in choices)
        raise InvalidArgumentError(f"{name} must be {allowed}; it was {given!r}.")
