"""What makes a statement no expansion, each with the additive way; and what the file itself has added."""

from collections.abc import Iterable
from typing import Final

from headgate.model.value import Value


class Finding(Value, frozen=True):
    why: str  # what the old version would meet
    instead: str


GONE: Final = Finding(why="the old version still uses it", instead="leave it, and drop it in contract")
RENAMED: Final = Finding(
    why="the old version knows the old name", instead="add the new one, write both, and drop the old one in contract"
)
RETYPED: Final = Finding(
    why="the old version reads and writes the old type",
    instead="add a column of the new type, fill it, and drop the old one in contract",
)
NEEDED: Final = Finding(
    why="the old version's inserts give it no value", instead="give it a default, or make it NOT NULL in contract"
)
NARROWED: Final = Finding(why="the old version's writes may not keep to it", instead="add it in contract")
REDEFAULTED: Final = Finding(
    why="the old version's inserts would get another value", instead="change the default in contract"
)
REPLACED: Final = Finding(
    why="the old version calls what it replaces",
    instead="create it under a name of its own, and drop the old one in contract",
)
EMPTIED: Final = Finding(why="the old version may read those rows", instead="delete them in contract")
REVOKED: Final = Finding(why="the old version may need the right", instead="revoke it in contract")
OVERWRITTEN: Final = Finding(
    why="it changes values that the old version reads", instead="fill columns that this file adds, and no others"
)
CHANGED: Final = Finding(
    why="it changes what the old version uses, or is not known to add alone", instead="add something new beside it"
)
HIDDEN: Final = Finding(
    why="what it does cannot be seen from here",
    instead="write it as plain CREATE, ALTER TABLE ... ADD, INSERT and UPDATE",
)


class Added:
    """What the file has added so far: the old version does not know it, so it may still be changed."""

    def __init__(self) -> None:
        self._tables: set[str] = set()
        self._columns: dict[tuple[str, str], bool] = {}

    def add_table(self, table: str) -> None:
        self._tables.add(table)

    def add_column(self, table: str, column: str, *, has_default: bool) -> None:
        self._columns[table, column] = has_default

    def has_table(self, table: str) -> bool:
        return table in self._tables

    def has_column(self, table: str, column: str) -> bool:
        return (table, column) in self._columns

    def has_default(self, table: str, column: str) -> bool:
        return self._columns.get((table, column), False)

    def is_null_in_old_rows(self, table: str, columns: Iterable[str]) -> bool:
        """Whether what the old version writes has nothing in any of these, so that no key of them can hinder it."""
        return all(self._columns.get((table, column), True) is False for column in columns)
