"""Function URLs: their configuration, and what they answer on the gateway's listener."""

import base64
import http.client
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.apis import Refused, fields, refusal, status
from support.lambdas import a_function, arn_of, conflict, missing, saying
from support.server import Answer, RunningServer, fetch, running

NOT_THERE = missing("The resource you requested does not exist.")
NO_FUNCTION = missing("Function does not exist")
FORBIDDEN = (403, b'{"Message":"Forbidden"}')
FAILED = b"Internal Server Error"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def signing() -> Iterator[RunningServer]:
    """A server that knows who may sign for function URLs."""
    with running("--ephemeral", environment={"HEADGATE_FUNCTION_URL_KEY": f"AKIDEXAMPLE:{SECRET}"}) as started:
        yield started


def open_url(server: RunningServer, source: str, **options: Any) -> str:
    """The address of a new function's URL, open to all."""
    client = server.client("lambda")
    name = a_function(server, source)
    url: str = client.create_function_url_config(FunctionName=name, **{"AuthType": "NONE", **options})["FunctionUrl"]
    allow_all(server, name)
    return url


def allow_all(server: RunningServer, name: str, **options: Any) -> None:
    server.client("lambda").add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **options,
    )


def ask(
    server: RunningServer,
    url: str,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask as a client does whose resolver knows `localhost` names: by the URL's host, at the gateway's address."""
    return fetch(server.gateway + path, method, body, {"Host": urlsplit(url).netloc, **(headers or {})})


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def test_a_url_is_shown_as_it_was_made_and_changed(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)
    cors = {"AllowOrigins": ["https://a.example"], "MaxAge": 60}

    created = client.create_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)
    shown = client.get_function_url_config(FunctionName=name)
    changed = client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    cleared = client.update_function_url_config(FunctionName=name, Cors={})

    port = urlsplit(server.gateway).port
    made = fields(created)
    host = urlsplit(made["FunctionUrl"]).netloc
    assert status(created) == 201
    assert host.endswith(f".lambda-url.us-east-1.localhost:{port}")
    assert made["CreationTime"].endswith("Z")
    assert (made["FunctionArn"], made["AuthType"], made["Cors"], made["InvokeMode"]) == (
        arn_of(name),
        "NONE",
        cors,
        "BUFFERED",
    )
    assert fields(shown) == {**made, "LastModifiedTime": made["CreationTime"]}
    assert (changed["AuthType"], changed["Cors"], changed["FunctionUrl"]) == ("AWS_IAM", cors, made["FunctionUrl"])
    assert "Cors" not in cleared


def test_a_function_and_its_aliases_have_urls_of_their_own(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, saying("one"), Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for where in ({}, {"Qualifier": "live"}):
        client.create_function_url_config(FunctionName=name, AuthType="NONE", **where)

    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]

    assert [each["FunctionArn"] for each in listed] == [arn_of(name), arn_of(name, "live")]
    allow_all(server, name, Qualifier="live")
    own, alias = (ask(server, each["FunctionUrl"]) for each in listed)
    assert told(own) == FORBIDDEN
    assert told(alias) == (200, b"one")


def test_a_deleted_url_answers_no_more(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, saying("here"))
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    allow_all(server, name)
    assert told(ask(server, url)) == (200, b"here")

    deleted = client.delete_function_url_config(FunctionName=name)

    assert status(deleted) == 204
    assert told(ask(server, url)) == (403, b'{"Message":null}')
    assert refusal(client.get_function_url_config, FunctionName=name) == NOT_THERE


def test_a_url_goes_with_its_function(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]

    client.delete_function(FunctionName=name)

    assert told(ask(server, url)) == (403, b'{"Message":null}')


@pytest.mark.parametrize(
    ("operation", "given", "expected"),
    [
        ("create_function_url_config", {"FunctionName": "ghost", "AuthType": "NONE"}, NO_FUNCTION),
        ("create_function_url_config", {"AuthType": "NONE", "Qualifier": "ghost"}, NO_FUNCTION),
        (
            "create_function_url_config",
            {"AuthType": "NONE", "Qualifier": "1"},
            None,
        ),
        ("get_function_url_config", {}, NOT_THERE),
        ("update_function_url_config", {}, NOT_THERE),
        ("delete_function_url_config", {}, NOT_THERE),
        ("list_function_url_configs", {"FunctionName": "ghost"}, NO_FUNCTION),
    ],
)
def test_a_url_that_cannot_be_or_is_not_there_is_refused(
    server: RunningServer, operation: str, given: dict[str, str], expected: Refused | None
) -> None:
    refused = refusal(getattr(server.client("lambda"), operation), **{"FunctionName": a_function(server), **given})

    if expected is None:
        assert (refused.code, refused.status) == ("ValidationException", 400)
    else:
        assert refused == expected


def test_a_function_has_one_url(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)
    client.create_function_url_config(FunctionName=name, AuthType="NONE")

    refused = refusal(client.create_function_url_config, FunctionName=name, AuthType="NONE")

    assert refused == conflict(
        f"Failed to create function url config for [functionArn = {arn_of(name)}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function"
    )


def test_an_open_url_answers_only_once_a_permission_opens_it(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, saying("open"))
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    client.add_permission(FunctionName=name, StatementId="x", Action="lambda:InvokeFunction", Principal="*")

    before = ask(server, url)
    allow_all(server, name)
    allowed = ask(server, url)
    client.remove_permission(FunctionName=name, StatementId="url")

    assert told(before) == FORBIDDEN
    assert before.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert told(allowed) == (200, b"open")
    assert told(ask(server, url)) == FORBIDDEN


def test_the_event_is_payload_2_0_complete(server: RunningServer) -> None:
    url = open_url(server, "import json\n\ndef handle(event, context):\n    return json.dumps(event)\n")

    answer = ask(
        server,
        url,
        "/a%20b/c?x=1&y=2&x=3%26",
        "POST",
        b'{"a": "\xc3\xa4"}',
        {"Content-Type": "application/json", "Cookie": "one=1; two=2", "X-Own": "v", "User-Agent": "test"},
    )

    event = answer.json
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b/c",
        "rawQueryString": "x=1&y=2&x=3%26",
        "cookies": ["one=1", "two=2"],
        "queryStringParameters": {"x": "1,3&", "y": "2"},
        "body": '{"a": "ä"}',
        "isBase64Encoded": False,
    }
    host = urlsplit(url).hostname or ""
    assert headers["x-own"] == "v"
    assert headers["cookie"] == "one=1; two=2"
    assert headers["host"] == urlsplit(url).netloc
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert all(name == name.lower() for name in headers)
    assert context.pop("time").endswith(" +0000")
    assert isinstance(context.pop("timeEpoch"), int)
    assert context.pop("requestId") == answer.headers["x-amzn-requestid"]
    assert context == {
        "accountId": "anonymous",
        "apiId": host.partition(".")[0],
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": "POST",
            "path": "/a%20b/c",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test",
        },
        "routeKey": "$default",
        "stage": "$default",
    }


def test_what_a_call_does_not_have_is_left_out_of_its_event(server: RunningServer) -> None:
    url = open_url(server, "import json\n\ndef handle(event, context):\n    return json.dumps(event)\n")

    event = ask(server, url).json

    assert not {"cookies", "queryStringParameters", "body"} & event.keys()
    assert (event["rawPath"], event["rawQueryString"], event["isBase64Encoded"]) == ("/", "", False)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", b"plain", ("plain", False)),
        ("application/vnd.api+json", b"{}", ("{}", False)),
        ("application/x-www-form-urlencoded", b"a=1", (base64.b64encode(b"a=1").decode(), True)),
        ("image/png", b"\x89PNG", (base64.b64encode(b"\x89PNG").decode(), True)),
        ("text/plain", b"\xff\xfe", (base64.b64encode(b"\xff\xfe").decode(), True)),
    ],
    ids=["text", "json of a kind", "form", "image", "text that is not UTF-8"],
)
def test_a_body_that_is_no_text_arrives_in_base64(
    server: RunningServer, content_type: str, body: bytes, expected: tuple[str, bool]
) -> None:
    url = open_url(server, "def handle(event, context):\n    return [event['body'], event['isBase64Encoded']]\n")

    answer = ask(server, url, method="POST", body=body, headers={"Content-Type": content_type})

    assert tuple(answer.json) == expected


@pytest.mark.parametrize(
    ("returned", "expected_status", "content_type", "body"),
    [
        ('{"a": 1}', 200, "application/json", b'{"a":1}'),
        ('"text"', 200, "application/json", b"text"),
        ("[1, 2]", 200, "application/json", b"[1,2]"),
        ("None", 200, "application/json", b"null"),
        ('{"statusCode": 201, "body": "made"}', 201, "application/json", b"made"),
        ('{"statusCode": "404"}', 404, "application/json", b""),
        (
            '{"statusCode": 200, "headers": {"content-type": "text/html"}, "body": "<p>"}',
            200,
            "text/html",
            b"<p>",
        ),
        (
            '{"statusCode": 200, "body": "AAEC", "isBase64Encoded": True}',
            200,
            "application/json",
            b"\x00\x01\x02",
        ),
        ('{"statusCode": 200, "body": {"b": 2}}', 200, "application/json", b'{"b":2}'),
        ('{"statusCode": 99}', 502, "application/json", FAILED),
        ('{"statusCode": 200, "headers": {"a": "b\\r\\nc: d"}}', 502, "application/json", FAILED),
        (
            '{"statusCode": 200, "body": "%", "isBase64Encoded": True}',
            502,
            "application/json",
            b"Internal Server Error",
        ),
        ("1 / 0", 502, "application/json", FAILED),
    ],
)
def test_what_a_function_returns_is_answered(
    server: RunningServer, returned: str, expected_status: int, content_type: str, body: bytes
) -> None:
    url = open_url(server, f"def handle(event, context):\n    return {returned}\n")

    answer = ask(server, url)

    assert (answer.status, answer.headers["content-type"], answer.body) == (expected_status, content_type, body)


def test_cookies_are_set_one_line_each(server: RunningServer) -> None:
    url = open_url(server, 'def handle(event, context):\n    return {"statusCode": 204, "cookies": ["a=1", "b=2"]}\n')

    connection = http.client.HTTPConnection(urlsplit(server.gateway).netloc, timeout=60)
    try:
        connection.request("GET", "/", headers={"Host": urlsplit(url).netloc})
        response = connection.getresponse()
        assert [value for name, value in response.getheaders() if name.lower() == "set-cookie"] == ["a=1", "b=2"]
    finally:
        connection.close()


def test_a_url_answers_path_style_too(server: RunningServer) -> None:
    url = open_url(server, "def handle(event, context):\n    return event['rawPath']\n")
    url_id = (urlsplit(url).hostname or "").partition(".")[0]

    assert fetch(f"{server.gateway}/_aws/lambda-url/{url_id}/a/b").body == b"/a/b"
    assert fetch(f"{server.gateway}/_aws/lambda-url/{url_id}").body == b"/"


def test_a_streaming_url_of_a_function_that_answers_at_once_is_answered_whole(server: RunningServer) -> None:
    assert told(ask(server, open_url(server, saying("all at once"), InvokeMode="RESPONSE_STREAM"))) == (
        200,
        b"all at once",
    )


CORS = {
    "AllowOrigins": ["https://*.example.com"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["x-own"],
    "ExposeHeaders": ["x-seen"],
    "AllowCredentials": True,
    "MaxAge": 300,
}
PREFLIGHT = {"Origin": "https://a.example.com", "Access-Control-Request-Method": "PUT"}


def cors_of(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("auth_type", ["NONE", "AWS_IAM"])
def test_a_preflight_is_answered_without_the_function(server: RunningServer, auth_type: str) -> None:
    url = open_url(server, "1 / 0\n", Cors=CORS, AuthType=auth_type)

    answer = ask(server, url, method="OPTIONS", headers=PREFLIGHT)

    assert told(answer) == (200, b"")
    assert cors_of(answer) == {
        "access-control-allow-origin": "https://a.example.com",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-own",
        "access-control-max-age": "300",
    }


@pytest.mark.parametrize(
    "changed",
    [{"Origin": "https://example.org"}, {"Access-Control-Request-Method": "DELETE"}],
    ids=["origin", "method"],
)
def test_a_preflight_for_what_is_not_allowed_allows_nothing(server: RunningServer, changed: dict[str, str]) -> None:
    url = open_url(server, saying("x"), Cors=CORS)

    answer = ask(server, url, method="OPTIONS", headers={**PREFLIGHT, **changed})

    assert (answer.status, cors_of(answer)) == (200, {})


def test_the_settings_for_cors_count_and_not_what_the_function_says(server: RunningServer) -> None:
    returned = {"statusCode": 200, "headers": {"access-control-allow-origin": "*"}}
    url = open_url(server, f"def handle(event, context):\n    return {returned}\n", Cors=CORS)

    answer = ask(server, url, headers={"Origin": "https://a.example.com"})

    assert cors_of(answer) == {
        "access-control-allow-origin": "https://a.example.com",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-seen",
    }
    assert cors_of(ask(server, url, headers={"Origin": "https://example.org"})) == {}


def test_without_settings_for_cors_the_function_answers_preflights(server: RunningServer) -> None:
    url = open_url(server, saying("function"))

    assert ask(server, url, method="OPTIONS", headers=PREFLIGHT).body == b"function"


def a_signed_url(server: RunningServer) -> str:
    name = a_function(server, "import json\n\ndef handle(event, context):\n    return json.dumps(event)\n")
    url: str = server.client("lambda").create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    return url


def signed(url: str, body: bytes = b"", key: str = "AKIDEXAMPLE", secret: str = SECRET, **where: str) -> dict[str, str]:
    """The headers of a POST, as the AWS SDK signs it."""
    request = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=body)
    SigV4Auth(Credentials(key, secret), where.get("service", "lambda"), where.get("region", "us-east-1")).add_auth(
        request
    )
    return dict(request.headers.items())


def test_a_signed_call_reaches_a_url_of_type_aws_iam(signing: RunningServer) -> None:
    url = a_signed_url(signing)
    path = "/a%20b?z=1&a=%2F&a=1"

    answer = ask(signing, url, path, "POST", b"{}", signed(url.rstrip("/") + path, b"{}"))

    assert answer.status == 200
    context = answer.json["requestContext"]
    assert context["accountId"] == "000000000000"
    assert context["authorizer"]["iam"]["accessKey"] == "AKIDEXAMPLE"
    assert context["authorizer"]["iam"]["userArn"] == "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize(
    ("path", "body", "make"),
    [
        ("/", b"{}", lambda url: {}),
        ("/", b"{}", lambda url: signed(url, b"{}", secret="another")),
        ("/", b"{}", lambda url: signed(url, b"{}", key="ANOTHER")),
        ("/", b"{}", lambda url: signed(url, b"{}", region="eu-west-1")),
        ("/", b"{}", lambda url: signed(url, b"{}", service="execute-api")),
        ("/", b'{"more": 1}', lambda url: signed(url, b"{}")),
        ("/other", b"{}", lambda url: signed(url, b"{}")),
        ("/?a=1", b"{}", lambda url: signed(url, b"{}")),
        ("/", b"{}", lambda url: {**signed(url, b"{}"), "X-Amz-Date": "20200101T000000Z"}),
        ("/", b"{}", lambda url: {**signed(url, b"{}"), "Authorization": "AWS4-HMAC-SHA256 nonsense"}),
    ],
    ids=[
        "not signed",
        "another secret",
        "another key",
        "another region",
        "another service",
        "another body",
        "another path",
        "another query",
        "another date",
        "no signature",
    ],
)
def test_a_url_of_type_aws_iam_is_closed_to(signing: RunningServer, path: str, body: bytes, make: Any) -> None:
    url = a_signed_url(signing)

    assert told(ask(signing, url, path, "POST", body, make(url))) == FORBIDDEN


def test_without_a_configured_key_a_url_of_type_aws_iam_is_closed_to_all(server: RunningServer) -> None:
    url = a_signed_url(server)

    assert told(ask(server, url, "/", "POST", b"{}", signed(url, b"{}"))) == FORBIDDEN


def test_a_permission_for_all_does_not_open_a_url_of_type_aws_iam(server: RunningServer) -> None:
    assert told(ask(server, open_url(server, saying("x"), AuthType="AWS_IAM"))) == FORBIDDEN
