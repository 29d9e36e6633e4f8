"""What is known of the sessions of sticky stages, written in one transaction with the series that count them.

See `dataplane.sessions` for what it is, and why a release's statistics need it after a restart.
"""

import sqlite3
import zlib
from typing import Final

from headgate.model.observation import SessionMemories, SessionMemory

# Of no schema version: a file of before gets the table, and an older Headgate leaves it alone.
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS session_memory (api TEXT, stage TEXT, sticky TEXT, at INTEGER, seen BLOB, failed BLOB, "
    "PRIMARY KEY (api, stage, sticky)) WITHOUT ROWID"
)


def save(connection: sqlite3.Connection, memories: SessionMemories, now: float) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO session_memory VALUES (?, ?, ?, ?, ?, ?)",
        [(*each.key, int(now), _packed(each.seen), _packed(each.failed)) for each in memories.changed],
    )
    connection.executemany("DELETE FROM session_memory WHERE api = ? AND stage = ? AND sticky = ?", [*memories.over])


def load(connection: sqlite3.Connection) -> list[SessionMemory]:
    """Raises sqlite3.DatabaseError."""
    rows = connection.execute("SELECT api, stage, sticky, seen, failed FROM session_memory").fetchall()
    try:
        return [
            SessionMemory(
                api_id=api, stage_name=stage, sticky=sticky, seen=zlib.decompress(seen), failed=zlib.decompress(failed)
            )
            for api, stage, sticky, seen, failed in rows
        ]
    except zlib.error as error:
        raise sqlite3.DatabaseError(f"what is kept of sessions is damaged: {error}") from error


def drop_before(connection: sqlite3.Connection, at: float) -> None:
    """Those that nothing has changed for so long: a crash may leave one behind that is over."""
    connection.execute("DELETE FROM session_memory WHERE at < ?", (int(at),))


def drop_all(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM session_memory")


def _packed(flags: bytes) -> bytes:
    return zlib.compress(flags, 1)  # a kilobyte instead of 64, in a fraction of a millisecond
