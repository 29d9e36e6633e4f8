"""Settings: their limits, their defaults, what is refused. aws-semantics 9.1."""

from typing import Any

import pytest

from .account import QUEUE, ROLE, Account, told
from .conftest import Play


async def update(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("UpdateFunctionConfiguration", FunctionName="hello", **members)


def test_an_update_changes_what_it_names_the_date_and_the_revision(play: Play) -> None:
    async def scenario(account: Account) -> None:
        before = await account.a_function(Description="old", Timeout=5)
        account.now += 60

        after = await update(account, Description="new", MemorySize=512)

        assert after["RevisionId"] != before["RevisionId"]
        assert after["LastModified"] == "2024-10-10T13:56:36.000+0000"
        changed = {"Description", "MemorySize", "RevisionId", "LastModified"}
        assert {name for name in after if after[name] != before[name]} == changed
        assert await account.ask("GetFunctionConfiguration", FunctionName="hello") == after

    play(scenario)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"Timeout": 1}, {"Timeout": 1}),
        ({"Timeout": 900}, {"Timeout": 900}),
        ({"MemorySize": 128}, {"MemorySize": 128}),
        ({"MemorySize": 10_240}, {"MemorySize": 10_240}),
        ({"EphemeralStorage": {"Size": 512}}, {"EphemeralStorage": {"Size": 512}}),
        ({"EphemeralStorage": {"Size": 10_240}}, {"EphemeralStorage": {"Size": 10_240}}),
        ({"Runtime": "python3.11"}, {"Runtime": "python3.11"}),
        ({"Handler": "a.b"}, {"Handler": "a.b"}),
        ({"Role": f"{ROLE}2"}, {"Role": f"{ROLE}2"}),
        ({"TracingConfig": {"Mode": "Active"}}, {"TracingConfig": {"Mode": "Active"}}),
        ({"DeadLetterConfig": {"TargetArn": QUEUE}}, {"DeadLetterConfig": {"TargetArn": QUEUE}}),
        ({"KMSKeyArn": "arn:aws:kms:k"}, {"KMSKeyArn": "arn:aws:kms:k"}),
        (
            {"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}},
            {
                "VpcConfig": {
                    "SubnetIds": ["s"],
                    "SecurityGroupIds": ["g"],
                    "VpcId": "",
                    "Ipv6AllowedForDualStack": False,
                }
            },
        ),
        (
            {"LoggingConfig": {"LogFormat": "JSON"}},
            {
                "LoggingConfig": {
                    "LogFormat": "JSON",
                    "LogGroup": "/aws/lambda/hello",
                    "ApplicationLogLevel": "INFO",
                    "SystemLogLevel": "INFO",
                }
            },
        ),
        (
            {"LoggingConfig": {"LogGroup": "/mine"}},
            {"LoggingConfig": {"LogFormat": "Text", "LogGroup": "/mine"}},
        ),
        (
            {"SnapStart": {"ApplyOn": "None"}},
            {"SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}},
        ),
    ],
)
def test_a_setting_is_shown_as_it_was_made(play: Play, members: dict[str, Any], expected: dict[str, Any]) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function("made", **members)
        await account.a_function("hello")

        created = await account.ask("GetFunctionConfiguration", FunctionName="made")
        updated = await update(account, **members)

        for name, value in expected.items():
            assert updated[name] == value
            if name != "LoggingConfig":  # whose group has the function's name
                assert created[name] == value

    play(scenario)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Timeout": 0},
            "'0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"Timeout": 901},
            "'901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        ),
        (
            {"MemorySize": 127},
            "'127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
        ),
        (
            {"MemorySize": 10_241},
            "'10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
        (
            {"EphemeralStorage": {"Size": 511}},
            (
                "'511' at 'ephemeralStorage.size' failed to satisfy constraint: "
                "Member must have value greater than or equal to 512"
            ),
        ),
        (
            {"EphemeralStorage": {"Size": 10_241}},
            (
                "'10241' at 'ephemeralStorage.size' failed to satisfy constraint: "
                "Member must have value less than or equal to 10240"
            ),
        ),
    ],
)
def test_a_setting_has_its_limits(play: Play, members: dict[str, Any], message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("UpdateFunctionConfiguration", FunctionName="hello", **members)

        assert told(error) == ("ValidationException", 400, f"1 validation error detected: Value {message}")

    play(scenario)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"PackageType": "Image"}, "PackageType Image is not supported by Headgate: give Zip"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart.ApplyOn PublishedVersions is not supported"),
        ({"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}]}, "FileSystemConfigs [{'Arn': 'a'"),
        ({"ImageConfig": {"Command": ["run"]}}, "ImageConfig {'Command': ['run']} is not supported"),
        ({"PublishTo": "LATEST_PUBLISHED"}, "PublishTo LATEST_PUBLISHED is not supported by Headgate: use Publish"),
        (
            {"Runtime": "nodejs22.x"},
            (
                "Value nodejs22.x at 'runtime' failed to satisfy constraint: "
                "Member must satisfy enum value set: [python3.11, python3.13]"
            ),
        ),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_what_cannot_be_run_is_refused_by_name(play: Play, members: dict[str, Any], message: str) -> None:
    async def scenario(account: Account) -> None:
        plain = {"FunctionName": "hello", "Runtime": "python3.13", "Handler": "a.b", "Role": ROLE, "Code": {}}
        created = await account.refusal("CreateFunction", **{**plain, **members})
        await account.a_function()
        updated = await account.refusal("UpdateFunctionConfiguration", FunctionName="hello", **members)

        for error in (created, updated):
            assert (error.code, error.status) == ("InvalidParameterValueException", 400)
            assert error.message.startswith(message)

    play(scenario)


def test_empty_values_of_what_cannot_be_run_ask_for_nothing(play: Play) -> None:
    async def scenario(account: Account) -> None:
        nothing: dict[str, Any] = {
            "Layers": [],
            "FileSystemConfigs": [],
            "ImageConfig": {"Command": []},
            "CodeSigningConfigArn": "",
        }

        await account.a_function(**nothing)

        assert await update(account, **nothing)

    play(scenario)


def test_log_levels_need_json(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        levels = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "DEBUG"}
        as_json = await update(account, LoggingConfig=levels)

        error = await account.refusal(
            "UpdateFunctionConfiguration",
            FunctionName="hello",
            LoggingConfig={"LogFormat": "Text", "ApplicationLogLevel": "WARN"},
        )
        as_text = await update(account, LoggingConfig={"LogFormat": "Text"})

        assert as_json["LoggingConfig"] == {**levels, "LogGroup": "/aws/lambda/hello"}
        assert error.message == (
            'LogLevel is not supported when LogFormat is set to "Text". '
            'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        )
        assert as_text["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"}

    play(scenario)


def test_empty_values_take_settings_away(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(
            Environment={"Variables": {"AA": "1"}}, DeadLetterConfig={"TargetArn": QUEUE}, KMSKeyArn="arn:k"
        )

        after = await update(account, Environment={}, DeadLetterConfig={"TargetArn": ""}, KMSKeyArn="")

        assert after["Environment"] == {"Variables": {}}
        assert not {"DeadLetterConfig", "KMSKeyArn"} & after.keys()

    play(scenario)


@pytest.mark.parametrize("operation", ["CreateFunction", "UpdateFunctionConfiguration"])
def test_environment_variables_are_checked(play: Play, operation: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        members = {"Runtime": "python3.13", "Handler": "a.b", "Role": ROLE, "Code": {}}

        error = await account.refusal(
            operation, FunctionName="hello", Environment={"Variables": {"AWS_REGION": "x"}}, **members
        )

        assert error.message.endswith("Reserved keys used in this request: AWS_REGION")

    play(scenario)


def test_an_update_with_an_old_revision_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        old = (await account.a_function())["RevisionId"]
        new = (await update(account, Timeout=4, RevisionId=old))["RevisionId"]

        error = await account.refusal("UpdateFunctionConfiguration", FunctionName="hello", RevisionId=old)

        assert told(error) == (
            "PreconditionFailedException",
            412,
            (
                "The Revision Id provided does not match the latest Revision Id. "
                "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
            ),
        )
        assert await update(account, RevisionId=new)

    play(scenario)


def test_only_latest_is_updated(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)

        assert await account.ask("UpdateFunctionConfiguration", FunctionName="hello:$LATEST", Timeout=9)
        error = await account.refusal("UpdateFunctionConfiguration", FunctionName="hello:1", Timeout=9)

        assert error.message.startswith("Invalid qualifier 1")

    play(scenario)


def test_a_function_that_is_not_there_cannot_be_updated(play: Play) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("UpdateFunctionConfiguration", FunctionName="ghost", Timeout=9)

        assert (error.code, error.status) == ("ResourceNotFoundException", 404)

    play(scenario)
