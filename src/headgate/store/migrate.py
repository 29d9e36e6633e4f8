"""Schema migrations: numbered SQL files, applied in order, each in a transaction of its own."""

import re
import sqlite3
from importlib.resources import files

APPLICATION_ID = 0x48474154  # "HGAT", in the database's header: this file is Headgate's


def migrations() -> list[tuple[int, str]]:
    """The numbered files beside this module: number and SQL text."""
    found = []
    for file in files("headgate.store").joinpath("migrations").iterdir():
        name = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if name:
            found.append((int(name[1]), file.read_text(encoding="utf-8")))
    return sorted(found)


def schema_version() -> int:
    """The version that this program writes."""
    return migrations()[-1][0]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to this program's schema. `connection` must be in autocommit mode."""
    at = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, sql in migrations():
        if number > at:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\n"
                f"PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID};\nCOMMIT;"
            )
    # The version must stand in the main file, where the next start looks before it opens anything.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
