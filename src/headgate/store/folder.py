"""The data folder: who may use it, and whether this program can read what is in it. A refusal touches nothing."""

import fcntl
import os
import sqlite3
import struct
from pathlib import Path
from typing import Final

from headgate.store.migrate import APPLICATION_ID, schema_version

DATABASE: Final = "headgate.db"
_QUICK_CHECK_LIMIT: Final = 64 * 1024 * 1024  # bytes; a check of more than this would delay the start


class DataFolderError(Exception):
    """The folder cannot be used; the message is one line for the person who started the server."""


class DataFolder:
    """A locked data folder. The lock goes with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / DATABASE
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"cannot use the data folder {path}: {error.strerror}") from error
        try:
            self._take_lock()
            _check(self.database)
        except DataFolderError:
            os.close(self._lock)
            raise
        # Only now: a folder that is refused keeps every byte.
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def __repr__(self) -> str:
        return f"<DataFolder {self.path}>"

    def close(self) -> None:
        os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise DataFolderError(
                f"the data folder {self.path} is in use by another server (process {holder}); "
                "stop it or choose another folder with --data"
            ) from error


def _check(database: Path) -> None:
    """Refuse a database that is not ours, is newer than this program, or is damaged."""
    if not database.exists() or database.stat().st_size == 0:
        return
    with database.open("rb") as file:
        header = file.read(100)
    damaged = (
        f"{database} is damaged or not a Headgate database; "
        "restore it from a backup or choose another folder with --data"
    )
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise DataFolderError(damaged)
    version, application = struct.unpack(">I4xI", header[60:72])
    if application != APPLICATION_ID and version != 0:
        raise DataFolderError(damaged)
    if version > schema_version():
        raise DataFolderError(
            f"{database} has schema version {version}, written by a newer Headgate; this one reads up to version "
            f"{schema_version()}. Use the newer program or choose another folder with --data"
        )
    if database.stat().st_size <= _QUICK_CHECK_LIMIT and not _is_sound(database):
        raise DataFolderError(damaged)


def _is_sound(database: Path) -> bool:
    # Without a write-ahead log the file can be opened as immutable, which leaves no file beside it.
    wal = database.with_name(database.name + "-wal")
    mode = "mode=ro" if wal.exists() else "immutable=1"
    try:
        connection = sqlite3.connect(f"file:{database}?{mode}", uri=True)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False
