"""Methods of a resource, and the responses they declare."""

from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, conflict, fields, not_found, patches, refusal, status

PLAIN = {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": False}
NO_AUTHORIZER = bad_request(
    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a "
    "valid authorizer."
)
ONLY_REPLACE = "Invalid patch operation specified. Must be one of: [replace]"
UNIQUE = "Parameter names must be unique across querystring, header and path"
QUERY, HEADER, PATH = (f"method.request.{place}.x" for place in ("querystring", "header", "path"))
PARAMETER = "/requestParameters/method.request.header.x"
MODEL = "/requestModels/application~1json"
RESPONSE_PARAMETER = "/responseParameters/method.response.header.x"
RESPONSE_MODEL = "/responseModels/application~1json"


def update(where: dict[str, str], api: Api, *operations: tuple[str, ...]) -> Any:
    return api.client.update_method(**where, patchOperations=patches(*operations))


def refused_put(api: Api, **options: Any) -> Refused:
    given = {"resourceId": api.root, "httpMethod": "GET", "authorizationType": "NONE", **options}
    return refusal(api.client.put_method, restApiId=api.id, **given)


def test_a_new_method_has_three_fields(api: Api) -> None:
    answer = api.client.put_method(restApiId=api.id, resourceId=api.root, httpMethod="GET", authorizationType="NONE")

    assert status(answer) == 201
    assert fields(answer) == PLAIN
    assert fields(api.client.get_method(restApiId=api.id, resourceId=api.root, httpMethod="GET")) == PLAIN


@pytest.mark.parametrize("http_method", ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"])
def test_every_http_method_can_be_declared(api: Api, http_method: str) -> None:
    assert api.client.get_method(**api.method(api.root, http_method))["httpMethod"] == http_method


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apiKeyRequired", True),
        ("authorizationType", "AWS_IAM"),
        ("operationName", "listPets"),
        ("requestParameters", {QUERY: True, "method.request.header.y": False}),
        ("requestModels", {"application/json": "Empty", "text/plain": "Error"}),
    ],
)
def test_what_is_given_is_shown(api: Api, name: str, value: Any) -> None:
    where = api.method(api.root, **{name: value})

    assert fields(api.client.get_method(**where)) == {**PLAIN, name: value}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"httpMethod": "FOO"},
            bad_request("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY"),
            id="an unknown method",
        ),
        pytest.param(
            {"httpMethod": "get"},
            bad_request("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY"),
            id="a method in lower case",
        ),
        pytest.param({"authorizationType": "CUSTOM"}, NO_AUTHORIZER, id="CUSTOM without an authorizer"),
        pytest.param(
            {"authorizationType": "CUSTOM", "authorizerId": "abc123"}, NO_AUTHORIZER, id="an unknown authorizer"
        ),
        pytest.param({"authorizationType": "COGNITO_USER_POOLS"}, NO_AUTHORIZER, id="COGNITO without an authorizer"),
        pytest.param(
            {"requestValidatorId": "abc123"},
            bad_request("Invalid Request Validator identifier specified"),
            id="an unknown validator",
        ),
        pytest.param(
            {"requestModels": {"application/json": "petModel"}},
            bad_request("Invalid model identifier specified: petModel"),
            id="an unknown model",
        ),
        pytest.param({"requestParameters": {QUERY: True, HEADER: True}}, bad_request(UNIQUE), id="query and header"),
        pytest.param({"requestParameters": {QUERY: True, PATH: False}}, bad_request(UNIQUE), id="query and path"),
        pytest.param(
            {"requestParameters": {"method.request.body.x": True}},
            bad_request("Invalid mapping expression parameter specified: method.request.body.x"),
            id="a parameter of the body",
        ),
        pytest.param(
            {"resourceId": "wrong1"}, not_found("Invalid Resource identifier specified"), id="an unknown resource"
        ),
    ],
)
def test_put_refuses(api: Api, given: dict[str, Any], expected: Refused) -> None:
    assert refused_put(api, **given) == expected


def test_a_method_is_declared_once(api: Api) -> None:
    api.method(api.root)

    assert refused_put(api) == conflict("Method already exists for this resource")


def test_deleted_is_gone(api: Api) -> None:
    where = api.method(api.root)
    missing = not_found("Invalid Method identifier specified")

    answer = api.client.delete_method(**where)

    assert status(answer) == 204
    assert refusal(api.client.get_method, **where) == missing
    assert refusal(api.client.delete_method, **where) == missing
    assert refusal(api.client.update_method, **where, patchOperations=[]) == missing


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (("replace", "/apiKeyRequired", "true"), {"apiKeyRequired": True}),
        (("replace", "/apiKeyRequired", "TRUE"), {"apiKeyRequired": True}),
        (("replace", "/apiKeyRequired", "whatever"), {"apiKeyRequired": False}),
        (("replace", "/authorizationType", "AWS_IAM"), {"authorizationType": "AWS_IAM"}),
        (("replace", "/operationName", "listPets"), {"operationName": "listPets"}),
        (("replace", "/requestValidatorId", ""), {}),
        (("replace", "/authorizerId", "abc123"), {}),
        (("add", "/authorizationScopes", "pets:read"), {"authorizationScopes": ["pets:read"]}),
        (("add", PARAMETER, "true"), {"requestParameters": {HEADER: True}}),
        (("add", PARAMETER, "false"), {"requestParameters": {HEADER: False}}),
        (("add", MODEL, "Empty"), {"requestModels": {"application/json": "Empty"}}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update(api: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
    where = api.method(api.root)

    answer = update(where, api, operation)

    assert status(answer) == 200
    assert fields(answer) == fields(api.client.get_method(**where)) == {**PLAIN, **changed}


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (("replace", PARAMETER, "false"), {"requestParameters": {HEADER: False}}),
        (("remove", PARAMETER), {"requestParameters": None}),
        (("replace", MODEL, "Error"), {"requestModels": {"application/json": "Error"}}),
        (("remove", MODEL), {"requestModels": None}),
        (("remove", "/authorizationScopes", "pets:read"), {"authorizationScopes": None}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_of_what_is_there(api: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "requestParameters": {HEADER: True},
        "requestModels": {"application/json": "Empty"},
        "authorizationScopes": ["pets:read"],
    }
    where = api.method(api.root, **given)

    answer = update(where, api, operation)

    # What loses its last entry is not shown any more.
    assert fields(answer) == {name: value for name, value in {**PLAIN, **given, **changed}.items() if value is not None}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (("add", "/apiKeyRequired", "true"), bad_request(ONLY_REPLACE)),
        (("remove", "/operationName"), bad_request(ONLY_REPLACE)),
        (
            ("replace", "/authorizationScopes", "x"),
            bad_request("Invalid patch operation specified. Must be one of: [add, remove]"),
        ),
        (("replace", "/httpMethod", "PUT"), bad_request("Invalid patch path /httpMethod")),
        (("replace", "/requestParameters", "x"), bad_request("Invalid patch path /requestParameters")),
        (
            ("add", "/requestModels/application/json", "Empty"),
            bad_request("Invalid patch path /requestModels/application/json"),
        ),
        (("replace", "/authorizationType", "CUSTOM"), NO_AUTHORIZER),
        (
            ("replace", "/requestValidatorId", "abc123"),
            bad_request("Invalid Request Validator identifier specified"),
        ),
        (("add", MODEL, "petModel"), bad_request("Invalid model identifier specified: petModel")),
        (("remove", PARAMETER), not_found("Invalid parameter name specified")),
        (("replace", PARAMETER, "true"), not_found("Invalid parameter name specified")),
        (("remove", MODEL), not_found("Content-Type specified was not found")),
    ],
    ids=lambda value: " ".join(value) if type(value) is tuple else "",
)
def test_update_refuses(api: Api, operation: tuple[str, ...], expected: Refused) -> None:
    where = api.method(api.root)

    refused = refusal(
        api.client.update_method, **where, patchOperations=[*patches(("replace", "/operationName", "x"), operation)]
    )

    assert refused == expected
    assert fields(api.client.get_method(**where)) == PLAIN


def test_a_method_response_shows_what_it_was_given_and_nothing_else(api: Api) -> None:
    where = api.method(api.root)

    bare = api.client.put_method_response(**where, statusCode="200")
    empty = api.client.put_method_response(**where, statusCode="201", responseParameters={}, responseModels={})

    assert status(bare) == 201
    assert fields(bare) == {"statusCode": "200"}
    assert fields(empty) == {"statusCode": "201", "responseParameters": {}, "responseModels": {}}
    assert fields(api.client.get_method_response(**where, statusCode="201")) == fields(empty)
    assert api.client.get_method(**where)["methodResponses"] == {"200": fields(bare), "201": fields(empty)}


def test_a_method_response_is_declared_once(api: Api) -> None:
    where = api.method(api.root)
    api.client.put_method_response(**where, statusCode="200")

    refused = refusal(api.client.put_method_response, **where, statusCode="200")

    assert refused == conflict("Response already exists for this resource")


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (("add", RESPONSE_PARAMETER, "false"), {"responseParameters": {"method.response.header.x": False}}),
        (("replace", RESPONSE_PARAMETER, "false"), {"responseParameters": {"method.response.header.x": False}}),
        (("remove", RESPONSE_PARAMETER), {"responseParameters": None}),
        (("add", RESPONSE_MODEL, "Error"), {"responseModels": {"application/json": "Error"}}),
        (("replace", RESPONSE_MODEL, "Error"), {"responseModels": {"application/json": "Error"}}),
        (("remove", RESPONSE_MODEL), {"responseModels": None}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_of_a_method_response_answers_201(api: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
    given = {"responseParameters": {"method.response.header.x": True}, "responseModels": {"application/json": "Empty"}}
    where = {**api.method(api.root), "statusCode": "200"}
    api.client.put_method_response(**where, **given)

    answer = api.client.update_method_response(**where, patchOperations=patches(operation))

    assert status(answer) == 201
    shown = {"statusCode": "200", **given, **changed}
    assert fields(answer) == {name: value for name, value in shown.items() if value is not None}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (("replace", "/responseParameters/wrong", "true"), not_found("Invalid parameter name specified")),
        (("remove", "/responseParameters/wrong"), not_found("Invalid parameter name specified")),
        (("replace", "/responseModels/wrong", "Empty"), not_found("Content-Type specified was not found")),
        (("remove", "/responseModels/wrong"), not_found("Content-Type specified was not found")),
        (
            ("replace", "/wrong/method.response.header.my-header", "true"),
            bad_request("Invalid patch path /wrong/method.response.header.my-header"),
        ),
        (
            ("add", "/responseParameters/method.request.header.x", "true"),
            bad_request("Invalid mapping expression parameter specified: method.request.header.x"),
        ),
        (("add", RESPONSE_MODEL, "petModel"), bad_request("Invalid model identifier specified: petModel")),
    ],
    ids=lambda value: " ".join(value) if type(value) is tuple else "",
)
def test_update_of_a_method_response_refuses(api: Api, operation: tuple[str, ...], expected: Refused) -> None:
    where = {**api.method(api.root), "statusCode": "200"}
    api.client.put_method_response(**where)

    assert refusal(api.client.update_method_response, **where, patchOperations=patches(operation)) == expected


def test_a_deleted_method_response_is_gone_and_so_is_the_empty_map(api: Api) -> None:
    where = api.method(api.root)
    api.client.put_method_response(**where, statusCode="200")
    missing = not_found("Invalid Response status code specified")

    answer = api.client.delete_method_response(**where, statusCode="200")

    assert status(answer) == 204
    assert fields(api.client.get_method(**where)) == PLAIN
    for call in (api.client.get_method_response, api.client.delete_method_response, api.client.update_method_response):
        assert refusal(call, **where, statusCode="200") == missing
