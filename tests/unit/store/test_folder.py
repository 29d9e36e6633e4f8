import hashlib
import sqlite3
from pathlib import Path

import pytest

from headgate.store.folder import DATABASE, DataFolder, DataFolderError
from headgate.store.migrate import migrate, schema_version


def _database(folder: Path) -> Path:
    """A sound database of this program's schema."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    connection.execute("INSERT INTO document VALUES ('k', 'key', 1, zeroblob(100000))")
    connection.close()
    return folder / DATABASE


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "lock"
    }


def test_a_sound_folder_opens_and_locks(tmp_path: Path) -> None:
    _database(tmp_path)
    folder = DataFolder(tmp_path)

    with pytest.raises(DataFolderError, match=r"in use by another server \(process \d+\).*--data"):
        DataFolder(tmp_path)

    folder.close()
    DataFolder(tmp_path).close()


def test_a_new_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    DataFolder(tmp_path / "a" / "b").close()

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_migrating_twice_does_nothing_the_second_time(tmp_path: Path) -> None:
    connection = sqlite3.connect(_database(tmp_path), isolation_level=None)

    migrate(connection)

    assert connection.execute("SELECT count(*) FROM document").fetchone() == (1,)
    connection.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(_database(tmp_path), isolation_level=None)
    connection.execute(f"PRAGMA user_version = {schema_version() + 1}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = _contents(tmp_path)

    with pytest.raises(DataFolderError, match=f"schema version {schema_version() + 1}, written by a newer Headgate"):
        DataFolder(tmp_path)

    assert _contents(tmp_path) == before


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: b"not a database, but a text" * 10, id="another file"),
        pytest.param(lambda body: body[:60], id="a file cut in its header"),
        pytest.param(lambda body: body[: len(body) // 2], id="a file cut in the middle"),
        pytest.param(lambda body: body[:4096] + b"\xff" * 8192 + body[12288:], id="pages overwritten"),
    ],
)
def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path, damage: object) -> None:
    database = _database(tmp_path)
    assert callable(damage)
    database.write_bytes(damage(database.read_bytes()))
    before = _contents(tmp_path)

    with pytest.raises(DataFolderError, match=r"damaged or not a Headgate database.*--data"):
        DataFolder(tmp_path)

    assert _contents(tmp_path) == before


def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("PRAGMA user_version = 1")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = _contents(tmp_path)

    with pytest.raises(DataFolderError, match="not a Headgate database"):
        DataFolder(tmp_path)

    assert _contents(tmp_path) == before
