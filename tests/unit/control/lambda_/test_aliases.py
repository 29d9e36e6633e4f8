"""Aliases: aws-semantics 9.2."""

from typing import Any

import pytest

from .account import QUEUE, ROLE, Account, arn, told
from .conftest import Play


async def two_versions(account: Account) -> None:
    await account.a_function(Publish=True)
    await account.a_version()


async def create(account: Account, name: str = "live", **members: Any) -> dict[str, Any]:
    return await account.ask("CreateAlias", **{"FunctionName": "hello", "Name": name, "FunctionVersion": "1"} | members)


async def update(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("UpdateAlias", FunctionName="hello", Name="live", **members)


def weights(**shares: float) -> dict[str, Any]:
    return {"AdditionalVersionWeights": {name.removeprefix("v"): share for name, share in shares.items()}}


def shown(alias: dict[str, Any]) -> dict[str, Any]:
    return {name: alias[name] for name in alias if name not in {"RevisionId", "FunctionName", "AccountId", "Region"}}


def test_an_alias_is_what_was_asked_for(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)

        plain = await create(account)
        weighted = await create(account, "next", Description="to be", RoutingConfig=weights(v2=0.1))

        assert shown(plain) == {
            "Name": "live",
            "AliasArn": arn(qualifier="live"),
            "FunctionVersion": "1",
            "Description": "",
        }
        assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
        assert weighted["Description"] == "to be"
        assert await account.ask("GetAlias", FunctionName="hello", Name="next") == weighted

    play(scenario)


def test_an_alias_may_stand_for_latest(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert (await create(account, FunctionVersion="$LATEST"))["FunctionVersion"] == "$LATEST"

    play(scenario)


def test_an_alias_is_made_once(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account)

        error = await account.refusal("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="2")

        assert told(error) == ("ResourceConflictException", 409, f"Alias already exists: {arn(qualifier='live')}")

    play(scenario)


def test_an_alias_needs_a_version_that_is_there(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="7")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn(qualifier='7')}")

    play(scenario)


IN_ROUTING = "Invalid function version 1. Function version 1 is already included in routing configuration."
NOT_LATEST = "$LATEST is not supported for an alias pointing to more than 1 version"
A_SHARE = (
    "1 validation error detected: Value '{{2={share}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
    "constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
    "Member must have value greater than or equal to 0.0, Member must not be null]"
)


@pytest.mark.parametrize(
    ("first", "routing", "code", "message"),
    [
        pytest.param(
            "1",
            weights(v1=0.5, v2=0.5),
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
            id="more than one second version",
        ),
        pytest.param("1", weights(v1=0.5), "InvalidParameterValueException", IN_ROUTING, id="the first version again"),
        pytest.param("1", weights(v2=1.5), "ValidationException", A_SHARE.format(share=1.5), id="more than all"),
        pytest.param("1", weights(v2=-0.5), "ValidationException", A_SHARE.format(share=-0.5), id="less than none"),
        pytest.param(
            "1", weights(v2=float("nan")), "ValidationException", A_SHARE.format(share="nan"), id="not a number"
        ),
        pytest.param("$LATEST", weights(v2=0.5), "InvalidParameterValueException", NOT_LATEST, id="latest first"),
        pytest.param(
            "1",
            {"AdditionalVersionWeights": {"$LATEST": 0.5}},
            "InvalidParameterValueException",
            NOT_LATEST,
            id="latest second",
        ),
        pytest.param(
            "1",
            {"AdditionalVersionWeights": {"other": 0.5}},
            "ValidationException",
            "1 validation error detected: Value '{other=0.5}' at 'routingConfig.additionalVersionWeights' failed to "
            "satisfy constraint: Map keys must satisfy constraint: "
            "[Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, "
            "Member must satisfy regular expression pattern: [0-9]+, Member must not be null]",
            id="an alias",
        ),
        pytest.param(
            "1",
            weights(v7=0.5),
            "ResourceNotFoundException",
            f"Function not found: {arn(qualifier='7')}",
            id="a version that is not there",
        ),
    ],
)
def test_a_second_version_that_cannot_stand_beside_the_first_is_refused(
    play: Play, first: str, routing: dict[str, Any], code: str, message: str
) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account)

        members = {"FunctionName": "hello", "FunctionVersion": first, "RoutingConfig": routing}
        created = await account.refusal("CreateAlias", Name="next", **members)
        updated = await account.refusal("UpdateAlias", Name="live", **members)

        for error in (created, updated):
            assert (error.code, error.message) == (code, message)

    play(scenario)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_may_be_none_or_all(play: Play, share: float) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)

        assert (await create(account, RoutingConfig=weights(v2=share)))["RoutingConfig"] == weights(v2=share)

    play(scenario)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Role": f"{ROLE}2"}, "The versions of an alias must have the same execution role"),
        ({"DeadLetterConfig": {"TargetArn": QUEUE}}, "The versions of an alias must have the same dead-letter queue"),
    ],
)
def test_both_versions_have_one_role_and_one_dead_letter_queue(
    play: Play, change: dict[str, Any], message: str
) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.a_version(**change)

        error = await account.refusal(
            "CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1", RoutingConfig=weights(v2=0.1)
        )

        assert error.code == "InvalidParameterValueException"
        assert error.message.startswith(message)

    play(scenario)


def test_an_update_changes_what_it_names_and_the_revision(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        before = await create(account, Description="kept", RoutingConfig=weights(v2=0.1))

        heavier = await update(account, RoutingConfig=weights(v2=0.5))
        described = await update(account, Description="told")

        assert shown(heavier) == {**shown(before), "RoutingConfig": weights(v2=0.5)}
        assert shown(described) == {**shown(heavier), "Description": "told"}
        assert len({each["RevisionId"] for each in (before, heavier, described)}) == 3

    play(scenario)


def test_empty_weights_take_the_second_version_away(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account, RoutingConfig=weights(v2=0.1))

        promoted = await update(account, FunctionVersion="2", RoutingConfig=weights())

        assert promoted["FunctionVersion"] == "2"
        assert "RoutingConfig" not in promoted

    play(scenario)


def test_an_alias_cannot_move_onto_its_own_second_version(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account, RoutingConfig=weights(v2=0.1))

        error = await account.refusal("UpdateAlias", FunctionName="hello", Name="live", FunctionVersion="2")

        assert error.message == IN_ROUTING.replace("1", "2")

    play(scenario)


def test_an_update_with_an_old_revision_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        old = (await create(account))["RevisionId"]
        await update(account, FunctionVersion="2", RevisionId=old)

        error = await account.refusal("UpdateAlias", FunctionName="hello", Name="live", RevisionId=old)

        assert told(error) == (
            "PreconditionFailedException",
            412,
            (
                "The Revision Id provided does not match the latest Revision Id. "
                "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
            ),
        )

    play(scenario)


def test_an_alias_moves_only_to_a_version_that_is_there(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account)

        error = await account.refusal("UpdateAlias", FunctionName="hello", Name="live", FunctionVersion="7")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn(qualifier='7')}")

    play(scenario)


@pytest.mark.parametrize("operation", ["GetAlias", "UpdateAlias"])
def test_an_alias_that_is_not_there_is_told_by_its_arn(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(operation, FunctionName="hello", Name="ghost")

        assert told(error) == ("ResourceNotFoundException", 404, f"Cannot find alias arn: {arn(qualifier='ghost')}")

    play(scenario)


@pytest.mark.parametrize("operation", ["GetAlias", "UpdateAlias", "DeleteAlias", "ListAliases"])
def test_a_function_that_is_not_there_has_no_aliases(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal(operation, FunctionName="ghost", Name="live")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")

    play(scenario)


def test_aliases_are_listed_by_name_page_by_page(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        for name in ("c", "a", "b"):
            await create(account, name)

        first = await account.ask("ListAliases", FunctionName="hello", MaxItems=2)
        second = await account.ask("ListAliases", FunctionName="hello", Marker=first["NextMarker"])

        assert [[each["Name"] for each in page["Aliases"]] for page in (first, second)] == [["a", "b"], ["c"]]

    play(scenario)


def test_aliases_are_listed_by_a_version_that_they_send_calls_to(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account, "first")
        await create(account, "second", FunctionVersion="2")
        await create(account, "both", RoutingConfig=weights(v2=0.1))

        found = await account.ask("ListAliases", FunctionName="hello", FunctionVersion="2")

        assert [each["Name"] for each in found["Aliases"]] == ["both", "second"]

    play(scenario)


def test_a_deleted_alias_takes_its_policy_with_it_and_frees_its_version(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await two_versions(account)
        await create(account)
        grant = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
        await account.ask("AddPermission", FunctionName="hello:live", **grant)

        for _ in range(2):  # the second time it is not there, which is no error
            assert await account.ask("DeleteAlias", FunctionName="hello", Name="live") == {}

        await create(account)
        error = await account.refusal("GetPolicy", FunctionName="hello:live")
        assert error.message == "The resource you requested does not exist."
        await account.ask("DeleteAlias", FunctionName="hello", Name="live")
        assert await account.ask("DeleteFunction", FunctionName="hello:1") == {"StatusCode": 204}

    play(scenario)
