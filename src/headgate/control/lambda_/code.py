"""A function's code: taken from a request or from S3, checked, and put on `$LATEST` by UpdateFunctionCode."""

import asyncio
import base64
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.configuration import check_supported, configured
from headgate.control.lambda_.errors import check_revision, entity_too_large, invalid, unsupported
from headgate.control.lambda_.layer_use import check_size
from headgate.control.lambda_.lookup import find_function, find_version, put_version
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named_whole
from headgate.control.lambda_.shown import shown, timestamp
from headgate.control.lambda_.versions import publish
from headgate.functions.bundle import EMPTY, BundleError, discard, size_of, unpack
from headgate.model.function import FunctionVersion
from headgate.model.ids import new_revision_id
from headgate.model.scope import Scope
from headgate.model.value import Value

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_ZIP_BYTES: Final = 50 * 1024 * 1024  # in a request; a zip in S3 is limited by what it unpacks to
_MAX_REQUEST_BYTES: Final = 70_167_211  # such a zip in base64, and 256 KB for all else, as AWS names it


class Bundle(Value, frozen=True):
    """A zip that can be a function's code."""

    body: bytes
    digest: str  # SHA-256 in hexadecimal: the blob's name in the store
    unzipped_size: int  # bytes

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda shows it: base64."""
        return base64.b64encode(bytes.fromhex(self.digest)).decode()


async def update_function_code(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.UpdateFunctionCodeRequest"
) -> Mapping[str, Any]:
    """Put new code on `$LATEST`, and publish it where that is asked for. A dry run checks all and changes nothing."""
    function = named_whole(scope, request["FunctionName"])
    check_supported(ports, request)
    bundle = await take_code(ports, request, "UpdateFunctionCode")

    def update(context: Context) -> Mapping[str, Any]:
        record = find_function(context, function)
        latest = find_version(context, function)
        check_revision(request.get("RevisionId"), latest.revision_id)
        changed = replace(
            check_size(put_on(configured(latest, request), bundle)),
            last_modified=timestamp(context.now),
            revision_id=new_revision_id(),
        )
        if request.get("DryRun"):
            return shown(latest)
        context.tx.put_blob(bundle.digest, bundle.body)
        put_version(context, changed)
        if request.get("Publish"):
            version = publish(context, record, changed)
            return shown(version, version.version)
        return shown(changed)

    return await ports.store.write(lambda tx: update(Context(tx, scope, now)))


async def take_code(
    ports: LambdaPorts,
    given: "shapes.FunctionCode | shapes.UpdateFunctionCodeRequest | shapes.LayerVersionContentInput",
    operation: str,
) -> Bundle:
    """The zip that a request holds or names. Raises ApiError for one that cannot be a function's code."""
    body = await _body(ports, given, operation)
    # In a thread: a large zip takes a second, in which the gateway has calls to answer.
    return await asyncio.to_thread(_checked, body)


def put_on(version: FunctionVersion, bundle: Bundle) -> FunctionVersion:
    return replace(
        version,
        code_sha256=bundle.code_sha256,
        code_size=len(bundle.body),
        unzipped_size=bundle.unzipped_size,
    )


async def _body(
    ports: LambdaPorts,
    given: "shapes.FunctionCode | shapes.UpdateFunctionCodeRequest | shapes.LayerVersionContentInput",
    operation: str,
) -> bytes:
    for_images = "give ZipFile, or S3Bucket and S3Key"
    if image := given.get("ImageUri"):
        raise unsupported("ImageUri", image, for_images)
    if encryption := given.get("SourceKMSKeyArn"):
        raise unsupported("SourceKMSKeyArn", encryption, "give a zip that is not encrypted")
    body, bucket, key = given.get("ZipFile"), given.get("S3Bucket"), given.get("S3Key")
    if body is None:
        if not bucket or not key:
            raise invalid(f"Please provide a source for function code: {for_images}.")
        return await ports.fetch_object(bucket, key, given.get("S3ObjectVersion"))
    if bucket or key or given.get("S3ObjectVersion"):
        raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
    if len(body) > MAX_ZIP_BYTES:
        raise entity_too_large(f"Request must be smaller than {_MAX_REQUEST_BYTES} bytes for the {operation} operation")
    return body


def _checked(body: bytes) -> Bundle:
    """Unpacked once on trial, so that no code is accepted that a call cannot unpack later."""
    if not body:
        raise invalid(EMPTY)
    with tempfile.TemporaryDirectory(prefix="headgate-upload-") as root:
        try:
            folder = unpack(body, Path(root))
            unzipped_size = size_of(folder)
            discard(folder)
        except BundleError as error:
            raise invalid(str(error)) from error
    return Bundle(body=body, digest=hashlib.sha256(body).hexdigest(), unzipped_size=unzipped_size)
