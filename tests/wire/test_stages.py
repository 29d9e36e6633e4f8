"""Stages: create, get, list and delete. What UpdateStage may do stands in test_stage_patches."""

from typing import Any

import pytest

from support.apis import (
    VARIABLE_VALUES,
    Api,
    Refused,
    bad_request,
    conflict,
    control,
    fields,
    not_found,
    refusal,
    status,
)

NO_STAGE = not_found("Invalid Stage identifier specified")


@pytest.fixture
def deployed(api: Api) -> Api:
    """An API with one deployment and no stage."""
    api.mock(api.root, body="one", headers={"variable": "stageVariables.v"})
    api.deploy()
    return api


def deployment_of(api: Api) -> str:
    """The newest deployment."""
    identifier: str = api.client.get_deployments(restApiId=api.id, limit=1)["items"][0]["id"]
    return identifier


def create(api: Api, name: str = "prod", **options: Any) -> Any:
    return api.client.create_stage(
        **{"restApiId": api.id, "stageName": name, "deploymentId": deployment_of(api), **options}
    )


def refused_create(api: Api, name: str = "prod", **options: Any) -> Refused:
    given = {"restApiId": api.id, "stageName": name, "deploymentId": deployment_of(api), **options}
    return refusal(api.client.create_stage, **given)


def test_a_new_stage_has_the_recorded_defaults_and_nothing_else(deployed: Api) -> None:
    answer = create(deployed)

    assert status(answer) == 201
    assert fields(answer) == {
        "stageName": "prod",
        "deploymentId": deployment_of(deployed),
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": False,
        "createdDate": answer["createdDate"],
        "lastUpdatedDate": answer["lastUpdatedDate"],
    }
    assert deployed.stage() == fields(answer)


def test_a_new_stage_is_served_when_its_creation_has_been_answered(deployed: Api) -> None:
    before = deployed.get()

    create(deployed, variables={"v": "1"})
    after = deployed.get()

    assert (before.status, before.json) == (403, {"message": "Missing Authentication Token"})
    assert (after.status, after.body, after.headers["variable"]) == (200, b"one", "1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("description", "production"),
        ("variables", {"v": "1", "other_1": ""}),
        ("documentationVersion", "v1"),
        ("tracingEnabled", True),
        ("tags", {"team": "a"}),
    ],
)
def test_what_is_given_is_shown(deployed: Api, name: str, value: Any) -> None:
    answer = create(deployed, **{name: value})

    assert answer[name] == value
    assert deployed.stage()[name] == value


def test_a_cache_cluster_is_available_at_once(deployed: Api) -> None:
    answer = create(deployed, cacheClusterEnabled=True, cacheClusterSize="6.1")

    shown = (answer["cacheClusterEnabled"], answer["cacheClusterSize"], answer["cacheClusterStatus"])
    assert shown == (True, "6.1", "AVAILABLE")


def test_empty_variables_are_not_shown(deployed: Api) -> None:
    assert "variables" not in create(deployed, variables={})


@pytest.mark.parametrize("name", ["a", "A_b-9", "x" * 128])
def test_a_stage_name_may_be(deployed: Api, name: str) -> None:
    assert create(deployed, name)["stageName"] == name


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "ä", "x" * 129, "$default"])
def test_a_stage_name_may_not_be(deployed: Api, name: str) -> None:
    assert refused_create(deployed, name) == bad_request("Stage name only allows a-zA-Z0-9_")


@pytest.mark.parametrize("value", ["", "a b", "-._~:/?#&=,", "x" * 512, "https://example.com/a?b=c&d=e"])
def test_a_variable_may_be(deployed: Api, value: str) -> None:
    assert create(deployed, variables={"x" * 64: value})["variables"] == {"x" * 64: value}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v", "a!", f"Invalid stage variable value of key v.  {VARIABLE_VALUES}"),
        ("v", "x" * 513, f"Invalid stage variable value of key v.  {VARIABLE_VALUES}"),
        ("a-b", "x", "Invalid stage variable name: a-b. Please use names with only word characters."),
        ("", "x", "Invalid stage variable name: . Please use names with only word characters."),
        ("ä", "x", "Invalid stage variable name: ä. Please use names with only word characters."),
        ("x" * 65, "x", f"Invalid stage variable name: {'x' * 65}. Please use names with only word characters."),
    ],
)
def test_a_variable_may_not_be(deployed: Api, name: str, value: str, message: str) -> None:
    assert refused_create(deployed, variables={name: value}) == bad_request(message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"deploymentId": "wrong1"}, "Deployment id does not exist", id="an unknown deployment"),
        pytest.param(
            {"canarySettings": {"deploymentId": "wrong1"}}, "Deployment id does not exist", id="an unknown canary"
        ),
        pytest.param(
            {"canarySettings": {"percentTraffic": 100.1}},
            "Invalid percentTraffic 100.1: it must be between 0.0 and 100.0",
            id="more than all of the traffic",
        ),
    ],
)
def test_create_refuses(deployed: Api, given: dict[str, Any], message: str) -> None:
    assert refused_create(deployed, **given) == bad_request(message)
    assert refusal(deployed.client.get_stage, restApiId=deployed.id, stageName="prod") == NO_STAGE


def test_the_deployment_of_another_api_does_not_exist(deployed: Api) -> None:
    other = Api(deployed.server)
    other.mock(other.root)

    assert refused_create(deployed, deploymentId=other.deploy()) == bad_request("Deployment id does not exist")


def test_a_size_that_no_cache_has_is_an_enum_violation(deployed: Api) -> None:
    assert refused_create(deployed, cacheClusterSize="3") == Refused(
        "ValidationException",
        "1 validation error detected: Value '3' at 'createStageInput.cacheClusterSize' failed to satisfy constraint: "
        "Member must satisfy enum value set: [0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237]",
        400,
    )


def test_a_stage_exists_once(deployed: Api) -> None:
    create(deployed)

    assert refused_create(deployed) == conflict("Stage already exists")


def test_a_list_has_the_key_item_and_is_filtered_by_deployment(deployed: Api) -> None:
    first = deployment_of(deployed)
    create(deployed, "a")
    create(deployed, "c")
    second = deployed.deploy("b")

    everything = deployed.client.get_stages(restApiId=deployed.id)
    of_second = deployed.client.get_stages(restApiId=deployed.id, deploymentId=second)
    raw = control(deployed.server, "GET", f"/restapis/{deployed.id}/stages?deploymentId={first}").json

    assert fields(everything) == {"item": [deployed.stage(name) for name in ("a", "b", "c")]}
    assert of_second["item"] == [deployed.stage("b")]
    assert list(raw) == ["item"]
    assert [each["stageName"] for each in raw["item"]] == ["a", "c"]


def test_dates_are_numbers_on_the_wire(staged: Api) -> None:
    raw = control(staged.server, "GET", f"/restapis/{staged.id}/stages/prod").json

    assert isinstance(raw["createdDate"], int)
    assert isinstance(raw["lastUpdatedDate"], int)


def test_a_deleted_stage_is_served_no_more(staged: Api) -> None:
    answer = staged.client.delete_stage(restApiId=staged.id, stageName="prod")

    assert status(answer) == 202
    assert staged.get().json == {"message": "Missing Authentication Token"}
    assert refusal(staged.client.get_stage, restApiId=staged.id, stageName="prod") == NO_STAGE
    assert refusal(staged.client.delete_stage, restApiId=staged.id, stageName="prod") == NO_STAGE
    assert refusal(staged.client.update_stage, restApiId=staged.id, stageName="prod", patchOperations=[]) == NO_STAGE


def test_stages_of_one_api_serve_their_own_deployments_and_variables(deployed: Api) -> None:
    create(deployed, "old", variables={"v": "1"})
    deployed.mock(deployed.root, body="two", headers={"variable": "stageVariables.v"})
    deployed.deploy("new", variables={"v": "2"})

    old, new = deployed.get("old"), deployed.get("new")

    assert (old.body, old.headers["variable"]) == (b"one", "1")
    assert (new.body, new.headers["variable"]) == (b"two", "2")
