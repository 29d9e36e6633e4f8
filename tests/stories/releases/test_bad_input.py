"""What a person gets wrong, before anything is started."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headgate.client.releases import ReleaseFailed
from headgate.client.server_releases import ServerReleases
from support.releases import a_file, release
from support.server import RunningServer, fetch

_MOST = 75 * 1024 * 1024  # bytes of a request to the control plane
_TOO_LARGE = f"the request body is over {_MOST} bytes"


def test_a_zip_over_the_most_is_told_before_it_is_sent(server: RunningServer, tmp_path: Path) -> None:
    with (tmp_path / "code.zip").open("wb") as zip_file:
        zip_file.truncate(50 * 1024 * 1024 + 1)
    file = a_file(
        tmp_path,
        """
        release: big-1
        api: orders
        stage: prod
        change: {functions: {orders: {zip: code.zip}}}
        """,
    )

    ended = release(server, "start", str(file))

    assert ended.returncode == 2
    assert "code.zip, which has 52428801 bytes; the most is 52428800" in ended.stderr


def test_more_than_a_server_takes_is_told_to_whoever_starts_a_release(server: RunningServer) -> None:
    with pytest.raises(ReleaseFailed, match=_TOO_LARGE):
        ServerReleases(server.url).start({"text": "release: r"}, {"code.zip": b"0" * (_MOST * 3 // 4)})

    assert fetch(f"{server.url}/_headgate/releases").status == 200


def _chunks() -> Iterator[bytes]:
    for _ in range(_MOST // 2**20 + 8):
        yield b"0" * 2**20


def test_more_than_a_server_takes_is_answered_when_it_comes_without_a_length(server: RunningServer) -> None:
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    connection.request("POST", "/_headgate/releases", _chunks(), encode_chunked=True)
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("Connection")) == (413, "close")
    assert json.loads(answer.read()) == {"message": _TOO_LARGE}
    connection.close()


def test_a_client_that_asks_first_need_not_send_what_is_too_large(server: RunningServer) -> None:
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=60) as connection:
        head = f"POST /_headgate/releases HTTP/1.1\r\nHost: x\r\nContent-Length: {_MOST + 1}\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
