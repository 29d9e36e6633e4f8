"""What is set for asynchronous calls. Texts beyond the service model: as LocalStack recorded them."""

from typing import Any

import pytest

from .account import ACCOUNT, NOON, QUEUE, REGION, Account, arn, told
from .conftest import Play

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"


async def put(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("PutFunctionEventInvokeConfig", FunctionName="hello", **members)


async def get(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("GetFunctionEventInvokeConfig", FunctionName="hello", **members)


def test_what_is_set_is_shown_with_its_time_and_for_latest(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        answer = await put(
            account,
            MaximumRetryAttempts=0,
            MaximumEventAgeInSeconds=60,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        )

        assert answer == await get(account) == await get(account, Qualifier="$LATEST")
        assert answer == {
            "LastModified": NOON,
            "FunctionArn": arn(qualifier="$LATEST"),
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": 60,
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
        }

    play(scenario)


def test_putting_sets_all_anew_and_updating_only_what_it_names(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await put(account, MaximumRetryAttempts=1, DestinationConfig={"OnSuccess": {"Destination": QUEUE}})

        updated = await account.ask(
            "UpdateFunctionEventInvokeConfig", FunctionName="hello", MaximumEventAgeInSeconds=90
        )
        replaced = await put(account, MaximumEventAgeInSeconds=120)

        assert updated["MaximumRetryAttempts"] == 1
        assert updated["MaximumEventAgeInSeconds"] == 90
        assert updated["DestinationConfig"]["OnSuccess"] == {"Destination": QUEUE}
        assert "MaximumRetryAttempts" not in replaced
        assert replaced["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}

    play(scenario)


def test_function_version_and_alias_have_each_their_own(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")
        for retries, qualifier in enumerate(("$LATEST", "1", "live")):
            await put(account, Qualifier=qualifier, MaximumRetryAttempts=retries)

        listed = await account.ask("ListFunctionEventInvokeConfigs", FunctionName="hello")
        first = await account.ask("ListFunctionEventInvokeConfigs", FunctionName="hello", MaxItems=2)
        rest = await account.ask("ListFunctionEventInvokeConfigs", FunctionName="hello", Marker=first["NextMarker"])

        shown = [(each["FunctionArn"], each["MaximumRetryAttempts"]) for each in listed["FunctionEventInvokeConfigs"]]
        assert shown == [(arn(qualifier="$LATEST"), 0), (arn(qualifier="1"), 1), (arn(qualifier="live"), 2)]
        assert "NextMarker" not in listed
        both = first["FunctionEventInvokeConfigs"] + rest["FunctionEventInvokeConfigs"]
        assert both == listed["FunctionEventInvokeConfigs"]

    play(scenario)


def test_what_is_deleted_is_gone_and_so_is_that_of_a_deleted_alias_version_or_function(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")
        for qualifier in ("$LATEST", "1", "live"):
            await put(account, Qualifier=qualifier, MaximumRetryAttempts=1)

        await account.ask("DeleteFunctionEventInvokeConfig", FunctionName="hello")
        await account.ask("DeleteAlias", FunctionName="hello", Name="live")
        await account.ask("DeleteFunction", FunctionName="hello", Qualifier="1")

        assert (await account.ask("ListFunctionEventInvokeConfigs", FunctionName="hello")) == {
            "FunctionEventInvokeConfigs": []
        }
        await put(account, MaximumRetryAttempts=1)
        await account.ask("DeleteFunction", FunctionName="hello")
        await account.a_function()
        assert (await account.refusal("GetFunctionEventInvokeConfig", FunctionName="hello")).status == 404

    play(scenario)


@pytest.mark.parametrize("operation", ["Get", "Delete", "Update"])
def test_what_is_not_set_is_not_found(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        members = {"MaximumRetryAttempts": 1} if operation == "Update" else {}

        error = await account.refusal(f"{operation}FunctionEventInvokeConfig", FunctionName="hello", **members)

        message = f"The function {arn(qualifier='$LATEST')} doesn't have an EventInvokeConfig"
        assert told(error) == ("ResourceNotFoundException", 404, message)

    play(scenario)


@pytest.mark.parametrize("operation", ["Put", "Update"])
def test_something_has_to_be_set(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(f"{operation}FunctionEventInvokeConfig", FunctionName="hello")

        message = "You must specify at least one of error handling or destination setting."
        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


@pytest.mark.parametrize("members", [{"FunctionName": "ghost"}, {"FunctionName": "hello", "Qualifier": "live"}])
def test_what_is_not_there_cannot_be_set(play: Play, members: dict[str, Any]) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("PutFunctionEventInvokeConfig", MaximumRetryAttempts=1, **members)

        assert told(error) == ("ResourceNotFoundException", 404, "The function doesn't exist.")

    play(scenario)


@pytest.mark.parametrize(
    "destination",
    [QUEUE, TOPIC, f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", arn("other"), arn("other", "1"), ""],
)
def test_a_destination_is_a_queue_a_topic_an_event_bus_or_another_function(play: Play, destination: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        await account.a_function("other")

        answer = await put(account, DestinationConfig={"OnSuccess": {"Destination": destination}})

        assert answer["DestinationConfig"]["OnSuccess"].get("Destination", "") == destination

    play(scenario)


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        (arn("hello"), "You can't specify the function as a destination for itself."),
        (arn("hello", "1"), "You can't specify the function as a destination for itself."),
        (
            arn("other").replace(REGION, "us-east-1"),
            f"The destination ARN {arn('other').replace(REGION, 'us-east-1')} is invalid.",
        ),
        (
            "arn:aws:s3:::bucket",
            (
                "destination arn:aws:s3:::bucket is not supported by Headgate: give the ARN of one of: SQS queue, "
                "SNS topic, function, EventBridge event bus"
            ),
        ),
        (
            f"{QUEUE}.fifo",
            (
                f"The destination ARN {QUEUE}.fifo is invalid: Lambda sends to standard queues and topics only, "
                "not to FIFO"
            ),
        ),
    ],
    ids=["itself", "a version of itself", "another region", "a bucket", "a FIFO queue"],
)
def test_what_nothing_can_be_sent_to_is_no_destination(play: Play, destination: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(
            "PutFunctionEventInvokeConfig",
            FunctionName="hello",
            DestinationConfig={"OnFailure": {"Destination": destination}},
        )

        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


@pytest.mark.parametrize("target", [arn("other"), f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", "arn:x"])
def test_a_dead_letter_target_is_a_queue_or_a_topic(play: Play, target: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(
            "UpdateFunctionConfiguration", FunctionName="hello", DeadLetterConfig={"TargetArn": target}
        )

        message = (
            f"DeadLetterConfig.TargetArn {target} is not supported by Headgate: give the ARN of one of: SQS queue, "
            "SNS topic"
        )
        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)
