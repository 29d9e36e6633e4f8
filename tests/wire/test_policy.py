"""Functions' resource policies, through boto3 (aws-semantics 9.3)."""

import json
from typing import Any

import pytest

from support.apis import Refused, refusal, status
from support.lambdas import a_function, arn_of, conflict, invalid, missing, stale
from support.server import RunningServer

GRANT = {"StatementId": "s1", "Action": "lambda:InvokeFunction"}


@pytest.mark.parametrize(
    ("given", "principal", "condition"),
    [
        ({"Principal": "apigateway.amazonaws.com"}, {"Service": "apigateway.amazonaws.com"}, None),
        ({"Principal": "123456789012"}, {"AWS": "arn:aws:iam::123456789012:root"}, None),
        (
            {"Principal": "*", "FunctionUrlAuthType": "NONE"},
            "*",
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        (
            {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "123456789012"},
            {"Service": "s3.amazonaws.com"},
            {
                "StringEquals": {"AWS:SourceAccount": "123456789012"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
            },
        ),
    ],
    ids=["service", "account", "everyone, by URL", "source"],
)
def test_a_grant_is_shown_as_a_statement(
    server: RunningServer, given: dict[str, str], principal: Any, condition: Any
) -> None:
    client = server.client("lambda")
    name = a_function(server)
    action = "lambda:InvokeFunctionUrl" if "FunctionUrlAuthType" in given else "lambda:InvokeFunction"

    added = client.add_permission(FunctionName=name, **{**GRANT, "Action": action}, **given)

    statement = json.loads(added["Statement"])
    assert status(added) == 201
    assert statement == {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": arn_of(name),
        **({"Condition": condition} if condition else {}),
    }
    policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}


def test_policies_of_a_function_and_of_its_alias_are_apart(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    client.add_permission(FunctionName=name, Qualifier="live", Principal="sns.amazonaws.com", **GRANT)

    shown = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    assert shown["Statement"][0]["Resource"] == arn_of(name, "live")
    assert refusal(client.get_policy, FunctionName=name) == missing("The resource you requested does not exist.")


def test_with_its_last_statement_a_policy_is_gone(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)
    client.add_permission(FunctionName=name, Principal="sns.amazonaws.com", **GRANT)

    removed = client.remove_permission(FunctionName=name, StatementId="s1")

    assert status(removed) == 204
    assert refusal(client.get_policy, FunctionName=name).status == 404


@pytest.mark.parametrize(
    ("operation", "given", "expected"),
    [
        (
            "add_permission",
            {**GRANT, "Principal": "sns.amazonaws.com"},
            conflict(
                "The statement id (s1) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            ),
        ),
        (
            "add_permission",
            {**GRANT, "StatementId": "s2", "Principal": "nobody"},
            invalid("The provided principal was invalid. Please check the principal and try again."),
        ),
        (
            "add_permission",
            {**GRANT, "StatementId": "s2", "Principal": "*", "Qualifier": "$LATEST"},
            invalid("We currently do not support adding policies for $LATEST."),
        ),
        ("add_permission", {**GRANT, "StatementId": "s2", "Principal": "*", "RevisionId": "old"}, stale("GetPolicy")),
        ("remove_permission", {"StatementId": "s9"}, missing("Statement s9 is not found in resource policy.")),
        ("remove_permission", {"StatementId": "s1", "RevisionId": "old"}, stale("GetPolicy")),
    ],
    ids=["the same id", "principal", "$LATEST", "another revision", "no such id", "removal at another revision"],
)
def test_a_policy_refuses(server: RunningServer, operation: str, given: dict[str, str], expected: Refused) -> None:
    client = server.client("lambda")
    name = a_function(server)
    client.add_permission(FunctionName=name, Principal="sns.amazonaws.com", **GRANT)
    before = client.get_policy(FunctionName=name)["Policy"]

    assert refusal(getattr(client, operation), FunctionName=name, **given) == expected
    assert client.get_policy(FunctionName=name)["Policy"] == before
