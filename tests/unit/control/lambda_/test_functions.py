"""Functions: create, get, list, delete. aws-semantics 9.1 and 9.2."""

import base64
import hashlib

import pytest

from headgate.control.lambda_.lookup import key_of
from headgate.model.arn import FunctionRef
from headgate.model.function import Alias, FunctionPolicy, FunctionRecord, FunctionVersion

from .account import ACCOUNT, REGION, ROLE, Account, a_zip, arn, told
from .conftest import Play


def test_a_function_that_names_nothing_more_has_the_defaults(play: Play) -> None:
    async def scenario(account: Account) -> None:
        answer = await account.a_function()

        assert len(answer.pop("RevisionId")) == 36
        assert answer == {
            "FunctionName": "hello",
            "FunctionArn": arn(),
            "Version": "$LATEST",
            "Runtime": "python3.13",
            "Role": ROLE,
            "Handler": "index.handler",
            "CodeSize": len(a_zip()),
            "CodeSha256": base64.b64encode(hashlib.sha256(a_zip()).digest()).decode(),
            "LastModified": "2024-10-10T13:55:36.000+0000",
            "Description": "",
            "Timeout": 3,
            "MemorySize": 128,
            "TracingConfig": {"Mode": "PassThrough"},
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"},
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "UnzippedSize": 41,  # this and the next two the wire leaves out
            "AccountId": ACCOUNT,
            "Region": REGION,
        }

    play(scenario)


def test_what_is_created_is_what_is_got(play: Play) -> None:
    async def scenario(account: Account) -> None:
        created = await account.a_function(Environment={"Variables": {"STAGE": "prod"}}, Timeout=30)

        assert await account.ask("GetFunctionConfiguration", FunctionName="hello") == created
        assert created["Environment"] == {"Variables": {"STAGE": "prod"}}
        assert created["Timeout"] == 30

    play(scenario)


def test_get_function_shows_its_tags_and_where_its_code_is(play: Play) -> None:
    async def scenario(account: Account) -> None:
        created = await account.a_function(Tags={"team": "blue"})

        found = await account.ask("GetFunction", FunctionName=arn())

        location = f"http://code/{hashlib.sha256(a_zip()).hexdigest()}"
        code = {"RepositoryType": "S3", "Location": location}
        assert found == {"Configuration": created, "Code": code, "Tags": {"team": "blue"}}

    play(scenario)


def test_a_function_without_tags_shows_none(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert "Tags" not in await account.ask("GetFunction", FunctionName="hello")

    play(scenario)


@pytest.mark.parametrize(
    ("qualifier", "version"), [("$LATEST", "$LATEST"), ("1", "1"), ("live", "1")], ids=["latest", "version", "alias"]
)
def test_with_a_qualifier_the_arn_carries_it(play: Play, qualifier: str, version: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")

        found = await account.ask("GetFunctionConfiguration", FunctionName="hello", Qualifier=qualifier)
        whole = await account.ask("GetFunction", FunctionName=f"hello:{qualifier}")

        assert (found["FunctionArn"], found["Version"]) == (arn(qualifier=qualifier), version)
        assert whole["Configuration"] == found

    play(scenario)


@pytest.mark.parametrize("qualifier", ["", "$LATEST", "7", "live"])
@pytest.mark.parametrize("operation", ["GetFunction", "GetFunctionConfiguration"])
def test_what_is_not_there_is_told_with_its_whole_name(play: Play, operation: str, qualifier: str) -> None:
    async def scenario(account: Account) -> None:
        name = f"ghost:{qualifier}" if qualifier else "ghost"

        error = await account.refusal(operation, FunctionName=name)

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost', qualifier)}")
        assert error.fields == {"Type": "User"}

    play(scenario)


def test_create_with_publish_answers_version_1_under_the_unqualified_arn(play: Play) -> None:
    async def scenario(account: Account) -> None:
        created = await account.a_function(Publish=True)

        assert (created["Version"], created["FunctionArn"]) == ("1", arn())
        latest = await account.ask("GetFunctionConfiguration", FunctionName="hello")
        assert (latest["Version"], latest["FunctionArn"]) == ("$LATEST", arn())

    play(scenario)


def test_a_name_is_taken_once(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal(
            "CreateFunction",
            FunctionName=arn(),
            Runtime="python3.13",
            Handler="other.handler",
            Role=ROLE,
            Code={"ZipFile": a_zip("other = 1")},
        )

        assert told(error) == ("ResourceConflictException", 409, "Function already exist: hello")
        code = hashlib.sha256(a_zip("other = 1")).hexdigest()
        assert await account.store.read(lambda tx: tx.get_blob(code)) is None

    play(scenario)


def test_the_same_name_is_free_in_another_region(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        account.scope = type(account.scope)(account_id=ACCOUNT, region="us-east-1")

        created = await account.a_function()

        assert created["FunctionArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:hello"

    play(scenario)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a" * 65, "Member must have length less than or equal to 64"),
        ("hello:live", "Invalid qualifier live in FunctionName"),
        ("hello:$LATEST", "Invalid qualifier $LATEST in FunctionName"),
    ],
)
def test_a_new_function_has_a_plain_name_of_at_most_64_characters(play: Play, name: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        assert (await account.a_function("a" * 64))["FunctionName"] == "a" * 64

        error = await account.refusal(
            "CreateFunction",
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=ROLE,
            Code={"ZipFile": a_zip()},
        )

        assert message in error.message

    play(scenario)


@pytest.mark.parametrize("missing", ["Runtime", "Handler"])
def test_a_zip_needs_a_runtime_and_a_handler(play: Play, missing: str) -> None:
    async def scenario(account: Account) -> None:
        members = {
            "FunctionName": "hello",
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": a_zip()},
        }
        del members[missing]

        error = await account.refusal("CreateFunction", **members)

        message = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_functions_are_listed_by_name_page_by_page_without_their_state(play: Play) -> None:
    async def scenario(account: Account) -> None:
        for name in ("c", "a", "b"):
            await account.a_function(name, Publish=True)

        first = await account.ask("ListFunctions", MaxItems=2)
        second = await account.ask("ListFunctions", MaxItems=2, Marker=first["NextMarker"])

        assert [each["FunctionArn"] for each in first["Functions"]] == [arn("a"), arn("b")]
        assert [each["FunctionArn"] for each in second["Functions"]] == [arn("c")]
        assert "NextMarker" not in second
        assert not {"State", "LastUpdateStatus"} & first["Functions"][0].keys()

    play(scenario)


def test_all_versions_are_listed_under_their_own_arns(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function("a", Publish=True)
        await account.a_function("b")

        found = await account.ask("ListFunctions", FunctionVersion="ALL", MasterRegion="ALL")

        expected = [arn("a", "$LATEST"), arn("a", "1"), arn("b", "$LATEST")]
        assert [each["FunctionArn"] for each in found["Functions"]] == expected

    play(scenario)


def test_a_marker_that_is_none_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        assert (await account.refusal("ListFunctions", Marker="?")).code == "InvalidParameterValueException"

    play(scenario)


def test_a_deleted_function_leaves_nothing_and_its_namesake_begins_anew(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.ask("CreateAlias", FunctionName="hello", Name="live", FunctionVersion="1")
        for qualifier in ({}, {"Qualifier": "live"}, {"Qualifier": "1"}):
            await account.ask("AddPermission", FunctionName="hello", **A_GRANT, **qualifier)
        await account.a_function("hello2")

        assert await account.ask("DeleteFunction", FunctionName="hello") == {"StatusCode": 204}

        key = key_of(FunctionRef(account_id=ACCOUNT, region=REGION, name="hello"))
        assert await account.store.read(lambda tx: tx.list(FunctionVersion, *key)) == []
        assert await account.store.read(lambda tx: tx.list(Alias, *key)) == []
        assert await account.store.read(lambda tx: tx.list(FunctionPolicy, *key)) == []
        assert await account.store.read(lambda tx: tx.get(FunctionRecord, *key)) is None
        assert await account.ask("GetFunction", FunctionName="hello2")
        assert (await account.a_function(Publish=True))["Version"] == "1"

    play(scenario)


def test_a_function_that_is_not_there_cannot_be_deleted(play: Play) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("DeleteFunction", FunctionName="ghost")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")

    play(scenario)


def test_a_version_is_deleted_alone_with_its_policy(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        second = await account.a_version()
        await account.ask("AddPermission", FunctionName="hello", Qualifier="1", **A_GRANT)

        await account.ask("DeleteFunction", FunctionName="hello", Qualifier="1")

        versions = await account.ask("ListVersionsByFunction", FunctionName="hello")
        assert [each["Version"] for each in versions["Versions"]] == ["$LATEST", second]
        key = key_of(FunctionRef(account_id=ACCOUNT, region=REGION, name="hello"))
        assert await account.store.read(lambda tx: tx.list(FunctionPolicy, *key)) == []

    play(scenario)


def test_deleting_a_version_that_is_not_there_is_no_error(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert await account.ask("DeleteFunction", FunctionName="hello:7") == {"StatusCode": 204}

    play(scenario)


@pytest.mark.parametrize("version", ["1", "2"], ids=["the alias's first version", "its second"])
def test_a_version_that_an_alias_sends_calls_to_stays(play: Play, version: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.a_version()
        await account.ask(
            "CreateAlias",
            FunctionName="hello",
            Name="live",
            FunctionVersion="1",
            RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
        )

        error = await account.refusal("DeleteFunction", FunctionName="hello", Qualifier=version)

        message = "Unable to delete version because the following aliases reference it: [live]"
        assert told(error) == ("ResourceConflictException", 409, message)

    play(scenario)


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
    ],
)
def test_latest_and_aliases_are_not_deleted_like_versions(play: Play, qualifier: str, message: str) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("DeleteFunction", FunctionName="hello", Qualifier=qualifier)

        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


A_GRANT = {"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
