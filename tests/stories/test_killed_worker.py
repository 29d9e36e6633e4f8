"""A function's process that is killed in the middle of a call costs that call a 502, and nothing else."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.apis import Api
from support.backends import Backend, serving_backend
from support.clients import KeptConnection, in_parallel
from support.functions import create_function
from support.server import Answer, fetch, running

_HOLDING = """
import os, urllib.request

def handle(event, context):
    if event["queryStringParameters"]:
        urllib.request.urlopen(f"{os.environ['BACKEND']}/hold/{os.getpid()}")
    return {"statusCode": 200, "body": "fine"}
"""


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving_backend() as started:
        yield started


@pytest.mark.parametrize("sandbox", ["none", "auto"])
def test_a_worker_killed_by_kill_9_in_a_call_costs_that_call_a_502_and_nothing_else(
    sandbox: str, backend: Backend
) -> None:
    with running("--ephemeral", "--sandbox", sandbox) as server:
        api = Api(server)
        variables = {"BACKEND": backend.url}
        arn = create_function(server, "holding", _HOLDING, Timeout=60, Environment={"Variables": variables})
        api.function(api.root, arn)
        api.deploy("prod")
        answers: list[Answer] = []
        held = threading.Thread(target=lambda: answers.append(fetch(api.url("prod") + "?hold=1")))
        held.start()
        backend.wait_for("/hold", 1)

        def ask(_number: int) -> list[int]:
            connection = KeptConnection(server.gateway)
            try:
                path = api.url("prod").removeprefix(server.gateway)
                return [connection.ask(path).status for _ in range(50)]
            finally:
                connection.close()

        before = in_parallel(4, ask)
        os.kill(_process(server.process.pid, int(backend.paths[0].rpartition("/")[2])), signal.SIGKILL)
        held.join()
        after = in_parallel(4, ask)

        assert [(answer.status, answer.json) for answer in answers] == [(502, {"message": "Internal server error"})]
        assert before == after == [[200] * 50] * 4
        assert server.process.poll() is None


def _process(ancestor: int, known_as: int) -> int:
    """The process below this one that calls itself so: in a sandbox it counts for itself."""
    below = [ancestor]
    named = {}
    for pid in below:
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended, as those of a start do
            for task in Path(f"/proc/{pid}/task").iterdir():
                below += map(int, task.joinpath("children").read_text().split())
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("NSpid:"):
                    named[int(line.split()[-1])] = pid
    return named[known_as]
