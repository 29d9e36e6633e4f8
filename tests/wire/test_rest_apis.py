"""RestApi: what its operations answer and refuse (aws-recorded, "Defaults and absent fields", "Patch rules")."""

import json
from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, control, fields, not_found, patches, refusal, status
from support.server import RunningServer

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke"}]}'
ENUM_OF_TYPES = (
    "Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: "
    "Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]"
)
ENUM_OF_ADDRESS_TYPES = (
    "Value 'wrong' at 'createRestApiInput.endpointConfiguration.ipAddressType' failed to satisfy constraint: "
    "Member must satisfy enum value set: [ipv4, dualstack]"
)
ONLY_REPLACE = "Invalid patch operation specified. Must be one of: [replace]"
COMPRESSION = "Invalid minimum compression size, must be between 0 and 10485760"
MISSING_ID = "abcdefghij"


def update(api: Api, *operations: tuple[str, ...]) -> Any:
    return api.client.update_rest_api(restApiId=api.id, patchOperations=patches(*operations))


def refused_update(api: Api, *operations: tuple[str, ...]) -> Refused:
    return refusal(api.client.update_rest_api, restApiId=api.id, patchOperations=patches(*operations))


def test_a_new_api_has_the_recorded_defaults_and_no_tags(server: RunningServer) -> None:
    answer = server.client("apigateway").create_rest_api(name="orders")

    assert status(answer) == 201
    assert fields(answer) == {
        "id": answer["id"],
        "name": "orders",
        "createdDate": answer["createdDate"],
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": False,
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
        "rootResourceId": answer["rootResourceId"],
    }


def _listed(client: Any, api_id: str) -> Any:
    """One API of the list, on whichever of its pages: other tests have made hundreds."""
    pages = client.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
    [item] = [each for page in pages for each in page["items"] if each["id"] == api_id]
    return item


def test_get_and_update_show_empty_tags_and_the_list_shows_none(api: Api) -> None:
    created = fields(api.client.get_rest_api(restApiId=api.id))
    updated = update(api)
    item = _listed(api.client, api.id)

    assert created["tags"] == {}
    assert fields(updated) == created
    assert status(updated) == 200
    assert item == {name: value for name, value in created.items() if name != "tags"}


def test_tags_given_at_creation_are_shown_everywhere(server: RunningServer) -> None:
    client = server.client("apigateway")

    created = client.create_rest_api(name="orders", tags={"team": "a"})

    assert created["tags"] == {"team": "a"}
    assert client.get_rest_api(restApiId=created["id"])["tags"] == {"team": "a"}
    assert _listed(client, created["id"])["tags"] == {"team": "a"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"types": ["EDGE"]}, {"types": ["EDGE"], "ipAddressType": "ipv4"}),
        ({"types": ["REGIONAL"]}, {"types": ["REGIONAL"], "ipAddressType": "ipv4"}),
        ({"types": ["PRIVATE"]}, {"types": ["PRIVATE"], "ipAddressType": "dualstack"}),
        ({"types": ["EDGE"], "ipAddressType": "dualstack"}, {"types": ["EDGE"], "ipAddressType": "dualstack"}),
        ({"ipAddressType": "ipv4"}, {"types": ["EDGE"], "ipAddressType": "ipv4"}),
        ({}, {"types": ["EDGE"], "ipAddressType": "ipv4"}),
        (
            {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]},
            {"types": ["PRIVATE"], "ipAddressType": "dualstack", "vpcEndpointIds": ["vpce-1"]},
        ),
    ],
)
def test_endpoint_configuration(server: RunningServer, given: dict[str, Any], shown: dict[str, Any]) -> None:
    answer = server.client("apigateway").create_rest_api(name="orders", endpointConfiguration=given)

    assert answer["endpointConfiguration"] == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("description", "all orders"),
        ("version", "v1"),
        ("binaryMediaTypes", ["image/png", "image/gif"]),
        ("minimumCompressionSize", 0),
        ("minimumCompressionSize", 10_485_760),
        ("apiKeySource", "AUTHORIZER"),
        ("disableExecuteApiEndpoint", True),
    ],
)
def test_what_is_given_at_creation_is_shown(server: RunningServer, name: str, value: Any) -> None:
    client = server.client("apigateway")

    created = client.create_rest_api(name="orders", **{name: value})

    assert created[name] == value
    assert client.get_rest_api(restApiId=created["id"])[name] == value


def test_an_empty_list_of_binary_media_types_is_none(server: RunningServer) -> None:
    answer = server.client("apigateway").create_rest_api(name="orders", binaryMediaTypes=[])

    assert "binaryMediaTypes" not in answer


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"name": ""}, bad_request("API name must not be empty"), id="an empty name"),
        pytest.param(
            {"description": ""}, bad_request("Description cannot be an empty string"), id="an empty description"
        ),
        pytest.param({"minimumCompressionSize": -1}, bad_request(COMPRESSION), id="a negative compression size"),
        pytest.param({"minimumCompressionSize": 10_485_761}, bad_request(COMPRESSION), id="too large a size"),
        pytest.param(
            {"endpointConfiguration": {"types": []}},
            bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED."),
            id="no endpoint type",
        ),
        pytest.param(
            {"endpointConfiguration": {"types": ["EDGE", "REGIONAL"]}},
            bad_request("Cannot create an api with multiple Endpoint Types."),
            id="two endpoint types",
        ),
        pytest.param(
            {"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}},
            bad_request("Only dualstack ipAddressType is supported for Private APIs."),
            id="a private API on ipv4",
        ),
        pytest.param(
            {"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}, "description": ""},
            bad_request("Description cannot be an empty string"),
            id="the description is looked at before the endpoint",
        ),
        pytest.param(
            {"endpointConfiguration": {"types": ["wrong"]}, "description": ""},
            Refused("ValidationException", f"1 validation error detected: {ENUM_OF_TYPES}", 400),
            id="enums are looked at before anything else",
        ),
        pytest.param(
            {"endpointConfiguration": {"ipAddressType": "wrong", "types": ["wrong"]}},
            Refused(
                "ValidationException", f"2 validation errors detected: {ENUM_OF_TYPES}; {ENUM_OF_ADDRESS_TYPES}", 400
            ),
            id="all enum violations are told together",
        ),
        pytest.param(
            {"policy": "no json"},
            bad_request(
                "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
            ),
            id="a policy that is no document",
        ),
        pytest.param(
            {"cloneFrom": MISSING_ID},
            not_found(f"Invalid API identifier specified 000000000000:{MISSING_ID}"),
            id="a clone of nothing",
        ),
    ],
)
def test_create_refuses(server: RunningServer, given: dict[str, Any], expected: Refused) -> None:
    assert refusal(server.client("apigateway").create_rest_api, **{"name": "orders", **given}) == expected


def test_the_name_is_required(server: RunningServer) -> None:
    answer = control(server, "POST", "/restapis", {})

    assert (answer.status, answer.json) == (400, {"message": "API name must not be empty"})


def test_the_policy_is_answered_with_its_quotes_escaped_once_more(server: RunningServer) -> None:
    client = server.client("apigateway")

    created = client.create_rest_api(name="orders", policy=POLICY)
    read = client.get_rest_api(restApiId=created["id"])

    assert created["policy"] == read["policy"] == POLICY.replace('"', r"\"")
    # As Terraform reads it: in quotes, and parsed twice.
    assert json.loads(json.loads(f'"{read["policy"]}"')) == json.loads(POLICY)


def test_a_clone_has_the_tree_and_the_methods_of_its_source(api: Api) -> None:
    api.mock(api.resource("pets", "{id}"))

    clone = api.client.create_rest_api(name="copy", cloneFrom=api.id)
    resources = api.client.get_resources(restApiId=clone["id"], embed=["methods"])["items"]

    assert [each["path"] for each in resources] == ["/", "/pets", "/pets/{id}"]
    assert resources[0]["id"] == clone["rootResourceId"] != api.root
    assert resources[1]["parentId"] == clone["rootResourceId"]
    assert resources[2]["resourceMethods"]["GET"]["methodIntegration"]["type"] == "MOCK"


def test_ids_are_case_sensitive(api: Api) -> None:
    other = api.id.swapcase()

    refused = refusal(api.client.get_rest_api, restApiId=other)

    assert refused == not_found(f"Invalid API identifier specified 000000000000:{other}")


def test_delete_takes_the_api_with_its_stages_off_the_gateway(staged: Api) -> None:
    answer = staged.client.delete_rest_api(restApiId=staged.id)

    assert status(answer) == 202
    assert staged.get().status == 403
    assert refusal(staged.client.get_rest_api, restApiId=staged.id).code == "NotFoundException"
    assert refusal(staged.client.get_stages, restApiId=staged.id).code == "NotFoundException"


@pytest.mark.parametrize(
    ("operation", "name", "shown"),
    [
        (("replace", "/name", "invoices"), "name", "invoices"),
        (("replace", "/description", "all"), "description", "all"),
        (("add", "/description", "all"), "description", "all"),
        (("replace", "/apiKeySource", "AUTHORIZER"), "apiKeySource", "AUTHORIZER"),
        (("replace", "/disableExecuteApiEndpoint", "true"), "disableExecuteApiEndpoint", True),
        (("replace", "/disableExecuteApiEndpoint", "yes"), "disableExecuteApiEndpoint", False),
        (("replace", "/minimumCompressionSize", "10"), "minimumCompressionSize", 10),
        (("replace", "/minimumCompressionSize", "0"), "minimumCompressionSize", 0),
        (("replace", "/minimumCompressionSize", "10485760"), "minimumCompressionSize", 10_485_760),
        (("replace", "/securityPolicy", "TLS_1_2"), "securityPolicy", "TLS_1_2"),
        (("replace", "/policy", POLICY), "policy", POLICY.replace('"', r"\"")),
        (
            ("replace", "/endpointConfiguration/types/EDGE", "REGIONAL"),
            "endpointConfiguration",
            {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
        ),
        (
            ("replace", "/endpointConfiguration/types/EDGE", "PRIVATE"),
            "endpointConfiguration",
            {"types": ["PRIVATE"], "ipAddressType": "dualstack"},
        ),
        (
            ("replace", "/endpointConfiguration/ipAddressType", "dualstack"),
            "endpointConfiguration",
            {"types": ["EDGE"], "ipAddressType": "dualstack"},
        ),
        (
            ("add", "/endpointConfiguration/vpcEndpointIds", "vpce-1"),
            "endpointConfiguration",
            {"types": ["EDGE"], "ipAddressType": "ipv4", "vpcEndpointIds": ["vpce-1"]},
        ),
        (("add", "/binaryMediaTypes/image~1png"), "binaryMediaTypes", ["image/png"]),
        (("add", "/binaryMediaTypes/*~1*"), "binaryMediaTypes", ["*/*"]),
        (("add", "/binaryMediaTypes/-"), "binaryMediaTypes", ["-"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update(api: Api, operation: tuple[str, ...], name: str, shown: Any) -> None:
    answer = update(api, operation)

    assert answer[name] == shown
    assert api.client.get_rest_api(restApiId=api.id)[name] == shown


@pytest.mark.parametrize(
    ("first", "then", "gone"),
    [
        (("add", "/description", "all"), ("remove", "/description"), "description"),
        (("add", "/description", "all"), ("replace", "/description", ""), "description"),
        (
            ("replace", "/minimumCompressionSize", "0"),
            ("replace", "/minimumCompressionSize", ""),
            "minimumCompressionSize",
        ),
        (("replace", "/policy", POLICY), ("replace", "/policy", ""), "policy"),
        (("add", "/binaryMediaTypes/a~1b"), ("remove", "/binaryMediaTypes/a~1b"), "binaryMediaTypes"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_update_takes_away(api: Api, first: tuple[str, ...], then: tuple[str, ...], gone: str) -> None:
    update(api, first)

    answer = update(api, then)

    assert gone not in answer


def test_a_replaced_binary_media_type_goes_to_the_end(api: Api) -> None:
    update(api, ("add", "/binaryMediaTypes/image~1png"), ("add", "/binaryMediaTypes/image~1jpeg"))

    answer = update(api, ("replace", "/binaryMediaTypes/image~1png", "image/gif"))

    assert answer["binaryMediaTypes"] == ["image/jpeg", "image/gif"]


def test_a_vpc_endpoint_can_be_taken_away_again(api: Api) -> None:
    update(api, ("add", "/endpointConfiguration/vpcEndpointIds", "vpce-1"))

    answer = update(api, ("remove", "/endpointConfiguration/vpcEndpointIds", "vpce-1"))

    assert "vpcEndpointIds" not in answer["endpointConfiguration"]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("add", "/binaryMediaTypes", "image/png"), "Invalid patch path /binaryMediaTypes"),
        (("replace", "/binaryMediaTypes", "image/png"), "Invalid patch path /binaryMediaTypes"),
        (("remove", "/binaryMediaTypes"), "Invalid patch path /binaryMediaTypes"),
        (("replace", "/id", "x"), "Invalid patch path /id"),
        (("replace", "name", "x"), "Invalid patch path name"),
        (("add", "/name", "x"), ONLY_REPLACE),
        (("add", "/minimumCompressionSize", "10"), ONLY_REPLACE),
        (("remove", "/minimumCompressionSize"), ONLY_REPLACE),
        (("add", "/endpointConfiguration/ipAddressType", "ipv4"), ONLY_REPLACE),
        (("remove", "/endpointConfiguration/ipAddressType"), ONLY_REPLACE),
        (
            ("replace", "/endpointConfiguration/vpcEndpointIds", "x"),
            "Invalid patch operation specified. Must be one of: [add, remove]",
        ),
        (
            ("add", "/endpointConfiguration/types/EDGE", "PRIVATE"),
            "Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
        ),
        (
            ("replace", "/endpointConfiguration/types/EDGE", "wrong"),
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE",
        ),
        (
            ("replace", "/endpointConfiguration/ipAddressType", "wrong"),
            "ipAddressType must be either ipv4 or dualstack.",
        ),
        (("replace", "/minimumCompressionSize", "-1"), COMPRESSION),
        (("replace", "/minimumCompressionSize", "10485761"), COMPRESSION),
        (("replace", "/minimumCompressionSize", "ten"), COMPRESSION),
        (("copy", "/name", "/description"), ONLY_REPLACE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_refuses(api: Api, operation: tuple[str, ...], message: str) -> None:
    assert refused_update(api, operation) == bad_request(message)


def test_a_private_api_stays_on_dualstack(api: Api) -> None:
    update(api, ("replace", "/endpointConfiguration/types/EDGE", "PRIVATE"))

    refused = refused_update(api, ("replace", "/endpointConfiguration/ipAddressType", "ipv4"))

    assert refused == bad_request("Only dualstack ipAddressType is supported for Private APIs.")


def test_an_update_changes_nothing_when_one_of_its_operations_is_refused(api: Api) -> None:
    before = fields(api.client.get_rest_api(restApiId=api.id))

    refused_update(api, ("replace", "/name", "changed"), ("add", "/description", "x"), ("replace", "/wrong", "x"))

    assert fields(api.client.get_rest_api(restApiId=api.id)) == before


def test_operations_apply_in_their_order(api: Api) -> None:
    answer = update(api, ("replace", "/name", "first"), ("replace", "/name", "second"))

    assert answer["name"] == "second"
