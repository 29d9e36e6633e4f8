"""Headgate's own pages of deployments: definitions, differences, and what moved a stage."""

import time
from typing import Any
from urllib.parse import quote

import pytest

from support.apis import Api, patches
from support.server import Answer, RunningServer, fetch

_KEY = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=111122223333/20261130/eu-west-1/apigateway/aws4_request, "
    "SignedHeaders=host, Signature=0"
}


def _page(server: RunningServer, path: str, **options: Any) -> Answer:
    return fetch(f"{server.url}/_headgate{path}", **options)


def _diff(api: Api, query: str = "") -> Any:
    answer = _page(api.server, f"/apis/{api.id}/diff{query}")
    assert answer.status == 200, answer.body
    return answer.json["comparisons"]


def _history(api: Api, stage: str = "prod", query: str = "") -> Any:
    answer = _page(api.server, f"/stages/{api.id}/{stage}/history{query}")
    assert answer.status == 200, answer.body
    return answer.json


def _changes(comparison: Any) -> list[tuple[str, str]]:
    """Kind and place of each difference."""
    return [
        (each["kind"], " ".join([each.get("method", ""), each.get("resource", ""), *each["path"]]).strip())
        for each in comparison["differences"]
    ]


def _edit(api: Api) -> None:
    """Two changes that nobody has deployed."""
    api.http_proxy(api.resource("orders"), "http://127.0.0.1:1/", "POST")
    api.client.update_rest_api(restApiId=api.id, patchOperations=patches(("add", "/binaryMediaTypes/image~1png", "")))


_EDITED = [("added", "binaryMediaTypes"), ("added", "POST /orders")]


def test_each_stage_against_the_resources_is_what_somebody_forgot_to_deploy(staged: Api) -> None:
    _edit(staged)
    staged.deploy("staging")

    prod, staging = _diff(staged)

    assert (prod["a"]["stage"], _changes(prod)) == ("prod", _EDITED)
    assert (staging["a"]["stage"], _changes(staging)) == ("staging", [])
    assert prod["b"] == {"is": "current"}


def test_two_deployments_by_id_by_stage_and_by_canary(staged: Api) -> None:
    first = staged.stage()["deploymentId"]
    _edit(staged)
    second = staged.deploy("prod", canarySettings={"percentTraffic": 5.0}, description="green")

    for a, b in ((first, second), ("prod", "prod/canary"), ("prod", second)):
        (comparison,) = _diff(staged, f"?a={quote(a, '')}&b={quote(b, '')}")
        assert _changes(comparison) == _EDITED
        assert (comparison["a"]["deploymentId"], comparison["b"]["deploymentId"]) == (first, second)
    (back,) = _diff(staged, f"?a={second}&b={first}")
    assert _changes(back) == [("removed", "binaryMediaTypes"), ("removed", "POST /orders")]
    assert [each["a"]["is"] for each in _diff(staged)] == ["stage", "canary"]


def test_one_reference_is_compared_with_the_resources_as_they_stand(staged: Api) -> None:
    first = staged.stage()["deploymentId"]
    _edit(staged)

    (comparison,) = _diff(staged, f"?a={first}")

    assert _changes(comparison) == _EDITED


def test_an_api_is_named_by_name_too_and_by_id_where_two_share_it(server: RunningServer) -> None:
    one = Api(server, name="the-only-one-of-this-name")
    one.mock(one.root)
    one.deploy("prod")

    assert _page(server, "/apis/the-only-one-of-this-name/diff").json["apiId"] == one.id

    other = Api(server, name="the-only-one-of-this-name")
    refused = _page(server, "/apis/the-only-one-of-this-name/diff")
    assert refused.status == 409
    assert one.id in refused.json["message"]
    assert other.id in refused.json["message"]


def test_a_definition_is_what_was_frozen_and_current_what_stands(staged: Api) -> None:
    first = staged.stage()["deploymentId"]
    _edit(staged)

    frozen = _page(staged.server, f"/apis/{staged.id}/definitions/{first}").json
    current = _page(staged.server, f"/apis/{staged.id}/definitions/current").json

    assert frozen["deploymentId"] == first
    assert [each["path"] for each in frozen["resources"]] == ["/"]
    assert sorted(each["path"] for each in current["resources"]) == ["/", "/orders"]
    assert current["restApi"]["binaryMediaTypes"] == ["image/png"]
    assert "binaryMediaTypes" not in frozen["restApi"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/apis/nope/diff", 404, "there is no API 'nope' in account 000000000000, region us-east-1; there is "),
        ("/apis/{api}/diff?a=nope", 404, "has neither a deployment nor a stage 'nope'; its stages are prod "),
        ("/apis/{api}/diff?a=prod/canary", 404, "stage prod of API orders has no canary"),
        ("/apis/{api}/diff?b=prod", 400, "b is 'prod' and a is missing; give a, or both"),
        ("/apis/{api}/definitions/nope", 404, "has neither a deployment nor a stage 'nope'"),
        ("/stages/{api}/nope/history", 404, "API orders has no stage 'nope'; it has prod"),
        ("/stages/{api}/prod/history?limit=0", 400, "limit is '0'; give a number from 1 to 1000"),
        ("/stages/{api}/prod/history?limit=all", 400, "limit is 'all'; give a number from 1 to 1000"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(staged: Api, path: str, status: int, said: str) -> None:
    answer = _page(staged.server, path.format(api=staged.id))

    assert answer.status == status
    assert said in answer.json["message"]


def test_an_api_without_a_stage_has_nothing_to_compare(api: Api) -> None:
    answer = _page(api.server, f"/apis/{api.id}/diff")

    assert answer.status == 404
    assert answer.json["message"] == "API orders has no stage to compare; deploy it to one, or name two deployments"


def test_the_pages_only_read(staged: Api) -> None:
    answer = _page(staged.server, f"/apis/{staged.id}/diff", method="POST", body=b"{}")

    assert (answer.status, answer.json["message"].partition(" ")[0]) == (405, "POST")


def test_accounts_and_regions_are_apart_by_signature_or_by_query(server: RunningServer) -> None:
    client = server.client("apigateway", region="eu-west-1", access_key="111122223333")
    api_id = client.create_rest_api(name="elsewhere")["id"]
    path = f"/apis/{api_id}/definitions/current"

    assert _page(server, path).status == 404
    assert _page(server, path, headers=_KEY).status == 200
    assert _page(server, f"{path}?account=111122223333&region=eu-west-1").status == 200
    assert _page(server, f"{path}?account=111122223333").status == 404


def test_each_move_of_a_stage_is_in_its_history_the_newest_first(staged: Api) -> None:
    began = time.time()
    first = staged.stage()["deploymentId"]
    second = staged.deploy("prod", description="headgate release orders-2.1/1/us-east-1/0")
    staged.patch_stage("prod", ("replace", "/variables/pricing", "a-secret"))
    third = staged.deploy("prod", canarySettings={"percentTraffic": 10.0}, description="green")
    staged.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "25.0"))
    staged.patch_stage(
        "prod",
        ("replace", "/canarySettings/percentTraffic", "0.0"),
        ("copy", "/deploymentId", "/canarySettings/deploymentId"),
    )
    staged.patch_stage("prod", ("remove", "/canarySettings"))

    history = _history(staged)

    by_second = {"deploymentId": second, "description": "headgate release orders-2.1/1/us-east-1/0"}
    by_second["release"] = "orders-2.1"
    by_third = {"deploymentId": third, "description": "green"}
    told = [(each["operation"], each["before"], each["after"], each["changed"]) for each in history["moves"]]

    def canary(percent: float) -> dict[str, Any]:
        return {"canary": {**by_third, "percentTraffic": percent}}

    assert told == [
        ("UpdateStage", {**by_third, **canary(0.0)}, by_third, []),
        ("UpdateStage", {**by_second, **canary(25.0)}, {**by_third, **canary(0.0)}, []),
        ("UpdateStage", {**by_second, **canary(10.0)}, {**by_second, **canary(25.0)}, []),
        ("CreateDeployment", by_second, {**by_second, **canary(10.0)}, []),
        ("UpdateStage", by_second, by_second, ["variables/pricing"]),
        ("CreateDeployment", {"deploymentId": first}, by_second, []),
        ("CreateDeployment", None, {"deploymentId": first}, []),
    ]
    assert history["serves"] == by_third
    assert history["previous"] == by_second
    assert {each["accessKey"] for each in history["moves"]} == {"test"}
    assert {each["userAgent"].partition("/")[0] for each in history["moves"]} == {"Boto3"}
    assert [each["number"] for each in history["moves"]] == [7, 6, 5, 4, 3, 2, 1]
    assert all(began - 60 < each["at"] <= time.time() for each in history["moves"])
    assert "a-secret" not in str(history)


def test_what_moves_nothing_is_not_in_the_history(staged: Api) -> None:
    staged.patch_stage("prod", ("replace", "/description", "words"), ("replace", "/*/*/metrics/enabled", "true"))
    staged.deploy()

    assert len(_history(staged)["moves"]) == 1


def test_a_refused_move_is_not_in_the_history(staged: Api) -> None:
    with pytest.raises(staged.client.exceptions.BadRequestException):
        staged.patch_stage("prod", ("replace", "/variables/a", "b"), ("replace", "/deploymentId", "nope"))

    assert len(_history(staged)["moves"]) == 1


def test_the_history_of_a_deleted_stage_is_kept_and_goes_with_its_api(staged: Api) -> None:
    staged.client.delete_stage(restApiId=staged.id, stageName="prod")

    history = _history(staged)
    assert (history["serves"], history["previous"]) == (None, None)
    assert [each["operation"] for each in history["moves"]] == ["DeleteStage", "CreateDeployment"]
    assert history["moves"][0]["after"] is None

    staged.client.delete_rest_api(restApiId=staged.id)
    assert _page(staged.server, f"/stages/{staged.id}/prod/history").status == 404


def test_a_deleted_deployment_is_left_out_of_the_way_back(staged: Api) -> None:
    first = staged.stage()["deploymentId"]
    second, _third = staged.deploy("prod"), staged.deploy("prod")
    staged.client.delete_deployment(restApiId=staged.id, deploymentId=second)

    assert _history(staged)["previous"] == {"deploymentId": first}


def test_a_history_is_asked_for_by_its_last_moves(staged: Api) -> None:
    for _ in range(3):
        staged.deploy("prod")

    assert [each["number"] for each in _history(staged, query="?limit=2")["moves"]] == [4, 3]
