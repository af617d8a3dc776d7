"""A query with a key brings every row once, in whatever order rows become visible."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tickmesh.settings import SecretUrl
from tickmesh_cleaner.config import DatabaseConfig
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.databases.engine import DatabaseAwayError, DatabaseRefusedError
from tickmesh_cleaner.domain.job_source import DatabaseSource
from tickmesh_cleaner.sources.keyed_pages import KeyedPages
from tickmesh_cleaner.sources.query_pages import PAGE_ROWS, QueryPages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Table:
    """A table of ids and times, and what was fetched of it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "feed.db"
        self.pages = QueryPages(directory / "pages")
        self.connection = sqlite3.connect(self._path, isolation_level=None)
        self.connection.execute("CREATE TABLE feed (id INTEGER, at INTEGER)")

    def insert(self, *rows: tuple[int | None, int | None]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO feed VALUES (?, ?)", rows)
        self.connection.execute("COMMIT")

    def fetching(self, query: str = "SELECT id, at FROM feed", **options: object) -> KeyedPages:
        url = SecretUrl(f"sqlite:///{self._path}")
        database = Connections({"sea": DatabaseConfig(url)}).database("sea")
        source = DatabaseSource("sea", query, **options)  # type: ignore[arg-type]  # the test's own words
        return KeyedPages(database, source, self.pages)

    def kept(self) -> list[int]:
        return [id_ for page in self.pages.pages() for id_ in page.table().column("id").to_pylist()]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path)
    yield made
    made.connection.close()


def poll(fetching: KeyedPages) -> None:
    while not fetching.fetch():
        pass


def test_a_growing_key_brings_new_rows_only_over_pages_and_polls(table: Table) -> None:
    table.insert(*((n, 0) for n in range(2 * PAGE_ROWS + 5)))
    fetching = table.fetching(key_column="id")
    poll(fetching)
    assert table.kept() == list(range(2 * PAGE_ROWS + 5))
    assert [page.rows for page in table.pages.pages()] == [PAGE_ROWS, PAGE_ROWS, 5]
    table.insert((99_999, 0))
    poll(fetching)
    fetching.close()
    again = table.fetching(key_column="id")
    poll(again)
    again.close()
    assert table.kept() == [*range(2 * PAGE_ROWS + 5), 99_999]


def test_rows_that_come_late_within_the_overlap_are_found_and_none_comes_twice(
    table: Table,
) -> None:
    table.insert((1, 100), (2, 110), (3, 120))
    fetching = table.fetching(key_column="id", watermark_column="at", overlap=20)
    poll(fetching)
    table.insert((4, 105), (5, 120), (6, 130), (7, 99))
    poll(fetching)
    assert table.kept() == [1, 2, 3, 4, 5, 6]
    fetching.close()
    successor = table.fetching(key_column="id", watermark_column="at", overlap=20)
    table.insert((8, 110))
    poll(successor)
    successor.close()
    assert table.kept() == [1, 2, 3, 4, 5, 6, 8]


def test_a_row_that_was_changed_has_a_new_watermark_and_comes_again(table: Table) -> None:
    table.insert((1, 100), (2, 110))
    fetching = table.fetching(key_column="id", watermark_column="at", overlap=50)
    poll(fetching)
    table.connection.execute("UPDATE feed SET at = 120 WHERE id = 1")
    poll(fetching)
    fetching.close()
    assert table.kept() == [1, 2, 1]


def test_pages_that_are_committed_go_and_those_the_overlap_needs_stay(table: Table) -> None:
    table.insert(*((n, n) for n in range(PAGE_ROWS + 10)))
    fetching = table.fetching(key_column="id", watermark_column="at", overlap=5)
    poll(fetching)
    poll(fetching)
    fetching.committed(PAGE_ROWS + 10)
    assert [page.first for page in table.pages.pages()] == [PAGE_ROWS]
    table.insert((PAGE_ROWS + 10, PAGE_ROWS + 10), (-1, PAGE_ROWS + 5))
    poll(fetching)
    fetching.close()
    assert table.kept()[10:] == [-1, PAGE_ROWS + 10]
    assert table.pages.end == PAGE_ROWS + 12


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([(1, 1), (None, 2)], {"key_column": "id"}, "null in 'id'"),
        ([(1, 1), (1, 2)], {"key_column": "id"}, "two rows are equal in 'id'"),
        ([(1, 1)], {"key_column": "nothing"}, "no such column"),
        ([(1, 1), (2, None)], {"key_column": "id", "watermark_column": "at"}, "null in 'at'"),
    ],
)
def test_a_key_that_cannot_tell_rows_apart_is_refused(
    table: Table,
    rows: list[tuple[int | None, int | None]],
    options: dict[str, object],
    message: str,
) -> None:
    table.insert(*rows)
    fetching = table.fetching(**options)
    with pytest.raises(DatabaseRefusedError, match=message):
        poll(fetching)
    fetching.close()
    assert table.kept() == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id; DELETE FROM feed",
        "SELECT id FROM feed) AS answer; DELETE FROM feed; --",
        "WITH gone AS (SELECT 1) DELETE FROM feed RETURNING id",
    ],
)
def test_nothing_but_one_select_is_carried_out(table: Table, query: str) -> None:
    table.insert((1, 1))
    fetching = table.fetching(query, key_column="id")
    with pytest.raises((DatabaseRefusedError, DatabaseAwayError)):
        poll(fetching)
    fetching.close()
    assert table.connection.execute("SELECT count(*) FROM feed").fetchone() == (1,)
