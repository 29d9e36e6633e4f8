"""Integrations and their responses: defaults, what is refused, and every path of their patches."""

from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, fields, not_found, patches, refusal, status

URI = "http://127.0.0.1:9/pets"
LAMBDA = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:0:function:f/invocations"
)
HTTP_METHODS = "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY"
TIMEOUT = "Timeout should be between 50 ms and 29000 ms"
ENDPOINT = "Invalid HTTP endpoint specified for URI"
NO_VPC_LINK = "ConnectionId should be set to the vpcLinkId or stage variable on connection type VPC_LINK"
TEMPLATE = "/requestTemplates/application~1json"
PARAMETER = "/requestParameters/integration.request.header.x"
RESPONSE_TEMPLATE = "/responseTemplates/application~1json"
RESPONSE_PARAMETER = "/responseParameters/method.response.header.x"


def put(api: Api, kind: str = "HTTP_PROXY", **options: Any) -> Any:
    """An integration of the root's GET; HTTP types have what they need."""
    given = {} if kind == "MOCK" else {"integrationHttpMethod": "POST", "uri": URI}
    return api.client.put_integration(**where(api), type=kind, **{**given, **options})


def where(api: Api) -> dict[str, str]:
    return {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}


@pytest.fixture
def declared(api: Api) -> Api:
    """An API whose root has a GET method with one request parameter, and no integration."""
    api.method(api.root, requestParameters={"method.request.querystring.page": False})
    return api


def test_a_mock_has_the_defaults_and_neither_http_method_nor_connection(declared: Api) -> None:
    answer = put(declared, "MOCK", integrationHttpMethod="POST")

    assert status(answer) == 201
    assert fields(answer) == {
        "type": "MOCK",
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": declared.root,
        "cacheKeyParameters": [],
    }
    assert fields(declared.client.get_integration(**where(declared))) == fields(answer)
    assert declared.client.get_method(**where(declared))["methodIntegration"] == fields(answer)


@pytest.mark.parametrize("kind", ["HTTP", "HTTP_PROXY"])
def test_an_http_integration_is_connected_by_the_internet(declared: Api, kind: str) -> None:
    answer = put(declared, kind)

    assert fields(answer) == {
        "type": kind,
        "httpMethod": "POST",
        "uri": URI,
        "connectionType": "INTERNET",
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": declared.root,
        "cacheKeyParameters": [],
    }


@pytest.mark.parametrize("kind", ["AWS", "AWS_PROXY"])
def test_an_aws_integration_shows_no_connection(declared: Api, kind: str) -> None:
    assert "connectionType" not in put(declared, kind, uri=LAMBDA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeoutInMillis", 50),
        ("timeoutInMillis", 29000),
        ("passthroughBehavior", "NEVER"),
        ("passthroughBehavior", "WHEN_NO_TEMPLATES"),
        ("contentHandling", "CONVERT_TO_TEXT"),
        ("credentials", "arn:aws:iam::000000000000:role/r"),
        ("cacheNamespace", "shared"),
        ("cacheKeyParameters", ["method.request.querystring.page"]),
        ("requestTemplates", {"application/json": "{}"}),
        ("requestParameters", {"integration.request.header.x": "'static'"}),
        ("requestParameters", {"integration.request.path.x": "method.request.querystring.page"}),
        ("requestParameters", {"integration.request.querystring.x": "stageVariables.v"}),
        ("requestParameters", {"integration.request.querystring.x": "context.requestId"}),
        ("requestParameters", {"integration.request.header.x": "method.request.body.name"}),
        ("tlsConfig", {"insecureSkipVerification": True}),
        ("uri", "https://example.com"),
        ("uri", "http://${stageVariables.host}/pets"),
        ("uri", "http://127.0.0.1:9/pets/{proxy}"),
    ],
)
def test_what_is_given_is_shown(declared: Api, name: str, value: Any) -> None:
    assert put(declared, **{name: value})[name] == value


def test_a_vpc_link_by_a_stage_variable(declared: Api) -> None:
    answer = put(declared, connectionType="VPC_LINK", connectionId="${stageVariables.link}")

    assert (answer["connectionType"], answer["connectionId"]) == ("VPC_LINK", "${stageVariables.link}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"integrationHttpMethod": ""}, "Enumeration value for HttpMethod must be non-empty", id="no method"
        ),
        pytest.param({"integrationHttpMethod": "FOO"}, HTTP_METHODS, id="an unknown method"),
        pytest.param({"uri": ""}, ENDPOINT, id="HTTP without a URI"),
        pytest.param({"uri": "example.com/pets"}, ENDPOINT, id="a URI without a scheme"),
        pytest.param({"uri": "ftp://example.com"}, ENDPOINT, id="a URI of another scheme"),
        pytest.param({"uri": "http://"}, ENDPOINT, id="a URI without a host"),
        pytest.param({"type": "AWS", "uri": URI}, "Invalid ARN specified in the request", id="AWS with a URL"),
        pytest.param(
            {"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:lambda:nothing"},
            "AWS ARN for integration must contain path or action",
            id="an ARN without path or action",
        ),
        pytest.param(
            {"type": "AWS_PROXY", "uri": "arn:aws:apigateway:us-east-1:sns:action/Publish"},
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
            id="AWS_PROXY of another service",
        ),
        pytest.param({"timeoutInMillis": 49}, TIMEOUT, id="a timeout below 50 ms"),
        pytest.param({"timeoutInMillis": 29001}, TIMEOUT, id="a timeout above 29 s"),
        pytest.param({"connectionType": "VPC_LINK"}, NO_VPC_LINK, id="VPC_LINK without an id"),
        pytest.param(
            {"cacheKeyParameters": ["method.request.header.x"]},
            "Invalid cache key parameter specified",
            id="a cache key that the method does not declare",
        ),
        pytest.param(
            {"requestParameters": {"integration.request.path.x": "true"}},
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
            "[Invalid mapping expression specified: true]",
            id="a literal without quotes",
        ),
        pytest.param(
            {"requestParameters": {"method.request.path.x": "'a'"}},
            "Invalid mapping expression parameter specified: method.request.path.x",
            id="a target that is none",
        ),
        pytest.param(
            {"passthroughBehavior": "wrong"},
            "Invalid passthroughBehavior wrong: give one of WHEN_NO_MATCH, WHEN_NO_TEMPLATES, NEVER",
            id="an unknown passthrough behavior",
        ),
    ],
)
def test_put_refuses(declared: Api, given: dict[str, Any], message: str) -> None:
    options = {"type": "HTTP_PROXY", "integrationHttpMethod": "POST", "uri": URI, **given}

    assert refusal(declared.client.put_integration, **where(declared), **options) == bad_request(message)
    assert refusal(declared.client.get_integration, **where(declared)).code == "NotFoundException"


def test_a_deleted_integration_is_gone(declared: Api) -> None:
    put(declared)
    missing = not_found("Invalid Integration identifier specified")

    answer = declared.client.delete_integration(**where(declared))

    assert status(answer) == 204
    for call in (declared.client.get_integration, declared.client.delete_integration):
        assert refusal(call, **where(declared)) == missing
    assert "methodIntegration" not in declared.client.get_method(**where(declared))


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (("replace", "/cacheNamespace", "shared"), {"cacheNamespace": "shared"}),
        (("replace", "/contentHandling", "CONVERT_TO_BINARY"), {"contentHandling": "CONVERT_TO_BINARY"}),
        (("replace", "/contentHandling", ""), {"contentHandling": None}),
        (("replace", "/credentials", "arn:aws:iam::0:role/r"), {"credentials": "arn:aws:iam::0:role/r"}),
        (("replace", "/httpMethod", "PUT"), {"httpMethod": "PUT"}),
        (("replace", "/passthroughBehavior", "NEVER"), {"passthroughBehavior": "NEVER"}),
        (("replace", "/timeoutInMillis", "50"), {"timeoutInMillis": 50}),
        (("replace", "/timeoutInMillis", "29000"), {"timeoutInMillis": 29000}),
        (("replace", "/tlsConfig/insecureSkipVerification", "true"), {"tlsConfig": {"insecureSkipVerification": True}}),
        (("replace", "/uri", "http://127.0.0.1:8/"), {"uri": "http://127.0.0.1:8/"}),
        (
            ("add", "/cacheKeyParameters/method.request.querystring.page"),
            {"cacheKeyParameters": ["method.request.querystring.page"]},
        ),
        (
            ("add", "/cacheKeyParameters", "method.request.querystring.page"),
            {"cacheKeyParameters": ["method.request.querystring.page"]},
        ),
        (("replace", TEMPLATE, "new"), {"requestTemplates": {"application/json": "new"}}),
        (("remove", TEMPLATE), {"requestTemplates": None}),
        (
            ("add", "/requestTemplates/text~1plain", "t"),
            {"requestTemplates": {"application/json": "old", "text/plain": "t"}},
        ),
        (("replace", PARAMETER, "'b'"), {"requestParameters": {"integration.request.header.x": "'b'"}}),
        (("remove", PARAMETER), {"requestParameters": None}),
        (
            ("add", "/requestParameters/integration.request.path.p", "'c'"),
            {"requestParameters": {"integration.request.header.x": "'a'", "integration.request.path.p": "'c'"}},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update(declared: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
    before = fields(
        put(
            declared,
            requestTemplates={"application/json": "old"},
            requestParameters={"integration.request.header.x": "'a'"},
        )
    )

    answer = declared.client.update_integration(**where(declared), patchOperations=patches(operation))

    assert status(answer) == 200
    expected = {name: value for name, value in {**before, **changed}.items() if value is not None}
    assert fields(answer) == fields(declared.client.get_integration(**where(declared))) == expected


def test_a_vpc_link_can_be_patched_in(declared: Api) -> None:
    put(declared)
    operations = patches(("replace", "/connectionType", "VPC_LINK"), ("replace", "/connectionId", "link01"))

    answer = declared.client.update_integration(**where(declared), patchOperations=operations)

    assert (answer["connectionType"], answer["connectionId"]) == ("VPC_LINK", "link01")


@pytest.mark.parametrize("path", ["/cacheKeyParameters/method.request.querystring.page", "/cacheKeyParameters"])
def test_a_cache_key_can_be_taken_away(declared: Api, path: str) -> None:
    put(declared, cacheKeyParameters=["method.request.querystring.page"])
    operation = ("remove", path, "method.request.querystring.page")

    answer = declared.client.update_integration(**where(declared), patchOperations=patches(operation))

    assert answer["cacheKeyParameters"] == []


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (("replace", "/timeoutInMillis", "49"), bad_request(TIMEOUT)),
        (("replace", "/timeoutInMillis", "29001"), bad_request(TIMEOUT)),
        (("replace", "/uri", "nothing"), bad_request(ENDPOINT)),
        (("replace", "/httpMethod", "FOO"), bad_request(HTTP_METHODS)),
        (("replace", "/connectionType", "VPC_LINK"), bad_request(NO_VPC_LINK)),
        (
            ("replace", "/connectionType", "wrong"),
            bad_request("Invalid connectionType wrong: give one of INTERNET, VPC_LINK"),
        ),
        (
            ("replace", "/contentHandling", "wrong"),
            bad_request("Invalid contentHandling wrong: give one of CONVERT_TO_BINARY, CONVERT_TO_TEXT"),
        ),
        (
            ("add", "/cacheKeyParameters/method.request.header.x"),
            bad_request("Invalid cache key parameter specified"),
        ),
        (("remove", TEMPLATE), not_found("Content-Type specified was not found")),
        (("remove", PARAMETER), not_found("Invalid parameter name specified")),
        (
            ("add", PARAMETER, "unquoted"),
            bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                "[Invalid mapping expression specified: unquoted]"
            ),
        ),
    ],
    ids=lambda value: " ".join(value) if type(value) is tuple else "",
)
def test_update_refuses(declared: Api, operation: tuple[str, ...], expected: Refused) -> None:
    before = fields(put(declared))
    operations = patches(("replace", "/cacheNamespace", "changed"), operation)

    assert refusal(declared.client.update_integration, **where(declared), patchOperations=operations) == expected
    assert fields(declared.client.get_integration(**where(declared))) == before


@pytest.mark.parametrize(
    ("op", "path"),
    [("replace", "/type"), ("replace", "/requestTemplates"), ("add", "/uri"), ("remove", "/uri"), ("copy", "/uri")],
)
def test_other_patch_paths_are_refused_by_name(declared: Api, op: str, path: str) -> None:
    put(declared)

    refused = refusal(
        declared.client.update_integration, **where(declared), patchOperations=patches((op, path, "MOCK"))
    )

    assert (refused.code, refused.status) == ("BadRequestException", 400)
    assert refused.message.startswith(f"Invalid patch path  '{path}' specified for op '{op}'. ")


class TestIntegrationResponses:
    """What an integration's answer becomes."""

    @pytest.fixture
    def mocked(self, declared: Api) -> Api:
        """An API whose root has a MOCK integration with no responses."""
        put(declared, "MOCK")
        return declared

    def test_an_empty_selection_pattern_is_kept_and_nothing_is_added(self, mocked: Api) -> None:
        bare = mocked.client.put_integration_response(**where(mocked), statusCode="200")
        with_pattern = mocked.client.put_integration_response(
            **where(mocked), statusCode="201", selectionPattern="", responseTemplates={"application/json": '"created"'}
        )

        assert status(bare) == 201
        assert fields(bare) == {"statusCode": "200"}
        assert fields(with_pattern) == {
            "statusCode": "201",
            "selectionPattern": "",
            "responseTemplates": {"application/json": '"created"'},
        }
        assert fields(mocked.client.get_integration_response(**where(mocked), statusCode="201")) == fields(with_pattern)
        assert mocked.client.get_integration(**where(mocked))["integrationResponses"] == {
            "200": fields(bare),
            "201": fields(with_pattern),
        }

    def test_put_again_replaces_the_whole_response(self, mocked: Api) -> None:
        one = {**where(mocked), "statusCode": "200"}
        mocked.client.put_integration_response(**one, selectionPattern="a", responseTemplates={"text/plain": "a"})

        answer = mocked.client.put_integration_response(**one, contentHandling="CONVERT_TO_TEXT")

        assert fields(answer) == {"statusCode": "200", "contentHandling": "CONVERT_TO_TEXT"}

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            pytest.param({"selectionPattern": "("}, "Invalid regex pattern specified", id="a bad pattern"),
            pytest.param(
                {"responseTemplates": {"123": "{}"}},
                "Validation Result: warnings : [], errors : [Invalid content type specified: 123]",
                id="a bad content type",
            ),
            pytest.param(
                {"responseParameters": {"integration.response.header.x": "'a'"}},
                "Invalid mapping expression parameter specified: integration.response.header.x",
                id="a target that is none",
            ),
            pytest.param(
                {"responseParameters": {"method.response.header.x": "true"}},
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                "[Invalid mapping expression specified: true]",
                id="a literal without quotes",
            ),
        ],
    )
    def test_put_refuses(self, mocked: Api, given: dict[str, Any], message: str) -> None:
        refused = refusal(mocked.client.put_integration_response, **where(mocked), statusCode="200", **given)

        assert refused == bad_request(message)

    @pytest.mark.parametrize(
        ("operation", "changed"),
        [
            (("replace", "/selectionPattern", "2.."), {"selectionPattern": "2.."}),
            (("replace", "/selectionPattern", ""), {"selectionPattern": ""}),
            (("replace", "/contentHandling", "CONVERT_TO_TEXT"), {"contentHandling": "CONVERT_TO_TEXT"}),
            (("replace", RESPONSE_TEMPLATE, "new"), {"responseTemplates": {"application/json": "new"}}),
            (("remove", RESPONSE_TEMPLATE), {"responseTemplates": None}),
            (
                ("add", "/responseTemplates/text~1plain", "t"),
                {"responseTemplates": {"application/json": "old", "text/plain": "t"}},
            ),
            (("replace", RESPONSE_PARAMETER, "'b'"), {"responseParameters": {"method.response.header.x": "'b'"}}),
            (("remove", RESPONSE_PARAMETER), {"responseParameters": None}),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_update(self, mocked: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
        one = {**where(mocked), "statusCode": "200"}
        given = {
            "responseTemplates": {"application/json": "old"},
            "responseParameters": {"method.response.header.x": "'a'"},
        }
        mocked.client.put_integration_response(**one, **given)

        answer = mocked.client.update_integration_response(**one, patchOperations=patches(operation))

        assert status(answer) == 200
        shown = {"statusCode": "200", **given, **changed}
        assert fields(answer) == {name: value for name, value in shown.items() if value is not None}

    @pytest.mark.parametrize(
        ("operation", "expected"),
        [
            (("replace", "/selectionPattern", "("), bad_request("Invalid regex pattern specified")),
            (("remove", RESPONSE_TEMPLATE), not_found("Content-Type specified was not found")),
            (("remove", RESPONSE_PARAMETER), not_found("Invalid parameter name specified")),
            (
                ("remove", "/selectionPattern"),
                bad_request(
                    "Invalid patch path  '/selectionPattern' specified for op 'remove'. "
                    "Must be one of: [/responseParameters/{name}, /responseTemplates/{name}]"
                ),
            ),
        ],
        ids=lambda value: " ".join(value) if type(value) is tuple else "",
    )
    def test_update_refuses(self, mocked: Api, operation: tuple[str, ...], expected: Refused) -> None:
        one = {**where(mocked), "statusCode": "200"}
        mocked.client.put_integration_response(**one)

        assert refusal(mocked.client.update_integration_response, **one, patchOperations=patches(operation)) == expected

    def test_the_map_vanishes_with_the_last_response(self, mocked: Api) -> None:
        mocked.client.put_integration_response(**where(mocked), statusCode="200")

        answer = mocked.client.delete_integration_response(**where(mocked), statusCode="200")

        assert status(answer) == 204
        assert "integrationResponses" not in mocked.client.get_integration(**where(mocked))

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"restApiId": "wrongapiid"}, "Invalid Resource identifier specified"),
            ({"resourceId": "wrong1"}, "Invalid Resource identifier specified"),
            ({"httpMethod": "POST"}, "Invalid Integration identifier specified"),
            ({"httpMethod": "wrong"}, "Invalid Integration identifier specified"),
            ({"statusCode": "500"}, "Invalid Response status code specified"),
        ],
        ids=str,
    )
    def test_delete_names_the_first_thing_that_is_not_there(
        self, mocked: Api, wrong: dict[str, str], message: str
    ) -> None:
        mocked.client.put_integration_response(**where(mocked), statusCode="200")
        given = {**where(mocked), "statusCode": "200", **wrong}

        assert refusal(mocked.client.delete_integration_response, **given) == not_found(message)
