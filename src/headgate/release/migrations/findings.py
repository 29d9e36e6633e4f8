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


UNCERTAIN: Final = Finding(
    why="with IF NOT EXISTS the table may be an old one", instead="create it without, or with all that it has"
)


class Added:
    """What the file has added so far: the old version does not know it, so it may still be changed.

    What was added IF NOT EXISTS may be older than the file. Such a column may be filled, and be of a key, but no more.
    """

    def __init__(self) -> None:
        self._relations: set[str] = set()  # tables, views and sequences, which share their names
        self._uncertain: set[str] = set()
        self._columns: dict[tuple[str, str], bool] = {}  # whether the old version's rows have a value in it
        self._uncertain_columns: set[tuple[str, str]] = set()

    def add_relation(self, name: str, *, is_certain: bool) -> None:
        (self._relations if is_certain else self._uncertain).add(name)

    def add_column(self, table: str, column: str, *, has_default: bool, is_certain: bool) -> None:
        self._columns[table, column] = has_default
        if not is_certain:
            self._uncertain_columns.add((table, column))

    def set_default(self, table: str, column: str, *, has_default: bool) -> None:
        self._columns[table, column] = has_default

    def has_relation(self, name: str) -> bool:
        return name in self._relations

    def may_have_table(self, table: str) -> bool:
        return table in self._uncertain

    def has_column(self, table: str, column: str) -> bool:
        return self.may_fill(table, column) and (table, column) not in self._uncertain_columns

    def may_fill(self, table: str, column: str) -> bool:
        return (table, column) in self._columns

    def has_default(self, table: str, column: str) -> bool:
        return self._columns.get((table, column), False)

    def is_null_in_old_rows(self, table: str, columns: Iterable[str]) -> bool:
        """Whether what the old version writes has nothing in any of these, so that no key of them can hinder it."""
        return all(self._columns.get((table, column), True) is False for column in columns)
