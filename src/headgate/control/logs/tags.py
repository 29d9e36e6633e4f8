"""Tags of log groups: the older operations by name, the newer ones by ARN."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from headgate.control.logs.errors import group_not_found, invalid, not_found
from headgate.control.logs.lookup import change, find_group, look, parse_group_arn
from headgate.control.logs.ports import LogsPorts
from headgate.control.tags import MAX_TAGS, Tags, reserved_key, untagged
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.log_store import Writing

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes


def check_tags(tags: Tags, resource_arn: str) -> Tags:
    """The tags as given. Raises ApiError where there are too many, or one is reserved."""
    if reserved := reserved_key(tags):
        raise invalid(f"Tag keys beginning with aws: are reserved: {reserved}")
    if len(tags) > MAX_TAGS:
        raise ApiError(
            "TooManyTagsException",
            f"{len(tags)} tags given; a log group can have at most {MAX_TAGS}",
            fields={"resourceName": resource_arn},
        )
    return tags


async def tag_log_group(ports: LogsPorts, scope: Scope, _now: float, request: "shapes.TagLogGroupRequest") -> None:
    await _change(ports, scope, request["logGroupName"], lambda tags: {**tags, **request["tags"]})


async def untag_log_group(ports: LogsPorts, scope: Scope, _now: float, request: "shapes.UntagLogGroupRequest") -> None:
    await _change(ports, scope, request["logGroupName"], lambda tags: untagged(tags, request["tags"]))


async def list_tags_log_group(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.ListTagsLogGroupRequest"
) -> Mapping[str, Any]:
    return {"tags": await look(ports, lambda connection: _tags(connection, scope, request["logGroupName"]))}


async def tag_resource(ports: LogsPorts, scope: Scope, _now: float, request: "shapes.TagResourceRequest") -> None:
    name = _named(scope, request["resourceArn"])
    await _change(ports, scope, name, lambda tags: {**tags, **request["tags"]})


async def untag_resource(ports: LogsPorts, scope: Scope, _now: float, request: "shapes.UntagResourceRequest") -> None:
    name = _named(scope, request["resourceArn"])
    await _change(ports, scope, name, lambda tags: untagged(tags, request["tagKeys"]))


async def list_tags_for_resource(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.ListTagsForResourceRequest"
) -> Mapping[str, Any]:
    name = _named(scope, request["resourceArn"])
    try:
        return {"tags": await look(ports, lambda connection: _tags(connection, scope, name))}
    except ApiError as error:
        raise not_found("resource") from error


async def _change(ports: LogsPorts, scope: Scope, name: str, edit: Callable[[Tags], Tags]) -> None:
    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, name)
        tags = check_tags(edit(orjson.loads(group.tags)), group.arn)
        writing.connection.execute(
            "UPDATE log_group SET tags = ? WHERE id = ?", (orjson.dumps(tags).decode(), group.id)
        )

    await change(ports, act)


def _tags(connection: sqlite3.Connection, scope: Scope, name: str) -> Tags:
    tags: Tags = orjson.loads(find_group(connection, scope, name).tags)
    return tags


def _named(scope: Scope, arn: str) -> str:
    """The group of a resource ARN, which stands without `:*` (service model); Terraform's older versions add it."""
    parsed = parse_group_arn(arn)
    if parsed is None:
        raise invalid(f"{arn} is not the ARN of a log group; no other resource of CloudWatch Logs has tags here")
    if parsed[:2] != (scope.account_id, scope.region):
        raise group_not_found()
    return parsed[2]
