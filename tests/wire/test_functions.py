"""Functions: create, get, list, update, invoke, tag and delete, through boto3."""

import base64
import hashlib
import json
import uuid
from typing import Any

import pytest

from support.apis import Refused, fields, refusal, status
from support.functions import ROLE, archive, zipped
from support.lambdas import (
    ACCOUNT,
    ECHO,
    a_function,
    arn_of,
    conflict,
    create,
    invalid,
    invoke,
    missing,
    new_name,
    saying,
    stale,
)
from support.server import RunningServer, fetch

GHOST = missing(f"Function not found: {arn_of('ghost')}")


def test_a_new_function_answers_with_all_its_settings(server: RunningServer) -> None:
    name = new_name()

    answer = create(server, name)

    shown = fields(answer)
    assert status(answer) == 201
    assert str(uuid.UUID(shown["RevisionId"])) == shown.pop("RevisionId")
    assert shown.pop("LastModified").endswith(".000+0000")
    assert shown == {
        "FunctionName": name,
        "FunctionArn": arn_of(name),
        "Runtime": "python3.13",
        "Role": ROLE,
        "Handler": "handler.handle",
        "CodeSize": len(zipped(ECHO)),
        "CodeSha256": base64.b64encode(hashlib.sha256(zipped(ECHO)).digest()).decode(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }


@pytest.mark.parametrize(
    "named", ["{name}", f"{ACCOUNT}:function:{{name}}", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{{name}}"]
)
def test_a_function_goes_by_its_name_and_by_its_arns(server: RunningServer, named: str) -> None:
    name = a_function(server)

    found = server.client("lambda").get_function_configuration(FunctionName=named.format(name=name))

    assert found["FunctionName"] == name


def test_the_code_can_be_fetched_from_where_get_function_says_it_is(server: RunningServer) -> None:
    name = a_function(server, Tags={"team": "blue"})

    found = server.client("lambda").get_function(FunctionName=name)
    fetched = fetch(found["Code"]["Location"])

    assert found["Tags"] == {"team": "blue"}
    assert (fetched.status, fetched.headers["content-type"]) == (200, "application/zip")
    assert fetched.body == zipped(ECHO)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
        lambda url: url.partition("?")[0],
        lambda url: url.replace("expires=", "expires=9"),
        lambda url: url.replace("token=", "token=%FF"),
    ],
    ids=["token changed", "no token", "later end", "token of other letters"],
)
def test_code_is_not_given_out_for_a_link_that_was_not_made(server: RunningServer, spoil: Any) -> None:
    name = a_function(server)
    location = server.client("lambda").get_function(FunctionName=name)["Code"]["Location"]

    assert fetch(spoil(location)).status == 403


def test_settings_change_one_by_one_and_give_a_new_revision(server: RunningServer) -> None:
    client = server.client("lambda")
    name = new_name()
    before = create(server, name, Environment={"Variables": {"COLOUR": "blue"}})

    after = client.update_function_configuration(FunctionName=name, Timeout=9, MemorySize=256)

    assert (after["Timeout"], after["MemorySize"]) == (9, 256)
    assert after["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert after["RevisionId"] != before["RevisionId"]


def test_new_code_is_what_the_next_call_runs(server: RunningServer) -> None:
    name = a_function(server, saying("one"))
    assert invoke(server, name) == "one"

    server.client("lambda").update_function_code(FunctionName=name, ZipFile=zipped(saying("two")))

    assert invoke(server, name) == "two"


def test_a_dry_run_of_new_code_changes_nothing(server: RunningServer) -> None:
    name = a_function(server, saying("one"))

    server.client("lambda").update_function_code(FunctionName=name, ZipFile=zipped(saying("two")), DryRun=True)

    assert invoke(server, name) == "one"


def test_lists_go_by_name_and_show_no_state(server: RunningServer) -> None:
    client = server.client("lambda", access_key="200000000001")
    for name in ("b", "a"):
        client.create_function(
            FunctionName=name, Runtime="python3.13", Role=ROLE, Handler="h.h", Code={"ZipFile": zipped(ECHO)}
        )

    first = client.list_functions(MaxItems=1)
    second = client.list_functions(MaxItems=1, Marker=first["NextMarker"])

    assert [each["FunctionName"] for each in (*first["Functions"], *second["Functions"])] == ["a", "b"]
    assert "NextMarker" not in second
    assert "State" not in first["Functions"][0]


def test_a_deleted_function_is_gone(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)

    client.delete_function(FunctionName=name)

    assert refusal(client.get_function, FunctionName=name) == missing(f"Function not found: {arn_of(name)}")


def test_a_call_shows_its_version_and_its_log(server: RunningServer) -> None:
    name = a_function(server, "def handle(event, context):\n    print('seen')\n    return event\n")

    answer = server.client("lambda").invoke(FunctionName=name, Payload=b'{"a": 1}', LogType="Tail")

    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert b"seen" in base64.b64decode(answer["LogResult"])


def test_a_function_that_fails_is_an_answer_with_an_error(server: RunningServer) -> None:
    name = a_function(server, "def handle(event, context):\n    raise ValueError('no')\n")

    answer = server.client("lambda").invoke(FunctionName=name)

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document = json.loads(answer["Payload"].read())
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no")


def test_a_dry_run_runs_nothing(server: RunningServer) -> None:
    answer = server.client("lambda").invoke(FunctionName=a_function(server), InvocationType="DryRun")

    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")


def test_the_client_context_reaches_the_function(server: RunningServer) -> None:
    name = a_function(server, "def handle(event, context):\n    return context.client_context.custom\n")
    given = base64.b64encode(b'{"custom": {"a": "b"}}').decode()

    assert invoke(server, name, ClientContext=given) == {"a": "b"}


def test_tags_are_merged_and_taken_away(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = arn_of(a_function(server, Tags={"a": "1"}))

    client.tag_resource(Resource=arn, Tags={"b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])

    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_an_account_has_lambda_s_default_limits_and_counts_its_functions(server: RunningServer) -> None:
    client = server.client("lambda", access_key="200000000002")
    client.create_function(
        FunctionName="one", Runtime="python3.13", Role=ROLE, Handler="h.h", Code={"ZipFile": zipped(ECHO)}
    )

    settings = client.get_account_settings()

    assert settings["AccountLimit"]["CodeSizeUnzipped"] == 262144000
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountUsage"] == {"TotalCodeSize": len(zipped(ECHO)), "FunctionCount": 1}


def test_a_name_is_used_once(server: RunningServer) -> None:
    name = a_function(server)

    assert refusal(create, server=server, name=name) == conflict(f"Function already exist: {name}")


def test_a_change_of_what_was_changed_meanwhile_is_refused(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)

    for call, given in (
        (client.update_function_configuration, {"Timeout": 5}),
        (client.update_function_code, {"ZipFile": zipped(ECHO)}),
    ):
        assert refusal(call, FunctionName=name, RevisionId="old", **given) == stale("GetFunction/GetAlias")


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("get_function", {}),
        ("get_function_configuration", {}),
        ("update_function_configuration", {"Timeout": 4}),
        ("update_function_code", {"ZipFile": zipped(ECHO)}),
        ("delete_function", {}),
        ("invoke", {}),
        ("get_function_concurrency", {}),
        ("get_function_code_signing_config", {}),
        ("get_function_recursion_config", {}),
    ],
)
def test_a_function_that_is_not_there_is_refused_by(server: RunningServer, operation: str, given: Any) -> None:
    assert refusal(getattr(server.client("lambda"), operation), FunctionName="ghost", **given) == GHOST


_ENVIRONMENT = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"Runtime": "cobol1"},
            None,
        ),
        ({"Code": {"ZipFile": b""}}, invalid("Uploaded file must be a non-empty zip")),
        ({"Code": {"ZipFile": archive({})}}, invalid("Uploaded file must be a non-empty zip")),
        (
            {"Code": {"ZipFile": b"no zip"}},
            invalid("Could not unzip uploaded file. Please check your file, then try to upload again."),
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            invalid(
                f"{_ENVIRONMENT} contains reserved keys that are currently not supported for modification. "
                "Reserved keys used in this request: AWS_REGION"
            ),
        ),
        (
            {"Environment": {"Variables": {"A1": "x" * 4096}}},
            invalid(f'{_ENVIRONMENT} exceeded the 4KB limit. String measured: {{"A1":"{"x" * 4096}"}}'),
        ),
        (
            {"Timeout": 901},
            Refused(
                "ValidationException",
                "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
                "Member must have value less than or equal to 900",
                400,
            ),
        ),
        (
            {"MemorySize": 10_241},
            Refused(
                "ValidationException",
                "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: "
                "Member must have value less than or equal to 10240",
                400,
            ),
        ),
    ],
    ids=[
        "runtime",
        "empty zip",
        "zip of nothing",
        "no zip",
        "reserved variable",
        "variables of more than 4 KB",
        "timeout",
        "memory",
    ],
)
def test_create_refuses(server: RunningServer, given: dict[str, Any], expected: Refused | None) -> None:
    client = server.client("lambda")
    name = new_name()
    whole = {"Runtime": "python3.13", "Role": ROLE, "Handler": "h.h", "Code": {"ZipFile": zipped(ECHO)}, **given}

    refused = refusal(client.create_function, FunctionName=name, **whole)

    if expected is not None:
        assert refused == expected
    assert refused.status == 400
    assert refusal(client.get_function, FunctionName=name).status == 404


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"Payload": b"x" * 6_291_457},
            Refused(
                "RequestTooLargeException",
                "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)",
                413,
            ),
        ),
        (
            {"ClientContext": "%"},
            Refused(
                "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.", 400
            ),
        ),
    ],
    ids=["payload of more than 6 MB", "client context"],
)
def test_invoke_refuses(server: RunningServer, given: dict[str, Any], expected: Refused) -> None:
    name = a_function(server)

    assert refusal(server.client("lambda").invoke, FunctionName=name, **given) == expected


def test_a_payload_that_is_no_json_is_refused(server: RunningServer) -> None:
    refused = refusal(server.client("lambda").invoke, FunctionName=a_function(server), Payload=b"{")

    assert (refused.code, refused.status) == ("InvalidRequestContentException", 400)
    assert refused.message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (arn_of("ghost"), GHOST),
        (
            arn_of("ghost", "1"),
            invalid("Tags on function aliases and versions are not supported. Please specify a function ARN."),
        ),
    ],
)
def test_tags_are_of_whole_functions(server: RunningServer, arn: str, expected: Refused) -> None:
    assert refusal(server.client("lambda").list_tags, Resource=arn) == expected
