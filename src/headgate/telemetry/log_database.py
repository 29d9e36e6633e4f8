"""The database of log events, `logs.db`: its tables, and how a connection to it is opened.

It is apart from the control plane's: many small rows that may be lost with the last second, against few that must not.
"""

import sqlite3
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x48474C47  # "HGLG"
VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention_days INTEGER,
    class TEXT NOT NULL DEFAULT 'STANDARD',
    kms_key_id TEXT,
    is_protected INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '{}',
    UNIQUE (account_id, region, name)
);
CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_ms INTEGER,
    last_ms INTEGER,
    ingested_ms INTEGER,
    UNIQUE (group_id, name)
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    ingested_ms INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX event_by_group ON event (group_id, timestamp_ms);
CREATE INDEX event_by_stream ON event (stream_id, timestamp_ms);
-- Deleted groups and streams whose events are still to be deleted, slice by slice.
CREATE TABLE doomed (kind TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE metric_filter (
    group_id INTEGER NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (group_id, name)
) WITHOUT ROWID;
CREATE TABLE subscription_filter (
    group_id INTEGER NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (group_id, name)
) WITHOUT ROWID;
"""
_TABLES: Final = ("event", "log_stream", "log_group", "doomed", "metric_filter", "subscription_filter")


class LogDatabaseError(Exception):
    """The database cannot be used; the message is one line for whoever started the server."""


def open_for_writing(database: Path, *, durable: bool) -> sqlite3.Connection:
    """The one connection that writes; makes what is missing. Raises LogDatabaseError."""
    try:
        connection = sqlite3.connect(database, isolation_level=None, timeout=30)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table: what is deleted is given back
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        if version > VERSION:
            raise LogDatabaseError(
                f"{database} has schema version {version}, written by a newer Headgate; this one reads version "
                f"{VERSION}. Use the newer program, or move the file away to begin with empty logs"
            )
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; "
                f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
            )
        elif application != APPLICATION_ID:
            raise LogDatabaseError(f"{database} is not a database of Headgate's logs; move it away")
    except sqlite3.DatabaseError as error:
        raise LogDatabaseError(f"{database} cannot be used ({error}); move it away to begin with empty logs") from error
    return connection


def open_for_reading(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("PRAGMA query_only = ON")
    return connection


def clear(connection: sqlite3.Connection) -> None:
    """Delete everything."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table}")


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the database holds; pages that are free do not count."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    used: int = (pages - free) * size
    return used
