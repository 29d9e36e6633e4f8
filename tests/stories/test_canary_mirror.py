"""Mirroring with functions: callers see only the base, and the report finds what a release changes and no noise."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from support.apis import Api
from support.functions import allow_gateway, create_function, zipped
from support.server import RunningServer, fetch, running

_REQUESTS: Final = 40
_SOURCE: Final = """
import json, random

def handle(event, context):
    order = {"id": random.random(), "lines": [{"price": 10}, {"price": PRICE}], "total": 10 + PRICE}
    return {"statusCode": 200, "body": json.dumps(order)}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


def _mirrored(server: RunningServer) -> Api:
    """A stage over an alias on version 1; the canary, without traffic, pins version 2, which has another price."""
    functions = server.client("lambda")
    arn = create_function(server, "orders", _SOURCE.replace("PRICE", "20"), Publish=True, Timeout=30)
    changed = zipped(_SOURCE.replace("PRICE", "21"))
    functions.update_function_code(FunctionName="orders", ZipFile=changed, Publish=True)
    functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    allow_gateway(server, "orders", Qualifier="live")
    api = Api(server, "mirrored")
    api.function(api.root, f"{arn}:live")
    api.deploy("prod")
    api.patch_stage(
        "prod",
        ("replace", "/canarySettings/functionVersions/orders:live", "2"),
        ("replace", "/canarySettings/mirrorPercent", "100"),
        ("replace", "/canarySettings/mirrorCompare", "true"),
    )
    return api


def _report(api: Api) -> dict[str, Any]:
    answer: dict[str, Any] = fetch(f"{api.server.url}/_headgate/stages/{api.id}/prod/mirror").json
    return answer


def _settled(api: Api) -> dict[str, Any]:
    """The report once no copy is on its way."""
    while (report := _report(api))["running"]:
        pass  # each question is a turn of the server's loop
    return report


def test_a_changed_field_is_found_a_random_one_is_not_and_callers_see_the_base(server: RunningServer) -> None:
    api = _mirrored(server)

    answers = []
    for _ in range(_REQUESTS):
        answers.append(json.loads(api.get().body))
        _settled(api)  # a slow machine's copies would be dropped, and rightly
    posted = fetch(api.url("prod"), "POST", b"{}")
    report = _settled(api)

    assert {answer["total"] for answer in answers} == {30}
    assert json.loads(posted.body)["total"] == 30
    assert (report["mirrored"], report["compared"]) == (_REQUESTS, _REQUESTS)
    assert (report["dropped"], report["failed"], report["statuses"]) == (0, 0, {"2XX": _REQUESTS})
    fields = {field["path"]: field for field in report["fields"]}
    assert {path for path, field in fields.items() if field["isDifferent"]} == {"body.lines[].price", "body.total"}
    assert (fields["body.id"]["candidate"], fields["body.id"]["noise"]) == (_REQUESTS, _REQUESTS)
    assert fields["body.total"]["examples"] == [{"primary": "30", "candidate": "31"}] * 3
    page = fetch(f"{server.url}/_headgate/stages/{api.id}/prod/sides?step=60").json
    counted = [(each["base"]["count"], each["canary"]["count"]) for each in page["intervals"]]
    assert counted == [(_REQUESTS + 1, 0)]
