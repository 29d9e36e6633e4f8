"""Code signing configurations, runtime management, recursion, and the tags that clients read of them."""

import uuid
from typing import Any

import pytest

from support.apis import Refused, fields, refusal, status
from support.lambdas import a_function, arn_of, conflict, create, invalid, missing, new_name
from support.server import RunningServer

PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/abcdefghij"
GHOST = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"


def a_config(server: RunningServer, **options: Any) -> Any:
    created = server.client("lambda").create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, **options
    )
    return created["CodeSigningConfig"]


def test_a_configuration_is_shown_as_it_was_made_and_changed(server: RunningServer) -> None:
    client = server.client("lambda")

    made = a_config(server, Description="ours")
    changed = client.update_code_signing_config(CodeSigningConfigArn=made["CodeSigningConfigArn"], Description="new")
    shown = client.get_code_signing_config(CodeSigningConfigArn=made["CodeSigningConfigArn"])

    assert {**made, "LastModified": ""} == {
        "CodeSigningConfigId": made["CodeSigningConfigArn"].rpartition(":")[2],
        "CodeSigningConfigArn": made["CodeSigningConfigArn"],
        "Description": "ours",
        "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
        "LastModified": "",
    }
    assert changed["CodeSigningConfig"]["Description"] == "new"
    assert shown["CodeSigningConfig"] == changed["CodeSigningConfig"]


def test_a_function_has_the_configuration_that_it_was_given(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_config(server)["CodeSigningConfigArn"]
    name, other = new_name(), a_function(server)
    create(server, name, CodeSigningConfigArn=arn)
    client.put_function_code_signing_config(FunctionName=other, CodeSigningConfigArn=arn)

    shown = client.get_function_code_signing_config(FunctionName=name)
    users = client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    removed = client.delete_function_code_signing_config(FunctionName=other)

    assert fields(shown) == {"CodeSigningConfigArn": arn, "FunctionName": name}
    assert sorted(users) == sorted([arn_of(name), arn_of(other)])
    assert status(removed) == 204
    assert client.get_function_code_signing_config(FunctionName=other)["CodeSigningConfigArn"] == ""


def test_a_configuration_in_use_is_not_deleted(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_config(server)["CodeSigningConfigArn"]
    name = new_name()
    create(server, name, CodeSigningConfigArn=arn)

    refused = refusal(client.delete_code_signing_config, CodeSigningConfigArn=arn)
    client.delete_function(FunctionName=name)
    client.delete_code_signing_config(CodeSigningConfigArn=arn)

    assert refused == conflict(
        f"The code signing configuration {arn} is attached to functions and cannot be deleted: {name}"
    )
    assert arn not in [
        each["CodeSigningConfigArn"] for each in client.list_code_signing_configs()["CodeSigningConfigs"]
    ]


def test_signatures_are_not_checked_so_enforcing_them_is_refused(server: RunningServer) -> None:
    refused = refusal(
        server.client("lambda").create_code_signing_config,
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )

    assert refused == invalid(
        "CodeSigningPolicies.UntrustedArtifactOnDeployment Enforce is not supported by Headgate: "
        "signatures are not checked; give Warn"
    )


@pytest.mark.parametrize(
    "operation", ["get_code_signing_config", "update_code_signing_config", "delete_code_signing_config"]
)
def test_a_configuration_that_is_not_there_is_refused_by(server: RunningServer, operation: str) -> None:
    assert refusal(getattr(server.client("lambda"), operation), CodeSigningConfigArn=GHOST) == missing(
        f"The Lambda code signing configuration {GHOST} can not be found."
    )


def test_a_function_cannot_get_a_configuration_that_is_not_there(server: RunningServer) -> None:
    client = server.client("lambda")
    expected = Refused(
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. "
        f"Check that the provided configuration is not deleted: {GHOST}.",
        404,
    )

    assert refusal(create, server=server, name=new_name(), CodeSigningConfigArn=GHOST) == expected
    put = client.put_function_code_signing_config
    assert refusal(put, FunctionName=a_function(server), CodeSigningConfigArn=GHOST) == expected


def test_runtime_management_is_kept_for_each_version(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, Publish=True)

    put = client.put_runtime_management_config(FunctionName=name, Qualifier="1", UpdateRuntimeOn="FunctionUpdate")

    assert fields(put) == {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": arn_of(name, "1")}
    shown = client.get_runtime_management_config(FunctionName=name, Qualifier="1")
    assert fields(shown) == fields(put)
    latest = client.get_runtime_management_config(FunctionName=name)
    assert fields(latest) == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn_of(name, "$LATEST")}


def test_a_runtime_cannot_be_pinned(server: RunningServer) -> None:
    refused = refusal(
        server.client("lambda").put_runtime_management_config,
        FunctionName=a_function(server),
        UpdateRuntimeOn="Manual",
        RuntimeVersionArn=f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}",
    )

    assert refused == invalid(
        "UpdateRuntimeOn Manual is not supported by Headgate: runtimes are the machine's own; "
        "give Auto or FunctionUpdate"
    )


def test_the_setting_for_recursive_loops_is_kept(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)

    before = client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")

    assert (before, client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]) == ("Terminate", "Allow")


def test_a_configuration_has_tags_by_its_arn(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_config(server, Tags={"a": "1"})["CodeSigningConfigArn"]

    client.tag_resource(Resource=arn, Tags={"b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])

    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    mapping = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid.UUID(int=0)}"
    for ghost in (GHOST, mapping):
        assert refusal(client.list_tags, Resource=ghost) == missing(
            f"The resource you requested does not exist: {ghost}"
        )
