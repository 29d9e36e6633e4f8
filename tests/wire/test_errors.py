"""Errors of the control plane: their shape, which 404 it is, what cannot be read, and what is not there to be asked."""

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.apis import Api, Refused, control, not_found, patches, refusal
from support.server import RunningServer, fetch

WRONG_API = "wrongapiid"
NO_API = not_found(f"Invalid API identifier specified 000000000000:{WRONG_API}")
NO_RESOURCE = not_found("Invalid Resource identifier specified")
NO_METHOD = not_found("Invalid Method identifier specified")
NO_INTEGRATION = not_found("Invalid Integration identifier specified")
NO_RESPONSE = not_found("Invalid Response status code specified")
STATUS_PATTERN = (
    "Value 'wrong' at 'statusCode' failed to satisfy constraint: "
    r"Member must satisfy regular expression pattern: [1-5]\d\d"
)
OPS = "Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
BOOLEAN = "class java.lang.Boolean can not be converted to an String"
NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("get_rest_api", {}),
        ("update_rest_api", {"patchOperations": []}),
        ("delete_rest_api", {}),
        ("create_resource", {"parentId": "root", "pathPart": "pets"}),
        ("get_resources", {}),
        ("create_deployment", {}),
        ("get_deployment", {"deploymentId": "x"}),
        ("get_deployments", {}),
        ("update_deployment", {"deploymentId": "x"}),
        ("delete_deployment", {"deploymentId": "x"}),
        ("create_stage", {"stageName": "prod", "deploymentId": "x"}),
        ("get_stage", {"stageName": "prod"}),
        ("get_stages", {}),
        ("update_stage", {"stageName": "prod"}),
        ("delete_stage", {"stageName": "prod"}),
    ],
)
def test_an_unknown_api_is_named_with_its_account(server: RunningServer, operation: str, given: dict[str, Any]) -> None:
    client = server.client("apigateway")

    assert refusal(getattr(client, operation), restApiId=WRONG_API, **given) == NO_API


RESOURCE = {"resourceId": "root"}
METHOD = {**RESOURCE, "httpMethod": "GET"}
RESPONSE = {**METHOD, "statusCode": "200"}
BELOW_A_RESOURCE = {
    "get_resource": RESOURCE,
    "update_resource": RESOURCE,
    "delete_resource": RESOURCE,
    "put_method": {**METHOD, "authorizationType": "NONE"},
    "get_method": METHOD,
    "update_method": METHOD,
    "delete_method": METHOD,
    "put_method_response": RESPONSE,
    "get_method_response": RESPONSE,
    "update_method_response": RESPONSE,
    "delete_method_response": RESPONSE,
    "put_integration": {**METHOD, "type": "MOCK"},
    "get_integration": METHOD,
    "update_integration": METHOD,
    "delete_integration": METHOD,
    "put_integration_response": RESPONSE,
    "get_integration_response": RESPONSE,
    "update_integration_response": RESPONSE,
    "delete_integration_response": RESPONSE,
}
# DeleteIntegrationResponse says so of an unknown method; test_integrations has it.
BELOW_A_METHOD = sorted(set(BELOW_A_RESOURCE) - {"delete_integration_response", "put_method"})


@pytest.mark.parametrize("operation", BELOW_A_RESOURCE)
def test_below_an_api_an_unknown_api_is_an_unknown_resource(api: Api, operation: str) -> None:
    given = {**BELOW_A_RESOURCE[operation], "resourceId": api.root}

    assert refusal(getattr(api.client, operation), restApiId=WRONG_API, **given) == NO_RESOURCE


@pytest.mark.parametrize("operation", BELOW_A_RESOURCE)
def test_an_unknown_resource(api: Api, operation: str) -> None:
    given = {**BELOW_A_RESOURCE[operation], "resourceId": "wrong1"}

    assert refusal(getattr(api.client, operation), restApiId=api.id, **given) == NO_RESOURCE


@pytest.mark.parametrize("operation", [name for name in BELOW_A_METHOD if "resource" not in name])
@pytest.mark.parametrize("http_method", ["POST", "wrong"])
def test_an_unknown_method(api: Api, operation: str, http_method: str) -> None:
    api.mock(api.root)
    given = {**BELOW_A_RESOURCE[operation], "resourceId": api.root, "httpMethod": http_method}

    assert refusal(getattr(api.client, operation), restApiId=api.id, **given) == NO_METHOD


@pytest.mark.parametrize(
    "operation", [name for name in BELOW_A_RESOURCE if "integration" in name and name != "put_integration"]
)
def test_a_method_without_an_integration(api: Api, operation: str) -> None:
    api.method(api.root)
    given = {**BELOW_A_RESOURCE[operation], "resourceId": api.root}

    assert refusal(getattr(api.client, operation), restApiId=api.id, **given) == NO_INTEGRATION


@pytest.mark.parametrize(
    "operation", [name for name in BELOW_A_RESOURCE if "response" in name and not name.startswith("put")]
)
def test_an_unknown_response(api: Api, operation: str) -> None:
    api.mock(api.root)
    given = {**BELOW_A_RESOURCE[operation], "resourceId": api.root, "statusCode": "500"}

    assert refusal(getattr(api.client, operation), restApiId=api.id, **given) == NO_RESPONSE


@pytest.mark.parametrize("operation", [name for name in BELOW_A_RESOURCE if "response" in name])
def test_a_status_code_that_is_none_is_told_before_anything_is_looked_up(server: RunningServer, operation: str) -> None:
    given = {**BELOW_A_RESOURCE[operation], "statusCode": "wrong"}

    refused = refusal(getattr(server.client("apigateway"), operation), restApiId=WRONG_API, **given)

    assert refused == Refused("ValidationException", f"1 validation error detected: {STATUS_PATTERN}", 400)


def test_all_violations_of_the_model_are_told_together_the_body_s_first(api: Api) -> None:
    refused = refusal(
        api.client.update_method_response,
        restApiId=api.id,
        **{**RESPONSE, "resourceId": api.root, "statusCode": "wrong"},
        patchOperations=patches(("wrong_op", "/x"), ("add", "/x"), ("wrong_op", "/x")),
    )

    told = [
        f"Value 'wrong_op' at 'updateMethodResponseInput.patchOperations.{number}.member.op' "
        f"failed to satisfy constraint: {OPS}"
        for number in (1, 3)
    ]
    assert refused == Refused(
        "ValidationException", f"3 validation errors detected: {'; '.join(told)}; {STATUS_PATTERN}", 400
    )


def test_an_unknown_type_of_integration(api: Api) -> None:
    refused = refusal(api.client.put_integration, **api.method(api.root), type="wrong")

    assert refused == Refused(
        "ValidationException",
        "1 validation error detected: Value 'wrong' at 'putIntegrationInput.type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
        400,
    )


class TestShape:
    """How an error stands on the wire."""

    def test_a_modelled_error_has_its_code_in_a_header_and_its_message_in_the_body(self, server: RunningServer) -> None:
        answer = control(server, "GET", f"/restapis/{WRONG_API}")

        assert answer.status == 404
        assert answer.headers["x-amzn-errortype"] == "NotFoundException"
        assert answer.headers["content-type"] == "application/json"
        assert answer.json == {"message": NO_API.message}
        assert answer.headers["x-amzn-requestid"]

    def test_the_sdk_shows_the_message_of_a_modelled_error_twice(self, server: RunningServer) -> None:
        client = server.client("apigateway")

        with pytest.raises(client.exceptions.NotFoundException) as caught:
            client.get_rest_api(restApiId=WRONG_API)

        assert caught.value.response["message"] == NO_API.message

    def test_and_that_of_a_violation_of_the_model_once(self, api: Api) -> None:
        with pytest.raises(ClientError) as caught:
            api.client.update_rest_api(restApiId=api.id, patchOperations=patches(("wrong_op", "/name")))

        response: Any = caught.value.response
        assert response["Error"]["Code"] == "ValidationException"
        assert "message" not in response


class TestUnreadable:
    """Bodies that are no request."""

    @pytest.mark.parametrize(
        ("method", "path", "document", "message"),
        [
            ("POST", "/restapis", {"name": True}, BOOLEAN),
            ("POST", "/restapis", {"name": 1}, NUMBER),
            ("POST", "/restapis", {"name": 1.5}, NUMBER),
            ("POST", "/restapis", {"name": "x", "tags": {"a": False}}, BOOLEAN),
            ("POST", "/restapis", {"name": {}}, "Start of structure or map found where not expected."),
            ("POST", "/restapis", {"name": []}, "Start of list found where not expected."),
            ("POST", "/restapis", {"name": "x", "binaryMediaTypes": [1]}, NUMBER),
            ("PATCH", "/restapis/x", {"patchOperations": [{"op": "replace", "path": "/name", "value": True}]}, BOOLEAN),
            ("PATCH", "/restapis/x", {"patchOperations": [{"op": "replace", "path": "/name", "value": 5}]}, NUMBER),
            ("PATCH", "/restapis/x", {"patchOperations": {}}, "Start of structure or map found where not expected."),
        ],
    )
    def test_a_value_of_the_wrong_type(
        self, server: RunningServer, method: str, path: str, document: Any, message: str
    ) -> None:
        answer = control(server, method, path, document)

        assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "SerializationException")
        assert answer.json["message"] == message

    @pytest.mark.parametrize("body", [b"{", b"{]", b"nothing", b'{"name": }', b"\xff\xfe", b'{"name": "x"} x'])
    def test_malformed_json(self, server: RunningServer, body: bytes) -> None:
        answer = control(server, "POST", "/restapis", body)

        assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "SerializationException")

    @pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
    def test_json_that_is_no_object(self, server: RunningServer, body: bytes) -> None:
        answer = control(server, "POST", "/restapis", body)

        assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "SerializationException")

    @pytest.mark.parametrize("seed", range(20))
    def test_random_bytes_are_never_a_defect(self, staged: Api, seed: int) -> None:
        chance = random.Random(seed)
        method_path = f"/restapis/{staged.id}/resources/{staged.root}/methods/GET"
        targets = [
            ("POST", "/restapis"),
            ("PATCH", f"/restapis/{staged.id}"),
            ("POST", f"/restapis/{staged.id}/resources/{staged.root}"),
            ("PUT", method_path),
            ("PUT", f"{method_path}/integration"),
            ("PUT", f"{method_path}/responses/200"),
            ("PUT", f"{method_path}/integration/responses/200"),
            ("POST", f"/restapis/{staged.id}/deployments"),
            ("POST", f"/restapis/{staged.id}/stages"),
            ("PATCH", f"/restapis/{staged.id}/stages/prod"),
            ("PATCH", "/account"),
            ("PUT", f"/tags/arn:aws:apigateway:us-east-1::%2Frestapis%2F{staged.id}"),
        ]

        statuses = {
            (method, path): control(staged.server, method, path, chance.randbytes(chance.randint(1, 400))).status
            for method, path in targets
        }

        assert {at: found for at, found in statuses.items() if not 400 <= found < 500} == {}

    def test_a_document_nested_beyond_reason_is_refused(self, server: RunningServer) -> None:
        body = b'{"name":' + b"[" * 20_000 + b"]" * 20_000 + b"}"

        assert control(server, "POST", "/restapis", body).status == 400


class TestUnknownOperations:
    """What is not there to be asked: a 4xx that names it, for Terraform repeats a 5xx for minutes."""

    @pytest.mark.parametrize(
        ("operation", "name", "given"),
        [
            ("get_usage_plans", "GetUsagePlans", {}),
            ("get_api_keys", "GetApiKeys", {}),
            ("create_domain_name", "CreateDomainName", {"domainName": "example.com"}),
            ("get_authorizers", "GetAuthorizers", {"restApiId": "x"}),
            ("get_models", "GetModels", {"restApiId": "x"}),
            ("import_rest_api", "ImportRestApi", {"body": b"{}"}),
            ("put_rest_api", "PutRestApi", {"restApiId": "x", "body": b"{}"}),
            ("flush_stage_cache", "FlushStageCache", {"restApiId": "x", "stageName": "prod"}),
        ],
    )
    def test_an_operation_that_is_not_supported(
        self, server: RunningServer, operation: str, name: str, given: dict[str, Any]
    ) -> None:
        refused = refusal(getattr(server.client("apigateway"), operation), **given)

        assert refused == Refused(
            "UnsupportedOperationException", f"Amazon API Gateway: {name} is not supported by Headgate.", 400
        )

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/nothing"), ("PUT", "/account"), ("POST", "/restapis/x/y/z")]
    )
    def test_a_path_that_no_operation_has(self, server: RunningServer, method: str, path: str) -> None:
        credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/apigateway/aws4_request, Signature=0"

        answer = fetch(server.url + path, method, None, {"Authorization": credential})

        assert (answer.status, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
        assert answer.json["message"] == f"Amazon API Gateway has no operation for {method} {path}"


class TestIsolation:
    """An API belongs to the account and the region of the key it was made with."""

    @pytest.mark.parametrize(
        ("region", "account", "named"),
        [("eu-west-1", "test", "000000000000"), ("us-east-1", "300000000001", "300000000001")],
        ids=["region", "account"],
    )
    def test_others_do_not_see_it(self, staged: Api, region: str, account: str, named: str) -> None:
        other = staged.server.client("apigateway", region, account)
        missing = not_found(f"Invalid API identifier specified {named}:{staged.id}")

        assert staged.id not in {each["id"] for each in other.get_rest_apis(limit=500)["items"]}
        assert refusal(other.get_rest_api, restApiId=staged.id) == missing
        assert refusal(other.delete_rest_api, restApiId=staged.id) == missing
        assert refusal(other.get_stage, restApiId=staged.id, stageName="prod") == missing
        assert refusal(other.create_deployment, restApiId=staged.id) == missing
        assert refusal(other.get_resource, restApiId=staged.id, resourceId=staged.root) == NO_RESOURCE
        assert staged.get().body == b"one"

    def test_a_key_of_other_than_twelve_digits_is_the_default_account(self, api: Api) -> None:
        for key in ("AKIAIOSFODNN7EXAMPLE", "12345678901", "1234567890123", "000000000000"):
            other = api.server.client("apigateway", access_key=key)

            assert other.get_rest_api(restApiId=api.id)["id"] == api.id
