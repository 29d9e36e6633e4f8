"""The paths that the controller takes on AWS, against an endpoint that has nothing of Headgate's own.

Before the server stands a proxy that answers 404 to `/_headgate/…`, as AWS would: counts then come from the access log,
and functions move by a stage variable that names their alias.
"""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.apis import Api
from support.functions import allow_gateway, create_function, zipped
from support.http_servers import QuietHandler, serving
from support.releases import Traffic, a_file
from support.server import RunningServer, command

_OWN_TO_A_CONNECTION = frozenset({"content-length", "transfer-encoding", "connection", "date"})
_FORMAT = '{"requestId":"$context.requestId","status":"$context.status","latency":"$context.responseLatency"}'
_GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:shop-access"
_HANDLER = """
import random
def handle(event, context):
    return {{"statusCode": 500 if random.random() < {failing} else 200, "body": {version!r}}}
"""


@contextmanager
def nothing_of_headgate(server: RunningServer) -> Iterator[str]:
    """An endpoint that passes all on but Headgate's own pages."""
    there = urlsplit(server.url)

    class Handler(QuietHandler):
        def _pass_on(self) -> None:
            body = self.body()
            if self.path.startswith("/_headgate/"):
                self.send(404)
                return
            connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            headers = {n: v for n, v in answer.getheaders() if n.lower() not in _OWN_TO_A_CONNECTION}
            self.send(answer.status, answer.read(), headers)
            connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the names that the base class calls

    with serving(Handler) as url:
        yield url


class Shop:
    """An API as the guide wants it for AWS: its integration names the alias by a variable, its stage logs in JSON."""

    _number = 0

    def __init__(self, server: RunningServer, *, variable: bool = True) -> None:
        Shop._number += 1
        self.name = f"aws-shop-{Shop._number}"
        self.lambda_ = server.client("lambda")
        arn = create_function(server, self.name, _HANDLER.format(failing=0.01, version="old"), Timeout=30)
        self.version = self.lambda_.publish_version(FunctionName=self.name)["Version"]
        self.lambda_.create_alias(FunctionName=self.name, Name="live", FunctionVersion=self.version)
        allow_gateway(server, self.name, Qualifier="live")
        self.api = Api(server, self.name)
        self.api.function(self.api.root, f"{arn}:{'${stageVariables.alias}' if variable else 'live'}", "GET")
        self.api.deploy("prod", variables={"alias": "live"})

    def log(self) -> None:
        self.api.patch_stage(
            "prod",
            ("replace", "/accessLogSettings/destinationArn", _GROUP),
            ("replace", "/accessLogSettings/format", _FORMAT),
        )

    def file(self, folder: Path, failing: float) -> Path:
        (folder / "new.zip").write_bytes(zipped(_HANDLER.format(failing=failing, version="new")))
        return a_file(
            folder,
            f"""
            release: {self.name}
            api: {self.name}
            stage: prod
            change: {{functions: {{{self.name}: {{zip: new.zip}}}}}}
            steps: [{{weight: 50, bake: 5s}}, {{weight: 100, watch: 1s}}]
            analysis: {{settle: 1s, lag: 3s, compare: [errors-5xx], negligible: 5%}}
            """,
        )

    @property
    def aliases(self) -> dict[str, str]:
        listed = self.lambda_.list_aliases(FunctionName=self.name)["Aliases"]
        return {each["Name"]: each["FunctionVersion"] for each in listed}


def run(file: Path, folder: Path, endpoint: str) -> Any:
    return command(
        "release", "run", str(file), "--state", str(folder / "state.db"), "--endpoint-url", endpoint, timeout_s=300
    )


@pytest.mark.parametrize(("failing", "status"), [(0.01, 0), (0.6, 1)], ids=["good", "bad"])
def test_a_release_is_judged_by_access_logs_and_moves_functions_by_a_variable(
    server: RunningServer, tmp_path: Path, failing: float, status: int
) -> None:
    shop = Shop(server)
    shop.log()
    with nothing_of_headgate(server) as endpoint, Traffic(shop.api.url("prod")) as traffic:
        answer = run(shop.file(tmp_path, failing), tmp_path, endpoint)

    assert answer.returncode == status, answer.stdout + answer.stderr
    assert traffic.broken == []
    assert {body for _, body in traffic.seen} == {"old", "new"}
    stage = shop.api.stage("prod")
    assert stage["variables"] == {"alias": "live"}
    assert "canarySettings" not in stage
    assert set(shop.aliases) == {"live"}
    assert (shop.aliases["live"] == shop.version) is (status == 1)


def test_what_cannot_be_honoured_is_refused_with_the_change_to_make(server: RunningServer, tmp_path: Path) -> None:
    shop = Shop(server, variable=False)
    file = shop.file(tmp_path, 0.01)
    file.write_text(file.read_text(encoding="utf-8") + "mirror: {percent: 10}\n", encoding="utf-8")
    with nothing_of_headgate(server) as endpoint:
        planned = command("release", "plan", str(file), "--endpoint-url", endpoint, environment={"COLUMNS": "400"})
        answer = run(file, tmp_path, endpoint)

    assert planned.returncode == 2
    assert "mirror is a feature of Headgate's gateway" in planned.stdout
    assert f"end its URI in :{shop.name}:${{stageVariables." in planned.stdout
    assert "the requests of each side are counted from the access log" in planned.stdout
    assert answer.returncode == 1
    assert shop.api.stage("prod")["variables"] == {"alias": "live"}
