"""ALTER TABLE, action by action: which of them only add."""

from collections.abc import Iterator, Sequence
from typing import Final

from headgate.release.migrations.findings import (
    CHANGED,
    GONE,
    NARROWED,
    NEEDED,
    REDEFAULTED,
    RENAMED,
    RETYPED,
    UNCERTAIN,
    Added,
    Finding,
)
from headgate.release.migrations.reader import Reader, first_brackets, has, outside_brackets, parts, words_of
from headgate.release.migrations.sql import Token

_HARMLESS: Final = {
    "VALIDATE",  # of a constraint that holds for new rows already
    "ATTACH",
    "REPLICA",
    "ALGORITHM",
    "LOCK",
    "COMMENT",
    "AUTO_INCREMENT",
}
_GENERATED: Final = {
    "GENERATED", "IDENTITY", "AS", "AUTO_INCREMENT", "AUTOINCREMENT", "SERIAL", "BIGSERIAL", "SMALLSERIAL",
}  # fmt: skip
_INDEXES: Final = {"INDEX", "KEY", "FULLTEXT", "SPATIAL"}
_DROPPED: Final = {"CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "PARTITION"}
_CONSTRAINTS: Final = {"CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE"}


def of_alter_table(reader: Reader, added: Added) -> Iterator[Finding]:
    """`reader` stands behind TABLE."""
    reader.take("IF", "EXISTS")
    reader.take("ONLY")
    table = reader.name()
    reader.take("*")
    for action in parts(reader.rest):
        found = list(_of_action(Reader(action), table, added))
        if found and added.may_have_table(table):
            yield UNCERTAIN
        elif not added.has_relation(table):
            yield from found


def _of_action(reader: Reader, table: str, added: Added) -> Iterator[Finding]:
    if reader.take("ADD"):
        yield from _of_add(reader, table, added)
    elif reader.take("DROP"):
        is_column = reader.take("COLUMN") or not any(reader.sees(word) for word in _DROPPED)
        reader.take("IF", "EXISTS")
        if not (is_column and added.has_column(table, reader.name())):
            yield GONE
    elif reader.take("ALTER"):
        reader.take("COLUMN")
        reader.take("IF", "EXISTS")
        yield from _of_alter_column(reader, table, added)
    elif reader.take("RENAME") or reader.sees("SET", "SCHEMA"):
        yield RENAMED
    elif reader.take("CHANGE") or reader.take("MODIFY"):
        reader.take("COLUMN")
        if not added.has_column(table, reader.name()):
            yield RETYPED
    elif not (reader.sees("SET", "(") or reader.sees("RESET", "(") or reader.word() in _HARMLESS):
        yield CHANGED


def _of_add(reader: Reader, table: str, added: Added) -> Iterator[Finding]:
    if reader.take("COLUMN"):
        yield from _of_columns(reader, table, added)
        return
    if reader.sees("PARTITION") or _is_index(reader.rest):
        return
    if any(reader.sees(word) for word in _CONSTRAINTS):
        yield from _of_constraint(reader, table, added)
    else:
        yield from _of_columns(reader, table, added)


def _is_index(tokens: Sequence[Token]) -> bool:
    """MySQL's ADD KEY name (columns). PostgreSQL lets a column be called key, of a type with brackets even."""
    words = words_of(tokens)
    return bool(words) and words[0] in _INDEXES and "(" in words[:5] and not has(tokens, "NOT", "NULL")


def _of_constraint(reader: Reader, table: str, added: Added) -> Iterator[Finding]:
    if reader.take("CONSTRAINT") and not reader.sees("UNIQUE") and not reader.sees("FOREIGN"):
        reader.name()
    is_key = reader.sees("UNIQUE") or reader.sees("FOREIGN", "KEY")
    if not (is_key and is_free_key(reader.rest, table, added)):
        yield NARROWED


def is_free_key(key: Sequence[Token], table: str, added: Added) -> bool:
    """Whether a unique or foreign key binds the new version alone, as the old one leaves its columns null."""
    columns = names(first_brackets(key))
    return added.is_null_in_old_rows(table, columns) and not has(key, "NULLS", "NOT", "DISTINCT")


def names(columns: Sequence[Token]) -> list[str]:
    """The columns of a list in brackets; "" for an expression."""
    return [part[0].name if outside_brackets(part) == part else "" for part in parts(columns)] or [""]


def _of_columns(reader: Reader, table: str, added: Added) -> Iterator[Finding]:
    """One column, or MySQL's list of them in brackets."""
    if reader.sees("("):
        for part in parts(first_brackets(reader.rest)):
            yield from _of_add(Reader(part), table, added)
        return
    is_certain = not reader.take("IF", "NOT", "EXISTS")
    column = reader.name()
    definition = reader.rest
    words = words_of(outside_brackets(definition))
    default = _default(words)
    is_generated = not _GENERATED.isdisjoint(words)
    has_default = is_generated or (bool(default) and default[0] != "NULL")
    added.add_column(table, column, has_default=has_default, is_certain=is_certain)
    # A check that it IS NOT NULL, in brackets, is one as well.
    if has(definition, "NOT", "NULL") and not has_default:
        yield NEEDED
    differs = is_generated or default[1:2] == ["("]  # from row to row, as what a function gives may
    if ("PRIMARY" in words and not is_generated) or ("UNIQUE" in words and has_default and not differs):
        yield NARROWED


def _default(words: Sequence[str]) -> Sequence[str]:
    """What follows DEFAULT, where that is the column's own, and not that of ON DELETE SET DEFAULT."""
    for at, word in enumerate(words):
        if word == "DEFAULT" and words[at - 1 : at] != ["SET"]:
            return words[at + 1 :] or [""]
    return []


def _of_alter_column(reader: Reader, table: str, added: Added) -> Iterator[Finding]:
    column = reader.name()
    is_ours = added.has_column(table, column)
    if reader.take("DROP", "NOT", "NULL"):
        return
    if reader.take("DROP", "DEFAULT"):
        # Of a column of ours too: with it the old version's inserts would have a value.
        if not is_ours or added.has_default(table, column):
            yield NEEDED
    elif reader.take("SET", "NOT", "NULL"):
        if not (is_ours and added.has_default(table, column)):
            yield NEEDED
    elif reader.take("SET", "DEFAULT"):
        if is_ours:
            added.set_default(table, column, has_default=not reader.sees("NULL"))
        else:
            yield REDEFAULTED
    elif reader.take("TYPE") or reader.take("SET", "DATA", "TYPE"):
        if not is_ours:
            yield RETYPED
    elif not any(reader.sees(*harmless) for harmless in _HARMLESS_OF_COLUMNS):
        yield CHANGED


_HARMLESS_OF_COLUMNS: Final = (
    ("SET", "STATISTICS"),
    ("SET", "STORAGE"),
    ("SET", "COMPRESSION"),
    ("SET", "("),
    ("RESET",),
)
