"""Moving a stage under load fails no request, and no answer mixes two deployments."""

import re
import shutil
import signal
import subprocess
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.apis import Api
from support.clients import Asking, KeptConnection
from support.server import Answer, data_options, running

_MOVES = 1000
_CHECKED_EVERY = 10  # moves after which the next request must see the move
_SEEN = 100  # answers of each side that each client looks through, at least
_CLIENTS = 2  # that check every answer, beside wrk
_STATUS = {"blue": 201, "green": 202}  # both are successes in wrk's eyes


def _deploy_version(api: Api, version: str) -> str:
    """A deployment that says its version by status, by body and by two headers, one of a stage variable."""
    where = api.method(api.root)
    header = "method.response.header."
    said = {f"{header}X-Static": f"'{version}'", f"{header}X-Variable": "stageVariables.version"}
    said |= {f"{header}X-Deployment": "context.deploymentId"}
    status = str(_STATUS[version])
    api.client.put_method_response(**where, statusCode=status, responseParameters=dict.fromkeys(said, False))
    api.client.put_integration(
        **where, type="MOCK", requestTemplates={"application/json": f'{{"statusCode": {status}}}'}
    )
    api.client.put_integration_response(
        **where, statusCode=status, responseParameters=said, responseTemplates={"application/json": version}
    )
    deployment = api.deploy()
    api.client.delete_method(**where)
    return deployment


def _sides(answer: Answer) -> tuple[object, ...]:
    """All that an answer says of where it comes from."""
    headers = answer.headers
    said = [headers.get(f"x-{name}") for name in ("static", "variable", "deployment")]
    return (answer.status, answer.body.decode(), *said)


def _have_seen_enough(client: Asking) -> bool:
    """Each side often, or nothing any more."""
    seen = client.seen.copy()
    return not client.is_alive() or (len(seen) >= len(_STATUS) and min(seen.values()) > _SEEN)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk makes the load: apt-get install wrk")
def test_a_thousand_moves_under_load_fail_no_request_and_mix_no_answer(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        api = Api(server)
        deployments = {version: _deploy_version(api, version) for version in _STATUS}
        api.client.create_stage(
            restApiId=api.id, stageName="prod", deploymentId=deployments["blue"], variables={"version": "blue"}
        )
        expected = {
            version: (_STATUS[version], version, version, version, deployment)
            for version, deployment in deployments.items()
        }
        url = api.url("prod")
        path = urlsplit(url).path
        wrk = subprocess.Popen(["wrk", "-t1", "-c8", "-d120s", url], stdout=subprocess.PIPE, text=True)
        clients = [Asking(server.gateway, path, _sides) for _ in range(_CLIENTS)]
        for client in clients:
            client.start()
        mine = KeptConnection(server.gateway)
        unseen = []

        for move in count(1):
            if move > _MOVES and all(_have_seen_enough(client) for client in clients):
                break
            version = ("blue", "green")[move % 2]
            api.patch_stage(
                "prod",
                ("replace", "/deploymentId", deployments[version]),
                ("replace", "/variables/version", version),
            )
            if move % _CHECKED_EVERY == 0 or move % _CHECKED_EVERY == 1:
                seen = _sides(mine.ask(path))
                if seen != expected[version]:
                    unseen.append((move, seen))

        wrk.send_signal(signal.SIGINT)  # it stops and says what it counted
        counted, _ = wrk.communicate(timeout=60)
        for client in clients:
            client.stop()
        mine.close()
        assert unseen == []
        assert [client.failure for client in clients] == [None] * _CLIENTS
        for client in clients:
            assert set(client.seen) == set(expected.values())
        found = re.search(r"(\d+) requests in", counted)
        assert found is not None, counted
        assert int(found[1]) > 5000
        assert "Socket errors" not in counted
        assert "Non-2xx" not in counted
