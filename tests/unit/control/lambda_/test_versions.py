"""Versions: aws-semantics 9.2."""

from .account import Account, a_zip, arn, told
from .conftest import Play


async def publish(account: Account, **members: str) -> str:
    version: str = (await account.ask("PublishVersion", FunctionName="hello", **members))["Version"]
    return version


def test_a_version_is_latest_as_it_was_under_a_number_of_its_own(play: Play) -> None:
    async def scenario(account: Account) -> None:
        latest = await account.a_function(Description="of the function")

        version = await account.ask("PublishVersion", FunctionName="hello", Description="of the version")

        assert version["RevisionId"] != latest["RevisionId"]
        expected = {"Version": "1", "FunctionArn": arn(qualifier="1"), "Description": "of the version"}
        assert version == {**latest, **expected, "RevisionId": version["RevisionId"]}
        assert await account.ask("GetFunctionConfiguration", FunctionName="hello:1") == version

    play(scenario)


def test_a_version_without_a_description_takes_the_function_s(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Description="of the function")

        assert (await account.ask("PublishVersion", FunctionName="hello"))["Description"] == "of the function"

    play(scenario)


def test_while_nothing_has_changed_the_last_version_is_answered(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        first = await account.ask("PublishVersion", FunctionName="hello")

        again = await account.ask("PublishVersion", FunctionName="hello", Description="another")

        assert again == first

    play(scenario)


def test_a_change_that_was_undone_is_no_change(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Timeout=3, Publish=True)
        for timeout in (4, 3):
            account.now += 60
            await account.ask("UpdateFunctionConfiguration", FunctionName="hello", Timeout=timeout)

        assert await publish(account) == "1"

    play(scenario)


def test_a_change_of_code_settings_or_description_makes_a_version(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)

        await account.ask("UpdateFunctionCode", FunctionName="hello", ZipFile=a_zip("x = 2"))
        assert await publish(account) == "2"
        await account.ask("UpdateFunctionConfiguration", FunctionName="hello", MemorySize=256)
        assert await publish(account) == "3"
        await account.ask("UpdateFunctionConfiguration", FunctionName="hello", Description="new")
        assert await publish(account) == "4"

    play(scenario)


def test_a_version_stays_what_it_was(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        before = await account.ask("GetFunctionConfiguration", FunctionName="hello:1")

        await account.ask("UpdateFunctionCode", FunctionName="hello", ZipFile=a_zip("x = 2"), Publish=True)
        await account.ask("UpdateFunctionConfiguration", FunctionName="hello", Timeout=60)

        assert await account.ask("GetFunctionConfiguration", FunctionName="hello:1") == before

    play(scenario)


def test_a_number_is_never_used_twice(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        await account.a_version()
        await account.ask("DeleteFunction", FunctionName="hello", Qualifier="2")

        assert await publish(account) == "3"  # though nothing has changed: what was published is no more
        await account.ask("DeleteFunction", FunctionName="hello", Qualifier="1")
        assert await account.a_version() == "4"

    play(scenario)


def test_code_is_published_only_if_it_is_what_the_caller_means(play: Play) -> None:
    async def scenario(account: Account) -> None:
        real = (await account.a_function())["CodeSha256"]

        error = await account.refusal("PublishVersion", FunctionName="hello", CodeSha256="AAAA")

        assert told(error) == (
            "InvalidParameterValueException",
            400,
            (
                f"CodeSHA256 (AAAA) is different from current CodeSHA256 in $LATEST ({real}). "
                "Please try again with the CodeSHA256 in $LATEST."
            ),
        )
        assert await publish(account, CodeSha256=real) == "1"

    play(scenario)


def test_an_old_revision_is_not_published(play: Play) -> None:
    async def scenario(account: Account) -> None:
        revision = (await account.a_function())["RevisionId"]

        error = await account.refusal("PublishVersion", FunctionName="hello", RevisionId="old")

        assert (error.code, error.status) == ("PreconditionFailedException", 412)
        assert await publish(account, RevisionId=revision) == "1"

    play(scenario)


def test_a_managed_instance_version_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("PublishVersion", FunctionName="hello", PublishTo="LATEST_PUBLISHED")

        assert error.message.startswith("PublishTo LATEST_PUBLISHED is not supported")

    play(scenario)


def test_versions_are_listed_as_published_ten_after_nine(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)
        for _ in range(9):
            await account.a_version()

        first = await account.ask("ListVersionsByFunction", FunctionName="hello", MaxItems=6)
        second = await account.ask("ListVersionsByFunction", FunctionName="hello", Marker=first["NextMarker"])

        found = [each["Version"] for each in first["Versions"] + second["Versions"]]
        assert found == ["$LATEST", *map(str, range(1, 11))]
        assert [each["FunctionArn"] for each in first["Versions"][:2]] == [arn(qualifier="$LATEST"), arn(qualifier="1")]
        assert "State" not in first["Versions"][0]
        assert "NextMarker" not in second

    play(scenario)


def test_versions_of_a_function_that_is_not_there_cannot_be_listed_or_made(play: Play) -> None:
    async def scenario(account: Account) -> None:
        for operation in ("ListVersionsByFunction", "PublishVersion"):
            error = await account.refusal(operation, FunctionName="ghost")
            assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")

    play(scenario)
