"""Deployments: frozen definitions of an API, and the stages that a new one is put on (aws-semantics 2)."""

from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, fields, not_found, patches, refusal, status

PREFIX = "Invalid deployment content specified."
NO_DEPLOYMENT = not_found("Invalid Deployment identifier specified")


@pytest.fixture
def methods(api: Api) -> Api:
    """An API whose root answers GET, not deployed."""
    api.mock(api.root, body="one")
    return api


def test_a_new_deployment_answers_its_id_its_date_and_its_description(methods: Api) -> None:
    bare = methods.client.create_deployment(restApiId=methods.id)
    described = methods.client.create_deployment(restApiId=methods.id, description="first")

    assert status(bare) == 201
    assert fields(bare) == {"id": bare["id"], "createdDate": bare["createdDate"]}
    assert fields(described) == {
        "id": described["id"],
        "createdDate": described["createdDate"],
        "description": "first",
    }
    assert fields(methods.client.get_deployment(restApiId=methods.id, deploymentId=bare["id"])) == fields(bare)


def test_without_a_stage_name_nothing_is_served(methods: Api) -> None:
    methods.deploy()

    assert methods.client.get_stages(restApiId=methods.id)["item"] == []


def test_the_summary_of_the_api_comes_only_when_it_is_embedded(methods: Api) -> None:
    methods.mock(methods.resource("pets"), "ANY")
    one = {"restApiId": methods.id, "deploymentId": methods.deploy()}
    summary = {"authorizationType": "NONE", "apiKeyRequired": False}

    plain = methods.client.get_deployment(**one)
    embedded = methods.client.get_deployment(**one, embed=["apisummary"])
    [listed] = methods.client.get_deployments(restApiId=methods.id)["items"]

    assert "apiSummary" not in plain
    assert embedded["apiSummary"] == {"/": {"GET": summary}, "/pets": {"ANY": summary}}
    assert listed == fields(plain)


def test_a_new_stage_name_makes_the_stage_with_the_given_settings(methods: Api) -> None:
    deployment = methods.deploy(
        "prod",
        description="first",
        stageDescription="production",
        variables={"v": "1"},
        tracingEnabled=True,
        cacheClusterEnabled=True,
        cacheClusterSize="1.6",
    )

    stage = methods.stage("prod")
    assert stage == {
        "stageName": "prod",
        "deploymentId": deployment,
        "description": "production",
        "variables": {"v": "1"},
        "tracingEnabled": True,
        "cacheClusterEnabled": True,
        "cacheClusterSize": "1.6",
        "cacheClusterStatus": "AVAILABLE",
        "methodSettings": {},
        "createdDate": stage["createdDate"],
        "lastUpdatedDate": stage["lastUpdatedDate"],
    }


def test_deploying_to_a_stage_moves_it_and_leaves_what_is_not_given(methods: Api) -> None:
    methods.deploy("prod", stageDescription="production", variables={"v": "1", "w": "2"}, tracingEnabled=True)
    methods.patch_stage("prod", ("replace", "/*/*/metrics/enabled", "true"))
    before = methods.stage()

    second = methods.deploy("prod")

    assert {**methods.stage(), "lastUpdatedDate": None} == {**before, "deploymentId": second, "lastUpdatedDate": None}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"stageDescription": "new"}, {"description": "new"}),
        ({"variables": {"x": "3"}}, {"variables": {"x": "3"}}),
        ({"tracingEnabled": False}, {"tracingEnabled": False}),
        (
            {"cacheClusterEnabled": True},
            {"cacheClusterEnabled": True, "cacheClusterSize": "0.5", "cacheClusterStatus": "AVAILABLE"},
        ),
    ],
    ids=str,
)
def test_deploying_to_a_stage_replaces_what_is_given(
    methods: Api, given: dict[str, Any], changed: dict[str, Any]
) -> None:
    methods.deploy("prod", stageDescription="production", variables={"v": "1"}, tracingEnabled=True)
    before = methods.stage()

    second = methods.deploy("prod", **given)

    expected = {**before, **changed, "deploymentId": second, "lastUpdatedDate": None}
    assert {**methods.stage(), "lastUpdatedDate": None} == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"canarySettings": {}},
            PREFIX + "Non null and non empty stageName must be provided for canary deployment. Provided value is null",
            id="a canary without a stage",
        ),
        pytest.param(
            {"canarySettings": {}, "stageName": ""},
            PREFIX + "Non null and non empty stageName must be provided for canary deployment. Provided value is ",
            id="a canary with an empty stage name",
        ),
        pytest.param(
            {"canarySettings": {"percentTraffic": 10.0}, "stageName": "non-existing"},
            PREFIX + "Stage non-existing must already be created before making a canary release deployment",
            id="a canary of a stage that is not there",
        ),
        pytest.param({"stageName": "no blanks"}, "Stage name only allows a-zA-Z0-9_", id="a bad stage name"),
        pytest.param(
            {"stageName": "prod", "variables": {"a-b": "x"}},
            "Invalid stage variable name: a-b. Please use names with only word characters.",
            id="a bad variable name",
        ),
    ],
)
def test_create_refuses(methods: Api, given: dict[str, Any], message: str) -> None:
    assert refusal(methods.client.create_deployment, restApiId=methods.id, **given) == bad_request(message)
    assert methods.client.get_deployments(restApiId=methods.id)["items"] == []


def test_an_api_without_methods_cannot_be_deployed(api: Api) -> None:
    refused = refusal(api.client.create_deployment, restApiId=api.id)

    assert refused == bad_request("The REST API doesn't contain any methods")


def test_a_method_without_an_integration_cannot_be_deployed(methods: Api) -> None:
    methods.method(methods.resource("pets"))

    refused = refusal(methods.client.create_deployment, restApiId=methods.id)

    assert refused == bad_request("No integration defined for method")


def test_an_edit_is_invisible_until_it_is_deployed(staged: Api) -> None:
    staged.mock(staged.root, body="two")
    staged.mock(staged.resource("pets"), body="pets")
    before = (staged.get().body, staged.get(path="/pets").status)

    staged.deploy("prod")

    assert before == (b"one", 403)
    assert (staged.get().body, staged.get(path="/pets").body) == (b"two", b"pets")


def test_a_deleted_resource_is_served_until_it_is_deployed(staged: Api) -> None:
    pets = staged.resource("pets")
    staged.mock(pets, body="pets")
    staged.deploy("prod")

    staged.client.delete_resource(restApiId=staged.id, resourceId=pets)
    deleted = staged.get(path="/pets").body
    staged.deploy("prod")

    assert deleted == b"pets"
    assert staged.get(path="/pets").status == 403


def test_the_switch_of_the_default_endpoint_is_frozen_too(staged: Api) -> None:
    staged.client.update_rest_api(
        restApiId=staged.id, patchOperations=patches(("replace", "/disableExecuteApiEndpoint", "true"))
    )
    before = staged.get().status

    staged.deploy("prod")

    assert (before, staged.get().status, staged.get().json) == (200, 403, {"message": "Forbidden"})


def test_a_stage_rolls_back_to_an_older_deployment_at_once(staged: Api) -> None:
    first = staged.stage()["deploymentId"]
    staged.mock(staged.root, body="two")
    second = staged.deploy("prod")

    seen = []
    for deployment in (first, second, first):
        staged.patch_stage("prod", ("replace", "/deploymentId", deployment))
        seen.append(staged.get().body)

    assert seen == [b"one", b"two", b"one"]


def test_a_list_is_newest_first(methods: Api) -> None:
    made = [methods.deploy() for _ in range(3)]

    listed = [each["id"] for each in methods.client.get_deployments(restApiId=methods.id)["items"]]

    assert listed == made[::-1]


def test_only_the_description_can_be_patched(methods: Api) -> None:
    one = {"restApiId": methods.id, "deploymentId": methods.deploy()}

    answer = methods.client.update_deployment(**one, patchOperations=patches(("replace", "/description", "new")))

    assert status(answer) == 200
    assert answer["description"] == "new"
    assert fields(methods.client.get_deployment(**one)) == fields(answer)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            ("replace", "/createdDate", "0"),
            "Invalid patch path  '/createdDate' specified for op 'replace'. Must be one of: [/description]",
        ),
        (
            ("add", "/description", "new"),
            "Invalid patch path  '/description' specified for op 'add'. Please choose supported operations",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_refuses(methods: Api, operation: tuple[str, ...], message: str) -> None:
    one = {"restApiId": methods.id, "deploymentId": methods.deploy()}

    assert refusal(methods.client.update_deployment, **one, patchOperations=patches(operation)) == bad_request(message)


def test_a_deployment_that_no_stage_uses_can_be_deleted(methods: Api) -> None:
    one = {"restApiId": methods.id, "deploymentId": methods.deploy()}

    answer = methods.client.delete_deployment(**one)

    assert status(answer) == 202
    assert refusal(methods.client.get_deployment, **one) == NO_DEPLOYMENT
    assert refusal(methods.client.delete_deployment, **one) == NO_DEPLOYMENT


def test_a_deployment_that_a_stage_uses_cannot_be_deleted_until_the_stage_moves(staged: Api) -> None:
    one = {"restApiId": staged.id, "deploymentId": staged.stage()["deploymentId"]}

    refused = refusal(staged.client.delete_deployment, **one)
    staged.deploy("prod")

    assert refused == bad_request("Active stages pointing to this deployment must be moved or deleted")
    assert status(staged.client.delete_deployment(**one)) == 202
    assert staged.get().body == b"one"


def test_a_deployment_that_only_a_canary_uses_cannot_be_deleted_until_the_canary_goes(staged: Api) -> None:
    one = {"restApiId": staged.id, "deploymentId": staged.deploy("prod", canarySettings={})}

    refused = refusal(staged.client.delete_deployment, **one)
    staged.patch_stage("prod", ("remove", "/canarySettings"))

    assert refused == bad_request(
        "Active stages with canary settings pointing to this deployment must be moved or deleted"
    )
    assert status(staged.client.delete_deployment(**one)) == 202


def test_a_deployment_belongs_to_its_api(methods: Api) -> None:
    other = Api(methods.server)

    refused: Refused = refusal(other.client.get_deployment, restApiId=other.id, deploymentId=methods.deploy())

    assert refused == NO_DEPLOYMENT
