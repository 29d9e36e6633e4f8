"""Published versions, through boto3 (aws-semantics 9.2)."""

import pytest

from support.apis import Refused, fields, refusal, status
from support.functions import zipped
from support.lambdas import (
    a_function,
    a_version,
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
from support.server import RunningServer


def test_a_version_is_what_the_function_was_when_it_was_published(server: RunningServer) -> None:
    name = a_function(server, saying("one"))

    published = server.client("lambda").publish_version(FunctionName=name, Description="first")
    server.client("lambda").update_function_code(FunctionName=name, ZipFile=zipped(saying("two")))

    assert (status(published), published["Version"], published["Description"]) == (201, "1", "first")
    assert published["FunctionArn"] == arn_of(name, "1")
    assert invoke(server, name, Qualifier="1") == "one"
    assert invoke(server, f"{name}:1") == "one"
    assert invoke(server, name) == "two"


def test_what_has_not_changed_is_not_published_twice(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)

    first, second = client.publish_version(FunctionName=name), client.publish_version(FunctionName=name)

    assert fields(first) == fields(second)


def test_a_number_is_never_used_twice(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, saying("one"), Publish=True)
    assert a_version(server, name, saying("two")) == "2"

    client.delete_function(FunctionName=name, Qualifier="2")

    assert a_version(server, name, saying("three")) == "3"


def test_a_function_made_with_publish_says_version_1_under_its_plain_arn(server: RunningServer) -> None:
    name = new_name()

    answer = create(server, name, Publish=True)

    assert (answer["Version"], answer["FunctionArn"]) == ("1", arn_of(name))


def test_versions_are_listed_with_their_arns_latest_first(server: RunningServer) -> None:
    name = a_function(server, saying("one"), Publish=True)
    a_version(server, name, saying("two"))

    listed = server.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]

    assert [(each["Version"], each["FunctionArn"]) for each in listed] == [
        ("$LATEST", arn_of(name, "$LATEST")),
        ("1", arn_of(name, "1")),
        ("2", arn_of(name, "2")),
    ]


def test_a_version_that_an_alias_uses_is_not_deleted(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    refused = refusal(client.delete_function, FunctionName=name, Qualifier="1")

    assert refused == conflict("Unable to delete version because the following aliases reference it: [live]")


@pytest.mark.parametrize(
    ("qualifier", "expected"),
    [
        ("$LATEST", invalid("$LATEST version cannot be deleted without deleting the function.")),
        ("live", invalid("Deletion of aliases is not currently supported.")),
    ],
)
def test_delete_refuses_the_qualifier(server: RunningServer, qualifier: str, expected: Refused) -> None:
    name = a_function(server)

    assert refusal(server.client("lambda").delete_function, FunctionName=name, Qualifier=qualifier) == expected


def test_publishing_another_code_than_expected_is_refused(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server)
    real = client.get_function_configuration(FunctionName=name)["CodeSha256"]

    refused = refusal(client.publish_version, FunctionName=name, CodeSha256="AAAA")

    assert refused == invalid(
        f"CodeSHA256 (AAAA) is different from current CodeSHA256 in $LATEST ({real}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )


def test_publishing_another_revision_than_expected_is_refused(server: RunningServer) -> None:
    name = a_function(server)

    refused = refusal(server.client("lambda").publish_version, FunctionName=name, RevisionId="old")

    assert refused == stale("GetFunction/GetAlias")


def test_a_version_that_is_not_there_is_not_found(server: RunningServer) -> None:
    name = a_function(server)

    for call in (server.client("lambda").get_function, server.client("lambda").invoke):
        assert refusal(call, FunctionName=name, Qualifier="7") == missing(f"Function not found: {arn_of(name, '7')}")


def test_two_qualifiers_that_differ_are_refused(server: RunningServer) -> None:
    name = a_function(server, Publish=True)

    refused = refusal(server.client("lambda").get_function, FunctionName=f"{name}:1", Qualifier="2")

    assert refused == invalid("The derived qualifier from the function name does not match the specified qualifier.")
