"""Deleting what is to be kept no longer, slice by slice, so that writers wait for one slice at most."""

import sqlite3
from typing import Final

from headgate.telemetry.log_writing import delete_events

SLICE: Final = 5_000  # events that one transaction deletes
DAY_MS: Final = 86_400_000


def expiry_ms(retention_days: int | None, now_ms: int) -> int:
    """Events before this time are no longer kept; 0 where all are."""
    return 0 if retention_days is None else now_ms - retention_days * DAY_MS


def sweep_slice(connection: sqlite3.Connection, now_ms: int, max_group_bytes: int | None) -> bool:
    """Delete one slice of what is due; whether there may be more.

    In this order: events of deleted groups and streams, expired ones, the oldest of groups above their bound.
    """
    more = _sweep_doomed(connection) or _sweep_expired(connection, now_ms)
    if not more and max_group_bytes is not None:
        more = _sweep_too_large(connection, max_group_bytes)
    connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()
    return more


def _sweep_doomed(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT kind, id FROM doomed LIMIT 1").fetchone()
    if row is None:
        return False
    kind, doomed_id = row
    column = "group_id" if kind == "group" else "stream_id"
    deleted = delete_events(connection, f"SELECT id FROM event WHERE {column} = ? LIMIT ?", (doomed_id, SLICE))
    if deleted < SLICE:
        connection.execute("DELETE FROM doomed WHERE kind = ? AND id = ?", (kind, doomed_id))
    return True


def _sweep_expired(connection: sqlite3.Connection, now_ms: int) -> bool:
    groups = connection.execute("SELECT id, retention_days FROM log_group WHERE retention_days IS NOT NULL").fetchall()
    for group_id, retention_days in groups:
        expired = "SELECT id FROM event WHERE group_id = ? AND timestamp_ms < ? LIMIT ?"
        if delete_events(connection, expired, (group_id, expiry_ms(retention_days, now_ms), SLICE)):
            return True
    return False


def _sweep_too_large(connection: sqlite3.Connection, max_group_bytes: int) -> bool:
    row = connection.execute("SELECT id FROM log_group WHERE stored_bytes > ? LIMIT 1", (max_group_bytes,)).fetchone()
    if row is None:
        return False
    oldest = "SELECT id FROM event WHERE group_id = ? ORDER BY timestamp_ms, id LIMIT ?"
    return delete_events(connection, oldest, (row[0], SLICE)) > 0
