"""Invoke in all its forms, through boto3. Each test has a function of its own."""

import base64
import json
from typing import Any

import pytest

from support.apis import Refused, refusal, status
from support.functions import create_function, zipped
from support.server import RunningServer

_ECHO = """
def handle(event, context):
    print("seen", event)
    if event == "fail":
        raise ValueError("no")
    if event == "large":
        return "x" * 200_000
    client = context.client_context
    return {
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "custom": client.custom if client else None,
    }
"""


@pytest.fixture(scope="module")
def echo(server: RunningServer) -> str:
    """A function with version 1 and the alias `live` on it."""
    create_function(server, "invoke-echo", _ECHO)
    client = server.client("lambda")
    client.publish_version(FunctionName="invoke-echo")
    client.create_alias(FunctionName="invoke-echo", Name="live", FunctionVersion="1")
    return "invoke-echo"


def invoke(server: RunningServer, name: str, event: Any = None, **options: Any) -> Any:
    """The answer, with its payload read: an unread one keeps its connection."""
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return {**answer, "Payload": answer["Payload"].read()}


def test_the_answer_says_which_version_ran_and_under_which_arn(server: RunningServer, echo: str) -> None:
    answer = invoke(server, echo, {"a": 1}, Qualifier="live")

    document = json.loads(answer["Payload"])
    assert (answer["StatusCode"], answer["ExecutedVersion"], status(answer)) == (200, "1", 200)
    assert "FunctionError" not in answer
    assert (document["event"], document["version"]) == ({"a": 1}, "1")
    assert document["arn"].endswith(":function:invoke-echo:live")


def test_the_request_id_of_the_answer_is_the_one_that_the_function_has(server: RunningServer, echo: str) -> None:
    answer = invoke(server, echo)

    assert json.loads(answer["Payload"])["request_id"] == answer["ResponseMetadata"]["RequestId"]


def test_a_failed_call_is_a_200_with_the_function_error(server: RunningServer, echo: str) -> None:
    answer = invoke(server, echo, "fail")

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"])["errorMessage"] == "no"


def test_the_log_tail_holds_the_calls_lines(server: RunningServer, echo: str) -> None:
    answer = invoke(server, echo, {"a": 1}, LogType="Tail")

    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1] == "seen {'a': 1}"
    assert lines[2] == f"END RequestId: {request_id}"
    assert lines[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "LogResult" not in invoke(server, echo)


def test_records_are_json_where_the_logging_config_says_so(server: RunningServer) -> None:
    source = "import logging\ndef handle(event, context):\n    logging.info('left out'); logging.error('told')\n"
    create_function(server, "invoke-json", source, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})

    answer = invoke(server, "invoke-json", LogType="Tail")

    _, line, *_ = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert {**json.loads(line), "timestamp": ""} == {
        "timestamp": "",
        "level": "ERROR",
        "message": "told",
        "logger": "root",
        "requestId": answer["ResponseMetadata"]["RequestId"],
    }


def test_the_client_context_reaches_the_handler(server: RunningServer, echo: str) -> None:
    context = base64.b64encode(b'{"custom":{"tenant":"blue"}}').decode()

    answer = invoke(server, echo, ClientContext=context)

    assert json.loads(answer["Payload"])["custom"] == {"tenant": "blue"}


def test_a_dry_run_runs_nothing(server: RunningServer, echo: str) -> None:
    answer = invoke(server, echo, InvocationType="DryRun")

    assert (answer["StatusCode"], answer["Payload"]) == (204, b"")


def test_a_function_that_is_not_there_is_not_found_in_every_form(server: RunningServer) -> None:
    client = server.client("lambda")
    expected = Refused(
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:invoke-ghost",
        404,
    )
    for invocation_type in ("RequestResponse", "Event", "DryRun"):
        assert refusal(client.invoke, FunctionName="invoke-ghost", InvocationType=invocation_type) == expected
    assert refusal(client.invoke_with_response_stream, FunctionName="invoke-ghost") == expected
    assert refusal(client.invoke_async, FunctionName="invoke-ghost", InvokeArgs=b"{}") == expected


def test_payloads_over_the_limit_of_their_form_are_refused(server: RunningServer, echo: str) -> None:
    client = server.client("lambda")
    text = "{} byte payload is too large for the {} invocation type (limit {} bytes)"

    event = refusal(client.invoke, FunctionName=echo, InvocationType="Event", Payload=b"1" * 1_048_577)
    call = refusal(client.invoke, FunctionName=echo, Payload=b"1" * 6_291_457)

    assert event == Refused("RequestTooLargeException", text.format(1_048_577, "Event", 1_048_576), 413)
    assert call == Refused("RequestTooLargeException", text.format(6_291_457, "RequestResponse", 6_291_456), 413)


def test_a_response_stream_is_the_answer_in_chunks_and_an_end(server: RunningServer, echo: str) -> None:
    answer = server.client("lambda").invoke_with_response_stream(
        FunctionName=echo, Qualifier="live", Payload=b'"large"', LogType="Tail"
    )

    events = list(answer["EventStream"])
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    assert [next(iter(event)) for event in events] == ["PayloadChunk"] * 4 + ["InvokeComplete"]
    payload = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
    assert json.loads(payload) == "x" * 200_000
    end = events[-1]["InvokeComplete"]
    assert b"END RequestId" in base64.b64decode(end["LogResult"])
    assert "ErrorCode" not in end


def test_a_response_stream_of_a_function_that_fails_ends_with_the_error(server: RunningServer, echo: str) -> None:
    answer = server.client("lambda").invoke_with_response_stream(FunctionName=echo, Payload=b'"fail"')

    (end,) = answer["EventStream"]
    assert end["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(end["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "no"


def test_a_dry_run_of_a_response_stream_has_no_event(server: RunningServer, echo: str) -> None:
    answer = server.client("lambda").invoke_with_response_stream(FunctionName=echo, InvocationType="DryRun")

    assert (answer["StatusCode"], list(answer["EventStream"])) == (204, [])


def test_an_alias_with_all_its_weight_on_the_second_version_runs_that(server: RunningServer) -> None:
    client = server.client("lambda")
    create_function(server, "invoke-weighted", "def handle(event, context):\n    return 1\n", Publish=True)
    client.update_function_code(
        FunctionName="invoke-weighted", ZipFile=zipped("def handle(event, context):\n    return 2\n"), Publish=True
    )
    client.create_alias(
        FunctionName="invoke-weighted",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}},
    )

    moved = [invoke(server, "invoke-weighted:live") for _ in range(20)]
    client.update_alias(FunctionName="invoke-weighted", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    back = [invoke(server, "invoke-weighted:live") for _ in range(20)]

    assert {(each["ExecutedVersion"], each["Payload"]) for each in moved} == {("2", b"2")}
    assert {(each["ExecutedVersion"], each["Payload"]) for each in back} == {("1", b"1")}
