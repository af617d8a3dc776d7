"""What a statement may say, judged before anything is bound or run."""

from __future__ import annotations

import duckdb
import pytest

from tickmesh_tickstore.queries.sql_statement import StatementRefusedError, named_tables


def tables_of(statement: str) -> tuple[str, ...]:
    with duckdb.connect() as connection:
        row = connection.execute(
            "SELECT json_serialize_sql(?, skip_empty := true, skip_null := true)", [statement]
        ).fetchone()
    assert row is not None
    return named_tables(row[0])


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT 1", ()),
        ('SELECT * FROM "ticks.trades"', ("ticks.trades",)),
        ('FROM "a.b" SELECT x LIMIT 3;', ("a.b",)),
        ('SELECT * FROM "a" JOIN "b" USING (ts) WHERE x IN (SELECT y FROM "c")', ("a", "b", "c")),
        ('SELECT (SELECT max(x) FROM "a"), exists(FROM "b")', ("a", "b")),
        ('WITH Q AS (SELECT * FROM "a") SELECT * FROM q', ("a",)),
        ('WITH RECURSIVE q AS (SELECT 1 UNION ALL SELECT x FROM q, "a") FROM q', ("a",)),
        ('SELECT * FROM "a" ASOF JOIN "b" USING (symbol, ts)', ("a", "b")),
        ('DESCRIBE SELECT * FROM "a"', ("a",)),
        ('SUMMARIZE "a"', ("a",)),
        ('TABLE "a"', ("a",)),
        ('UNPIVOT "a" ON x, y INTO NAME n VALUE v', ("a",)),
        ("VALUES (1, 2)", ()),
        ('SELECT * FROM range(3) r, "a", unnest([1, 2])', ("a",)),
        (
            'SELECT first(price ORDER BY ts), lag(x) OVER w FROM "a" WINDOW w AS (ORDER BY ts)',
            ("a",),
        ),
        ('SELECT * FROM "a" UNION ALL SELECT * FROM "b"', ("a", "b")),
    ],
)
def test_the_tables_a_statement_names(statement: str, tables: tuple[str, ...]) -> None:
    assert sorted(tables_of(statement)) == sorted(tables)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '/tmp/x'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '1TB'",
        "RESET memory_limit",
        "PRAGMA database_list",
        "CREATE TABLE t (a INT)",
        "CREATE MACRO m(a) AS a",
        "CREATE TEMP VIEW v AS SELECT 1",
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN b INT",
        "EXPORT DATABASE '/tmp/x'",
        "IMPORT DATABASE '/tmp/x'",
        "CALL pragma_version()",
        "VACUUM",
        "CHECKPOINT",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "EXPLAIN ANALYZE SELECT 1",
        "USE memory",
        "SET VARIABLE x = 1",
    ],
)
def test_whatever_does_more_than_read_is_refused(statement: str) -> None:
    with pytest.raises(StatementRefusedError, match="one SELECT"):
        tables_of(statement)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT 1; SELECT 2", "one statement, got 2"),
        ("", "one statement, got 0"),
        ("-- nothing", "one statement, got 0"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv is not served"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text is not served"),
        ("SELECT * FROM glob('/*')", "glob is not served"),
        ("SELECT * FROM query('SELECT 1')", "query is not served"),
        ("SELECT * FROM query_table('t')", "query_table is not served"),
        ("SELECT * FROM arrow_scan(1, 2, 3)", "arrow_scan is not served"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings is not served"),
        ("SELECT * FROM duckdb_secrets()", "duckdb_secrets is not served"),
        ("SELECT * FROM pragma_database_list()", "pragma_database_list is not served"),
        ("SELECT (SELECT count(*) FROM system.main.glob('/*'))", "glob is not served"),
        ("SELECT getenv('HOME')", "getenv is not served"),
        ("SELECT main.current_setting('x')", "current_setting is not served"),
        ("SELECT x FROM (SELECT sleep_ms(10) AS x)", "sleep_ms is not served"),
        ("SELECT list_transform([1], lambda x: getvariable('y'))", "getvariable is not served"),
        ("SELECT pg_sleep(10)", "pg_sleep is not served"),
        ("SELECT write_log('x')", "write_log is not served"),
        ("SELECT 1 ORDER BY version()", "version is not served"),
        ("SELECT * FROM ticks.trades", 'in double quotes, as in "ticks.trades"'),
        ("SELECT * FROM information_schema.tables", "no table information_schema.tables"),
        ("SHOW TABLES", "list_flights"),
        ("SELECT FROM WHERE", "at character 12"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "expression depth"),
    ],
)
def test_what_is_not_served_is_refused_by_name(statement: str, told: str) -> None:
    with pytest.raises(StatementRefusedError, match=told) as refused:
        tables_of(statement)
    assert "SET " not in str(refused.value)


def test_every_table_function_of_the_engine_but_four_is_refused() -> None:
    with duckdb.connect() as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT function_name FROM duckdb_functions() "
                "WHERE function_type IN ('table', 'table_macro')"
            ).fetchall()
        ]
    served = set()
    for name in names:
        try:
            tables_of(f"SELECT * FROM {name}(1)")
            served.add(name)
        except StatementRefusedError:
            continue
    assert served == {"generate_series", "range", "repeat_row", "unnest"}
    assert len(names) > 50
