"""Asynchronous calls that were accepted survive `kill -9`: each runs at least once, and none is lost."""

import json
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from support.backends import Backend, serving_backend
from support.clients import in_parallel
from support.functions import create_function
from support.server import RunningServer, closing, data_options, launch

_CLIENTS: Final = 4
_EVENTS: Final = 400
_FAST_RETRIES: Final = {"HEADGATE_EVENT_RETRY_S": "0.01,0.02"}

# Says that it has begun, which may hold it, and that it is done.
_WORKER = """
import urllib.request
def handle(event, context):
    for step in ("begun", "done"):
        urllib.request.urlopen(f"{event['backend']}/{event[step]}/{event['number']}", timeout=60).close()
"""


def _send(client: Any, backend: Backend, number: int, begun: str) -> bool:
    """One event; whether it was accepted."""
    event = {"backend": backend.url, "number": number, "begun": begun, "done": "done"}
    try:
        answer = client.invoke(FunctionName="worker", InvocationType="Event", Payload=json.dumps(event))
    except (BotoCoreError, ClientError):
        return False
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    return True


def _send_all(server: RunningServer, backend: Backend, numbers: range, begun: str) -> set[int]:
    """Send events over several connections; the numbers of those that were accepted."""

    client = server.client("lambda")

    def send(part: int) -> set[int]:
        return {number for number in numbers[part::_CLIENTS] if _send(client, backend, number, begun)}

    return set().union(*in_parallel(_CLIENTS, send))


def _missing(backend: Backend, accepted: set[int]) -> set[int]:
    return accepted - {int(path.rpartition("/")[2]) for path in backend.asked("/done/")}


def _wait_for_all(backend: Backend, accepted: set[int]) -> None:
    """Until each has run; more may come than there are events, as some run twice."""
    while _missing(backend, accepted):
        came = backend.count("/done/")
        if _missing(backend, accepted):
            backend.wait_for("/done/", came + 1)


def test_events_that_wait_when_the_server_is_killed_all_run_after_the_restart(tmp_path: Path) -> None:
    with serving_backend() as backend:
        with closing(launch(*data_options(tmp_path))) as server:
            create_function(server, "worker", _WORKER)
            accepted = _send_all(server, backend, range(_EVENTS), "hold")
            backend.wait_for("/hold/", 1)
            server.kill()

        assert accepted == set(range(_EVENTS))
        assert backend.asked("/done/") == set()
        backend.release()
        with closing(launch(*data_options(tmp_path))):
            _wait_for_all(backend, accepted)


def test_a_server_that_is_killed_while_it_takes_and_runs_events_loses_none(tmp_path: Path) -> None:
    with serving_backend() as backend:
        backend.release()
        accepted: set[int] = set()
        with closing(launch(*data_options(tmp_path), environment=_FAST_RETRIES)) as server:
            create_function(server, "worker", _WORKER)
        for kill in range(3):
            numbers = range(kill * _EVENTS, (kill + 1) * _EVENTS)
            enough = backend.count("/done/") + 60
            with closing(launch(*data_options(tmp_path), environment=_FAST_RETRIES)) as server:

                def act(part: int) -> set[int]:
                    if part == 0:
                        return _send_all(server, backend, numbers, "begun")  # noqa: B023  used within this round only
                    backend.wait_for("/done/", enough)  # noqa: B023
                    server.kill()
                    return set()

                accepted |= set().union(*in_parallel(2, act))
        assert len(accepted) > 60

        with closing(launch(*data_options(tmp_path), environment=_FAST_RETRIES)) as server:
            _wait_for_all(backend, accepted)
            assert server.stop() == 0


def test_a_server_that_is_stopped_ends_the_calls_that_run_and_keeps_the_others(tmp_path: Path) -> None:
    with serving_backend() as backend:
        with closing(launch(*data_options(tmp_path))) as server:
            create_function(server, "worker", _WORKER)
            accepted = _send_all(server, backend, range(100), "begun")
            assert server.stop() == 0

        with closing(launch(*data_options(tmp_path))):
            _wait_for_all(backend, accepted)
        assert accepted == set(range(100))
        # It was asked to stop, so what ran was let end: nothing ran twice.
        assert backend.count("/done/") == 100
