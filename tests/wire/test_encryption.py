"""Environment variables at rest: ciphertext only, under a key that is not in the database."""

import base64
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from support.lambdas import a_function, invoke
from support.server import command, data_options, running

SECRET = "correct-horse-battery-staple"
SHOWS = "import os\n\ndef handle(event, context):\n    return os.environ['PASSWORD']\n"
KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = (b"o" * 32).hex()


def stored(folder: Path) -> bytes:
    """All that the database keeps, its journal included."""
    return b"".join(path.read_bytes() for path in folder.glob("headgate.db*"))


def a_secret(server: Any) -> str:
    """A function that holds the secret, published as version 1, then changed so that $LATEST is written again."""
    name = a_function(server, SHOWS, Environment={"Variables": {"PASSWORD": SECRET}}, Publish=True)
    server.client("lambda").update_function_configuration(FunctionName=name, Timeout=9)
    return name


def test_the_database_never_holds_a_variable_and_a_restart_reads_it(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        name = a_secret(server)
        while_running = stored(tmp_path)
    with running(*data_options(tmp_path)) as server:
        shown = server.client("lambda").get_function_configuration(FunctionName=name)
        answers = [invoke(server, name), invoke(server, name, Qualifier="1")]

    assert shown["Environment"] == {"Variables": {"PASSWORD": SECRET}}
    assert answers == [SECRET, SECRET]
    for bytes_at_rest in (while_running, stored(tmp_path)):
        assert name.encode() in bytes_at_rest
        assert SECRET.encode() not in bytes_at_rest
        assert b"PASSWORD" not in bytes_at_rest.replace(SHOWS.encode(), b"")
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)):
        key = tmp_path / "key"

        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert len(base64.b64decode(key.read_text())) == 32


def test_an_unchanged_function_is_not_published_again_after_a_restart(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        name = a_function(server, SHOWS, Environment={"Variables": {"PASSWORD": SECRET}}, Publish=True)
    with running(*data_options(tmp_path)) as server:
        assert server.client("lambda").publish_version(FunctionName=name)["Version"] == "1"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_key_given_is_used_and_none_is_made(tmp_path: Path, place: str) -> None:
    data, key_file = tmp_path / "data", tmp_path / "mounted"
    key_file.write_text(KEY + "\n")
    environment = {"HEADGATE_KEY": KEY} if place == "environment" else {"HEADGATE_KEY_FILE": str(key_file)}
    with running(*data_options(data), environment=environment) as server:
        name = a_secret(server)
    with running(*data_options(data), environment=environment) as server:
        assert invoke(server, name) == SECRET

    assert not (data / "key").exists()


def refused(folder: Path, **environment: str) -> str:
    """What a server says that does not start on this folder."""
    ended = command("up", "--port", "0", "--gateway-port", "0", *data_options(folder), environment=environment)
    assert ended.returncode == 2
    assert SECRET not in ended.stderr
    return ended.stderr


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A data folder that was encrypted with a key of its own."""
    with running(*data_options(tmp_path)) as server:
        a_secret(server)
    return tmp_path


def test_a_missing_key_is_told_in_one_line_and_no_new_one_is_made(sealed: Path) -> None:
    (sealed / "key").unlink()

    assert refused(sealed) == (
        f"headgate: the key {sealed / 'key'} is missing, and the environment variables of functions are encrypted with "
        "it; put it back, or give it by HEADGATE_KEY or key_file\n"
    )
    assert not (sealed / "key").exists()


def test_a_wrong_key_is_told_in_one_line(sealed: Path) -> None:
    text = (
        f"is not the key that the data folder {sealed} was encrypted with; give that one by HEADGATE_KEY or key_file\n"
    )

    assert refused(sealed, HEADGATE_KEY=OTHER_KEY) == f"headgate: HEADGATE_KEY {text}"
    (sealed / "key").chmod(0o600)
    (sealed / "key").write_text(OTHER_KEY)
    assert refused(sealed) == f"headgate: the key file {sealed / 'key'} {text}"


@pytest.mark.parametrize("key", ["short", "x" * 64, base64.b64encode(b"k" * 16).decode(), "ä" * 64])
def test_what_is_no_key_is_told_without_being_shown(tmp_path: Path, key: str) -> None:
    said = refused(tmp_path, HEADGATE_KEY=key)

    assert said == (
        "headgate: HEADGATE_KEY holds no key: give 32 bytes, in base64 or as 64 hexadecimal digits "
        "(openssl rand -base64 32)\n"
    )


def test_a_key_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    said = refused(tmp_path, HEADGATE_KEY_FILE=str(tmp_path / "nowhere"))

    assert said.startswith(
        f"headgate: cannot read the key file {tmp_path / 'nowhere'}: No such file or directory; give"
    )


def test_a_document_from_before_there_was_a_key_is_still_read(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        name = a_function(server, SHOWS, Environment={"Variables": {"A1": "b"}})
    with sqlite3.connect(tmp_path / "headgate.db") as database:
        ((key, body),) = database.execute("SELECT key, body FROM document WHERE kind = 'function_version'").fetchall()
        document = json.loads(body)
        document["Environment"] = {"Variables": {"PASSWORD": SECRET}}
        database.execute("UPDATE document SET body = ? WHERE key = ?", (json.dumps(document).encode(), key))
        database.execute("DELETE FROM document WHERE kind = 'key_check'")
    database.close()
    (tmp_path / "key").unlink()

    with running(*data_options(tmp_path)) as server:
        assert invoke(server, name) == SECRET
        server.client("lambda").update_function_configuration(FunctionName=name, Timeout=9)
        assert invoke(server, name) == SECRET

    with sqlite3.connect(tmp_path / "headgate.db") as database:
        bodies = database.execute("SELECT body FROM document").fetchall()
    database.close()
    assert all(SECRET.encode() not in body for (body,) in bodies)
