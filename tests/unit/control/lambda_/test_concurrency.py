"""Reserved and provisioned concurrency: aws-semantics 9.4; further texts as LocalStack recorded them."""

from typing import Any

import pytest

from headgate.control.lambda_.provisioned import environments_by_version
from headgate.model.function import Alias, RoutingConfig
from headgate.model.provisioned import Provisioned, ProvisionedConcurrency

from .account import ACCOUNT, REGION, Account, arn, told
from .conftest import Play


async def reserve(account: Account, number: int, name: str = "hello") -> dict[str, Any]:
    return await account.ask("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=number)


async def provision(account: Account, number: int, qualifier: str = "1", name: str = "hello") -> dict[str, Any]:
    return await account.ask(
        "PutProvisionedConcurrencyConfig",
        FunctionName=name,
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=number,
    )


async def with_alias(account: Account) -> None:
    await account.a_function(Publish=True)
    await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")


def test_what_is_reserved_is_shown_and_taken_away(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert await reserve(account, 30) == {"ReservedConcurrentExecutions": 30}
        assert await account.ask("GetFunctionConcurrency", FunctionName="hello") == {"ReservedConcurrentExecutions": 30}
        shown = await account.ask("GetFunction", FunctionName="hello")
        assert shown["Concurrency"] == {"ReservedConcurrentExecutions": 30}
        limits = (await account.ask("GetAccountSettings"))["AccountLimit"]
        assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 970)

        await account.ask("DeleteFunctionConcurrency", FunctionName="hello")
        assert await account.ask("GetFunctionConcurrency", FunctionName="hello") == {}
        assert "Concurrency" not in await account.ask("GetFunction", FunctionName="hello")

    play(scenario)


def test_at_least_a_hundred_stay_unreserved(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await account.a_function("other")
        await reserve(account, 500, "other")

        assert await reserve(account, 400)
        assert await reserve(account, 399)  # its own reservation does not count against it
        error = await account.refusal("PutFunctionConcurrency", FunctionName="hello", ReservedConcurrentExecutions=401)

        message = (
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            "below its minimum value of [100]."
        )
        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_no_concurrency_at_all_can_always_be_reserved(play: Play) -> None:
    async def scenario(account: Account) -> None:
        account.ports.concurrency = 10
        await account.a_function()

        assert await reserve(account, 0) == {"ReservedConcurrentExecutions": 0}

    play(scenario)


def test_what_is_provisioned_is_ready_when_all_environments_have_started(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        shown = {"FunctionName": "hello", "Qualifier": "1"}

        first = await provision(account, 3)
        account.ports.started["1"] = Provisioned(started=2)
        then = await account.ask("GetProvisionedConcurrencyConfig", **shown)
        account.ports.started["1"] = Provisioned(started=5)
        at_last = await account.ask("GetProvisionedConcurrencyConfig", **shown)

        assert first == {
            "RequestedProvisionedConcurrentExecutions": 3,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": "2024-10-10T13:55:36+0000",
        }
        assert (then["Status"], then["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
        assert (at_last["Status"], at_last["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 3)

    play(scenario)


def test_an_environment_that_does_not_start_is_a_failure_with_its_reason(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await provision(account, 2)
        account.ports.started["1"] = Provisioned(started=0, failing=True)

        shown = await account.ask("GetProvisionedConcurrencyConfig", FunctionName="hello", Qualifier="1")

        assert (shown["Status"], shown["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")

    play(scenario)


def test_provisioned_concurrency_is_listed_by_qualifier_and_deleted(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await with_alias(account)
        await account.a_version()
        await provision(account, 1, "live")
        await provision(account, 2, "2")

        listed = await account.ask("ListProvisionedConcurrencyConfigs", FunctionName="hello")
        await account.ask("DeleteProvisionedConcurrencyConfig", FunctionName="hello", Qualifier="2")
        error = await account.refusal("GetProvisionedConcurrencyConfig", FunctionName="hello", Qualifier="2")

        shown = [
            (each["FunctionArn"], each["RequestedProvisionedConcurrentExecutions"])
            for each in listed["ProvisionedConcurrencyConfigs"]
        ]
        assert shown == [(arn(qualifier="2"), 2), (arn(qualifier="live"), 1)]
        message = "No Provisioned Concurrency Config found for this function"
        assert told(error) == ("ProvisionedConcurrencyConfigNotFoundException", 404, message)

    play(scenario)


def test_what_is_provisioned_goes_with_its_alias(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await with_alias(account)
        await provision(account, 1, "live")

        await account.ask("DeleteAlias", FunctionName="hello", Name="live")

        listed = await account.ask("ListProvisionedConcurrencyConfigs", FunctionName="hello")
        assert listed == {"ProvisionedConcurrencyConfigs": []}

    play(scenario)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("Put", "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
        ("Get", "The function resource provided must be an alias or a published version."),
        ("Delete", "The function resource provided must be an alias or a published version."),
    ],
)
def test_latest_is_never_provisioned(play: Play, operation: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(
            f"{operation}ProvisionedConcurrencyConfig",
            FunctionName="hello",
            Qualifier="$LATEST",
            ProvisionedConcurrentExecutions=1,
        )

        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_a_version_is_provisioned_by_itself_or_through_an_alias_and_not_both(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await with_alias(account)
        put = {"FunctionName": "hello", "ProvisionedConcurrentExecutions": 1}
        await provision(account, 1, "live")

        version = await account.refusal("PutProvisionedConcurrencyConfig", Qualifier="1", **put)
        await account.ask("DeleteProvisionedConcurrencyConfig", FunctionName="hello", Qualifier="live")
        await provision(account, 1, "1")
        alias = await account.refusal("PutProvisionedConcurrencyConfig", Qualifier="live", **put)

        pointed = "Version is pointed by a Provisioned Concurrency alias"
        assert told(version) == ("ResourceConflictException", 409, pointed)
        taken = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        assert told(alias) == ("ResourceConflictException", 409, taken)

    play(scenario)


@pytest.mark.parametrize(
    ("reserved", "wanted", "message"),
    [
        (
            3,
            4,
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
        ),
        (
            None,
            901,
            (
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                "its minimum value of [100]."
            ),
        ),
        (
            None,
            46,
            (
                "ProvisionedConcurrentExecutions 46 is more than this server keeps started: 50 in all, of which 5 are "
                "taken; it can be at most 45"
            ),
        ),
    ],
    ids=["more than is reserved", "more than the account has", "more than the machine keeps"],
)
def test_what_there_is_no_room_for_is_not_provisioned(
    play: Play, reserved: int | None, wanted: int, message: str
) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.a_function("other", Publish=True)
        await provision(account, 5, name="other")
        if reserved is not None:
            await reserve(account, reserved)

        error = await account.refusal(
            "PutProvisionedConcurrencyConfig",
            FunctionName="hello",
            Qualifier="1",
            ProvisionedConcurrentExecutions=wanted,
        )

        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_what_is_reserved_covers_what_is_provisioned(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await provision(account, 5)

        error = await account.refusal("PutFunctionConcurrency", FunctionName="hello", ReservedConcurrentExecutions=4)

        assert error.message.endswith("should not be lower than function's total provisioned concurrency [5].")
        assert await reserve(account, 5)

    play(scenario)


def test_the_two_versions_of_an_alias_share_what_it_has_and_none_has_less_than_its_part() -> None:
    def provisioned(qualifier: str, requested: int) -> ProvisionedConcurrency:
        return ProvisionedConcurrency(
            function_name="hello",
            qualifier=qualifier,
            account_id=ACCOUNT,
            region=REGION,
            requested=requested,
            last_modified="",
        )

    alias = Alias(
        name="live",
        alias_arn=arn(qualifier="live"),
        function_version="1",
        revision_id="r",
        function_name="hello",
        account_id=ACCOUNT,
        region=REGION,
        routing_config=RoutingConfig(additional_version_weights={"2": 0.1}),
    )

    assert environments_by_version([provisioned("live", 5)], {"live": alias}) == {"1": 5, "2": 1}
    assert environments_by_version([provisioned("3", 4), provisioned("live", 10)], {"live": alias}) == {
        "3": 4,
        "1": 9,
        "2": 1,
    }
