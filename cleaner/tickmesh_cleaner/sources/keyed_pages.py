"""Fetches the rows of a query with a key page by page, each row once.

Pages follow the order of the watermark, then of the key. A poll begins at the greatest watermark
seen less the overlap, which finds rows that became visible late; rows that were kept before are
told by watermark and key together, so a row that was changed, and so has a new watermark, is new.
Where the key itself grows and there is no overlap, a poll begins behind the greatest key.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from tickmesh_cleaner.databases.engine import DatabaseRefusedError, quoted
from tickmesh_cleaner.sources.query_pages import PAGE_ROWS

if TYPE_CHECKING:
    from tickmesh_cleaner.databases.engine import Database, DatabaseSession
    from tickmesh_cleaner.domain.job_source import DatabaseSource
    from tickmesh_cleaner.sources.query_pages import Page, QueryPages

MOST_SEEN: Final = 1_000_000
"""Most rows within the overlap, whose keys are remembered."""

_HIGH: Final = "high"
_OWN_HIGH: Final = "own_high"
_TICKS_A_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

# The stubs know neither plain Python operands nor some kernels, so kernels are called untyped.
pc: Any = pyarrow.compute


class KeyedPages:
    """Fetches one query's pages. One thread fetches; another may say what is committed."""

    def __init__(self, database: Database, source: DatabaseSource, pages: QueryPages) -> None:
        """Name the parts; nothing is connected yet."""
        self._database = database
        self._source = source
        self._query = source.query.strip().rstrip(";")
        self._pages = pages
        self._order = list(dict.fromkeys([source.watermark_column, source.key_column]))
        self._order = [name for name in self._order if name]
        self._looks_back = bool(source.watermark_column) or source.overlap > 0
        self._lock = threading.Lock()
        self._session: DatabaseSession | None = None
        self._low: Any = None
        self._seen: Any = None
        self._after: list[tuple[str, object]] = []
        self._checked = False

    def close(self) -> None:
        """End the connection; the next fetch begins a new poll on a new one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._seen = None

    def fetch(self) -> bool:
        """Fetch and keep the next page of the poll.

        Returns:
            Whether the poll has come to its end; the next fetch begins another one.

        Raises:
            DatabaseAwayError: The database does not answer.
            DatabaseRefusedError: It refuses the query, or keys are not what they should be.
        """
        if self._session is None:
            self._session = self._database.connect()
        if self._seen is None:
            self._begin_poll()
        if not self._checked:
            self._refuse_nulls(self._session)
            self._checked = True
        rows = self._page(self._session)
        ended = rows.num_rows <= PAGE_ROWS
        rows = rows.slice(0, PAGE_ROWS)
        if rows.num_rows:
            self._keep(rows)
        if ended:
            self._seen = None
        return ended

    def committed(self, row: int) -> None:
        """Drop pages whose rows are committed, except what the next poll has to know."""
        with self._lock:
            for page in self._pages.pages()[:-1]:
                if page.end <= row and not self._is_within_overlap(page):
                    page.path.unlink(missing_ok=True)

    def _begin_poll(self) -> None:
        with self._lock:
            pages = self._pages.pages()
            self._after = []
            self._low = None
            seen = [pa.array([], pa.string())]
            if pages:
                field = pages[-1].table().schema.field(self._order[0])
                high = pa.scalar(pages[-1].note()[_HIGH]).cast(field.type)
                self._low = _less(high, self._source.overlap, field)
                if self._looks_back:
                    seen += [self._names_within(page) for page in pages]
            self._seen = pa.concat_arrays(seen)
        if len(self._seen) > MOST_SEEN:
            raise DatabaseRefusedError(
                f"{len(self._seen)} rows lie within the overlap, at most {MOST_SEEN} are "
                "remembered; choose a shorter one"
            )

    def _refuse_nulls(self, session: DatabaseSession) -> None:
        """Rows without a key or a watermark have no place in the order: they would be lost."""
        tests = " OR ".join(f"answer.{quoted(name)} IS NULL" for name in self._order)
        found = self._answer(
            session,
            f"SELECT 1 AS found FROM ({self._query}) AS answer WHERE {tests} LIMIT 1",  # noqa: S608 - the query is what the job may ask, names are quoted
        )
        if found.num_rows:
            raise DatabaseRefusedError(
                f"a row has a null in {' or '.join(map(repr, self._order))}; leave such rows out "
                "of the query, or name columns that are never null"
            )

    def _page(self, session: DatabaseSession) -> pa.Table:
        columns = [f"answer.{quoted(name)}" for name in self._order]
        bounds = self._after
        where = ""
        if bounds:
            marks = ", ".join(mark for mark, _ in bounds)
            where = f" WHERE ({', '.join(columns)}) > ({marks})"
        elif self._low is not None:
            bounds = [self._database.literal(*self._low, 1)]
            where = f" WHERE {columns[0]} {'>=' if self._looks_back else '>'} {bounds[0][0]}"
        return self._answer(
            session,
            f"SELECT * FROM ({self._query}) AS answer{where} "  # noqa: S608 - the query is what the job may ask, names are quoted
            f"ORDER BY {', '.join(columns)} LIMIT {PAGE_ROWS + 1}",
            [value for _, value in bounds],
        )

    def _answer(
        self, session: DatabaseSession, statement: str, parameters: list[object] | None = None
    ) -> pa.Table:
        session.begin_reading()
        try:
            batches = list(session.stream(statement, parameters or []))
        finally:
            session.rollback()
        return pa.concat_tables(
            [pa.Table.from_batches([batch]) for batch in batches], promote_options="default"
        ).combine_chunks()

    def _keep(self, rows: pa.Table) -> None:
        missing = [name for name in self._order if name not in rows.schema.names]
        if missing:
            raise DatabaseRefusedError(f"the answer has no column {missing[0]!r}")
        names = _row_names(rows, self._order)
        if pc.any(pc.equal(names.slice(1), names.slice(0, len(names) - 1))).as_py():
            raise DatabaseRefusedError(
                f"two rows are equal in {', '.join(map(repr, self._order))}; name a key that is "
                "unique"
            )
        last = rows.num_rows - 1
        self._after = [
            self._database.literal(rows.schema.field(name), rows[name][last], n)
            for n, name in enumerate(self._order, 1)
        ]
        new = rows.filter(pc.invert(pc.is_in(names, value_set=self._seen)))
        if not new.num_rows:
            return
        own_high = rows[self._order[0]][last]
        pages = self._pages.pages()
        high = own_high
        if pages:
            known = pa.scalar(pages[-1].note()[_HIGH]).cast(own_high.type)
            high = max(known, own_high, key=lambda value: value.as_py())
        note = {_HIGH: _text(high), _OWN_HIGH: _text(own_high)}
        self._pages.append(new.combine_chunks().to_batches()[0], note=note)

    def _names_within(self, page: Page) -> Any:
        if not self._is_within_overlap(page):
            return pa.array([], pa.string())
        table = page.table().select(self._order)
        _, low = self._low
        within = pc.greater_equal(table[self._order[0]], low)
        return _row_names(table.filter(within), self._order)

    def _is_within_overlap(self, page: Page) -> bool:
        if not self._looks_back:
            return False
        if self._low is None:
            return True
        field, low = self._low
        own_high = pa.scalar(page.note()[_OWN_HIGH]).cast(field.type)
        return bool(pc.greater_equal(own_high, low).as_py())


def _row_names(rows: pa.Table, columns: list[str]) -> Any:
    """One text a row that its watermark and key make."""
    parts = [pc.cast(rows[name].combine_chunks(), pa.string()) for name in columns]
    names = pc.binary_join_element_wise(*parts, "\x1f") if len(parts) > 1 else parts[0]
    return names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names


def _text(value: pa.Scalar[Any]) -> str:
    text: str = value.cast(pa.string()).as_py()
    return text


def _less(high: Any, overlap: float, field: Any) -> tuple[Any, Any]:
    """The column and the value a poll begins at."""
    kind = field.type
    if not overlap:
        return field, high
    if pa.types.is_timestamp(kind):
        ticks = high.cast(pa.int64()).as_py() - round(overlap * _TICKS_A_SECOND[kind.unit])
        return field, pa.scalar(ticks, pa.int64()).cast(kind)
    if pa.types.is_date32(kind):
        days = high.cast(pa.int32()).as_py() - -(-round(overlap) // 86_400)
        return field, pa.scalar(days, pa.int32()).cast(kind)
    if pa.types.is_integer(kind):
        return field, pa.scalar(high.as_py() - round(overlap), kind)
    if pa.types.is_floating(kind):
        return field, pa.scalar(high.as_py() - overlap, kind)
    if pa.types.is_decimal(kind):
        return field, pa.scalar(high.as_py() - Decimal(str(overlap)), kind)
    raise DatabaseRefusedError(
        f"column {field.name!r} is {kind}: an overlap needs numbers or times; cast it in the query"
    )
