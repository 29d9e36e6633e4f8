"""Tags of sampling rules and groups. They are kept apart from what they are of, by its ARN."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from headgate.control.tags import MAX_TAGS, Tags, reserved_key, untagged
from headgate.control.xray.errors import invalid, not_found
from headgate.control.xray.ports import XrayPorts
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import delete_setting, put_setting, settings

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

_TAGS: Final = "tags"


async def tag_resource(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.TagResourceRequest"
) -> Mapping[str, Any]:
    added = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    await _change(ports, scope, request["ResourceARN"], lambda tags: {**tags, **added})
    return {}


async def untag_resource(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.UntagResourceRequest"
) -> Mapping[str, Any]:
    await _change(ports, scope, request["ResourceARN"], lambda tags: untagged(tags, request["TagKeys"]))
    return {}


async def list_tags_for_resource(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.ListTagsForResourceRequest"
) -> Mapping[str, Any]:
    arn = request["ResourceARN"]
    tags = await ports.traces.read(lambda connection: _tags(connection, scope, arn))
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def begin_tags(connection: sqlite3.Connection, scope: Scope, arn: str, given: Sequence["shapes.Tag"]) -> None:
    """A new resource's tags; with them it can be tagged. Raises ApiError."""
    put_setting(connection, _TAGS, scope, arn, _checked(arn, {tag["Key"]: tag["Value"] for tag in given}))


def end_tags(connection: sqlite3.Connection, scope: Scope, arn: str) -> None:
    delete_setting(connection, _TAGS, scope, arn)


async def _change(ports: XrayPorts, scope: Scope, arn: str, edit: Callable[[Tags], Tags]) -> None:
    def act(connection: sqlite3.Connection) -> None:
        put_setting(connection, _TAGS, scope, arn, _checked(arn, edit(_tags(connection, scope, arn))))

    await ports.traces.write(act)


def _tags(connection: sqlite3.Connection, scope: Scope, arn: str) -> Tags:
    found: Tags | None = settings(connection, _TAGS, scope).get(arn)
    if found is None:
        raise not_found(arn)
    return found


def _checked(arn: str, tags: Tags) -> Tags:
    if reserved := reserved_key(tags):
        raise invalid(f"Tag keys beginning with aws: are reserved: {reserved}")
    if len(tags) > MAX_TAGS:
        raise ApiError(
            "TooManyTagsException",
            f"{len(tags)} tags given; {arn} can have at most {MAX_TAGS}",
            fields={"ResourceName": arn},
        )
    return tags
