"""The database of log events, `logs.db`: its tables."""

import sqlite3
from typing import Final

from headgate.telemetry.database_file import Kind

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
LOGS: Final = Kind("logs", APPLICATION_ID, VERSION, _SCHEMA, "to begin with empty logs")


def clear(connection: sqlite3.Connection) -> None:
    """Delete everything."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table}")
