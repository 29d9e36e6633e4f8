"""Resource policies: aws-semantics 9.3."""

import json
from typing import Any

import pytest

from headgate.control.lambda_.policy import MAX_POLICY_BYTES

from .account import Account, arn, told
from .conftest import Play

SOURCE = "arn:aws:execute-api:eu-west-1:111111111111:abcdefghij/*/*/*"


async def add(account: Account, sid: str = "api", name: str = "hello", **members: Any) -> dict[str, Any]:
    """The statement that was made."""
    plain = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    answer = await account.ask("AddPermission", FunctionName=name, StatementId=sid, **{**plain, **members})
    statement: dict[str, Any] = json.loads(answer["Statement"])
    return statement


async def refused(account: Account, sid: str = "api", name: str = "hello", **members: Any) -> tuple[str, int, str]:
    plain = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    error = await account.refusal("AddPermission", FunctionName=name, StatementId=sid, **{**plain, **members})
    return told(error)


async def policy(account: Account, name: str = "hello") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await account.ask("GetPolicy", FunctionName=name))["Policy"])
    return found


async def a_function_with_an_alias(account: Account) -> None:
    await account.a_function(Publish=True)
    await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")


def test_the_usual_grant_of_an_api(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        made = await add(account, SourceArn=SOURCE)

        assert made == {
            "Sid": "api",
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn(),
            "Condition": {"ArnLike": {"AWS:SourceArn": SOURCE}},
        }
        assert await policy(account) == {"Version": "2012-10-17", "Id": "default", "Statement": [made]}

    play(scenario)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("*", "*"),
        ("222222222222", {"AWS": "arn:aws:iam::222222222222:root"}),
        ("arn:aws:iam::222222222222:role/caller", {"AWS": "arn:aws:iam::222222222222:role/caller"}),
        ("sns.amazonaws.com", {"Service": "sns.amazonaws.com"}),
    ],
)
def test_a_principal_is_everyone_an_account_an_identity_or_a_service(play: Play, given: str, shown: object) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert (await add(account, Principal=given))["Principal"] == shown

    play(scenario)


def test_another_principal_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        message = "The provided principal was invalid. Please check the principal and try again."
        assert await refused(account, Principal="somebody") == ("InvalidParameterValueException", 400, message)

    play(scenario)


@pytest.mark.parametrize(
    ("members", "condition"),
    [
        ({}, None),
        ({"SourceAccount": "222222222222"}, {"StringEquals": {"AWS:SourceAccount": "222222222222"}}),
        ({"PrincipalOrgID": "o-1234567890"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}),
        ({"EventSourceToken": "tok"}, {"StringEquals": {"lambda:EventSourceToken": "tok"}}),
        ({"FunctionUrlAuthType": "NONE"}, {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
        ({"InvokedViaFunctionUrl": True}, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        (
            {"SourceArn": SOURCE, "SourceAccount": "222222222222"},
            {"StringEquals": {"AWS:SourceAccount": "222222222222"}, "ArnLike": {"AWS:SourceArn": SOURCE}},
        ),
    ],
)
def test_conditions(play: Play, members: dict[str, Any], condition: object) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert (await add(account, **members)).get("Condition") == condition

    play(scenario)


def test_the_function_a_version_and_an_alias_have_policies_apart(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await a_function_with_an_alias(account)

        for name in ("hello", "hello:1", "hello:live"):
            made = await add(account, name=name)  # the same statement id, each time
            assert made["Resource"] == arn(qualifier=name.removeprefix("hello").removeprefix(":"))
            assert (await policy(account, name))["Statement"] == [made]
        await account.ask("RemovePermission", FunctionName="hello:live", StatementId="api")

        assert (await account.refusal("GetPolicy", FunctionName="hello", Qualifier="live")).status == 404
        assert len((await policy(account, "hello:1"))["Statement"]) == 1
        assert len((await policy(account, "hello:$LATEST"))["Statement"]) == 1

    play(scenario)


@pytest.mark.parametrize("members", [{"Qualifier": "$LATEST"}, {"name": "hello:$LATEST"}])
def test_latest_has_no_policy_of_its_own(play: Play, members: dict[str, Any]) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        message = "We currently do not support adding policies for $LATEST."
        assert await refused(account, **members) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_a_statement_id_is_used_once(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await add(account)

        message = (
            "The statement id (api) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
        assert await refused(account) == ("ResourceConflictException", 409, message)
        assert await add(account, "api2")

    play(scenario)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ghost", f"Function not found: {arn('ghost')}"),
        ("hello:7", f"Function not found: {arn(qualifier='7')}"),
        ("hello:live", f"Cannot find alias arn: {arn(qualifier='live')}"),
    ],
)
def test_a_grant_needs_something_to_call(play: Play, name: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert await refused(account, name=name) == ("ResourceNotFoundException", 404, message)

    play(scenario)


def test_a_policy_has_at_most_20_kb(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await add(account, "s1", Principal="a.b")
        before = (await account.ask("GetPolicy", FunctionName="hello"))["Policy"]
        # One more statement costs a comma and itself; its principal takes what is left.
        room = MAX_POLICY_BYTES - 2 * len(before) + len('{"Version":"2012-10-17","Id":"default","Statement":[]}') - 1
        fits = "a.b" + "c" * room

        too_long = await refused(account, "s2", Principal=fits + "c")
        await add(account, "s2", Principal=fits)

        message = f"The final policy size ({MAX_POLICY_BYTES + 1}) is bigger than the limit ({MAX_POLICY_BYTES})."
        assert too_long == ("PolicyLengthExceededException", 400, message)
        assert len((await account.ask("GetPolicy", FunctionName="hello"))["Policy"]) == MAX_POLICY_BYTES

    play(scenario)


def test_a_policy_s_revision_guards_it(play: Play) -> None:
    async def scenario(account: Account) -> None:
        function = (await account.a_function())["RevisionId"]
        mismatch = (
            "PreconditionFailedException",
            412,
            (
                "The Revision Id provided does not match the latest Revision Id. "
                "Call the GetPolicy API to retrieve the latest Revision Id"
            ),
        )

        assert await refused(account, RevisionId="old") == mismatch
        await add(account, RevisionId=function)  # there is no policy yet that could have one
        first = (await account.ask("GetPolicy", FunctionName="hello"))["RevisionId"]
        await add(account, "two", RevisionId=first)
        second = (await account.ask("GetPolicy", FunctionName="hello"))["RevisionId"]

        assert first != second
        assert await refused(account, "three", RevisionId=first) == mismatch
        error = await account.refusal("RemovePermission", FunctionName="hello", StatementId="two", RevisionId=first)
        assert told(error) == mismatch
        await account.ask("RemovePermission", FunctionName="hello", StatementId="two", RevisionId=second)

    play(scenario)


def test_an_alias_s_revision_guards_its_first_grant(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await a_function_with_an_alias(account)
        revision = (await account.ask("GetAlias", FunctionName="hello", Name="live"))["RevisionId"]

        assert await add(account, name="hello:live", RevisionId=revision)

    play(scenario)


def test_a_grant_leaves_the_function_s_revision_alone(play: Play) -> None:
    async def scenario(account: Account) -> None:
        before = await account.a_function()

        await add(account)

        assert await account.ask("GetFunctionConfiguration", FunctionName="hello") == before

    play(scenario)


def test_with_its_last_statement_a_policy_goes(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await add(account, "one")
        await add(account, "two")

        await account.ask("RemovePermission", FunctionName="hello", StatementId="one")
        assert [each["Sid"] for each in (await policy(account))["Statement"]] == ["two"]
        await account.ask("RemovePermission", FunctionName="hello", StatementId="two")

        error = await account.refusal("GetPolicy", FunctionName="hello")
        assert told(error) == ("ResourceNotFoundException", 404, "The resource you requested does not exist.")

    play(scenario)


@pytest.mark.parametrize(
    ("name", "sid", "message"),
    [
        ("ghost", "api", f"No policy found for: {arn('ghost')}"),
        ("hello:1", "api", "No policy is associated with the given resource."),
        ("hello:live", "api", f"Cannot find alias arn: {arn(qualifier='live')}"),
        ("hello", "other", "Statement other is not found in resource policy."),
    ],
)
def test_a_statement_that_is_not_there_cannot_be_removed(play: Play, name: str, sid: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await add(account)

        error = await account.refusal("RemovePermission", FunctionName=name, StatementId=sid)

        assert told(error) == ("ResourceNotFoundException", 404, message)

    play(scenario)
