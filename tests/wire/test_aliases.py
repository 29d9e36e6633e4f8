"""Aliases, through boto3 (aws-semantics 9.2)."""

from typing import Any

import pytest

from support.apis import Refused, fields, refusal, status
from support.lambdas import a_function, a_version, arn_of, conflict, invalid, invoke, missing, saying, stale
from support.server import RunningServer


@pytest.fixture
def name(server: RunningServer) -> str:
    """A function with versions 1 and 2, which answer "one" and "two"."""
    made = a_function(server, saying("one"), Publish=True)
    a_version(server, made, saying("two"))
    return made


def test_an_alias_stands_for_its_version_and_can_be_moved(server: RunningServer, name: str) -> None:
    client = server.client("lambda")

    created = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="in use")
    before = invoke(server, name, Qualifier="live")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")

    assert status(created) == 201
    assert {**fields(created), "RevisionId": ""} == {
        "AliasArn": arn_of(name, "live"),
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "in use",
        "RevisionId": "",
    }
    assert (before, invoke(server, f"{name}:live")) == ("one", "two")
    assert client.get_alias(FunctionName=name, Name="live")["Description"] == "in use"


def test_all_weight_on_the_second_version_sends_every_call_there(server: RunningServer, name: str) -> None:
    client = server.client("lambda")
    client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )

    answers = [client.invoke(FunctionName=name, Qualifier="live")["ExecutedVersion"] for _ in range(20)]
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})

    assert answers == ["2"] * 20
    assert "RoutingConfig" not in client.get_alias(FunctionName=name, Name="live")
    assert invoke(server, name, Qualifier="live") == "one"


def test_aliases_are_listed_by_name_and_by_the_version_they_use(server: RunningServer, name: str) -> None:
    client = server.client("lambda")
    for alias, version in (("b", "1"), ("a", "2")):
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)

    assert [each["Name"] for each in client.list_aliases(FunctionName=name)["Aliases"]] == ["a", "b"]
    assert [each["Name"] for each in client.list_aliases(FunctionName=name, FunctionVersion="1")["Aliases"]] == ["b"]


def test_a_deleted_alias_is_gone_and_may_be_deleted_again(server: RunningServer, name: str) -> None:
    client = server.client("lambda")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    first = client.delete_alias(FunctionName=name, Name="live")
    again = client.delete_alias(FunctionName=name, Name="live")

    assert (status(first), status(again)) == (204, 204)
    assert refusal(client.get_alias, FunctionName=name, Name="live") == missing(
        f"Cannot find alias arn: {arn_of(name, 'live')}"
    )


_WEIGHT = (
    "1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
    "constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
    "Member must have value greater than or equal to 0.0, Member must not be null]"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            invalid("Invalid function version 1. Function version 1 is already included in routing configuration."),
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "3": 0.1}}},
            invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"),
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            Refused("ValidationException", _WEIGHT, 400),
        ),
        (
            {"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}},
            invalid("$LATEST is not supported for an alias pointing to more than 1 version"),
        ),
    ],
    ids=["the same version twice", "two more versions", "a weight above 1", "$LATEST beside another"],
)
def test_create_refuses(server: RunningServer, name: str, given: dict[str, Any], expected: Refused) -> None:
    client = server.client("lambda")

    assert refusal(client.create_alias, FunctionName=name, Name="live", **given) == expected
    assert client.list_aliases(FunctionName=name)["Aliases"] == []


def test_an_alias_is_made_once(server: RunningServer, name: str) -> None:
    client = server.client("lambda")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    refused = refusal(client.create_alias, FunctionName=name, Name="live", FunctionVersion="2")

    assert refused == conflict(f"Alias already exists: {arn_of(name, 'live')}")


def test_an_alias_of_a_version_that_is_not_there_is_refused(server: RunningServer, name: str) -> None:
    refused = refusal(server.client("lambda").create_alias, FunctionName=name, Name="live", FunctionVersion="9")

    assert refused == missing(f"Function not found: {arn_of(name, '9')}")


def test_a_change_of_what_was_changed_meanwhile_is_refused(server: RunningServer, name: str) -> None:
    client = server.client("lambda")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    refused = refusal(client.update_alias, FunctionName=name, Name="live", FunctionVersion="2", RevisionId="old")

    assert refused == stale("GetFunction/GetAlias")
