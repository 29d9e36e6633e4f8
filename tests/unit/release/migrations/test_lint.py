"""What may stand in the SQL of an expansion: one table of what only adds, one of what does not, and why."""

# ruff: noqa: E501  a statement reads best on one line

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.release.migrations.findings import (
    CHANGED,
    EMPTIED,
    GONE,
    HIDDEN,
    NARROWED,
    NEEDED,
    OVERWRITTEN,
    REDEFAULTED,
    RENAMED,
    REPLACED,
    RETYPED,
    REVOKED,
    UNCERTAIN,
    Finding,
)
from headgate.release.migrations.lint import additive_problems

ADDS = {
    # New things.
    "a table, with all its constraints": "CREATE TABLE t (id bigserial PRIMARY KEY, a int NOT NULL CHECK (a > 0), UNIQUE (a))",
    "a table as a select": "CREATE TABLE t AS SELECT * FROM orders",
    "a temporary table": "CREATE TEMPORARY TABLE IF NOT EXISTS t (a int)",
    "a partition": "CREATE TABLE orders_2027 PARTITION OF orders FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "an index": "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (lower(name)) WHERE total > 0",
    "an index in brackets of MySQL": "ALTER TABLE orders ADD INDEX i (a, b DESC), ALGORITHM=INPLACE, LOCK=NONE",
    "a full-text index": "CREATE FULLTEXT INDEX i ON orders (name)",
    "a view": "CREATE VIEW v AS SELECT a, b FROM orders",
    "a materialized view": "CREATE MATERIALIZED VIEW v AS SELECT 1",
    "a type": "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "a value of an enumeration": "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'happy' AFTER 'ok'",
    "a sequence": "CREATE SEQUENCE s; ALTER SEQUENCE s OWNED BY orders.no",
    "an extension": "CREATE EXTENSION IF NOT EXISTS pgcrypto",
    "a schema": "CREATE SCHEMA IF NOT EXISTS archive",
    "a function whose body does anything": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ DROP TABLE orders; $body$",
    "a trigger of PostgreSQL": "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
    "a trigger with a block": "CREATE TRIGGER t AFTER INSERT ON orders BEGIN UPDATE x SET a = CASE WHEN 1 THEN 2 END; DELETE FROM y; END",
    "a view as mysqldump writes it": "CREATE ALGORITHM=MERGE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW v AS SELECT 1; ALTER VIEW v RENAME TO w",
    "a procedure of MySQL": "CREATE DEFINER=`root`@`%` PROCEDURE p() BEGIN IF 1 THEN DELETE FROM x; END IF; DROP TABLE y; END",
    # Columns.
    "a column that may be null": "ALTER TABLE orders ADD COLUMN note text",
    "a column without the word": "ALTER TABLE IF EXISTS ONLY shop.orders ADD note varchar(20) NULL COMMENT 'x' AFTER b",
    "a column with a default": "ALTER TABLE orders ADD COLUMN a int NOT NULL DEFAULT 0, ADD COLUMN b text DEFAULT '' NOT NULL",
    "an identity": "ALTER TABLE orders ADD COLUMN no bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE",
    "a serial": "ALTER TABLE orders ADD no bigserial NOT NULL",
    "an automatic key": "ALTER TABLE orders ADD id int AUTO_INCREMENT PRIMARY KEY",
    "a computed column": "ALTER TABLE orders ADD COLUMN gross numeric NOT NULL GENERATED ALWAYS AS (net * 1.2) STORED",
    "a unique column that old rows leave null": "ALTER TABLE orders ADD COLUMN external_id uuid UNIQUE",
    "a unique column with a value for each row": "ALTER TABLE orders ADD u uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE",
    "a reference": "ALTER TABLE orders ADD COLUMN shop int REFERENCES shops (id) ON DELETE SET NULL",
    "columns in brackets": "ALTER TABLE orders ADD (a int, b decimal(10, 2) NOT NULL DEFAULT 0)",
    "a column called key": "ALTER TABLE orders ADD key text",
    "fewer duties of a column": "ALTER TABLE orders ALTER COLUMN note DROP NOT NULL",
    "statistics of a column": "ALTER TABLE orders ALTER note SET STATISTICS 500",
    "storage parameters": "ALTER TABLE orders SET (fillfactor = 70)",
    "validation of what holds already": "ALTER TABLE orders VALIDATE CONSTRAINT c",
    "a partition attached": "ALTER TABLE orders ATTACH PARTITION p FOR VALUES IN (1)",
    # What the file itself has added is nobody's yet.
    "a table of the file may be changed": "CREATE TABLE a.t (x int); ALTER TABLE t RENAME x TO y, ADD z int NOT NULL; DROP TABLE t",
    "a table of the file may be bound": "CREATE TABLE t (x int); CREATE UNIQUE INDEX i ON t (x); UPDATE t SET x = 1",
    "a table of the file may be emptied": 'CREATE TABLE "T" (x int); DELETE FROM t; TRUNCATE TABLE t',
    "a column of the file may be filled": "ALTER TABLE orders ADD a int, ADD b int; UPDATE orders o SET a = 1, b = f(x, y) FROM s, u WHERE o.c = 1",
    "several of them at once": "ALTER TABLE orders ADD a int, ADD b int; UPDATE orders SET (a, b) = (SELECT 1, 2) WHERE c IN (1, 2)",
    "and one that is perhaps of the file": "ALTER TABLE orders ADD COLUMN IF NOT EXISTS a int; UPDATE orders SET a = 1 WHERE a IS NULL",
    "a sequence and a view of the file may be changed": "CREATE SEQUENCE shop.s; ALTER SEQUENCE s RESTART; CREATE VIEW v AS SELECT 1; ALTER VIEW v RENAME TO w",
    "a column of the file may be retyped": "ALTER TABLE orders ADD a int; ALTER TABLE orders ALTER a TYPE bigint",
    "and given a default, then made not null": "ALTER TABLE orders ADD a int; ALTER TABLE orders ALTER a SET DEFAULT 1, ALTER a SET NOT NULL",
    "and dropped": "ALTER TABLE orders ADD a int; ALTER TABLE orders DROP COLUMN IF EXISTS a",
    "and be a key that old rows leave null": "ALTER TABLE orders ADD a int, ADD CONSTRAINT u UNIQUE (a), ADD FOREIGN KEY (a) REFERENCES s (id)",
    "or have a unique index": "ALTER TABLE orders ADD a int; CREATE UNIQUE INDEX CONCURRENTLY ON orders USING btree (a)",
    # Rows, and the frame of it.
    "rows": "INSERT INTO orders (a) VALUES (1) ON CONFLICT DO NOTHING",
    "a transaction": "BEGIN; SET LOCAL lock_timeout = '5s'; SELECT 1; COMMIT;",
    "rights given": "GRANT SELECT ON orders TO reporting; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reporting",
    "a comment on a column": "COMMENT ON COLUMN orders.a IS 'drop me; DROP TABLE orders'",
    "the notes of a migration tool": "UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a'",
    "nothing at all": "  ; -- nothing\n;;",
}  # fmt: skip


@pytest.mark.parametrize("sql", ADDS.values(), ids=ADDS.keys())
def test_it_adds(sql: str) -> None:
    assert additive_problems("expand.sql", sql) == []


ADDS_NOT: dict[str, tuple[str, Finding]] = {
    "a column dropped": ("ALTER TABLE orders DROP COLUMN total", GONE),
    "a column dropped without the word": ("ALTER TABLE orders DROP total CASCADE", GONE),
    "a column dropped beside one that is added": ("ALTER TABLE orders ADD a int, DROP b", GONE),
    "a constraint dropped": ("ALTER TABLE orders DROP CONSTRAINT c", GONE),
    "a table dropped": ("DROP TABLE IF EXISTS orders CASCADE", GONE),
    "a table dropped behind one of the file": ("CREATE TABLE t (a int); DROP TABLE t, orders", GONE),
    "a table made anew": ("DROP TABLE t; CREATE TABLE t (a int)", GONE),
    "an index dropped": ("DROP INDEX CONCURRENTLY i", GONE),
    "a view dropped": ("DROP VIEW v", GONE),
    "a column of another table than the file's": ("ALTER TABLE a ADD x int; ALTER TABLE b DROP COLUMN x", GONE),
    "a column perhaps older than the file dropped": (
        "ALTER TABLE orders ADD COLUMN IF NOT EXISTS a int; ALTER TABLE orders DROP COLUMN a",
        GONE,
    ),
    "a table perhaps older than the file dropped": ("CREATE TABLE IF NOT EXISTS t (a int); DROP TABLE t", GONE),
    "a table perhaps older than the file changed": (
        "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t DROP COLUMN a",
        UNCERTAIN,
    ),
    "a unique index on a table perhaps older than the file": (
        "CREATE TABLE IF NOT EXISTS t (a int); CREATE UNIQUE INDEX i ON t (a)",
        UNCERTAIN,
    ),
    "a view renamed": ("ALTER MATERIALIZED VIEW v RENAME TO w", RENAMED),
    "a table renamed": ("ALTER TABLE orders RENAME TO sales", RENAMED),
    "a table renamed as MySQL does": ("RENAME TABLE orders TO sales", RENAMED),
    "a column renamed": ("ALTER TABLE orders RENAME COLUMN a TO b", RENAMED),
    "a column renamed without the word": ("ALTER TABLE orders RENAME a TO b", RENAMED),
    "an index renamed": ("ALTER INDEX i RENAME TO j", RENAMED),
    "a value of an enumeration renamed": ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", RENAMED),
    "a table moved to another schema": ("ALTER TABLE orders SET SCHEMA archive", RENAMED),
    "a type changed": ("ALTER TABLE orders ALTER COLUMN a TYPE bigint USING a::bigint", RETYPED),
    "a type changed in the standard's words": ("ALTER TABLE orders ALTER a SET DATA TYPE text", RETYPED),
    "a column modified": ("ALTER TABLE orders MODIFY COLUMN a bigint", RETYPED),
    "a column changed": ("ALTER TABLE orders CHANGE a b int", RETYPED),
    "a column without a default that must have a value": ("ALTER TABLE orders ADD COLUMN a int NOT NULL", NEEDED),
    "one that is null by default": ("ALTER TABLE orders ADD a int DEFAULT NULL NOT NULL", NEEDED),
    "one whose default is a reference's": (
        "ALTER TABLE orders ADD a int NOT NULL REFERENCES t ON DELETE SET DEFAULT",
        NEEDED,
    ),
    "one that a check makes so": ("ALTER TABLE orders ADD a int CHECK (a IS NOT NULL)", NEEDED),
    "one among others in brackets": ("ALTER TABLE orders ADD (a int, b int NOT NULL)", NEEDED),
    "one called key": ("ALTER TABLE orders ADD key varchar(20) NOT NULL", NEEDED),
    "a column made not null": ("ALTER TABLE orders ALTER COLUMN a SET NOT NULL", NEEDED),
    "a column of the file made not null without a default": (
        "ALTER TABLE orders ADD a int; ALTER TABLE orders ALTER a SET NOT NULL",
        NEEDED,
    ),
    "a column perhaps older than the file made not null": (
        "ALTER TABLE orders ADD COLUMN IF NOT EXISTS a int DEFAULT 0; ALTER TABLE orders ALTER a SET NOT NULL",
        NEEDED,
    ),
    "a default dropped": ("ALTER TABLE orders ALTER COLUMN a DROP DEFAULT", NEEDED),
    "a default that was for old rows alone": (
        'ALTER TABLE "orders" ADD COLUMN "a" int DEFAULT 0 NOT NULL; ALTER TABLE "orders" ALTER COLUMN "a" DROP DEFAULT',
        NEEDED,
    ),
    "a default changed": ("ALTER TABLE orders ALTER COLUMN a SET DEFAULT 5", REDEFAULTED),
    "a check": ("ALTER TABLE orders ADD CONSTRAINT c CHECK (a > 0) NOT VALID", NARROWED),
    "a check without a name": ("ALTER TABLE orders ADD CHECK (a > 0)", NARROWED),
    "a foreign key": ("ALTER TABLE orders ADD FOREIGN KEY (a) REFERENCES t (id)", NARROWED),
    "a unique constraint": ("ALTER TABLE orders ADD UNIQUE (a)", NARROWED),
    "a unique key of MySQL": ("ALTER TABLE orders ADD UNIQUE KEY k (a)", NARROWED),
    "a unique index": ("CREATE UNIQUE INDEX i ON orders (a)", NARROWED),
    "one over an expression": ("ALTER TABLE orders ADD a text; CREATE UNIQUE INDEX i ON orders (lower(a))", NARROWED),
    "one over an old column too": ("ALTER TABLE orders ADD a int; CREATE UNIQUE INDEX i ON orders (a, b)", NARROWED),
    "one for which nulls are equal": (
        "ALTER TABLE orders ADD a int; CREATE UNIQUE INDEX i ON orders (a) NULLS NOT DISTINCT",
        NARROWED,
    ),
    "a unique column with one default for all": ("ALTER TABLE orders ADD a int DEFAULT 0 UNIQUE", NARROWED),
    "a primary key": ("ALTER TABLE orders ADD PRIMARY KEY (id)", NARROWED),
    "an exclusion": ("ALTER TABLE orders ADD EXCLUDE USING gist (a WITH &&)", NARROWED),
    "a function replaced": ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", REPLACED),
    "a view replaced": ("create or replace view v as select 1", REPLACED),
    "a table truncated": ("TRUNCATE TABLE orders", EMPTIED),
    "a table truncated in brief": ("TRUNCATE orders RESTART IDENTITY", EMPTIED),
    "rows deleted": ("DELETE FROM orders WHERE a = 1", EMPTIED),
    "rows changed": ("UPDATE orders SET a = 1", OVERWRITTEN),
    "rows changed beside a new column": (
        "ALTER TABLE orders ADD a int; UPDATE orders SET a = b, b = NULL",
        OVERWRITTEN,
    ),
    "rows of a joined table changed": (
        "ALTER TABLE orders ADD a int; UPDATE orders JOIN t ON 1 SET t.a = 1",
        OVERWRITTEN,
    ),
    "rows replaced": ("REPLACE INTO orders VALUES (1)", OVERWRITTEN),
    "rows replaced as SQLite does": ("INSERT OR REPLACE INTO orders VALUES (1)", OVERWRITTEN),
    "rows put or changed": ("INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", OVERWRITTEN),
    "rows put or changed as MySQL does": ("INSERT INTO orders VALUES (1) ON DUPLICATE KEY UPDATE a = 1", OVERWRITTEN),
    "rows merged": ("MERGE INTO orders USING t ON 1 = 1 WHEN MATCHED THEN DELETE", OVERWRITTEN),
    "rights taken": ("REVOKE SELECT ON orders FROM reporting", REVOKED),
    "row security": ("ALTER TABLE orders ENABLE ROW LEVEL SECURITY", CHANGED),
    "a rule": ("CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING", CHANGED),
    "another owner": ("ALTER TABLE orders OWNER TO somebody", CHANGED),
    "another engine": ("ALTER TABLE orders ENGINE=MyISAM", CHANGED),
    "a partition detached": ("ALTER TABLE orders DETACH PARTITION p", CHANGED),
    "a sequence set back": ("ALTER SEQUENCE s RESTART WITH 1", CHANGED),
    "a block of code": ("DO $$ BEGIN DROP TABLE orders; END $$", HIDDEN),
    "a procedure called": ("CALL cleanup()", HIDDEN),
    "what a plan would execute": ("EXPLAIN ANALYZE DELETE FROM orders", HIDDEN),
    "rows changed in a common table expression": ("WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x", HIDDEN),
    "what nobody knows": ("FROBNICATE orders", HIDDEN),
}


@pytest.mark.parametrize(("sql", "finding"), ADDS_NOT.values(), ids=ADDS_NOT.keys())
def test_it_does_not_only_add(sql: str, finding: Finding) -> None:
    (problem,) = additive_problems("expand.sql", sql)

    assert problem.endswith(f": {finding.why}; {finding.instead}")


UNREADABLE = {
    "a backslash before a quote": ("INSERT INTO t VALUES ('it\\'s'); DROP TABLE x; --')", "\\' ends a string for one"),
    "one before double quotes": ('SELECT "a\\"; DROP TABLE x; --"', '\\" ends a string for one'),
    "a comment within a comment": ("/* /* */ DROP TABLE x */", "a comment within a comment"),
    "a comment for MySQL alone, behind code": ("SELECT 1 # 2; DROP TABLE x", "# begins a comment for MySQL alone"),
    "a string without end": ("SELECT 'a; DROP TABLE x", "a string or comment has no end"),
    "dollar quotes without end": ("SELECT $a$ $b$; DROP TABLE x", "a string in dollar quotes has no end"),
    "a comment without end": ("SELECT 1 /* ; DROP TABLE x", "a string or comment has no end"),
    "a block without end": (
        "CREATE TRIGGER t BEFORE INSERT ON o BEGIN DELETE FROM x;\nDROP TABLE x;",
        "a BEGIN has no END",
    ),
    "a command of psql": ("\\i other.sql", "a command of the client is no SQL"),
}


@pytest.mark.parametrize(("sql", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_databases_read_differently_is_a_problem(sql: str, why: str) -> None:
    problems = additive_problems("expand.sql", sql)

    assert problems[-1].startswith(f"expand.sql:1: {why}")


HIDES = {
    "a comment": "-- DROP TABLE x;\nSELECT 1",
    "a comment at the beginning of MySQL's line": "  # don't DROP TABLE x;\nSELECT 1",
    "a block comment": "/* DROP TABLE x; '\n*/ SELECT 1",
    "a string": "SELECT 'it''s; DROP TABLE x; --'",
    "a string with double quotes escaped": "SELECT '{\\\"a\\\": 1}; DROP TABLE x'",
    "a string with a backslash": "SELECT 'a\\b; DROP TABLE x'",
    "a string whose backslashes are PostgreSQL's": "SELECT E'it\\'s; DROP TABLE x; --'",
    "a name": 'SELECT "x; DROP TABLE y", `z; DROP TABLE y`',
    "dollar quotes": "SELECT $$ '; DROP TABLE x; $$, $a$ $b$; DROP TABLE x $a$",
    "an operator that looks like a comment": "CREATE INDEX i ON o ((d #>> '{a}'));",
}


@pytest.mark.parametrize("sql", HIDES.values(), ids=HIDES.keys())
def test_what_is_not_executed_is_no_problem(sql: str) -> None:
    assert additive_problems("expand.sql", sql) == []


SHOWS = {
    "behind a comment": "-- a 'comment\nDROP TABLE x",
    "in a comment that MySQL executes": "/*!50003 DROP TABLE x */",
    "behind dollar quotes": "SELECT $a$ $b$ $a$; DROP TABLE x",
    "behind a parameter": "SELECT $1; DROP TABLE x; SELECT $2",
    "behind a routine": "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; END CASE; END; DROP TABLE x",
    "behind a name that looks like an end": "CREATE FUNCTION f(a int) RETURNS int RETURN a END; DROP TABLE x",
    "in small letters and on many lines": "dRoP\n\n--\ntable /* */ x",
}


@pytest.mark.parametrize("sql", SHOWS.values(), ids=SHOWS.keys())
def test_what_is_executed_is_seen(sql: str) -> None:
    assert any(problem.endswith(f"{GONE.why}; {GONE.instead}") for problem in additive_problems("expand.sql", sql))


def test_a_problem_names_file_line_statement_reason_and_the_additive_way() -> None:
    sql = "CREATE TABLE t (\n  a int\n);\n\nALTER TABLE orders\n  DROP COLUMN total;\nSELECT 1;"

    (problem,) = additive_problems("migrations/7_expand.sql", sql)

    assert problem == (
        "migrations/7_expand.sql:5: ALTER TABLE orders DROP COLUMN total: the old version still uses it; "
        "leave it, and drop it in contract"
    )


def test_all_problems_are_told() -> None:
    problems = additive_problems("e.sql", "DROP TABLE a;\nALTER TABLE b DROP c, RENAME d TO e;\nTRUNCATE f;")

    assert [problem.split(":")[1] for problem in problems] == ["1", "2", "2", "3"]


PIECES = st.sampled_from(
    ["'", '"', "`", "$$", "$a$", "/*", "*/", "/*!", "--", "#", "\\", ";", "\n", "(", ")", ",", ".", "BEGIN", "END", "CASE",
     "CREATE", "TRIGGER", "TABLE", "ALTER", "ADD", "DROP", "SET", "UPDATE", "a", "1", " "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map(" ".join) | st.text(max_size=100))
def test_any_text_has_an_answer(sql: str) -> None:
    additive_problems("expand.sql", sql)


@given(st.sampled_from(list(ADDS.values())), st.sampled_from([sql for sql, _ in ADDS_NOT.values()]))
def test_what_adds_excuses_nothing_that_follows_on_other_tables(adds: str, drops: str) -> None:
    other = re.sub(r"\b(orders|t|s|v)\b", r"other_\1", drops)

    assert len(additive_problems("expand.sql", f"{adds};\n{other}")) >= 1
