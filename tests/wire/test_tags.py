"""Tags of APIs and stages, by ARN: `arn:aws:apigateway:{region}::/restapis/{id}[/stages/{name}]`."""

from typing import Any

import pytest

from support.apis import Api, bad_request, fields, not_found, refusal, status


def arn(api: Api, stage: str = "") -> str:
    return f"arn:aws:apigateway:us-east-1::/restapis/{api.id}" + (f"/stages/{stage}" if stage else "")


@pytest.fixture(params=["", "prod"], ids=["api", "stage"])
def tagged(request: pytest.FixtureRequest, staged: Api) -> tuple[Api, str]:
    """An API with the ARN of what a test tags: the API itself, or its stage."""
    return staged, arn(staged, request.param)


def test_a_new_resource_has_no_tags(tagged: tuple[Api, str]) -> None:
    api, resource = tagged

    assert fields(api.client.get_tags(resourceArn=resource)) == {"tags": {}}


def test_tags_are_merged_and_taken_away_by_key(tagged: tuple[Api, str]) -> None:
    api, resource = tagged

    first = api.client.tag_resource(resourceArn=resource, tags={"a": "1", "b": "2"})
    api.client.tag_resource(resourceArn=resource, tags={"b": "3", "c": ""})
    merged = api.client.get_tags(resourceArn=resource)["tags"]
    removed = api.client.untag_resource(resourceArn=resource, tagKeys=["a", "c", "unknown"])

    assert (status(first), status(removed)) == (204, 204)
    assert merged == {"a": "1", "b": "3", "c": ""}
    assert api.client.get_tags(resourceArn=resource)["tags"] == {"b": "3"}


def test_tags_of_an_api_and_of_its_stage_are_apart(staged: Api) -> None:
    staged.client.tag_resource(resourceArn=arn(staged), tags={"of": "api"})
    staged.client.tag_resource(resourceArn=arn(staged, "prod"), tags={"of": "stage"})

    assert staged.client.get_rest_api(restApiId=staged.id)["tags"] == {"of": "api"}
    assert staged.stage()["tags"] == {"of": "stage"}


def test_a_stage_that_lost_its_last_tag_shows_none(staged: Api) -> None:
    staged.client.tag_resource(resourceArn=arn(staged, "prod"), tags={"a": "1"})

    staged.client.untag_resource(resourceArn=arn(staged, "prod"), tagKeys=["a"])

    assert "tags" not in staged.stage()


def test_tagging_a_stage_leaves_what_it_serves(staged: Api) -> None:
    staged.client.tag_resource(resourceArn=arn(staged, "prod"), tags={"a": "1"})

    assert staged.get().body == b"one"


def test_fifty_tags_are_the_most(tagged: tuple[Api, str]) -> None:
    api, resource = tagged
    api.client.tag_resource(resourceArn=resource, tags={f"t{number}": "" for number in range(50)})

    refused = refusal(api.client.tag_resource, resourceArn=resource, tags={"one more": ""})

    assert (refused.code, refused.status) == ("BadRequestException", 400)
    assert len(api.client.get_tags(resourceArn=resource)["tags"]) == 50


@pytest.mark.parametrize(("key", "value"), [("x" * 128, ""), ("a", "x" * 256), ("a:b/c=d@e+f g", "ä")])
def test_a_tag_may_be(api: Api, key: str, value: str) -> None:
    api.client.tag_resource(resourceArn=arn(api), tags={key: value})

    assert api.client.get_tags(resourceArn=arn(api))["tags"] == {key: value}


@pytest.mark.parametrize(
    ("key", "value"), [("", "x"), ("x" * 129, ""), ("a", "x" * 257), ("aws:a", "x"), ("AWS:a", "x")]
)
def test_a_tag_may_not_be(api: Api, key: str, value: str) -> None:
    assert refusal(api.client.tag_resource, resourceArn=arn(api), tags={key: value}).code == "BadRequestException"
    assert refusal(api.client.create_rest_api, name="x", tags={key: value}).code == "BadRequestException"


@pytest.mark.parametrize(
    ("operation", "given"),
    [("get_tags", {}), ("tag_resource", {"tags": {"a": "b"}}), ("untag_resource", {"tagKeys": ["a"]})],
)
def test_what_is_not_there_has_no_tags(staged: Api, operation: str, given: dict[str, Any]) -> None:
    call = getattr(staged.client, operation)
    unknown = "arn:aws:apigateway:us-east-1::/restapis/wrongapiid"

    no_api = refusal(call, resourceArn=unknown, **given)
    no_stage = refusal(call, resourceArn=arn(staged, "wrong"), **given)

    assert no_api == not_found("Invalid API identifier specified 000000000000:wrongapiid")
    assert no_stage == not_found("Invalid Stage identifier specified")


@pytest.mark.parametrize("text", ["nothing", "arn:aws:s3:::bucket", "/restapis/x"])
def test_another_service_s_arn_is_refused(api: Api, text: str) -> None:
    assert refusal(api.client.get_tags, resourceArn=text) == bad_request(
        "Invalid Resource ARN specified in the request"
    )


def test_an_arn_of_another_region_names_another_api(api: Api) -> None:
    elsewhere = arn(api).replace("us-east-1", "eu-west-1")

    assert refusal(api.client.get_tags, resourceArn=elsewhere).code == "NotFoundException"
