"""Tags of functions."""

from typing import Any

import pytest

from .account import Account, arn, told
from .conftest import Play


def test_tags_are_added_replaced_and_removed(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Tags={"team": "blue", "tier": "1"})

        await account.ask("TagResource", Resource=arn(), Tags={"team": "green", "cost": "42"})
        await account.ask("UntagResource", Resource=arn(), TagKeys=["tier", "never"])

        assert await account.ask("ListTags", Resource=arn()) == {"Tags": {"team": "green", "cost": "42"}}

    play(scenario)


def test_a_function_without_tags_has_an_empty_list(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Tags={"team": "blue"})

        await account.ask("UntagResource", Resource=arn(), TagKeys=["team"])

        assert await account.ask("ListTags", Resource=arn()) == {"Tags": {}}
        assert "Tags" not in await account.ask("GetFunction", FunctionName="hello")

    play(scenario)


OF_PARTS = "Tags on function aliases and versions are not supported. Please specify a function ARN."


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (arn("ghost"), ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")),
        (arn(qualifier="1"), ("InvalidParameterValueException", 400, OF_PARTS)),
        (arn(qualifier="live"), ("InvalidParameterValueException", 400, OF_PARTS)),
        (
            "arn:aws:lambda:eu-west-1:111111111111:layer:x",
            (
                "InvalidParameterValueException",
                400,
                (
                    "Invalid resource arn:aws:lambda:eu-west-1:111111111111:layer:x: "
                    "give the ARN of a function, an event source mapping or a code signing configuration; "
                    "no other resource has tags here"
                ),
            ),
        ),
    ],
)
@pytest.mark.parametrize(
    ("operation", "members"),
    [("ListTags", {}), ("TagResource", {"Tags": {"a": "b"}}), ("UntagResource", {"TagKeys": []})],
)
def test_tags_are_refused_for(
    play: Play, operation: str, members: dict[str, Any], resource: str, expected: tuple[str, int, str]
) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)

        assert told(await account.refusal(operation, Resource=resource, **members)) == expected

    play(scenario)


@pytest.mark.parametrize(
    ("fits", "refused", "message"),
    [
        ({"k" * 128: ""}, {"k" * 129: ""}, "1 to 128 characters"),
        ({"k": "v" * 256}, {"k": "v" * 257}, "at most 256 characters"),
        ({"awsome": ""}, {"aws:mine": ""}, "keys beginning with aws: are reserved"),
        ({"k": ""}, {"": ""}, "1 to 128 characters"),
        (dict.fromkeys(map(str, range(50)), ""), dict.fromkeys(map(str, range(51)), ""), "51 tags given"),
    ],
    ids=["long key", "long value", "reserved key", "empty key", "many"],
)
def test_tags_have_limits(play: Play, fits: dict[str, str], refused: dict[str, str], message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("TagResource", Resource=arn(), Tags=refused)
        await account.ask("TagResource", Resource=arn(), Tags=fits)

        assert error.code == "InvalidParameterValueException"
        assert message in error.message

    play(scenario)


def test_a_function_with_bad_tags_is_not_made(play: Play) -> None:
    async def scenario(account: Account) -> None:
        members = {"Runtime": "python3.13", "Handler": "a.b", "Role": "r", "Code": {}, "Tags": {"aws:a": "b"}}

        error = await account.refusal("CreateFunction", FunctionName="hello", **members)

        assert "reserved" in error.message

    play(scenario)
