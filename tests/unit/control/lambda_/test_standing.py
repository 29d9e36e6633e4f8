"""Answers that are always the same."""

import pytest

from .account import Account, a_zip, arn, told
from .conftest import Play


def test_an_account_has_lambda_s_limits_and_the_sum_of_its_code(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function("a", Publish=True)
        await account.a_function("b")

        settings = await account.ask("GetAccountSettings")

        assert settings["AccountUsage"] == {"FunctionCount": 2, "TotalCodeSize": 3 * len(a_zip())}
        assert settings["AccountLimit"] == {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        }

    play(scenario)


def test_a_function_is_not_signed(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        signing = await account.ask("GetFunctionCodeSigningConfig", FunctionName=arn())
        assert signing == {"FunctionName": "hello", "CodeSigningConfigArn": ""}

    play(scenario)


@pytest.mark.parametrize(("name", "qualifier"), [("hello", "$LATEST"), ("hello:1", "1")])
def test_runtimes_are_updated_by_themselves(play: Play, name: str, qualifier: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)

        answer = await account.ask("GetRuntimeManagementConfig", FunctionName=name)

        assert answer == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn(qualifier=qualifier)}

    play(scenario)


@pytest.mark.parametrize(
    "operation", ["GetFunctionConcurrency", "GetFunctionCodeSigningConfig", "GetRuntimeManagementConfig"]
)
def test_a_function_that_is_not_there_has_no_settings(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal(operation, FunctionName="ghost")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")

    play(scenario)
