"""AWS_PROXY from end to end: real Python functions behind a real gateway."""

import base64
import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from support.apis import Api
from support.backends import serving_backend
from support.clients import KeptConnection, in_parallel
from support.functions import ROLE, allow_gateway, create_function, replying, zipped
from support.server import RunningServer, fetch, running, wait_for_end

_ECHO = """
import json

def handle(event, context):
    seen = {name: getattr(context, name) for name in (
        "aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
        "log_group_name", "log_stream_name", "client_context")}
    seen["remaining_ms"] = context.get_remaining_time_in_millis()
    return {"statusCode": 200, "body": json.dumps({"event": event, "context": seen})}
"""

# Answers with what it is told to: the request's body.
_TOLD = "import json\n\ndef handle(event, context):\n    return json.loads(event['body'])\n"

_VERSION = """
def handle(event, context):
    return {"statusCode": 200, "body": context.function_version}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    secret = {"HEADGATE_DRAIN_S": "5", "DATABASE_PASSWORD": "of the server alone"}
    with running("--ephemeral", environment=secret) as started:
        yield started


@pytest.fixture(scope="module")
def told(server: RunningServer) -> str:
    """The URL of a function that answers as it is told, on an API where images are binary."""
    api = Api(server, binaryMediaTypes=["image/png"])
    api.function(api.root, create_function(server, "told", _TOLD))
    api.deploy("prod")
    return api.url("prod")


def _served(server: RunningServer, name: str, source: str, **options: Any) -> Api:
    """An API whose root is this function, deployed to `prod`."""
    api = Api(server)
    api.function(api.root, create_function(server, name, source, **options))
    api.deploy("prod")
    return api


def test_the_event_is_the_whole_request(server: RunningServer) -> None:
    api = Api(server)
    arn = create_function(server, "echo", _ECHO)
    resource = api.resource("orders", "{id}", "{rest+}")
    api.function(resource, arn)
    deployment = api.deploy()
    api.client.create_stage(
        restApiId=api.id, stageName="prod", deploymentId=deployment, variables={"colour": "blue", "size": "7"}
    )

    answer = fetch(
        api.url("prod", "/orders/a%2Bb/c/d?q=1&q=two+words&empty&p=%C3%A9"),
        "POST",
        "grüße".encode(),
        {"X-Custom": "yes", "Content-Type": "text/plain; charset=utf-8", "User-Agent": "story/1"},
    )

    event = answer.json["event"]
    assert {name: event[name] for name in ("resource", "path", "httpMethod", "body", "isBase64Encoded")} == {
        "resource": "/orders/{id}/{rest+}",
        "path": "/orders/a%2Bb/c/d",
        "httpMethod": "POST",
        "body": "grüße",
        "isBase64Encoded": False,
    }
    assert event["pathParameters"] == {"id": "a%2Bb", "rest": "c/d"}
    assert event["queryStringParameters"] == {"q": "two words", "empty": "", "p": "é"}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "two words"], "empty": [""], "p": ["é"]}
    assert event["stageVariables"] == {"colour": "blue", "size": "7"}
    assert event["headers"]["X-Custom"] == "yes"
    assert event["multiValueHeaders"]["User-Agent"] == ["story/1"]
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert event["headers"]["X-Forwarded-Port"] == server.gateway.rpartition(":")[2]
    assert event["headers"]["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert "Content-Length" not in event["headers"]
    context = event["requestContext"]
    assert context["path"] == "/prod/orders/a%2Bb/c/d"
    assert context["accountId"] == "000000000000"
    assert (context["apiId"], context["stage"], context["deploymentId"]) == (api.id, "prod", deployment)
    assert (context["resourceId"], context["resourcePath"]) == (resource, "/orders/{id}/{rest+}")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userAgent"] == "story/1"
    assert context["protocol"] == "HTTP/1.1"
    assert "isCanaryRequest" not in context
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert context["extendedRequestId"] == answer.headers["x-amz-apigw-id"]
    assert answer.headers["x-amzn-trace-id"].startswith(event["headers"]["X-Amzn-Trace-Id"])


def test_the_context_is_lambda_s(server: RunningServer) -> None:
    api = _served(server, "context", _ECHO, Timeout=700, MemorySize=192)

    seen = fetch(api.url("prod")).json["context"]

    assert 600_000 < seen.pop("remaining_ms") <= 700_000
    assert len(seen.pop("aws_request_id")) == 36
    assert seen.pop("log_stream_name").partition("[")[2].startswith("$LATEST]")
    assert seen == {
        "function_name": "context",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:context",
        "memory_limit_in_mb": "192",
        "log_group_name": "/aws/lambda/context",
        "client_context": None,
    }


def test_an_empty_request_gives_nulls_and_a_canary_stage_says_which_side(server: RunningServer) -> None:
    api = _served(server, "bare", _ECHO)
    api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "0.0"))

    event = fetch(api.url("prod")).json["event"]

    empty = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters", "stageVariables")
    assert {name: event[name] for name in empty} == dict.fromkeys(empty)
    assert event["requestContext"]["isCanaryRequest"] is False


_PNG = base64.b64encode(b"\x89PNG\x00\xff").decode()

_OBEYED = [
    pytest.param({}, 200, {"content-type": "application/json"}, b"", id="an empty object is 200 and an empty body"),
    pytest.param({"statusCode": 404, "body": "no"}, 404, {}, b"no", id="the status is the function's"),
    pytest.param({"statusCode": "201"}, 201, {}, b"", id="a status may be text"),
    pytest.param({"headers": None, "body": None}, 200, {}, b"", id="nulls are nothing"),
    pytest.param({"headers": {"A": True, "B": "ü"}}, 200, {"a": "true", "b": "Ã¼"}, b"", id="booleans and UTF-8"),
    pytest.param({"headers": {"content-type": "text/x"}}, 200, {"content-type": "text/x"}, b"", id="its own type"),
    pytest.param(
        {"headers": {"X": "single"}, "multiValueHeaders": {"x": ["one", "two"]}},
        200,
        {"x": "one, two, single"},
        b"",
        id="multi values come first",
    ),
    pytest.param(
        {"multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}, 200, {"set-cookie": "a=1, b=2"}, b"", id="cookies"
    ),
    pytest.param(
        {"headers": {"Server": "mine", "Transfer-Encoding": "chunked"}},
        200,
        {"x-amzn-remapped-server": "mine", "transfer-encoding": None},
        b"",
        id="reserved headers are renamed or dropped",
    ),
    pytest.param({"body": _PNG, "isBase64Encoded": True}, 200, {}, _PNG.encode(), id="base64 stays without Accept"),
]


@pytest.mark.parametrize(("answer", "status", "headers", "body"), _OBEYED)
def test_an_answer_is_sent_as_the_function_says(
    told: str, answer: object, status: int, headers: dict[str, str | None], body: bytes
) -> None:
    connection = KeptConnection(told)
    sent = connection.ask(urlsplit(told).path, "POST", json.dumps(answer).encode())
    connection.close()

    assert (sent.status, sent.body) == (status, body)
    assert {name: sent.headers.get(name) for name in headers} == headers


_BROKEN = [
    pytest.param('{"statusCode": 200, "extra": 1}', id="an unknown key"),
    pytest.param('"text"', id="no object"),
    pytest.param("null", id="nothing"),
    pytest.param('{"statusCode": "abc"}', id="a status that is no number"),
    pytest.param('{"statusCode": 200, "body": {"a": 1}}', id="a body that is no text"),
    pytest.param('{"multiValueHeaders": {"A": "b"}}', id="a multi value that is no list"),
    pytest.param('{"headers": {"A": ["b"]}}', id="a list among the headers"),
    pytest.param('{"headers": {"A": 1}}', id="a number among the headers"),
    pytest.param('{"headers": {"A": "b\\r\\nC: d"}}', id="a line break in a header"),
    pytest.param("this is not JSON", id="an exception"),
]


@pytest.mark.parametrize("answer", _BROKEN)
def test_an_answer_that_breaks_the_contract_is_502(told: str, answer: str) -> None:
    sent = fetch(told, "POST", answer.encode())

    assert (sent.status, sent.body) == (502, b'{"message": "Internal server error"}')
    assert sent.headers["x-amzn-errortype"] == "InternalServerErrorException"
    assert "x-amzn-trace-id" not in sent.headers


def test_base64_is_decoded_for_a_client_that_accepts_a_binary_type_first(told: str) -> None:
    answer = json.dumps({"body": _PNG, "isBase64Encoded": True}).encode()

    decoded = fetch(told, "POST", answer, {"Accept": "image/png, */*"})
    second = fetch(told, "POST", answer, {"Accept": "*/*, image/png"})
    no_base64 = fetch(told, "POST", b'{"body": "*", "isBase64Encoded": true}', {"Accept": "image/png"})

    assert decoded.body == base64.b64decode(_PNG)
    assert second.body == _PNG.encode()
    assert (no_base64.status, no_base64.body) == (500, b'{"message": "Internal server error"}')


def test_a_binary_request_body_reaches_the_function_as_base64(server: RunningServer) -> None:
    api = Api(server, binaryMediaTypes=["image/*"])
    api.function(api.root, create_function(server, "binary", _ECHO))
    api.deploy("prod")

    event = fetch(api.url("prod"), "POST", b"\x89PNG\x00\xff", {"Content-Type": "image/png"}).json["event"]

    assert (event["body"], event["isBase64Encoded"]) == (_PNG, True)


_FAILING = [
    pytest.param("def handle(event, context):\n    raise ValueError('no')\n", id="raises"),
    pytest.param("import os\n\ndef handle(event, context):\n    os._exit(3)\n", id="exits"),
    pytest.param("import sys\n\ndef handle(event, context):\n    sys.exit(0)\n", id="asks to exit"),
    pytest.param(
        "import os, signal\n\ndef handle(event, context):\n    os.kill(os.getpid(), signal.SIGSEGV)\n", id="crashes"
    ),
    pytest.param("def handle(event, context):\n    return {'statusCode': 200, 'body': b'bytes'}\n", id="not JSON"),
    pytest.param("def another(event, context):\n    pass\n", id="has no handler"),
    pytest.param("import absent\n", id="cannot be imported"),
    pytest.param("def handle(event, context):\n    return {'body': 'x' * 7_000_000}\n", id="answers too much"),
    pytest.param("def handle(event, context):\n    return {'body': 'x' * (600 * 2**20)}\n", id="eats memory"),
]


@pytest.mark.parametrize("source", _FAILING)
def test_a_function_that_fails_is_502(server: RunningServer, source: str, request: pytest.FixtureRequest) -> None:
    name = "fails-" + request.node.callspec.id.replace(" ", "-")
    api = _served(server, name, source)

    answer = fetch(api.url("prod"))

    assert (answer.status, answer.body) == (502, b'{"message": "Internal server error"}')


def test_a_crash_or_a_memory_eater_takes_only_its_own_call(server: RunningServer) -> None:
    source = """
import os, time

def handle(event, context):
    match event["path"]:
        case "/crash":
            os.abort()
        case "/eat":
            bytearray(2**31)
    time.sleep(0.05)
    return {"statusCode": 200, "body": "alive"}
"""
    api = Api(server)
    arn = create_function(server, "mixed", source, MemorySize=128, Timeout=30)
    for path in ("crash", "eat", "live"):
        api.function(api.resource(path), arn)
    api.deploy("prod")
    paths = ("/crash", "/live", "/eat", "/live", "/live", "/crash")

    statuses = in_parallel(24, lambda number: fetch(api.url("prod", paths[number % 6])).status)

    assert statuses == [502, 200, 502, 200, 200, 502] * 4


def test_a_function_s_own_timeout_is_502_and_the_integration_s_is_504(server: RunningServer) -> None:
    sleeper = "import time\n\ndef handle(event, context):\n    time.sleep(600)\n"
    api = Api(server)
    arn = create_function(server, "sleeper", sleeper, Timeout=1)
    api.function(api.resource("own"), arn)
    api.function(api.resource("integration"), arn, timeoutInMillis=100)
    api.deploy("prod")

    own, integration = in_parallel(2, lambda number: fetch(api.url("prod", ("/own", "/integration")[number])))

    assert isinstance(own, type(integration))
    assert (own.status, own.body) == (502, b'{"message": "Internal server error"}')
    assert (integration.status, integration.body) == (504, b'{"message":"Endpoint request timed out"}')


def test_without_a_permission_the_call_is_500_until_it_is_given_and_again_when_it_is_taken(
    server: RunningServer,
) -> None:
    api = _served(server, "guarded", replying("in"))
    functions = server.client("lambda")
    functions.remove_permission(FunctionName="guarded", StatementId="gateway")

    refused = fetch(api.url("prod"))
    arn = f"arn:aws:execute-api:us-east-1:000000000000:{api.id}"
    allow_gateway(server, "guarded", SourceArn=f"{arn}/another/*/*")
    elsewhere = fetch(api.url("prod")).status
    functions.remove_permission(FunctionName="guarded", StatementId="gateway")
    allow_gateway(server, "guarded", SourceArn=f"{arn}/*/GET/")
    given = fetch(api.url("prod"))
    another_method = fetch(api.url("prod"), "POST", b"").status

    assert (refused.status, refused.body) == (500, b'{"message": "Internal server error"}')
    assert elsewhere == 500
    assert given.body == b"in"
    assert another_method == 500


def test_a_call_through_an_alias_needs_the_alias_s_own_permission(server: RunningServer) -> None:
    arn = create_function(server, "aliased", replying("in"), Publish=True)
    server.client("lambda").create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    api = Api(server)
    api.function(api.root, f"{arn}:live")
    api.deploy("prod")

    before = fetch(api.url("prod")).status
    allow_gateway(server, "aliased", Qualifier="live")

    assert before == 500
    assert fetch(api.url("prod")).body == b"in"


def test_an_alias_with_weights_splits_the_calls(server: RunningServer) -> None:
    functions = server.client("lambda")
    arn = create_function(server, "weighted", _VERSION, Publish=True)
    functions.update_function_code(FunctionName="weighted", ZipFile=zipped(_VERSION + "\n# two\n"), Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    functions.create_alias(FunctionName="weighted", Name="live", FunctionVersion="1", RoutingConfig=weights)
    allow_gateway(server, "weighted", Qualifier="live")
    api = Api(server)
    api.function(api.root, f"{arn}:live")
    api.deploy("prod")
    calls = 400

    bodies = [fetch(api.url("prod")).body for _ in range(calls)]

    assert set(bodies) == {b"1", b"2"}
    assert abs(bodies.count(b"2") - calls / 2) <= 4.5 * math.sqrt(calls * 0.5 * 0.5)

    functions.update_alias(
        FunctionName="weighted", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert {fetch(api.url("prod")).body for _ in range(20)} == {b"2"}


def test_a_stage_variable_picks_the_alias(server: RunningServer) -> None:
    functions = server.client("lambda")
    arn = create_function(server, "staged", _VERSION, Publish=True)
    functions.update_function_code(FunctionName="staged", ZipFile=zipped(_VERSION + "\n# two\n"), Publish=True)
    for name, version in (("blue", "1"), ("green", "2")):
        functions.create_alias(FunctionName="staged", Name=name, FunctionVersion=version)
        allow_gateway(server, "staged", Qualifier=name)
    api = Api(server)
    api.function(api.root, arn + ":${stageVariables.alias}")
    api.deploy("prod", variables={"alias": "blue"})

    blue = fetch(api.url("prod")).body
    api.patch_stage("prod", ("replace", "/variables/alias", "green"))
    green = fetch(api.url("prod")).body
    api.patch_stage("prod", ("replace", "/variables/alias", "absent"))
    absent = fetch(api.url("prod")).status
    api.patch_stage("prod", ("remove", "/variables/alias"))
    unset = fetch(api.url("prod")).status

    assert (blue, green, absent, unset) == (b"1", b"2", 500, 500)


def test_a_canary_s_variables_pick_another_function(server: RunningServer) -> None:
    arn = create_function(server, "canary-blue", replying("blue"))
    create_function(server, "canary-green", replying("green"))
    api = Api(server)
    api.function(api.root, arn.replace("canary-blue", "${stageVariables.function}"))
    api.deploy("prod", variables={"function": "canary-blue"})
    overrides = {"function": "canary-green"}

    def bodies(count: int) -> list[bytes]:
        return [fetch(api.url("prod")).body for _ in range(count)]

    assert set(bodies(10)) == {b"blue"}
    api.deploy("prod", canarySettings={"percentTraffic": 50.0, "stageVariableOverrides": overrides})
    split = bodies(400)
    api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "100.0"))
    assert set(bodies(10)) == {b"green"}
    api.patch_stage("prod", ("remove", "/canarySettings"))
    assert set(bodies(10)) == {b"blue"}

    assert set(split) == {b"blue", b"green"}
    assert abs(split.count(b"green") - 200) <= 4.5 * math.sqrt(400 * 0.5 * 0.5)


def test_new_code_answers_the_first_call_after_the_update_was_answered(server: RunningServer) -> None:
    api = _served(server, "updated", replying("0"))
    functions = server.client("lambda")

    seen = [fetch(api.url("prod")).body]
    for number in range(1, 9):
        functions.update_function_code(FunctionName="updated", ZipFile=zipped(replying(str(number))))
        seen.append(fetch(api.url("prod")).body)
    variable = "import os\n\ndef handle(event, context):\n    return {'body': os.environ['COLOUR']}\n"
    functions.update_function_code(FunctionName="updated", ZipFile=zipped(variable))
    functions.update_function_configuration(FunctionName="updated", Environment={"Variables": {"COLOUR": "red"}})
    configured = fetch(api.url("prod")).body

    assert seen == [str(number).encode() for number in range(9)]
    assert configured == b"red"


def test_the_processes_of_replaced_and_deleted_code_end() -> None:
    pid = "import os\n\ndef handle(event, context):\n    return {'body': str(os.getpid())}\n"
    with running("--ephemeral", "--sandbox", "none") as server:  # a sandbox has numbers of its own
        api = _served(server, "process", pid)
        functions = server.client("lambda")

        replaced = int(fetch(api.url("prod")).body)
        functions.update_function_code(FunctionName="process", ZipFile=zipped(pid + "\n# two\n"))
        wait_for_end(replaced)
        deleted = int(fetch(api.url("prod")).body)
        functions.delete_function(FunctionName="process")
        wait_for_end(deleted)

        assert replaced != deleted


def test_a_call_that_runs_while_its_code_is_replaced_ends_on_the_old_code(server: RunningServer) -> None:
    with serving_backend() as backend:
        held = f"""
import urllib.request

def handle(event, context):
    urllib.request.urlopen("{backend.url}/hold").close()
    return {{"body": "old"}}
"""
        api = _served(server, "replaced", held, Timeout=30)

        def act(number: int) -> bytes:
            if number:
                return fetch(api.url("prod")).body
            backend.wait_for("/hold", 3)
            server.client("lambda").update_function_code(FunctionName="replaced", ZipFile=zipped(replying("new")))
            body = fetch(api.url("prod")).body
            backend.release()
            return body

        assert in_parallel(4, act) == [b"new", b"old", b"old", b"old"]


def test_a_function_s_environment_holds_nothing_of_the_server_s(server: RunningServer) -> None:
    source = "import json, os\n\ndef handle(event, context):\n    return {'body': json.dumps(dict(os.environ))}\n"
    api = _served(server, "environ", source, Environment={"Variables": {"OWN": "1"}})

    seen = fetch(api.url("prod")).json

    assert seen["OWN"] == "1"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "environ"
    assert "DATABASE_PASSWORD" not in seen
    assert "of the server alone" not in json.dumps(seen)
    assert not [name for name in seen if name.startswith(("HEADGATE", "PYTEST", "VIRTUAL"))]


def test_a_deleted_function_is_500_and_its_stage_goes_on(server: RunningServer) -> None:
    api = Api(server)
    api.function(api.root, create_function(server, "doomed", replying("in")))
    api.mock(api.resource("ping"), body="pong")
    api.deploy("prod")
    before = fetch(api.url("prod")).body

    server.client("lambda").delete_function(FunctionName="doomed")
    after = fetch(api.url("prod"))
    beside = fetch(api.url("prod", "/ping")).body
    create_function(server, "doomed", replying("born again"))

    assert before == b"in"
    assert (after.status, after.body) == (500, b'{"message": "Internal server error"}')
    assert beside == b"pong"
    assert fetch(api.url("prod")).body == b"born again"


def test_a_function_may_call_its_own_api_through_the_gateway(server: RunningServer) -> None:
    source = """
import urllib.request

def handle(event, context):
    if event["path"] == "/outer":
        with urllib.request.urlopen(event["stageVariables"]["inner"]) as answer:
            return {"body": "outer of " + answer.read().decode()}
    return {"body": "inner"}
"""
    api = Api(server)
    api.function(api.resource("{path}"), create_function(server, "nested", source))
    api.deploy("prod", variables={"inner": api.url("prod", "/inner")})

    assert fetch(api.url("prod", "/outer")).body == b"outer of inner"


def test_more_calls_at_once_than_environments_are_all_answered(server: RunningServer) -> None:
    source = "import time\n\ndef handle(event, context):\n    time.sleep(0.02)\n    return {'body': event['body']}\n"
    api = _served(server, "crowded", source)

    answers = in_parallel(40, lambda number: fetch(api.url("prod"), "POST", str(number).encode()).body)

    assert answers == [str(number).encode() for number in range(40)]


def test_two_accounts_have_functions_of_one_name(server: RunningServer) -> None:
    other = "111111111111"
    create_function(server, "shared", replying("default"))
    functions = server.client("lambda", access_key=other)
    arn = functions.create_function(
        FunctionName="shared",
        Code={"ZipFile": zipped(replying("other"))},
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.handle",
    )["FunctionArn"]
    api = Api(server)
    api.function(api.root, arn)
    api.deploy("prod")

    refused = fetch(api.url("prod")).status
    functions.add_permission(
        FunctionName="shared",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )

    assert other in arn
    assert refused == 500
    assert fetch(api.url("prod")).body == b"other"
    with pytest.raises(ClientError, match="Function not found"):
        server.client("lambda", region="eu-west-1").get_function(FunctionName="shared")
