"""Whether SQL only adds: both the old version and the new one must be able to run on what it leaves behind.

What is not known to add is refused, for a release can be rolled back only while the old version can go on
(docs/release-gates.md). PostgreSQL, MySQL and SQLite are understood.
"""

from collections.abc import Callable, Iterator
from typing import Final

from headgate.release.migrations.alter_table import is_free_key, names, of_alter_table
from headgate.release.migrations.findings import (
    CHANGED,
    EMPTIED,
    GONE,
    HIDDEN,
    NARROWED,
    OVERWRITTEN,
    RENAMED,
    REPLACED,
    REVOKED,
    UNCERTAIN,
    Added,
    Finding,
)
from headgate.release.migrations.reader import Reader, before, first_brackets, has, parts, words_of
from headgate.release.migrations.sql import Statement, Unreadable, statements

# Tables in which migration tools note what they have done; no version of the product reads them.
_BOOKKEEPING: Final = {
    "alembic_version", "ar_internal_metadata", "django_migrations", "flyway_schema_history", "schema_migrations",
    "schema_version",
}  # fmt: skip
_HARMLESS: Final = {
    "ANALYZE", "BEGIN", "COMMENT", "COMMIT", "END", "GRANT", "LOCK", "PRAGMA", "RELEASE", "RESET", "SAVEPOINT",
    "SELECT", "SET", "SHOW", "START", "UNLOCK", "USE", "VACUUM",
}  # fmt: skip


def additive_problems(name: str, sql: str) -> list[str]:
    """What is not additive: `name:line: statement: why; the additive way`. Empty: all of it only adds."""
    added = Added()
    problems = []
    try:
        for statement in statements(sql):
            problems += [
                f"{name}:{statement.line}: {statement.shown}: {finding.why}; {finding.instead}"
                for finding in dict.fromkeys(_of_statement(statement, added))
            ]
    except Unreadable as error:
        problems.append(f"{name}:{error.line}: {error}")
    return problems


def _of_statement(statement: Statement, added: Added) -> Iterator[Finding]:
    reader = Reader(statement.tokens)
    first = reader.word()
    if first in _RULES:
        yield from _RULES[first](reader, added)
    elif first not in _HARMLESS:
        yield HIDDEN


def _of_create(reader: Reader, added: Added) -> Iterator[Finding]:
    replaces = reader.take("OR", "REPLACE")
    is_unique = has(reader.rest[:1], "UNIQUE")
    reader.skip(_ADJECTIVES)
    kind = reader.word()
    if kind in {"ALGORITHM", "DEFINER", "SQL"}:  # MySQL says these of a view or routine before its kind
        while not reader.ended and (kind := reader.word()) not in _DEFINED:
            pass
    if kind not in _CREATED:
        yield CHANGED
    elif replaces:
        yield REPLACED
    if kind in _RELATIONS:
        is_new = not (reader.take("IF", "NOT", "EXISTS") or replaces)
        added.add_relation(reader.name(), is_certain=is_new)
    elif kind == "INDEX" and is_unique:
        yield from _of_unique_index(reader, added)


_ADJECTIVES: Final = {
    "CONSTRAINT", "FULLTEXT", "GLOBAL", "LOCAL", "MATERIALIZED", "RECURSIVE", "SPATIAL", "TEMP", "TEMPORARY",
    "UNIQUE", "UNLOGGED", "VIRTUAL",
}  # fmt: skip
_DEFINED: Final = {"EVENT", "FUNCTION", "PROCEDURE", "TRIGGER", "VIEW"}
_CREATED: Final = _DEFINED | {
    "AGGREGATE", "COLLATION", "DATABASE", "DOMAIN", "EXTENSION", "INDEX", "ROLE", "SCHEMA", "SEQUENCE", "STATISTICS",
    "TABLE", "TYPE", "USER",
}  # fmt: skip
_RELATIONS: Final = {"SEQUENCE", "TABLE", "VIEW"}


def _of_unique_index(reader: Reader, added: Added) -> Iterator[Finding]:
    while not reader.ended and not reader.sees("ON"):
        reader.word()
    reader.take("ON")
    reader.take("ONLY")
    table = reader.name()
    if not (added.has_relation(table) or is_free_key(reader.rest, table, added)):
        yield UNCERTAIN if added.may_have_table(table) else NARROWED


def _of_alter(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.skip({"IGNORE", "ONLINE"})
    if reader.take("TABLE"):
        yield from of_alter_table(reader, added)
    elif reader.take("SEQUENCE") or reader.take("VIEW") or reader.take("MATERIALIZED", "VIEW"):
        yield from _of_alter_relation(reader, added)
    elif has(reader.rest, "RENAME") or has(reader.rest, "SET", "SCHEMA"):
        yield RENAMED
    elif not ((reader.sees("TYPE") and has(reader.rest, "ADD", "VALUE")) or reader.sees("DEFAULT", "PRIVILEGES")):
        yield CHANGED


def _of_alter_relation(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.take("IF", "EXISTS")
    if added.has_relation(reader.name()) or reader.sees("OWNED", "BY"):
        return
    yield RENAMED if reader.sees("RENAME") or reader.sees("SET", "SCHEMA") else CHANGED


def _of_drop(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.take("TEMPORARY")
    is_table = reader.take("TABLE")
    reader.take("IF", "EXISTS")
    if not (is_table and added.has_relation(reader.name())) or has(reader.rest, ","):
        yield GONE


def _of_truncate(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.take("TABLE")
    reader.take("ONLY")
    if not added.has_relation(reader.name()) or has(reader.rest, ","):
        yield EMPTIED


def _of_delete(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.skip({"FROM", "ONLY"})
    table = reader.name()
    if not (added.has_relation(table) or table in _BOOKKEEPING):
        yield EMPTIED


def _of_insert(reader: Reader, added: Added) -> Iterator[Finding]:
    overwrites = (
        has(reader.rest, "DO", "UPDATE") or has(reader.rest, "KEY", "UPDATE") or has(reader.rest, "OR", "REPLACE")
    )
    while not reader.ended and not reader.take("INTO"):
        reader.word()
    table = reader.name()
    if overwrites and not (added.has_relation(table) or table in _BOOKKEEPING):
        yield OVERWRITTEN


def _of_update(reader: Reader, added: Added) -> Iterator[Finding]:
    reader.skip({"ONLY", "LOW_PRIORITY", "IGNORE"})
    table = reader.name()
    if added.has_relation(table) or table in _BOOKKEEPING:
        return
    if has(before(reader.rest, "SET"), "JOIN") or has(before(reader.rest, "SET"), ","):
        yield OVERWRITTEN  # which of the tables a column is of cannot be told for sure
        return
    while not reader.ended and not reader.take("SET"):
        reader.word()
    for assignment in parts(before(reader.rest, "FROM", "LIMIT", "ORDER", "RETURNING", "WHERE")):
        target = Reader(assignment)
        columns = names(first_brackets(assignment)) if target.sees("(") else [target.name()]
        if not all(added.may_fill(table, column) for column in columns):
            yield OVERWRITTEN
            return


def _of_with(reader: Reader, added: Added) -> Iterator[Finding]:  # noqa: ARG001
    if not {"DELETE", "INSERT", "MERGE", "UPDATE"}.isdisjoint(words_of(reader.rest)):
        yield HIDDEN


def _always(finding: Finding) -> Callable[[Reader, Added], Iterator[Finding]]:
    return lambda reader, added: iter((finding,))  # noqa: ARG005


_RULES: Final[dict[str, Callable[[Reader, Added], Iterator[Finding]]]] = {
    "ALTER": _of_alter,
    "CREATE": _of_create,
    "DELETE": _of_delete,
    "DROP": _of_drop,
    "INSERT": _of_insert,
    "MERGE": _always(OVERWRITTEN),
    "RENAME": _always(RENAMED),
    "REPLACE": _always(OVERWRITTEN),
    "REVOKE": _always(REVOKED),
    "TRUNCATE": _of_truncate,
    "UPDATE": _of_update,
    "WITH": _of_with,
}
