"""An alias draws its version per call, by its weights; and it moves under load without a failed call."""

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import uvloop

from support.apis import Api
from support.clients import Asking, KeptConnection
from support.functions import allow_gateway, create_function, replying, zipped
from support.server import Answer, RunningServer, data_options, running

_CALLS: Final = 20_000
_CONNECTIONS: Final = 16
_WEIGHT: Final = 0.1
_MOVES: Final = 200
_CLIENTS: Final = 4


def _weighted(server: RunningServer, weight: float | None) -> Api:
    """A stage over an alias on version 1 with this share for version 2; both reply with their number."""
    client = server.client("lambda")
    arn = create_function(server, "two", replying("1"), Publish=True)
    client.update_function_code(FunctionName="two", ZipFile=zipped(replying("2")), Publish=True)
    routing = {} if weight is None else {"AdditionalVersionWeights": {"2": weight}}
    client.create_alias(FunctionName="two", Name="live", FunctionVersion="1", RoutingConfig=routing)
    allow_gateway(server, "two", Qualifier="live")
    api = Api(server)
    api.function(api.root, f"{arn}:live")
    api.deploy("prod")
    return api


async def _count(url: str, calls: int, connections: int) -> dict[bytes, int]:
    """How often each body came in so many answers, all of which must be 200."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    counts: dict[bytes, int] = {}

    async def ask(times: int) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for _ in range(times):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
            counts[body] = counts.get(body, 0) + 1
        writer.close()
        await writer.wait_closed()

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(ask(calls // connections))
    return counts


def test_a_weight_of_a_tenth_is_a_tenth_of_the_calls(tmp_path: Path) -> None:
    # The draws of the server are made the same in each run: one run in 370 would be outside by chance alone.
    tmp_path.joinpath("sitecustomize.py").write_text("import random\nrandom.seed(20261121)\n")
    with running("--ephemeral", environment={"PYTHONPATH": str(tmp_path)}) as server:
        api = _weighted(server, _WEIGHT)

        counts = uvloop.run(_count(api.url("prod"), _CALLS, _CONNECTIONS))

    assert sum(counts.values()) == _CALLS
    deviation = (_CALLS * _WEIGHT * (1 - _WEIGHT)) ** 0.5
    assert counts[b"2"] == pytest.approx(_CALLS * _WEIGHT, abs=3 * deviation)


def test_an_alias_that_moves_under_load_fails_no_call(tmp_path: Path) -> None:
    def look(answer: Answer) -> tuple[int, bytes]:
        return answer.status, answer.body

    with running(*data_options(tmp_path)) as server:
        api = _weighted(server, None)
        client = server.client("lambda")
        path = urlsplit(api.url("prod")).path
        clients = [Asking(server.gateway, path, look) for _ in range(_CLIENTS)]
        for each in clients:
            each.start()
        mine = KeptConnection(server.gateway)
        unseen = []

        for move in range(1, _MOVES + 1):
            version = str(1 + move % 2)
            client.update_alias(FunctionName="two", Name="live", FunctionVersion=version)
            # Acknowledged is served: the next call runs the new version.
            seen = look(mine.ask(path))
            if seen != (200, version.encode()):
                unseen.append((move, seen))

        for each in clients:
            each.stop()
        mine.close()
        assert unseen == []
        assert [each.failure for each in clients] == [None] * _CLIENTS
        for each in clients:
            assert set(each.seen) == {(200, b"1"), (200, b"2")}
