"""Statements in a process of their own: what they answer, what they may cost, how they end."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.engine.filtering import condition_of
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox, SqlScan, SqlTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.queries.sql import SqlParameter

pytestmark = pytest.mark.integration

# The timeout is no part of what is looked at here: on a busy machine a statement may take long.
LIMITS = SqlLimits(
    memory_bytes=128 << 20, timeout_seconds=120.0, result_rows=100_000, result_bytes=16 << 20
)
NS = pa.timestamp("ns", "UTC")
TRADES = pa.table(
    {
        "ts": pa.array([1_723_161_255_030_314_667, 1_723_161_255_030_314_668, None]).cast(NS),
        "symbol": pa.array(["AAPL", "MSFT", "AAPL"]).dictionary_encode(),
        "price": [1.5, 2.5, 3.5],
        "size": [10, 20, 30],
    }
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SqlSandbox]:
    sandbox = SqlSandbox(LIMITS)
    yield sandbox
    sandbox.close()


class Scanned:
    """A table that remembers which columns were asked for."""

    def __init__(self, table: pa.Table) -> None:
        self.asked: list[list[str]] = []
        self.times: list[tuple[int | None, int | None]] = []
        self.filters: list[Filter | None] = []
        self._table = table
        self.table = SqlTable(
            table.schema,
            self._scan,
            event_time="ts",
            choosable=frozenset(table.schema.names),
        )

    def _scan(self, scan: SqlScan) -> Iterator[pa.RecordBatch]:
        self.asked.append(list(scan.columns))
        self.times.append((scan.start_ns, scan.end_ns))
        self.filters.append(scan.filter)
        rows = self._table
        if scan.filter is not None:
            # What the store leaves out stays out: a condition that is too narrow loses rows.
            condition = condition_of(scan.filter, rows.schema)
            rows = pa.Table.from_batches(
                [batch.filter(condition.mask(batch)) for batch in rows.to_batches()], rows.schema
            )
        yield from rows.select(list(scan.columns)).to_batches()


def ask(
    sandbox: SqlSandbox, query: str, parameters: Sequence[SqlParameter] = (), **tables: pa.Table
) -> pa.Table:
    served = {name: Scanned(table).table for name, table in tables.items()}
    named = sandbox.named_tables(query)
    chosen = {name: served[name] for name in named}
    schema = sandbox.schema(query, chosen, parameters)
    rows = list(sandbox.run(query, chosen, parameters))
    assert all(batch.schema.equals(schema) for batch in rows)
    return pa.Table.from_batches(rows, schema)


def test_a_statement_over_two_tables(sandbox: SqlSandbox) -> None:
    names = pa.table({"symbol": ["AAPL", "MSFT"], "name": ["Apple", "Microsoft"]})
    got = ask(
        sandbox,
        "SELECT name, sum(size) AS volume FROM trades JOIN names USING (symbol) "
        "WHERE price > 1 GROUP BY name ORDER BY name",
        trades=TRADES,
        names=names,
    )
    assert got.to_pydict() == {
        "name": ["Apple", "Microsoft"],
        "volume": [Decimal(40), Decimal(20)],
    }


def test_a_table_may_be_scanned_twice_and_only_for_the_columns_needed(sandbox: SqlSandbox) -> None:
    trades = Scanned(TRADES)
    query = "SELECT a.price FROM trades a JOIN trades b ON a.size = b.size WHERE b.symbol = 'AAPL'"
    rows = list(sandbox.run(query, {"trades": trades.table}))
    prices: list[Any] = pa.Table.from_batches(rows)["price"].to_pylist()
    assert sorted(prices) == [1.5, 3.5]
    assert sorted(sorted(columns) for columns in trades.asked) == [
        ["price", "size"],
        ["size", "symbol"],
    ]


def test_a_filter_on_a_column_that_is_not_selected(sandbox: SqlSandbox) -> None:
    got = ask(sandbox, "SELECT count(*) AS n FROM trades WHERE symbol = 'AAPL'", trades=TRADES)
    assert got["n"].to_pylist() == [2]


DAY = 1_704_067_200_000_000_000
"""2024-01-01 UTC."""


@pytest.mark.parametrize(
    ("condition", "times"),
    [
        ("ts >= '2024-01-01'", (DAY, None)),
        ("ts < '2024-01-01 02:00:00.000000001+02'", (None, DAY + 2)),
        ("ts >= '2024-01-01' AND ts < '2024-01-02' AND price > 1", (DAY, DAY + 86_400 * 10**9 + 1)),
        ("ts BETWEEN '2024-01-01' AND '2024-01-01' OR false", (DAY, DAY + 1)),
        ("'2024-01-01' <= ts", (DAY, None)),
        ("ts = '2024-01-01'", (DAY, DAY + 1)),
        ("ts > $1", (DAY, None)),
        ("(ts >= '2024-01-01' OR price > 2)", (None, None)),
        ("NOT ts >= '2024-01-01' OR ts IS NULL", (None, None)),
        ("note = ' AND (ts > ''2024-01-01 00:00:00+00''::TIMESTAMPTZ_NS)'", (None, None)),
        ("ts <> '2024-01-01'", (None, None)),
        ("price > 1", (None, None)),
    ],
)
def test_only_the_event_times_a_statement_can_want_are_read(
    sandbox: SqlSandbox, condition: str, times: tuple[int | None, int | None]
) -> None:
    trades = Scanned(TRADES.append_column("note", pa.array(["a", "b", "c"])))
    parameters = [("TIMESTAMPTZ_NS", "2024-01-01 00:00:00+00")] if "$1" in condition else []
    list(
        sandbox.run(
            f"SELECT price FROM trades WHERE {condition}", {"trades": trades.table}, parameters
        )
    )
    assert trades.times == [times]


def test_only_the_rows_a_statement_can_want_are_read(sandbox: SqlSandbox) -> None:
    trades = Scanned(TRADES)
    query = "SELECT sum(size) FROM trades WHERE symbol = $1 AND price < 3"
    schema = sandbox.schema(query, {"trades": trades.table}, [("VARCHAR", "AAPL")])
    rows = list(sandbox.run(query, {"trades": trades.table}, [("VARCHAR", "AAPL")]))
    assert pa.Table.from_batches(rows, schema).column(0).to_pylist() == [10]
    (wanted,) = trades.filters
    assert wanted is not None
    mask = condition_of(wanted, TRADES.schema).mask(TRADES.to_batches()[0])
    assert mask.to_pylist() == [True, False, False]


def test_a_filter_of_one_scan_does_not_narrow_another(sandbox: SqlSandbox) -> None:
    trades = Scanned(TRADES)
    query = "SELECT count(*) FROM trades a, trades b WHERE a.symbol = 'AAPL'"
    rows = list(sandbox.run(query, {"trades": trades.table}))
    assert rows[0].column(0).to_pylist() == [6]
    assert trades.filters == [None, None]


def test_a_range_of_one_scan_does_not_narrow_another(sandbox: SqlSandbox) -> None:
    trades = Scanned(TRADES)
    query = (
        "SELECT (SELECT count(*) FROM trades WHERE ts < '2024-01-01') AS before, "
        "(SELECT count(*) FROM trades) AS every"
    )
    got = pa.Table.from_batches(list(sandbox.run(query, {"trades": trades.table})))
    assert got.to_pylist() == [{"before": 0, "every": 3}]
    assert trades.times == [(None, None)] * len(trades.times)


def test_the_order_asked_for_is_kept(sandbox: SqlSandbox) -> None:
    got = ask(sandbox, "SELECT range AS n FROM range(50000) ORDER BY n DESC")
    assert got["n"].to_pylist() == list(range(49_999, -1, -1))


def test_names_given_twice_stay_as_they_are(sandbox: SqlSandbox) -> None:
    got = ask(sandbox, "SELECT 1 AS a, 2 AS a")
    assert got.column_names == ["a", "a"]


@pytest.mark.parametrize(
    ("column", "comes_back_as"),
    [
        (pa.array([2**63 - 1, None]).cast(NS), NS),
        (pa.array([1, None], pa.timestamp("us", "UTC")), pa.timestamp("us", "UTC")),
        (pa.array([1, None]).cast(pa.timestamp("ns")), pa.timestamp("ns")),
        (pa.array([2**64 - 1, None], pa.uint64()), pa.uint64()),
        (pa.array([Decimal("9" * 28 + "." + "9" * 10), None], pa.decimal128(38, 10)), None),
        (pa.array([-128, None], pa.int8()), pa.int8()),
        (pa.array([1.5, None], pa.float32()), pa.float32()),
        (pa.array([b"\x00\xff", None]), pa.binary()),
        (pa.array([True, None]), pa.bool_()),
        (pa.array([19_000, None], pa.int32()).cast(pa.date32()), pa.date32()),
        (pa.array(["a", None], pa.large_string()), pa.string()),
        (pa.array(["a", None]).dictionary_encode(), pa.string()),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_t6_values_pass_through_sql_unchanged(
    sandbox: SqlSandbox, column: pa.Array[Any], comes_back_as: pa.DataType | None
) -> None:
    table = pa.table({"x": column})
    got = ask(sandbox, "SELECT x FROM t", t=table)["x"]
    assert got.type == (comes_back_as or column.type)
    assert got.combine_chunks().equals(column.cast(got.type))


def test_an_instant_of_another_zone_stays_the_same_instant(sandbox: SqlSandbox) -> None:
    column = pa.array([1_723_161_255_030_314_667]).cast(pa.timestamp("ns", "America/New_York"))
    got = ask(sandbox, "SELECT x FROM t", t=pa.table({"x": column}))["x"]
    assert got.type == NS
    assert got.cast(pa.int64()).to_pylist() == [1_723_161_255_030_314_667]


def test_parameters_are_values_exactly(sandbox: SqlSandbox) -> None:
    parameters: list[SqlParameter] = [
        ("BIGINT", -(2**63)),
        ("UBIGINT", 2**64 - 1),
        ("DOUBLE", 0.1),
        ("DECIMAL", "12345678901234567890.12345"),
        ("VARCHAR", "'; DROP TABLE x; --"),
        ("BOOLEAN", True),
        ("BLOB", "00ff"),
        ("TIMESTAMPTZ_NS", "2024-08-08 23:54:15.030314667+00"),
    ]
    got = ask(sandbox, "SELECT $1, $2, $3, $4, $5, $6, $7, $8", parameters)
    (row,) = zip(*(column.to_pylist() for column in got.columns[:7]), strict=True)
    assert row == (
        -(2**63),
        2**64 - 1,
        0.1,
        Decimal("12345678901234567890.12345"),
        "'; DROP TABLE x; --",
        True,
        b"\x00\xff",
    )
    assert got.column(7).cast(pa.int64()).to_pylist() == [1_723_161_255_030_314_667]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT nope FROM trades", 'column "nope" not found'),
        ("SELECT nope(1)", "nope"),
        ("SELECT $1", "parameters"),
        ("SELECT (price || 'x')::INT FROM trades", "convert"),
        ("SELECT 1 +", "syntax"),
        ("SELECT '1'::INT + 'x'::INT", "convert"),
    ],
)
def test_what_is_wrong_with_a_statement_is_told_without_repeating_it(
    sandbox: SqlSandbox, query: str, told: str
) -> None:
    with pytest.raises(domain.QueryInvalidError, match=told) as refused:
        ask(sandbox, query, trades=TRADES)
    assert "LINE" not in refused.value.message
    assert "/" not in refused.value.message
    assert ask(sandbox, "SELECT 1 AS a")["a"].to_pylist() == [1]


@pytest.mark.parametrize("second", [0, -3, 1_723_161_255])
@pytest.mark.parametrize(
    ("refused", "mended"),
    [
        ("date_trunc('second', ts)", "epoch_ns(date_trunc('second', floor_us(ts)))"),
        (
            "time_bucket(INTERVAL 1 second, ts)",
            "epoch_ns(time_bucket(INTERVAL 1 second, floor_us(ts)))",
        ),
        (
            "ts - INTERVAL 5 second",
            "epoch_ns(floor_us(ts) - INTERVAL 5 second + INTERVAL 4000001 microsecond)",
        ),
    ],
)
def test_functions_that_know_no_nanoseconds_say_how_to_call_them(
    sandbox: SqlSandbox, refused: str, mended: str, second: int
) -> None:
    """And what is mended never rounds up: the last nanosecond of a second lies within it."""
    table = pa.table({"ts": pa.array([second * 10**9 + 999_999_999]).cast(NS)})
    with pytest.raises(domain.QueryInvalidError, match="floor_us") as told:
        ask(sandbox, f"SELECT {refused} AS x FROM t", t=table)
    assert "Candidate" not in told.value.message
    got = ask(sandbox, f"SELECT {mended} AS x FROM t", t=table)["x"].to_pylist()
    assert got == [second * 10**9]


def test_an_instant_compared_with_now_says_how(sandbox: SqlSandbox) -> None:
    with pytest.raises(domain.QueryInvalidError, match="now\\(\\)::TIMESTAMPTZ_NS"):
        ask(sandbox, "SELECT count(*) AS n FROM trades WHERE ts > now()", trades=TRADES)
    mended = "SELECT count(*) AS n FROM trades WHERE ts < now()::TIMESTAMPTZ_NS"
    assert ask(sandbox, mended, trades=TRADES)["n"].to_pylist() == [2]


def test_a_statement_refused_before_its_first_row_ends_at_once(sandbox: SqlSandbox) -> None:
    with pytest.raises(domain.QueryInvalidError, match="nope"):
        list(sandbox.run("SELECT nope FROM trades", {"trades": Scanned(TRADES).table}))


def test_an_as_of_join_of_large_tables_does_not_loop_over_them(sandbox: SqlSandbox) -> None:
    rows = 100_000
    numbers = pa.table({"ts": pa.array(range(rows)).cast(NS), "n": range(rows)})
    got = ask(
        sandbox,
        "SELECT count(*) AS rows, sum(r.n = l.n) AS same FROM l ASOF JOIN r ON l.ts >= r.ts",
        l=numbers,
        r=numbers,
    )
    assert got.to_pylist() == [{"rows": rows, "same": Decimal(rows)}]


@pytest.mark.parametrize(
    "setting", ["memory_limit", "threads", "enable_external_access", "temp_directory"]
)
def test_the_engine_itself_lets_nobody_change_its_settings(
    sandbox: SqlSandbox, setting: str
) -> None:
    """Behind the judge of statements stands a locked engine: here the judge is not asked."""
    with pytest.raises(domain.QueryInvalidError):
        list(sandbox.run(f"SET {setting} = '1'", {}))
    with pytest.raises(domain.QueryInvalidError):
        list(sandbox.run("SELECT * FROM read_text('/etc/passwd')", {}))
    with pytest.raises(domain.QueryInvalidError):
        list(sandbox.run("SELECT * FROM '/etc/passwd'", {}))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT lpad('x', 2000000000, 'y') AS y",
        "SELECT repeat('x', 100000000) AS x FROM range(100)",
        "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) SELECT max(s) FROM t",
        "SELECT list(range) FROM range(1000000000)",
        "SELECT array_agg(x) FROM (SELECT repeat('y', 10000000) AS x FROM range(1000))",
        "SELECT * FROM range(100000000) ORDER BY random()",
        "SELECT a.range, count(*) FROM range(100000000) a GROUP BY 1",
    ],
)
def test_t11_a_statement_that_wants_too_much_memory_ends_and_nothing_else_does(
    sandbox: SqlSandbox, query: str
) -> None:
    with pytest.raises(domain.LimitExceededError, match="memory"):
        ask(sandbox, query)
    assert ask(sandbox, "SELECT 1 AS a")["a"].to_pylist() == [1]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b",
        "WITH RECURSIVE q AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM q) SELECT count(*) FROM q",
    ],
)
def test_t11_a_statement_that_takes_too_long_is_ended(query: str) -> None:
    sandbox = SqlSandbox(SqlLimits(memory_bytes=128 << 20, timeout_seconds=1.0))
    try:
        with pytest.raises(domain.QueryTimeoutError, match="1 seconds"):
            list(sandbox.run(query, {}))
    finally:
        sandbox.close()


def test_t11_an_answer_has_a_bound() -> None:
    # Of a process of its own: one that earlier statements have filled may meet its memory first.
    sandbox = SqlSandbox(LIMITS)
    try:
        with pytest.raises(domain.LimitExceededError, match="LIMIT"):
            list(sandbox.run("SELECT * FROM range(100001)", {}))
        with pytest.raises(domain.LimitExceededError, match="LIMIT"):
            list(sandbox.run("SELECT repeat('x', 1000) AS x FROM range(50000)", {}))
    finally:
        sandbox.close()


def test_the_process_knows_nothing_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of it is open, nothing of its environment is there, and it can write none."""
    monkeypatch.setenv("TICKMESH_SECRET", "not for statements")
    fresh = SqlSandbox(LIMITS)
    try:
        with (Path(__file__).parent / "conftest.py").open():
            running = fresh.run("SELECT * FROM range(100000)", {})
            next(running)
            (worker,) = fresh._running
            process = Path(f"/proc/{worker._process.pid}")
            assert "TICKMESH_SECRET" not in (process / "environ").read_text()
            opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
            assert all(each == "/dev/null" or each.startswith("socket:") for each in opened)
            limits = (process / "limits").read_text()
            assert "Max file size             0 " in limits
            running.close()
    finally:
        fresh.close()


def test_whoever_stops_waiting_ends_the_statement() -> None:
    sandbox = SqlSandbox(SqlLimits(memory_bytes=128 << 20, timeout_seconds=60.0, concurrent=1))
    gone = threading.Event()
    started = time.monotonic()
    try:
        threading.Timer(0.5, gone.set).start()
        query = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"
        with pytest.raises(domain.StoreClosedError):
            list(sandbox.run(query, {}, stopped=gone.is_set))
        # Leaving an answer half read gives its place back too.
        half = sandbox.run("SELECT * FROM range(1000000)", {})
        next(half)
        half.close()
        assert ask(sandbox, "SELECT 1 AS a")["a"].to_pylist() == [1]
    finally:
        sandbox.close()
    assert time.monotonic() - started < 50


def test_t11_more_statements_than_allowed_wait_and_are_then_told() -> None:
    sandbox = SqlSandbox(
        SqlLimits(memory_bytes=128 << 20, timeout_seconds=60.0, concurrent=1, wait_seconds=0.2)
    )
    try:
        running = sandbox.run("SELECT * FROM range(1000000)", {})
        next(running)
        with pytest.raises(domain.LimitExceededError, match="try again"):
            sandbox.named_tables("SELECT 1")
        running.close()
        assert sandbox.named_tables("SELECT 1") == ()
    finally:
        sandbox.close()


def test_rows_that_cannot_be_read_fail_the_statement_and_are_never_fewer(
    sandbox: SqlSandbox,
) -> None:
    def scan(asked: SqlScan) -> Iterator[pa.RecordBatch]:
        yield from TRADES.select(list(asked.columns)).to_batches()
        raise domain.DatasetDamagedError("rows are damaged")

    damaged = {"trades": SqlTable(TRADES.schema, scan)}
    with pytest.raises(domain.DatasetDamagedError):
        list(sandbox.run("SELECT count(*) FROM trades", damaged))


def test_t11_a_worker_that_dies_while_it_is_sent_rows_is_told_as_what_it_is() -> None:
    """The kernel ends one that wants too much memory: its rows meet a closed door before anyone."""
    sandbox = SqlSandbox(LIMITS)
    rows = pa.table({"n": range(10_000)})

    def scan(asked: SqlScan) -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        (worker,) = sandbox._running
        worker._process.kill()
        while True:
            yield from rows.to_batches()

    try:
        for _ in range(3):
            with pytest.raises(domain.LimitExceededError, match="memory"):
                list(sandbox.run("SELECT count(*) FROM t", {"t": SqlTable(rows.schema, scan)}))
        assert ask(sandbox, "SELECT 1 AS a")["a"].to_pylist() == [1]
    finally:
        sandbox.close()


def test_a_store_that_is_killed_leaves_no_statement_behind() -> None:
    program = (
        "from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox\n"
        "sandbox = SqlSandbox(SqlLimits(memory_bytes=128 << 20))\n"
        "sandbox.named_tables('SELECT 1')\n"
        "print(sandbox._idle[0]._process.pid, flush=True)\n"
        "list(sandbox.run('SELECT sum(a.range * b.range) FROM range(10000000) a, "
        "range(10000000) b', {}))\n"
    )
    store = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert store.stdout is not None
        worker = int(store.stdout.readline())
        # Gone once its parent is, whatever it computes.
        watch = os.pidfd_open(worker)
    finally:
        store.kill()
        store.communicate()
    try:
        assert select.select([watch], [], [], 60)[0], "the worker outlives the store"
    finally:
        os.close(watch)


def test_a_sandbox_that_is_closed_runs_nothing() -> None:
    sandbox = SqlSandbox(LIMITS)
    sandbox.close()
    with pytest.raises(domain.StoreClosedError):
        sandbox.named_tables("SELECT 1")


def test_a_store_with_thousands_of_open_files_runs_statements() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
    sandbox = SqlSandbox(LIMITS)
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        opened.callback(sandbox.close)
        for _ in range(1_100):
            opened.enter_context(Path(os.devnull).open("rb"))
        assert ask(sandbox, "select 1 as one").to_pydict() == {"one": [1]}
