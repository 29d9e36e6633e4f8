"""SQLite files of telemetry, one for each kind: how one is opened, and what it holds.

They are apart from the control plane's: many small rows that may be lost with the last second, against few that may
not.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class DatabaseFileError(Exception):
    """The database cannot be used; the message is one line for whoever started the server."""


class Kind(NamedTuple):
    """What a file of telemetry is."""

    what: str  # as in "a database of Headgate's logs"
    application_id: int
    version: int  # of the schema
    schema: str
    begin: str  # what the server does without the file, such as "to begin with empty logs"


def open_for_writing(database: Path, kind: Kind, *, durable: bool) -> sqlite3.Connection:
    """The one connection that writes; makes what is missing. Raises DatabaseFileError."""
    try:
        # One thread at a time uses it, and not always the same.
        connection = sqlite3.connect(database, isolation_level=None, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table: what is deleted is given back
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        if version > kind.version:
            raise DatabaseFileError(
                f"{database} has schema version {version}, written by a newer Headgate; this one reads version "
                f"{kind.version}. Use the newer program, or move the file away {kind.begin}"
            )
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {kind.schema} PRAGMA user_version = {kind.version}; "
                f"PRAGMA application_id = {kind.application_id}; COMMIT;"
            )
        elif application != kind.application_id:
            raise DatabaseFileError(f"{database} is not a database of Headgate's {kind.what}; move it away")
    except sqlite3.DatabaseError as error:
        raise DatabaseFileError(f"{database} cannot be used ({error}); move it away {kind.begin}") from error
    return connection


def open_for_reading(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block is committed, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the database holds; pages that are free do not count."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    used: int = (pages - free) * size
    return used
