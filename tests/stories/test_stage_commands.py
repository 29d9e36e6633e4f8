"""`headgate diff`, `headgate history` and `headgate rollback`, as processes beside a running server."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.apis import Api, patches
from support.clients import Asking
from support.server import Answer, RunningServer, closing, command, data_options, launch, running

_CLIENTS = 3
_ENOUGH = 200  # requests of a client


def _headgate(server: RunningServer, *arguments: str, width: int = 80) -> "subprocess.CompletedProcess[str]":
    return command(*arguments, environment={"AWS_ENDPOINT_URL": server.url, "COLUMNS": str(width)})


def _refusal(server: RunningServer, *arguments: str) -> str:
    """The line with which a command cannot be done."""
    done = _headgate(server, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert re.fullmatch(r"headgate: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("headgate: ").rstrip("\n")


def _body(answer: Answer) -> object:
    return answer.status, answer.body.decode()


def _wait_for_requests(clients: list[Asking], count: int) -> None:
    """Until each client has asked this often since."""
    wanted = [sum(client.seen.copy().values()) + count for client in clients]
    while any(
        client.is_alive() and sum(client.seen.copy().values()) < enough
        for client, enough in zip(clients, wanted, strict=True)
    ):
        pass


def test_a_rollback_under_traffic_fails_no_request_and_ends_the_canary_with_it() -> None:
    with running("--ephemeral") as server:
        api = Api(server)
        ids = []
        for version in ("one", "two"):
            api.mock(api.root, body=version)
            ids.append(api.deploy("prod", description=version))
        api.mock(api.root, body="three")
        canary = api.deploy("prod", canarySettings={"percentTraffic": 40.0})
        path = f"/_aws/execute-api/{api.id}/prod/"
        clients = [Asking(server.gateway, path, _body) for _ in range(_CLIENTS)]
        for client in clients:
            client.start()
        _wait_for_requests(clients, _ENOUGH)

        done = _headgate(server, "rollback", "orders", "prod", width=160)

        served = {_body(api.get()) for _ in range(50)}
        _wait_for_requests(clients, _ENOUGH)
        for client in clients:
            client.stop()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            f"prod of orders: {ids[1]} (two) -> {ids[0]} (one); "
            f"canary {canary} had 40 % of the traffic and has none now\n"
        )
        assert served == {(200, "one")}
        assert [client.failure for client in clients] == [None] * _CLIENTS
        for client in clients:
            assert set(client.seen) == {(200, "one"), (200, "two"), (200, "three")}


def test_rolling_back_goes_further_back_until_there_is_nothing_and_a_named_deployment_is_always_taken() -> None:
    with running("--ephemeral") as server:
        api = Api(server)
        api.mock(api.root)
        first, second, third = (api.deploy("prod") for _ in range(3))

        for expected in (second, first):
            assert _headgate(server, "rollback", api.id, "prod").returncode == 0
            assert api.stage()["deploymentId"] == expected
        assert _refusal(server, "rollback", "orders", "prod") == (
            f"stage prod has served nothing before {first} that is known and still there; "
            "name a deployment: headgate rollback orders prod DEPLOYMENT"
        )
        told = _headgate(server, "rollback", "orders", "prod", third, "--as", "ann b.", "--json")
        moves = json.loads(_headgate(server, "history", "orders", "prod", "--json").stdout)["moves"]

        assert json.loads(told.stdout)["to"] == {"deploymentId": third}
        assert (moves[0]["actor"], moves[0]["userAgent"].partition("/")[0]) == ("ann b.", "headgate")
        assert api.stage()["deploymentId"] == third


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollback", "orders", "prod", "{present}"), "stage prod serves {present} already"),
        (
            ("rollback", "orders", "prod", "nope"),
            "stage prod goes on serving {present}: Deployment id does not exist",
        ),
        (("rollback", "orders", "gone"), "stage gone of API orders is deleted"),
        (("rollback", "orders", "nope"), "API orders has no stage 'nope'; it has prod"),
        (("history", "orders", "nope"), "API orders has no stage 'nope'; it has prod"),
        (("history", "nope", "prod"), "there is no API 'nope' in account 000000000000, region us-east-1; there is .*"),
        (
            ("history", "orders", "prod", "--region", "eu-west-1"),
            "there is no API 'orders' in .*, region eu-west-1; .*",
        ),
        (("diff", "orders", "nope"), "API orders has neither a deployment nor a stage 'nope'; .*"),
        (("diff",), "Missing argument 'API'; see headgate diff --help"),
        (("history", "orders"), "Missing argument 'STAGE'; see headgate history --help"),
        (
            ("history", "orders", "prod", "--limit"),
            "Option '--limit' requires an argument; see headgate history --help",
        ),
        (
            ("release", "plan", "file", "--region"),
            "Option '--region' requires an argument; see headgate release plan --help",
        ),
        (("diff", "orders", "--endpoint-url", "http://127.0.0.1:1"), "nothing answers at http://127.0.0.1:1: .*"),
        (("diff", "orders", "--endpoint-url", "nowhere"), "'nowhere' is no endpoint; give a URL such as .*"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_a_line(two_stages: Api, arguments: tuple[str, ...], said: str) -> None:
    present = two_stages.stage()["deploymentId"]

    refused = _refusal(two_stages.server, *(each.format(present=present) for each in arguments))

    assert re.fullmatch(said.format(present=present), refused)
    assert two_stages.stage()["deploymentId"] == present


@pytest.fixture(scope="module")
def two_stages() -> Iterator[Api]:
    """An API of the name `orders` with the stage prod, and a stage that is gone."""
    server = launch("--ephemeral")
    with closing(server):
        api = Api(server)
        api.mock(api.root)
        api.deploy("prod")
        api.deploy("gone")
        api.client.delete_stage(restApiId=api.id, stageName="gone")
        yield api


def test_the_history_survives_a_crash(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        api = Api(server)
        api.mock(api.root)
        first, second = (api.deploy("prod", description=each) for each in ("one", "two"))
        server.kill()
    with running(*data_options(tmp_path)) as server:
        done = _headgate(server, "history", "orders", "prod", width=120)

        headline, _, _, *rows = done.stdout.splitlines()
        assert headline == f"prod of orders serves {second} (two); a roll-back goes to {first} (one)"
        assert [re.split(r"\s{2,}", row.rstrip())[1:] for row in rows] == [
            [f"{first} -> {second} (two)", "test", rows[0].split()[-1]],
            [f"created, serves {first} (one)", "test", rows[1].split()[-1]],
        ]
        assert rows[0].split()[-1].startswith("Boto3/")


def test_diff_shows_what_is_not_deployed_and_its_status_says_whether_there_is_any() -> None:
    with running("--ephemeral") as server:
        api = Api(server)
        orders = api.resource("orders")
        api.http_proxy(orders, "http://127.0.0.1:9000/orders", "GET")
        first = api.deploy("prod")

        none = _headgate(server, "diff", "orders")
        api.client.update_integration(
            restApiId=api.id,
            resourceId=orders,
            httpMethod="GET",
            patchOperations=patches(("replace", "/uri", "http://127.0.0.1:9001/orders")),
        )
        api.http_proxy(orders, "http://127.0.0.1:9001/orders", "POST")
        api.client.update_rest_api(
            restApiId=api.id, patchOperations=patches(("add", "/binaryMediaTypes/image~1png", ""))
        )
        some = _headgate(server, "diff", "orders", width=100)
        as_json = _headgate(server, "diff", "orders", first, "--json")

        assert (none.returncode, none.stdout) == (0, f"prod serves {first}, and all is deployed\n")
        assert some.returncode == 1
        assert some.stdout == (
            f"prod serves {first}, 3 changes are not deployed\n"
            "    API\n"
            "      binaryMediaTypes  + image/png\n"
            "    GET /orders\n"
            "      integration uri  http://127.0.0.1:9000/orders -> http://127.0.0.1:9001/orders\n"
            "  + POST /orders  HTTP_PROXY  http://127.0.0.1:9001/orders\n"
        )
        assert as_json.returncode == 1
        (comparison,) = json.loads(as_json.stdout)["comparisons"]
        assert [each["kind"] for each in comparison["differences"]] == ["added", "changed", "added"]
