"""Published versions: numbered, and never changed after (aws-semantics 9.2)."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import check_revision, invalid
from headgate.control.lambda_.lookup import find_function, find_version, key_of, put_function, put_version
from headgate.control.lambda_.qualifiers import named_whole
from headgate.control.lambda_.shown import by_age, listed, shown, timestamp
from headgate.model.function import FunctionRecord, FunctionVersion
from headgate.model.ids import new_revision_id
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


def publish_version(context: Context, request: "shapes.PublishVersionRequest") -> Mapping[str, Any]:
    function = named_whole(context.scope, request["FunctionName"])
    if target := request.get("PublishTo"):
        raise invalid(f"PublishTo {target} is not supported by Headgate: leave it out to publish a numbered version")
    record = find_function(context, function)
    latest = find_version(context, function)
    check_revision(request.get("RevisionId"), latest.revision_id)
    given = request.get("CodeSha256")
    if given and given != latest.code_sha256:
        raise invalid(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({latest.code_sha256}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    version = publish(context, record, latest, request.get("Description"))
    return shown(version, version.version)


def list_versions_by_function(context: Context, request: "shapes.ListVersionsByFunctionRequest") -> Mapping[str, Any]:
    """`$LATEST` first, then as published."""
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    versions, marker = page_by_marker(
        context.tx.list(FunctionVersion, *key_of(function)), request.get("MaxItems"), request.get("Marker"), key=by_age
    )
    return {"Versions": [listed(version, qualified=True) for version in versions], "NextMarker": marker}


def publish(
    context: Context, record: FunctionRecord, latest: FunctionVersion, description: str | None = None
) -> FunctionVersion:
    """Make a version of what `$LATEST` is now; the last one is returned instead while nothing has changed since.

    The description given is the version's own, so it alone makes no version.
    """
    fingerprint = _fingerprint(latest)
    if record.last_published and record.published_fingerprint == fingerprint:
        published = context.tx.get(
            FunctionVersion, record.account_id, record.region, record.name, record.last_published
        )
        if published is not None:
            return published
    version = replace(
        latest,
        version=str(record.next_version),
        description=description or latest.description,
        last_modified=timestamp(context.now),
        revision_id=new_revision_id(),
    )
    put_version(context, version)
    put_function(
        context,
        replace(
            record,
            next_version=record.next_version + 1,
            last_published=version.version,
            published_fingerprint=fingerprint,
        ),
    )
    return version


def _fingerprint(latest: FunctionVersion) -> str:
    """Of code and settings. A change that was undone again leaves it as it was."""
    settings = replace(latest, revision_id="", last_modified="")
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()
