"""The first layer of validation, to the letter."""

import json
import re
from typing import Any

import pytest

from headgate.model.errors import ApiError
from headgate.wire.http import HttpRequest
from headgate.wire.router import Routed
from headgate.wire.services import service


def parse(name: str, operation: str, body: object, query: str = "", **labels: str) -> dict[str, Any]:
    """Parse a request whose path has these labels, and an "f" for every other."""
    spoken = service(name)
    wanted = spoken.speaking("json" if "json" in spoken.protocols else spoken.protocols[0])[operation]
    every = re.findall(r"{(\w+)", service(name).model.operations[operation].http.request_uri)
    labels = dict.fromkeys(every, "f") | labels
    request = HttpRequest(method="POST", path="/", query=query, body=json.dumps(body).encode())
    return wanted.parse(
        request, Routed(service_name=name, protocol=wanted.protocol, ours=True, operation=wanted, uri_params=labels)
    )


def refusal(name: str, operation: str, body: object, query: str = "", **labels: str) -> tuple[str, str]:
    with pytest.raises(ApiError) as refused:
        parse(name, operation, body, query, **labels)
    assert refused.value.status == 400
    return refused.value.code, refused.value.message


def test_all_failures_are_told_in_one_error_as_recorded() -> None:
    body = {"patchOperations": [{"op": "wrong_op", "path": "/x"}]}

    told = refusal("apigateway", "UpdateMethodResponse", body, status_code="wrong", http_method="GET")

    assert told[0] == "ValidationException"
    assert told[1] == (
        "2 validation errors detected: Value 'wrong_op' at 'updateMethodResponseInput.patchOperations.1.member.op' "
        "failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]; "
        "Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        r"[1-5]\d\d"
    )


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        pytest.param(
            "PutIntegration",
            {"type": "wrong"},
            "Value 'wrong' at 'putIntegrationInput.type' failed to satisfy constraint: "
            "Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
            id="an enum in its recorded order",
        ),
        pytest.param(
            "CreateRestApi",
            {"name": "n", "endpointConfiguration": {"types": ["wrong"]}},
            "Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]",
            id="a list of enums, told whole",
        ),
        pytest.param(
            "UpdateStage",
            {"patchOperations": [{"op": "add"}, {"op": "x"}]},
            "Value 'x' at 'updateStageInput.patchOperations.2.member.op' failed to satisfy constraint: "
            "Member must satisfy enum value set: [add, remove, move, test, replace, copy]",
            id="the second of a list",
        ),
        pytest.param(
            "GetUsage",
            {},
            "Value null at 'endDate' failed to satisfy constraint: Member must not be null",
            id="a query parameter that has to be there",
        ),
    ],
)
def test_one_failure_of_api_gateway(operation: str, body: object, message: str) -> None:
    told = refusal("apigateway", operation, body, query="startDate=x")

    assert told == ("ValidationException", f"1 validation error detected: {message}")


def test_required_members_of_an_api_gateway_body_are_left_to_the_operation() -> None:
    assert parse("apigateway", "CreateRestApi", {}) == {}


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        pytest.param(
            "CreateAlias",
            {"Name": "a"},
            "Value null at 'functionVersion' failed to satisfy constraint: Member must not be null",
            id="a required member",
        ),
        pytest.param(
            "UpdateFunctionConfiguration",
            {"MemorySize": 64},
            "Value '64' at 'memorySize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 128",
            id="a range",
        ),
        pytest.param(
            "UpdateFunctionConfiguration",
            {"Description": "x" * 257},
            f"Value '{'x' * 257}' at 'description' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
            id="a length",
        ),
        pytest.param(
            "UpdateAlias",
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
            "Member must have value greater than or equal to 0.0, Member must not be null]",
            id="a map's values, told whole as recorded",
        ),
        pytest.param(
            "UpdateFunctionCode",
            {"Architectures": ["z80"]},
            "Value '[z80]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
            id="a list of enums",
        ),
    ],
)
def test_one_failure_of_lambda(operation: str, body: object, message: str) -> None:
    told = refusal("lambda", operation, body, FunctionName="f", Name="a")

    assert told == ("ValidationException", f"1 validation error detected: {message}")


def test_nothing_is_told_of_a_sensitive_value() -> None:
    told = refusal("lambda", "UpdateFunctionConfiguration", {"Environment": {"Variables": {"1x": "secret"}}})

    assert told[1] == (
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: "
        "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
        "[a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"
    )


@pytest.mark.parametrize(
    ("name", "operation", "body", "code"),
    [
        ("cloudwatch", "DeleteAlarms", {}, "ValidationError"),
        ("logs", "CreateLogGroup", {}, "InvalidParameterException"),
        ("xray", "GetTraceSummaries", {}, "InvalidRequestException"),
    ],
)
def test_each_service_has_its_own_word_for_it(name: str, operation: str, body: object, code: str) -> None:
    assert refusal(name, operation, body)[0] == code


@pytest.mark.parametrize("name", ["f", "f:live", "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"])
def test_a_function_may_be_named_in_each_of_its_forms(name: str) -> None:
    assert parse("lambda", "GetFunction", {}, FunctionName=name)["FunctionName"] == name


def test_tag_keys_may_be_in_any_script() -> None:
    assert parse("logs", "TagLogGroup", {"logGroupName": "g", "tags": {"näme": "значение"}})["tags"]
