"""SIGTERM under load: what was accepted is answered, the exit status is 0, and a second start serves the same."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from support.apis import Api
from support.backends import Backend, serving_backend
from support.clients import Asking, KeptConnection, in_parallel, wait_until_refused
from support.functions import create_function
from support.server import RunningServer, data_options, fetch, running

_HELD = 6  # requests in flight to the backend, and as many to the function

_SLOW = """
import urllib.request

def handle(event, context):
    urllib.request.urlopen(event["stageVariables"]["backend"] + "/hold/function").close()
    return {"statusCode": 200, "body": "slow"}
"""


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving_backend() as started:
        yield started


def _slow_api(server: RunningServer, backend: Backend) -> Api:
    """/mock answers at once, /function and /backend when the backend is released."""
    api = Api(server)
    api.mock(api.resource("mock"), body="quick")
    api.function(api.resource("function"), create_function(server, "slow", _SLOW, Timeout=60))
    api.http_proxy(api.resource("backend"), f"{backend.url}/hold/proxied")
    deployment = api.deploy()
    variables = {"backend": backend.url.replace("127.0.0.1", "localhost")}
    api.client.create_stage(restApiId=api.id, stageName="prod", deploymentId=deployment, variables=variables)
    return api


def test_sigterm_under_load_drops_no_accepted_request_and_a_second_start_serves_the_same(
    tmp_path: Path, backend: Backend
) -> None:
    with running(*data_options(tmp_path)) as server:
        api = _slow_api(server, backend)
        paths = {name: urlsplit(api.url("prod", f"/{name}")).path for name in ("mock", "function", "backend")}
        hurried = [Asking(server.gateway, paths["mock"], lambda answer: (answer.status, answer.body)) for _ in range(2)]
        for client in hurried:
            client.start()

        def hold(number: int) -> object:
            """One request on a connection that has served one already."""
            if number == 2 * _HELD:  # the operator, and then the backend
                backend.wait_for("/hold/function", _HELD)
                backend.wait_for("/hold/proxied", _HELD)
                server.process.terminate()
                wait_until_refused(server.gateway)
                backend.release()
                return server.process.wait(timeout=60)
            connection = KeptConnection(server.gateway)
            connection.ask(paths["mock"])
            answer = connection.ask(paths["function"] if number < _HELD else paths["backend"])
            connection.close()
            return answer.status, answer.body, answer.headers.get("connection")

        *held, status = in_parallel(2 * _HELD + 1, hold)

        assert held == [(200, b"slow", "close")] * _HELD + [(200, b"held", "close")] * _HELD
        assert status == 0
        for client in hurried:
            client.stop()
            assert set(client.seen) == {(200, b"quick")}
            # Every request that was read was answered whole; the connection then ended between two requests.
            assert _ended_between_requests(client.failure), client.failure

    with running(*data_options(tmp_path)) as again:
        moved = {name: fetch(again.stage_url(api.id, "prod", f"/{name}")).body for name in paths}
    assert moved == {"mock": b"quick", "function": b"slow", "backend": b"held"}


def _ended_between_requests(failure: Exception | None) -> bool:
    """The connection was closed when no byte of an answer had come, or refuses to be opened anew."""
    match failure:
        case http.client.RemoteDisconnected() | http.client.NotConnected() | ConnectionResetError() | BrokenPipeError():
            return True
        case _:
            return False


def test_a_stop_as_soon_as_it_says_that_it_serves_is_an_orderly_one(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        assert server.stop() == 0


def test_a_call_of_the_control_plane_is_answered_after_sigterm(tmp_path: Path, backend: Backend) -> None:
    with running(*data_options(tmp_path)) as server:
        _slow_api(server, backend)
        event = f'{{"stageVariables": {{"backend": "{backend.url}"}}}}'

        def act(number: int) -> Any:
            if number == 0:
                return server.client("lambda").invoke(FunctionName="slow", Payload=event)["Payload"].read()
            backend.wait_for("/hold/function", 1)
            server.process.terminate()
            wait_until_refused(server.url)
            backend.release()
            return server.process.wait(timeout=60)

        answer, status = in_parallel(2, act)

        assert (answer, status) == (b'{"statusCode": 200, "body": "slow"}', 0)


def test_a_stop_waits_for_no_request_longer_than_drain_s(tmp_path: Path, backend: Backend) -> None:
    with running(*data_options(tmp_path), environment={"HEADGATE_DRAIN_S": "0.3"}) as server:
        api = _slow_api(server, backend)
        event = f'{{"stageVariables": {{"backend": "{backend.url}"}}}}'

        def act(number: int) -> Any:
            match number:
                case 0:
                    return fetch(api.url("prod", "/backend")).status
                case 1:
                    return server.client("lambda").invoke(FunctionName="slow", Payload=event)["StatusCode"]
            backend.wait_for("/hold/proxied", 1)
            backend.wait_for("/hold/function", 1)
            return server.stop()

        proxied, invoked, status = in_parallel(3, act)

        assert isinstance(proxied, OSError)  # the connection was closed, with no answer
        assert isinstance(invoked, ClientError)
        assert invoked.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert status == 0
