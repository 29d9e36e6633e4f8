"""Code: where it comes from, what is refused, what is kept. aws-semantics 9.1."""

import base64
import hashlib
from typing import Any

import pytest

from headgate.control.lambda_.code import MAX_ZIP_BYTES, Bundle

from .account import ROLE, Account, a_zip, arn, told
from .conftest import Play

GREEN = a_zip("def handler(event, context): return 'green'")


async def update(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("UpdateFunctionCode", FunctionName="hello", **members)


async def kept(account: Account, code_sha256: str) -> bytes | None:
    digest = base64.b64decode(code_sha256).hex()
    return await account.store.read(lambda tx: tx.get_blob(digest))


def test_code_is_kept_under_the_digest_that_the_function_shows(play: Play) -> None:
    async def scenario(account: Account) -> None:
        created = await account.a_function()
        updated = await update(account, ZipFile=GREEN)

        assert await kept(account, created["CodeSha256"]) == a_zip()
        assert await kept(account, updated["CodeSha256"]) == GREEN
        assert updated["CodeSize"] == len(GREEN)
        assert updated["RevisionId"] != created["RevisionId"]
        assert await account.ask("GetFunctionConfiguration", FunctionName="hello") == updated

    play(scenario)


def test_a_bundle_shows_its_digest_in_base64() -> None:
    digest = hashlib.sha256(b"zip")

    bundle = Bundle(body=b"zip", digest=digest.hexdigest(), unzipped_size=3)

    assert base64.b64decode(bundle.code_sha256) == digest.digest()


@pytest.mark.parametrize("version_id", [None, "v2"])
def test_code_can_come_from_s3(play: Play, version_id: str | None) -> None:
    async def scenario(account: Account) -> None:
        account.ports.objects["builds", "green.zip", version_id] = GREEN
        place = {"S3Bucket": "builds", "S3Key": "green.zip"}
        if version_id:
            place["S3ObjectVersion"] = version_id

        created = await account.a_function("made", Code=place)
        await account.a_function()
        updated = await update(account, **place)

        assert created["CodeSha256"] == updated["CodeSha256"]
        assert await kept(account, updated["CodeSha256"]) == GREEN

    play(scenario)


def test_an_object_that_cannot_be_had_changes_nothing(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        error = await account.refusal("UpdateFunctionCode", FunctionName="hello", S3Bucket="builds", S3Key="none")

        assert error.message == "Error occurred while GetObject."

    play(scenario)


def a_zip_that_claims(size: int) -> bytes:
    """A zip whose directory says that its file has this many bytes."""
    body = bytearray(a_zip())
    entry = body.index(b"PK\x01\x02")
    body[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    return bytes(body)


def a_torn_zip() -> bytes:
    whole = bytearray(a_zip())
    whole[40] ^= 0xFF  # within the stored file: its checksum fails
    return bytes(whole)


def test_an_archive_of_250_mb_is_too_large_unzipped(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        large = a_zip_that_claims(262_144_000)
        error = await account.refusal("UpdateFunctionCode", FunctionName="hello", ZipFile=large)

        message = "Unzipped size must be smaller than 262144000 bytes"
        assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
NO_SOURCE = "Please provide a source for function code: give ZipFile, or S3Bucket and S3Key."
TWO_SOURCES = "Please do not provide other FunctionCode parameters when providing a ZipFile."


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param({"ZipFile": b"no zip"}, NOT_A_ZIP, id="what is no zip"),
        pytest.param({"ZipFile": a_zip()[:-30]}, NOT_A_ZIP, id="a zip cut short"),
        pytest.param({"ZipFile": a_torn_zip()}, NOT_A_ZIP, id="a damaged zip"),
        pytest.param({"ZipFile": a_zip(files={"../out": b""})}, NOT_A_ZIP, id="a zip that leads out of its folder"),
        pytest.param({"ZipFile": b""}, "Uploaded file must be a non-empty zip", id="nothing"),
        pytest.param({}, NO_SOURCE, id="no source"),
        pytest.param({"S3Bucket": "builds"}, NO_SOURCE, id="a bucket without a key"),
        pytest.param({"ZipFile": GREEN, "S3Bucket": "b", "S3Key": "k"}, TWO_SOURCES, id="two sources"),
        pytest.param(
            {"ImageUri": "repo:1"},
            "ImageUri repo:1 is not supported by Headgate: give ZipFile, or S3Bucket and S3Key",
            id="an image",
        ),
    ],
)
def test_code_that_cannot_be_used_is_refused(play: Play, code: dict[str, Any], message: str) -> None:
    async def scenario(account: Account) -> None:
        created = await account.refusal(
            "CreateFunction",
            FunctionName="hello",
            Runtime="python3.13",
            Handler="index.handler",
            Role=ROLE,
            Code=code,
        )
        await account.a_function()
        updated = await account.refusal("UpdateFunctionCode", FunctionName="hello", **code)

        for error in (created, updated):
            assert told(error) == ("InvalidParameterValueException", 400, message)

    play(scenario)


def test_a_zip_in_a_request_has_at_most_50_mb(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()
        filler = MAX_ZIP_BYTES - len(a_zip(files={"filler": b""}))

        fits = a_zip(files={"filler": bytes(filler)})
        error = await account.refusal("UpdateFunctionCode", FunctionName="hello", ZipFile=fits + b"\0")

        assert (await update(account, ZipFile=fits))["CodeSize"] == MAX_ZIP_BYTES
        message = "Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation"
        assert told(error) == ("RequestEntityTooLargeException", 413, message)

    play(scenario)


def test_a_dry_run_checks_all_and_changes_nothing(play: Play) -> None:
    async def scenario(account: Account) -> None:
        created = await account.a_function()
        revision = account.store.revision

        answer = await update(account, ZipFile=GREEN, DryRun=True, Publish=True)
        refused = await account.refusal("UpdateFunctionCode", FunctionName="hello", ZipFile=b"no zip", DryRun=True)

        assert answer == created
        assert refused.message == NOT_A_ZIP
        assert account.store.revision == revision

    play(scenario)


def test_new_code_can_be_published_at_once(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function(Publish=True)

        answer = await update(account, ZipFile=GREEN, Publish=True)
        again = await update(account, ZipFile=GREEN, Publish=True)

        assert (answer["Version"], answer["FunctionArn"]) == ("2", arn(qualifier="2"))
        assert again == answer
        first = await account.ask("GetFunctionConfiguration", FunctionName="hello:1")
        assert first["CodeSha256"] != answer["CodeSha256"]

    play(scenario)


def test_the_architecture_changes_with_the_code(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert (await update(account, ZipFile=GREEN, Architectures=["arm64"]))["Architectures"] == ["arm64"]
        assert (await update(account, ZipFile=GREEN))["Architectures"] == ["arm64"]

    play(scenario)


def test_code_for_an_old_revision_is_refused(play: Play) -> None:
    async def scenario(account: Account) -> None:
        old = (await account.a_function())["RevisionId"]
        await update(account, ZipFile=GREEN, RevisionId=old)

        error = await account.refusal("UpdateFunctionCode", FunctionName="hello", ZipFile=a_zip(), RevisionId=old)

        assert (error.code, error.status) == ("PreconditionFailedException", 412)

    play(scenario)


def test_code_for_a_function_that_is_not_there_is_not_kept(play: Play) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("UpdateFunctionCode", FunctionName="ghost", ZipFile=GREEN)

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn('ghost')}")
        assert await kept(account, base64.b64encode(hashlib.sha256(GREEN).digest()).decode()) is None

    play(scenario)
